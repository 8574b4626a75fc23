import { createSync } from "linkspan";
import * as z from "zod";
import { text, timestamp } from "../../values";
import { read, type StripeObject } from "../changes";

const Customer = z.object({
	id: z.string(),
	name: z.string().optional(),
	email: z.string().optional(),
	phone: z.string().optional(),
	description: z.string().optional(),
	country: z.string().optional().describe("Two letters"),
	currency: z.string().optional().describe("Of recurring payments, three letters, lower case"),
	balance: z.number().describe("In the smallest unit of the currency; negative: what is owed to the customer"),
	delinquent: z.boolean().describe("Whether the last invoice is overdue"),
	metadata: z.record(z.string(), z.string()),
	createdAt: z.string(),
});

interface StripeCustomer extends StripeObject {
	name?: string | null;
	email?: string | null;
	phone?: string | null;
	description?: string | null;
	address?: { country?: string | null } | null;
	currency?: string | null;
	balance?: number;
	delinquent?: boolean | null;
	metadata?: Record<string, string>;
}

export default createSync({
	description: "Syncs the customers of Stripe: all of them at first, then those that were created, changed or deleted",
	version: "1.0.0",
	frequency: "every 15 minutes",
	autoStart: true,
	models: { Customer },
	checkpoint: z.object({ since: z.number(), began: z.number(), after: z.string() }),
	exec: async (nango) => {
		await read<StripeCustomer>(
			nango,
			{ endpoint: "/v1/customers", kind: "customer", events: "customer.*", deletion: "customer.deleted" },
			{
				start: () => nango.trackDeletesStart("Customer"),
				end: () => nango.trackDeletesEnd("Customer"),
				remove: (ids) => nango.batchDelete(ids, "Customer"),
				save: (customers) =>
					nango.batchSave(
						customers.map((c) => ({
							id: c.id,
							name: text(c.name),
							email: text(c.email),
							phone: text(c.phone),
							description: text(c.description),
							country: text(c.address?.country),
							currency: text(c.currency),
							balance: c.balance ?? 0,
							delinquent: c.delinquent ?? false,
							metadata: c.metadata ?? {},
							createdAt: timestamp(c.created) ?? "",
						})),
						"Customer",
					),
			},
		);
	},
});
