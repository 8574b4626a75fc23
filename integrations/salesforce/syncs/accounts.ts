import { createSync } from "linkspan";
import * as z from "zod";
import { text, timestamp } from "../../values";
import { changes, type DeletableRow, instanceUrl } from "../soql";

const Account = z.object({
	id: z.string(),
	name: z.string(),
	type: z.string().optional().describe("Such as Customer - Direct"),
	industry: z.string().optional(),
	website: z.string().optional(),
	phone: z.string().optional(),
	employees: z.number().optional(),
	annualRevenue: z.number().optional().describe("In the organization's currency"),
	city: z.string().optional(),
	country: z.string().optional(),
	parentId: z.string().optional(),
	ownerId: z.string().optional(),
	externalUrl: z.url().optional(),
	createdAt: z.string().optional(),
	updatedAt: z.string().optional(),
});

interface AccountRow extends DeletableRow {
	Name: string;
	Type?: string | null;
	Industry?: string | null;
	Website?: string | null;
	Phone?: string | null;
	NumberOfEmployees?: number | null;
	AnnualRevenue?: number | null;
	BillingCity?: string | null;
	BillingCountry?: string | null;
	ParentId?: string | null;
	OwnerId?: string | null;
	CreatedDate?: string | null;
}

const fields = ["IsDeleted", "Name", "Type", "Industry", "Website", "Phone", "NumberOfEmployees", "AnnualRevenue", "BillingCity", "BillingCountry", "ParentId", "OwnerId", "CreatedDate"];

export default createSync({
	description: "Syncs the accounts (companies) of Salesforce: those that changed since the last run, and those that were deleted or merged into others",
	version: "1.0.0",
	frequency: "every hour",
	autoStart: true,
	scopes: ["api", "refresh_token"],
	models: { Account },
	checkpoint: z.object({ modified: z.string(), id: z.string() }),
	exec: async (nango) => {
		const instance = await instanceUrl(nango);
		for await (const { rows, position } of changes<AccountRow>(nango, "Account", fields, await nango.getCheckpoint())) {
			await nango.batchSave(
				rows
					.filter((row) => !row.IsDeleted)
					.map((row) => ({
						id: row.Id,
						name: row.Name,
						type: text(row.Type),
						industry: text(row.Industry),
						website: text(row.Website),
						phone: text(row.Phone),
						employees: row.NumberOfEmployees ?? undefined,
						annualRevenue: row.AnnualRevenue ?? undefined,
						city: text(row.BillingCity),
						country: text(row.BillingCountry),
						parentId: text(row.ParentId),
						ownerId: text(row.OwnerId),
						externalUrl: instance && `${instance}/lightning/r/Account/${row.Id}/view`,
						createdAt: timestamp(row.CreatedDate),
						updatedAt: timestamp(row.SystemModstamp),
					})),
				"Account",
			);
			await nango.batchDelete(
				rows.filter((row) => row.IsDeleted).map((row) => ({ id: row.Id })),
				"Account",
			);
			await nango.saveCheckpoint(position);
		}
	},
});
