import type { NangoAction } from "linkspan";
import type { TicketPriority, TicketStatus, UnifiedTicket } from "../models";
import { text } from "../values";

/** A page of a connection, in the words of GraphQL. */
export interface Connection<T> {
	nodes: T[];
	pageInfo: { hasNextPage: boolean; endCursor?: string | null };
}

/** Linear answers with 200 or 400 and `errors` when a query fails. */
interface Answer<T> {
	data?: T | null;
	errors?: { message: string; extensions?: { userPresentableMessage?: string } }[];
}

/** Sends a query, and fails with what Linear says if it refuses it. */
export async function graphql<T>(nango: Pick<NangoAction, "post" | "ActionError">, query: string, variables: Record<string, unknown>, retries = 5): Promise<T> {
	const { data } = await nango.post<Answer<T>>({ endpoint: "/graphql", data: { query: query.replace(/\s+/g, " ").trim(), variables }, retries });
	if (data.errors?.length || !data.data) {
		const messages = data.errors?.map((error) => error.extensions?.userPresentableMessage ?? error.message) ?? [];
		throw new nango.ActionError({ message: `Linear refused the query: ${messages.join("; ") || "no data"}` });
	}
	return data.data;
}

/** An issue with the fields of issueFields. */
export interface Issue {
	id: string;
	identifier: string;
	title: string;
	description?: string | null;
	priority: number;
	url: string;
	createdAt: string;
	updatedAt: string;
	archivedAt?: string | null;
	trashed?: boolean | null;
	state: { name: string; type: string };
	team: { id: string };
	creator?: { id: string } | null;
	assignee?: { id: string } | null;
	labels: { nodes: { name: string }[] };
}

/** The fields that make a UnifiedTicket. */
export const issueFields = `id identifier title description priority url createdAt updatedAt archivedAt trashed
	state { name type } team { id } creator { id } assignee { id } labels { nodes { name } }`;

/** Linear's kinds of states, in the words of all ticketing systems. */
const statuses: Record<string, TicketStatus> = { triage: "open", backlog: "open", unstarted: "open", started: "in_progress", completed: "closed", canceled: "closed", duplicate: "closed" };

/** The kind of state that a status is for when a ticket is moved to it. */
const stateTypes: Record<TicketStatus, string> = { open: "unstarted", in_progress: "started", waiting: "started", closed: "completed" };

/** Linear's priorities from 0: none. */
const priorities: (TicketPriority | undefined)[] = [undefined, "urgent", "high", "normal", "low"];

/** The number of a priority. */
export function priorityNumber(priority: TicketPriority): number {
	return priorities.indexOf(priority);
}

/** An issue in the shape of all ticketing systems. */
export function toTicket(issue: Issue): UnifiedTicket {
	return {
		id: issue.id,
		key: issue.identifier,
		title: issue.title,
		description: text(issue.description),
		status: statuses[issue.state.type] ?? "open",
		statusName: issue.state.name,
		priority: priorities[issue.priority],
		projectId: issue.team.id,
		requesterId: issue.creator?.id,
		assigneeId: issue.assignee?.id,
		labels: issue.labels.nodes.map(({ name }) => name),
		externalUrl: issue.url,
		createdAt: issue.createdAt,
		updatedAt: issue.updatedAt,
		raw: issue,
	};
}

/** The ids of labels by their names, of the team and of the workspace. A name that there is not is an error. */
export async function labelIds(nango: Pick<NangoAction, "post" | "ActionError">, team: string, names: string[]): Promise<string[]> {
	if (names.length === 0) return [];
	const { issueLabels } = await graphql<{ issueLabels: Connection<{ id: string; name: string; team?: { id: string } | null }> }>(
		nango,
		"query($names: [String!]) { issueLabels(first: 250, filter: { name: { in: $names } }) { nodes { id name team { id } } } }",
		{ names },
	);
	return names.map((name) => {
		const label = issueLabels.nodes.find((l) => l.name === name && (!l.team || l.team.id === team));
		if (!label) throw new nango.ActionError({ message: `The team has no label ${JSON.stringify(name)} in Linear` });
		return label.id;
	});
}

/** The first state of a team that says the status. */
export async function stateId(nango: Pick<NangoAction, "post" | "ActionError">, team: string, status: TicketStatus): Promise<string> {
	const { workflowStates } = await graphql<{ workflowStates: Connection<{ id: string; position: number }> }>(
		nango,
		"query($team: ID!, $type: String!) { workflowStates(filter: { team: { id: { eq: $team } }, type: { eq: $type } }) { nodes { id position } } }",
		{ team, type: stateTypes[status] },
	);
	const [first] = workflowStates.nodes.sort((a, b) => a.position - b.position);
	if (!first) throw new nango.ActionError({ message: `The team has no state of the kind ${stateTypes[status]} in Linear` });
	return first.id;
}
