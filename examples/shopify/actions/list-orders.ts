import { createAction } from "linkspan";
import * as z from "zod";

export default createAction({
	description: "Lists orders with exact totals",
	input: z.object({ status: z.enum(["open", "closed", "any"]).optional() }),
	output: z.object({ orders: z.array(z.object({ id: z.string(), name: z.string(), total: z.string(), items: z.number() })), sum: z.string() }),
	exec: async (nango, { status = "any" }) => {
		const orders: any[] = [];
		let cents = 0n;
		for await (const page of nango.paginate<any>({
			endpoint: "/admin/api/2024-04/orders.json",
			params: { status },
			paginate: { type: "link", link_rel_in_response_header: "next", response_path: "orders", limit_name_in_request: "limit", limit: 250 },
		}))
			for (const o of page) {
				const [units = "0", fraction = ""] = o.total_price.split(".");
				cents += BigInt(units) * 100n + BigInt(fraction.padEnd(2, "0").slice(0, 2));
				orders.push({ id: String(o.id), name: o.name, total: `${o.currency} ${o.total_price}`, items: o.line_items.reduce((n: number, l: any) => n + l.quantity, 0) });
			}
		return { orders, sum: `${cents / 100n}.${String(cents % 100n).padStart(2, "0")}` };
	},
});
