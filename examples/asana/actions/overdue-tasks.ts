import { createAction } from "linkspan";
import * as z from "zod";

export default createAction({
	description: "Lists a project's overdue tasks, the latest first",
	input: z.object({ project: z.string(), today: z.iso.date() }),
	output: z.array(z.object({ name: z.string(), days: z.number(), who: z.string() })),
	exec: async (nango, { project, today }) => {
		const tasks: any[] = [];
		for await (const page of nango.paginate<any>({
			endpoint: "/api/1.0/tasks",
			params: { project, opt_fields: "name,completed,due_on,assignee.name" },
			paginate: { type: "cursor", cursor_path_in_response: "next_page.offset", cursor_name_in_request: "offset", response_path: "data", limit_name_in_request: "limit", limit: 100 },
		}))
			tasks.push(...page);
		return tasks
			.filter((t) => !t.completed && t.due_on && t.due_on < today)
			.map((t) => ({ name: t.name, days: (Date.parse(today) - Date.parse(t.due_on)) / 86_400_000, who: t.assignee?.name ?? "nobody" }))
			.toSorted((a, b) => b.days - a.days);
	},
});
