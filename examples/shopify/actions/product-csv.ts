import { createAction } from "linkspan";
import * as z from "zod";

/** One record of RFC 4180. */
const record = (fields: unknown[]) => fields.map((f) => (/[",\r\n]/.test(String(f)) ? `"${String(f).replaceAll('"', '""')}"` : String(f))).join(",");

export default createAction({
	description: "Exports products and their variants as CSV",
	input: z.object({ handles: z.array(z.string()) }),
	output: z.string(),
	exec: async (nango, { handles }) => {
		const results = await Promise.allSettled(handles.map((handle) => nango.get({ endpoint: "/admin/api/2024-04/products.json", params: { handle } })));
		const rows = results.flatMap((r, i) => {
			if (r.status === "rejected") return [[handles[i], "", "", "error"]];
			return r.value.data.products.flatMap((p: any) => p.variants.map((v: any) => [p.handle, p.title, [v.option1, v.option2].filter(Boolean).join(" / "), v.price]));
		});
		return [["Handle", "Title", "Variant", "Price"], ...rows].map(record).join("\r\n");
	},
});
