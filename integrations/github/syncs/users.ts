import { createSync } from "linkspan";
import * as z from "zod";
import { UnifiedUser } from "../../models";

interface Member {
	login: string;
	html_url: string;
	type: string;
}

export default createSync({
	description: "Syncs the members of GitHub organizations. Their id is the login that tickets name as requester and assignee. Who has left is deleted",
	version: "1.0.0",
	frequency: "every day",
	autoStart: true,
	scopes: ["read:org"],
	models: { UnifiedUser },
	metadata: z.object({ organizations: z.array(z.string()).optional().describe("Logins of organizations. All that the account belongs to, unless given") }),
	exec: async (nango) => {
		let organizations = (await nango.getMetadata())?.organizations;
		if (!organizations) {
			organizations = [];
			for await (const page of nango.paginate<{ login: string }>({ endpoint: "/user/orgs", paginate: { limit: 100 }, retries: 5 })) organizations.push(...page.map(({ login }) => login));
		}
		await nango.trackDeletesStart("UnifiedUser");
		for (const organization of organizations) {
			for await (const page of nango.paginate<Member>({ endpoint: `/orgs/${encodeURIComponent(organization)}/members`, paginate: { limit: 100 }, retries: 5 })) {
				await nango.batchSave(
					page.map((member) => ({ id: member.login, name: member.login, externalUrl: member.html_url, raw: member })),
					"UnifiedUser",
				);
			}
		}
		await nango.trackDeletesEnd("UnifiedUser");
	},
});
