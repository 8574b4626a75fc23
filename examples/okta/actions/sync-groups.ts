import { createAction } from "linkspan";
import * as z from "zod";

export default createAction({
	description: "Says which users to add to and remove from a group",
	input: z.object({ group: z.string(), wanted: z.array(z.string()) }),
	output: z.object({ add: z.array(z.string()), remove: z.array(z.string()), same: z.number() }),
	exec: async (nango, { group, wanted }) => {
		const have = new Set<string>();
		for await (const page of nango.paginate<any>({
			endpoint: `/api/v1/groups/${group}/users`,
			paginate: { type: "link", link_rel_in_response_header: "next", limit_name_in_request: "limit", limit: 200 },
		}))
			for (const u of page) have.add(u.profile.login);
		const want = new Set(wanted);
		const add = [...want].filter((l) => !have.has(l)).sort();
		const remove = [...have].filter((l) => !want.has(l)).sort();
		return { add, remove, same: want.size - add.length };
	},
});
