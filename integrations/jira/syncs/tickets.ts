import { createSync } from "linkspan";
import * as z from "zod";

import { UnifiedTicket } from "../../models";
import { isGone } from "../../values";
import { fields, type Issue, type Site, site, toTicket } from "../api";

interface Page {
	issues: Issue[];
	nextPageToken?: string;
}

const Metadata = z.object({
	projects: z.array(z.string()).max(200).optional().describe("Keys of the projects whose issues are wanted; all projects when left out"),
	backfillDays: z.number().int().positive().optional().describe("How far the first run goes back, by the day of the last change; a year when left out"),
});

export default createSync({
	description: "Syncs the issues of a Jira site, with status, priority, reporter and assignee, as they change; deleted issues are found through webhooks",
	version: "1.0.0",
	frequency: "every 5 minutes",
	autoStart: true,
	scopes: ["read:jira-work", "read:jira-user"],
	models: { UnifiedTicket },
	metadata: Metadata,
	checkpoint: z.object({ updatedAfter: z.string(), projects: z.string().describe("Whose issues were read, by comma; empty: those of all projects") }),
	webhookSubscriptions: ["jira:issue_created", "jira:issue_updated", "jira:issue_deleted"],

	exec: async (nango) => {
		const here = await site(nango);
		const metadata = (await nango.getMetadata()) ?? {};
		const projects = [...new Set(metadata.projects)].sort();
		const before = await nango.getCheckpoint();
		// With projects that were not read before, everything is read again.
		const read = before && new Set(before.projects.split(","));
		const isKnown = read !== null && (read.has("") || (projects.length > 0 && projects.every((key) => read.has(key))));
		let after = isKnown ? before?.updatedAfter : undefined;
		let jql = query({ ...metadata, projects }, after);
		for (let token: string | undefined; ; ) {
			const { data } = await nango.get<Page>({
				// https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-search/#api-rest-api-3-search-jql-get
				endpoint: `${here.api}/search/jql`,
				params: { jql, fields: fields.join(","), maxResults: 100, ...(token === undefined ? {} : { nextPageToken: token }) },
				retries: 5,
			});
			await nango.batchSave(data.issues.map((issue) => toTicket(issue, here)), "UnifiedTicket");
			const last = data.issues.at(-1)?.fields.updated;
			if (last !== undefined) await nango.saveCheckpoint({ updatedAfter: new Date(last).toISOString(), projects: projects.join(",") });
			token = data.nextPageToken;
			if (token === undefined) return;
			// The list moves while it is read, and tokens count: what is updated leaves its place, and those behind it
			// move up, unseen. So the next page is a query of its own, from the last change on, as far as minutes tell.
			if (last === undefined || (after !== undefined && Date.parse(last) < Date.parse(after) + 60_000 * (overlap + 1))) continue;
			after = new Date(last).toISOString();
			jql = query({ ...metadata, projects }, after);
			token = undefined;
		}
	},

	onWebhook: async (nango, payload) => {
		const { webhookEvent, issue } = payload as { webhookEvent: string; issue?: { id: string; fields?: { project?: { key: string } } } };
		if (issue === undefined) return;
		if (webhookEvent === "jira:issue_deleted") {
			await nango.batchDelete([{ id: issue.id }], "UnifiedTicket");
			return;
		}
		const { projects } = (await nango.getMetadata()) ?? {};
		const project = issue.fields?.project?.key;
		if (projects?.length && project !== undefined && !projects.includes(project)) {
			await nango.batchDelete([{ id: issue.id }], "UnifiedTicket"); // it may have been moved there
			return;
		}
		// Webhooks carry rich text in another format than the API: one shape for all records is worth a call.
		const here: Site = await site(nango);
		try {
			const { data } = await nango.get<Issue>({ endpoint: `${here.api}/issue/${issue.id}`, params: { fields: fields.join(",") }, retries: 3 });
			await nango.batchSave([toTicket(data, here)], "UnifiedTicket");
		} catch (e) {
			if (!isGone(e)) throw e;
			await nango.batchDelete([{ id: issue.id }], "UnifiedTicket"); // since the event
		}
	},
});

/** How many minutes are read again: the index that searches read lags behind a little. */
const overlap = 5;

/**
 * Searches for what changed, oldest first, so that each page's last issue is a point to go on from. Moments in JQL are in the
 * time zone of the user, which may not be visible: relative ones are the same everywhere. They also bound the
 * query, as Jira wants it.
 */
function query({ projects, backfillDays }: z.infer<typeof Metadata>, after: string | undefined): string {
	const minutes = after === undefined ? undefined : Math.max(0, Math.ceil((Date.now() - Date.parse(after)) / 60_000)) + overlap;
	const since = minutes === undefined ? `-${backfillDays ?? 365}d` : `-${minutes}m`;
	const inProjects = projects?.length ? `project in (${projects.map((key) => JSON.stringify(key)).join(", ")}) AND ` : "";
	return `${inProjects}updated >= ${since} ORDER BY updated ASC`;
}
