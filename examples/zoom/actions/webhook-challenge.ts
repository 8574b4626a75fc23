import { createAction } from "linkspan";
import { createHmac } from "crypto";
import * as z from "zod";

export default createAction({
	description: "Answers the challenge of a new webhook",
	input: z.object({ plainToken: z.string(), secret: z.string() }),
	output: z.object({ plainToken: z.string(), encryptedToken: z.string() }),
	exec: async (_nango, { plainToken, secret }) => ({ plainToken, encryptedToken: createHmac("sha256", secret).update(plainToken).digest("hex") }),
});
