import { createHash } from "crypto";

import { createSync } from "linkspan";
import * as z from "zod";
import { UnifiedTicket } from "../../models";
import { type Connection, graphql, type Issue, issueFields, toTicket } from "../graphql";

const query = `query($filter: IssueFilter, $after: String) {
	issues(first: 50, after: $after, filter: $filter, orderBy: updatedAt, includeArchived: true) { nodes { ${issueFields} } pageInfo { hasNextPage endCursor } }
}`;

/** What Linear tells of an event. */
interface Event {
	type: string;
	action: "create" | "update" | "remove" | "restore";
	data: { id: string };
}

export default createSync({
	description: "Syncs the issues of Linear in the shape of all ticketing systems: those that changed since the last run. What is in the trash is deleted, what is archived stays",
	version: "1.0.0",
	frequency: "every 15 minutes",
	autoStart: true,
	scopes: ["read"],
	models: { UnifiedTicket },
	metadata: z.object({ teams: z.array(z.string()).optional().describe("Ids of teams. All that the connection may see, unless given") }),
	checkpoint: z.object({ since: z.string(), newest: z.string(), cursor: z.string(), teams: z.string().describe("Which teams were chosen when they were read, as a hash; empty: all") }),
	webhookSubscriptions: ["Issue"],
	exec: async (nango) => {
		const teams = [...new Set((await nango.getMetadata())?.teams)].sort();
		const chosen = teams.length === 0 ? "" : createHash("sha256").update(teams.join()).digest("base64url");
		const before = await nango.getCheckpoint();
		// With another choice everything is read again: a team may not have been read before.
		const from = before?.teams === chosen ? before : null;
		// The last change comes first, so the next run begins where this one found
		// its first issue: what changes meanwhile is newer.
		let { since, newest, cursor } = from ?? { since: "", newest: "", cursor: "" };
		const filter = { ...(since && { updatedAt: { gte: since } }), ...(teams.length > 0 && { team: { id: { in: teams } } }) };
		const read = async (after: string) => (await graphql<{ issues: Connection<Issue> }>(nango, query, { filter, ...(after && { after }) })).issues;
		// An earlier run's place in the list may be gone: then it is read from the start.
		let issues = await read(cursor).catch((error: unknown) => {
			if (cursor) return read("");
			throw error;
		});
		for (;;) {
			newest ||= issues.nodes[0]?.updatedAt ?? since;
			await nango.batchSave(issues.nodes.filter(({ trashed }) => !trashed).map(toTicket), "UnifiedTicket");
			await nango.batchDelete(
				issues.nodes.filter(({ trashed }) => trashed).map(({ id }) => ({ id })),
				"UnifiedTicket",
			);
			cursor = issues.pageInfo.endCursor ?? "";
			if (!issues.pageInfo.hasNextPage || !cursor) break;
			await nango.saveCheckpoint({ since, newest, cursor, teams: chosen });
			issues = await read(cursor);
		}
		await nango.saveCheckpoint({ since: newest, newest: "", cursor: "", teams: chosen });
	},
	onWebhook: async (nango, { action, data }: Event) => {
		if (action === "remove") {
			await nango.batchDelete([{ id: data.id }], "UnifiedTicket");
			return;
		}
		const { issue } = await graphql<{ issue: Issue }>(nango, `query($id: String!) { issue(id: $id) { ${issueFields} } }`, { id: data.id });
		const teams = (await nango.getMetadata())?.teams;
		const isWanted = !issue.trashed && (!teams?.length || teams.includes(issue.team.id));
		if (isWanted) await nango.batchSave([toTicket(issue)], "UnifiedTicket");
		else await nango.batchDelete([{ id: issue.id }], "UnifiedTicket"); // it may have been moved to a team that is not wanted
	},
});
