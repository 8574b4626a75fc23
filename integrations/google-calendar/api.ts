// What the functions of Google Calendar share: the shape of its events, and the model that they become.
import * as z from "zod";

import { text } from "../values";

/** An appointment, or one that repeats. */
export const CalendarEvent = z.object({
	id: z.string().describe("The calendar's id and the event's: an invitation has the same event id in all calendars"),
	eventId: z.string().describe("What the actions take as the event's id"),
	calendarId: z.string(),
	title: z.string().optional().describe("Missing where the calendar only shows when somebody is busy"),
	description: z.string().optional(),
	location: z.string().optional(),
	status: z.enum(["confirmed", "tentative", "cancelled"]).describe("cancelled: this occurrence of an event that repeats does not take place"),
	allDay: z.boolean(),
	start: z.string().optional().describe("ISO 8601 with offset, or a day when it is all day"),
	end: z.string().optional().describe("The same; the day after the last when it is all day"),
	timeZone: z.string().optional(),
	recurrence: z.array(z.string()).optional().describe("RRULE, EXDATE and the like (RFC 5545) of an event that repeats"),
	recurringEventId: z.string().optional().describe("The event that this is an occurrence of: one that differs from the others"),
	originalStart: z.string().optional().describe("When that occurrence would have been"),
	organizer: z.string().optional().describe("Mail address"),
	attendees: z.array(z.object({ email: z.string().optional(), name: z.string().optional(), response: z.string().optional(), optional: z.boolean() })),
	conferenceUrl: z.string().optional(),
	externalUrl: z.string().optional(),
	createdAt: z.string().optional(),
	updatedAt: z.string().optional(),
});

interface Time {
	date?: string;
	dateTime?: string;
	timeZone?: string;
}

/** An event as the API has it. Of cancelled ones only the ids are sure to be there. */
export interface Event {
	id: string;
	status?: string;
	summary?: string;
	description?: string;
	location?: string;
	start?: Time;
	end?: Time;
	recurrence?: string[];
	recurringEventId?: string;
	originalStartTime?: Time;
	organizer?: { email?: string };
	attendees?: { email?: string; displayName?: string; responseStatus?: string; optional?: boolean; resource?: boolean }[];
	hangoutLink?: string;
	conferenceData?: { entryPoints?: { entryPointType: string; uri: string }[] };
	htmlLink?: string;
	created?: string;
	updated?: string;
}

/** The record's id of an event. */
export function recordId(calendarId: string, event: { id: string }): string {
	return `${calendarId}/${event.id}`;
}

/** Maps an event. */
export function toEvent(calendarId: string, event: Event): z.infer<typeof CalendarEvent> {
	const video = event.conferenceData?.entryPoints?.find((entry) => entry.entryPointType === "video");
	return {
		id: recordId(calendarId, event),
		eventId: event.id,
		calendarId,
		title: text(event.summary),
		description: text(event.description),
		location: text(event.location),
		status: event.status === "tentative" || event.status === "cancelled" ? event.status : "confirmed",
		allDay: event.start?.date !== undefined,
		start: event.start?.dateTime ?? event.start?.date,
		end: event.end?.dateTime ?? event.end?.date,
		timeZone: event.start?.timeZone,
		recurrence: event.recurrence,
		recurringEventId: event.recurringEventId,
		originalStart: event.originalStartTime?.dateTime ?? event.originalStartTime?.date,
		organizer: event.organizer?.email,
		attendees: (event.attendees ?? [])
			.filter((attendee) => !attendee.resource) // rooms
			.map(({ email, displayName, responseStatus, optional }) => ({ email, name: displayName, response: responseStatus, optional: optional ?? false })),
		conferenceUrl: event.hangoutLink ?? video?.uri,
		externalUrl: event.htmlLink,
		createdAt: event.created,
		updatedAt: event.updated,
	};
}

/** A moment, or a day, as the API takes it. */
export function toTime(value: string, timeZone: string | undefined): Time {
	if (/^\d{4}-\d{2}-\d{2}$/.test(value)) return { date: value };
	return timeZone === undefined ? { dateTime: value } : { dateTime: value, timeZone };
}

/** A day, or a moment: with an offset, or as clocks show it in the event's time zone. */
export const When = z.union([z.iso.date(), z.iso.datetime({ offset: true, local: true })]);

/** What reads: the nango object of a sync. */
interface Reader {
	get<T>(config: { endpoint: string; params: Record<string, string | number>; retries: number }): Promise<{ data: T; status: number }>;
}

/** A page of what changed since a sync token, or of everything without one. */
export interface Page<T> {
	items: T[];
	/** The token for the next run; on the last page only. */
	token: string | undefined;
}

/** That a sync token is no longer accepted: everything must be read again. */
export class Expired extends Error {}

/**
 * Reads a list of the API by sync token, https://developers.google.com/workspace/calendar/api/guides/sync. Pages may be
 * empty although others follow.
 */
export async function* changes<T>(nango: Reader, endpoint: string, params: Record<string, string | number>, token: string | undefined): AsyncGenerator<Page<T>> {
	let next: string | undefined;
	do {
		const at = { ...(token === undefined ? {} : { syncToken: token }), ...(next === undefined ? {} : { pageToken: next }) };
		const answer = await nango.get<{ items?: T[]; nextPageToken?: string; nextSyncToken?: string }>({ endpoint, params: { ...params, ...at }, retries: 5 }).catch((e: { response?: { status: number } }) => {
			if (e.response?.status === 410) throw new Expired();
			throw e;
		});
		if (answer.status === 410) throw new Expired(); // replayed answers are not thrown
		next = answer.data.nextPageToken;
		yield { items: answer.data.items ?? [], token: answer.data.nextSyncToken };
	} while (next !== undefined);
}
