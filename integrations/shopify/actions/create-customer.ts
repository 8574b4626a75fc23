import { ActionError, createAction } from "linkspan";
import * as z from "zod";

import { UnifiedContact } from "../../models";
import { defined } from "../../values";
import { accepted, type Customer, customerFields, graphql, toContact, type UserErrors } from "../api";

const createCustomer = `
	mutation CreateCustomer($input: CustomerInput!) {
		customerCreate(input: $input) { customer { ...CustomerFields } userErrors { field message } }
	}
	${customerFields}`;

export default createAction({
	description: "Creates a customer in a Shopify shop, who needs a name, a mail address or a phone number. No two customers have the same address",
	version: "1.0.0",
	scopes: ["write_customers"],
	input: z.object({
		firstName: z.string().optional(),
		lastName: z.string().optional(),
		email: z.email().optional(),
		phone: z.string().optional().describe("International, such as +442079460958"),
		note: z.string().optional(),
		tags: z.array(z.string()).optional(),
	}),
	output: UnifiedContact,

	exec: async (nango, input) => {
		// A call that may have been carried out is not made again.
		const answer = await graphql<{ customerCreate: { customer: Customer | null; userErrors: UserErrors } }>(nango, createCustomer, { input: defined(input) }, 0);
		accepted(answer.customerCreate.userErrors);
		if (answer.customerCreate.customer === null) throw new ActionError({ message: "Shopify created no customer and did not say why." });
		return toContact(answer.customerCreate.customer);
	},
});
