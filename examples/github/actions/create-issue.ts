import { createAction } from "linkspan";
import * as z from "zod";

export default createAction({
	description: "Creates an issue",
	input: z.object({ owner: z.string(), repo: z.string(), title: z.string().min(1), body: z.string().optional(), labels: z.array(z.string()).optional() }),
	output: z.object({ id: z.string(), url: z.string() }),
	exec: async (nango, input) => {
		const { owner, repo, ...issue } = input;
		const response = await nango.post({ endpoint: `/repos/${owner}/${repo}/issues`, data: issue, retries: 2 });
		return { id: String(response.data.id), url: response.data.html_url };
	},
});
