import { createSync } from "linkspan";
import * as z from "zod";
import { UnifiedContact } from "../../models";
import { isGone } from "../../values";
import { accountUrl, begin, changes, contactProperties, type CrmObject, deletions, merged, toContact } from "../crm";

/** What HubSpot tells of an event. */
interface Event {
	subscriptionType: string;
	objectId: number;
	/** Of merges: the contact that is there now, and those that became it. */
	newObjectId?: number;
	primaryObjectId?: number;
	mergedObjectIds?: number[];
}

export default createSync({
	description: "Syncs the contacts of HubSpot in the shape of all CRMs: those that changed since the last run, and those that were deleted or merged into others",
	version: "1.0.0",
	frequency: "every 15 minutes",
	autoStart: true,
	scopes: ["crm.objects.contacts.read"],
	models: { UnifiedContact },
	metadata: z.object({ contactProperties: z.array(z.string()).optional().describe("Names of further properties to read; they are in `raw`") }),
	checkpoint: z.object({ since: z.number(), until: z.number(), lastId: z.string() }),
	webhookSubscriptions: ["contact.creation", "contact.propertyChange", "contact.restore", "contact.merge", "contact.deletion", "contact.privacyDeletion"],
	exec: async (nango) => {
		const properties = [...contactProperties, ...((await nango.getMetadata())?.contactProperties ?? [])];
		const account = await accountUrl(nango);
		const start = begin(await nango.getCheckpoint());
		for await (const { objects, position } of changes(nango, "contacts", properties, start)) {
			await nango.batchSave(
				objects.map((contact) => toContact(contact, account)),
				"UnifiedContact",
			);
			await nango.batchDelete(merged(objects), "UnifiedContact");
			await nango.saveCheckpoint(position);
		}
		for await (const gone of deletions(nango, "contacts", start.since)) await nango.batchDelete(gone, "UnifiedContact");
		await nango.saveCheckpoint({ ...start, lastId: "" });
	},
	onWebhook: async (nango, payload: Event | Event[]) => {
		const properties = [...contactProperties, ...((await nango.getMetadata())?.contactProperties ?? [])];
		const account = await accountUrl(nango);
		const gone = new Set<number>();
		const changed = new Set<number>();
		for (const event of [payload].flat()) {
			const id = event.newObjectId ?? event.objectId;
			const others = [event.primaryObjectId, ...(event.mergedObjectIds ?? [])].filter((other) => other !== undefined && other !== id);
			if (event.subscriptionType.endsWith("eletion")) gone.add(id);
			else changed.add(id);
			for (const other of others) gone.add(other!);
		}
		for (const id of changed) {
			if (gone.has(id)) continue;
			try {
				const { data } = await nango.get<CrmObject>({ endpoint: `/crm/v3/objects/contacts/${id}`, params: { properties: properties.join(",") }, retries: 5 });
				// Asked for by an id that it had before a merge, a contact answers by its new one.
				if (data.id !== String(id)) gone.add(id);
				await nango.batchSave([toContact(data, account)], "UnifiedContact");
			} catch (e) {
				if (!isGone(e)) throw e;
				gone.add(id); // since the event
			}
		}
		if (gone.size > 0) await nango.batchDelete([...gone].map((id) => ({ id: String(id) })), "UnifiedContact");
	},
});
