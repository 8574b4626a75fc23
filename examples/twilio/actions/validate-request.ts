import { createAction } from "linkspan";
import { createHmac } from "crypto";
import * as z from "zod";

export default createAction({
	description: "Checks the signature of a callback",
	input: z.object({ token: z.string(), url: z.string(), params: z.record(z.string(), z.union([z.string(), z.array(z.string())])), signature: z.string() }),
	output: z.object({ valid: z.boolean(), computed: z.string() }),
	exec: async (_nango, { token, url, params, signature }) => {
		const data = Object.keys(params)
			.sort()
			.reduce((acc, k) => acc + [params[k]].flat().map((v) => k + v).join(""), url);
		const computed = createHmac("sha1", token).update(Buffer.from(data, "utf-8")).digest("base64");
		return { valid: computed === signature, computed };
	},
});
