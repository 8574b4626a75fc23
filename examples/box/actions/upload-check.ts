import { createAction } from "linkspan";
import { createHash } from "crypto";
import * as z from "zod";

export default createAction({
	description: "Prepares the parts of a chunked upload with their digests",
	input: z.object({ content: z.string(), part: z.number().int().positive() }),
	output: z.object({ digest: z.string(), parts: z.array(z.object({ range: z.string(), digest: z.string() })) }),
	exec: async (_nango, { content, part }) => {
		const file = Buffer.from(content, "latin1");
		const sha = (b: Buffer) => "sha=" + createHash("sha1").update(b).digest("base64");
		const parts = Array.from({ length: Math.ceil(file.length / part) }, (_, i) => {
			const slice = file.subarray(i * part, (i + 1) * part);
			return { range: `bytes ${i * part}-${i * part + slice.length - 1}/${file.length}`, digest: sha(slice) };
		});
		return { digest: sha(file), parts };
	},
});
