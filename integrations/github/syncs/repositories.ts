import { createSync } from "linkspan";
import * as z from "zod";
import { text } from "../../values";

const Repository = z.object({
	id: z.string(),
	fullName: z.string().describe("What tickets name as their projectId, such as acme/shop"),
	description: z.string().optional(),
	private: z.boolean(),
	archived: z.boolean(),
	fork: z.boolean(),
	defaultBranch: z.string(),
	language: z.string().optional(),
	topics: z.array(z.string()),
	openIssues: z.number().describe("Open issues and pull requests"),
	externalUrl: z.url(),
	createdAt: z.string(),
	pushedAt: z.string().optional(),
});

interface GitHubRepository {
	id: number;
	full_name: string;
	description?: string | null;
	private: boolean;
	archived?: boolean;
	fork: boolean;
	default_branch: string;
	language?: string | null;
	topics?: string[];
	open_issues_count: number;
	html_url: string;
	created_at: string;
	pushed_at?: string | null;
}

export default createSync({
	description: "Syncs the GitHub repositories that the account owns, works on, or sees through an organization. Those that are gone are deleted",
	version: "1.0.0",
	frequency: "every day",
	autoStart: true,
	scopes: ["repo"],
	models: { Repository },
	exec: async (nango) => {
		await nango.trackDeletesStart("Repository");
		for await (const page of nango.paginate<GitHubRepository>({ endpoint: "/user/repos", params: { sort: "full_name" }, paginate: { limit: 100 }, retries: 5 })) {
			await nango.batchSave(
				page.map((r) => ({
					id: String(r.id),
					fullName: r.full_name,
					description: text(r.description),
					private: r.private,
					archived: r.archived ?? false,
					fork: r.fork,
					defaultBranch: r.default_branch,
					language: text(r.language),
					topics: r.topics ?? [],
					openIssues: r.open_issues_count,
					externalUrl: r.html_url,
					createdAt: r.created_at,
					pushedAt: r.pushed_at ?? undefined,
				})),
				"Repository",
			);
		}
		await nango.trackDeletesEnd("Repository");
	},
});
