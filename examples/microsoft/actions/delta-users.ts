import { createAction } from "linkspan";
import * as z from "zod";

export default createAction({
	description: "Reads what changed among users since the last delta link",
	input: z.object({ deltaLink: z.url().optional() }),
	output: z.object({ changed: z.array(z.string()), removed: z.array(z.string()), deltaLink: z.string() }),
	exec: async (nango, input) => {
		const changed: string[] = [];
		const removed: string[] = [];
		let url = new URL(input.deltaLink ?? "https://graph.microsoft.com/v1.0/users/delta?$select=displayName");
		for (;;) {
			const { data } = await nango.get({ endpoint: url.pathname + url.search });
			for (const u of data.value) (u["@removed"] ? removed : changed).push(u.displayName ?? u.id);
			const next = data["@odata.nextLink"];
			if (!next) return { changed, removed, deltaLink: decodeURIComponent(new URL(data["@odata.deltaLink"]).searchParams.get("$deltatoken") ?? "") };
			url = new URL(next);
		}
	},
});
