import { ActionError, createAction } from "linkspan";
import * as z from "zod";

import { defined } from "../../values";

interface FreeBusy {
	calendars: Record<string, { busy?: { start: string; end: string }[]; errors?: { reason: string }[] }>;
}

export default createAction({
	description: "Tells when people are busy between two moments, from their Google calendars: all that somebody needs to find a time to meet. Calendars that can't be seen are named with the reason",
	version: "1.0.0",
	scopes: ["https://www.googleapis.com/auth/calendar.freebusy"],
	input: z.object({
		calendars: z.array(z.string()).min(1).max(50).describe("The ids of calendars; of people's own ones these are their mail addresses"),
		from: z.iso.datetime({ offset: true }),
		to: z.iso.datetime({ offset: true }),
		timeZone: z.string().optional().describe("What the moments of the answer are given in; UTC when left out"),
	}),
	output: z.object({
		busy: z.array(z.object({ start: z.string(), end: z.string(), calendars: z.array(z.string()).describe("Whose it is") })).describe("In the order of their start; times that overlap are one"),
		unavailable: z.array(z.object({ calendar: z.string(), reason: z.string() })),
	}),

	exec: async (nango, input) => {
		if (Date.parse(input.from) >= Date.parse(input.to)) throw new ActionError({ message: "from must be before to." });
		const { data } = await nango.post<FreeBusy>({
			// https://developers.google.com/workspace/calendar/api/v3/reference/freebusy/query
			endpoint: "/calendar/v3/freeBusy",
			data: defined({ timeMin: input.from, timeMax: input.to, timeZone: input.timeZone, items: input.calendars.map((id) => ({ id })) }),
			retries: 3,
		});
		const times = Object.entries(data.calendars)
			.flatMap(([calendar, { busy = [] }]) => busy.map((time) => ({ ...time, calendars: [calendar] })))
			.sort((a, b) => Date.parse(a.start) - Date.parse(b.start));
		const busy: typeof times = [];
		for (const time of times) {
			const last = busy.at(-1);
			if (last === undefined || Date.parse(time.start) > Date.parse(last.end)) {
				busy.push(time);
				continue;
			}
			if (Date.parse(time.end) > Date.parse(last.end)) last.end = time.end;
			last.calendars = [...new Set([...last.calendars, ...time.calendars])];
		}
		const unavailable = Object.entries(data.calendars).flatMap(([calendar, { errors = [] }]) => errors.slice(0, 1).map(({ reason }) => ({ calendar, reason })));
		return { busy, unavailable };
	},
});
