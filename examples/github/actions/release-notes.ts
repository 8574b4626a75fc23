import { createAction } from "linkspan";
import * as z from "zod";

const heading: Record<string, string> = { feat: "Features", fix: "Fixes", perf: "Performance" };

export default createAction({
	description: "Writes release notes of conventional commits between two tags",
	input: z.object({ owner: z.string(), repo: z.string(), base: z.string(), head: z.string() }),
	output: z.object({ markdown: z.string(), breaking: z.number() }),
	exec: async (nango, { owner, repo, base, head }) => {
		const { data } = await nango.get({ endpoint: `/repos/${owner}/${repo}/compare/${encodeURIComponent(base)}...${encodeURIComponent(head)}` });
		const pattern = /^(?<type>[a-z]+)(?:\((?<scope>[^)]+)\))?(?<bang>!)?:\s*(?<text>.+)$/;
		const groups = new Map<string, string[]>();
		let breaking = 0;
		for (const { commit, sha } of data.commits) {
			const [subject = "", ...rest] = commit.message.split("\n");
			const m = pattern.exec(subject);
			if (!m?.groups) continue;
			const { type, scope, bang, text } = m.groups as Record<string, string>;
			if (bang || rest.some((l: string) => /^BREAKING[ -]CHANGE:/.test(l))) breaking++;
			const title = heading[type!] ?? "Other";
			const line = `- ${scope ? `**${scope}:** ` : ""}${text} (${sha.slice(0, 7)})`;
			groups.set(title, [...(groups.get(title) ?? []), line]);
		}
		const markdown = [...groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([t, lines]) => `## ${t}\n\n${lines.join("\n")}`).join("\n\n");
		return { markdown, breaking };
	},
});
