import { createAction } from "linkspan";
import * as z from "zod";

export default createAction({
	description: "Finds work anniversaries in the coming days",
	input: z.object({ today: z.iso.date(), days: z.number().int().positive().max(366) }),
	output: z.array(z.object({ name: z.string(), years: z.number(), on: z.string() })),
	exec: async (nango, { today, days }) => {
		const { data } = await nango.post({ endpoint: "/v1/reports/custom", params: { format: "JSON" }, data: { fields: ["displayName", "hireDate"] } });
		const [year, month, day] = today.split("-").map(Number) as [number, number, number];
		const from = Date.UTC(year, month - 1, day);
		const out = [];
		for (const e of data.employees) {
			const [hy, hm, hd] = e.hireDate.split("-").map(Number);
			for (const y of [year, year + 1]) {
				// 29 February is celebrated on 1 March where there is none
				const on = new Date(Date.UTC(y, hm - 1, hd));
				const away = (on.getTime() - from) / 86_400_000;
				if (y > hy && away >= 0 && away < days) out.push({ name: e.displayName, years: y - hy, on: on.toISOString().slice(0, 10) });
			}
		}
		return out.sort((a, b) => a.on.localeCompare(b.on));
	},
});
