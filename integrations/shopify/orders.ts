// Orders of Shopify: how they are read, and the model that they become.
import * as z from "zod";

import { text } from "../values";
import { type Caller, globalId, graphql, Money, type MoneyBag, type Page, toMoney } from "./api";

export const Order = z.object({
	id: z.string(),
	name: z.string().describe("What shop and customer call it, such as #1001"),
	email: z.string().optional(),
	customerId: z.string().optional().describe("Missing for orders without an account and for customers that were erased"),
	financialStatus: z.string().optional().describe("Such as PENDING, PAID or REFUNDED"),
	fulfillmentStatus: z.string().describe("Such as UNFULFILLED, PARTIALLY_FULFILLED or FULFILLED"),
	total: Money.describe("After returns and edits, in the shop's currency"),
	items: z.array(z.object({ id: z.string(), title: z.string(), variant: z.string().optional(), sku: z.string().optional(), quantity: z.number() })),
	note: z.string().optional(),
	tags: z.array(z.string()),
	cancelledAt: z.string().optional(),
	createdAt: z.string(),
	updatedAt: z.string(),
});

interface LineItem {
	id: string;
	title: string;
	variantTitle?: string | null;
	sku?: string | null;
	currentQuantity: number;
}

/** An order with orderFields. */
export interface OrderNode {
	id: string;
	legacyResourceId: string;
	name: string;
	email?: string | null;
	note?: string | null;
	tags: string[];
	displayFinancialStatus?: string | null;
	displayFulfillmentStatus: string;
	cancelledAt?: string | null;
	createdAt: string;
	updatedAt: string;
	currentTotalPriceSet: MoneyBag;
	customer?: { legacyResourceId: string } | null;
	lineItems: Page<LineItem>;
}

const itemFields = "nodes { id title variantTitle sku currentQuantity } pageInfo { hasNextPage endCursor }";

/** The fields of orders that are read: of long ones the first items, so that a page costs no more than a call may. */
export const orderFields = `
	fragment OrderFields on Order {
		id legacyResourceId name email note tags displayFinancialStatus displayFulfillmentStatus cancelledAt createdAt updatedAt
		currentTotalPriceSet { shopMoney { amount currencyCode } }
		customer { legacyResourceId }
		lineItems(first: 20) { ${itemFields} }
	}`;

const readItems = `
	query Items($id: ID!, $after: String) {
		order(id: $id) { lineItems(first: 100, after: $after) { ${itemFields} } }
	}`;

const readOrder = `
	query Order($id: ID!) { order(id: $id) { ...OrderFields } }
	${orderFields}`;

/** Maps an order, with the rest of its items when it has many. */
export async function toOrder(nango: Caller, order: OrderNode): Promise<z.infer<typeof Order>> {
	const items = [...order.lineItems.nodes];
	for (let at = order.lineItems.pageInfo; at.hasNextPage; ) {
		const { order: more } = await graphql<{ order: { lineItems: Page<LineItem> } | null }>(nango, readItems, { id: order.id, after: at.endCursor });
		if (more === null) break; // deleted meanwhile
		items.push(...more.lineItems.nodes);
		at = more.lineItems.pageInfo;
	}
	return {
		id: order.legacyResourceId,
		name: order.name,
		email: text(order.email),
		customerId: order.customer?.legacyResourceId,
		financialStatus: order.displayFinancialStatus ?? undefined,
		fulfillmentStatus: order.displayFulfillmentStatus,
		total: toMoney(order.currentTotalPriceSet),
		items: items.map((item) => ({
			id: item.id.slice(item.id.lastIndexOf("/") + 1),
			title: item.title,
			variant: text(item.variantTitle),
			sku: text(item.sku),
			quantity: item.currentQuantity,
		})),
		note: text(order.note),
		tags: order.tags,
		cancelledAt: order.cancelledAt ?? undefined,
		createdAt: order.createdAt,
		updatedAt: order.updatedAt,
	};
}

/** Reads one order; null when it is gone. */
export async function orderById(nango: Caller, id: string): Promise<z.infer<typeof Order> | null> {
	const { order } = await graphql<{ order: OrderNode | null }>(nango, readOrder, { id: globalId("Order", id) });
	return order && toOrder(nango, order);
}
