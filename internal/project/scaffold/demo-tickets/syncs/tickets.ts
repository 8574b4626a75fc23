import { createSync } from "linkspan";
import * as z from "zod";

/** A ticket as your product wants it. */
const Ticket = z.object({
	id: z.string(),
	subject: z.string(),
	status: z.enum(["open", "pending", "solved"]),
	priority: z.enum(["low", "normal", "high", "urgent"]),
	tags: z.array(z.string()),
	updated_at: z.string(),
});

/** A ticket as the provider has it, as far as it is read here. */
interface ProviderTicket {
	id: number;
	subject: string;
	status: "open" | "pending" | "solved";
	priority: "low" | "normal" | "high" | "urgent";
	tags: string[];
	updated_at: string;
	deleted_at?: string;
}

export default createSync({
	description: "Keeps a copy of all tickets, up to date",
	version: "1.0.0",
	frequency: "every hour",
	autoStart: true,
	scopes: ["tickets:read"],
	models: { Ticket },
	checkpoint: z.object({ updated_since: z.string() }),
	exec: async (nango) => {
		// The first run has no checkpoint and reads everything. Later ones read what
		// was changed since then, deleted tickets included.
		const params: Record<string, string> = { include_deleted: "true" };
		const checkpoint = await nango.getCheckpoint();
		if (checkpoint) {
			params["updated_since"] = checkpoint.updated_since;
		}

		for await (const page of nango.paginate<ProviderTicket>({
			endpoint: "/tickets",
			params,
			paginate: {
				type: "cursor",
				response_path: "data",
				cursor_path_in_response: "next_cursor",
				cursor_name_in_request: "cursor",
				limit_name_in_request: "limit",
				limit: 20,
			},
			retries: 3,
		})) {
			const last = page.at(-1);
			if (!last) {
				break;
			}
			await nango.batchSave(page.filter((ticket) => !ticket.deleted_at).map(toTicket), "Ticket");
			await nango.batchDelete(page.filter((ticket) => ticket.deleted_at).map(({ id }) => ({ id: String(id) })), "Ticket");

			// Should the run end here, the next one goes on with the next page.
			await nango.saveCheckpoint({ updated_since: last.updated_at });
		}
	},
});

function toTicket({ id, subject, status, priority, tags, updated_at }: ProviderTicket): z.infer<typeof Ticket> {
	return { id: String(id), subject, status, priority, tags, updated_at };
}
