import { createAction } from "linkspan";
import { createHash } from "crypto";
import * as z from "zod";

export default createAction({
	description: "Compares a file's content hash with the one of its blocks",
	input: z.object({ path: z.string(), content: z.string(), blockSize: z.number().optional() }),
	output: z.object({ hash: z.string(), unchanged: z.boolean() }),
	exec: async (nango, { path, content, blockSize = 4 * 1024 * 1024 }) => {
		const bytes = new TextEncoder().encode(content);
		const outer = createHash("sha256");
		for (let i = 0; i < bytes.length; i += blockSize) outer.update(createHash("sha256").update(bytes.subarray(i, i + blockSize)).digest());
		const hash = outer.digest("hex");
		const { data } = await nango.post({ endpoint: "/2/files/get_metadata", data: { path } });
		return { hash, unchanged: data.content_hash === hash };
	},
});
