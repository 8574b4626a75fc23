import { createAction } from "linkspan";

import { CreateUnifiedUser, UnifiedUser } from "../../models";
import { toUser, type User } from "../api";

export default createAction({
	description: "Creates a customer (end user) in Zendesk, who may then request tickets",
	version: "1.0.0",
	scopes: ["users:write"],
	input: CreateUnifiedUser,
	output: UnifiedUser,

	exec: async (nango, input) => {
		const response = await nango.post<{ user: User }>({
			// https://developer.zendesk.com/api-reference/ticketing/users/users/#create-user
			endpoint: "/api/v2/users",
			data: { user: { name: input.name, email: input.email, role: "end-user" } },
		});
		return toUser(response.data.user);
	},
});
