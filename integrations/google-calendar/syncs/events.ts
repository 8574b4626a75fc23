import { createSync } from "linkspan";
import * as z from "zod";

import { CalendarEvent, changes, type Event, Expired, recordId, toEvent } from "../api";

export default createSync({
	description: "Syncs the events of chosen Google calendars as they change. Events that repeat are one record with their rule, and one for each occurrence that differs",
	version: "1.0.0",
	frequency: "every 5 minutes",
	autoStart: true,
	scopes: ["https://www.googleapis.com/auth/calendar.events.readonly"],
	models: { CalendarEvent },
	metadata: z.object({
		calendars: z.array(z.string()).max(20).optional().describe("The ids of the calendars; the user's own when left out"),
		since: z.iso.date().optional().describe("Events that ended before this day are left out; all are read when left out"),
	}),
	checkpoint: z.object({
		tokens: z.string().describe("The sync token of each calendar, as JSON"),
		complete: z.boolean().describe("Whether all calendars were read once: before that, tokens are of those that were"),
	}),

	exec: async (nango) => {
		const { calendars: chosen = ["primary"], since } = (await nango.getMetadata()) ?? {};
		const calendars = [...new Set(chosen)];
		const filter: Record<string, string> = since === undefined ? {} : { timeMin: `${since}T00:00:00Z` };

		/** Reads what changed in a calendar, and answers with the token for the next time. */
		const read = async (calendar: string, before: string | undefined): Promise<string> => {
			let token: string | undefined;
			const endpoint = `/calendar/v3/calendars/${encodeURIComponent(calendar)}/events`;
			// https://developers.google.com/workspace/calendar/api/v3/reference/events/list
			for await (const page of changes<Event>(nango, endpoint, { maxResults: 2500, ...(before === undefined ? filter : {}) }, before)) {
				// A cancelled occurrence stays: without it the rule would say that it takes place.
				const isGone = (event: Event) => event.status === "cancelled" && event.recurringEventId === undefined;
				await nango.batchSave(page.items.filter((event) => !isGone(event)).map((event) => toEvent(calendar, event)), "CalendarEvent");
				await nango.batchDelete(page.items.filter(isGone).map((event) => ({ id: recordId(calendar, event) })), "CalendarEvent");
				token = page.token;
			}
			return token ?? "";
		};

		/** Reads all calendars whole, those of `done` excepted, and deletes what is in none of them. */
		const readAll = async (done: Record<string, string>): Promise<void> => {
			await nango.trackDeletesStart("CalendarEvent");
			const tokens = { ...done };
			for (const calendar of calendars) {
				if (calendar in tokens) continue;
				tokens[calendar] = await read(calendar, undefined);
				await nango.saveCheckpoint({ tokens: JSON.stringify(tokens), complete: false });
			}
			// Should the run end between these, the next one reads everything again rather than delete what it did not see.
			await nango.clearCheckpoint();
			await nango.trackDeletesEnd("CalendarEvent");
			await nango.saveCheckpoint({ tokens: JSON.stringify(tokens), complete: true });
		};

		const checkpoint = await nango.getCheckpoint();
		const tokens: Record<string, string> = JSON.parse(checkpoint?.tokens ?? "{}");
		// Another choice of calendars: events of those that are no longer chosen must go.
		const isSameChoice = Object.keys(tokens).length === calendars.length && calendars.every((calendar) => tokens[calendar]);
		if (!checkpoint?.complete || !isSameChoice) return readAll(checkpoint?.complete ? {} : tokens);
		try {
			for (const calendar of calendars) {
				tokens[calendar] = await read(calendar, tokens[calendar]);
				await nango.saveCheckpoint({ tokens: JSON.stringify(tokens), complete: true });
			}
		} catch (e) {
			if (!(e instanceof Expired)) throw e;
			await nango.log("A sync token has expired: all events are read again", { level: "warn" });
			await nango.clearCheckpoint();
			await readAll({});
		}
	},
});
