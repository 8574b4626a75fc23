// nango.uncontrolledFetch: a plain request without credentials (features SDK-17).
import { call } from "../bridge";
import { Blob } from "../platform/blob";
import { Headers } from "../platform/headers";
import { TextDecoder } from "../platform/text";
import { bytesOf, encode } from "./body";
import { from, NangoError, refusal } from "./errors";
import { headerPairs } from "./http";

/** What uncontrolledFetch takes. */
export interface FetchOptions {
	url: { toString(): string };
	method?: string;
	headers?: Headers | Record<string, string> | [string, string][];
	body?: unknown;
}

/** What uncontrolledFetch returns: what is used of the Response of browsers. */
export class FetchResponse {
	readonly ok: boolean;
	readonly status: number;
	readonly statusText: string;
	readonly headers: Headers;
	readonly url: string;
	readonly redirected: boolean;
	readonly type = "basic";
	#bytes: ArrayBuffer;
	#used = false;

	constructor(head: { status: number; statusText: string; headers: [string, string][]; url?: string; redirected?: boolean }, bytes: ArrayBuffer) {
		this.status = head.status;
		this.ok = head.status >= 200 && head.status < 300;
		this.statusText = head.statusText;
		this.headers = new Headers(head.headers);
		this.url = head.url ?? "";
		this.redirected = head.redirected === true;
		this.#bytes = bytes;
	}

	get bodyUsed(): boolean {
		return this.#used;
	}

	#take(): ArrayBuffer {
		if (this.#used) throw new TypeError("Body is unusable: Body has already been read");
		this.#used = true;
		return this.#bytes;
	}

	async arrayBuffer(): Promise<ArrayBuffer> {
		return this.#take();
	}

	async bytes(): Promise<Uint8Array> {
		return new Uint8Array(this.#take());
	}

	async blob(): Promise<Blob> {
		return new Blob([this.#take()], { type: this.headers.get("content-type") ?? "" });
	}

	async text(): Promise<string> {
		return new TextDecoder().decode(this.#take());
	}

	async json(): Promise<any> {
		return JSON.parse(await this.text());
	}

	clone(): FetchResponse {
		if (this.#used) throw new TypeError("Response.clone: Body has already been consumed.");
		const { status, statusText, url, redirected } = this;
		return new FetchResponse({ status, statusText, headers: [...this.headers], url, redirected }, this.#bytes.slice(0));
	}
}

/** Sends a request. Answers of any status are answers. */
export async function uncontrolledFetch(options: FetchOptions, site: Error): Promise<FetchResponse> {
	if (options === null || typeof options !== "object" || options.url === undefined) throw new TypeError("uncontrolledFetch needs a url.");
	const url = String(options.url);
	const method = String(options.method ?? "GET").toUpperCase();
	const headers = headerPairs(options.headers);
	const encoded = await encode(raw(options.body), "");
	if (encoded.body !== undefined && (method === "GET" || method === "HEAD")) throw new TypeError("Request with GET/HEAD method cannot have body.");
	const type = contentTypeOf(options.body, encoded.contentType);
	if (type !== undefined && !headers.some(([name]) => name.toLowerCase() === "content-type")) headers.push(["content-type", type]);
	try {
		const answer = await call("fetch", { url, method, headers }, encoded.body);
		return new FetchResponse(answer.value, answer.body instanceof ArrayBuffer ? answer.body : new ArrayBuffer(0));
	} catch (e) {
		const error = refusal(e, site);
		// As fetch does, with the reason as its cause.
		if (error instanceof NangoError && error.status === undefined) throw from(new TypeError("fetch failed", { cause: error }), site);
		throw error;
	}
}

/** fetch writes whatever is no body of its own as text. */
function raw(body: unknown): unknown {
	if (body === null || body === undefined || typeof body === "object") return body;
	return String(body);
}

function contentTypeOf(body: unknown, encoded: string | undefined): string | undefined {
	if (typeof body === "string") return "text/plain;charset=UTF-8";
	if (bytesOf(body) !== undefined) return undefined;
	return encoded;
}
