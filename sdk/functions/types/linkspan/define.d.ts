// createSync, createAction and createOnEvent: what functions are defined with.
import type * as z from "zod";
import type { CheckedFrequency } from "./frequency.js";
import type { CheckpointData, NangoAction } from "./nango.js";
import type { NangoSync } from "./sync.js";

/** Models by name: zod schemas of objects with an `id`. */
export type ModelSchemas = Record<string, z.ZodType>;

type IsAny<T> = 0 extends 1 & T ? true : false;

// What is no schema of the right things is refused by giving it a type that is a
// sentence: the compiler says that the schema "is not assignable to" it.

/** Models whose values may have no id. */
type WithoutId<Schemas> = { [Name in keyof Schemas]: Schemas[Name] extends z.ZodType<{ id?: string | number | undefined }> ? never : Name }[keyof Schemas] & string;

/** What models have to be besides schemas: objects with ids. */
export type CheckedModels<Schemas> =
	IsAny<Schemas> extends true ? unknown
	: string extends keyof Schemas ? unknown
	: { [Name in WithoutId<Schemas>]: `The model ${Name} must be an object with an id: add id: z.string()` };

/** Members of checkpoints that are not flat. */
type NotFlat<Checkpoint> = { [Field in keyof Checkpoint]: Checkpoint[Field] extends CheckpointData[string] ? never : Field }[keyof Checkpoint] & string;

/** What a schema of checkpoints has to be besides: one of flat objects. */
export type CheckedCheckpoint<Schema> =
	IsAny<Schema> extends true ? unknown
	: Schema extends z.ZodType<CheckpointData> | undefined ? unknown
	: Schema extends z.ZodType<object> ? `The field ${NotFlat<z.output<Schema>>} of the checkpoint must be a text, a number, a boolean or a date`
	: "A checkpoint must be an object: z.object({ … })";

/** What a schema of metadata has to be besides: one of objects. */
export type CheckedMetadata<Schema> =
	IsAny<Schema> extends true ? unknown
	: Schema extends z.ZodType ?
		IsAny<z.output<Schema>> extends true ? unknown
		: z.output<Schema> extends readonly unknown[] | string | number | bigint | boolean | null ? "Metadata must be an object: z.object({ … })"
		: unknown
	: unknown;

/** What a schema of metadata describes; anything when there is none. */
export type MetadataOf<Schema extends z.ZodType> = Schema extends z.ZodVoid | z.ZodUndefined ? any : z.output<Schema>;

/** A schema of checkpoints for definitions without one: any flat object. */
export interface AnyCheckpoint extends z.ZodType<CheckpointData> {}

/** What a schema of checkpoints describes; any flat object when there is none. */
export type CheckpointOf<Schema extends z.ZodType> = z.output<Schema>;

/** A method and path below `/v1`, for clients of older versions. */
export interface Endpoint {
	method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
	path: string;
	group?: string | undefined;
}

interface Described {
	/** What the function does. Language models that use it as a tool read it as well. */
	description: string;
	/** A label such as `"1.0.0"`. Without one, deploys count: 1, 2, 3 … */
	version?: string | undefined;
}

/** What {@link createSync} takes. */
export interface CreateSyncProps<
	Models extends ModelSchemas = any,
	Metadata extends z.ZodType = any,
	Checkpoint extends z.ZodType = any,
	Text extends string = string,
> extends Described {
	/**
	 * How often it runs.
	 *
	 * @example "every hour"
	 * @example "cron TZ=Europe/Berlin 0 9 * * 1-5"
	 */
	frequency: CheckedFrequency<Text>;
	/**
	 * What it saves: a schema of an object with an `id` for each model.
	 *
	 * @example { Contact: z.object({ id: z.string(), email: z.string().nullable() }) }
	 */
	models: Models & CheckedModels<Models>;
	/** The connection's metadata, as `nango.getMetadata` returns it. */
	metadata?: (Metadata & CheckedMetadata<Metadata>) | undefined;
	/** Its progress, as `nango.saveCheckpoint` takes it: a flat object of texts, numbers, booleans and dates. */
	checkpoint?: (Checkpoint & CheckedCheckpoint<Checkpoint>) | undefined;
	/**
	 * Whether it starts by itself with each connection, or waits for `POST /sync/start`.
	 *
	 * @default false
	 */
	autoStart?: boolean | undefined;
	/** Kinds of the provider's webhooks that `onWebhook` takes; `"*"` for all. */
	webhookSubscriptions?: string[] | undefined;
	/** OAuth scopes that it needs, for people to read. */
	scopes?: string[] | undefined;
	/** Reads from the provider and saves records. */
	exec: (nango: NangoSync<{ [Name in keyof Models]: z.output<Models[Name]> }, MetadataOf<Metadata>, CheckpointOf<Checkpoint>>) => Promise<void> | void;
	/** Takes a webhook of the provider: its payload, as the provider sends it. */
	onWebhook?: ((nango: NangoSync<{ [Name in keyof Models]: z.output<Models[Name]> }, MetadataOf<Metadata>, CheckpointOf<Checkpoint>>, payload: any) => Promise<void> | void) | undefined;
	/** @deprecated Use checkpoints: a sync that has one is incremental. */
	syncType?: "full" | "incremental" | undefined;
	/** @deprecated Call `nango.trackDeletesStart` and `trackDeletesEnd`. */
	trackDeletes?: boolean | undefined;
	/** @deprecated Records are read with `GET /records`. One for each model. */
	endpoints?: Endpoint[] | undefined;
}

/** What {@link createSync} returns. */
export interface CreateSyncResponse<
	Models extends ModelSchemas = any,
	Metadata extends z.ZodType = any,
	Checkpoint extends z.ZodType = any,
	Text extends string = string,
> extends CreateSyncProps<Models, Metadata, Checkpoint, Text> {
	type: "sync";
}

/**
 * Defines a sync: it reads a provider's data on a schedule, for each connection, and keeps it as records.
 *
 * @example
 * ```ts
 * export default createSync({
 *   description: "Issues that changed",
 *   frequency: "every hour",
 *   models: { Issue: z.object({ id: z.string(), title: z.string() }) },
 *   checkpoint: z.object({ since: z.string() }),
 *   exec: async (nango) => {
 *     const since = (await nango.getCheckpoint())?.since;
 *     for await (const page of nango.paginate<ProviderIssue>({ endpoint: "/issues", params: { since } })) {
 *       await nango.batchSave(page.map((i) => ({ id: String(i.id), title: i.title })), "Issue");
 *       await nango.saveCheckpoint({ since: page.at(-1)!.updated_at });
 *     }
 *   },
 * });
 * ```
 */
export declare function createSync<
	Models extends ModelSchemas,
	Metadata extends z.ZodType = z.ZodAny,
	Checkpoint extends z.ZodType = AnyCheckpoint,
	const Text extends string = string,
>(definition: CreateSyncProps<Models, Metadata, Checkpoint, Text>): CreateSyncResponse<Models, Metadata, Checkpoint, Text>;

/** What {@link createAction} takes. */
export interface CreateActionProps<
	Input extends z.ZodType = any,
	Output extends z.ZodType = any,
	Metadata extends z.ZodType = any,
	Checkpoint extends z.ZodType = any,
> extends Described {
	/** What it is given; `z.void()` for nothing. It is checked before each run. */
	input: Input;
	/** What it returns; `z.void()` for nothing. It is checked after each run. At most 2 MB of JSON. */
	output: Output;
	/** The connection's metadata, as `nango.getMetadata` returns it. */
	metadata?: (Metadata & CheckedMetadata<Metadata>) | undefined;
	/** Its progress, as `nango.saveCheckpoint` takes it. */
	checkpoint?: (Checkpoint & CheckedCheckpoint<Checkpoint>) | undefined;
	/** OAuth scopes that it needs, for people to read. */
	scopes?: string[] | undefined;
	/** Does it. */
	exec: (
		nango: NangoAction<MetadataOf<Metadata>, CheckpointOf<Checkpoint>, z.output<Input>>,
		input: z.output<Input>,
	) => Promise<z.output<Output>> | z.output<Output>;
	/** @deprecated Actions are triggered with `POST /action/trigger`. */
	endpoint?: Endpoint | undefined;
}

/** What {@link createAction} returns. */
export interface CreateActionResponse<
	Input extends z.ZodType = any,
	Output extends z.ZodType = any,
	Metadata extends z.ZodType = any,
	Checkpoint extends z.ZodType = any,
> extends CreateActionProps<Input, Output, Metadata, Checkpoint> {
	type: "action";
}

/**
 * Defines an action: your backend triggers it, and is answered with what it returns.
 *
 * @example
 * ```ts
 * export default createAction({
 *   description: "Closes an issue",
 *   input: z.object({ number: z.number() }),
 *   output: z.object({ state: z.string() }),
 *   exec: async (nango, { number }) => {
 *     const { data } = await nango.patch<{ state: string }>({ endpoint: `/issues/${number}`, data: { state: "closed" } });
 *     return { state: data.state };
 *   },
 * });
 * ```
 */
export declare function createAction<
	Input extends z.ZodType,
	Output extends z.ZodType,
	Metadata extends z.ZodType = z.ZodAny,
	Checkpoint extends z.ZodType = AnyCheckpoint,
>(definition: CreateActionProps<Input, Output, Metadata, Checkpoint>): CreateActionResponse<Input, Output, Metadata, Checkpoint>;

/**
 * What happens to a connection. `validate-connection` runs before an account counts as connected, and refuses it by throwing;
 * `post-connection-creation` soon afterwards, also after a reconnect; `pre-connection-deletion` before it is deleted.
 */
export type ConnectionEvent = "post-connection-creation" | "pre-connection-deletion" | "validate-connection";

/** What {@link createOnEvent} takes. */
export interface CreateOnEventProps<Metadata extends z.ZodType = any, Checkpoint extends z.ZodType = any> extends Described {
	/** When it runs. */
	event: ConnectionEvent;
	/** The connection's metadata, as `nango.getMetadata` returns it. */
	metadata?: (Metadata & CheckedMetadata<Metadata>) | undefined;
	/** Its progress, as `nango.saveCheckpoint` takes it. */
	checkpoint?: (Checkpoint & CheckedCheckpoint<Checkpoint>) | undefined;
	/** Does it. */
	exec: (nango: NangoAction<MetadataOf<Metadata>, CheckpointOf<Checkpoint>, undefined>) => Promise<void> | void;
}

/** What {@link createOnEvent} returns. */
export interface CreateOnEventResponse<Metadata extends z.ZodType = any, Checkpoint extends z.ZodType = any>
	extends CreateOnEventProps<Metadata, Checkpoint> {
	type: "onEvent";
}

/**
 * Defines a function that runs when something happens to a connection.
 *
 * @example
 * ```ts
 * export default createOnEvent({
 *   description: "Subscribes to the account's webhooks",
 *   event: "post-connection-creation",
 *   exec: async (nango) => {
 *     await nango.post({ endpoint: "/webhooks", data: { url: await nango.getWebhookURL() } });
 *   },
 * });
 * ```
 */
export declare function createOnEvent<Metadata extends z.ZodType = z.ZodAny, Checkpoint extends z.ZodType = AnyCheckpoint>(
	definition: CreateOnEventProps<Metadata, Checkpoint>,
): CreateOnEventResponse<Metadata, Checkpoint>;

// What is not exported above stays in here.
export {};
