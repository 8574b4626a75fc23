import { createSync, type NangoAction, type NangoSync } from "linkspan";
import * as z from "zod";
import { type Equal, expect } from "./equal";

const Contact = z.object({ id: z.string(), email: z.string().nullable(), address: z.object({ city: z.string(), tags: z.array(z.string()) }), at: z.date().optional() });
const Deal = z.object({ id: z.string(), amount: z.number() });

const sync = createSync({
	description: "Contacts and deals",
	version: "1.0.0",
	frequency: "every 15 minutes",
	autoStart: false,
	scopes: ["read"],
	webhookSubscriptions: ["*"],
	models: { Contact, Deal },
	metadata: z.object({ team: z.string(), limit: z.number().optional() }),
	checkpoint: z.object({ since: z.string(), page: z.number().optional(), at: z.date().optional() }),
	exec: async (nango) => {
		expect<Equal<Awaited<ReturnType<typeof nango.batchSave>>, boolean>>();
		await nango.batchSave([{ id: "1", email: null, address: { city: "Ulm", tags: [] } }], "Contact");
		await nango.batchSave([], "Deal");
		// @ts-expect-error an id is a text in this model
		await nango.batchSave([{ id: 1, amount: 2 }], "Deal");
		// @ts-expect-error the amount is missing
		await nango.batchSave([{ id: "1" }], "Deal");
		// @ts-expect-error there is no such field
		await nango.batchSave([{ id: "1", amount: 2, currency: "EUR" }], "Deal");
		// @ts-expect-error there is no such model
		await nango.batchSave([], "Lead");
		// @ts-expect-error the model is missing
		await nango.batchSave([]);
		// @ts-expect-error records are a list
		await nango.batchSave({ id: "1", amount: 2 }, "Deal");

		await nango.batchUpdate([{ id: "1", address: { city: "Bonn" } }, { id: 2, email: "a@example.com" }], "Contact");
		// @ts-expect-error which record?
		await nango.batchUpdate([{ email: "a@example.com" }], "Contact");
		// @ts-expect-error a city is a text
		await nango.batchUpdate([{ id: "1", address: { city: 1 } }], "Contact");
		// @ts-expect-error lists are replaced as a whole
		await nango.batchUpdate([{ id: "1", address: { tags: [undefined] } }], "Contact");

		await nango.batchDelete([{ id: "1" }, { id: 2 }], "Deal");
		await nango.batchDelete([{ id: "1", amount: 5 }], "Deal");
		// @ts-expect-error which record?
		await nango.batchDelete([{ amount: 5 }], "Deal");

		const known = await nango.getRecordsByIds(["1"], "Contact");
		expect<Equal<typeof known extends Map<infer K, unknown> ? K : never, string>>();
		const one = known.get("1")!;
		expect<Equal<typeof one.email, string | null>>();
		expect<Equal<typeof one.at, string | undefined>>();
		expect<Equal<typeof one._nango_metadata.last_action, "ADDED" | "UPDATED" | "DELETED">>();
		(await nango.getRecordsByIds([1, 2], "Deal")).get(1)?.amount.toFixed();
		(await nango.getRecordsByIds([1, "2"], "Deal")).get("2")?.amount.toFixed();
		(await nango.getRecordsById(["2"], "Deal")).size.toFixed();
		for await (const deal of nango.listRecords("Deal", { cursor: "x" })) deal.amount.toFixed();
		// @ts-expect-error there is no such model
		nango.listRecords("Lead");

		await nango.setMergingStrategy({ strategy: "ignore_if_modified_after" }, "Deal");
		// @ts-expect-error there is no such strategy
		await nango.setMergingStrategy({ strategy: "mine" }, "Deal");
		await nango.trackDeletesStart("Deal");
		const { deletedKeys } = await nango.trackDeletesEnd("Deal");
		expect<Equal<typeof deletedKeys, string[]>>();
		// @ts-expect-error there is no such model
		await nango.trackDeletesStart("Lead");
		await nango.deleteRecordsFromPreviousExecutions("Contact");
		await nango.batchSend([{ id: "1", amount: 2 }], "Deal");

		const metadata = await nango.getMetadata();
		expect<Equal<typeof metadata, { team: string; limit?: number | undefined }>>();
		(await nango.getMetadata<{ other: boolean }>()).other.valueOf();
		(await nango.getConnection()).metadata.team.trim();
		await nango.updateMetadata({ limit: 3 });
		await nango.setMetadata({ team: "a" });
		// @ts-expect-error the team is missing
		await nango.setMetadata({ limit: 3 });
		// @ts-expect-error a limit is a number
		await nango.updateMetadata({ limit: "3" });

		const checkpoint = await nango.getCheckpoint();
		expect<Equal<typeof checkpoint, { since: string; page?: number | undefined; at?: string | undefined } | null>>();
		await nango.saveCheckpoint({ since: "2026-01-01", at: new Date() });
		// @ts-expect-error since is missing
		await nango.saveCheckpoint({ page: 1 });
		// @ts-expect-error there is no such field
		await nango.saveCheckpoint({ since: "", cursor: "x" });
		await nango.clearCheckpoint();

		expect<Equal<typeof nango.lastSyncDate, Date | undefined>>();
		expect<Equal<typeof nango.input, undefined>>();
		nango.syncId.trim();
		nango.syncJobId.toFixed();
		nango.variant.trim();
		helper(nango);
		recordHelper(nango);
		ownHelper(nango);
	},
	onWebhook: async (nango, payload) => {
		await nango.batchSave([{ id: payload.anything.at.all, amount: 1 }], "Deal");
		await nango.log(nango.scriptType, payload);
		// @ts-expect-error there is no such model
		await nango.batchDelete([{ id: "1" }], "Lead");
	},
});

expect<Equal<(typeof sync)["type"], "sync">>();

export type NangoSyncLocal = Parameters<(typeof sync)["exec"]>[0];

function helper(nango: NangoAction): void {
	void nango.get({ endpoint: "/" });
}

function recordHelper(nango: NangoSync): void {
	void nango.batchSave([{ id: 1 }], "Whatever");
	void nango.batchUpdate([{ id: 1, a: { b: 1 } }], "Whatever");
	void nango.batchDelete([{ id: 1 }], "Whatever");
}

// Functions without a definition say which records they mean.
interface Note {
	id: string;
	text: string;
}
export default async function old(nango: NangoSync): Promise<void> {
	await nango.batchSave<Note>([{ id: "1", text: "" }], "Note");
	await nango.batchSend<Note>([{ id: "1", text: "" }], "Note");
	await nango.batchUpdate<Note>([{ id: "1" }], "Note");
	await nango.batchDelete<Note>([{ id: "1", text: "" }], "Note");
	// @ts-expect-error the text is missing
	await nango.batchSave<Note>([{ id: "1" }], "Note");
	// @ts-expect-error a text is none
	await nango.batchUpdate<Note>([{ id: "1", text: 1 }], "Note");
	// @ts-expect-error the model is a text
	await nango.batchSave<Note>([], 5);
}

function ownHelper(nango: NangoSyncLocal): void {
	// @ts-expect-error there is no such model
	void nango.batchSave([], "Whatever");
}

// Without schemas, metadata are anything and checkpoints any flat object.
createSync({
	description: "x",
	frequency: "every hour",
	models: { Note: z.object({ id: z.string().optional(), text: z.string() }) },
	exec: async (nango) => {
		(await nango.getMetadata()).a.b.c;
		(await nango.getCheckpoint())?.cursor;
		await nango.saveCheckpoint({ cursor: "x", n: 1, done: true });
		// @ts-expect-error it is not flat
		await nango.saveCheckpoint({ cursor: { a: 1 } });
		await nango.batchSave([{ text: "" }], "Note");
	},
});

// Models are objects with an id.
createSync({
	description: "x",
	frequency: "every hour",
	// @ts-expect-error there is no id
	models: { Note: z.object({ text: z.string() }) },
	exec: async () => {},
});
createSync({
	description: "x",
	frequency: "every hour",
	models: { Note: z.union([z.object({ id: z.string(), a: z.string() }), z.object({ id: z.string(), b: z.string() })]), Any: z.any() },
	exec: async (nango) => void (await nango.batchSave([{ id: "", a: "" }, { id: "", b: "" }], "Note")),
});
createSync({
	description: "x",
	frequency: "every hour",
	models: {},
	// @ts-expect-error a checkpoint is flat
	checkpoint: z.object({ at: z.object({ page: z.number() }) }),
	exec: async () => {},
});
// @ts-expect-error there is nothing to execute
createSync({ description: "x", frequency: "every hour", models: {} });
// @ts-expect-error there is no frequency
createSync({ description: "x", models: {}, exec: async () => {} });
// @ts-expect-error there is no description
createSync({ frequency: "every hour", models: {}, exec: async () => {} });

// What older definitions have.
createSync({
	description: "x",
	frequency: "every hour",
	syncType: "full",
	trackDeletes: true,
	endpoints: [{ method: "GET", path: "/notes", group: "Notes" }],
	metadata: z.void(),
	models: { Note: z.object({ id: z.string() }) },
	exec: async (nango) => void (await nango.getMetadata()).anything,
});
