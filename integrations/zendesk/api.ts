// What the functions of Zendesk share: the shapes of its Support API, and how they become unified models.
import { ActionError } from "linkspan";

import type { TicketStatus, UnifiedTicket, UnifiedUser } from "../models";
import { email, text, timestamp } from "../values";

/** A ticket, as far as it is read here. */
export interface Ticket {
	id: number;
	url: string;
	subject?: string | null;
	raw_subject?: string | null;
	description?: string | null;
	status: string;
	priority?: string | null;
	group_id?: number | null;
	requester_id?: number | null;
	assignee_id?: number | null;
	tags?: string[];
	created_at: string;
	updated_at: string;
}

/** Somebody who works in or writes to a Zendesk, as far as it is read here. */
export interface User {
	id: number;
	url: string;
	name: string;
	email?: string | null;
	role?: string;
	active?: boolean;
}

/** A page of an incremental export. */
export interface Export {
	after_cursor: string | null;
	end_of_stream: boolean;
}

const statuses: Record<string, TicketStatus> = { new: "open", open: "open", pending: "waiting", hold: "waiting", solved: "closed", closed: "closed" };

/** The status to set for a unified one. Work that has begun is "open" in Zendesk, as is work that has not. */
export const statusOf: Record<TicketStatus, string> = { open: "open", in_progress: "open", waiting: "pending", closed: "solved" };

/** The page of the agents' interface that shows something; answers only name the API's address. */
function page(url: string, path: string): string | undefined {
	const origin = /^https:\/\/[^/]+/.exec(url)?.[0];
	return origin && `${origin}/agent/${path}`;
}

/** An id as Zendesk takes it. What is no number would be sent as null, which takes away what is there. */
export function idNumber(name: string, id: string | undefined): number | undefined {
	if (id === undefined) return undefined;
	if (!/^\d+$/.test(id)) throw new ActionError({ message: `${name} is ${JSON.stringify(id)}; ids of Zendesk are numbers, such as 35436` });
	return Number(id);
}

/** Maps a ticket. */
export function toTicket(ticket: Ticket): UnifiedTicket {
	return {
		id: String(ticket.id),
		title: text(ticket.subject) ?? text(ticket.raw_subject) ?? `#${ticket.id}`,
		description: text(ticket.description),
		status: statuses[ticket.status] ?? "open",
		statusName: ticket.status,
		priority: toPriority(ticket.priority),
		projectId: text(ticket.group_id),
		requesterId: text(ticket.requester_id),
		assigneeId: text(ticket.assignee_id),
		labels: ticket.tags ?? [],
		externalUrl: page(ticket.url, `tickets/${ticket.id}`),
		createdAt: timestamp(ticket.created_at) ?? ticket.created_at,
		updatedAt: timestamp(ticket.updated_at) ?? ticket.updated_at,
		raw: ticket,
	};
}

function toPriority(priority: string | null | undefined): UnifiedTicket["priority"] {
	switch (priority) {
		case "low":
		case "normal":
		case "high":
		case "urgent":
			return priority;
		default:
			return undefined; // tickets need no priority
	}
}

/** Maps a user. */
export function toUser(user: User): UnifiedUser & { id: string } {
	return { id: String(user.id), name: text(user.name), email: email(user.email), externalUrl: page(user.url, `users/${user.id}`), raw: user };
}
