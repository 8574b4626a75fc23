import { createAction } from "linkspan";
import { CreateUnifiedContact, UnifiedContact } from "../../models";
import { accountUrl, contactProperties, type CrmObject, toContact, toProperties } from "../crm";

export default createAction({
	description: "Creates a contact in HubSpot and returns it. Fails when there is a contact with the same address already",
	version: "1.0.0",
	scopes: ["crm.objects.contacts.write", "crm.objects.contacts.read"],
	input: CreateUnifiedContact,
	output: UnifiedContact,
	exec: async (nango, input) => {
		// 279 is HubSpot's type of the association from a contact to a company.
		const associations = input.companyId && [{ to: { id: input.companyId }, types: [{ associationCategory: "HUBSPOT_DEFINED", associationTypeId: 279 }] }];
		const { data: created } = await nango.post<CrmObject>({
			endpoint: "/crm/v3/objects/contacts",
			data: { properties: toProperties(input), ...(associations && { associations }) },
		});
		const { data } = await nango.get<CrmObject>({
			endpoint: `/crm/v3/objects/contacts/${created.id}`,
			params: { properties: contactProperties.join(",") },
			retries: 5,
		});
		return toContact(data, await accountUrl(nango));
	},
});
