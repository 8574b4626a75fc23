import { createSync } from "linkspan";
import * as z from "zod";
import { text, timestamp } from "../../values";
import { idOf, read, type StripeObject } from "../changes";

const Invoice = z.object({
	id: z.string(),
	number: z.string().optional().describe("What stands on it; drafts have none"),
	customerId: z.string().optional(),
	subscriptionId: z.string().optional(),
	status: z.string().describe("draft, open, paid, uncollectible or void"),
	currency: z.string().describe("Three letters, lower case"),
	total: z.number().describe("In the smallest unit of the currency, like the other amounts"),
	amountPaid: z.number(),
	amountDue: z.number(),
	dueAt: z.string().optional(),
	paidAt: z.string().optional(),
	createdAt: z.string(),
	externalUrl: z.url().describe("Where people of the account see it. The pages for customers are secret links, which expire"),
});

interface StripeInvoice extends StripeObject {
	number?: string | null;
	customer?: string | { id: string } | null;
	/** Older versions of the API. */
	subscription?: string | { id: string } | null;
	/** Newer ones. */
	parent?: { subscription_details?: { subscription?: string | { id: string } | null } | null } | null;
	status?: string | null;
	currency: string;
	total: number;
	amount_paid: number;
	amount_due: number;
	due_date?: number | null;
	status_transitions?: { paid_at?: number | null };
}

export default createSync({
	description: "Syncs the invoices of Stripe: all of them at first, then those that were created, changed or, as drafts, deleted",
	version: "1.0.0",
	frequency: "every hour",
	autoStart: true,
	models: { Invoice },
	checkpoint: z.object({ since: z.number(), began: z.number(), after: z.string() }),
	exec: async (nango) => {
		await read<StripeInvoice>(
			nango,
			{ endpoint: "/v1/invoices", kind: "invoice", events: "invoice.*", deletion: "invoice.deleted" },
			{
				start: () => nango.trackDeletesStart("Invoice"),
				end: () => nango.trackDeletesEnd("Invoice"),
				remove: (ids) => nango.batchDelete(ids, "Invoice"),
				save: (invoices) =>
					nango.batchSave(
						invoices.map((i) => ({
							id: i.id,
							number: text(i.number),
							customerId: idOf(i.customer),
							subscriptionId: idOf(i.subscription ?? i.parent?.subscription_details?.subscription),
							status: i.status ?? "draft",
							currency: i.currency,
							total: i.total,
							amountPaid: i.amount_paid,
							amountDue: i.amount_due,
							dueAt: timestamp(i.due_date),
							paidAt: timestamp(i.status_transitions?.paid_at),
							createdAt: timestamp(i.created) ?? "",
							externalUrl: `https://dashboard.stripe.com/${i.livemode === false ? "test/" : ""}invoices/${i.id}`,
						})),
						"Invoice",
					),
			},
		);
	},
});
