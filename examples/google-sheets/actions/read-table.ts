import { createAction } from "linkspan";
import * as z from "zod";

/** The letters of a column: 1 is A, 27 is AA. */
function column(n: number): string {
	let s = "";
	for (; n > 0; n = Math.floor((n - 1) / 26)) s = String.fromCharCode(65 + ((n - 1) % 26)) + s;
	return s;
}

export default createAction({
	description: "Reads a sheet as objects, dates of spreadsheets as ISO",
	input: z.object({ spreadsheet: z.string(), sheet: z.string(), columns: z.number().int().max(1000) }),
	output: z.object({ range: z.string(), rows: z.array(z.record(z.string(), z.unknown())) }),
	exec: async (nango, input) => {
		const range = `'${input.sheet.replaceAll("'", "''")}'!A:${column(input.columns)}`;
		const { data } = await nango.get({ endpoint: `/v4/spreadsheets/${input.spreadsheet}/values/${encodeURIComponent(range)}`, params: { valueRenderOption: "UNFORMATTED_VALUE" } });
		const [head = [], ...body] = data.values as unknown[][];
		const epoch = Date.UTC(1899, 11, 30);
		return {
			range,
			rows: body
				.filter((r) => r.length > 0)
				.map((r) =>
					Object.fromEntries(
						head.map((h, i) => {
							const name = String(h).trim().toLowerCase().replace(/\W+(\w)/g, (_, c: string) => c.toUpperCase());
							const v = r[i] ?? null;
							return [name, name.endsWith("Date") && typeof v === "number" ? new Date(epoch + Math.round(v * 86_400_000)).toISOString() : v];
						}),
					),
				),
		};
	},
});
