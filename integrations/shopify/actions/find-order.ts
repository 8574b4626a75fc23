import { createAction } from "linkspan";
import * as z from "zod";

import { graphql, type Page } from "../api";
import { Order, orderFields, type OrderNode, toOrder } from "../orders";

const findOrder = `
	query FindOrder($query: String!) { orders(first: 5, query: $query) { nodes { ...OrderFields } pageInfo { hasNextPage endCursor } } }
	${orderFields}`;

export default createAction({
	description: "Finds an order of a Shopify shop by the name that customers know, such as #1001; null when there is none",
	version: "1.0.0",
	scopes: ["read_orders", "read_customers"],
	input: z.object({ name: z.string().regex(/^#?[\w-]+$/).describe("The order's name, with or without #") }),
	output: Order.nullable(),

	exec: async (nango, input) => {
		const name = input.name.replace(/^#/, "");
		const { orders } = await graphql<{ orders: Page<OrderNode> }>(nango, findOrder, { query: `name:'${name}'` });
		// The search takes the beginning of a name, too, and shops choose what stands around the number.
		const order = orders.nodes.find((node) => node.name.replace(/^#/, "") === name);
		return order === undefined ? null : toOrder(nango, order);
	},
});
