// The records half of the nango object (features §11, §13): what syncs save,
// change, delete and read back.
import { type Answer, call } from "../bridge";
import { watchRejections } from "../core";
import { lengthUTF8 } from "../platform/text";
import { NangoError, refusal } from "./errors";
import { misuse } from "./http";

/** What the host says of a sync's run when it starts. */
export interface SyncStart {
	id: string;
	job: number;
	models: string[];
	track_deletes: boolean;
	/** When the last run that succeeded began, as ISO 8601; absent when none did. */
	last_sync?: string;
}

type Id = string | number;

/** How many records a call carries, and how many bytes at most. */
const maxRecords = 1000;
const maxBytes = 4 << 20;
/** So many characters never are more bytes than that. */
const maxChars = Math.floor(maxBytes / 3);
const maxId = 255;
/** How many records are asked for by their ids at a time, and how many are listed. */
const maxIds = 100;
const pageSize = 1000;

const strategies: unknown[] = ["override", "ignore_if_modified_after"];

// User code may replace what the globals offer.
const stringify = JSON.stringify;
const parse = JSON.parse;
const wellFormed: (this: string) => boolean = (String.prototype as any).isWellFormed;

/** Calls about records run one after the other, in the order in which they were made. */
export class Records {
	readonly #warn: (message: string) => void;
	/** The end of the last call so far; it is never rejected. */
	#tail: Promise<unknown> = Promise.resolve();
	/** What writes failed with, and the first of it that nothing handled. */
	readonly #failures = new Set<unknown>();
	#unhandled: { error: unknown } | undefined;
	readonly #strategies = new Set<string>();

	/** What tells of records to delete: in trials all that the function says of them. */
	readonly #gone: (record: any) => string;

	constructor(warn: (message: string) => void, trial = false) {
		this.#warn = warn;
		this.#gone = trial ? stringify : ({ id }) => `{"id":${stringify(id)}}`;
		watchRejections((reason) => {
			if (this.#failures.has(reason)) this.#unhandled ??= { error: reason };
		});
	}

	/** Runs a step when all earlier ones have ended, whatever became of them. */
	next<T>(step: () => Promise<T>): Promise<T> {
		const result = this.#tail.then(step);
		this.#tail = result.then(ignore, ignore);
		return result;
	}

	/**
	 * Like next, for what must not happen when records are missing: a write that
	 * failed without anybody waiting for it fails this as well.
	 */
	after<T>(step: () => Promise<T>): Promise<T> {
		return this.next(async () => {
			await this.#complete();
			return step();
		});
	}

	async #complete(): Promise<void> {
		if (this.#failures.size === 0) return;
		// The engine tells of a rejection that nothing handled when it has nothing else
		// to do.
		await call("timer", { ms: 0 });
		if (this.#unhandled !== undefined) throw this.#unhandled.error;
	}

	/** Waits for the calls that the function did not wait for itself. */
	async settled(): Promise<void> {
		let seen: unknown;
		do {
			seen = this.#tail;
			await seen;
		} while (seen !== this.#tail);
		await this.#complete();
	}

	/** Sends records in batches; what is sent is what they are now. */
	async #write(name: string, method: string, records: unknown, model: unknown, site: Error, text: (record: any) => string): Promise<boolean> {
		try {
			const batches = encode(method, records, modelOf(method, model), text);
			if (batches.length > 0) {
				await this.next(async () => {
					for (const batch of batches) await call(name, { model }, batch);
				});
			}
			return true;
		} catch (e) {
			const failure = located(e, site);
			this.#failures.add(failure);
			throw failure;
		}
	}

	/** Adds records, or replaces those that are there and differ. */
	save(records: unknown, model: unknown): Promise<boolean> {
		return this.#write("records_save", "batchSave", records, model, new Error(), stringify);
	}

	/** Merges into records that are there. */
	update(records: unknown, model: unknown): Promise<boolean> {
		return this.#write("records_update", "batchUpdate", records, model, new Error(), stringify);
	}

	/** Marks records as deleted. */
	delete(records: unknown, model: unknown): Promise<boolean> {
		return this.#write("records_delete", "batchDelete", records, model, new Error(), this.#gone);
	}

	/** Reads records by their ids. */
	async byIds(ids: unknown, model: unknown): Promise<Map<Id, any>> {
		const site = new Error();
		try {
			const wanted = idsOf(ids);
			const name = modelOf("getRecordsByIds", model);
			const found = new Map<string, any>();
			const names = [...new Set(wanted.map(String))];
			for (let i = 0; i < names.length; i += maxIds) {
				const { body } = await this.next(() => call("records_by_ids", { model: name, ids: names.slice(i, i + maxIds) }));
				for (const record of parse(body as string)) found.set(record.id, record);
			}
			const out = new Map<Id, any>();
			for (const id of wanted) if (found.has(String(id))) out.set(id, found.get(String(id)));
			return out;
		} catch (e) {
			throw located(e, site);
		}
	}

	/**
	 * Lists all records, by the time of their last change. One that changes meanwhile
	 * comes again, but once at most: whoever changes what is listed comes to an end.
	 */
	async *list(model: unknown, options?: { cursor?: unknown } | null): AsyncGenerator<any, undefined, void> {
		const site = new Error();
		try {
			const name = modelOf("listRecords", model);
			let cursor: unknown = options?.cursor ?? undefined;
			if (cursor !== undefined && typeof cursor !== "string") throw misuse("invalid_cursor", "The cursor of nango.listRecords must be a string.");
			let until: number | undefined;
			const again = new Set<string>();
			do {
				const params = { model: name, cursor, limit: pageSize, until };
				const page: Answer = await this.next(() => call("records_list", params));
				const records: any[] = parse(page.body as string);
				for (let i = 0; i < records.length; i++) {
					const record = records[i];
					if (i >= page.value.late) {
						if (again.has(record.id)) continue;
						again.add(record.id);
					}
					yield record;
				}
				({ next: cursor, until } = page.value);
			} while (cursor);
			return undefined;
		} catch (e) {
			throw located(e, site);
		}
	}

	/** Says what becomes of records that others have changed meanwhile. */
	async mergeBy(options: { strategy?: unknown } | null | undefined, model: unknown): Promise<void> {
		const site = new Error();
		const name = modelOf("setMergingStrategy", model);
		const strategy = options?.strategy;
		if (!strategies.includes(strategy)) {
			throw located(misuse("invalid_merging_strategy", `The merging strategy must be ${strategies.map((s) => `"${s}"`).join(" or ")}, not ${shown(strategy)}.`), site);
		}
		if (this.#strategies.has(name)) {
			this.#warn(`The merging strategy of the model "${name}" was set before in this run: the second one is ignored.`);
			return;
		}
		this.#strategies.add(name);
		try {
			await this.next(() => call("records_strategy", { model: name, strategy }));
		} catch (e) {
			this.#strategies.delete(name);
			throw located(e, site);
		}
	}

	/** Begins to note which records are seen. */
	async trackStart(model: unknown): Promise<void> {
		const site = new Error();
		try {
			const name = modelOf("trackDeletesStart", model);
			await this.next(() => call("track_start", { model: name }));
		} catch (e) {
			throw located(e, site);
		}
	}

	/** Deletes what was there before trackStart and was not seen since. */
	trackEnd(model: unknown): Promise<{ deletedKeys: string[] }> {
		return this.#deleteUnseen("track_end", "trackDeletesEnd", model, {}, new Error());
	}

	/** Deletes what was there before this run and was not seen in it. */
	deleteOutdated(model: unknown, automatic?: true): Promise<{ deletedKeys: string[] }> {
		return this.#deleteUnseen("delete_unseen", "deleteRecordsFromPreviousExecutions", model, { automatic }, new Error());
	}

	async #deleteUnseen(name: string, method: string, model: unknown, params: object, site: Error): Promise<{ deletedKeys: string[] }> {
		try {
			const checked = modelOf(method, model);
			return (await this.after(() => call(name, { model: checked, ...params }))).value;
		} catch (e) {
			throw located(e, site);
		}
	}
}

function ignore(): void {}

/** Gives what went wrong the stack of whoever called. */
function located(e: unknown, site: Error): unknown {
	if (e instanceof NangoError) {
		if (typeof site.stack === "string") Object.defineProperty(e, "stack", { value: site.stack, writable: true, configurable: true, enumerable: false });
		return e;
	}
	return refusal(e, site);
}

function modelOf(method: string, model: unknown): string {
	if (typeof model === "string" && model !== "") return model;
	throw misuse("invalid_model", `nango.${method} needs the name of a model, such as "Issue", not ${shown(model)}.`);
}

/** What a value is, for messages. */
function shown(value: unknown): string {
	if (value === null) return "null";
	if (Array.isArray(value)) return "an array";
	switch (typeof value) {
		case "string":
			return value.length > 50 ? "a long text" : stringify(value);
		case "number":
		case "boolean":
		case "undefined":
			return String(value);
		case "object":
			return "an object";
	}
	return `a ${typeof value}`;
}

/** Writes records as arrays in JSON, as many as are sent at a time. */
function encode(method: string, records: unknown, model: string, text: (record: any) => string): string[] {
	if (!Array.isArray(records)) throw misuse("invalid_records", `nango.${method} needs an array of records, not ${shown(records)}.`);
	const batches: string[] = [];
	let parts: string[] = [];
	let chars = 0;
	for (let i = 0; i < records.length; i++) {
		const part = encodeOne(records[i], i, model, text);
		if (parts.length === maxRecords || (parts.length > 0 && chars + part.length >= maxChars)) {
			batches.push(`[${parts.join()}]`);
			parts = [];
			chars = 0;
		}
		parts.push(part);
		chars += part.length + 1;
	}
	if (parts.length > 0) batches.push(`[${parts.join()}]`);
	return batches;
}

function encodeOne(record: unknown, index: number, model: string, text: (record: any) => string): string {
	const refuse = (what: string): NangoError =>
		new NangoError("invalid_record", `The record at index ${index} for the model "${model}" ${what}`, { payload: { model, index } });
	if (record === null || typeof record !== "object" || Array.isArray(record)) throw refuse(`must be an object, not ${shown(record)}.`);
	const id: unknown = (record as { id?: unknown }).id;
	if (typeof id === "string" ? id === "" : typeof id !== "number" || !Number.isFinite(id)) {
		throw refuse(`needs an id, a text that is not empty or a number; it has ${id === undefined ? "none" : id === "" ? "an empty one" : shown(id)}.`);
	}
	if (typeof id === "string" && id.length > maxId) throw refuse(`has an id of ${id.length} characters; at most ${maxId} are allowed.`);
	if (typeof id === "string" && (id.includes("\0") || !wellFormed.call(id))) throw refuse("has an id that is not valid Unicode, or has a NUL character.");
	let json: string | undefined;
	try {
		json = text(record);
	} catch (e) {
		throw refuse(`can't be written as JSON: ${e instanceof Error ? e.message : String(e)}`);
	}
	if (json === undefined || json[0] !== "{") throw refuse("must be an object; its toJSON returns none.");
	if (json.length > maxChars && lengthUTF8(json) > maxBytes) {
		throw refuse(`is larger than ${maxBytes >> 20} MB. Keep records small: leave out what nobody reads, and files.`);
	}
	return json;
}

function idsOf(ids: unknown): Id[] {
	if (!Array.isArray(ids)) throw misuse("invalid_ids", `nango.getRecordsByIds needs an array of ids, not ${shown(ids)}.`);
	ids.forEach((id, i) => {
		if (typeof id === "string" ? id === "" || id.length > maxId : typeof id !== "number" || !Number.isFinite(id)) {
			throw misuse("invalid_ids", `The id at index ${i} must be a text of 1 to ${maxId} characters or a number, not ${shown(id)}.`);
		}
	});
	return ids;
}
