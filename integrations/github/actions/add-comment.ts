import { createAction } from "linkspan";
import * as z from "zod";
import { issuePath } from "../rest";

export default createAction({
	description: "Comments on an issue or a pull request of GitHub",
	version: "1.0.0",
	scopes: ["repo"],
	input: z.object({ ticketId: z.string().describe("Such as acme/shop#42"), text: z.string().min(1).max(65_536).describe("Markdown") }),
	output: z.object({ id: z.string(), externalUrl: z.url(), createdAt: z.string() }),
	exec: async (nango, { ticketId, text }) => {
		const { data } = await nango.post<{ id: number; html_url: string; created_at: string }>({ endpoint: `${issuePath(ticketId)}/comments`, data: { body: text } });
		return { id: String(data.id), externalUrl: data.html_url, createdAt: data.created_at };
	},
});
