import { createAction } from "linkspan";
import * as z from "zod";

import { site } from "../api";
import { toDocument } from "../document";

export default createAction({
	description: "Comments on a Jira issue, given by its id or key, in plain text",
	version: "1.0.0",
	scopes: ["write:jira-work"],
	input: z.object({
		ticketId: z.string().min(1).describe("The issue's id or key, such as ENG-42"),
		body: z.string().min(1).describe("The text; a blank line begins a new paragraph"),
	}),
	output: z.object({ id: z.string(), createdAt: z.string() }),

	exec: async (nango, input) => {
		const { api } = await site(nango);
		const { data } = await nango.post<{ id: string; created: string }>({
			// https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-comments/#api-rest-api-3-issue-issueidorkey-comment-post
			endpoint: `${api}/issue/${encodeURIComponent(input.ticketId)}/comment`,
			data: { body: toDocument(input.body) },
		});
		return { id: data.id, createdAt: new Date(data.created).toISOString() };
	},
});
