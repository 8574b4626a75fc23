import { createAction } from "linkspan";
import { UnifiedTicket, UpdateUnifiedTicket } from "../../models";
import { defined } from "../../values";
import { graphql, type Issue, issueFields, labelIds, priorityNumber, stateId, toTicket } from "../graphql";

export default createAction({
	description: "Changes, moves, closes or opens again an issue of Linear and returns it. Its id may be the key, such as ENG-42, too. Labels that are given replace those it has, and must exist",
	version: "1.0.0",
	scopes: ["write", "read"],
	input: UpdateUnifiedTicket,
	output: UnifiedTicket,
	exec: async (nango, { id, title, description, priority, assigneeId, labels, status }) => {
		const team = async () => (await graphql<{ issue: { team: { id: string } } }>(nango, "query($id: String!) { issue(id: $id) { team { id } } }", { id })).issue.team.id;
		const teamId = labels || status ? await team() : "";
		const input = defined({
			title,
			description,
			priority: priority && priorityNumber(priority),
			assigneeId,
			labelIds: labels && (await labelIds(nango, teamId, labels)),
			stateId: status && (await stateId(nango, teamId, status)),
		});
		const { issueUpdate } = await graphql<{ issueUpdate: { issue: Issue } }>(
			nango,
			`mutation($id: String!, $input: IssueUpdateInput!) { issueUpdate(id: $id, input: $input) { success issue { ${issueFields} } } }`,
			{ id, input },
		);
		return toTicket(issueUpdate.issue);
	},
});
