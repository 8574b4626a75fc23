// HTTP through the provider's connection: nango.get, nango.proxy and the like.
import { call, HostError, type Answer, type Body } from "../bridge";
import { Blob } from "../platform/blob";
import { Buffer } from "../platform/buffer";
import { URL } from "../platform/url";
import { encode } from "./body";
import { from, HttpError, type HttpResponse, NangoError, refusal } from "./errors";
import { type Params, query } from "./params";
import { BodyStream } from "./stream";
import { given, type Trial } from "./trial";

/** What an answer's data is to be. */
export type ResponseType = "arraybuffer" | "blob" | "document" | "json" | "text" | "stream";

/** What a call is made of (features SDK-02). */
export interface ProxyConfig {
	endpoint: string;
	method?: string;
	headers?: Record<string, unknown>;
	params?: Params;
	data?: unknown;
	retries?: number;
	retryOn?: number[] | null;
	retryHeader?: { at?: string | string[]; after?: string | string[] };
	baseUrlOverride?: string;
	decompress?: boolean;
	responseType?: ResponseType;
	forwardHeadersOnRedirect?: boolean;
	/** Other connections of the environment than the run's own are named with these. */
	providerConfigKey?: string;
	connectionId?: string;
	paginate?: unknown;
}

/** Lists headers as pairs; a list of values becomes several. */
export function headerPairs(headers: unknown): [string, string][] {
	if (headers === undefined || headers === null) return [];
	if (typeof headers !== "object") throw new TypeError("headers must be an object.");
	const iterable = Symbol.iterator in headers && typeof headers[Symbol.iterator] === "function";
	const entries: [unknown, unknown][] = iterable ? [...(headers as Iterable<[unknown, unknown]>)] : Object.entries(headers);
	const out: [string, string][] = [];
	for (const [name, value] of entries) {
		for (const one of Array.isArray(value) ? value : [value]) {
			if (one !== undefined && one !== null && one !== false) out.push([String(name), String(one).trim()]);
		}
	}
	return out;
}

function list(value: unknown): string[] | undefined {
	if (value === undefined || value === null) return undefined;
	return (Array.isArray(value) ? value : [value]).map(String);
}

/** Headers of an answer: names in lower case, and the getters of axios. */
export function responseHeaders(pairs: [string, string][]): Record<string, any> {
	const headers: Record<string, any> = {};
	for (const [name, value] of pairs) {
		const before = headers[name];
		const next = name === "set-cookie" ? [...(before ?? []), value] : before === undefined ? value : `${before}, ${value}`;
		Object.defineProperty(headers, name, { value: next, writable: true, enumerable: true, configurable: true });
	}
	const at = (name: string): any => (Object.hasOwn(headers, name.toLowerCase()) ? headers[name.toLowerCase()] : undefined);
	for (const [name, value] of Object.entries({
		get: at,
		has: (header: string) => at(header) !== undefined,
		toJSON: () => ({ ...headers }),
	})) {
		if (!Object.hasOwn(headers, name)) Object.defineProperty(headers, name, { value, writable: true, configurable: true, enumerable: false });
	}
	return headers;
}

/** The body of an answer as the data that was asked for. */
function dataOf(body: Body | undefined, type: ResponseType | undefined): unknown {
	const bytes = typeof body === "string" || body === undefined ? new ArrayBuffer(0) : body;
	switch (type) {
		case "arraybuffer":
			return Buffer.from(bytes);
		case "blob":
			return new Blob([bytes]);
		case "stream":
			return new BodyStream(bytes);
		case "text":
		case "document":
			return typeof body === "string" ? body : "";
	}
	const text = typeof body === "string" ? body : "";
	if (text === "") return text;
	try {
		return JSON.parse(text);
	} catch {
		return text; // whatever the content type says
	}
}

const binary = new Set<unknown>(["arraybuffer", "blob", "stream"]);

/** Puts params behind an endpoint. */
export function locate(endpoint: unknown, params: Params | undefined): string {
	if (typeof endpoint !== "string" && !(endpoint instanceof URL)) throw new TypeError("A call needs an endpoint, such as \"/users\".");
	const path = String(endpoint).split("#", 1)[0]!;
	const added = query(params);
	if (added === "") return path;
	return path + (path.includes("?") ? (/[?&]$/.test(path) ? "" : "&") : "?") + added;
}

/** Makes a call. Answers that are no success are thrown, as axios does. */
export async function request(config: ProxyConfig, site: Error, trial?: Trial): Promise<HttpResponse> {
	if (config === null || typeof config !== "object") throw new TypeError("A call needs an object that describes it.");
	const method = String(config.method ?? "GET").toUpperCase();
	const endpoint = locate(config.endpoint, config.params);
	let headers = headerPairs(config.headers);
	const named = headers.find(([name]) => name.toLowerCase() === "content-type");
	const encoded = method === "GET" || method === "HEAD" ? {} : await encode(config.data, named?.[1] ?? "");
	if (encoded.force && named !== undefined) headers = headers.filter((pair) => pair !== named);

	const { paginate: _, ...shown } = config;
	const axiosConfig = { ...shown, url: endpoint, method: method.toLowerCase(), headers: { ...config.headers } };
	const sent = { method, path: endpoint };
	let answer: Answer;
	try {
		answer = await call(
			"http",
			{
				integration: config.providerConfigKey,
				connection: config.connectionId,
				method,
				endpoint,
				headers,
				contentType: encoded.contentType,
				retries: Number(config.retries) || 0,
				retryOn: config.retryOn ?? undefined,
				retryAt: list(config.retryHeader?.at),
				retryAfter: list(config.retryHeader?.after),
				baseUrlOverride: config.baseUrlOverride === undefined || config.baseUrlOverride === null ? undefined : String(config.baseUrlOverride),
				decompress: config.decompress || undefined,
				forwardHeadersOnRedirect: config.forwardHeadersOnRedirect || undefined,
				text: trial?.lenient === true || !binary.has(config.responseType),
				given: trial && given(config),
			},
			encoded.body,
		);
	} catch (e) {
		if (e instanceof HostError && e.details.network) throw from(new HttpError(e.message, e.code, axiosConfig, sent), site);
		throw refusal(e, site);
	}
	if (trial?.lenient === true) {
		const response = replayed(answer, config.responseType, axiosConfig, sent);
		if (answer.value.throws === true) throw from(failed(response), site);
		return response;
	}
	const response: HttpResponse = {
		data: dataOf(answer.body, config.responseType),
		status: answer.value.status,
		statusText: answer.value.statusText,
		headers: responseHeaders(answer.value.headers),
		config: axiosConfig,
		request: sent,
	};
	if (response.status >= 200 && response.status < 300) return response;
	throw from(failed(response), site);
}

/** A recorded answer: whatever its status, with the data as it was recorded. */
function replayed(answer: Answer, type: ResponseType | undefined, config: Record<string, any>, request: Record<string, any>): HttpResponse {
	const { status, statusText } = answer.value;
	const data = typeof answer.body === "string" && answer.body !== "" ? JSON.parse(answer.body) : undefined;
	return { data: revived(data, type), status, statusText, headers: replayedHeaders(answer.value.headers), config, request };
}

/** Bytes as they are recorded, where bytes were asked for. */
function revived(data: any, type: ResponseType | undefined): unknown {
	if (!binary.has(type) || data?.type !== "Buffer" || !Array.isArray(data.data)) return data;
	return dataOf(new Uint8Array(data.data).buffer, type);
}

/** Recorded headers are found by their names as they were written, too. */
function replayedHeaders(pairs: [string, string][]): Record<string, any> {
	const headers = responseHeaders(pairs.map(([name, value]) => [name.toLowerCase(), value]));
	for (const [name, value] of pairs) {
		if (!Object.hasOwn(headers, name)) Object.defineProperty(headers, name, { value, writable: true, configurable: true, enumerable: false });
	}
	return headers;
}

function failed(response: HttpResponse): HttpError {
	const code = response.status >= 400 && response.status < 500 ? "ERR_BAD_REQUEST" : "ERR_BAD_RESPONSE";
	return new HttpError(`Request failed with status code ${response.status}`, code, response.config, response.request, response);
}

/** Calls the host for something that is no HTTP. */
export async function ask(name: string, params: unknown, site: Error): Promise<any> {
	try {
		return (await call(name, params)).value;
	} catch (e) {
		throw refusal(e, site);
	}
}

/** An error about how the nango object was used. */
export function misuse(code: string, message: string): NangoError {
	return new NangoError(code, message);
}
