import type { NangoAction } from "linkspan";

/** What every object has. */
export interface StripeObject {
	id: string;
	object: string;
	created: number;
	deleted?: boolean;
	/** False: it is of a test. */
	livemode?: boolean;
}

/** What has happened to an object. */
interface Event {
	id: string;
	type: string;
	created: number;
	data: { object: StripeObject };
}

/** A page of any list. */
interface List<T> {
	data: T[];
	has_more: boolean;
}

/** Stripe keeps events for 30 days. Who was away for longer reads everything again. */
const kept = 29 * 86_400;

/** Events may be listed a little after the time that they have, so a little is read once more. */
const overlap = 60;

/** Where the reading stands, in seconds since 1970. */
export interface Position {
	/** What changed before has been read. 0: nothing has. */
	since: number;
	/** When the reading of everything began, while it is under way; 0: it is not. */
	began: number;
	/** The last object of it. */
	after: string;
}

/** The position to begin with. */
function begin(position: Position | null): Position {
	const now = Math.floor(Date.now() / 1000);
	if (position?.began) return position;
	if (position && now - position.since < kept) return position;
	return { since: 0, began: now - 60, after: "" };
}

/**
 * All pages of a list, newest objects first. It goes on after an object that an
 * earlier run has read, unless that is gone: then it begins anew.
 */
async function* list<T extends { id: string }>(nango: Pick<NangoAction, "get">, endpoint: string, params: Record<string, string>, after = ""): AsyncGenerator<T[]> {
	const read = async (last: string) => (await nango.get<List<T>>({ endpoint, params: { ...params, limit: "100", ...(last && { starting_after: last }) }, retries: 5 })).data;
	let page = await read(after).catch((error: { response?: { status?: number } }) => {
		if (after && [400, 404].includes(error.response?.status ?? 0)) return read("");
		throw error;
	});
	for (;;) {
		yield page.data;
		const last = page.data.at(-1);
		if (!page.has_more || !last) return;
		page = await read(last.id);
	}
}

/** What a sync reads. */
interface Source {
	/** The list of all of them, and its parameters. */
	endpoint: string;
	params?: Record<string, string>;
	/** What they are called in `object`. */
	kind: string;
	/** The events that are about them, with * for any. */
	events: string;
	/** The event that says that one is no more. None: they never go. */
	deletion?: string;
}

/**
 * Brings what events since then say: the objects as they are after their last
 * event, and the ids of those that are no more. It returns the time of the last
 * event. Events come newest first, so the first one of each object counts.
 */
async function changed<T extends StripeObject>(nango: Pick<NangoAction, "get">, source: Source, sink: Sink<T>, since: number): Promise<number> {
	const seen = new Set<string>();
	let until = since;
	for await (const events of list<Event>(nango, "/v1/events", { type: source.events, "created[gte]": String(since - overlap) })) {
		const objects: T[] = [];
		const deleted: { id: string }[] = [];
		for (const { type, created, data } of events) {
			until = Math.max(until, created);
			const object = data.object as T;
			// Previews, such as those of invoices to come, have no id, or one that nothing can be read by.
			if (object.object !== source.kind || !object.id || object.id.startsWith("upcoming_") || seen.has(object.id)) continue;
			seen.add(object.id);
			if (type === source.deletion) deleted.push({ id: object.id });
			else objects.push(object);
		}
		await sink.save(objects);
		await sink.remove(deleted);
	}
	return until;
}

/** What reading needs of a sync's nango object, whatever its models. */
interface Sync {
	get: NangoAction["get"];
	getCheckpoint(): Promise<Position | null>;
	saveCheckpoint(position: Position): Promise<unknown>;
}

/** What a sync does with what is read. */
interface Sink<T> {
	save(objects: T[]): Promise<unknown>;
	remove(ids: { id: string }[]): Promise<unknown>;
	/** Called around the reading of everything. */
	start(): Promise<unknown>;
	end(): Promise<unknown>;
}

/**
 * Reads everything at first, and when the last run is so long ago that Stripe
 * has forgotten events; otherwise what the events since then are about.
 */
export async function read<T extends StripeObject>(nango: Sync, source: Source, sink: Sink<T>): Promise<void> {
	const start = begin(await nango.getCheckpoint());
	if (!start.began) {
		await nango.saveCheckpoint({ since: await changed<T>(nango, source, sink, start.since), began: 0, after: "" });
		return;
	}
	await sink.start();
	for await (const objects of list<T>(nango, source.endpoint, source.params ?? {}, start.after)) {
		await sink.save(objects);
		const last = objects.at(-1);
		if (last) await nango.saveCheckpoint({ ...start, after: last.id });
	}
	// Should the run end between these, the next one reads everything again: one that
	// went on after the last object would see none, and delete all.
	await nango.saveCheckpoint({ ...start, after: "" });
	await sink.end();
	await nango.saveCheckpoint({ since: start.began, began: 0, after: "" });
}

/** Objects stand in others by their ids, or whole. */
export function idOf(object: string | { id: string }): string;
export function idOf(object: string | { id: string } | null | undefined): string | undefined;
export function idOf(object: string | { id: string } | null | undefined): string | undefined {
	return typeof object === "string" ? object : object?.id;
}

/** A body as Stripe takes it: a form, with names such as metadata[key] for what is within. Undefined is left out. */
export function form(data: Record<string, unknown>): { data: string; headers: Record<string, string> } {
	const out = new URLSearchParams();
	const add = (name: string, value: unknown): void => {
		if (value === undefined) return;
		if (value !== null && typeof value === "object") for (const [key, inner] of Object.entries(value)) add(`${name}[${key}]`, inner);
		else out.append(name, String(value ?? ""));
	};
	for (const [name, value] of Object.entries(data)) add(name, value);
	return { data: out.toString(), headers: { "Content-Type": "application/x-www-form-urlencoded" } };
}
