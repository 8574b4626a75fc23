import { createSync } from "linkspan";
import { UnifiedUser } from "../../models";
import { email, fullName } from "../../values";

/** Somebody whom contacts, companies and deals can belong to. */
interface Owner {
	id: string;
	email?: string | null;
	firstName?: string | null;
	lastName?: string | null;
	userId?: number | null;
	archived?: boolean;
}

export default createSync({
	description: "Syncs the users of HubSpot whom contacts, companies and deals can belong to. Their id is what ownerId of a UnifiedContact names",
	version: "1.0.0",
	frequency: "every day",
	autoStart: true,
	scopes: ["crm.objects.owners.read"],
	models: { UnifiedUser },
	exec: async (nango) => {
		await nango.trackDeletesStart("UnifiedUser");
		for await (const page of nango.paginate<Owner>({ endpoint: "/crm/v3/owners", params: { archived: "false" }, paginate: { limit: 100 }, retries: 5 })) {
			await nango.batchSave(
				page.map((owner) => ({ id: owner.id, name: fullName(owner.firstName, owner.lastName) ?? email(owner.email), email: email(owner.email), raw: owner })),
				"UnifiedUser",
			);
		}
		await nango.trackDeletesEnd("UnifiedUser");
	},
});
