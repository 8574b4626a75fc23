import { createSync } from "linkspan";
import { UnifiedUser } from "../../models";
import { email } from "../../values";
import { type Connection, graphql } from "../graphql";

interface LinearUser {
	id: string;
	name: string;
	displayName: string;
	email?: string | null;
	url: string;
	admin: boolean;
	guest: boolean;
}

const query = `query($after: String) {
	users(first: 100, after: $after) { nodes { id name displayName email url admin guest } pageInfo { hasNextPage endCursor } }
}`;

export default createSync({
	description: "Syncs the people of a Linear workspace. Their id is what tickets name as requester and assignee. Who is suspended counts as deleted",
	version: "1.0.0",
	frequency: "every day",
	autoStart: true,
	scopes: ["read"],
	models: { UnifiedUser },
	exec: async (nango) => {
		await nango.trackDeletesStart("UnifiedUser");
		for (let after: string | null | undefined; ; ) {
			const { users } = await graphql<{ users: Connection<LinearUser> }>(nango, query, after ? { after } : {});
			await nango.batchSave(
				users.nodes.map((user) => ({ id: user.id, name: user.name, email: email(user.email), externalUrl: user.url, raw: user })),
				"UnifiedUser",
			);
			after = users.pageInfo.endCursor;
			if (!users.pageInfo.hasNextPage || !after) break;
		}
		await nango.trackDeletesEnd("UnifiedUser");
	},
});
