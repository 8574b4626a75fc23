import { createAction } from "linkspan";
import { CreateUnifiedTicket, UnifiedTicket } from "../../models";
import { defined } from "../../values";
import { graphql, type Issue, issueFields, labelIds, priorityNumber, toTicket } from "../graphql";

export default createAction({
	description: "Creates an issue in a team of Linear and returns it. projectId is the id of the team; the labels must exist",
	version: "1.0.0",
	scopes: ["issues:create", "read"],
	input: CreateUnifiedTicket,
	output: UnifiedTicket,
	exec: async (nango, { title, description, projectId, priority, assigneeId, labels }) => {
		if (!projectId) throw new nango.ActionError({ message: "projectId is missing: the id of the team to create the issue in" });
		const input = defined({
			teamId: projectId,
			title,
			description,
			priority: priority && priorityNumber(priority),
			assigneeId,
			labelIds: labels && (await labelIds(nango, projectId, labels)),
		});
		const { issueCreate } = await graphql<{ issueCreate: { issue: Issue } }>(
			nango,
			`mutation($input: IssueCreateInput!) { issueCreate(input: $input) { success issue { ${issueFields} } } }`,
			{ input },
			0,
		);
		return toTicket(issueCreate.issue);
	},
});
