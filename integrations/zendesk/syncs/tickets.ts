import { createSync } from "linkspan";
import * as z from "zod";

import { UnifiedTicket } from "../../models";
import { type Export, type Ticket, toTicket } from "../api";

/**
 * Reads the incremental export (admins only): it names each ticket that changed, deleted ones included, and
 * its cursor is good for the next run as well as for the next page.
 */
export default createSync({
	description: "Syncs the support tickets of a Zendesk account, with status, priority, requester and assignee, as they change",
	version: "1.0.0",
	frequency: "every 5 minutes",
	autoStart: true,
	scopes: ["tickets:read"],
	models: { UnifiedTicket },
	metadata: z.object({ since: z.iso.date().optional().describe("Tickets that changed last before this day are left out") }),
	checkpoint: z.object({ cursor: z.string() }),

	exec: async (nango) => {
		const since = (await nango.getMetadata())?.since;
		const start = since === undefined ? 1 : Date.parse(since) / 1000;
		for (let cursor = (await nango.getCheckpoint())?.cursor; ; ) {
			const { data } = await nango.get<Export & { tickets: Ticket[] }>({
				// https://developer.zendesk.com/api-reference/ticketing/ticket-management/incremental_exports/#incremental-ticket-export-cursor-based
				endpoint: "/api/v2/incremental/tickets/cursor",
				params: { per_page: 1000, ...(cursor === undefined ? { start_time: start } : { cursor }) },
				retries: 5, // ten exports a minute are allowed
			});
			const deleted = data.tickets.filter((ticket) => ticket.status === "deleted");
			await nango.batchSave(data.tickets.filter((ticket) => ticket.status !== "deleted").map(toTicket), "UnifiedTicket");
			await nango.batchDelete(deleted.map((ticket) => ({ id: String(ticket.id) })), "UnifiedTicket");
			if (data.after_cursor === null) return;
			cursor = data.after_cursor;
			await nango.saveCheckpoint({ cursor });
			if (data.end_of_stream) return;
		}
	},
});
