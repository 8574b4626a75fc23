// The nango object that functions are given.
import type * as z from "zod";
import type { Connection, EnvironmentVariable, GetConnectionOptions, Integration } from "./connection.js";
import type { ActionError } from "./errors.js";
import type { FetchOptions, FetchResponse, HttpResponse, ProxyConfiguration, RequestConfiguration } from "./http.js";

/** What of a run's messages is kept: those of the level and those that weigh more. `off` keeps none. */
export type LogLevel = "debug" | "info" | "warn" | "error" | "off";

/** The last argument of `nango.log`. */
export interface LogOptions {
	/**
	 * How much the message weighs.
	 *
	 * @default "info"
	 */
	level?: LogLevel | undefined;
}

/** Progress of a function: a flat object of at most 16 fields, texts of at most 4,000 characters. */
export type CheckpointData = Record<string, string | number | boolean | Date | undefined>;

/** A checkpoint as it is read back: dates have become ISO 8601. */
export type StoredCheckpoint<Checkpoint> = { [Field in keyof Checkpoint]: DateAsText<Checkpoint[Field]> };

type DateAsText<T> = T extends Date ? string : T;

/** A sync by name, as `"name::variant"`, or by name and variant. */
export type SyncReference = string | { name: string; variant?: string };

/** How `nango.triggerSync` runs a sync. */
export interface TriggerSyncOptions {
	/** Whether it begins from the start: its checkpoint is cleared. */
	reset?: boolean | undefined;
	/** Whether its records are removed before; only with `reset`. All of them count as added then. */
	emptyCache?: boolean | undefined;
}

/** The settings that older callers of `nango.triggerSync` pass instead of {@link TriggerSyncOptions}. */
export type LegacySyncMode = "incremental" | "full_refresh" | "full_refresh_and_clear_cache";

/**
 * The nango object of actions and event functions, and what syncs have of it as well: the provider's API with the connection's
 * credentials, and what Linkspan keeps for the connection.
 *
 * Functions of yours that help others take it as a parameter: `NangoAction` without type arguments fits all of them.
 */
export interface NangoAction<Metadata = any, Checkpoint = any, Input = any> {
	// ---- which run this is ----

	/** The connection of this run: the `connection_id` of your backend. */
	readonly connectionId: string;
	/** The connection's number, which `getConnection` has as `id`; `undefined` while it is not stored, and in tests. */
	readonly nangoConnectionId: number | undefined;
	/** The key of the integration of this run. */
	readonly providerConfigKey: string;
	/** The name of the provider in the catalogue, such as `"github"`. */
	readonly provider: string;
	/** The number of the environment. */
	readonly environmentId: number;
	/** The name of the environment, such as `"dev"`. */
	readonly environmentName: string;
	/** The account that the environment belongs to. */
	readonly accountId: string;
	/** The operation that this run is in the logs: `GET /logs/operations/{id}`. */
	readonly activityLogId: string;
	/** Whether this is a dry run or a test on somebody's machine. */
	readonly isCLI: boolean;
	/** What runs: `onWebhook` is `"webhook"`. */
	readonly scriptType: "sync" | "action" | "on-event" | "webhook";
	/** The variant of the sync; `"base"` unless there are several, and in all other functions. */
	readonly variant: string;
	/** What the function was given, for functions without a definition: `export default async function run(nango) { nango.input }`. */
	readonly input: Input;

	/**
	 * Ends the run with a payload for whoever started it. The same class as the package exports.
	 *
	 * @example throw new nango.ActionError({ code: "quota", message: "No seats are left" });
	 */
	readonly ActionError: typeof ActionError;

	// ---- the provider's API ----

	/**
	 * Calls the provider with any verb.
	 *
	 * @throws {@link HttpError} when the answer is not 2xx or there is none.
	 * @example const { data } = await nango.proxy({ method: "PUT", endpoint: "/me", data: { name: "Ada" } });
	 */
	proxy<T = any>(config: ProxyConfiguration): Promise<HttpResponse<T>>;
	/**
	 * Reads from the provider.
	 *
	 * @throws {@link HttpError} when the answer is not 2xx or there is none.
	 * @example const { data } = await nango.get<User[]>({ endpoint: "/users", params: { active: true }, retries: 3 });
	 */
	get<T = any>(config: RequestConfiguration): Promise<HttpResponse<T>>;
	/**
	 * Creates something at the provider, or searches.
	 *
	 * @throws {@link HttpError} when the answer is not 2xx or there is none.
	 * @example await nango.post({ endpoint: "/issues", data: { title: "It broke" } });
	 */
	post<T = any>(config: RequestConfiguration): Promise<HttpResponse<T>>;
	/**
	 * Replaces something at the provider.
	 *
	 * @throws {@link HttpError} when the answer is not 2xx or there is none.
	 */
	put<T = any>(config: RequestConfiguration): Promise<HttpResponse<T>>;
	/**
	 * Changes something at the provider.
	 *
	 * @throws {@link HttpError} when the answer is not 2xx or there is none.
	 */
	patch<T = any>(config: RequestConfiguration): Promise<HttpResponse<T>>;
	/**
	 * Deletes something at the provider.
	 *
	 * @throws {@link HttpError} when the answer is not 2xx or there is none.
	 */
	delete<T = any>(config: RequestConfiguration): Promise<HttpResponse<T>>;
	/**
	 * Reads a list page by page. The type argument is that of one item.
	 *
	 * @throws `pagination_not_configured` when neither the call nor the provider's entry says how, `invalid_pagination` when it can't
	 * be done so; {@link HttpError} as the calls themselves.
	 * @example
	 * ```ts
	 * for await (const issues of nango.paginate<Issue>({ endpoint: "/issues", paginate: { limit: 100 } })) {
	 *   await nango.batchSave(issues.map(toIssue), "Issue");
	 * }
	 * ```
	 */
	paginate<T = any>(config: ProxyConfiguration): AsyncGenerator<T[], undefined, void>;
	/**
	 * Makes a plain call to anywhere: no credentials, no retries, answers of every status. Private addresses are refused, and at most
	 * 5 redirects are followed.
	 *
	 * @throws `TypeError` as `fetch` does when there is no answer; `url_not_allowed`, `too_many_redirects`, `invalid_redirect`.
	 * @example const page = await (await nango.uncontrolledFetch({ url: "https://example.com/feed.xml" })).text();
	 */
	uncontrolledFetch(options: FetchOptions): Promise<FetchResponse>;

	// ---- the connection ----

	/**
	 * Reads the run's connection, or another one of the environment, with credentials that are valid. It is remembered for a minute.
	 *
	 * @throws `unknown_connection` when there is none.
	 * @example const { connection_config } = await nango.getConnection();
	 */
	getConnection(providerConfigKey?: string, connectionId?: string, options?: GetConnectionOptions): Promise<Connection<Metadata>>;
	/**
	 * What calls are signed with, for the rare case that a header can't be set by Linkspan: the access token of OAuth 2 and apps as
	 * text, of OAuth 1 `{ oAuthToken, oAuthTokenSecret }`, of everything else the credentials as they are.
	 *
	 * @example const token = await nango.getToken<string>();
	 */
	getToken<T = any>(): Promise<T>;
	/** What the provider answered when the access token was made, with the refresh token. */
	getRawTokenResponse<T = any>(): Promise<T>;
	/**
	 * Reads the small JSON that is kept with the connection: settings such as the channel to post to. `null` when nobody ever set any.
	 * Declare `metadata` in the definition and it has that type.
	 *
	 * @example const { teamId } = await nango.getMetadata();
	 */
	getMetadata<T = Metadata>(): Promise<T>;
	/**
	 * Replaces the metadata of the connection.
	 *
	 * @throws `invalid_metadata` when it is no object, `metadata_too_large` above 1 MB.
	 */
	setMetadata(metadata: Metadata): Promise<void>;
	/**
	 * Sets members of the metadata and keeps the others.
	 *
	 * @throws `invalid_metadata` when it is no object, `metadata_too_large` above 1 MB.
	 * @example await nango.updateMetadata({ cursor: "abc" });
	 */
	updateMetadata(metadata: Partial<Metadata>): Promise<void>;
	/**
	 * Reads the integration of the run; remembered for ten minutes.
	 *
	 * @param options.include What to read besides: where webhooks go, the credentials of the developer app.
	 * @example const { credentials } = await nango.getIntegration({ include: ["credentials"] });
	 */
	getIntegration(options?: { include?: ("webhook" | "credentials")[] }): Promise<Integration>;
	/** Where the provider is to send webhooks of this integration; `null` when its webhooks are not understood. */
	getWebhookURL(): Promise<string | null>;
	/**
	 * Reads the variables of the environment.
	 *
	 * @example const region = (await nango.getEnvironmentVariables())?.find((v) => v.name === "REGION")?.value;
	 */
	getEnvironmentVariables(): Promise<EnvironmentVariable[] | null>;
	/** The variant of the sync; `"base"` in all other functions. */
	getVariant(): string;

	// ---- logs ----

	/**
	 * Writes a line into the logs of the run, and never throws. Secrets of the connection are taken out. Messages are cut after 10,000
	 * characters.
	 *
	 * @param message A text; anything else is written as JSON.
	 * @example await nango.log("Skipped", { id }, { level: "warn" });
	 */
	log(message: unknown, options: LogOptions): Promise<void>;
	log(message: unknown, ...payload: unknown[]): Promise<void>;
	/**
	 * Says which messages are kept from now on. By default those from `warn` on, in dry runs all; `NANGO_LOGGER_LEVEL` among the
	 * variables of the environment sets another default. Once `off`, it stays off.
	 *
	 * @throws `TypeError` for other words.
	 */
	setLogger(options: { level: LogLevel }): void;

	// ---- other functions ----

	/**
	 * Runs another action and waits for what it returns. Names only: of the same connection.
	 *
	 * @throws With the `code`, `payload` and `upstream` that the action failed with; `not_found`, `invalid_body`.
	 * @example const { id } = await nango.triggerAction<NewUser, { id: string }>("create-user", { name: "Ada" });
	 */
	triggerAction<Input = any, Output = any>(action: string, input?: Input): Promise<Output>;
	/** Runs an action of another connection. */
	triggerAction<Input = any, Output = any>(providerConfigKey: string, connectionId: string, action: string, input?: Input): Promise<Output>;
	/**
	 * Has a sync run once, soon: of a connection, or of all connections of the integration.
	 *
	 * @throws `unknown_sync`, `invalid_body`.
	 * @example await nango.triggerSync(nango.providerConfigKey, nango.connectionId, "contacts", { reset: true });
	 */
	triggerSync(providerConfigKey: string, connectionId: string | undefined, sync: SyncReference, options?: TriggerSyncOptions): Promise<{ success: true }>;
	/** @deprecated Pass {@link TriggerSyncOptions}. */
	triggerSync(providerConfigKey: string, connectionId: string | undefined, sync: SyncReference, mode: LegacySyncMode | boolean): Promise<{ success: true }>;
	/**
	 * Starts the schedules of syncs: of a connection, or of all connections of the integration. None named means all of them.
	 *
	 * @throws `unknown_sync`, `invalid_body`.
	 * @example await nango.startSync("slack", ["messages", { name: "files", variant: "archive" }], nango.connectionId);
	 */
	startSync(providerConfigKey: string, syncs: SyncReference[], connectionId?: string): Promise<{ success: true }>;

	/**
	 * Checks a value with a schema; for input that a definition can't describe.
	 *
	 * @throws An `ActionError` with `code: "invalid_action_input"` and the issues in `errors`; each is logged as well.
	 * @example const { data } = await nango.zodValidateInput({ zodSchema: z.object({ id: z.string() }), input });
	 */
	zodValidateInput<Schema extends z.ZodType>(options: { zodSchema: Schema; input: unknown }): Promise<z.ZodSafeParseSuccess<z.output<Schema>>>;

	// ---- progress ----

	/**
	 * Reads what `saveCheckpoint` kept for this function, connection and variant; `null` in the first run, after a reset and after
	 * `clearCheckpoint`. Declare `checkpoint` in the definition and it has that type.
	 *
	 * @example const since = (await nango.getCheckpoint())?.since ?? "2000-01-01T00:00:00Z";
	 */
	getCheckpoint<T = StoredCheckpoint<Checkpoint>>(): Promise<T | null>;
	/**
	 * Keeps progress for the next run. What was saved before it is stored for sure. A sync that has run for long ends here, as a
	 * success, and another run goes on at once.
	 *
	 * @throws `invalid_checkpoint_format` when it is not flat or too large, `checkpoint_conflict` when another run saved one meanwhile.
	 * @example await nango.saveCheckpoint({ since: issues.at(-1).updated_at });
	 */
	saveCheckpoint(checkpoint: Checkpoint): Promise<void>;
	/**
	 * Forgets the checkpoint: the next run begins from the start.
	 *
	 * @throws `checkpoint_conflict` when another run saved one meanwhile.
	 */
	clearCheckpoint(): Promise<void>;

	// ---- locks ----

	/**
	 * Takes a lock of the environment by name, without waiting. Who has it already has it again, for as long as given from now on. It
	 * is given back at the end of the run at the latest.
	 *
	 * @param options.key A name of 1 to 255 characters.
	 * @param options.ttlMs After how many milliseconds others may have it, whatever happens.
	 * @returns Whether this run has it.
	 * @throws `invalid_lock` for another key or time.
	 * @example if (!(await nango.tryAcquireLock({ key: "export", ttlMs: 60_000 }))) return;
	 */
	tryAcquireLock(options: { key: string; ttlMs: number }): Promise<boolean>;
	/** Gives a lock back; `false` when this run does not have it. */
	releaseLock(options: { key: string }): Promise<boolean>;
	/** Gives back all locks of this run. */
	releaseAllLocks(): Promise<void>;

	// ---- older ways ----

	/** @deprecated Read `fieldMapping` of {@link getMetadata}. `{}` when there is none. */
	getFieldMapping(): Promise<Record<string, any>>;
	/** @deprecated Use {@link updateMetadata}: it sets the member `fieldMapping`. */
	setFieldMapping(fieldMapping: Record<string, string>): Promise<void>;
	/** @deprecated Attributes of functions from before definitions were TypeScript; `null` when there are none. */
	getFlowAttributes<T = Record<string, any>>(): T | null;
}

// What is not exported above stays in here.
export {};
