import { createAction } from "linkspan";
import * as z from "zod";
import { toBlocks } from "../blocks";
import type { Page } from "../objects";

/** How many blocks one call takes. */
const most = 100;

export default createAction({
	description: "Creates a page in Notion, in another page or as a row of a database, with content in simple Markdown: headings, lists, to-dos, quotes, code, paragraphs",
	version: "1.0.0",
	input: z.object({
		parentPageId: z.string().optional().describe("The page to create it in; either this or databaseId"),
		databaseId: z.string().optional().describe("The database to add it to as a row"),
		title: z.string().max(2000),
		content: z.string().optional().describe("Markdown"),
		properties: z.record(z.string(), z.unknown()).optional().describe("Further properties of a row, in the form of Notion's API, by name"),
	}),
	output: z.object({ id: z.string(), externalUrl: z.url() }),
	exec: async (nango, { parentPageId, databaseId, title, content = "", properties }) => {
		if (Boolean(parentPageId) === Boolean(databaseId)) throw new nango.ActionError({ message: "Give either parentPageId or databaseId" });
		const blocks = toBlocks(content);
		const { data } = await nango.post<Page>({
			endpoint: "/v1/pages",
			data: {
				parent: databaseId ? { database_id: databaseId } : { page_id: parentPageId },
				// "title" is the id of the property that is the title, whatever its name.
				properties: { ...properties, title: { title: [{ text: { content: title } }] } },
				children: blocks.slice(0, most),
			},
		});
		for (let at = most; at < blocks.length; at += most) {
			await nango.patch({ endpoint: `/v1/blocks/${data.id}/children`, data: { children: blocks.slice(at, at + most) } });
		}
		return { id: data.id, externalUrl: data.url };
	},
});
