// What the functions of Shopify share: its GraphQL Admin API with its way to fail and to limit, and the shapes of its answers.
import { ActionError } from "linkspan";
import * as z from "zod";

import type { UnifiedContact } from "../models";
import { fullName, text } from "../values";

/** The version of the API. Each is served for a year at least, and then as the oldest that still is. */
export const endpoint = "/admin/api/2026-01/graphql.json";

/** What calls: the nango object of a sync or of an action. */
export interface Caller {
	post<T>(config: { endpoint: string; data: unknown; retries: number }): Promise<{ data: T }>;
}

interface Answer<T> {
	data?: T | null;
	errors?: { message: string; extensions?: { code?: string; requiredAccess?: string } }[] | string;
	extensions?: { cost?: { requestedQueryCost: number; throttleStatus: { currentlyAvailable: number; restoreRate: number } } };
}

/** How often a call is made again that came when the shop's budget was used up. */
const maxThrottled = 5;

/**
 * Makes a call of GraphQL. Calls that fail answer 200, too, those beyond the limit included: then it waits until as
 * much is available as the call costs (https://shopify.dev/docs/api/usage/limits).
 */
export async function graphql<T>(nango: Caller, query: string, variables: Record<string, unknown>, retries = 3): Promise<T> {
	for (let throttled = 0; ; throttled++) {
		const { data: answer } = await nango.post<Answer<T>>({ endpoint, data: { query, variables }, retries });
		const errors = typeof answer.errors === "string" ? [{ message: answer.errors }] : (answer.errors ?? []);
		if (errors.length === 0 && answer.data) return answer.data;
		const isThrottled = errors.some((error) => error.extensions?.code === "THROTTLED");
		if (!isThrottled || throttled === maxThrottled) throw new ActionError({ message: `Shopify refused the call: ${errors.map((error) => error.message).join(" ") || "it has no data"}`, errors });
		const cost = answer.extensions?.cost;
		const missing = cost ? cost.requestedQueryCost - cost.throttleStatus.currentlyAvailable : 0;
		const seconds = cost ? Math.max(1, missing / cost.throttleStatus.restoreRate) : 2;
		await new Promise<void>((resolve) => setTimeout(resolve, seconds * 1000));
	}
}

/** A page of a list. */
export interface Page<T> {
	nodes: T[];
	pageInfo: { hasNextPage: boolean; endCursor: string | null };
}

/** What a mutation says of its input. */
export type UserErrors = { field?: string[] | null; message: string }[];

/** Throws what a mutation says is wrong with its input. */
export function accepted(errors: UserErrors): void {
	if (errors.length === 0) return;
	const of = (error: UserErrors[number]) => (error.field?.length ? `${error.field.join(".")}: ${error.message}` : error.message);
	throw new ActionError({ message: `Shopify did not accept the input. ${errors.map(of).join("; ")}`, errors });
}

/** The global id of something; ids that already are stay. Webhooks and addresses name the number alone, and so do our records. */
export function globalId(kind: "Customer" | "Order" | "Product", id: string): string {
	return id.startsWith("gid://") ? id : `gid://shopify/${kind}/${id}`;
}

/** The index that searches read lags behind: what changed this much earlier is read once more. */
const overlap = 5 * 60_000;

/** Searches for what was updated after the last thing read, or from a first day on, or for everything. */
export function updatedSince(last: string | undefined, first?: string): string | null {
	const from = last === undefined ? first : new Date(Date.parse(last) - overlap).toISOString().replace(/\.\d+/, "");
	return from === undefined ? null : `updated_at:>='${from}'`;
}

/** An amount of money, as Shopify writes it: a decimal number as text. */
export const Money = z.object({ amount: z.string(), currency: z.string() });

export interface MoneyBag {
	shopMoney: { amount: string; currencyCode: string };
}

/** Maps an amount in the shop's currency. */
export function toMoney(bag: MoneyBag): z.infer<typeof Money> {
	return { amount: bag.shopMoney.amount, currency: bag.shopMoney.currencyCode };
}

/** The fields of customers that are read. */
export const customerFields = `
	fragment CustomerFields on Customer {
		legacyResourceId firstName lastName note tags createdAt updatedAt
		defaultEmailAddress { emailAddress }
		defaultPhoneNumber { phoneNumber }
		defaultAddress { company }
		numberOfOrders
	}`;

/** A customer with customerFields. */
export interface Customer {
	legacyResourceId: string;
	firstName?: string | null;
	lastName?: string | null;
	note?: string | null;
	tags: string[];
	createdAt: string;
	updatedAt: string;
	defaultEmailAddress?: { emailAddress: string } | null;
	defaultPhoneNumber?: { phoneNumber: string } | null;
	defaultAddress?: { company?: string | null } | null;
	numberOfOrders?: string;
}

/** Maps a customer. */
export function toContact(customer: Customer): UnifiedContact {
	const address = customer.defaultEmailAddress?.emailAddress;
	return {
		id: customer.legacyResourceId,
		name: fullName(customer.firstName, customer.lastName) ?? text(address) ?? text(customer.defaultPhoneNumber?.phoneNumber) ?? customer.legacyResourceId,
		firstName: text(customer.firstName),
		lastName: text(customer.lastName),
		email: text(address),
		phone: text(customer.defaultPhoneNumber?.phoneNumber),
		companyName: text(customer.defaultAddress?.company),
		createdAt: customer.createdAt,
		updatedAt: customer.updatedAt,
		raw: customer,
	};
}
