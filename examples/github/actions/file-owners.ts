import { createAction } from "linkspan";
import * as z from "zod";

/** One rule of a CODEOWNERS file, the last match wins. */
interface Rule {
	pattern: RegExp;
	owners: string[];
}

function toRegExp(glob: string): RegExp {
	const anchored = glob.startsWith("/") || glob.slice(0, -1).includes("/");
	const source = glob
		.replace(/^\//, "")
		.replace(/[.+^${}()|[\]\\]/g, "\\$&")
		.replace(/\*\*\/?/g, "\u0000")
		.replace(/\*/g, "[^/]*")
		.replace(/\u0000/g, ".*");
	return new RegExp((anchored ? "^" : "(?:^|/)") + source + (glob.endsWith("/") ? "" : "(?:/|$)"));
}

export default createAction({
	description: "Tells who owns the files, by the repository's CODEOWNERS",
	input: z.object({ owner: z.string(), repo: z.string(), files: z.array(z.string()) }),
	output: z.record(z.string(), z.array(z.string())),
	exec: async (nango, { owner, repo, files }) => {
		const response = await nango.get({ endpoint: `/repos/${owner}/${repo}/contents/.github/CODEOWNERS` });
		const text = Buffer.from(response.data.content, "base64").toString("utf8");
		const rules: Rule[] = text
			.split(/\r?\n/)
			.map((line) => line.replace(/#.*/, "").trim())
			.filter(Boolean)
			.map((line) => {
				const [glob = "", ...owners] = line.split(/\s+/);
				return { pattern: toRegExp(glob), owners };
			});
		return Object.fromEntries(files.map((file) => [file, rules.findLast((r) => r.pattern.test(file))?.owners ?? []]));
	},
});
