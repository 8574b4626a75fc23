import { createAction } from "linkspan";
import { CreateUnifiedTicket, UnifiedTicket } from "../../models";
import { type Issue, repositoryPath, toTicket, withPriority } from "../rest";

export default createAction({
	description: "Opens an issue in a GitHub repository and returns it. projectId is the repository, such as acme/shop; assigneeId is a login. GitHub has no priorities: a label says it, such as \"priority: high\"",
	version: "1.0.0",
	scopes: ["repo"],
	input: CreateUnifiedTicket,
	output: UnifiedTicket,
	exec: async (nango, { title, description, projectId, priority, assigneeId, labels = [] }) => {
		if (!projectId) throw new nango.ActionError({ message: "projectId is missing: the repository to open the issue in, such as acme/shop" });
		const { data } = await nango.post<Issue>({
			endpoint: `${repositoryPath(projectId)}/issues`,
			data: {
				title,
				...(description && { body: description }),
				...(assigneeId && { assignees: [assigneeId] }),
				labels: priority ? withPriority(labels, priority) : labels,
			},
		});
		return toTicket(data, projectId);
	},
});
