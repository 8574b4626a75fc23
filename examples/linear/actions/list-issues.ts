import { createAction } from "linkspan";
import * as z from "zod";

export default createAction({
	description: "Lists a team's issues by state",
	input: z.object({ team: z.string() }),
	output: z.record(z.string(), z.array(z.string())),
	exec: async (nango, { team }) => {
		const query = /* GraphQL */ `query Issues($team: String!, $after: String) {
			team(id: $team) { issues(first: 2, after: $after) { nodes { identifier title state { name type } estimate } pageInfo { hasNextPage endCursor } } }
		}`.replace(/\s+/g, " ");
		const issues: any[] = [];
		for (let after: string | null = null; ; ) {
			const { data }: { data: any } = await nango.post({ endpoint: "/graphql", data: { query, variables: { team, after } } });
			if (data.errors?.length) throw new nango.ActionError({ messages: data.errors.map((e: any) => e.message) });
			issues.push(...data.data.team.issues.nodes);
			if (!data.data.team.issues.pageInfo.hasNextPage) break;
			after = data.data.team.issues.pageInfo.endCursor;
		}
		const order = ["backlog", "unstarted", "started", "completed", "canceled"];
		issues.sort((a, b) => order.indexOf(a.state.type) - order.indexOf(b.state.type) || a.identifier.localeCompare(b.identifier, undefined, { numeric: true }));
		return issues.reduce((out, i) => {
			(out[i.state.name] ??= []).push(`${i.identifier} ${i.title}${i.estimate ? ` (${i.estimate})` : ""}`);
			return out;
		}, {});
	},
});
