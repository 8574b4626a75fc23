import { createAction } from "linkspan";
import * as z from "zod";

/** Quotes a value for SOQL. */
const quote = (s: string) => `'${s.replace(/[\\']/g, "\\$&").replace(/\n/g, "\\n")}'`;

export default createAction({
	description: "Finds accounts by name, following the query's next page",
	input: z.object({ name: z.string(), modifiedSince: z.coerce.date().optional() }),
	output: z.array(z.object({ id: z.string(), name: z.string(), owner: z.string().nullable(), revenue: z.number().nullable() })),
	exec: async (nango, { name, modifiedSince }) => {
		const where = [`Name LIKE ${quote(`%${name}%`)}`];
		if (modifiedSince) where.push(`SystemModstamp > ${new Date(modifiedSince).toISOString()}`);
		let next: string | undefined = `/services/data/v60.0/query?q=${encodeURIComponent(`SELECT Id, Name, Owner.Name, AnnualRevenue FROM Account WHERE ${where.join(" AND ")}`)}`;
		const out = [];
		while (next) {
			const { data }: { data: any } = await nango.get({ endpoint: next });
			out.push(...data.records.map((r: any) => ({ id: r.Id.slice(0, 15), name: r.Name, owner: r.Owner?.Name ?? null, revenue: r.AnnualRevenue })));
			next = data.done ? undefined : data.nextRecordsUrl;
		}
		return out;
	},
});
