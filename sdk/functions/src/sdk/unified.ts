// What functions made by createFunction are given (features FN-19, wire contract
// §11.2): a nango object with what they declare, and what they run at.
import { from, type NangoError } from "./errors";
import { ask, misuse } from "./http";
import type { Start } from "./nango";

/** The members of a definition that decide what its function may use. */
export interface Definition {
	requires?: { connection?: boolean; outbound?: boolean; invoke?: boolean };
	data?: { models?: unknown; metadata?: unknown; checkpoint?: unknown };
}

/** A request to a function whose trigger is http. */
export interface HttpRequest {
	method: string;
	path: string;
	headers: Record<string, string>;
	query: Record<string, string | string[]>;
	body: unknown;
}

/** The connection that a function runs for. */
interface Connection {
	connectionId: unknown;
	integrationId: unknown;
}

/** What every function has. The members that are no functions say for whom it runs. */
const always = [
	"log", "setLogger", "getEnvironmentVariables", "zodValidateInput", "ActionError",
	"getConnection", "getToken", "getRawTokenResponse", "getIntegration", "getWebhookURL", "getVariant",
] as const;

/** What a function has to declare, and how, before it has the members. */
const declared: [members: readonly string[], by: (d: Definition) => boolean, how: string][] = [
	[
		["proxy", "get", "post", "put", "patch", "delete", "paginate", "uncontrolledFetch"],
		(d) => d.requires?.outbound !== false,
		"makes a request, but requires.outbound is false",
	],
	[
		["batchSave", "batchUpdate", "batchDelete", "getRecordsByIds", "listRecords", "setMergingStrategy", "trackDeletesStart", "trackDeletesEnd"],
		(d) => d.data?.models !== undefined,
		"belongs to functions with records: declare them in data.models",
	],
	[["getCheckpoint", "saveCheckpoint", "clearCheckpoint"], (d) => d.data?.checkpoint !== undefined, "needs a checkpoint: declare it in data.checkpoint"],
	[["getMetadata", "setMetadata", "updateMetadata"], (d) => d.data?.metadata !== undefined, "needs metadata: declare them in data.metadata"],
	[["invoke"], (d) => d.requires?.invoke === true, "runs another function: declare requires: { invoke: true }"],
];

/** Members of other kinds of functions, and what there is instead. */
const elsewhere: Record<string, string> = {
	triggerAction: "use nango.invoke, and declare requires: { invoke: true }",
	triggerSync: "call the API",
	startSync: "call the API",
	getFlowAttributes: "use nango.getMetadata",
	getFieldMapping: "use nango.getMetadata",
	setFieldMapping: "use nango.updateMetadata",
	tryAcquireLock: "declare limits: { concurrency: { perConnection: 1 } }",
	releaseLock: "declare limits: { concurrency: { perConnection: 1 } }",
	releaseAllLocks: "declare limits: { concurrency: { perConnection: 1 } }",
	batchSend: "use nango.batchSave",
	getRecordsById: "use nango.getRecordsByIds",
	deleteRecordsFromPreviousExecutions: "use nango.trackDeletesStart and nango.trackDeletesEnd",
};

/** Those of which a loop takes one value after the other. */
const iterated = new Set(["paginate", "listRecords"]);

/** Leaves of a run's nango object what the function declares; the rest says why it is not there. */
export function limit(nango: Record<string, any>, definition: Definition): Record<string, any> {
	const all: Record<string, any> = { ...nango, invoke };
	const limited: Record<string, any> = {};
	for (const [name, value] of Object.entries(all)) if (typeof value !== "function" && name !== "input") limited[name] = value;
	for (const name of always) limited[name] = all[name];
	for (const [members, has, how] of declared) {
		const there = has(definition);
		for (const name of members) limited[name] = there ? all[name] : refused(name, `nango.${name} ${how}.`);
	}
	for (const [name, instead] of Object.entries(elsewhere)) {
		limited[name] = refused(name, `Functions made by createFunction have no nango.${name}: ${instead}.`);
	}
	return limited;
}

function refused(name: string, message: string): unknown {
	if (!iterated.has(name)) return async () => Promise.reject(misuse("not_available", message));
	return async function* () {
		throw misuse("not_available", message);
	};
}

/** What nango.invoke may be given beside the function's name. */
interface InvokeOptions {
	input?: unknown;
	connection?: Partial<Connection>;
}

/** Under which the bundler notes, in a definition that another function imports, which function it is. */
const identity = Symbol.for("linkspan.function");

/** A function that is to be invoked: by its name, or by the definition that its file exports. */
function targetOf(fn: unknown): { name: string; integrationId?: string } | undefined {
	if (typeof fn === "string") return fn === "" ? undefined : { name: fn };
	return (fn as { [identity]?: { name: string; integrationId: string } } | null | undefined)?.[identity];
}

/** nango.invoke: runs another function that can be invoked, or an action, and returns its output. */
async function invoke(fn: unknown, options?: InvokeOptions): Promise<unknown> {
	const site = new Error();
	const target = targetOf(fn);
	if (target === undefined) {
		throw wrong('nango.invoke takes the name of a function, such as nango.invoke("create-issue", { input }), or what its file in functions exports.', site);
	}
	if (options !== undefined && (options === null || typeof options !== "object")) {
		throw wrong("The options of nango.invoke are an object of input and connection.", site);
	}
	const { connectionId, integrationId } = options?.connection ?? {};
	for (const id of [connectionId, integrationId]) {
		if (id !== undefined && (typeof id !== "string" || id === "")) throw wrong("The connection of nango.invoke is an object of connectionId and integrationId.", site);
	}
	return ask("action", { integration: integrationId ?? target.integrationId, connection: connectionId, action: target.name, input: options?.input }, site);
}

function wrong(message: string, site: Error): NangoError {
	return from(misuse("invalid_body", message), site);
}

/** The second argument of exec. */
export function triggerOf(start: Start): unknown {
	const connection: Connection = { connectionId: start.props.connectionId, integrationId: start.props.providerConfigKey };
	const request = start.request ?? ("webhook" in start ? webhookRequest(start.webhook) : undefined);
	if (request !== undefined) {
		const trigger = { kind: "http", input: request.body, request, connection };
		return start.subscriptions === undefined ? trigger : { ...trigger, subscriptions: start.subscriptions };
	}
	switch (start.kind) {
		case "sync":
			return { kind: "schedule", input: null, connection };
		case "on-event":
			return { kind: "event", input: { event: start.event }, connection };
		default:
			return { kind: "invoke", input: start.input, connection };
	}
}

/** The request of a webhook of which only the payload is known. */
function webhookRequest(body: unknown): HttpRequest {
	return { method: "POST", path: "/", headers: {}, query: {}, body };
}
