import { createAction } from "linkspan";
import * as z from "zod";

const Claims = z.object({ iss: z.string(), exp: z.number(), user_uuid: z.uuid().optional() });

export default createAction({
	description: "Reads the claims of a token without checking it",
	input: z.object({ token: z.string(), now: z.number() }),
	output: z.object({ issuer: z.string(), expired: z.boolean(), left: z.string(), kid: z.string().nullable() }),
	exec: async (nango, { token, now }) => {
		const parts = token.split(".");
		if (parts.length !== 3) throw new nango.ActionError({ message: "three parts are needed" });
		const [header, claims] = parts.slice(0, 2).map((p) => JSON.parse(Buffer.from(p, "base64url").toString()));
		const c = Claims.parse(claims);
		const left = Math.max(0, c.exp - now);
		return { issuer: new URL(c.iss).hostname, expired: left === 0, left: `${Math.trunc(left / 60)}m${left % 60}s`, kid: header.kid ?? null };
	},
});
