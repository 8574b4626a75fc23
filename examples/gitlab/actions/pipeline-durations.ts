import { createAction } from "linkspan";
import * as z from "zod";

export default createAction({
	description: "Computes percentiles of how long pipelines take",
	input: z.object({ project: z.string(), percentiles: z.array(z.number()).optional() }),
	output: z.object({ runs: z.number(), seconds: z.record(z.string(), z.number()), mean: z.number(), deviation: z.number() }),
	exec: async (nango, { project, percentiles = [50, 90] }) => {
		const durations: number[] = [];
		for await (const page of nango.paginate<any>({
			endpoint: `/api/v4/projects/${encodeURIComponent(project)}/pipelines`,
			params: { status: "success" },
			paginate: { type: "offset", offset_name_in_request: "page", offset_start_value: 1, offset_calculation_method: "per-page", limit_name_in_request: "per_page", limit: 3 },
		}))
			durations.push(...page.map((p: any) => (Date.parse(p.updated_at) - Date.parse(p.created_at)) / 1000));
		const sorted = Float64Array.from(durations).sort();
		const at = (p: number) => sorted[Math.min(sorted.length - 1, Math.ceil((p / 100) * sorted.length) - 1)]!;
		const mean = sorted.reduce((a, b) => a + b, 0) / sorted.length;
		const deviation = Math.sqrt(sorted.reduce((a, b) => a + (b - mean) ** 2, 0) / sorted.length);
		return { runs: sorted.length, seconds: Object.fromEntries(percentiles.map((p) => [`p${p}`, at(p)])), mean: +mean.toFixed(3), deviation: +deviation.toFixed(3) };
	},
});
