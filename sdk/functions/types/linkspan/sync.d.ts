// The nango object of syncs: what it has besides.
import type { NangoAction } from "./nango.js";

/** What the records cache says of a record. */
export interface RecordMetadata {
	/** ISO 8601. */
	first_seen_at: string;
	/** ISO 8601. */
	last_modified_at: string;
	last_action: "ADDED" | "UPDATED" | "DELETED";
	/** ISO 8601; `null` unless the record is deleted. */
	deleted_at: string | null;
	/** ISO 8601; `null` unless the payload was dropped. */
	pruned_at: string | null;
	/** Where the record is in the list; `nango.listRecords` goes on behind it. */
	cursor: string;
}

/** A record as it is read back: dates have become ISO 8601. */
export type StoredRecord<Model> = AsJson<Model> & { _nango_metadata: RecordMetadata };

type IsAny<T> = 0 extends 1 & T ? true : false;
type AsJson<T> =
	IsAny<T> extends true ? any
	: T extends Date ? string
	: T extends string | number | boolean | null | undefined ? T
	: T extends readonly (infer Item)[] ? AsJson<Item>[]
	: T extends object ? { [Field in keyof T]: AsJson<T[Field]> }
	: T;

/** A part of a record that is there: objects may be partial at any depth, lists are replaced as a whole. */
export type RecordPart<Model> = IsAny<Model> extends true ? any : { id: string | number } & Omit<Parts<Model>, "id">;

type Parts<T> =
	IsAny<T> extends true ? any
	: T extends Date | readonly unknown[] ? T
	: T extends object ? { [Field in keyof T]?: Parts<T[Field]> }
	: T;

/**
 * One thing for `NangoSync` without type arguments, another one for that of a sync. Helpers and functions without a definition say
 * which records they mean with a type argument: `nango.batchSave<Issue>(issues, "Issue")`.
 */
type Untyped<Models, Yes, No> = 0 extends 1 & Models ? Yes : No;
/** What is named in a call: a model, or the type of its records. */
type Named<Models> = Untyped<Models, any, keyof Models & string>;
/** The records of what is named. */
type RecordOf<Models, Name> = Untyped<Models, Name, Models[Name & keyof Models]>;
/** Texts and numbers for particular ones. */
type Widened<Id> = Id extends string ? string : number;

/** What happens to records that others, such as webhooks, changed while this run read them. */
export interface MergingStrategy {
	/** `override`: what is saved last counts. `ignore_if_modified_after`: what others changed since this call stays. */
	strategy: "override" | "ignore_if_modified_after";
}

/**
 * The nango object of syncs and of their `onWebhook`: everything of {@link NangoAction}, and the records of the models that the
 * definition declares.
 *
 * Calls about records happen in the order in which they are made, with the records as they are at that moment. All have ended
 * when the run ends. A write that failed while nobody waited for it fails the next checkpoint, the next deletion and the run.
 *
 * Helpers of yours take `NangoSync` without type arguments, or those of one sync: `Parameters<(typeof sync)["exec"]>[0]`.
 */
export interface NangoSync<Models = any, Metadata = any, Checkpoint = any> extends NangoAction<Metadata, Checkpoint, undefined> {
	/** Identifies the sync of this connection. */
	readonly syncId: string;
	/** The number of this run. */
	readonly syncJobId: number;

	/**
	 * Adds records, and replaces those that are there and differ; a record that was deleted comes back. What is saved as it was is no
	 * change. All records are looked at before the first one is saved; there may be any number of them.
	 *
	 * @param records Objects with an `id`: a text of 1 to 255 characters, or a number, which becomes a text. At most 4 MB each.
	 * @param model One that the definition declares.
	 * @returns `true`.
	 * @throws `invalid_record` with the `index` in the payload, `invalid_records`, `invalid_model`.
	 * @example await nango.batchSave(page.map(toContact), "Contact");
	 */
	batchSave<Name extends Named<Models>>(records: readonly RecordOf<Models, Name>[], model: Untyped<Models, string, Name>): Promise<boolean>;
	/**
	 * Merges parts into records that are there: objects are merged, everything else is replaced, what is left out stays. Records that
	 * are not there, or were deleted, are passed over.
	 *
	 * @throws `invalid_record`, `invalid_records`, `invalid_model`, `record_too_large`.
	 * @example await nango.batchUpdate([{ id: "42", status: "closed" }], "Ticket");
	 */
	batchUpdate<Name extends Named<Models>>(records: readonly RecordPart<RecordOf<Models, Name>>[], model: Untyped<Models, string, Name>): Promise<boolean>;
	/**
	 * Marks records as deleted; their last payload stays readable. Only the `id` matters.
	 *
	 * @throws `invalid_record`, `invalid_records`, `invalid_model`.
	 * @example await nango.batchDelete([{ id: "42" }], "Ticket");
	 */
	batchDelete<Item extends { id: string | number }>(records: readonly Item[], model: keyof Models & string): Promise<boolean>;
	/**
	 * Reads records by their ids. Those that are missing or deleted are not in the map.
	 *
	 * @throws `invalid_ids`, `invalid_model`, `records_too_large` above 32 MB at once.
	 * @example const known = await nango.getRecordsByIds(["1", "2"], "Ticket");
	 */
	getRecordsByIds<Name extends keyof Models & string, Id extends string | number>(ids: readonly Id[], model: Name): Promise<Map<Widened<Id>, StoredRecord<Models[Name]>>>;
	/**
	 * Reads all records one after the other, by the time of their last change, deleted ones as well. What changes meanwhile comes once
	 * more.
	 *
	 * @param options.cursor Where to go on: `_nango_metadata.cursor` of a record.
	 * @throws `invalid_model`, `invalid_cursor_value`.
	 * @example for await (const ticket of nango.listRecords("Ticket")) seen.add(ticket.id);
	 */
	listRecords<Name extends keyof Models & string>(model: Name, options?: { cursor?: string }): AsyncGenerator<StoredRecord<Models[Name]>, undefined, void>;
	/**
	 * Says what becomes of records that others change while this run reads them. Once for each model; a second call is ignored and
	 * logged.
	 *
	 * @throws `invalid_merging_strategy`, `invalid_model`.
	 * @example await nango.setMergingStrategy({ strategy: "ignore_if_modified_after" }, "Contact");
	 */
	setMergingStrategy(options: MergingStrategy, model: keyof Models & string): Promise<void>;
	/**
	 * Begins to note which records are saved, for {@link trackDeletesEnd}. The start is remembered over as many runs as it takes;
	 * calling it again changes nothing.
	 *
	 * @throws `invalid_model`.
	 */
	trackDeletesStart(model: keyof Models & string): Promise<void>;
	/**
	 * Deletes the records that were there before {@link trackDeletesStart} and were not saved since: call it when everything was read,
	 * and never swallow an error in between.
	 *
	 * @returns The ids of what was deleted.
	 * @throws `track_deletes_not_started`, `invalid_model`, and what earlier writes failed with.
	 */
	trackDeletesEnd(model: keyof Models & string): Promise<{ deletedKeys: string[] }>;

	/** @deprecated Use checkpoints. When the last run that succeeded began; `undefined` in the first one. */
	readonly lastSyncDate: Date | undefined;
	/** @deprecated Whether the definition has `trackDeletes`. */
	readonly track_deletes: boolean;
	/** @deprecated Another name of {@link batchSave}. */
	batchSend<Name extends Named<Models>>(records: readonly RecordOf<Models, Name>[], model: Untyped<Models, string, Name>): Promise<boolean>;
	/** @deprecated Another name of {@link getRecordsByIds}. */
	getRecordsById<Name extends keyof Models & string, Id extends string | number>(ids: readonly Id[], model: Name): Promise<Map<Widened<Id>, StoredRecord<Models[Name]>>>;
	/**
	 * @deprecated Use {@link trackDeletesStart} and {@link trackDeletesEnd}. Deletes what was there before this run and was not saved in
	 * it; refused in runs that use checkpoints, with `checkpoint_in_use`.
	 */
	deleteRecordsFromPreviousExecutions(model: keyof Models & string): Promise<{ deletedKeys: string[] }>;
}

// What is not exported above stays in here.
export {};
