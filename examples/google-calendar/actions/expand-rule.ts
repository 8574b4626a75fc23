import { createAction } from "linkspan";
import * as z from "zod";

const days = ["SU", "MO", "TU", "WE", "TH", "FR", "SA"];

/** The days of a weekly or daily rule (RFC 5545 §3.3.10), without end. */
function* occurrences(start: Date, rule: Map<string, string>): Generator<Date> {
	const interval = Number(rule.get("INTERVAL") ?? 1);
	const weekly = rule.get("FREQ") === "WEEKLY";
	const wanted = new Set(weekly ? (rule.get("BYDAY")?.split(",") ?? [days[start.getUTCDay()]!]) : days);
	const monday = new Date(start);
	monday.setUTCDate(start.getUTCDate() - ((start.getUTCDay() + 6) % 7));
	for (let n = 0; ; n++) {
		const day = new Date(start);
		day.setUTCDate(start.getUTCDate() + n);
		const step = weekly ? Math.floor((day.getTime() - monday.getTime()) / (7 * 86_400_000)) : n;
		if (step % interval === 0 && wanted.has(days[day.getUTCDay()]!)) yield day;
	}
}

export default createAction({
	description: "Expands an event's recurrence",
	input: z.object({ event: z.string() }),
	output: z.array(z.string()),
	exec: async (nango, { event }) => {
		const { data } = await nango.get({ endpoint: `/calendar/v3/calendars/primary/events/${event}` });
		const rule = new Map(data.recurrence[0].replace("RRULE:", "").split(";").map((p: string) => p.split("=")) as [string, string][]);
		const count = Number(rule.get("COUNT") ?? 5);
		const out: string[] = [];
		for (const day of occurrences(new Date(data.start.dateTime), rule)) {
			out.push(day.toISOString().slice(0, 10));
			if (out.length === count) break;
		}
		return out;
	},
});
