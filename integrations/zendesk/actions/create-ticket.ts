import { createAction } from "linkspan";

import { CreateUnifiedTicket, UnifiedTicket } from "../../models";
import { defined } from "../../values";
import { idNumber, type Ticket, toTicket } from "../api";

export default createAction({
	description: "Creates a support ticket in Zendesk. The description becomes the first comment; projectId is the group that is to handle it; without a requester it is created in the name of the connected user",
	version: "1.0.0",
	scopes: ["tickets:write"],
	input: CreateUnifiedTicket,
	output: UnifiedTicket,

	exec: async (nango, input) => {
		const response = await nango.post<{ ticket: Ticket }>({
			// https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/#create-ticket
			endpoint: "/api/v2/tickets",
			data: {
				ticket: defined({
					subject: input.title,
					comment: { body: input.description ?? input.title }, // there is no ticket without a comment
					priority: input.priority,
					group_id: idNumber("projectId", input.projectId),
					requester_id: idNumber("requesterId", input.requesterId),
					assignee_id: idNumber("assigneeId", input.assigneeId),
					tags: input.labels,
				}),
			},
		});
		return toTicket(response.data.ticket);
	},
});
