import { createAction } from "linkspan";
import * as z from "zod";

export default createAction({
	description: "Lists users, duplicates by address merged",
	input: z.void(),
	output: z.array(z.object({ email: z.string(), names: z.array(z.string()), ids: z.array(z.string()) })),
	exec: async (nango) => {
		const byEmail = new Map<string, { email: string; names: Set<string>; ids: string[] }>();
		for await (const page of nango.paginate<any>({
			endpoint: "/api/v2/users",
			paginate: { type: "link", link_path_in_response_body: "links.next", response_path: "users", limit_name_in_request: "page[size]", limit: 100 },
		}))
			for (const u of page) {
				const email = u.email?.normalize("NFC").toLowerCase();
				if (!email) continue;
				const entry = byEmail.get(email) ?? { email, names: new Set<string>(), ids: [] as string[] };
				entry.names.add(u.name.normalize("NFC"));
				entry.ids.push(String(u.id));
				byEmail.set(email, entry);
			}
		return Array.from(byEmail.values(), (e) => ({ ...e, names: [...e.names] }));
	},
});
