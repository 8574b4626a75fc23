import { createAction } from "linkspan";
import * as z from "zod";

type Node = { name: string; size: number; children?: Node[] };

export default createAction({
	description: "Builds the tree of a drive with the size of each folder",
	input: z.object({ root: z.string() }),
	output: z.any(),
	exec: async (nango, { root }) => {
		const children = new Map<string, any[]>();
		for await (const files of nango.paginate<any>({
			endpoint: "/drive/v3/files",
			params: { fields: "nextPageToken,files(id,name,parents,size,mimeType)" },
			paginate: { type: "cursor", cursor_path_in_response: "nextPageToken", cursor_name_in_request: "pageToken", response_path: "files", limit_name_in_request: "pageSize", limit: 3 },
		}))
			for (const f of files) for (const p of f.parents ?? []) children.set(p, (children.get(p) ?? []).concat(f));
		const build = (id: string, name: string): Node => {
			const nodes = (children.get(id) ?? []).map((f) => (f.mimeType.endsWith(".folder") ? build(f.id, f.name + "/") : { name: f.name, size: Number(f.size ?? 0) }));
			nodes.sort((a, b) => b.size - a.size || (a.name > b.name ? 1 : -1));
			return { name, size: nodes.reduce((n, c) => n + c.size, 0), children: nodes };
		};
		return build(root, "/");
	},
});
