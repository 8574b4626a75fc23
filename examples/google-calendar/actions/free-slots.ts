import { createAction } from "linkspan";
import * as z from "zod";

export default createAction({
	description: "Finds free time between meetings",
	input: z.object({ calendar: z.string(), from: z.iso.datetime(), to: z.iso.datetime(), minutes: z.number().int().positive() }),
	output: z.array(z.object({ start: z.string(), end: z.string(), minutes: z.number() })),
	exec: async (nango, input) => {
		const { data } = await nango.post({ endpoint: "/calendar/v3/freeBusy", data: { timeMin: input.from, timeMax: input.to, items: [{ id: input.calendar }] } });
		const busy = data.calendars[input.calendar].busy
			.map((b: any) => [Date.parse(b.start), Date.parse(b.end)] as const)
			.sort((a: any, b: any) => a[0] - b[0]);
		const free: { start: string; end: string; minutes: number }[] = [];
		let at = Date.parse(input.from);
		const add = (until: number) => {
			const minutes = (until - at) / 60_000;
			if (minutes >= input.minutes) free.push({ start: new Date(at).toISOString(), end: new Date(until).toISOString(), minutes });
		};
		for (const [start, end] of busy) {
			add(start);
			at = Math.max(at, end);
		}
		add(Date.parse(input.to));
		return free;
	},
});
