// Text and bytes: UTF-8, the classes TextEncoder and TextDecoder.
import { coded, pure, wrongType } from "./host";

// Below this many characters the host is slower than a loop.
const small = 64;

/** Bytes of whatever may hold some; undefined for everything else. */
export function bytesOf(value: unknown): Uint8Array | undefined {
	if (value instanceof Uint8Array) return value;
	if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
	if (value instanceof ArrayBuffer || value instanceof SharedArrayBuffer) return new Uint8Array(value);
	return undefined;
}

/** Encodes as UTF-8. */
export function encodeUTF8(text: string): Uint8Array {
	const n = text.length;
	if (n <= small) {
		const bytes = new Uint8Array(n);
		let i = 0;
		for (; i < n; i++) {
			const c = text.charCodeAt(i);
			if (c >= 0x80) break;
			bytes[i] = c;
		}
		if (i === n) return bytes;
	}
	return pure("text.encode", undefined, text);
}

/** How many bytes the text has as UTF-8. */
export function lengthUTF8(text: string): number {
	return encodeUTF8(text).byteLength;
}

/** Decodes bytes as one code unit each. */
export function decodeLatin1(bytes: Uint8Array): string {
	if (bytes.length <= 4096) return String.fromCharCode.apply(null, bytes as unknown as number[]);
	let text = "";
	for (let i = 0; i < bytes.length; i += 4096) text += String.fromCharCode.apply(null, bytes.subarray(i, i + 4096) as unknown as number[]);
	return text;
}

function isASCII(bytes: Uint8Array): boolean {
	for (let i = 0; i < bytes.length; i++) if (bytes[i]! >= 0x80) return false;
	return true;
}

/** Decodes UTF-8; what is none becomes U+FFFD. */
export function decodeUTF8(bytes: Uint8Array): string {
	if (bytes.length <= small && isASCII(bytes)) return decodeLatin1(bytes);
	return pure("text.decode", { label: "utf-8" }, bytes).text;
}

/** Encodes as UTF-8. */
export class TextEncoder {
	get encoding(): string {
		return "utf-8";
	}
	encode(text: unknown = ""): Uint8Array {
		return encodeUTF8(String(text));
	}
	encodeInto(text: string, into: Uint8Array): { read: number; written: number } {
		if (typeof text !== "string") throw wrongType("src", "of type string", text);
		if (!(into instanceof Uint8Array)) throw wrongType("dest", "an instance of Uint8Array", into);
		const bytes = encodeUTF8(text);
		if (bytes.length <= into.length) {
			into.set(bytes);
			return { read: text.length, written: bytes.length };
		}
		let written = 0;
		let read = 0;
		for (const character of text) {
			const length = encodeUTF8(character);
			if (written + length.length > into.length) break;
			into.set(length, written);
			written += length.length;
			read += character.length;
		}
		return { read, written };
	}
	get [Symbol.toStringTag](): string {
		return "TextEncoder";
	}
}

/** Decodes any encoding of the Encoding standard that the host knows. */
export class TextDecoder {
	readonly #encoding: string;
	readonly #fatal: boolean;
	readonly #ignoreBOM: boolean;
	#left = new Uint8Array(0);
	#sawStart = false;
	constructor(label: unknown = "utf-8", options: { fatal?: boolean; ignoreBOM?: boolean } = {}) {
		const name = String(label).trim().toLowerCase();
		this.#encoding = name === "utf-8" || name === "utf8" ? "utf-8" : pure("text.label", String(label));
		this.#fatal = Boolean(options?.fatal);
		this.#ignoreBOM = Boolean(options?.ignoreBOM);
	}
	get encoding(): string {
		return this.#encoding;
	}
	get fatal(): boolean {
		return this.#fatal;
	}
	get ignoreBOM(): boolean {
		return this.#ignoreBOM;
	}
	decode(input?: unknown, options?: { stream?: boolean }): string {
		const stream = Boolean(options?.stream);
		let bytes = input === undefined ? new Uint8Array(0) : bytesOf(input);
		if (bytes === undefined) throw wrongType("list", "an instance of SharedArrayBuffer, ArrayBuffer or ArrayBufferView", input);
		if (this.#left.length > 0) {
			const whole = new Uint8Array(this.#left.length + bytes.length);
			whole.set(this.#left);
			whole.set(bytes, this.#left.length);
			bytes = whole;
			this.#left = new Uint8Array(0);
		}
		let text: string;
		if (this.#encoding === "utf-8" && bytes.length <= small && isASCII(bytes)) {
			text = decodeLatin1(bytes);
		} else {
			let answer;
			try {
				answer = pure("text.decode", { label: this.#encoding, fatal: this.#fatal, stream }, bytes);
			} catch (thrown) {
				this.#sawStart = false;
				throw thrown;
			}
			text = answer.text;
			if (stream) this.#left = bytes.slice(answer.used);
		}
		if (!this.#sawStart && text !== "") {
			this.#sawStart = true;
			if (!this.#ignoreBOM && text.charCodeAt(0) === 0xfeff && this.#encoding.startsWith("utf-")) text = text.slice(1);
		}
		if (!stream) this.#sawStart = false;
		return text;
	}
	get [Symbol.toStringTag](): string {
		return "TextDecoder";
	}
}

/** The RangeError of encodings that Buffer does not know. */
export function unknownEncoding(name: unknown): Error {
	return coded("TypeError", "ERR_UNKNOWN_ENCODING", `Unknown encoding: ${String(name)}`);
}
