import { createSync } from "linkspan";
import * as z from "zod";
import { text, timestamp } from "../../values";
import { accountUrl, begin, changes, deletions, merged } from "../crm";

const Company = z.object({
	id: z.string(),
	name: z.string().optional(),
	domain: z.string().optional(),
	industry: z.string().optional(),
	employees: z.number().optional(),
	annualRevenue: z.number().optional().describe("In the account's currency"),
	city: z.string().optional(),
	country: z.string().optional(),
	ownerId: z.string().optional(),
	externalUrl: z.url().optional(),
	createdAt: z.string().optional(),
	updatedAt: z.string().optional(),
});

const properties = ["name", "domain", "industry", "numberofemployees", "annualrevenue", "city", "country", "hubspot_owner_id", "hs_merged_object_ids"];

/** Properties are texts, numbers too. Undefined: it has none. */
function number(value: string | null | undefined): number | undefined {
	const n = Number(text(value) ?? Number.NaN);
	return Number.isFinite(n) ? n : undefined;
}

export default createSync({
	description: "Syncs the companies of HubSpot: those that changed since the last run, and those that were deleted or merged into others",
	version: "1.0.0",
	frequency: "every hour",
	autoStart: true,
	scopes: ["crm.objects.companies.read"],
	models: { Company },
	checkpoint: z.object({ since: z.number(), until: z.number(), lastId: z.string() }),
	exec: async (nango) => {
		const account = await accountUrl(nango);
		const start = begin(await nango.getCheckpoint());
		for await (const { objects, position } of changes(nango, "companies", properties, start)) {
			await nango.batchSave(
				objects.map(({ id, properties: p, createdAt, updatedAt }) => ({
					id,
					name: text(p.name),
					domain: text(p.domain),
					industry: text(p.industry),
					employees: number(p.numberofemployees),
					annualRevenue: number(p.annualrevenue),
					city: text(p.city),
					country: text(p.country),
					ownerId: text(p.hubspot_owner_id),
					externalUrl: account && `${account}/record/0-2/${id}`,
					createdAt: timestamp(createdAt),
					updatedAt: timestamp(updatedAt),
				})),
				"Company",
			);
			await nango.batchDelete(merged(objects), "Company");
			await nango.saveCheckpoint(position);
		}
		for await (const gone of deletions(nango, "companies", start.since)) await nango.batchDelete(gone, "Company");
		await nango.saveCheckpoint({ ...start, lastId: "" });
	},
});
