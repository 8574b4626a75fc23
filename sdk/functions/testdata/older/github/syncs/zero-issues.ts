import { createSync } from "nango";
import type { ProxyConfiguration } from "nango";
import { z } from "zod";
const issueSchema = z.object({ id: z.string(), title: z.string(), state: z.enum(["open", "closed"]), author: z.string().nullable(), createdAt: z.date() });
type Issue = z.infer<typeof issueSchema>;
const sync = createSync({
    description: "Fetches issues",
    version: "2.0.0",
    frequency: "every hour",
    autoStart: false,
    syncType: "incremental",
    trackDeletes: false,
    endpoints: [{ method: "GET", path: "/issues", group: "Issues" }],
    scopes: ["repo"],
    models: { Issue: issueSchema },
    metadata: z.object({ owner: z.string(), repo: z.string() }),
    checkpoint: z.object({ since: z.string() }),
    exec: async (nango) => {
        await nango.trackDeletesStart("Issue");
        const metadata = await nango.getMetadata();
        const config: ProxyConfiguration = { endpoint: `/repos/${metadata.owner}/${metadata.repo}/issues`, retries: 5, paginate: { type: "link", link_rel_in_response_header: "next", limit_name_in_request: "per_page", limit: 100 } };
        for await (const page of nango.paginate<{ id: number; title: string; state: "open" | "closed"; user?: { login: string }; created_at: string }>(config)) {
            const issues: Issue[] = page.map((i) => ({ id: i.id.toString(), title: i.title, state: i.state, author: i.user?.login ?? null, createdAt: new Date(i.created_at) }));
            await nango.batchSave(issues, "Issue");
            await nango.saveCheckpoint({ since: page.at(-1)?.created_at ?? "" });
        }
        await nango.clearCheckpoint();
        await nango.trackDeletesEnd("Issue");
    },
    webhookSubscriptions: ["issues"],
    onWebhook: async (nango, payload) => {
        const known = await nango.getRecordsByIds<"Issue", string>([payload.issue.id], "Issue");
        if (known.size) await nango.batchDelete([{ id: payload.issue.id }], "Issue");
    },
});
export type NangoSyncLocal = Parameters<(typeof sync)["exec"]>[0];
export default sync;
