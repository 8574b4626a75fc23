import { createSync } from "linkspan";
import * as z from "zod";

const Row = z.object({ id: z.string(), createdAt: z.string(), fields: z.record(z.string(), z.unknown()) });

export default createSync({
	description: "The rows of a table; each variant reads the table that the metadata names for it",
	frequency: "every half hour",
	syncType: "full",
	metadata: z.object({ tables: z.record(z.string(), z.object({ base: z.string(), table: z.string() })) }),
	models: { Row },
	exec: async (nango) => {
		const { tables } = await nango.getMetadata<any>();
		const where = tables[nango.variant];
		if (!where) throw new nango.ActionError({ message: `There is no table for the variant ${nango.variant}` });
		await nango.trackDeletesStart("Row");
		for await (const page of nango.paginate<any>({
			endpoint: `/v0/${where.base}/${encodeURIComponent(where.table)}`,
			paginate: { type: "cursor", cursor_name_in_request: "offset", cursor_path_in_response: "offset", response_path: "records", limit_name_in_request: "pageSize", limit: 100 },
		})) {
			await nango.batchSave(page.map(({ id, createdTime, fields }: any) => ({ id, createdAt: createdTime, fields })), "Row");
		}
		await nango.trackDeletesEnd("Row");
	},
});
