import { createAction } from "linkspan";
import * as z from "zod";

export default createAction({
	description: "Searches issues and sums the time spent on them",
	input: z.object({ jql: z.string() }),
	output: z.object({ issues: z.array(z.object({ key: z.string(), status: z.string(), spent: z.string() })), total: z.string() }),
	exec: async (nango, { jql }) => {
		const words = (seconds: number) => {
			const units: [string, number][] = [["w", 144_000], ["d", 28_800], ["h", 3600], ["m", 60]];
			const out: string[] = [];
			for (const [name, size] of units) {
				const n = Math.trunc(seconds / size);
				seconds %= size;
				if (n) out.push(n + name);
			}
			return out.join(" ") || "0m";
		};
		let total = 0;
		const issues: { key: string; status: string; spent: string }[] = [];
		for await (const page of nango.paginate<any>({
			endpoint: "/rest/api/3/search",
			params: { jql, fields: "status,timespent" },
			paginate: { type: "offset", offset_name_in_request: "startAt", response_path: "issues", limit_name_in_request: "maxResults", limit: 2 },
		}))
			for (const { key, fields } of page) {
				total += fields.timespent ?? 0;
				issues.push({ key, status: fields.status.name, spent: words(fields.timespent ?? 0) });
			}
		return { issues, total: words(total) };
	},
});
