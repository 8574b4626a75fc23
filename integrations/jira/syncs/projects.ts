import { createSync } from "linkspan";
import * as z from "zod";

import { site } from "../api";

const Project = z.object({
	id: z.string(),
	key: z.string().describe("What the keys of its issues begin with, such as ENG"),
	name: z.string(),
	type: z.string().optional().describe("software, service_desk or business"),
	leadId: z.string().optional().describe("The user who leads it"),
	description: z.string().optional(),
	externalUrl: z.url().optional(),
});

interface Answer {
	id: string;
	key: string;
	name: string;
	projectTypeKey?: string;
	description?: string;
	lead?: { accountId: string };
}

export default createSync({
	description: "Syncs the projects of a Jira site: what an issue can be created in, and a choice for whose issues to sync",
	version: "1.0.0",
	frequency: "every day",
	autoStart: true,
	scopes: ["read:jira-work"],
	models: { Project },

	exec: async (nango) => {
		const { api, url } = await site(nango);
		await nango.trackDeletesStart("Project");
		for await (const projects of nango.paginate<Answer>({
			// https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-projects/#api-rest-api-3-project-search-get
			endpoint: `${api}/project/search`,
			params: { expand: "description,lead", orderBy: "key" },
			paginate: { type: "offset", offset_name_in_request: "startAt", limit_name_in_request: "maxResults", limit: 50, response_path: "values" },
			retries: 5,
		})) {
			await nango.batchSave(
				projects.map((project) => ({
					id: project.id,
					key: project.key,
					name: project.name,
					type: project.projectTypeKey,
					leadId: project.lead?.accountId,
					description: project.description || undefined,
					externalUrl: url && `${url}/browse/${project.key}`,
				})),
				"Project",
			);
		}
		await nango.trackDeletesEnd("Project");
	},
});
