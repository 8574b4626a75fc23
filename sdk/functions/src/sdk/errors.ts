// The errors that functions meet and throw.
import { HostError } from "../bridge";
import { TextDecoder } from "../platform/text";

/** What a function throws to end its run with a payload of its own. */
export class ActionError<T = Record<string, unknown>> extends Error {
	readonly type = "action_script_runtime_error";
	readonly payload: T | undefined;

	constructor(payload?: T) {
		super(messageOf(payload));
		this.name = "ActionError";
		this.payload = payload;
	}
}

function messageOf(payload: unknown): string {
	if (typeof payload === "string") return payload;
	if (payload !== null && typeof payload === "object") {
		const { message, error } = payload as { message?: unknown; error?: unknown };
		if (typeof message === "string") return message;
		if (typeof error === "string") return error;
	}
	return "The action script failed with a runtime error";
}

/** A call of the nango object that was refused or that failed. */
export class NangoError extends Error {
	/** A stable code, such as "unknown_connection". */
	readonly code: string;
	readonly type: string;
	readonly payload: unknown;
	/** The HTTP status that the public API answers the same error with, if any. */
	readonly status: number | undefined;
	/** The same as an HTTP client of the public API sees it. */
	readonly response: { status: number; data: { error: { code: string; message: string; payload?: unknown; upstream?: unknown } } } | undefined;
	/** The answer of an upstream that another action did not handle. */
	readonly upstream: unknown;

	constructor(code: string, message: string, details: { payload?: unknown; status?: number; errors?: unknown; upstream?: unknown } = {}) {
		super(message);
		this.name = "NangoError";
		this.code = this.type = code;
		this.payload = details.payload ?? (details.errors === undefined ? undefined : { errors: details.errors });
		this.status = details.status;
		this.upstream = details.upstream;
		if (details.status !== undefined) {
			const { payload, upstream } = this;
			const error = { code, message, ...(payload !== undefined && { payload }), ...(upstream !== undefined && { upstream }) };
			this.response = { status: details.status, data: { error } };
		}
	}
}

/** An HTTP answer, as axios shapes it. */
export interface HttpResponse<T = any> {
	data: T;
	status: number;
	statusText: string;
	headers: Record<string, any>;
	config: Record<string, any>;
	request: Record<string, any>;
}

/** A call without an answer, or with one that is no success, as axios shapes it. */
export class HttpError extends Error {
	readonly isAxiosError = true;
	readonly code: string | undefined;
	readonly config: Record<string, any>;
	readonly request: Record<string, any>;
	readonly response: HttpResponse | undefined;
	readonly status: number | undefined;

	constructor(message: string, code: string | undefined, config: Record<string, any>, request: Record<string, any>, response?: HttpResponse) {
		super(message);
		this.name = "AxiosError";
		this.code = code;
		this.config = config;
		this.request = request;
		this.response = response;
		this.status = response?.status;
	}

	toJSON(): Record<string, unknown> {
		const { paginate: _, ...config } = this.config;
		return {
			message: this.message,
			name: this.name,
			stack: this.stack,
			config,
			code: this.code,
			status: this.status ?? null,
		};
	}
}

/** The error of a refused host call, with the stack of whoever called. */
export function refusal(e: unknown, site: Error): unknown {
	if (!(e instanceof HostError)) return e;
	return from(new NangoError(e.code, e.message, e.details), site);
}

/** Gives an error that was made later the stack of where it comes from. */
export function from<E extends Error>(error: E, site: Error): E {
	if (typeof site.stack === "string") {
		Object.defineProperty(error, "stack", { value: site.stack, writable: true, configurable: true, enumerable: false });
	}
	return error;
}

/** What the run's failure says of an error beside its name, message and stack. */
export interface Description {
	kind: "action" | "http" | "network" | "sdk";
	code?: string;
	payload?: unknown;
	response?: { status: number; headers: Record<string, string>; body: unknown };
	upstream?: unknown;
}

/** Describes an error of these classes; undefined for any other. */
export function describe(e: unknown): Description | undefined {
	if (e instanceof ActionError) return { kind: "action", payload: e.payload };
	if (e instanceof HttpError) return describeHttp(e);
	if (e instanceof NangoError) return { kind: "sdk", code: e.code, payload: e.payload, upstream: e.upstream };
	if (e instanceof HostError) return { kind: "sdk", code: e.code, payload: e.details.payload };
	// Bundles may carry an ActionError of their own.
	if (isForeignActionError(e)) return { kind: "action", payload: e.payload };
	return undefined;
}

function isForeignActionError(e: unknown): e is { payload: unknown } {
	return e instanceof Error && (e as { type?: unknown }).type === "action_script_runtime_error" && "payload" in e;
}

/** Longer bodies are not told of, in characters of their JSON. */
const maxBody = 1 << 20;

function describeHttp(e: HttpError): Description {
	if (e.response === undefined) return { kind: "network", code: e.code };
	const headers: Record<string, string> = {};
	for (const [name, value] of Object.entries(e.response.headers)) headers[name] = String(value);
	let body = readable(e.response.data);
	if ((JSON.stringify(body)?.length ?? 0) > maxBody) body = null;
	return { kind: "http", code: e.code, response: { status: e.response.status, headers, body } };
}

/** What of a body can be shown: bytes as the text or JSON that they are. */
function readable(data: unknown): unknown {
	let text: string;
	if (data instanceof ArrayBuffer || ArrayBuffer.isView(data)) text = new TextDecoder().decode(data);
	else if (typeof data === "string") return data;
	else return isStreamed(data) ? null : data;
	try {
		return JSON.parse(text);
	} catch {
		return text;
	}
}

function isStreamed(data: unknown): boolean {
	return data !== null && typeof data === "object" && Symbol.asyncIterator in data;
}
