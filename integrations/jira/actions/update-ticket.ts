import { ActionError, createAction } from "linkspan";

import { type TicketStatus, UnifiedTicket, UpdateUnifiedTicket } from "../../models";
import { defined } from "../../values";
import { fields, type Issue, priorityName, site, toLabels, toStatus, toTicket } from "../api";
import { toDocument } from "../document";

interface Transition {
	id: string;
	name: string;
	to: { name: string; statusCategory?: { key: string } };
}

export default createAction({
	description: "Changes a Jira issue, given by its id or key: its title, description, priority, assignee, labels or status. A status is reached only by a transition that the project's workflow allows from where the issue is now",
	version: "1.0.0",
	scopes: ["read:jira-work", "write:jira-work"],
	input: UpdateUnifiedTicket,
	output: UnifiedTicket,

	exec: async (nango, input) => {
		const here = await site(nango);
		const endpoint = `${here.api}/issue/${encodeURIComponent(input.id)}`;
		const changes = defined({
			summary: input.title,
			description: input.description === undefined ? undefined : toDocument(input.description),
			priority: input.priority && { name: priorityName[input.priority] },
			assignee: input.assigneeId === undefined ? undefined : { id: input.assigneeId },
			labels: toLabels(input.labels),
		});
		// https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/#api-rest-api-3-issue-issueidorkey-put
		if (Object.keys(changes).length > 0) await nango.put({ endpoint, data: { fields: changes }, retries: 3 });

		if (input.status !== undefined) {
			const { data: before } = await nango.get<{ fields: Pick<Issue["fields"], "status"> }>({ endpoint, params: { fields: "status" }, retries: 3 });
			if (toStatus(before.fields.status) !== input.status) {
				const { data } = await nango.get<{ transitions: Transition[] }>({ endpoint: `${endpoint}/transitions`, retries: 3 });
				await nango.post({ endpoint: `${endpoint}/transitions`, data: { transition: { id: choose(data.transitions, input.status) } } });
			}
		}
		const { data: issue } = await nango.get<Issue>({ endpoint, params: { fields: fields.join(",") }, retries: 3 });
		return toTicket(issue, here);
	},
});

/** The transition that leads to a status. */
function choose(transitions: Transition[], status: TicketStatus): string {
	const found = transitions.find((transition) => toStatus(transition.to) === status);
	if (found !== undefined) return found.id;
	const names = transitions.map((transition) => transition.to.name).join(", ");
	throw new ActionError({ message: `The workflow does not lead from where the issue is to a status that means ${status}. It leads to: ${names || "nothing"}.` });
}
