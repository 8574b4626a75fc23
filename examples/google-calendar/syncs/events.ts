import { createSync } from "linkspan";
import * as z from "zod";

const Event = z.object({ id: z.string(), title: z.string(), start: z.string(), end: z.string() });

export default createSync({
	description: "Events of a calendar by its sync token; when the token has expired, everything is read again",
	frequency: "every 5 minutes",
	autoStart: true,
	syncType: "incremental",
	checkpoint: z.object({ token: z.string() }),
	models: { Event },
	exec: async (nango) => {
		const token = (await nango.getCheckpoint())?.token;
		try {
			await read(nango, token);
		} catch (e: any) {
			if (e.response?.status !== 410) throw e;
			await nango.log("The sync token has expired", { level: "warn" });
			await nango.clearCheckpoint();
			await nango.trackDeletesStart("Event");
			await read(nango, undefined);
			await nango.trackDeletesEnd("Event");
		}
	},
});

async function read(nango: any, syncToken: string | undefined): Promise<void> {
	let pageToken: string | undefined;
	do {
		const params = Object.fromEntries(Object.entries({ maxResults: "2", syncToken, pageToken }).filter(([, v]) => v));
		const { data } = await nango.get({ endpoint: "/calendar/v3/calendars/primary/events", params });
		const [there, gone] = [data.items.filter((e: any) => e.status !== "cancelled"), data.items.filter((e: any) => e.status === "cancelled")];
		await nango.batchSave(there.map((e: any) => ({ id: e.id, title: e.summary ?? "", start: e.start.dateTime ?? e.start.date, end: e.end.dateTime ?? e.end.date })), "Event");
		await nango.batchDelete(gone, "Event");
		pageToken = data.nextPageToken;
		if (data.nextSyncToken) await nango.saveCheckpoint({ token: data.nextSyncToken });
	} while (pageToken);
}
