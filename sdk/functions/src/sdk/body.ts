// Request bodies: what a function gives as data becomes text or bytes, with the
// content type that axios would give it.
import type { Body } from "../bridge";
import { Blob, FormData } from "../platform/blob";
import { TextEncoder } from "../platform/text";
import { URLSearchParams } from "../platform/url";
import { fields, form } from "./params";
import { BodyStream } from "./stream";

/** A body and what describes it. */
export interface Encoded {
	body?: Body;
	/** The type of the body when the caller names none, or when it has to be this one. */
	contentType?: string;
	/** Says that the caller's content type has to give way: it lacks the boundary. */
	force?: boolean;
}

/** Encodes data for a request with the given content type, empty for none. */
export async function encode(data: unknown, contentType: string): Promise<Encoded> {
	if (data === undefined || data === null) return {};
	const kind = contentType.split(";", 1)[0]!.trim().toLowerCase();
	const isJSON = kind === "application/json";
	const bytes = bytesOf(data);
	if (bytes !== undefined) return { body: bytes, contentType: "application/x-www-form-urlencoded" };
	if (isBlob(data)) return { body: await data.arrayBuffer(), contentType: data.type || "application/octet-stream" };
	if (data instanceof FormData) {
		if (isJSON) return { body: JSON.stringify(Object.fromEntries([...data.entries()].filter(([, v]) => typeof v === "string"))) };
		return multipart([...data.entries()]);
	}
	if (data instanceof URLSearchParams) {
		return { body: data.toString(), contentType: "application/x-www-form-urlencoded;charset=utf-8" };
	}
	if (typeof data === "object") {
		if (data instanceof BodyStream) return { body: data.take(), contentType: "application/x-www-form-urlencoded" };
		if (isStream(data)) throw new TypeError("Streams of your own can't be sent: read the stream first and pass a Buffer or a string.");
		if (kind === "application/x-www-form-urlencoded") return { body: form(data) };
		if (kind === "multipart/form-data") return multipart(fields(data));
		return { body: JSON.stringify(data), contentType: "application/json" };
	}
	if (isJSON) return { body: jsonText(data) };
	if (typeof data === "string") return { body: data, contentType: "application/x-www-form-urlencoded" };
	return { body: String(data), contentType: "application/x-www-form-urlencoded" };
}

/** JSON of a value that may be JSON text already. */
function jsonText(data: unknown): string {
	if (typeof data === "string") {
		try {
			JSON.parse(data);
			return data.trim();
		} catch {
			// It is a text that becomes JSON.
		}
	}
	return JSON.stringify(data);
}

/** The bytes of a Buffer, another view or an ArrayBuffer. */
export function bytesOf(data: unknown): ArrayBuffer | undefined {
	if (data instanceof ArrayBuffer) return data;
	if (!ArrayBuffer.isView(data)) return undefined;
	if (data.byteOffset === 0 && data.byteLength === data.buffer.byteLength && data.buffer instanceof ArrayBuffer) return data.buffer;
	return new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice().buffer;
}

export function isBlob(data: unknown): data is Blob {
	return data instanceof Blob;
}

function isStream(data: object): boolean {
	const { pipe, getReader } = data as { pipe?: unknown; getReader?: unknown };
	return typeof pipe === "function" || typeof getReader === "function" || Symbol.asyncIterator in data;
}

function boundaryText(): string {
	let text = "----formdata-";
	for (let i = 0; i < 24; i++) text += Math.floor(Math.random() * 36).toString(36);
	return text;
}

function quoted(name: string): string {
	return name.replace(/\r\n?|\n/g, "%0D%0A").replace(/"/g, "%22");
}

/** Writes a form with files (RFC 7578). */
export async function multipart(entries: [string, unknown][]): Promise<Encoded> {
	const boundary = boundaryText();
	const encoder = new TextEncoder();
	const parts: Uint8Array[] = [];
	const text = (s: string): void => void parts.push(encoder.encode(s));
	for (const [name, value] of entries) {
		const bytes = bytesOf(value);
		if (isBlob(value)) {
			const filename = (value as { name?: unknown }).name;
			text(
				`--${boundary}\r\nContent-Disposition: form-data; name="${quoted(name)}"; filename="${quoted(typeof filename === "string" ? filename : "blob")}"\r\n` +
					`Content-Type: ${value.type || "application/octet-stream"}\r\n\r\n`,
			);
			parts.push(new Uint8Array(await value.arrayBuffer()));
		} else if (bytes !== undefined) {
			text(`--${boundary}\r\nContent-Disposition: form-data; name="${quoted(name)}"; filename="blob"\r\nContent-Type: application/octet-stream\r\n\r\n`);
			parts.push(new Uint8Array(bytes));
		} else {
			text(`--${boundary}\r\nContent-Disposition: form-data; name="${quoted(name)}"\r\n\r\n`);
			text(String(value).replace(/\r\n?|\n/g, "\r\n"));
		}
		text("\r\n");
	}
	text(`--${boundary}--\r\n`);
	const body = new Uint8Array(parts.reduce((n, part) => n + part.byteLength, 0));
	let at = 0;
	for (const part of parts) {
		body.set(part, at);
		at += part.byteLength;
	}
	return { body: body.buffer, contentType: `multipart/form-data; boundary=${boundary}`, force: true };
}
