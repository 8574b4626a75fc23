import { createAction } from "linkspan";
import * as z from "zod";

import { UnifiedUser } from "../../models";
import { type Answer, checked, type Member, toUser } from "../api";

export default createAction({
	description: "Finds who in a Slack workspace has a mail address; null when nobody has",
	version: "1.0.0",
	scopes: ["users:read", "users:read.email"],
	input: z.object({ email: z.email() }),
	output: UnifiedUser.nullable(),

	exec: async (nango, { email }) => {
		// https://docs.slack.dev/reference/methods/users.lookupByEmail
		const { data } = await nango.get<Answer & { user: Member }>({ endpoint: "/users.lookupByEmail", params: { email }, retries: 3 });
		if (data.error === "users_not_found") return null;
		return toUser(checked("users.lookupByEmail", data).user);
	},
});
