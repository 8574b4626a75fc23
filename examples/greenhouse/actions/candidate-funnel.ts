import { createAction } from "linkspan";
import * as z from "zod";

export default createAction({
	description: "Counts applications by stage and source",
	input: z.object({ job: z.number() }),
	output: z.object({ stages: z.array(z.tuple([z.string(), z.number(), z.string()])), best: z.string().nullable() }),
	exec: async (nango, { job }) => {
		const apps: any[] = [];
		for await (const page of nango.paginate<any>({
			endpoint: "/v1/applications",
			params: { job_id: job },
			paginate: { type: "link", link_rel_in_response_header: "next", limit_name_in_request: "per_page", limit: 500 },
		}))
			apps.push(...page);
		const stages = Object.entries(apps.reduce<Record<string, number>>((m, a) => ({ ...m, [a.current_stage?.name ?? "None"]: (m[a.current_stage?.name ?? "None"] ?? 0) + 1 }), {}));
		const percent = new Intl.NumberFormat("en-US", { style: "percent", maximumFractionDigits: 1 });
		const hired = apps.filter((a) => a.status === "hired").map((a) => a.source?.public_name ?? "?");
		const best = hired.toSorted((a, b) => hired.filter((x) => x === b).length - hired.filter((x) => x === a).length)[0] ?? null;
		return { stages: stages.sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).map(([s, n]) => [s, n, percent.format(n / apps.length)] as [string, number, string]), best };
	},
});
