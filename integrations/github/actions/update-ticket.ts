import { createAction } from "linkspan";
import { UnifiedTicket, UpdateUnifiedTicket } from "../../models";
import { defined } from "../../values";
import { type Issue, issuePath, toTicket } from "../rest";

export default createAction({
	description: "Changes, closes or opens again an issue of GitHub and returns it. Its id is such as acme/shop#42. Labels that are given replace those it has; GitHub has no priorities",
	version: "1.0.0",
	scopes: ["repo"],
	input: UpdateUnifiedTicket,
	output: UnifiedTicket,
	exec: async (nango, { id, title, description, status, assigneeId, labels, priority }) => {
		if (priority) throw new nango.ActionError({ message: "GitHub has no priorities. Use a label instead" });
		const { data } = await nango.patch<Issue>({
			endpoint: issuePath(id),
			data: defined({
				title,
				body: description,
				state: status && (status === "closed" ? "closed" : "open"),
				assignees: assigneeId === undefined ? undefined : [assigneeId],
				labels,
			}),
			retries: 3,
		});
		return toTicket(data, id.slice(0, id.lastIndexOf("#")));
	},
});
