import { createAction } from "linkspan";
import * as z from "zod";

export default createAction({
	description: "Creates a contact or updates the one with the address",
	input: z.object({ email: z.email(), firstName: z.string().optional(), lastName: z.string().optional(), phone: z.string().optional() }),
	output: z.object({ id: z.string(), created: z.boolean() }),
	exec: async (nango, input) => {
		const properties = Object.fromEntries(
			Object.entries({ email: input.email, firstname: input.firstName, lastname: input.lastName, phone: input.phone?.replace(/[^\d+]/g, "") }).filter(([, v]) => v !== undefined),
		);
		const found = await nango.post({
			endpoint: "/crm/v3/objects/contacts/search",
			data: { filterGroups: [{ filters: [{ propertyName: "email", operator: "EQ", value: input.email }] }], limit: 1 },
		});
		const id = found.data.results[0]?.id;
		if (id) {
			await nango.patch({ endpoint: `/crm/v3/objects/contacts/${id}`, data: { properties } });
			return { id, created: false };
		}
		const created = await nango.post({ endpoint: "/crm/v3/objects/contacts", data: { properties } });
		return { id: created.data.id, created: true };
	},
});
