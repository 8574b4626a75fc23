import { createAction } from "linkspan";
import { CreateUnifiedContact, UnifiedContact } from "../../models";
import { api, readContact, toFields } from "../soql";

export default createAction({
	description: "Creates a contact in Salesforce and returns it. The organization's duplicate rules may refuse it",
	version: "1.0.0",
	scopes: ["api", "refresh_token"],
	input: CreateUnifiedContact,
	output: UnifiedContact,
	exec: async (nango, input) => {
		const { data } = await nango.post<{ id: string; success: boolean }>({ endpoint: `${api}/sobjects/Contact`, data: toFields(input) });
		return await readContact(nango, data.id);
	},
});
