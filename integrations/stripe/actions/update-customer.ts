import { createAction } from "linkspan";
import * as z from "zod";
import { form, type StripeObject } from "../changes";

export default createAction({
	description: "Changes the named fields of a customer in Stripe. What is not named stays as it is; an empty text removes what is there",
	version: "1.0.0",
	scopes: ["read_write"],
	input: z.object({
		id: z.string().startsWith("cus_"),
		name: z.string().optional(),
		email: z.union([z.email(), z.literal("")]).optional(),
		phone: z.string().optional(),
		description: z.string().optional(),
		metadata: z.record(z.string(), z.string()).optional().describe("Merged with what is there"),
	}),
	output: z.object({ id: z.string() }),
	exec: async (nango, { id, ...input }) => {
		const { data } = await nango.post<StripeObject>({ endpoint: `/v1/customers/${encodeURIComponent(id)}`, ...form(input), retries: 3 });
		return { id: data.id };
	},
});
