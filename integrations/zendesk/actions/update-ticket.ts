import { ActionError, createAction } from "linkspan";

import { UnifiedTicket, UpdateUnifiedTicket } from "../../models";
import { defined } from "../../values";
import { idNumber, statusOf, type Ticket, toTicket } from "../api";

export default createAction({
	description: "Changes a Zendesk ticket: its title, status, priority, assignee or tags. in_progress is open in Zendesk. Labels replace all tags of the ticket. Its description can't be changed: add a comment instead",
	version: "1.0.0",
	scopes: ["tickets:write"],
	input: UpdateUnifiedTicket,
	output: UnifiedTicket,

	exec: async (nango, input) => {
		if (input.description !== undefined) throw new ActionError({ message: "The description of a Zendesk ticket is its first comment, which can't be changed. Use add-comment." });
		const response = await nango.put<{ ticket: Ticket }>({
			// https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/#update-ticket
			endpoint: `/api/v2/tickets/${encodeURIComponent(input.id)}`,
			data: {
				ticket: defined({
					subject: input.title,
					status: input.status && statusOf[input.status],
					priority: input.priority,
					assignee_id: idNumber("assigneeId", input.assigneeId),
					tags: input.labels,
				}),
			},
			retries: 3,
		});
		return toTicket(response.data.ticket);
	},
});
