import { createSync } from "linkspan";
import * as z from "zod";
import { isGone, type Page, plain, query, title } from "../objects";

const Row = z.object({
	id: z.string(),
	databaseId: z.string(),
	title: z.string(),
	properties: z.record(z.string(), z.unknown()).describe("By the names that they have in Notion: texts, numbers, true or false, lists of names or ids; null for empty ones"),
	createdAt: z.string(),
	updatedAt: z.string().describe("To the minute"),
	externalUrl: z.url(),
});

export default createSync({
	description: "Syncs all rows of Notion databases with their properties as plain values. Rows that are gone are deleted",
	version: "1.0.0",
	frequency: "every hour",
	autoStart: true,
	models: { Row },
	metadata: z.object({ databases: z.array(z.string()).optional().describe("Ids of databases. All that the connection may see, unless given") }),
	checkpoint: z.object({ database: z.string(), cursor: z.string() }),
	exec: async (nango) => {
		let databases = (await nango.getMetadata())?.databases;
		if (!databases) {
			databases = [];
			for await (const { results } of query<{ id: string }>(nango, "/v1/search", { filter: { property: "object", value: "database" } })) databases.push(...results.map(({ id }) => id));
		}
		const from = (await nango.getCheckpoint()) ?? { database: "", cursor: "" };
		await nango.trackDeletesStart("Row");
		for (const database of [...new Set(databases)].sort().filter((id) => id >= from.database)) {
			for await (const { results, next } of query<Page>(nango, `/v1/databases/${encodeURIComponent(database)}/query`, {}, database === from.database ? from.cursor : "")) {
				await nango.batchSave(
					results
						.filter((row) => row.object === "page" && !isGone(row))
						.map((row) => ({
							id: row.id,
							databaseId: database,
							title: title(row),
							properties: Object.fromEntries(Object.entries(row.properties).map(([name, property]) => [name, plain(property)])),
							createdAt: row.created_time,
							updatedAt: row.last_edited_time,
							externalUrl: row.url,
						})),
					"Row",
				);
				if (next) await nango.saveCheckpoint({ database, cursor: next });
			}
		}
		await nango.clearCheckpoint();
		await nango.trackDeletesEnd("Row");
	},
});
