import { createSync } from "linkspan";
import * as z from "zod";

const Project = z.object({ id: z.string(), path: z.string(), archived: z.boolean() });

export default createSync({
	description: "Projects by page number; looks through the cache for those that can't be seen any more",
	frequency: "every day",
	syncType: "full",
	models: { Project },
	exec: async (nango) => {
		const seen = new Set<string>();
		for await (const page of nango.paginate<any>({
			endpoint: "/api/v4/projects",
			params: { membership: "true", order_by: "id" },
			paginate: { type: "offset", offset_name_in_request: "page", offset_start_value: 1, offset_calculation_method: "per-page", limit_name_in_request: "per_page", limit: 2 },
		})) {
			for (const p of page) seen.add(String(p.id));
			await nango.batchSave(page.map((p: any) => ({ id: String(p.id), path: p.path_with_namespace, archived: p.archived })), "Project");
		}
		const gone: { id: string }[] = [];
		for await (const p of nango.listRecords("Project")) {
			if (!p._nango_metadata.deleted_at && !seen.has(p.id)) gone.push({ id: p.id });
		}
		await nango.batchDelete(gone, "Project");
	},
});
