import { createAction } from "linkspan";
import * as z from "zod";

export default createAction({
	description: "Answers a ticket and marks it as solved",
	version: "1.0.0",
	scopes: ["tickets:write"],
	input: z.object({ id: z.string(), comment: z.string().optional() }),
	output: z.object({ id: z.string(), subject: z.string(), status: z.string() }),
	exec: async (nango, { id, comment }) => {
		const endpoint = `/tickets/${encodeURIComponent(id)}`;
		if (comment) {
			await nango.post({ endpoint: `${endpoint}/comments`, data: { body: comment } });
		}
		const { data } = await nango.patch<{ id: number; subject: string; status: string }>({ endpoint, data: { status: "solved" } });
		if (data.status !== "solved") {
			// What your product is told. Anything else that is thrown is an internal error.
			throw new nango.ActionError({ message: `The ticket ${id} is ${data.status} still` });
		}
		return { id: String(data.id), subject: data.subject, status: data.status };
	},
});
