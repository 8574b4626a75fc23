// What the functions of Jira share: where a site's API is, the shapes of its answers, and how they become unified models.
import { ActionError } from "linkspan";

import type { TicketPriority, TicketStatus, UnifiedTicket, UnifiedUser } from "../models";
import { email, text, timestamp } from "../values";
import { type Document, plain } from "./document";

/** A Jira site. */
export interface Site {
	/** What endpoints begin with: with OAuth, the sites' APIs are all on one host. */
	api: string;
	/** Where people find the site, when the connection says so. */
	url: string | undefined;
}

/** Tells which site the connection is for. */
export async function site(nango: { getConnection(): Promise<{ connection_config: Record<string, unknown> }> }): Promise<Site> {
	const { cloudId, baseUrl } = (await nango.getConnection()).connection_config;
	if (typeof cloudId !== "string" || cloudId === "") throw new ActionError({ message: "The connection does not say which Jira site it is for. Connect it again." });
	return { api: `/ex/jira/${cloudId}/rest/api/3`, url: text(baseUrl)?.replace(/\/+$/, "") };
}

/** A user, as far as it is read here. Profiles decide whether the address is shown. */
export interface User {
	accountId: string;
	accountType?: string;
	displayName?: string;
	emailAddress?: string;
	active?: boolean;
}

/** An issue with the fields of `fields`. */
export interface Issue {
	id: string;
	key: string;
	fields: {
		summary?: string | null;
		description?: Document | null;
		status?: { name: string; statusCategory?: { key: string } } | null;
		priority?: { name: string } | null;
		project?: { id: string; key: string } | null;
		reporter?: User | null;
		assignee?: User | null;
		labels?: string[];
		created: string;
		updated: string;
	};
}

/** The fields of issues that are read: all of them would be hundreds. */
export const fields = ["summary", "description", "status", "priority", "project", "reporter", "assignee", "labels", "created", "updated"];

/** How names of priorities, which sites may change, are understood. */
const priorities: Record<string, TicketPriority> = {
	urgent: "urgent",
	blocker: "urgent",
	critical: "urgent",
	highest: "urgent",
	high: "high",
	major: "high",
	medium: "normal",
	normal: "normal",
	low: "low",
	minor: "low",
	lowest: "low",
	trivial: "low",
};

/** The names that priorities have in a new site. */
export const priorityName: Record<TicketPriority, string> = { urgent: "Highest", high: "High", normal: "Medium", low: "Low" };

/** A unified status by the name and the category that each status of a workflow has. */
export function toStatus(status: { name: string; statusCategory?: { key: string } } | null | undefined): TicketStatus {
	switch (status?.statusCategory?.key) {
		case "done":
			return "closed";
		case "indeterminate":
			return /\b(wait|hold|block|pending|pause)/i.test(status.name) ? "waiting" : "in_progress";
		default:
			return "open";
	}
}

/** Maps an issue. */
export function toTicket(issue: Issue, { url }: Site): UnifiedTicket {
	const f = issue.fields;
	return {
		id: issue.id,
		key: issue.key,
		title: text(f.summary) ?? issue.key,
		description: text(plain(f.description)),
		status: toStatus(f.status),
		statusName: f.status?.name,
		priority: priorities[f.priority?.name.toLowerCase() ?? ""],
		projectId: f.project?.id,
		requesterId: f.reporter?.accountId,
		assigneeId: f.assignee?.accountId,
		labels: f.labels ?? [],
		externalUrl: url && `${url}/browse/${issue.key}`,
		createdAt: timestamp(f.created) ?? f.created,
		updatedAt: timestamp(f.updated) ?? f.updated,
		raw: issue,
	};
}

/** Maps a user. */
export function toUser(user: User, { url }: Site): UnifiedUser & { id: string } {
	return {
		id: user.accountId,
		name: text(user.displayName),
		email: email(user.emailAddress),
		externalUrl: url && `${url}/jira/people/${encodeURIComponent(user.accountId)}`,
		raw: user,
	};
}

/** Labels as Jira takes them: without spaces. */
export function toLabels(labels: string[] | undefined): string[] | undefined {
	return labels?.map((label) => label.trim().replace(/\s+/g, "-"));
}
