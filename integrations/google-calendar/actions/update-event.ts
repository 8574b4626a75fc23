import { createAction } from "linkspan";
import * as z from "zod";

import { defined } from "../../values";
import { CalendarEvent, type Event, toEvent, toTime, When } from "../api";

export default createAction({
	description: "Changes an event in a Google calendar: moves it, renames it, cancels it or changes who is invited. What is left out stays as it is",
	version: "1.0.0",
	scopes: ["https://www.googleapis.com/auth/calendar.events"],
	input: z.object({
		calendarId: z.string().optional().describe("The user's own calendar when left out"),
		eventId: z.string().min(1),
		title: z.string().min(1).optional(),
		description: z.string().optional(),
		location: z.string().optional(),
		start: When.optional().describe("A moment such as 2026-03-02T09:30:00+01:00, or a day such as 2026-03-02"),
		end: When.optional().describe("The same kind; for days, the day after the last"),
		timeZone: z.string().optional().describe("Of moments without offset, such as Europe/Vienna"),
		attendees: z.array(z.email()).optional().describe("All who are to be invited: it replaces those who were"),
		cancel: z.boolean().optional().describe("true cancels the event"),
		notify: z.boolean().optional().describe("Whether those who are invited are told; true when left out"),
	}),
	output: CalendarEvent,

	exec: async (nango, input) => {
		const calendarId = input.calendarId ?? "primary";
		const endpoint = `/calendar/v3/calendars/${encodeURIComponent(calendarId)}/events/${encodeURIComponent(input.eventId)}`;
		// An event that was all day and gets a time, or the other way round, keeps the other one unless it is taken away.
		const time = (value: string | undefined) => value && { date: null, dateTime: null, ...toTime(value, input.timeZone) };
		const { data } = await nango.patch<Event>({
			// https://developers.google.com/workspace/calendar/api/v3/reference/events/patch
			endpoint,
			params: { sendUpdates: input.notify === false ? "none" : "all" },
			data: defined({
				summary: input.title,
				description: input.description,
				location: input.location,
				start: time(input.start),
				end: time(input.end),
				attendees: input.attendees?.map((email) => ({ email })),
				status: input.cancel ? "cancelled" : undefined,
			}),
			retries: 3,
		});
		return toEvent(calendarId, data);
	},
});
