import { createAction } from "linkspan";
import * as z from "zod";

export default createAction({
	description: "Searches contacts seen since a time",
	input: z.object({ since: z.number() }),
	output: z.array(z.object({ id: z.string(), label: z.string(), initials: z.string() })),
	exec: async (nango, { since }) => {
		const out: { id: string; label: string; initials: string }[] = [];
		for await (const page of nango.paginate<any>({
			method: "POST",
			endpoint: "/contacts/search",
			data: { query: { field: "last_seen_at", operator: ">", value: since } },
			paginate: { type: "cursor", cursor_path_in_response: "pages.next.starting_after", cursor_name_in_request: "pagination.starting_after", limit_name_in_request: "pagination.per_page", limit: 50, response_path: "data" },
		}))
			for (const c of page) {
				const label = c.name ?? c.email ?? `Visitor ${c.external_id ?? c.id.slice(-4)}`;
				const initials = (label.match(/[\p{L}\p{N}]+/gu) ?? []).slice(0, 2).map((w: string) => [...w][0]!.toUpperCase()).join("");
				out.push({ id: c.id, label, initials });
			}
		return out;
	},
});
