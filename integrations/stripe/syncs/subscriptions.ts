import { createSync } from "linkspan";
import * as z from "zod";
import { timestamp } from "../../values";
import { idOf, read, type StripeObject } from "../changes";

const Subscription = z.object({
	id: z.string(),
	customerId: z.string(),
	status: z.string().describe("incomplete, incomplete_expired, trialing, active, past_due, canceled, unpaid or paused"),
	currency: z.string().describe("Three letters, lower case"),
	items: z.array(
		z.object({
			priceId: z.string(),
			productId: z.string(),
			quantity: z.number(),
			unitAmount: z.number().optional().describe("In the smallest unit of the currency; none for tiered prices"),
			interval: z.string().optional().describe("day, week, month or year"),
			intervalCount: z.number().optional(),
		}),
	),
	cancelAtPeriodEnd: z.boolean(),
	currentPeriodEnd: z.string().optional(),
	trialEnd: z.string().optional(),
	canceledAt: z.string().optional(),
	createdAt: z.string(),
});

interface Item {
	price: { id: string; product: string | { id: string }; unit_amount?: number | null; recurring?: { interval: string; interval_count: number } | null };
	quantity?: number;
	current_period_end?: number;
}

interface StripeSubscription extends StripeObject {
	customer: string | { id: string };
	status: string;
	currency: string;
	items: { data: Item[] };
	cancel_at_period_end: boolean;
	/** Newer versions of the API have it in the items. */
	current_period_end?: number;
	trial_end?: number | null;
	canceled_at?: number | null;
}

export default createSync({
	description: "Syncs the subscriptions of Stripe with what is subscribed to, canceled ones too: all of them at first, then those that changed",
	version: "1.0.0",
	frequency: "every 15 minutes",
	autoStart: true,
	models: { Subscription },
	checkpoint: z.object({ since: z.number(), began: z.number(), after: z.string() }),
	exec: async (nango) => {
		await read<StripeSubscription>(
			nango,
			{ endpoint: "/v1/subscriptions", params: { status: "all" }, kind: "subscription", events: "customer.subscription.*" },
			{
				start: () => nango.trackDeletesStart("Subscription"),
				end: () => nango.trackDeletesEnd("Subscription"),
				remove: (ids) => nango.batchDelete(ids, "Subscription"),
				save: (subscriptions) =>
					nango.batchSave(
						subscriptions.map((s) => ({
							id: s.id,
							customerId: idOf(s.customer),
							status: s.status,
							currency: s.currency,
							items: s.items.data.map(({ price, quantity }) => ({
								priceId: price.id,
								productId: idOf(price.product),
								quantity: quantity ?? 1,
								unitAmount: price.unit_amount ?? undefined,
								interval: price.recurring?.interval,
								intervalCount: price.recurring?.interval_count,
							})),
							cancelAtPeriodEnd: s.cancel_at_period_end,
							currentPeriodEnd: timestamp(s.current_period_end ?? s.items.data[0]?.current_period_end),
							trialEnd: timestamp(s.trial_end),
							canceledAt: timestamp(s.canceled_at),
							createdAt: timestamp(s.created) ?? "",
						})),
						"Subscription",
					),
			},
		);
	},
});
