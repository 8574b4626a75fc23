import { createSync } from "linkspan";
import * as z from "zod";

const Ticket = z.object({ id: z.string(), subject: z.string(), status: z.string(), requester: z.string() });
const User = z.object({ id: z.string(), name: z.string() });

export default createSync({
	description: "Tickets and the users who wrote them, from the incremental export; deleted tickets are deleted",
	frequency: "every 10 minutes",
	autoStart: true,
	syncType: "incremental",
	checkpoint: z.object({ cursor: z.string() }),
	models: { Ticket, User },
	exec: async (nango) => {
		let cursor = (await nango.getCheckpoint())?.cursor;
		for (let done = false; !done; ) {
			const { data } = await nango.get<any>({ endpoint: "/api/v2/incremental/tickets/cursor.json", params: cursor ? { cursor, include: "users" } : { start_time: "0", include: "users" } });
			const [gone, there] = [true, false].map((deleted) => data.tickets.filter((t: any) => (t.status === "deleted") === deleted));
			await nango.batchSave(there.map((t: any) => ({ id: String(t.id), subject: t.subject, status: t.status, requester: String(t.requester_id) })), "Ticket");
			await nango.batchDelete(gone.map((t: any) => ({ id: String(t.id) })), "Ticket");
			await nango.batchSave(data.users.map((u: any) => ({ id: String(u.id), name: u.name })), "User");
			cursor = data.after_cursor;
			await nango.saveCheckpoint({ cursor: cursor! });
			done = data.end_of_stream;
		}
	},
});
