import { createSync } from "linkspan";
import * as z from "zod";

import { graphql, type Page, updatedSince } from "../api";
import { Order, orderById, orderFields, type OrderNode, toOrder } from "../orders";

const listOrders = `
	query Orders($query: String, $after: String) {
		orders(first: 20, after: $after, query: $query, sortKey: UPDATED_AT) { nodes { ...OrderFields } pageInfo { hasNextPage endCursor } }
	}
	${orderFields}`;

export default createSync({
	description: "Syncs the orders of a Shopify shop with their items, as they change. Orders older than 60 days need the scope read_all_orders",
	version: "1.0.0",
	frequency: "every 15 minutes",
	autoStart: true,
	scopes: ["read_orders", "read_customers"],
	models: { Order },
	metadata: z.object({ since: z.iso.date().optional().describe("Orders that changed last before this day are left out") }),
	checkpoint: z.object({ updatedAfter: z.string() }),
	webhookSubscriptions: ["orders/create", "orders/updated", "orders/delete"],

	exec: async (nango) => {
		const query = updatedSince((await nango.getCheckpoint())?.updatedAfter, (await nango.getMetadata())?.since);
		for (let after: string | null = null; ; ) {
			const { orders }: { orders: Page<OrderNode> } = await graphql(nango, listOrders, { query, after }, 5);
			const mapped = [];
			for (const order of orders.nodes) mapped.push(await toOrder(nango, order));
			await nango.batchSave(mapped, "Order");
			const last = orders.nodes.at(-1);
			if (last !== undefined) await nango.saveCheckpoint({ updatedAfter: last.updatedAt });
			if (!orders.pageInfo.hasNextPage) return;
			after = orders.pageInfo.endCursor;
		}
	},

	onWebhook: async (nango, payload) => {
		const { id } = payload as { id: number };
		// The event says what happened in another shape than the API: one shape for all records is worth a call.
		const order = await orderById(nango, String(id));
		if (order === null) await nango.batchDelete([{ id: String(id) }], "Order");
		else await nango.batchSave([order], "Order");
	},
});
