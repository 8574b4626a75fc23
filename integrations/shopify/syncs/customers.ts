import { createSync } from "linkspan";
import * as z from "zod";

import { UnifiedContact } from "../../models";
import { type Customer, customerFields, globalId, graphql, type Page, toContact, updatedSince } from "../api";

const listCustomers = `
	query Customers($query: String, $after: String) {
		customers(first: 100, after: $after, query: $query, sortKey: UPDATED_AT) { nodes { ...CustomerFields } pageInfo { hasNextPage endCursor } }
	}
	${customerFields}`;

const readCustomer = `
	query Customer($id: ID!) { customer(id: $id) { ...CustomerFields } }
	${customerFields}`;

export default createSync({
	description: "Syncs the customers of a Shopify shop as contacts, as they change; deleted ones are found through webhooks",
	version: "1.0.0",
	frequency: "every hour",
	autoStart: true,
	scopes: ["read_customers"],
	models: { UnifiedContact },
	checkpoint: z.object({ updatedAfter: z.string() }),
	webhookSubscriptions: ["customers/create", "customers/update", "customers/delete"],

	exec: async (nango) => {
		const query = updatedSince((await nango.getCheckpoint())?.updatedAfter);
		for (let after: string | null = null; ; ) {
			const { customers }: { customers: Page<Customer> } = await graphql(nango, listCustomers, { query, after }, 5);
			await nango.batchSave(customers.nodes.map(toContact), "UnifiedContact");
			const last = customers.nodes.at(-1);
			if (last !== undefined) await nango.saveCheckpoint({ updatedAfter: last.updatedAt });
			if (!customers.pageInfo.hasNextPage) return;
			after = customers.pageInfo.endCursor;
		}
	},

	onWebhook: async (nango, payload) => {
		const id = String((payload as { id: number }).id);
		const { customer } = await graphql<{ customer: Customer | null }>(nango, readCustomer, { id: globalId("Customer", id) });
		if (customer === null) await nango.batchDelete([{ id }], "UnifiedContact");
		else await nango.batchSave([toContact(customer)], "UnifiedContact");
	},
});
