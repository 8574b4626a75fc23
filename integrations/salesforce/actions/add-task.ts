import { createAction } from "linkspan";
import * as z from "zod";
import { defined } from "../../values";
import { api } from "../soql";

export default createAction({
	description: "Adds a task to somebody's list in Salesforce, about a contact, an account or an opportunity",
	version: "1.0.0",
	scopes: ["api", "refresh_token"],
	input: z.object({
		subject: z.string().min(1).max(255),
		description: z.string().max(32_000).optional(),
		contactId: z.string().optional().describe("The contact or lead that it is about"),
		relatedTo: z.string().optional().describe("The account, opportunity or other object that it is about"),
		ownerId: z.string().optional().describe("Who is to do it; the user of the connection, unless given"),
		due: z.iso.date().optional(),
		priority: z.enum(["Low", "Normal", "High"]).default("Normal"),
	}),
	output: z.object({ id: z.string() }),
	exec: async (nango, input) => {
		const { data } = await nango.post<{ id: string; success: boolean }>({
			endpoint: `${api}/sobjects/Task`,
			data: defined({
				Subject: input.subject,
				Description: input.description,
				WhoId: input.contactId,
				WhatId: input.relatedTo,
				OwnerId: input.ownerId,
				ActivityDate: input.due,
				Priority: input.priority,
				Status: "Not Started",
			}),
		});
		return { id: data.id };
	},
});
