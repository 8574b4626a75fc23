import { createSync } from "linkspan";
import * as z from "zod";
import { text } from "../../values";
import { type Connection, graphql } from "../graphql";

const Project = z.object({
	id: z.string(),
	name: z.string(),
	description: z.string().optional(),
	status: z.string().describe("By the workspace's own name"),
	statusType: z.string().describe("backlog, planned, started, paused, completed or canceled"),
	progress: z.number().describe("From 0 to 1"),
	leadId: z.string().optional(),
	teamIds: z.array(z.string()),
	startDate: z.string().optional(),
	targetDate: z.string().optional(),
	externalUrl: z.url(),
	updatedAt: z.string(),
});

interface LinearProject {
	id: string;
	name: string;
	description?: string | null;
	status: { name: string; type: string };
	progress: number;
	lead?: { id: string } | null;
	teams: { nodes: { id: string }[] };
	startDate?: string | null;
	targetDate?: string | null;
	url: string;
	updatedAt: string;
}

const query = `query($after: String) {
	projects(first: 50, after: $after) {
		nodes { id name description status { name type } progress lead { id } teams { nodes { id } } startDate targetDate url updatedAt }
		pageInfo { hasNextPage endCursor }
	}
}`;

export default createSync({
	description: "Syncs the projects of Linear with how far they are. Those that are archived or gone are deleted",
	version: "1.0.0",
	frequency: "every hour",
	autoStart: true,
	scopes: ["read"],
	models: { Project },
	exec: async (nango) => {
		await nango.trackDeletesStart("Project");
		for (let after: string | null | undefined; ; ) {
			const { projects } = await graphql<{ projects: Connection<LinearProject> }>(nango, query, after ? { after } : {});
			await nango.batchSave(
				projects.nodes.map((p) => ({
					id: p.id,
					name: p.name,
					description: text(p.description),
					status: p.status.name,
					statusType: p.status.type,
					progress: p.progress,
					leadId: p.lead?.id,
					teamIds: p.teams.nodes.map(({ id }) => id),
					startDate: text(p.startDate),
					targetDate: text(p.targetDate),
					externalUrl: p.url,
					updatedAt: p.updatedAt,
				})),
				"Project",
			);
			after = projects.pageInfo.endCursor;
			if (!projects.pageInfo.hasNextPage || !after) break;
		}
		await nango.trackDeletesEnd("Project");
	},
});
