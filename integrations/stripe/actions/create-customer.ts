import { createAction } from "linkspan";
import * as z from "zod";
import { form, type StripeObject } from "../changes";

export default createAction({
	description: "Creates a customer in Stripe. Stripe allows several with the same address, so look first whether there is one",
	version: "1.0.0",
	scopes: ["read_write"],
	input: z.object({
		name: z.string().min(1),
		email: z.email().optional(),
		phone: z.string().optional(),
		description: z.string().optional(),
		metadata: z.record(z.string(), z.string()).optional(),
		idempotencyKey: z.string().max(255).optional().describe("The same key again, within a day, creates no second customer"),
	}),
	output: z.object({ id: z.string() }),
	exec: async (nango, { idempotencyKey, ...input }) => {
		const { data, headers } = form(input);
		const created = await nango.post<StripeObject>({
			endpoint: "/v1/customers",
			data,
			headers: { ...headers, ...(idempotencyKey && { "Idempotency-Key": idempotencyKey }) },
			retries: idempotencyKey ? 3 : 0,
		});
		return { id: created.data.id };
	},
});
