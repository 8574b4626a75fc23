// Rich text of Jira: the Atlassian Document Format.
// https://developer.atlassian.com/cloud/jira/platform/apis/document/structure/

/** A node of a document. */
export interface Node {
	type: string;
	text?: string;
	attrs?: Record<string, unknown>;
	content?: Node[];
}

/** A whole document. */
export interface Document extends Node {
	type: "doc";
	version: 1;
}

/** Writes plain text as a document: a blank line ends a paragraph, other line ends stay. */
export function toDocument(text: string): Document {
	const paragraphs = text.replace(/\r\n?/g, "\n").split(/\n{2,}/);
	const line = (part: string, i: number): Node[] => [...(i > 0 ? [{ type: "hardBreak" }] : []), ...(part === "" ? [] : [{ type: "text", text: part }])];
	return {
		type: "doc",
		version: 1,
		content: paragraphs.filter((p) => p.trim() !== "").map((p) => ({ type: "paragraph", content: p.split("\n").flatMap(line) })),
	};
}

/** Reads a document as plain text; what is neither text nor named is left out. */
export function plain(document: Document | null | undefined): string {
	return document ? blocks(document.content).trim() : "";
}

const blocky = new Set(["paragraph", "heading", "blockquote", "codeBlock", "bulletList", "orderedList", "taskList", "panel", "table", "expand", "rule", "mediaSingle", "mediaGroup"]);

function blocks(nodes: Node[] | undefined): string {
	return (nodes ?? []).map((node) => (blocky.has(node.type) ? `${block(node)}\n\n` : inline(node))).join("").replace(/\n{3,}/g, "\n\n");
}

function block(node: Node): string {
	switch (node.type) {
		case "bulletList":
		case "taskList":
			return (node.content ?? []).map((item) => entry("- ", item)).join("\n");
		case "orderedList": {
			const first = Number(node.attrs?.["order"] ?? 1);
			return (node.content ?? []).map((item, i) => entry(`${first + i}. `, item)).join("\n");
		}
		case "table":
			return (node.content ?? []).map((row) => (row.content ?? []).map((cell) => blocks(cell.content).trim()).join(" | ")).join("\n");
		default:
			return blocks(node.content).trim();
	}
}

/** An entry of a list; what follows its first line is indented. */
function entry(mark: string, item: Node): string {
	const text = blocks(item.content).trim().replace(/\n{2,}/g, "\n");
	return mark + text.replace(/\n/g, `\n${" ".repeat(mark.length)}`);
}

function inline(node: Node): string {
	const attr = (name: string): string => String(node.attrs?.[name] ?? "");
	switch (node.type) {
		case "text":
			return node.text ?? "";
		case "hardBreak":
			return "\n";
		case "mention":
		case "status":
			return attr("text");
		case "emoji":
			return attr("text") || attr("shortName");
		case "inlineCard":
		case "blockCard":
			return attr("url");
		case "date": {
			const at = new Date(Number(attr("timestamp")));
			return Number.isNaN(at.getTime()) ? "" : at.toISOString().slice(0, 10);
		}
		default:
			return blocks(node.content);
	}
}
