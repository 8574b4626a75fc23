import { ActionError, type NangoAction } from "linkspan";
import { text } from "../values";
import { TicketPriority, type UnifiedTicket } from "../models";

/** An issue of GitHub's REST API. Pull requests are issues as well. */
export interface Issue {
	number: number;
	title: string;
	body?: string | null;
	state: "open" | "closed";
	state_reason?: string | null;
	html_url: string;
	created_at: string;
	updated_at: string;
	user?: { login: string } | null;
	assignee?: { login: string } | null;
	labels: (string | { name?: string | null })[];
	pull_request?: unknown;
}

/** A repository by its full name, as it stands in paths. */
export function repositoryPath(fullName: string): string {
	const match = /^([\w-][\w.-]*)\/(?!\.{1,2}$)([\w.-]+)$/.exec(fullName);
	if (!match) throw new ActionError({ message: `${JSON.stringify(fullName)} is no repository of GitHub; its name looks like acme/shop` });
	return `/repos/${match[1]}/${match[2]}`;
}

/** The path of the ticket with an id such as acme/shop#42. */
export function issuePath(id: string): string {
	const match = /^(.+)#([1-9]\d*)$/.exec(id);
	if (!match) throw new ActionError({ message: `${JSON.stringify(id)} is no ticket of GitHub; its id looks like acme/shop#42` });
	return `${repositoryPath(match[1] ?? "")}/issues/${match[2]}`;
}

/** What the label that says a priority begins with: GitHub has none of its own. */
const priorityPrefix = "priority: ";

/** The names of an issue's labels. */
export function labelNames(issue: Pick<Issue, "labels">): string[] {
	return issue.labels.map((label) => (typeof label === "string" ? label : (label.name ?? ""))).filter(Boolean);
}

/** The labels with that of the priority in place of another one. */
export function withPriority(labels: string[], priority: TicketPriority): string[] {
	return [...labels.filter((label) => !priorityOf([label])), priorityPrefix + priority];
}

/** The priority that labels say. */
function priorityOf(labels: string[]): TicketPriority | undefined {
	return TicketPriority.options.find((priority) => labels.some((label) => label.toLowerCase() === priorityPrefix + priority));
}

/** An issue in the shape of all ticketing systems. */
export function toTicket(issue: Issue, repository: string): UnifiedTicket {
	const id = `${repository}#${issue.number}`;
	const labels = labelNames(issue);
	return {
		id,
		key: id,
		title: issue.title,
		description: text(issue.body),
		status: issue.state === "closed" ? "closed" : "open",
		statusName: text(issue.state_reason) ?? issue.state,
		priority: priorityOf(labels),
		projectId: repository,
		requesterId: issue.user?.login,
		assigneeId: issue.assignee?.login,
		labels,
		externalUrl: issue.html_url,
		createdAt: issue.created_at,
		updatedAt: issue.updated_at,
		raw: issue,
	};
}

/** The repositories that the account works with, by their full names. */
export async function repositories(nango: Pick<NangoAction, "paginate">): Promise<string[]> {
	const names: string[] = [];
	for await (const page of nango.paginate<{ full_name: string; archived: boolean; has_issues: boolean }>({
		endpoint: "/user/repos",
		params: { sort: "full_name" },
		paginate: { limit: 100 },
		retries: 5,
	})) {
		names.push(...page.filter((r) => r.has_issues && !r.archived).map((r) => r.full_name));
	}
	return names;
}
