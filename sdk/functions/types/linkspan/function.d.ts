// createFunction: one kind of function for everything, by its trigger.
import type * as z from "zod";
import type { CheckedCheckpoint, CheckedMetadata, CheckedModels, CheckpointOf, ConnectionEvent, MetadataOf, ModelSchemas } from "./define.js";
import type { CheckedFrequency } from "./frequency.js";
import type { NangoAction } from "./nango.js";
import type { NangoSync } from "./sync.js";

/** Runs when it is asked for, as an action does. What functions without a trigger have. */
export interface NoTrigger {
	kind: "none";
}

/** Runs when it is called over HTTP, or asked for as an action. */
export interface HttpTrigger {
	kind: "http";
	/** Kinds of the provider's webhooks that it takes; `"*"` for all. */
	subscriptions?: string[] | undefined;
}

/** Runs on a schedule for each connection, as a sync does. */
export interface ScheduleTrigger<Text extends string = string> {
	kind: "schedule";
	/**
	 * How often it runs.
	 *
	 * @example "every hour"
	 */
	frequency: CheckedFrequency<Text>;
	/**
	 * Whether it starts by itself with each connection.
	 *
	 * @default true
	 */
	autoStart?: boolean | undefined;
}

/** Runs when something happens to a connection. */
export interface EventTrigger {
	kind: "event";
	/** When it runs; at least one. */
	events: ConnectionEvent[];
}

/** What a function runs by. */
export type Trigger<Text extends string = string> = NoTrigger | HttpTrigger | ScheduleTrigger<Text> | EventTrigger;

/** The connection that a function runs for. */
export interface TriggerConnection {
	connectionId: string;
	/** The key of the integration. */
	integrationId: string;
}

/** The second argument of a function that was asked for. */
export interface InvokeTriggered<Input = any> {
	kind: "invoke";
	input: Input;
	connection: TriggerConnection;
}

/** The second argument of a function that was called over HTTP. */
export interface HttpTriggered<Input = any> {
	kind: "http";
	input: Input;
	/** The request as it came. */
	request: {
		method: string;
		path: string;
		/** Names in lower case. */
		headers: Record<string, string>;
		query: Record<string, string | string[]>;
		body: any;
	};
	/** Which of its subscriptions matched. */
	subscriptions?: string[] | undefined;
	connection: TriggerConnection;
}

/** The second argument of a function that runs on a schedule. */
export interface ScheduleTriggered {
	kind: "schedule";
	input: null;
	connection: TriggerConnection;
}

/** The second argument of a function that runs at an event. */
export interface EventTriggered {
	kind: "event";
	input: { event: ConnectionEvent };
	connection: TriggerConnection;
}

/** The second argument of a function, by its trigger. */
export type Triggered<Kind extends Trigger["kind"], Input> =
	Kind extends "schedule" ? ScheduleTriggered
	: Kind extends "event" ? EventTriggered
	: Kind extends "http" ? HttpTriggered<Input> | InvokeTriggered<Input>
	: InvokeTriggered<Input>;

/** What a function needs, which decides the members of its nango object. */
export interface Requires {
	/** It runs for a connection. Functions without one can't be deployed. */
	connection?: true | undefined;
	/**
	 * Whether it calls out: `get`, `post`, `proxy`, `paginate`, `uncontrolledFetch` and the like.
	 *
	 * @default true
	 */
	outbound?: boolean | undefined;
	/**
	 * Whether it runs other functions: `nango.invoke`.
	 *
	 * @default false
	 */
	invoke?: boolean | undefined;
}

/** How many runs there are at a time. */
export interface Limits {
	concurrency?: {
		/** For each connection: one after the other, or as many as there are. */
		perConnection?: 1 | "max" | undefined;
	};
}

/** What `nango.invoke` takes. */
export interface InvokeOptions<Input = any> {
	/** What the other function is given. */
	input?: Input | undefined;
	/** The connection that it runs for, unless it is this run's own. */
	connection?: Partial<TriggerConnection> | undefined;
}

/** Runs other functions; with `requires: { invoke: true }`. */
export interface NangoInvoke {
	/**
	 * Runs another function without a trigger, or an action, and waits for what it returns.
	 *
	 * @throws With the `code`, `payload` and `upstream` that it failed with; `not_found`, `unknown_connection`.
	 * @example const user = await nango.invoke<NewUser, User>("create-user", { input: { name: "Ada" } });
	 */
	invoke<Input = any, Output = any>(name: string, options?: InvokeOptions<Input>): Promise<Output>;
	/**
	 * The same with what the other function's file in `functions` exports, imported from there: input and output are those it declares.
	 *
	 * @example const user = await nango.invoke(createUser, { input: { name: "Ada" } });
	 */
	invoke<Input extends z.ZodType, Output extends z.ZodType>(
		fn: { type: "function"; input?: Input | undefined; output?: Output | undefined },
		options?: InvokeOptions<z.input<Input>>,
	): Promise<z.output<Output>>;
}

type AlwaysMember =
	| "log" | "setLogger" | "getEnvironmentVariables" | "zodValidateInput" | "ActionError"
	| "getToken" | "getRawTokenResponse" | "getIntegration" | "getWebhookURL" | "getVariant"
	| "connectionId" | "nangoConnectionId" | "providerConfigKey" | "provider" | "environmentId" | "environmentName" | "accountId" | "activityLogId" | "isCLI" | "scriptType" | "variant";
type OutboundMember = "proxy" | "get" | "post" | "put" | "patch" | "delete" | "paginate" | "uncontrolledFetch";
type RecordMember =
	| "batchSave" | "batchUpdate" | "batchDelete" | "getRecordsByIds" | "listRecords" | "setMergingStrategy" | "trackDeletesStart" | "trackDeletesEnd"
	| "syncId" | "syncJobId";
type CheckpointMember = "getCheckpoint" | "saveCheckpoint" | "clearCheckpoint";
type MetadataMember = "getMetadata" | "setMetadata" | "updateMetadata";

/** The nango object of a function: what every function has, and what this one declares. */
export type NangoFunction<Models = undefined, Metadata = undefined, Checkpoint = undefined, Needs extends Requires = {}> =
	& Pick<NangoAction, AlwaysMember>
	& Pick<NangoAction<Metadata extends z.ZodType ? MetadataOf<Metadata> : any>, "getConnection">
	& (Needs extends { outbound: false } ? unknown : Pick<NangoAction, OutboundMember>)
	& (Needs extends { invoke: true } ? NangoInvoke : unknown)
	& (Models extends ModelSchemas ? Pick<NangoSync<{ [Name in keyof Models]: z.output<Models[Name]> }>, RecordMember> : unknown)
	& (Checkpoint extends z.ZodType ? Pick<NangoAction<any, CheckpointOf<Checkpoint>>, CheckpointMember> : unknown)
	& (Metadata extends z.ZodType ? Pick<NangoAction<MetadataOf<Metadata>>, MetadataMember> : unknown);

/** What the compiler says of records in functions without a schedule. */
type OnlyWithSchedule = "only functions whose trigger is a schedule keep records";

/** What {@link createFunction} takes. */
export interface CreateFunctionProps<
	Input extends z.ZodType = any,
	Output extends z.ZodType = any,
	Models extends ModelSchemas | undefined = any,
	Metadata extends z.ZodType | undefined = any,
	Checkpoint extends z.ZodType | undefined = any,
	Kind extends Trigger["kind"] = any,
	Needs extends Requires = any,
	Text extends string = string,
> {
	/** What the function does, in at most 2,000 characters. Language models that use it as a tool read it as well. */
	description: string;
	/** What it runs by; without one it runs when it is asked for. */
	trigger?: { kind: Kind } & Trigger<Text> | undefined;
	/** What it needs. */
	requires?: Needs | undefined;
	/** How many runs there are at a time. */
	limits?: Limits | undefined;
	/** What it is given. It is checked before each run. */
	input?: Input | undefined;
	/** What it returns. It is checked after each run. */
	output?: Output | undefined;
	/** What it keeps. */
	data?: {
		/** Records by model, as of syncs; only with a schedule. */
		models?: (Models & CheckedModels<Models> & (Kind extends "schedule" ? unknown : OnlyWithSchedule)) | undefined;
		/** The connection's metadata. */
		metadata?: (Metadata & CheckedMetadata<Metadata>) | undefined;
		/** Its progress: a flat object of texts, numbers, booleans and dates. */
		checkpoint?: (Checkpoint & CheckedCheckpoint<Checkpoint>) | undefined;
	};
	/** Does it. */
	exec: (
		nango: NangoFunction<Models, Metadata, Checkpoint, Needs>,
		trigger: Triggered<Kind, z.output<Input>>,
	) => Promise<z.output<Output>> | z.output<Output>;
}

/** What {@link createFunction} returns. */
export interface CreateFunctionResponse<
	Input extends z.ZodType = any,
	Output extends z.ZodType = any,
	Models extends ModelSchemas | undefined = any,
	Metadata extends z.ZodType | undefined = any,
	Checkpoint extends z.ZodType | undefined = any,
	Kind extends Trigger["kind"] = any,
	Needs extends Requires = any,
	Text extends string = string,
> extends CreateFunctionProps<Input, Output, Models, Metadata, Checkpoint, Kind, Needs, Text> {
	type: "function";
}

/**
 * Defines a function of any kind in `<integration>/functions/`: its trigger says when it runs, and what it declares which members
 * its nango object has.
 *
 * @experimental
 * @example
 * ```ts
 * export default createFunction({
 *   description: "Greets",
 *   input: z.object({ name: z.string() }),
 *   output: z.string(),
 *   exec: async (nango, { input }) => `Hello ${input.name}, from ${nango.connectionId}`,
 * });
 * ```
 */
export declare function createFunction<
	Input extends z.ZodType = z.ZodAny,
	Output extends z.ZodType = z.ZodAny,
	Models extends ModelSchemas | undefined = undefined,
	Metadata extends z.ZodType | undefined = undefined,
	Checkpoint extends z.ZodType | undefined = undefined,
	Kind extends Trigger["kind"] = "none",
	const Needs extends Requires = {},
	const Text extends string = string,
>(
	definition: CreateFunctionProps<Input, Output, Models, Metadata, Checkpoint, Kind, Needs, Text>,
): CreateFunctionResponse<Input, Output, Models, Metadata, Checkpoint, Kind, Needs, Text>;

// What is not exported above stays in here.
export {};
