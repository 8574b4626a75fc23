import { ActionError, createAction } from "linkspan";
import * as z from "zod";

import { defined } from "../../values";
import { accepted, globalId, graphql, type UserErrors } from "../api";
import { Order, orderFields, type OrderNode, toOrder } from "../orders";

const updateOrder = `
	mutation UpdateOrder($input: OrderInput!) {
		orderUpdate(input: $input) { order { ...OrderFields } userErrors { field message } }
	}
	${orderFields}`;

export default createAction({
	description: "Changes the note, the tags or the customer's mail address of an order in a Shopify shop. What is left out stays as it is",
	version: "1.0.0",
	scopes: ["read_customers", "write_orders"],
	input: z.object({
		id: z.string().min(1).describe("The order's id, such as 5123456789012; not its name"),
		note: z.string().optional(),
		tags: z.array(z.string()).optional().describe("All tags that the order is to have"),
		email: z.email().optional(),
	}),
	output: Order,

	exec: async (nango, { id, ...changes }) => {
		const input = { id: globalId("Order", id), ...defined(changes) };
		const { orderUpdate } = await graphql<{ orderUpdate: { order: OrderNode | null; userErrors: UserErrors } }>(nango, updateOrder, { input });
		accepted(orderUpdate.userErrors);
		if (orderUpdate.order === null) throw new ActionError({ message: `There is no order ${id}.` });
		return toOrder(nango, orderUpdate.order);
	},
});
