import { createAction } from "linkspan";
import * as z from "zod";

const perMonth = { day: 365 / 12, week: 52 / 12, month: 1, year: 1 / 12 } as const;

export default createAction({
	description: "Computes the monthly recurring revenue of active subscriptions in cents",
	input: z.object({}),
	output: z.object({ mrr: z.number(), byPlan: z.array(z.tuple([z.string(), z.number()])) }),
	exec: async (nango) => {
		const { data } = await nango.get({ endpoint: "/v1/subscriptions", params: { status: "active", "expand[]": "data.items.data.price" } });
		const plans = new Map<string, number>();
		for (const sub of data.data)
			for (const { price, quantity } of sub.items.data) {
				const { interval, interval_count } = price.recurring as { interval: keyof typeof perMonth; interval_count: number };
				const monthly = (price.unit_amount * quantity * perMonth[interval]) / interval_count;
				plans.set(price.nickname, (plans.get(price.nickname) ?? 0) + monthly);
			}
		const byPlan = [...plans].map(([n, c]): [string, number] => [n, Math.round(c)]).sort((a, b) => b[1] - a[1]);
		return { mrr: byPlan.reduce((sum, [, c]) => sum + c, 0), byPlan };
	},
});
