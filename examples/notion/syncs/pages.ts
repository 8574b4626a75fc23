import { createSync } from "linkspan";
import * as z from "zod";

const Page = z.object({ id: z.string(), title: z.string(), editedAt: z.string(), url: z.string() });

export default createSync({
	description: "Pages, newest first, until those that the last run has seen; pages in the trash are deleted",
	frequency: "every 30 minutes",
	syncType: "incremental",
	checkpoint: z.object({ editedAt: z.string() }),
	models: { Page },
	exec: async (nango) => {
		const since = (await nango.getCheckpoint())?.editedAt ?? "";
		let newest = since;
		for await (const page of nango.paginate<any>({
			method: "POST",
			endpoint: "/v1/search",
			data: { filter: { property: "object", value: "page" }, sort: { timestamp: "last_edited_time", direction: "descending" } },
			paginate: { type: "cursor", cursor_name_in_request: "start_cursor", cursor_path_in_response: "next_cursor", response_path: "results", limit_name_in_request: "page_size", limit: 2 },
		})) {
			const changed = page.filter((p: any) => p.last_edited_time >= since);
			const title = (p: any): string => Object.values<any>(p.properties).find((v) => v.type === "title")?.title.map((t: any) => t.plain_text).join("") ?? "";
			await nango.batchSave(changed.filter((p: any) => !p.in_trash).map((p: any) => ({ id: p.id, title: title(p), editedAt: p.last_edited_time, url: p.url })), "Page");
			await nango.batchDelete(changed.filter((p: any) => p.in_trash), "Page");
			newest = changed.reduce((max: string, p: any) => (p.last_edited_time > max ? p.last_edited_time : max), newest);
			if (changed.length < page.length) break;
		}
		if (newest !== "") await nango.saveCheckpoint({ editedAt: newest });
	},
});
