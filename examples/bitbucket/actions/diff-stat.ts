import { createAction } from "linkspan";
import * as z from "zod";

export default createAction({
	description: "Counts changed lines by file extension of a unified diff",
	input: z.object({ workspace: z.string(), repo: z.string(), spec: z.string() }),
	output: z.record(z.string(), z.object({ files: z.number(), added: z.number(), removed: z.number() })),
	exec: async (nango, { workspace, repo, spec }) => {
		const { data } = await nango.get<string>({ endpoint: `/2.0/repositories/${workspace}/${repo}/diff/${spec}`, responseType: "text" });
		const out: Record<string, { files: number; added: number; removed: number }> = {};
		let current: { files: number; added: number; removed: number } | undefined;
		let hunk = false;
		for (const line of data.split("\n")) {
			const file = /^diff --git a\/.* b\/(?:.*\/)?(?<name>[^/]+)$/.exec(line)?.groups?.name;
			if (file !== undefined) {
				const dot = file.lastIndexOf(".");
				current = out[dot > 0 ? file.slice(dot) : "none"] ??= { files: 0, added: 0, removed: 0 };
				current.files++;
				hunk = false;
			} else if (line.startsWith("@@")) hunk = true;
			else if (hunk && line[0] === "+") current!.added++;
			else if (hunk && line[0] === "-") current!.removed++;
		}
		return out;
	},
});
