import { createAction } from "linkspan";
import { CreateUnifiedContact, UnifiedContact } from "../../models";
import { accountUrl, contactProperties, type CrmObject, primaryCompany, toContact, toProperties } from "../crm";

export default createAction({
	description: "Creates a contact in HubSpot and returns it. Fails when there is a contact with the same address already",
	version: "1.0.0",
	scopes: ["crm.objects.contacts.write", "crm.objects.contacts.read"],
	input: CreateUnifiedContact,
	output: UnifiedContact,
	exec: async (nango, input) => {
		const associations = input.companyId && [{ to: { id: input.companyId }, types: [{ associationCategory: "HUBSPOT_DEFINED", associationTypeId: primaryCompany }] }];
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
