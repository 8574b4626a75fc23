import { createSync } from "linkspan";
import { UnifiedUser } from "../../models";
import { email, text } from "../../values";

interface NotionUser {
	id: string;
	type?: "person" | "bot";
	name?: string | null;
	avatar_url?: string | null;
	person?: { email?: string };
}

export default createSync({
	description: "Syncs the people of a Notion workspace, without guests and bots. Addresses need the capability to read them. Who has left is deleted",
	version: "1.0.0",
	frequency: "every day",
	autoStart: true,
	models: { UnifiedUser },
	exec: async (nango) => {
		await nango.trackDeletesStart("UnifiedUser");
		for await (const page of nango.paginate<NotionUser>({ endpoint: "/v1/users", paginate: { limit: 100 }, retries: 5 })) {
			await nango.batchSave(
				page.filter(({ type }) => type === "person").map((user) => ({ id: user.id, name: text(user.name), email: email(user.person?.email), raw: user })),
				"UnifiedUser",
			);
		}
		await nango.trackDeletesEnd("UnifiedUser");
	},
});
