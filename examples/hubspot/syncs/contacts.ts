import { createSync } from "linkspan";
import * as z from "zod";

const Contact = z.object({ id: z.string(), email: z.string().nullable(), name: z.string(), updatedAt: z.string() });

export default createSync({
	description: "Contacts that changed since the last run; what webhooks brought meanwhile is newer and stays",
	frequency: "every 15 minutes",
	syncType: "incremental",
	checkpoint: z.object({ since: z.string() }),
	models: { Contact },
	exec: async (nango) => {
		await nango.setMergingStrategy({ strategy: "ignore_if_modified_after" }, "Contact");
		let since = (await nango.getCheckpoint())?.since ?? "0";
		for await (const page of nango.paginate<any>({
			method: "POST",
			endpoint: "/crm/v3/objects/contacts/search",
			data: {
				filterGroups: [{ filters: [{ propertyName: "lastmodifieddate", operator: "GTE", value: since }] }],
				sorts: [{ propertyName: "lastmodifieddate", direction: "ASCENDING" }],
				properties: ["email", "firstname", "lastname", "lastmodifieddate"],
			},
			paginate: { type: "cursor", cursor_path_in_response: "paging.next.after", cursor_name_in_request: "after", response_path: "results", limit_name_in_request: "limit", limit: 2 },
		})) {
			await nango.batchSave(
				page.map(({ id, properties: p, updatedAt }: any) => ({ id, email: p.email?.toLowerCase() ?? null, name: [p.firstname, p.lastname].filter(Boolean).join(" "), updatedAt })),
				"Contact",
			);
			since = String(Date.parse(page.at(-1).updatedAt));
			await nango.saveCheckpoint({ since });
		}
	},
});
