import { createAction } from "linkspan";
import * as z from "zod";

import { CreateUnifiedUser, UnifiedUser } from "../../models";
import { site, toUser, type User } from "../api";

export default createAction({
	description: "Invites somebody to a Jira site by mail address. The name shown is the one that the person has, or chooses, at Atlassian",
	version: "1.0.0",
	scopes: ["manage:jira-configuration"],
	input: CreateUnifiedUser.extend({ products: z.array(z.string()).optional().describe("What the user gets access to, such as jira-software or jira-servicedesk; jira-software when left out") }),
	output: UnifiedUser,

	exec: async (nango, input) => {
		const here = await site(nango);
		const { data } = await nango.post<User>({
			// https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-users/#api-rest-api-3-user-post
			endpoint: `${here.api}/user`,
			data: { emailAddress: input.email, products: input.products ?? ["jira-software"] },
		});
		// Somebody who was not at Atlassian yet is shown by address until the invitation is taken.
		return { ...toUser(data, here), name: data.displayName || input.name, email: input.email };
	},
});
