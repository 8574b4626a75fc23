import { createAction } from "linkspan";
import * as z from "zod";

type Doc = { type: string; text?: string; attrs?: any; marks?: { type: string; attrs?: any }[]; content?: Doc[] };

function render(node: Doc, depth = 0, index = 0): string {
	const inside = () => (node.content ?? []).map((c, i) => render(c, depth, i)).join("");
	switch (node.type) {
		case "text":
			return (node.marks ?? []).reduce((t, m) => (m.type === "strong" ? `**${t}**` : m.type === "em" ? `_${t}_` : m.type === "code" ? `\`${t}\`` : m.type === "link" ? `[${t}](${m.attrs.href})` : t), node.text ?? "");
		case "paragraph":
			return inside() + "\n";
		case "heading":
			return "#".repeat(node.attrs.level) + " " + inside() + "\n";
		case "bulletList":
		case "orderedList":
			return (node.content ?? []).map((c, i) => `${"  ".repeat(depth)}${node.type === "orderedList" ? `${(node.attrs?.order ?? 1) + i}.` : "-"} ${(c.content ?? []).map((x) => render(x, depth + 1, index)).join("").trimEnd()}\n`).join("");
		case "codeBlock":
			return "```" + (node.attrs?.language ?? "") + "\n" + inside() + "\n```\n";
		case "mention":
			return node.attrs.text;
		case "hardBreak":
			return "\n";
		case "emoji":
			return node.attrs.text ?? node.attrs.shortName;
		default:
			return inside();
	}
}

export default createAction({
	description: "Turns an issue's description into Markdown",
	input: z.object({ key: z.string().regex(/^[A-Z][A-Z0-9]+-\d+$/) }),
	output: z.object({ markdown: z.string(), words: z.number() }),
	exec: async (nango, { key }) => {
		const { data } = await nango.get({ endpoint: `/rest/api/3/issue/${key}`, params: { fields: "description" } });
		const markdown = data.fields.description ? render(data.fields.description).trim() : "";
		return { markdown, words: markdown.match(/[\p{L}\p{N}]+/gu)?.length ?? 0 };
	},
});
