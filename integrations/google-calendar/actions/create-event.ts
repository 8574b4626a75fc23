import { randomUUID } from "node:crypto";

import { createAction } from "linkspan";
import * as z from "zod";

import { defined } from "../../values";
import { CalendarEvent, type Event, toEvent, toTime, When } from "../api";

export default createAction({
	description: "Creates an event in a Google calendar, all day when start and end are days, and invites people to it",
	version: "1.0.0",
	scopes: ["https://www.googleapis.com/auth/calendar.events"],
	input: z.object({
		calendarId: z.string().optional().describe("The user's own calendar when left out"),
		title: z.string().min(1),
		description: z.string().optional(),
		location: z.string().optional(),
		start: When.describe("A moment such as 2026-03-02T09:30:00+01:00, or a day such as 2026-03-02"),
		end: When.describe("The same kind; for days, the day after the last"),
		timeZone: z.string().optional().describe("Such as Europe/Vienna; needed for what repeats and for moments without offset"),
		attendees: z.array(z.email()).optional().describe("Mail addresses of people to invite"),
		recurrence: z.array(z.string()).optional().describe("Rules for an event that repeats, such as RRULE:FREQ=WEEKLY;COUNT=10"),
		videoCall: z.boolean().optional().describe("Whether to add a Google Meet"),
		notify: z.boolean().optional().describe("Whether invitations are sent; true when left out"),
	}),
	output: CalendarEvent,

	exec: async (nango, input) => {
		const calendarId = input.calendarId ?? "primary";
		const call = { createRequest: { requestId: randomUUID(), conferenceSolutionKey: { type: "hangoutsMeet" } } };
		const { data } = await nango.post<Event>({
			// https://developers.google.com/workspace/calendar/api/v3/reference/events/insert
			endpoint: `/calendar/v3/calendars/${encodeURIComponent(calendarId)}/events`,
			params: { sendUpdates: input.notify === false ? "none" : "all", ...(input.videoCall ? { conferenceDataVersion: 1 } : {}) },
			data: defined({
				summary: input.title,
				description: input.description,
				location: input.location,
				start: toTime(input.start, input.timeZone),
				end: toTime(input.end, input.timeZone),
				attendees: input.attendees?.map((email) => ({ email })),
				recurrence: input.recurrence,
				conferenceData: input.videoCall ? call : undefined,
			}),
		});
		return toEvent(calendarId, data);
	},
});
