import { createAction } from "linkspan";
import * as z from "zod";

import { defined } from "../../values";
import { idNumber } from "../api";

interface Audit {
	events: { id: number; type: string; public?: boolean; plain_body?: string; body?: string }[];
}

export default createAction({
	description: "Answers a Zendesk ticket with a public comment, which is sent to the requester, or adds an internal note that only agents see",
	version: "1.0.0",
	scopes: ["tickets:write"],
	input: z.object({
		ticketId: z.string().min(1).describe("The ticket's identifier, such as 35436"),
		body: z.string().min(1).describe("The text of the comment"),
		internal: z.boolean().optional().describe("true for a note that only agents see; otherwise the requester gets it"),
		authorId: z.string().optional().describe("The agent in whose name it is written; the connected user when left out"),
	}),
	output: z.object({ id: z.string(), ticketId: z.string(), public: z.boolean() }),

	exec: async (nango, input) => {
		const response = await nango.put<{ audit: Audit }>({
			// https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_comments/#create-ticket-comment
			endpoint: `/api/v2/tickets/${encodeURIComponent(input.ticketId)}`,
			data: {
				ticket: {
					comment: defined({
						body: input.body,
						public: !input.internal,
						author_id: idNumber("authorId", input.authorId),
					}),
				},
			},
		});
		// Triggers of the account may have changed more in the same breath: the audit lists all of it.
		const comment = response.data.audit.events.find((event) => event.type === "Comment");
		if (comment === undefined) throw new nango.ActionError({ message: `Zendesk did not add the comment to ticket ${input.ticketId}.` });
		return { id: String(comment.id), ticketId: input.ticketId, public: comment.public ?? !input.internal };
	},
});
