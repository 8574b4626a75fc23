// The nango object that functions are given (features §18). What it keeps to
// itself is in closures: nothing but what is documented can be reached.
import { ActionError, from, type HttpResponse } from "./errors";
import { type FetchOptions, type FetchResponse, uncontrolledFetch } from "./fetch";
import { ask, misuse, type ProxyConfig, request } from "./http";
import { type Level, Logger } from "./log";
import { type Pagination, pages, settings } from "./paginate";
import { startSync, triggerSync } from "./syncs";
import { Records, type SyncStart } from "./records";
import { override, type Trial } from "./trial";
import type { HttpRequest } from "./unified";

/** What the host says of a run when it starts. */
export interface Start {
	mode: "run";
	kind: "sync" | "action" | "on-event";
	event?: string;
	input?: unknown;
	/** The payload for onWebhook; absent when the function itself runs. */
	webhook?: unknown;
	/** The request to a function whose trigger is http, and which of its subscriptions it is for. */
	request?: HttpRequest;
	subscriptions?: string[];
	/** Absent unless records can be saved. */
	sync?: SyncStart;
	level: Level;
	variant: string;
	attributes?: Record<string, unknown>;
	props: Record<string, unknown>;
	/** Absent unless the run is none in earnest. */
	trial?: Trial;
}

interface RefreshOptions {
	forceRefresh?: boolean;
	refreshToken?: boolean;
	refreshGithubAppJwtToken?: boolean;
}

type Include = "webhook" | "credentials";

const connectionFor = 60_000;
const integrationFor = 600_000;

/** Remembers answers for some time. */
class Memo<T> {
	#entries = new Map<string, { until: number; value: Promise<T> }>();

	async get(key: string, ms: number, load: () => Promise<T>): Promise<T> {
		const now = Date.now();
		const known = this.#entries.get(key);
		if (known !== undefined && now < known.until) return known.value;
		const value = load();
		this.#entries.set(key, { until: now + ms, value });
		try {
			return await value;
		} catch (e) {
			if (this.#entries.get(key)?.value === value) this.#entries.delete(key);
			throw e;
		}
	}

	clear(): void {
		this.#entries.clear();
	}
}

/** What only syncs have. */
const ofSyncs = [
	"batchSave", "batchUpdate", "batchDelete", "batchSend", "getRecordsByIds", "getRecordsById", "listRecords", "setMergingStrategy",
	"deleteRecordsFromPreviousExecutions", "trackDeletesStart", "trackDeletesEnd",
] as const;

/** A run's nango object, and its records if it can save any. */
export interface Made {
	nango: Record<string, any>;
	records: Records | undefined;
}

/** Makes the nango object of a run. */
export function makeNango(start: Start): Made {
	const logger = new Logger(start.level);
	const connections = new Memo<any>();
	const integrations = new Memo<any>();
	const records = start.sync === undefined ? undefined : new Records((message) => logger.log([message, { level: "warn" }]), start.trial !== undefined);

	async function proxy(config: ProxyConfig, site: Error): Promise<HttpResponse> {
		try {
			return await request(config, site, start.trial);
		} catch (e) {
			// The credentials may be others by now.
			if ((e as { response?: { status?: number } } | null)?.response?.status === 401) connections.clear();
			throw e;
		}
	}

	const verb = (method: string) => (config: ProxyConfig) => proxy({ ...config, method }, new Error());

	async function getConnection(key?: string, id?: string, options?: RefreshOptions): Promise<any> {
		const site = new Error();
		const params = {
			integration: key || undefined,
			connection: id || undefined,
			forceRefresh: options?.forceRefresh || undefined,
			refreshToken: options?.refreshToken || undefined,
		};
		const load = (): Promise<any> => ask("connection", params, site);
		if (params.forceRefresh || params.refreshToken || options?.refreshGithubAppJwtToken) {
			if (params.forceRefresh) connections.clear();
			return load();
		}
		return connections.get(JSON.stringify([key, id]), connectionFor, load);
	}

	async function getMetadata(): Promise<any> {
		return (await getConnection()).metadata;
	}

	async function writeMetadata(metadata: unknown, merge: boolean, site: Error): Promise<void> {
		if (metadata === null || typeof metadata !== "object" || Array.isArray(metadata)) {
			throw from(misuse("invalid_metadata", "Metadata must be an object."), site);
		}
		try {
			await ask("metadata", { metadata, merge }, site);
		} finally {
			connections.clear();
		}
	}

	async function getIntegration(options?: { include?: Include[] }): Promise<any> {
		const site = new Error();
		const include = [...new Set(options?.include ?? [])].sort();
		return integrations.get(include.join(), integrationFor, () => ask("integration", { include }, site));
	}

	async function* paginate(config: ProxyConfig): AsyncGenerator<any[], undefined, void> {
		const site = new Error();
		const defaults: Pagination | null = await ask("pagination", { integration: config.providerConfigKey, connection: config.connectionId }, site);
		const p = settings(defaults, config.paginate);
		return yield* pages(config, p, (c) => proxy(c, site));
	}

	async function triggerAction(...args: unknown[]): Promise<any> {
		const site = new Error();
		// Both forms are documented: (integration, connection, action, input) and
		// (action, input).
		const [integration, connection, action, input] = typeof args[2] === "string" ? args : [undefined, undefined, args[0], args[1]];
		if (typeof action !== "string" || action === "") throw from(misuse("invalid_body", "triggerAction needs the name of an action."), site);
		return ask("action", { integration: integration || undefined, connection: connection || undefined, action, input }, site);
	}

	async function zodValidateInput({ zodSchema, input }: { zodSchema: { safeParse(input: unknown): any }; input: unknown }): Promise<any> {
		const site = new Error();
		if (start.trial?.lenient === true) return { data: input };
		const parsed = zodSchema.safeParse(input);
		if (parsed.success) return parsed;
		const issues: { message: string; path: PropertyKey[] }[] = parsed.error.issues;
		for (const issue of issues) {
			logger.log([`Invalid input provided: ${issue.message} at path ${issue.path.map(String).join(".")}`, { level: "error" }]);
		}
		throw from(new ActionError({ code: "invalid_action_input", message: "Invalid input provided", errors: issues }), site);
	}

	const nango: Record<string, any> = {
		...start.props,
		variant: start.variant,
		input: start.input,
		ActionError,

		proxy: (config: ProxyConfig) => proxy(config, new Error()),
		get: verb("GET"),
		post: verb("POST"),
		put: verb("PUT"),
		patch: verb("PATCH"),
		delete: verb("DELETE"),
		paginate,
		uncontrolledFetch: (options: FetchOptions): Promise<FetchResponse> => uncontrolledFetch(options, new Error()),

		getConnection,
		async getToken(): Promise<unknown> {
			const { credentials } = await getConnection();
			switch (credentials.type) {
				case "OAUTH2":
				case "APP":
					return credentials.access_token;
				case "OAUTH1":
					return { oAuthToken: credentials.oauth_token, oAuthTokenSecret: credentials.oauth_token_secret };
			}
			return credentials;
		},
		async getRawTokenResponse(): Promise<unknown> {
			return (await getConnection(undefined, undefined, { refreshToken: true })).credentials.raw;
		},
		getMetadata,
		setMetadata: (metadata: unknown) => writeMetadata(metadata, false, new Error()),
		updateMetadata: (metadata: unknown) => writeMetadata(metadata, true, new Error()),
		async getFieldMapping(): Promise<unknown> {
			return (await getMetadata())?.fieldMapping ?? {};
		},
		setFieldMapping: (fieldMapping: unknown) => writeMetadata({ fieldMapping }, true, new Error()),
		getIntegration,
		async getWebhookURL(): Promise<string | null | undefined> {
			return (await getIntegration({ include: ["webhook"] })).webhook_url;
		},
		getEnvironmentVariables: () => ask("variables", undefined, new Error()),
		getFlowAttributes: () => start.attributes ?? null,
		getVariant: () => start.variant,

		async log(...args: unknown[]): Promise<void> {
			logger.log(args);
		},
		setLogger({ level }: { level: unknown }): void {
			logger.set(level);
		},

		triggerAction,
		triggerSync: (...args: unknown[]) => triggerSync(args, new Error()),
		startSync: (...args: unknown[]) => startSync(args, new Error()),
		zodValidateInput,

		...checkpoints(records),

		tryAcquireLock: ({ key, ttlMs }: { key: string; ttlMs: number }) => ask("lock_acquire", { key, ttlMs }, new Error()),
		releaseLock: ({ key }: { key: string }) => ask("lock_release", { key }, new Error()),
		releaseAllLocks: () => ask("lock_release_all", undefined, new Error()),
	};
	if (records === undefined || start.sync === undefined) {
		const why = start.kind === "sync" ? "this run has no records." : `this function is ${start.kind === "action" ? "an action" : "not run as one"}.`;
		for (const name of ofSyncs) nango[name] = unavailable(`nango.${name} belongs to syncs; ${why}`);
	} else {
		Object.assign(nango, ofSync(start.sync, records));
		if (start.trial?.lenient === true) nango.lastSyncDate ??= null;
	}
	override(nango, start.trial);
	return { nango, records };
}

/** The members about checkpoints. In syncs they wait for the records before them. */
function checkpoints(records: Records | undefined): Record<string, () => Promise<any>> {
	const guarded = async (step: () => Promise<any>): Promise<any> => (records === undefined ? step() : records.after(step));
	return {
		getCheckpoint: () => {
			const site = new Error();
			return guarded(() => ask("checkpoint_get", undefined, site));
		},
		saveCheckpoint: async (checkpoint?: unknown) => {
			const site = new Error();
			const text = JSON.stringify(checkpoint); // as it is now
			return guarded(() => ask("checkpoint_save", { checkpoint: text === undefined ? undefined : JSON.parse(text) }, site));
		},
		clearCheckpoint: () => {
			const site = new Error();
			return guarded(() => ask("checkpoint_clear", undefined, site));
		},
	};
}

/** What the nango object of syncs has besides (features §18.2). */
function ofSync(sync: SyncStart, records: Records): Record<(typeof ofSyncs)[number], unknown> & Record<string, unknown> {
	const byIds = (ids: unknown, model: unknown) => records.byIds(ids, model);
	const save = (list: unknown, model: unknown) => records.save(list, model);
	return {
		syncId: sync.id,
		syncJobId: sync.job,
		track_deletes: sync.track_deletes,
		lastSyncDate: sync.last_sync === undefined ? undefined : new Date(sync.last_sync),

		batchSave: save,
		batchSend: save,
		batchUpdate: (list: unknown, model: unknown) => records.update(list, model),
		batchDelete: (list: unknown, model: unknown) => records.delete(list, model),
		getRecordsByIds: byIds,
		getRecordsById: byIds,
		listRecords: (model: unknown, options?: { cursor?: unknown }) => records.list(model, options),
		setMergingStrategy: (options: { strategy?: unknown }, model: unknown) => records.mergeBy(options, model),
		trackDeletesStart: (model: unknown) => records.trackStart(model),
		trackDeletesEnd: (model: unknown) => records.trackEnd(model),
		deleteRecordsFromPreviousExecutions: (model: unknown) => records.deleteOutdated(model),
	};
}

function unavailable(message: string): () => Promise<never> {
	return async () => {
		throw misuse("not_available", message);
	};
}
