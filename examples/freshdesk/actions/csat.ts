import { createAction } from "linkspan";
import * as z from "zod";

export default createAction({
	description: "Averages satisfaction by week",
	input: z.void(),
	output: z.array(z.object({ week: z.string(), score: z.number(), answers: z.number() })),
	exec: async (nango) => {
		/** The ISO week of a date, such as 2026-W01 (ISO 8601). */
		const week = (d: Date) => {
			const t = new Date(Date.UTC(d.getUTCFullYear(), d.getUTCMonth(), d.getUTCDate()));
			t.setUTCDate(t.getUTCDate() + 4 - (t.getUTCDay() || 7));
			const first = Date.UTC(t.getUTCFullYear(), 0, 1);
			return `${t.getUTCFullYear()}-W${String(Math.ceil(((t.getTime() - first) / 86_400_000 + 1) / 7)).padStart(2, "0")}`;
		};
		const { data } = await nango.get({ endpoint: "/api/v2/surveys/satisfaction_ratings" });
		const groups = new Map<string, number[]>();
		for (const r of data) {
			const w = week(new Date(r.created_at));
			groups.set(w, [...(groups.get(w) ?? []), r.ratings.default_question]);
		}
		return [...groups]
			.map(([w, scores]) => ({ week: w, score: Math.round((scores.reduce((a, b) => a + b, 0) / scores.length) * 10) / 10, answers: scores.length }))
			.sort((a, b) => (a.week < b.week ? -1 : 1));
	},
});
