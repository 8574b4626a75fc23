import { createAction } from "linkspan";
import * as z from "zod";

export default createAction({
	description: "Weighs open deals by the probability of their stage, by closing quarter",
	input: z.object({ pipeline: z.string() }),
	output: z.record(z.string(), z.number()),
	exec: async (nango, { pipeline }) => {
		const [stages, deals] = await Promise.all([
			nango.get({ endpoint: `/crm/v3/pipelines/deals/${pipeline}/stages` }),
			nango.get({ endpoint: "/crm/v3/objects/deals", params: { properties: ["amount", "dealstage", "closedate"].join() } }),
		]);
		const probability = new Map<string, number>(stages.data.results.map((s: any) => [s.id, Number.parseFloat(s.metadata.probability)]));
		const out: Record<string, number> = {};
		for (const { properties: d } of deals.data.results) {
			const p = probability.get(d.dealstage);
			if (!p || p === 1 || !d.amount) continue;
			const close = new Date(d.closedate);
			const quarter = `${close.getUTCFullYear()}-Q${Math.floor(close.getUTCMonth() / 3) + 1}`;
			out[quarter] = Number(((out[quarter] ?? 0) + Number(d.amount) * p).toFixed(2));
		}
		return out;
	},
});
