import { createAction } from "linkspan";
import * as z from "zod";

const Issue = z.object({ id: z.string(), number: z.number(), title: z.string(), labels: z.array(z.string()), openedBy: z.string() });

export default createAction({
	description: "Lists the open issues of a repository, without pull requests",
	input: z.object({ owner: z.string(), repo: z.string() }),
	output: z.object({ issues: z.array(Issue) }),
	exec: async (nango, input) => {
		const issues: z.infer<typeof Issue>[] = [];
		for await (const page of nango.paginate<any>({
			endpoint: `/repos/${input.owner}/${input.repo}/issues`,
			params: { state: "open" },
			paginate: { type: "link", link_rel_in_response_header: "next", limit_name_in_request: "per_page", limit: 2 },
		})) {
			for (const i of page) {
				if (i.pull_request) continue;
				issues.push({ id: String(i.id), number: i.number, title: i.title.trim(), labels: i.labels.map((l: any) => l.name).sort(), openedBy: i.user?.login ?? "ghost" });
			}
		}
		return { issues };
	},
});
