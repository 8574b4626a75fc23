import { createAction } from "linkspan";
import * as z from "zod";

const Priority = z.enum(["low", "medium", "high"]).transform((p) => ({ low: "4", medium: "3", high: "2" })[p]);

export default createAction({
	description: "Creates an issue and finds its assignee by address",
	input: z.object({ project: z.string(), summary: z.string().max(255), text: z.string(), assignee: z.email().optional(), priority: z.string().optional() }),
	output: z.object({ key: z.string(), assigned: z.boolean() }),
	exec: async (nango, input) => {
		const checked = await nango.zodValidateInput({ zodSchema: z.object({ priority: Priority }), input: { priority: input.priority ?? "medium" } });
		let accountId: string | undefined;
		if (input.assignee) {
			const { data } = await nango.get({ endpoint: "/rest/api/3/user/search", params: { query: input.assignee } });
			accountId = data.find((u: any) => u.emailAddress?.toLowerCase() === input.assignee!.toLowerCase())?.accountId;
		}
		const { data } = await nango.post({
			endpoint: "/rest/api/3/issue",
			data: {
				fields: {
					project: { key: input.project },
					summary: input.summary,
					issuetype: { name: "Task" },
					priority: { id: (checked.data as any).priority },
					description: { type: "doc", version: 1, content: input.text.split(/\n{2,}/).map((p) => ({ type: "paragraph", content: [{ type: "text", text: p }] })) },
					...(accountId && { assignee: { accountId } }),
				},
			},
		});
		return { key: data.key, assigned: accountId !== undefined };
	},
});
