import { createAction } from "linkspan";
import * as z from "zod";
import type { CrmObject } from "../crm";

/** HubSpot's types of the association from a note to what it is about. */
const about = { contact: 202, company: 190, deal: 214 } as const;

export default createAction({
	description: "Writes a note on the timeline of a contact, a company or a deal in HubSpot",
	version: "1.0.0",
	scopes: ["crm.objects.contacts.write"],
	input: z.object({
		on: z.enum(["contact", "company", "deal"]).describe("What the note is about"),
		id: z.string().min(1).describe("The identifier of what it is about"),
		text: z.string().min(1).max(65_536).describe("Plain text or simple HTML"),
		ownerId: z.string().optional().describe("Who wrote it"),
		at: z.iso.datetime().optional().describe("When it is to stand on the timeline; now, unless given"),
	}),
	output: z.object({ id: z.string(), createdAt: z.string() }),
	exec: async (nango, { on, id, text, ownerId, at = new Date().toISOString() }) => {
		const { data } = await nango.post<CrmObject>({
			endpoint: "/crm/v3/objects/notes",
			data: {
				properties: { hs_timestamp: at, hs_note_body: text, ...(ownerId && { hubspot_owner_id: ownerId }) },
				associations: [{ to: { id }, types: [{ associationCategory: "HUBSPOT_DEFINED", associationTypeId: about[on] }] }],
			},
		});
		return { id: data.id, createdAt: data.createdAt };
	},
});
