import { createAction } from "linkspan";
import { UnifiedContact, UpdateUnifiedContact } from "../../models";
import { api, readContact, toFields } from "../soql";

export default createAction({
	description: "Changes the named fields of a contact in Salesforce and returns it. What is not named stays as it is",
	version: "1.0.0",
	scopes: ["api", "refresh_token"],
	input: UpdateUnifiedContact,
	output: UnifiedContact,
	exec: async (nango, { id, ...input }) => {
		await nango.patch({ endpoint: `${api}/sobjects/Contact/${encodeURIComponent(id)}`, data: toFields(input), retries: 3 });
		return await readContact(nango, id);
	},
});
