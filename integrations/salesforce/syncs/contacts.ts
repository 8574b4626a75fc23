import { createSync } from "linkspan";
import * as z from "zod";
import { UnifiedContact } from "../../models";
import { changes, contactFields, type ContactRow, fieldNames, instanceUrl, toContact } from "../soql";

export default createSync({
	description: "Syncs the contacts of Salesforce in the shape of all CRMs: those that changed since the last run, and those that were deleted or merged into others",
	version: "1.0.0",
	frequency: "every 15 minutes",
	autoStart: true,
	scopes: ["api", "refresh_token"],
	models: { UnifiedContact },
	metadata: z.object({ contactFields: z.array(z.string()).optional().describe("Names of further fields to read, such as Level__c; they are in `raw`") }),
	checkpoint: z.object({ modified: z.string(), id: z.string() }),
	exec: async (nango) => {
		const fields = [...contactFields, ...fieldNames((await nango.getMetadata())?.contactFields ?? [], contactFields)];
		const instance = await instanceUrl(nango);
		for await (const { rows, position } of changes<ContactRow>(nango, "Contact", fields, await nango.getCheckpoint())) {
			await nango.batchSave(
				rows.filter((row) => !row.IsDeleted).map((row) => toContact(row, instance)),
				"UnifiedContact",
			);
			await nango.batchDelete(
				rows.filter((row) => row.IsDeleted).map((row) => ({ id: row.Id })),
				"UnifiedContact",
			);
			await nango.saveCheckpoint(position);
		}
	},
});
