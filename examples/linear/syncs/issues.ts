import { createSync } from "linkspan";
import * as z from "zod";

const Issue = z.object({ id: z.string(), title: z.string(), state: z.string().optional(), assignee: z.string().nullable().optional() });

const row = (i: any) => ({ id: i.id, title: i.title, state: i.state?.name, assignee: i.assignee?.name ?? null });

export default createSync({
	description: "Issues once a day, and their changes as they happen",
	frequency: "every day",
	autoStart: true,
	syncType: "full",
	webhookSubscriptions: ["Issue"],
	models: { Issue },
	exec: async (nango) => {
		for (let after: string | null = null; ; ) {
			const { data }: { data: any } = await nango.post({ endpoint: "/graphql", data: { query: "query($after: String) { issues(first: 50, after: $after) { nodes { id title state { name } assignee { name } } pageInfo { hasNextPage endCursor } } }", variables: { after } } });
			await nango.batchSave(data.data.issues.nodes.map(row), "Issue");
			if (!data.data.issues.pageInfo.hasNextPage) return;
			after = data.data.issues.pageInfo.endCursor;
		}
	},
	onWebhook: async (nango, payload: any) => {
		switch (payload.action) {
			case "create":
				return void (await nango.batchSave([row(payload.data)], "Issue"));
			case "update":
				return void (await nango.batchUpdate([{ id: payload.data.id, ...("title" in payload.updatedFrom ? { title: payload.data.title } : {}), ...("assigneeId" in payload.updatedFrom ? { assignee: payload.data.assignee?.name ?? null } : {}) }], "Issue"));
			case "remove":
				return void (await nango.batchDelete([{ id: payload.data.id }], "Issue"));
		}
	},
});
