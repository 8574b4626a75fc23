import { createAction } from "linkspan";
import { createHash } from "crypto";
import * as z from "zod";

export default createAction({
	description: "Adds or updates a member of an audience",
	input: z.object({ list: z.string(), email: z.string().trim().toLowerCase().pipe(z.email()), tags: z.set(z.string()).or(z.array(z.string())).optional() }),
	output: z.object({ id: z.string(), status: z.string(), matches: z.boolean() }),
	exec: async (nango, input) => {
		const email = input.email.trim().toLowerCase();
		const hash = createHash("md5").update(email).digest("hex");
		const { data } = await nango.put({ endpoint: `/3.0/lists/${input.list}/members/${hash}`, data: { email_address: email, status_if_new: "pending", tags: [...(input.tags ?? [])] } });
		return { id: data.id, status: data.status, matches: data.id === hash };
	},
});
