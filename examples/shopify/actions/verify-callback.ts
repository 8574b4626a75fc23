import { createAction } from "linkspan";
import { createHmac, timingSafeEqual } from "node:crypto";
import * as z from "zod";

export default createAction({
	description: "Checks the hmac of a callback's query",
	input: z.object({ url: z.url(), secret: z.string() }),
	output: z.object({ valid: z.boolean(), shop: z.string().nullable() }),
	exec: async (_nango, { url, secret }) => {
		const query = new URL(url).searchParams;
		const given = query.get("hmac") ?? "";
		query.delete("hmac");
		query.sort();
		const message = [...query].map(([k, v]) => `${k}=${v}`).join("&");
		const digest = createHmac("sha256", secret).update(message).digest();
		const theirs = Buffer.from(given, "hex");
		return { valid: theirs.length === digest.length && timingSafeEqual(theirs, digest), shop: query.get("shop") };
	},
});
