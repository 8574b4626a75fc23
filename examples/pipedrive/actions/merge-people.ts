import { createAction } from "linkspan";
import * as z from "zod";

/** How alike two names are: 1 is equal (Jaro, 1989). */
function jaro(a: string, b: string): number {
	if (a === b) return 1;
	const reach = Math.max(0, Math.floor(Math.max(a.length, b.length) / 2) - 1);
	const taken = new Uint8Array(b.length);
	const left: string[] = [];
	[...a].forEach((c, i) => {
		for (let j = Math.max(0, i - reach); j < Math.min(b.length, i + reach + 1); j++)
			if (!taken[j] && b[j] === c) {
				taken[j] = 1;
				left.push(c);
				break;
			}
	});
	if (left.length === 0) return 0;
	const right = [...b].filter((_, j) => taken[j]);
	const swapped = left.filter((c, i) => c !== right[i]).length / 2;
	return (left.length / a.length + left.length / b.length + (left.length - swapped) / left.length) / 3;
}

export default createAction({
	description: "Suggests which people are the same",
	input: z.object({ threshold: z.number().min(0).max(1) }),
	output: z.array(z.object({ a: z.number(), b: z.number(), score: z.number() })),
	exec: async (nango, { threshold }) => {
		const people: { id: number; name: string }[] = [];
		for await (const page of nango.paginate<any>({
			endpoint: "/v1/persons",
			paginate: { type: "offset", offset_name_in_request: "start", response_path: "data", limit_name_in_request: "limit", limit: 3 },
		}))
			people.push(...page);
		const out = [];
		for (let i = 0; i < people.length; i++)
			for (let j = i + 1; j < people.length; j++) {
				const score = jaro(people[i]!.name.toLowerCase(), people[j]!.name.toLowerCase());
				if (score >= threshold) out.push({ a: people[i]!.id, b: people[j]!.id, score: Math.round(score * 1e4) / 1e4 });
			}
		return out.sort((x, y) => y.score - x.score);
	},
});
