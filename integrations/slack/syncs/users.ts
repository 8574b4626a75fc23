import { createSync } from "linkspan";

import { UnifiedUser } from "../../models";
import { type Answer, isPerson, type Member, pages, toUser } from "../api";

export default createSync({
	description: "Syncs the people of a Slack workspace; bots and those who left are not among them",
	version: "1.0.0",
	frequency: "every 6 hours",
	autoStart: true,
	scopes: ["users:read", "users:read.email"],
	models: { UnifiedUser },
	webhookSubscriptions: ["event_callback"],

	exec: async (nango) => {
		await nango.trackDeletesStart("UnifiedUser");
		// https://docs.slack.dev/reference/methods/users.list
		for await (const { data } of pages<Answer & { members: Member[] }>(nango, "users.list", { limit: 200 })) {
			await nango.batchSave(data.members.filter(isPerson).map(toUser), "UnifiedUser");
		}
		await nango.trackDeletesEnd("UnifiedUser");
	},

	onWebhook: async (nango, payload) => {
		const { event } = payload as { event?: { type: string; user?: Member } };
		if (event?.user === undefined || !["team_join", "user_change"].includes(event.type)) return;
		if (isPerson(event.user)) await nango.batchSave([toUser(event.user)], "UnifiedUser");
		else await nango.batchDelete([{ id: event.user.id }], "UnifiedUser");
	},
});
