import type { NangoSync, GithubIssue, ProxyConfiguration } from "../../models";

interface Raw { id: number; title: string; state: string; user: { login: string }; pull_request?: unknown }

export default async function fetchData(nango: NangoSync): Promise<void> {
    const { owner, repo } = await nango.getMetadata<{ owner: string; repo: string }>();
    const config: ProxyConfiguration = {
        // https://docs.github.com/rest/issues
        endpoint: `/repos/${owner}/${repo}/issues`,
        params: { since: nango.lastSyncDate?.toISOString() ?? "" },
        paginate: { limit: 100 },
        retries: 10,
    };
    for await (const issues of nango.paginate<Raw>(config)) {
        const mapped: GithubIssue[] = issues.filter((i) => !i.pull_request).map((i) => ({ id: String(i.id), title: i.title, state: i.state, owner: i.user.login }));
        if (mapped.length > 0) {
            await nango.batchSave<GithubIssue>(mapped, "GithubIssue");
            await nango.log(`Sent ${mapped.length} issues`);
        }
    }
}
export async function onWebhookPayloadReceived(nango: NangoSync, payload: any): Promise<void> {
    await nango.batchUpdate<GithubIssue>([{ id: String(payload.issue.id), title: payload.issue.title, state: payload.issue.state, owner: "x" }], "GithubIssue");
}
