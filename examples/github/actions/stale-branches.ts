import { createAction } from "linkspan";
import * as z from "zod";

const day = 86_400_000;

export default createAction({
	description: "Finds branches nobody has touched for a while",
	input: z.object({ owner: z.string(), repo: z.string(), now: z.iso.datetime(), days: z.number().int().positive() }),
	output: z.array(z.object({ name: z.string(), ageInDays: z.number(), weekday: z.string() })),
	exec: async (nango, input) => {
		const now = Date.parse(input.now);
		const { data } = await nango.post({
			endpoint: "/graphql",
			data: { query: "query($o:String!,$r:String!){repository(owner:$o,name:$r){refs(first:100){nodes{name target{committedDate}}}}}", variables: { o: input.owner, r: input.repo } },
		});
		const names = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
		return data.data.repository.refs.nodes
			.map((n: any) => ({ name: n.name, at: new Date(n.target.committedDate) }))
			.filter((b: any) => now - b.at > input.days * day)
			.sort((a: any, b: any) => a.at - b.at || a.name.localeCompare(b.name))
			.map((b: any) => ({ name: b.name, ageInDays: Math.floor((now - b.at) / day), weekday: names[b.at.getUTCDay()] }));
	},
});
