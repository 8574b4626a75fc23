import { createAction } from "linkspan";
import * as z from "zod";

const plain = (rich: any[]) => rich.map((r) => r.plain_text).join("");

function value(p: any): unknown {
	switch (p.type) {
		case "title":
		case "rich_text":
			return plain(p[p.type]);
		case "select":
		case "status":
			return p[p.type]?.name ?? null;
		case "multi_select":
			return p.multi_select.map((o: any) => o.name);
		case "date":
			return p.date && (p.date.end ? [p.date.start, p.date.end] : p.date.start);
		case "formula":
			return p.formula[p.formula.type];
		case "people":
			return p.people.map((x: any) => x.name ?? x.id);
		default:
			return p[p.type];
	}
}

export default createAction({
	description: "Reads a database as plain objects",
	input: z.object({ database: z.uuid(), filter: z.record(z.string(), z.any()).optional() }),
	output: z.array(z.record(z.string(), z.any())),
	exec: async (nango, { database, filter }) => {
		const rows: Record<string, unknown>[] = [];
		for await (const pages of nango.paginate<any>({
			method: "POST",
			endpoint: `/v1/databases/${database}/query`,
			data: filter ? { filter } : {},
			paginate: { type: "cursor", cursor_path_in_response: "next_cursor", cursor_name_in_request: "start_cursor", response_path: "results", limit_name_in_request: "page_size", limit: 1 },
		}))
			for (const page of pages) rows.push({ id: page.id.replaceAll("-", ""), ...Object.fromEntries(Object.entries<any>(page.properties).map(([k, p]) => [k, value(p)])) });
		return rows;
	},
});
