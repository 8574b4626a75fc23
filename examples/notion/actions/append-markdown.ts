import { createAction } from "linkspan";
import * as z from "zod";

function* blocks(markdown: string) {
	const text = (content: string) => {
		const rich: any[] = [];
		let at = 0;
		for (const m of content.matchAll(/\*\*(?<b>.+?)\*\*|`(?<c>[^`]+)`/gd)) {
			const [from, to] = m.indices![0]!;
			if (from > at) rich.push({ type: "text", text: { content: content.slice(at, from) } });
			rich.push({ type: "text", text: { content: m.groups!.b ?? m.groups!.c }, annotations: m.groups!.b ? { bold: true } : { code: true } });
			at = to;
		}
		if (at < content.length) rich.push({ type: "text", text: { content: content.slice(at) } });
		return { rich_text: rich };
	};
	for (const line of markdown.split("\n")) {
		let m;
		if ((m = /^(#{1,3}) (.*)/.exec(line))) yield { type: `heading_${m[1]!.length}`, [`heading_${m[1]!.length}`]: text(m[2]!) };
		else if ((m = /^- \[([ x])\] (.*)/.exec(line))) yield { type: "to_do", to_do: { ...text(m[2]!), checked: m[1] === "x" } };
		else if ((m = /^[-*] (.*)/.exec(line))) yield { type: "bulleted_list_item", bulleted_list_item: text(m[1]!) };
		else if (line.trim()) yield { type: "paragraph", paragraph: text(line) };
	}
}

export default createAction({
	description: "Appends Markdown to a page",
	input: z.object({ page: z.string(), markdown: z.string() }),
	output: z.object({ sent: z.array(z.any()) }),
	exec: async (nango, { page, markdown }) => {
		const sent = [...blocks(markdown)];
		for (let i = 0; i < sent.length; i += 3) await nango.patch({ endpoint: `/v1/blocks/${page}/children`, data: { children: sent.slice(i, i + 3) } });
		return { sent };
	},
});
