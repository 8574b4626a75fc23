import { createSync } from "linkspan";
import * as z from "zod";

const Issue = z.object({ id: z.string(), key: z.string(), summary: z.string(), status: z.string(), updatedAt: z.string() });

export default createSync({
	description: "Issues that changed, oldest change first, by offset; each page moves the checkpoint on",
	frequency: "every 20 minutes",
	syncType: "incremental",
	checkpoint: z.object({ updatedAt: z.string() }),
	models: { Issue },
	exec: async (nango) => {
		const since = (await nango.getCheckpoint())?.updatedAt ?? "2000-01-01 00:00";
		for await (const page of nango.paginate<any>({
			endpoint: "/rest/api/3/search",
			params: { jql: `updated >= "${since}" ORDER BY updated`, fields: "summary,status,updated" },
			paginate: { type: "offset", offset_name_in_request: "startAt", offset_start_value: 0, offset_calculation_method: "by-response-size", response_path: "issues", limit_name_in_request: "maxResults", limit: 2 },
		})) {
			await nango.batchSave(page.map(({ id, key, fields: f }: any) => ({ id, key, summary: f.summary, status: f.status.name, updatedAt: f.updated })), "Issue");
			await nango.saveCheckpoint({ updatedAt: page.at(-1).fields.updated.slice(0, 16).replace("T", " ") });
		}
	},
});
