import { createAction } from "linkspan";
import * as z from "zod";

export default createAction({
	description: "Reads a table and guesses the types of its columns",
	input: z.object({ base: z.string(), table: z.string() }),
	output: z.object({ columns: z.record(z.string(), z.string()), count: z.number() }),
	exec: async (nango, { base, table }) => {
		const columns = new Map<string, Set<string>>();
		let count = 0;
		let offset: string | undefined;
		do {
			const { data }: { data: any } = await nango.get({ endpoint: `/v0/${base}/${encodeURIComponent(table)}`, params: { pageSize: "100", ...(offset ? { offset } : {}) } });
			for (const { fields } of data.records) {
				count++;
				for (const [name, v] of Object.entries(fields)) {
					const type = Array.isArray(v) ? "array" : typeof v === "string" && /^\d{4}-\d\d-\d\d/.test(v) && !Number.isNaN(Date.parse(v)) ? "date" : typeof v;
					(columns.get(name) ?? columns.set(name, new Set()).get(name)!).add(type);
				}
			}
			offset = data.offset;
		} while (offset);
		return { columns: Object.fromEntries([...columns].map(([n, t]) => [n, [...t].sort().join("|")])), count };
	},
});
