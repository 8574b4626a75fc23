import { plainText, type RichText } from "./objects";

/** A block of a page: what it holds is under the name of its type. */
export type Block = { id: string; type: string; has_children: boolean } & Record<string, unknown>;

/** Text of Notion as Markdown. */
function markdownOf(parts: unknown): string {
	if (!Array.isArray(parts)) return "";
	return parts
		.map(({ plain_text, href, annotations }: RichText) => {
			if (plain_text.trim() === "") return plain_text;
			let out = annotations?.code ? `\`${plain_text}\`` : plain_text;
			if (annotations?.bold) out = `**${out}**`;
			if (annotations?.italic) out = `*${out}*`;
			if (annotations?.strikethrough) out = `~~${out}~~`;
			return href ? `[${out}](${href})` : out;
		})
		.join("");
}

/** What a block is in Markdown, without its children. Undefined: nothing that Markdown has. */
export function toMarkdown(block: Block, number: number): string | undefined {
	const content = block[block.type] as any;
	const line = markdownOf(content?.rich_text);
	switch (block.type) {
		case "paragraph":
			return line;
		case "heading_1":
			return `# ${line}`;
		case "heading_2":
			return `## ${line}`;
		case "heading_3":
			return `### ${line}`;
		case "bulleted_list_item":
		case "toggle":
			return `- ${line}`;
		case "numbered_list_item":
			return `${number}. ${line}`;
		case "to_do":
			return `- [${content.checked ? "x" : " "}] ${line}`;
		case "quote":
		case "callout":
			return `> ${line}`;
		case "code":
			return `\`\`\`${content.language === "plain text" ? "" : content.language}\n${plainText(content.rich_text)}\n\`\`\``;
		case "divider":
			return "---";
		case "equation":
			return `$$${content.expression}$$`;
		case "child_page":
		case "child_database":
			return `[${content.title}](https://www.notion.so/${block.id.replaceAll("-", "")})`;
		case "bookmark":
		case "embed":
		case "link_preview":
			return content.url;
		case "table_row":
			return `| ${content.cells.map(markdownOf).join(" | ")} |`;
		case "image":
		case "file":
		case "pdf":
		case "video":
			return `[${plainText(content.caption) || block.type}]${content.type === "external" ? `(${content.external.url})` : ""}`;
		default:
			return undefined;
	}
}

/** What stands below the first row of a table. */
export function tableRule(row: Block): string {
	return `|${" --- |".repeat((row["table_row"] as { cells: unknown[] }).cells.length)}`;
}

/** How many characters a piece of text may have. */
const longest = 2000;

/** The languages that Notion has for code. It refuses pages with others. */
const languages = new Set(
	(
		"abap,agda,arduino,assembly,bash,basic,bnf,c,c#,c++,clojure,coffeescript,coq,css,dart,dhall,diff,docker,ebnf,elixir,elm,erlang,f#,flow,fortran,gherkin,glsl,go,graphql,groovy,haskell," +
		"html,idris,java,javascript,json,julia,kotlin,latex,less,lisp,livescript,llvm ir,lua,makefile,markdown,markup,matlab,mathematica,mermaid,nix,objective-c,ocaml,pascal,perl,php,plain text," +
		"powershell,prolog,protobuf,purescript,python,r,racket,reason,ruby,rust,sass,scala,scheme,scss,shell,solidity,sql,swift,toml,typescript,vb.net,verilog,vhdl,visual basic,webassembly,xml,yaml"
	).split(","),
);

/** What people write for some of them. */
const aliases: Record<string, string> = {
	cpp: "c++", cs: "c#", csharp: "c#", dockerfile: "docker", fsharp: "f#", golang: "go", hs: "haskell", js: "javascript", jsx: "javascript", kt: "kotlin", make: "makefile", md: "markdown",
	proto: "protobuf", ps1: "powershell", py: "python", rb: "ruby", rs: "rust", sh: "shell", tex: "latex", ts: "typescript", tsx: "typescript", wasm: "webassembly", yml: "yaml", zsh: "shell",
};

/** A language by Notion's name; plain text for what it does not have. */
function language(name: string): string {
	const lower = name.toLowerCase();
	const known = aliases[lower] ?? lower;
	return languages.has(known) ? known : "plain text";
}

function block(type: string, text: string, more: object = {}) {
	const rich_text = [];
	for (let at = 0; at < text.length; ) {
		const end = /[\uD800-\uDBFF]/.test(text.charAt(at + longest - 1)) ? at + longest - 1 : at + longest; // never within a pair of surrogates
		rich_text.push({ type: "text", text: { content: text.slice(at, end) } });
		at = end;
	}
	return { object: "block", type, [type]: { rich_text, ...more } };
}

/** Marks at the beginning of a line, and the blocks that they make. */
const marks: [RegExp, string, object?][] = [
	[/^### /, "heading_3"],
	[/^## /, "heading_2"],
	[/^# /, "heading_1"],
	[/^- \[ \] /, "to_do", { checked: false }],
	[/^- \[[xX]\] /, "to_do", { checked: true }],
	[/^[-*] /, "bulleted_list_item"],
	[/^\d+[.)] /, "numbered_list_item"],
	[/^> /, "quote"],
];

/** Simple Markdown as blocks: headings, lists, to-dos, quotes, code and paragraphs. Looks within a line stay as they are written. */
export function toBlocks(markdown: string): object[] {
	const blocks: object[] = [];
	const lines = markdown.replaceAll("\r\n", "\n").split("\n");
	for (let i = 0; i < lines.length; i++) {
		const line = lines[i] ?? "";
		const fence = /^```(\S*)/.exec(line);
		if (fence) {
			const end = lines.findIndex((l, j) => j > i && l.startsWith("```"));
			const last = end < 0 ? lines.length : end;
			blocks.push(block("code", lines.slice(i + 1, last).join("\n"), { language: language(fence[1] ?? "") }));
			i = last;
			continue;
		}
		if (line.trim() === "") continue;
		if (/^---+$/.test(line)) {
			blocks.push({ object: "block", type: "divider", divider: {} });
			continue;
		}
		const [mark, type, more] = marks.find(([m]) => m.test(line)) ?? [undefined, "paragraph", undefined];
		blocks.push(block(type, mark ? line.replace(mark, "") : line, more));
	}
	return blocks;
}
