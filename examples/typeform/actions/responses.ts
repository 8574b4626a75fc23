import { createAction } from "linkspan";
import * as z from "zod";

export default createAction({
	description: "Turns a form's answers into rows",
	input: z.object({ form: z.string() }),
	output: z.object({ rows: z.array(z.record(z.string(), z.unknown())), average: z.record(z.string(), z.number()) }),
	exec: async (nango, { form }) => {
		const { data } = await nango.get({ endpoint: `/forms/${form}/responses`, params: { completed: true, page_size: 1000 } });
		const numbers: Record<string, number[]> = {};
		const rows = data.items.map((item: any) => {
			const row: Record<string, unknown> = { at: new Date(item.submitted_at).getTime() };
			for (const a of item.answers ?? []) {
				const key = a.field.ref;
				const v = a.type === "choice" ? a.choice.label : a.type === "choices" ? a.choices.labels.join("; ") : a[a.type];
				row[key] = v;
				if (typeof v === "number") (numbers[key] ??= []).push(v);
			}
			return row;
		});
		const average = Object.fromEntries(Object.entries(numbers).map(([k, v]) => [k, v.reduce((a, b) => a + b) / v.length]));
		return { rows, average };
	},
});
