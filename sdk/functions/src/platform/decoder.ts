// The module string_decoder: characters may be cut between two chunks.
import { Buffer, type BufferObject } from "./buffer";
import { unknownEncoding } from "./text";
import { TextDecoder } from "./text";

export class StringDecoder {
	readonly encoding: string;
	readonly #text: TextDecoder | undefined;
	#left: BufferObject = Buffer.alloc(0);
	constructor(encoding: unknown = "utf8") {
		if (!Buffer.isEncoding(encoding)) throw unknownEncoding(encoding);
		const name = String(encoding).toLowerCase().replace("-", "");
		this.encoding = name === "ucs2" ? "utf16le" : name === "binary" ? "latin1" : name;
		if (this.encoding === "utf8" || this.encoding === "utf16le") this.#text = new TextDecoder(this.encoding === "utf8" ? "utf-8" : "utf-16le", { ignoreBOM: true });
	}
	write(chunk: unknown): string {
		if (typeof chunk === "string") return chunk;
		const bytes = Buffer.from(chunk);
		if (this.#text !== undefined) return this.#text.decode(bytes, { stream: true });
		if (!this.encoding.startsWith("base64")) return bytes.toString(this.encoding);
		const whole = Buffer.concat([this.#left, bytes]);
		const cut = whole.length - (whole.length % 3);
		this.#left = Buffer.from(whole.subarray(cut));
		return whole.toString(this.encoding, 0, cut);
	}
	end(chunk?: unknown): string {
		let text = chunk === undefined ? "" : this.write(chunk);
		if (this.#text !== undefined) text += this.#text.decode();
		else if (this.#left.length > 0) text += this.#left.toString(this.encoding);
		this.#left = Buffer.alloc(0);
		return text;
	}
}
