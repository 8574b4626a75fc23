import { createAction } from "linkspan";
import * as z from "zod";
import { type Block, tableRule, toMarkdown } from "../blocks";
import { type Page, title } from "../objects";

/** How deep blocks are read within blocks. */
const deepest = 8;

export default createAction({
	description: "Reads a page of Notion with its content as Markdown. Pages within it are links, files are named",
	version: "1.0.0",
	input: z.object({ id: z.string().min(1) }),
	output: z.object({ id: z.string(), title: z.string(), markdown: z.string(), externalUrl: z.url(), updatedAt: z.string() }),
	exec: async (nango, { id }) => {
		const lines = async (block: string, depth: number): Promise<string[]> => {
			const out: string[] = [];
			let number = 0;
			let rows = 0;
			for await (const page of nango.paginate<Block>({ endpoint: `/v1/blocks/${encodeURIComponent(block)}/children`, paginate: { limit: 100 }, retries: 5 })) {
				for (const child of page) {
					number = child.type === "numbered_list_item" ? number + 1 : 0;
					const text = toMarkdown(child, number);
					if (text !== undefined) out.push(...text.split("\n").map((line) => "  ".repeat(depth) + line));
					if (child.type === "table_row" && rows++ === 0) out.push("  ".repeat(depth) + tableRule(child));
					const inner = child.has_children && !["child_page", "child_database"].includes(child.type);
					if (inner && depth < deepest) out.push(...(await lines(child.id, text === undefined ? depth : depth + 1)));
				}
			}
			return out;
		};
		const { data: page } = await nango.get<Page>({ endpoint: `/v1/pages/${encodeURIComponent(id)}`, retries: 5 });
		return { id: page.id, title: title(page), markdown: (await lines(id, 0)).join("\n"), externalUrl: page.url, updatedAt: page.last_edited_time };
	},
});
