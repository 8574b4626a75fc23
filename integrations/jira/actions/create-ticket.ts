import { ActionError, createAction } from "linkspan";
import * as z from "zod";

import { CreateUnifiedTicket, UnifiedTicket } from "../../models";
import { defined } from "../../values";
import { fields, type Issue, priorityName, site, toLabels, toTicket } from "../api";
import { toDocument } from "../document";

export default createAction({
	description: "Creates an issue in a Jira project, given by its key (such as ENG) or id as projectId. It is a Task unless issueType names another type of the project, such as Bug or Story",
	version: "1.0.0",
	scopes: ["read:jira-work", "write:jira-work"],
	input: CreateUnifiedTicket.extend({ issueType: z.string().optional().describe("The name of a type of issue that the project has; Task when left out") }),
	output: UnifiedTicket,

	exec: async (nango, input) => {
		if (!input.projectId) throw new ActionError({ message: "Jira needs projectId: the key of a project, such as ENG, or its id." });
		const here = await site(nango);
		const created = await nango.post<{ id: string }>({
			// https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/#api-rest-api-3-issue-post
			endpoint: `${here.api}/issue`,
			data: {
				fields: defined({
					project: /^\d+$/.test(input.projectId) ? { id: input.projectId } : { key: input.projectId },
					issuetype: { name: input.issueType ?? "Task" },
					summary: input.title,
					description: input.description === undefined ? undefined : toDocument(input.description),
					priority: input.priority && { name: priorityName[input.priority] },
					reporter: input.requesterId === undefined ? undefined : { id: input.requesterId },
					assignee: input.assigneeId === undefined ? undefined : { id: input.assigneeId },
					labels: toLabels(input.labels),
				}),
			},
		});
		// The answer names the issue only; how it came out is for the workflow to say.
		const { data } = await nango.get<Issue>({ endpoint: `${here.api}/issue/${created.data.id}`, params: { fields: fields.join(",") }, retries: 3 });
		return toTicket(data, here);
	},
});
