import { createAction } from "linkspan";
import * as z from "zod";

export default createAction({
	description: "Shows a day's events in the attendee's time zone",
	input: z.object({ zone: z.string(), day: z.iso.date() }),
	output: z.array(z.string()),
	exec: async (nango, { zone, day }) => {
		const { data } = await nango.get({ endpoint: "/calendar/v3/calendars/primary/events", params: { singleEvents: "true", orderBy: "startTime", timeMin: `${day}T00:00:00Z` } });
		const time = new Intl.DateTimeFormat("en-US", { timeZone: zone, hour: "2-digit", minute: "2-digit", hour12: false });
		const date = new Intl.DateTimeFormat("en-CA", { timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit" });
		return data.items
			.filter((e: any) => e.start.date === day || (e.start.dateTime && date.format(new Date(e.start.dateTime)) === day))
			.map((e: any) => (e.start.date ? `all day  ${e.summary}` : `${time.format(new Date(e.start.dateTime))}–${time.format(new Date(e.end.dateTime))}  ${e.summary}`));
	},
});
