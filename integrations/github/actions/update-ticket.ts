import { createAction } from "linkspan";
import { UnifiedTicket, UpdateUnifiedTicket } from "../../models";
import { defined } from "../../values";
import { type Issue, issuePath, labelNames, toTicket, withPriority } from "../rest";

export default createAction({
	description: "Changes, closes or opens again an issue of GitHub and returns it. Its id is such as acme/shop#42. The status is open or closed: GitHub has no other ones. Labels that are given replace those it has; the priority is a label, such as \"priority: high\"",
	version: "1.0.0",
	scopes: ["repo"],
	input: UpdateUnifiedTicket,
	output: UnifiedTicket,
	exec: async (nango, { id, title, description, status, assigneeId, labels, priority }) => {
		const endpoint = issuePath(id);
		if (priority) labels = withPriority(labels ?? labelNames((await nango.get<Issue>({ endpoint, retries: 3 })).data), priority);
		const { data } = await nango.patch<Issue>({
			endpoint,
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
