import { createAction } from "linkspan";
import * as z from "zod";
import { graphql } from "../graphql";

export default createAction({
	description: "Comments on an issue of Linear",
	version: "1.0.0",
	scopes: ["comments:create"],
	input: z.object({ ticketId: z.string().min(1).describe("The issue's id, or its key such as ENG-42"), text: z.string().min(1).describe("Markdown") }),
	output: z.object({ id: z.string(), externalUrl: z.url(), createdAt: z.string() }),
	exec: async (nango, { ticketId, text }) => {
		const { commentCreate } = await graphql<{ commentCreate: { comment: { id: string; url: string; createdAt: string } } }>(
			nango,
			"mutation($input: CommentCreateInput!) { commentCreate(input: $input) { success comment { id url createdAt } } }",
			{ input: { issueId: ticketId, body: text } },
			0,
		);
		const { id, url, createdAt } = commentCreate.comment;
		return { id, externalUrl: url, createdAt };
	},
});
