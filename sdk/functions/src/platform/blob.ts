// Blob, File and FormData. There is no stream(): sandboxes hold data whole.
import { exact, wrongType } from "./host";
import { bytesOf, decodeUTF8, encodeUTF8 } from "./text";

interface BlobOptions {
	type?: unknown;
	endings?: "transparent" | "native";
}

export class Blob {
	readonly #bytes: Uint8Array;
	readonly #type: string;
	constructor(parts: Iterable<unknown> = [], options: BlobOptions = {}) {
		if (typeof parts !== "object" || parts === null || typeof parts[Symbol.iterator] !== "function") throw wrongType("sources", "a sequence", parts);
		const pieces: Uint8Array[] = [];
		for (const part of parts) {
			if (part instanceof Blob) pieces.push(part.#bytes);
			else pieces.push(bytesOf(part) ?? encodeUTF8(options?.endings === "native" ? String(part).replace(/\r\n?/g, "\n") : String(part)));
		}
		this.#bytes = new Uint8Array(pieces.reduce((n, piece) => n + piece.length, 0));
		let at = 0;
		for (const piece of pieces) {
			this.#bytes.set(piece, at);
			at += piece.length;
		}
		const type = options?.type === undefined ? "" : String(options.type);
		this.#type = /[^\x20-\x7e]/.test(type) ? "" : type.toLowerCase();
	}
	get size(): number {
		return this.#bytes.length;
	}
	get type(): string {
		return this.#type;
	}
	slice(start?: number, end?: number, type?: string): Blob {
		return new Blob([this.#bytes.slice(start, end)], { type: type ?? "" });
	}
	async text(): Promise<string> {
		const text = decodeUTF8(this.#bytes);
		return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
	}
	async arrayBuffer(): Promise<ArrayBuffer> {
		return exact(this.#bytes.slice());
	}
	async bytes(): Promise<Uint8Array> {
		return this.#bytes.slice();
	}
	get [Symbol.toStringTag](): string {
		return "Blob";
	}
	[Symbol.for("nodejs.util.inspect.custom")](): string {
		return `Blob { size: ${this.size}, type: '${this.type}' }`;
	}
}

export class File extends Blob {
	readonly #name: string;
	readonly #lastModified: number;
	constructor(parts: Iterable<unknown>, name: unknown, options: BlobOptions & { lastModified?: number } = {}) {
		if (arguments.length < 2) throw new TypeError('The "fileBits" and "fileName" arguments must be specified');
		super(parts, options);
		this.#name = String(name);
		this.#lastModified = options?.lastModified === undefined ? Date.now() : Math.trunc(Number(options.lastModified)) || 0;
	}
	get name(): string {
		return this.#name;
	}
	get lastModified(): number {
		return this.#lastModified;
	}
	override get [Symbol.toStringTag](): string {
		return "File";
	}
}

type Entry = string | File;

export class FormData {
	#entries: [string, Entry][] = [];
	constructor(form?: unknown) {
		if (form !== undefined) throw new TypeError("FormData can't be made of a form here.");
	}
	#entry(value: unknown, name: unknown): Entry {
		if (!(value instanceof Blob)) {
			if (name !== undefined) throw new TypeError("A file name needs a Blob.");
			return (String(value) as string & { toWellFormed(): string }).toWellFormed();
		}
		if (value instanceof File && name === undefined) return value;
		const lastModified = value instanceof File ? value.lastModified : undefined;
		return new File([value], name === undefined ? "blob" : String(name), lastModified === undefined ? { type: value.type } : { type: value.type, lastModified });
	}
	append(name: unknown, value: unknown, filename?: unknown): void {
		this.#entries.push([String(name), this.#entry(value, filename)]);
	}
	set(name: unknown, value: unknown, filename?: unknown): void {
		const key = String(name);
		const entry: [string, Entry] = [key, this.#entry(value, filename)];
		const at = this.#entries.findIndex((e) => e[0] === key);
		if (at < 0) this.#entries.push(entry);
		else this.#entries = this.#entries.flatMap((e, i) => (i === at ? [entry] : e[0] === key ? [] : [e]));
	}
	delete(name: unknown): void {
		this.#entries = this.#entries.filter((e) => e[0] !== String(name));
	}
	get(name: unknown): Entry | null {
		return this.#entries.find((e) => e[0] === String(name))?.[1] ?? null;
	}
	getAll(name: unknown): Entry[] {
		return this.#entries.filter((e) => e[0] === String(name)).map((e) => e[1]);
	}
	has(name: unknown): boolean {
		return this.#entries.some((e) => e[0] === String(name));
	}
	forEach(callback: (value: Entry, name: string, form: FormData) => void, self?: unknown): void {
		for (const [name, value] of this) callback.call(self, value, name, this);
	}
	*entries(): IterableIterator<[string, Entry]> {
		for (let i = 0; i < this.#entries.length; i++) yield [...this.#entries[i]!];
	}
	*keys(): IterableIterator<string> {
		for (const [name] of this.entries()) yield name;
	}
	*values(): IterableIterator<Entry> {
		for (const [, value] of this.entries()) yield value;
	}
	[Symbol.iterator](): IterableIterator<[string, Entry]> {
		return this.entries();
	}
	get [Symbol.toStringTag](): string {
		return "FormData";
	}
}
