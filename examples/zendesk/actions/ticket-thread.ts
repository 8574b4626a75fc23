import { createAction } from "linkspan";
import * as z from "zod";

export default createAction({
	description: "Reads a ticket's public conversation with how long answers took",
	input: z.object({ ticket: z.number().int() }),
	output: z.array(z.object({ by: z.string(), at: z.string(), after: z.string().nullable(), text: z.string() })),
	exec: async (nango, { ticket }) => {
		const { data } = await nango.get({ endpoint: `/api/v2/tickets/${ticket}/comments.json`, params: { include: "users" } });
		const users = new Map(data.users.map((u: any) => [u.id, u]));
		const relative = new Intl.RelativeTimeFormat("en", { numeric: "always" });
		let last: number | undefined;
		return data.comments
			.filter((c: any) => c.public)
			.map((c: any) => {
				const at = Date.parse(c.created_at);
				const minutes = last === undefined ? undefined : Math.round((at - last) / 60_000);
				last = at;
				const user: any = users.get(c.author_id);
				return {
					by: `${user.name} (${user.role})`,
					at: new Date(at).toISOString(),
					after: minutes === undefined ? null : relative.format(minutes >= 1440 ? Math.round(minutes / 1440) : minutes >= 60 ? Math.round(minutes / 60) : minutes, minutes >= 1440 ? "day" : minutes >= 60 ? "hour" : "minute"),
					text: c.plain_body.replace(/&nbsp;/g, " ").replace(/\s+/g, " ").trim(),
				};
			});
	},
});
