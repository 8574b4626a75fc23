import { createAction } from "linkspan";
import * as z from "zod";

export default createAction({
	description: "Lists invoices with their dates as ISO",
	input: z.object({ page: z.number().optional() }),
	output: z.array(z.object({ number: z.string(), date: z.string().nullable(), due: z.string(), overdue: z.boolean() })),
	exec: async (nango, { page = 1 }) => {
		const { data } = await nango.get({ endpoint: "/api.xro/2.0/Invoices", params: { page, where: 'Status=="AUTHORISED"' } });
		const date = (s?: string) => {
			const m = /^\/Date\((-?\d+)([+-]\d{4})?\)\/$/.exec(s ?? "");
			return m ? new Date(Number(m[1])) : null;
		};
		const now = new Date("2026-01-01T00:00:00Z");
		return data.Invoices.map((i: any) => ({
			number: i.InvoiceNumber,
			date: date(i.Date)?.toISOString().slice(0, 10) ?? null,
			due: date(i.DueDate)!.toLocaleDateString("en-US", { weekday: "short", year: "numeric", month: "long", day: "numeric", timeZone: "UTC" }),
			overdue: date(i.DueDate)! < now,
		}));
	},
});
