import { createSync } from "linkspan";
import * as z from "zod";
import { UnifiedUser } from "../../models";
import { email, text } from "../../values";
import { changes, instanceUrl, type Row } from "../soql";

interface UserRow extends Row {
	Name?: string | null;
	Email?: string | null;
	Username: string;
	IsActive: boolean;
}

export default createSync({
	description: "Syncs the people who work with Salesforce. Their id is what ownerId of a UnifiedContact names. Who is deactivated counts as deleted: Salesforce never deletes users",
	version: "1.0.0",
	frequency: "every day",
	autoStart: true,
	scopes: ["api", "refresh_token"],
	models: { UnifiedUser },
	checkpoint: z.object({ modified: z.string(), id: z.string() }),
	exec: async (nango) => {
		const instance = await instanceUrl(nango);
		for await (const { rows, position } of changes<UserRow>(nango, "User", ["Name", "Email", "Username", "IsActive"], await nango.getCheckpoint(), "UserType = 'Standard'")) {
			await nango.batchSave(
				rows
					.filter((row) => row.IsActive)
					.map(({ attributes: _, ...row }) => ({
						id: row.Id,
						name: text(row.Name) ?? row.Username,
						email: email(row.Email),
						externalUrl: instance && `${instance}/lightning/r/User/${row.Id}/view`,
						raw: row,
					})),
				"UnifiedUser",
			);
			await nango.batchDelete(
				rows.filter((row) => !row.IsActive).map((row) => ({ id: row.Id })),
				"UnifiedUser",
			);
			await nango.saveCheckpoint(position);
		}
	},
});
