import { createAction } from "linkspan";
import * as z from "zod";

export default createAction({
	description: "Lists people, neither bots nor those who left, by name",
	input: z.void(),
	output: z.array(z.object({ id: z.string(), name: z.string(), zone: z.string(), admin: z.boolean() })),
	exec: async (nango) => {
		const people: any[] = [];
		for await (const members of nango.paginate<any>({
			endpoint: "/users.list",
			paginate: { type: "cursor", cursor_path_in_response: "response_metadata.next_cursor", cursor_name_in_request: "cursor", response_path: "members", limit_name_in_request: "limit", limit: 200 },
		}))
			people.push(...members.filter((m: any) => !m.deleted && !m.is_bot && m.id !== "USLACKBOT"));
		return people
			.map((m) => ({ id: m.id, name: m.profile.display_name || m.real_name, zone: m.tz ?? "UTC", admin: Boolean(m.is_admin) }))
			.sort((a, b) => a.name.localeCompare(b.name, "en", { sensitivity: "base" }));
	},
});
