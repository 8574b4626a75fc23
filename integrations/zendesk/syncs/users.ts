import { createSync } from "linkspan";
import * as z from "zod";

import { UnifiedUser } from "../../models";
import { type Export, toUser, type User } from "../api";

/** A user with what only Zendesk has: whether somebody is a customer or works there. */
const ZendeskUser = UnifiedUser.extend({ role: z.string().optional().describe("end-user, agent or admin") });

/** Reads the incremental export (admins only). Users are never gone for good: deleted ones are no longer active. */
export default createSync({
	description: "Syncs the agents, admins and customers of a Zendesk account",
	version: "1.0.0",
	frequency: "every hour",
	autoStart: true,
	scopes: ["users:read"],
	models: { UnifiedUser: ZendeskUser },
	checkpoint: z.object({ cursor: z.string() }),

	exec: async (nango) => {
		for (let cursor = (await nango.getCheckpoint())?.cursor; ; ) {
			const { data } = await nango.get<Export & { users: User[] }>({
				// https://developer.zendesk.com/api-reference/ticketing/ticket-management/incremental_exports/#incremental-user-export-cursor-based
				endpoint: "/api/v2/incremental/users/cursor",
				params: { per_page: 1000, ...(cursor === undefined ? { start_time: 1 } : { cursor }) },
				retries: 5,
			});
			const deleted = data.users.filter((user) => user.active === false);
			const there = data.users.filter((user) => user.active !== false);
			await nango.batchSave(there.map((user) => ({ ...toUser(user), role: user.role })), "UnifiedUser");
			await nango.batchDelete(deleted.map((user) => ({ id: String(user.id) })), "UnifiedUser");
			if (data.after_cursor === null) return;
			cursor = data.after_cursor;
			await nango.saveCheckpoint({ cursor });
			if (data.end_of_stream) return;
		}
	},
});
