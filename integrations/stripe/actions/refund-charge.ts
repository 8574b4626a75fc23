import { createAction } from "linkspan";
import * as z from "zod";
import { form, type StripeObject } from "../changes";

export default createAction({
	description: "Refunds a charge or a payment of Stripe, in whole or in part. Repeated with the same key it refunds once",
	version: "1.0.0",
	scopes: ["read_write"],
	input: z.object({
		charge: z.string().regex(/^(ch|py|pi)_/).describe("Id of a charge or of a payment intent"),
		amount: z.number().int().positive().optional().describe("In the smallest unit of the currency; all that is left, unless given"),
		reason: z.enum(["duplicate", "fraudulent", "requested_by_customer"]).optional(),
		idempotencyKey: z.string().min(1).max(255),
	}),
	output: z.object({ id: z.string(), amount: z.number(), currency: z.string(), status: z.string().describe("pending, requires_action, succeeded, failed or canceled") }),
	exec: async (nango, { charge, amount, reason, idempotencyKey }) => {
		const { data, headers } = form({ [charge.startsWith("pi_") ? "payment_intent" : "charge"]: charge, amount, reason });
		const refund = await nango.post<StripeObject & { amount: number; currency: string; status?: string | null }>({
			endpoint: "/v1/refunds",
			data,
			headers: { ...headers, "Idempotency-Key": idempotencyKey },
			retries: 3,
		});
		return { id: refund.data.id, amount: refund.data.amount, currency: refund.data.currency, status: refund.data.status ?? "pending" };
	},
});
