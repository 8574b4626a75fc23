import { createAction } from "linkspan";
import * as z from "zod";

export default createAction({
	description: "Flattens a report's rows",
	input: z.object({ company: z.string(), start: z.iso.date(), end: z.iso.date() }),
	output: z.array(z.object({ path: z.string(), amount: z.number() })),
	exec: async (nango, { company, start, end }) => {
		const { data } = await nango.get({ endpoint: `/v3/company/${company}/reports/ProfitAndLoss`, params: { start_date: start, end_date: end } });
		const walk = (rows: any[] = [], path: string[] = []): { path: string; amount: number }[] =>
			rows.flatMap((r) => {
				const name = r.Header?.ColData?.[0]?.value ?? r.ColData?.[0]?.value ?? r.group;
				const below = walk(r.Rows?.Row, [...path, name]);
				const own = r.type === "Data" ? [{ path: [...path, name].join(" › "), amount: parseFloat(r.ColData[1].value) || 0 }] : [];
				return [...own, ...below];
			});
		return walk(data.Rows.Row);
	},
});
