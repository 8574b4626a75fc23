import { createAction } from "linkspan";
import crypto from "node:crypto";
import * as z from "zod";

export default createAction({
	description: "Checks the signature header of an event and how old it is",
	input: z.object({ header: z.string(), payload: z.string(), secret: z.string(), now: z.number(), tolerance: z.number().optional() }),
	output: z.object({ ok: z.boolean(), reason: z.string().optional() }),
	exec: async (nango, input) => {
		const parts = input.header.split(",").map((p) => p.split("=", 2) as [string, string]);
		const t = Number(parts.find(([k]) => k === "t")?.[1]);
		if (!Number.isFinite(t)) throw new nango.ActionError({ message: "no timestamp", header: input.header });
		const expected = crypto.createHmac("sha256", input.secret).update(`${t}.${input.payload}`).digest();
		const known = parts.some(([k, v]) => k === "v1" && v.length === 64 && crypto.timingSafeEqual(Buffer.from(v, "hex"), expected));
		if (!known) return { ok: false, reason: "no signature matches" };
		if (input.now - t > (input.tolerance ?? 300)) return { ok: false, reason: `${input.now - t} seconds old` };
		return { ok: true };
	},
});
