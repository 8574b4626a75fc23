import { createAction } from "linkspan";
import * as z from "zod";

export default createAction({
	description: "Adds a comment and says clearly what the provider refuses",
	input: z.object({ ticket: z.number(), text: z.string() }),
	output: z.object({ ok: z.boolean(), status: z.number(), problems: z.array(z.string()) }),
	exec: async (nango, { ticket, text }) => {
		try {
			const { status } = await nango.put({ endpoint: `/api/v2/tickets/${ticket}.json`, data: { ticket: { comment: { body: text, public: true } } } });
			return { ok: true, status, problems: [] };
		} catch (error: any) {
			if (!error.response) throw error;
			const { status, data } = error.response;
			return { ok: false, status, problems: Object.entries<any>(data.details ?? {}).flatMap(([field, list]) => list.map((d: any) => `${field}: ${d.description}`)) };
		}
	},
});
