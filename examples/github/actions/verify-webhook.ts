import { createAction } from "linkspan";
import { createHmac, timingSafeEqual } from "crypto";
import * as z from "zod";

export default createAction({
	description: "Checks the signature of a delivery",
	input: z.object({ secret: z.string(), body: z.string(), signature: z.string() }),
	output: z.object({ valid: z.boolean(), expected: z.string() }),
	exec: async (_nango, input) => {
		const expected = "sha256=" + createHmac("sha256", input.secret).update(input.body, "utf8").digest("hex");
		const a = Buffer.from(expected);
		const b = Buffer.from(input.signature);
		return { valid: a.length === b.length && timingSafeEqual(a, b), expected };
	},
});
