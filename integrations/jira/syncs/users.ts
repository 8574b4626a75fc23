import { createSync } from "linkspan";
import * as z from "zod";

import { UnifiedUser } from "../../models";
import { site, toUser, type User } from "../api";

/** A user with what only Jira has. */
const JiraUser = UnifiedUser.extend({
	accountType: z.string().optional().describe("atlassian for people with an account, customer for those of a service desk"),
});

export default createSync({
	description: "Syncs the people of a Jira site, apps not. Who is deactivated counts as deleted",
	version: "1.0.0",
	frequency: "every day",
	autoStart: true,
	scopes: ["read:jira-user"],
	models: { UnifiedUser: JiraUser },
	checkpoint: z.object({ startAt: z.number() }),

	exec: async (nango) => {
		const here = await site(nango);
		await nango.trackDeletesStart("UnifiedUser");
		for (let startAt = (await nango.getCheckpoint())?.startAt ?? 0; ; ) {
			// Pages may be shorter than asked for, so only an empty one is the end.
			const { data } = await nango.get<User[]>({
				// https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-users/#api-rest-api-3-users-search-get
				endpoint: `${here.api}/users/search`,
				params: { startAt, maxResults: 200 },
				retries: 5,
			});
			if (data.length === 0) break;
			const people = data.filter((user) => user.accountType !== "app" && user.active !== false);
			await nango.batchSave(people.map((user) => ({ ...toUser(user, here), accountType: user.accountType })), "UnifiedUser");
			startAt += data.length;
			await nango.saveCheckpoint({ startAt });
		}
		await nango.clearCheckpoint();
		await nango.trackDeletesEnd("UnifiedUser");
	},
});
