import { createFunction } from "linkspan/experimental";
import * as z from "zod";

/** Without a trigger a function is called as an action is. */
export default createFunction({
	description: "Counts the tickets that are not solved, by priority",
	input: z.object({ tag: z.string().optional() }),
	output: z.record(z.string(), z.number()),
	exec: async (nango, { input }) => {
		const counts: Record<string, number> = {};
		for await (const page of nango.paginate<{ status: string; priority: string; tags: string[] }>({
			endpoint: "/tickets",
			paginate: {
				type: "cursor",
				response_path: "data",
				cursor_path_in_response: "next_cursor",
				cursor_name_in_request: "cursor",
				limit_name_in_request: "limit",
				limit: 100,
			},
		})) {
			for (const { status, priority, tags } of page) {
				if (status !== "solved" && (!input.tag || tags.includes(input.tag))) {
					counts[priority] = (counts[priority] ?? 0) + 1;
				}
			}
		}
		return counts;
	},
});
