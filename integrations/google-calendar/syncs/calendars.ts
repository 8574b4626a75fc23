import { createSync } from "linkspan";
import * as z from "zod";

import { changes, Expired } from "../api";

const Calendar = z.object({
	id: z.string(),
	name: z.string(),
	description: z.string().optional(),
	timeZone: z.string().optional(),
	primary: z.boolean().describe("Whether it is the user's own"),
	role: z.string().describe("What the user may do: freeBusyReader, reader, writer or owner"),
	color: z.string().optional().describe("Of its background, such as #9fe1e7"),
});

interface Entry {
	id: string;
	deleted?: boolean;
	summary?: string;
	summaryOverride?: string;
	description?: string;
	timeZone?: string;
	primary?: boolean;
	accessRole?: string;
	backgroundColor?: string;
}

export default createSync({
	description: "Syncs the list of a user's Google calendars: a choice for which calendars' events to sync",
	version: "1.0.0",
	frequency: "every hour",
	autoStart: true,
	scopes: ["https://www.googleapis.com/auth/calendar.calendarlist.readonly"],
	models: { Calendar },
	checkpoint: z.object({ token: z.string() }),

	exec: async (nango) => {
		const read = async (since: string | undefined): Promise<string | undefined> => {
			let token: string | undefined;
			// https://developers.google.com/workspace/calendar/api/v3/reference/calendarList/list
			for await (const page of changes<Entry>(nango, "/calendar/v3/users/me/calendarList", { maxResults: 250 }, since)) {
				await nango.batchSave(page.items.filter((entry) => !entry.deleted).map(toCalendar), "Calendar");
				await nango.batchDelete(page.items.filter((entry) => entry.deleted).map(({ id }) => ({ id })), "Calendar");
				token = page.token;
			}
			return token;
		};
		const readAll = async (): Promise<string | undefined> => {
			await nango.trackDeletesStart("Calendar");
			const token = await read(undefined);
			await nango.clearCheckpoint();
			await nango.trackDeletesEnd("Calendar");
			return token;
		};

		const since = (await nango.getCheckpoint())?.token;
		const token = since === undefined ? await readAll() : await read(since).catch((e) => (e instanceof Expired ? readAll() : Promise.reject(e)));
		if (token !== undefined) await nango.saveCheckpoint({ token });
	},
});

function toCalendar(entry: Entry): z.infer<typeof Calendar> {
	return {
		id: entry.id,
		name: entry.summaryOverride ?? entry.summary ?? entry.id,
		description: entry.description || undefined,
		timeZone: entry.timeZone,
		primary: entry.primary ?? false,
		role: entry.accessRole ?? "reader",
		color: entry.backgroundColor,
	};
}
