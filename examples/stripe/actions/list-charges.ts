import { createAction } from "linkspan";
import * as z from "zod";

export default createAction({
	description: "Sums the charges of a customer by currency",
	input: z.object({ customer: z.string().startsWith("cus_") }),
	output: z.record(z.string(), z.object({ count: z.number(), total: z.string() })),
	exec: async (nango, { customer }) => {
		const sums: Record<string, { count: number; cents: number }> = {};
		let after: string | undefined;
		do {
			const { data } = await nango.get({ endpoint: "/v1/charges", params: { customer, limit: 2, ...(after && { starting_after: after }) } });
			for (const charge of data.data) {
				const s = (sums[charge.currency] ??= { count: 0, cents: 0 });
				s.count++;
				s.cents += charge.amount - charge.amount_refunded;
			}
			after = data.has_more ? data.data.at(-1).id : undefined;
		} while (after);
		const zeroDecimal = new Set(["jpy", "krw"]);
		return Object.fromEntries(
			Object.entries(sums).map(([currency, { count, cents }]) => {
				const total = new Intl.NumberFormat("en-US", { style: "currency", currency }).format(zeroDecimal.has(currency) ? cents : cents / 100);
				return [currency, { count, total }];
			}),
		);
	},
});
