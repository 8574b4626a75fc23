import { createAction } from "linkspan";
import { UnifiedContact, UpdateUnifiedContact } from "../../models";
import { accountUrl, contactProperties, type CrmObject, primaryCompany, toContact, toProperties } from "../crm";

export default createAction({
	description: "Changes the named fields of a contact in HubSpot and returns it. What is not named stays as it is",
	version: "1.0.0",
	scopes: ["crm.objects.contacts.write", "crm.objects.contacts.read"],
	input: UpdateUnifiedContact,
	output: UnifiedContact,
	exec: async (nango, { id, companyId, ...input }) => {
		const contact = encodeURIComponent(id);
		const properties = toProperties(input);
		// HubSpot refuses a call that changes nothing.
		if (Object.keys(properties).length > 0) await nango.patch({ endpoint: `/crm/v3/objects/contacts/${contact}`, data: { properties }, retries: 3 });
		if (companyId) {
			await nango.put({
				endpoint: `/crm/v4/objects/contacts/${contact}/associations/companies/${encodeURIComponent(companyId)}`,
				data: [{ associationCategory: "HUBSPOT_DEFINED", associationTypeId: primaryCompany }],
				retries: 3,
			});
		}
		const { data } = await nango.get<CrmObject>({ endpoint: `/crm/v3/objects/contacts/${contact}`, params: { properties: contactProperties.join(",") }, retries: 5 });
		return toContact(data, await accountUrl(nango));
	},
});
