// Node's Buffer on Uint8Array. Own code rather than the package "buffer": the
// engine's own hex and base64, DataView and the host do the work.
import { coded, exact, wrongType } from "./host";
import { bytesOf, decodeLatin1, decodeUTF8, encodeUTF8, unknownEncoding } from "./text";

type Encoding = "utf8" | "utf16le" | "latin1" | "ascii" | "base64" | "base64url" | "hex";

const encodings: Record<string, Encoding> = {
	utf8: "utf8",
	"utf-8": "utf8",
	ucs2: "utf16le",
	"ucs-2": "utf16le",
	utf16le: "utf16le",
	"utf-16le": "utf16le",
	latin1: "latin1",
	binary: "latin1",
	ascii: "ascii",
	base64: "base64",
	base64url: "base64url",
	hex: "hex",
};

function encodingOf(name: unknown): Encoding {
	if (name === undefined || name === null || name === "") return "utf8";
	const known = typeof name === "string" ? (encodings[name] ?? encodings[name.toLowerCase()]) : undefined;
	if (known === undefined) throw unknownEncoding(name);
	return known;
}

// Members of Uint8Array that the engine has and TypeScript does not know yet.
interface Coder {
	fromBase64(text: string, options?: { alphabet?: string; lastChunkHandling?: string }): Uint8Array;
	fromHex(text: string): Uint8Array;
}
interface Coded {
	toBase64(options?: { alphabet?: string; omitPadding?: boolean }): string;
	toHex(): string;
}
const coder = Uint8Array as unknown as Coder;
const toBase64 = (Uint8Array.prototype as unknown as Coded).toBase64;
const toHex = (Uint8Array.prototype as unknown as Coded).toHex;

/** Reads base64 of either alphabet, leaving out what is none, up to the padding. */
export function parseBase64(text: string): Uint8Array {
	try {
		return coder.fromBase64(text, { lastChunkHandling: "loose" });
	} catch {
		const pad = text.indexOf("=");
		let digits = (pad < 0 ? text : text.slice(0, pad)).replaceAll("-", "+").replaceAll("_", "/").replace(/[^A-Za-z0-9+/]/g, "");
		if (digits.length % 4 === 1) digits = digits.slice(0, -1);
		return coder.fromBase64(digits, { lastChunkHandling: "loose" });
	}
}

function parseHex(text: string): Uint8Array {
	const even = text.length % 2 === 0 ? text : text.slice(0, -1);
	try {
		return coder.fromHex(even);
	} catch {
		return coder.fromHex(/^(?:[0-9a-fA-F]{2})*/.exec(even)![0]);
	}
}

function encode(text: string, encoding: Encoding): Uint8Array {
	switch (encoding) {
		case "utf8":
			return encodeUTF8(text);
		case "base64":
		case "base64url":
			return parseBase64(text);
		case "hex":
			return parseHex(text);
		case "utf16le": {
			const bytes = new Uint8Array(text.length * 2);
			const units = new Uint16Array(bytes.buffer);
			for (let i = 0; i < text.length; i++) units[i] = text.charCodeAt(i);
			return bytes;
		}
		default: {
			const bytes = new Uint8Array(text.length);
			for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
			return bytes;
		}
	}
}

function decode(bytes: Uint8Array, encoding: Encoding): string {
	switch (encoding) {
		case "utf8":
			return decodeUTF8(bytes);
		case "base64":
			return toBase64.call(bytes);
		case "base64url":
			return toBase64.call(bytes, { alphabet: "base64url", omitPadding: true });
		case "hex":
			return toHex.call(bytes);
		case "latin1":
			return decodeLatin1(bytes);
		case "ascii":
			return decodeLatin1(bytes.map((b) => b & 0x7f));
		case "utf16le": {
			const units = new Uint16Array(exact(bytes.slice(0, bytes.length & ~1)));
			let text = "";
			for (let i = 0; i < units.length; i += 4096) text += String.fromCharCode.apply(null, units.subarray(i, i + 4096) as unknown as number[]);
			return text;
		}
	}
}

/** The largest length of a Buffer, in bytes; the memory of a run ends earlier. */
export const kMaxLength = 2 ** 32;
/** The longest string. */
export const kStringMaxLength = 2 ** 29 - 24;

function outOfRange(name: string, range: string, got: unknown): Error {
	const shown = typeof got === "bigint" ? `${got}n` : String(got);
	return coded("RangeError", "ERR_OUT_OF_RANGE", `The value of "${name}" is out of range. It must be ${range}. Received ${shown}`);
}

function checkSize(size: unknown): number {
	if (typeof size !== "number") throw wrongType("size", "of type number", size);
	if (!(size >= 0 && size <= kMaxLength)) throw outOfRange("size", `>= 0 && <= ${kMaxLength}`, size);
	return size;
}

// Offsets as Node takes them: truncated, from the end when negative where allowed.
function clamp(value: unknown, length: number, otherwise: number): number {
	if (value === undefined) return otherwise;
	const n = Math.trunc(Number(value)) || 0;
	return n < 0 ? 0 : n > length ? length : n;
}

/** Offsets of those methods that take none that are out of range. */
function checked(name: string, value: unknown, high: number, otherwise: number): number {
	if (value === undefined) return otherwise;
	if (typeof value !== "number") throw wrongType(name, "of type number", value);
	if (!Number.isInteger(value)) throw outOfRange(name, "an integer", value);
	if (value < 0 || value > high) throw outOfRange(name, `>= 0 && <= ${high}`, value);
	return value;
}

/** The same for copy, which makes integers of everything. */
function truncated(name: string, value: unknown, high: number, otherwise: number): number {
	return checked(name, value === undefined ? undefined : Math.trunc(Number(value)) || 0, high, otherwise);
}

function wrap(bytes: Uint8Array): BufferObject {
	return new FastBuffer(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength);
}

function text(value: unknown): value is string {
	return typeof value === "string";
}

class FastBuffer extends Uint8Array {
	override toString(encoding?: unknown, start?: unknown, end?: unknown): string {
		const kind = encodingOf(encoding);
		const from = clamp(start, this.length, 0);
		const to = clamp(end, this.length, this.length);
		if (to <= from) return "";
		return decode(from === 0 && to === this.length ? this : Uint8Array.prototype.subarray.call(this, from, to), kind);
	}
	override toLocaleString(encoding?: unknown): string {
		return this.toString(encoding);
	}
	toJSON(): { type: "Buffer"; data: number[] } {
		return { type: "Buffer", data: Array.from(this) };
	}
	equals(other: unknown): boolean {
		if (!(other instanceof Uint8Array)) throw wrongType("otherBuffer", "an instance of Buffer or Uint8Array", other);
		return this.length === other.length && compareBytes(this, other) === 0;
	}
	compare(other: unknown, start?: number, end?: number, from?: number, to?: number): number {
		if (!(other instanceof Uint8Array)) throw wrongType("target", "an instance of Buffer or Uint8Array", other);
		const high = Number.MAX_SAFE_INTEGER;
		const theirs = other.subarray(checked("targetStart", start, high, 0), checked("targetEnd", end, other.length, other.length));
		return compareBytes(this.subarray(checked("sourceStart", from, high, 0), checked("sourceEnd", to, this.length, this.length)), theirs);
	}
	copy(target: Uint8Array, targetStart?: number, start?: number, end?: number): number {
		if (!(target instanceof Uint8Array)) throw wrongType("target", "an instance of Buffer or Uint8Array", target);
		const high = Number.MAX_SAFE_INTEGER;
		const at = truncated("targetStart", targetStart, high, 0);
		const part = Uint8Array.prototype.subarray.call(this, truncated("sourceStart", start, this.length, 0), truncated("sourceEnd", end, high, this.length));
		const n = Math.min(part.length, target.length - at);
		if (n <= 0) return 0;
		target.set(Uint8Array.prototype.subarray.call(part, 0, n), at);
		return n;
	}
	override slice(start?: number, end?: number): any {
		return this.subarray(start, end);
	}
	override subarray(start?: number, end?: number): any {
		const part = Uint8Array.prototype.subarray.call(this, start, end);
		return part instanceof FastBuffer ? part : wrap(part);
	}
	write(value: unknown, ...rest: unknown[]): number {
		if (!text(value)) throw wrongType("argument", "of type string", value);
		let [offset, length, encoding] = rest;
		if (text(offset)) [offset, length, encoding] = [undefined, undefined, offset];
		else if (offset === undefined) [length, encoding] = [undefined, undefined];
		else if (text(length)) [length, encoding] = [undefined, length];
		const at = checked("offset", offset, this.length, 0);
		const room = Math.min(checked("length", length, this.length, this.length), this.length - at);
		const kind = encodingOf(encoding);
		let bytes = encode(value, kind);
		if (bytes.length > room) {
			let n = room;
			// Parts of a character are not written.
			if (kind === "utf8") while (n > 0 && (bytes[n]! & 0xc0) === 0x80) n--;
			if (kind === "utf16le") n &= ~1;
			bytes = bytes.subarray(0, n);
		}
		this.set(bytes, at);
		return bytes.length;
	}
	override fill(value: any, offset?: any, end?: any, encoding?: unknown): this {
		if (text(value)) {
			if (offset === undefined || text(offset)) [offset, end, encoding] = [undefined, undefined, offset];
			else if (text(end)) [end, encoding] = [undefined, end];
		}
		const pattern = text(value) ? encode(value, encodingOf(encoding)) : value instanceof Uint8Array ? value : undefined;
		const from = checked("offset", offset, Number.MAX_SAFE_INTEGER, 0);
		const to = offset === undefined ? this.length : checked("end", end, this.length, this.length);
		if (from >= to) return this;
		if (pattern === undefined) {
			Uint8Array.prototype.fill.call(this, Number(value) & 255, from, to);
			return this;
		}
		if (pattern.length === 0) {
			if (!text(value) || value !== "") throw coded("TypeError", "ERR_INVALID_ARG_VALUE", `The argument 'value' is invalid. Received '${String(value)}'`);
			Uint8Array.prototype.fill.call(this, 0, from, to);
			return this;
		}
		for (let i = from; i < to; i++) this[i] = pattern[(i - from) % pattern.length]!;
		return this;
	}
	override indexOf(value: any, offset?: any, encoding?: unknown): number {
		return search(this, value, offset, encoding, true);
	}
	override lastIndexOf(value: any, offset?: any, encoding?: unknown): number {
		return search(this, value, offset, encoding, false);
	}
	override includes(value: any, offset?: any, encoding?: unknown): boolean {
		return this.indexOf(value, offset, encoding) >= 0;
	}
	swap16(): this {
		return swap(this, 2);
	}
	swap32(): this {
		return swap(this, 4);
	}
	swap64(): this {
		return swap(this, 8);
	}
	get parent(): ArrayBufferLike {
		return this.buffer;
	}
	get offset(): number {
		return this.byteOffset;
	}
}

function swap<T extends Uint8Array>(bytes: T, size: number): T {
	if (bytes.length % size !== 0) throw coded("RangeError", "ERR_INVALID_BUFFER_SIZE", `Buffer size must be a multiple of ${size * 8}-bits`);
	for (let i = 0; i < bytes.length; i += size) Uint8Array.prototype.subarray.call(bytes, i, i + size).reverse();
	return bytes;
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
	const n = Math.min(a.length, b.length);
	for (let i = 0; i < n; i++) if (a[i] !== b[i]) return a[i]! < b[i]! ? -1 : 1;
	return Math.sign(a.length - b.length);
}

function search(bytes: Uint8Array, value: unknown, offset: unknown, encoding: unknown, forward: boolean): number {
	if (text(offset)) [offset, encoding] = [undefined, offset];
	let at = offset === undefined ? NaN : Math.trunc(Number(offset));
	if (Number.isNaN(at)) at = forward ? 0 : bytes.length;
	if (at < 0) at += bytes.length;
	const wanted = text(value) ? encode(value, encodingOf(encoding)) : value instanceof Uint8Array ? value : undefined;
	if (at < 0) {
		if (!forward && wanted?.length !== 0) return -1;
		at = 0;
	}
	if (typeof value === "number") {
		const find = forward ? Uint8Array.prototype.indexOf : Uint8Array.prototype.lastIndexOf;
		return find.call(bytes, value & 255, Math.min(at, forward ? bytes.length : bytes.length - 1));
	}
	if (wanted === undefined) throw wrongType("value", "one of type number or string or an instance of Buffer or Uint8Array", value);
	const last = bytes.length - wanted.length;
	if (wanted.length === 0) return Math.min(at, bytes.length);
	const matches = (from: number) => {
		for (let j = 1; j < wanted.length; j++) if (bytes[from + j] !== wanted[j]) return false;
		return true;
	};
	const find = forward ? Uint8Array.prototype.indexOf : Uint8Array.prototype.lastIndexOf;
	let i = Math.min(at, forward ? bytes.length : last);
	while (i >= 0) {
		i = find.call(bytes, wanted[0]!, i);
		if (i < 0 || i > last) return -1;
		if (matches(i)) return i;
		i += forward ? 1 : -1;
	}
	return -1;
}

// ---- numbers in bytes ----

function checkOffset(bytes: Uint8Array, offset: unknown, size: number): number {
	if (typeof offset !== "number") throw wrongType("offset", "of type number", offset);
	const last = bytes.length - size;
	if (!Number.isInteger(offset)) throw outOfRange("offset", "an integer", offset);
	if (last < 0) throw coded("RangeError", "ERR_BUFFER_OUT_OF_BOUNDS", "Attempt to access memory outside buffer bounds");
	if (offset < 0 || offset > last) throw outOfRange("offset", `>= 0 and <= ${last}`, offset);
	return offset;
}

function view(bytes: Uint8Array): DataView {
	return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function checkInteger(value: number | bigint, low: number | bigint, high: number | bigint): void {
	if (value < low || value > high) throw outOfRange("value", `>= ${low} and <= ${high}`, value);
}

type Access = "Uint8" | "Int8" | "Uint16" | "Int16" | "Uint32" | "Int32" | "BigUint64" | "BigInt64" | "Float32" | "Float64";

const fixed: [node: string, access: Access, size: number, low?: number | bigint, high?: number | bigint][] = [
	["UInt8", "Uint8", 1, 0, 255],
	["Int8", "Int8", 1, -128, 127],
	["UInt16", "Uint16", 2, 0, 65535],
	["Int16", "Int16", 2, -32768, 32767],
	["UInt32", "Uint32", 4, 0, 4294967295],
	["Int32", "Int32", 4, -2147483648, 2147483647],
	["BigUInt64", "BigUint64", 8, 0n, 18446744073709551615n],
	["BigInt64", "BigInt64", 8, -9223372036854775808n, 9223372036854775807n],
	["Float", "Float32", 4],
	["Double", "Float64", 8],
];

const methods: Record<string, (this: FastBuffer, ...args: any[]) => unknown> = {};

for (const [node, access, size, low, high] of fixed) {
	for (const [suffix, little] of size === 1 ? ([["", false]] as const) : ([["LE", true], ["BE", false]] as const)) {
		const names = [node + suffix];
		if (node.includes("UInt")) names.push(node.replace("UInt", "Uint") + suffix);
		const read = function (this: FastBuffer, offset: unknown = 0) {
			return view(this)[`get${access}`](checkOffset(this, offset, size), little);
		};
		const write = function (this: FastBuffer, value: any, offset: unknown = 0) {
			if (typeof low === "bigint" ? typeof value !== "bigint" : false) throw wrongType("value", "of type bigint", value);
			const number = typeof low === "bigint" ? value : +value;
			if (low !== undefined) checkInteger(number, low, high!);
			const at = checkOffset(this, offset, size);
			view(this)[`set${access}`](at, number as never, little);
			return at + size;
		};
		for (const name of names) {
			methods[`read${name}`] = read;
			methods[`write${name}`] = write;
		}
	}
}

function checkLength(size: unknown): number {
	if (typeof size !== "number") throw wrongType("byteLength", "of type number", size);
	if (!Number.isInteger(size)) throw outOfRange("byteLength", "an integer", size);
	if (size < 1 || size > 6) throw outOfRange("byteLength", ">= 1 and <= 6", size);
	return size;
}

for (const signed of [false, true]) {
	for (const little of [true, false]) {
		const name = `Int${little ? "LE" : "BE"}`;
		const read = function (this: FastBuffer, offset: unknown, length: unknown) {
			const size = checkLength(length);
			const at = checkOffset(this, offset, size);
			let value = 0;
			for (let i = 0; i < size; i++) value = value * 256 + this[little ? at + size - 1 - i : at + i]!;
			return signed && value >= 2 ** (8 * size - 1) ? value - 2 ** (8 * size) : value;
		};
		const write = function (this: FastBuffer, value: unknown, offset: unknown, length: unknown) {
			const size = checkLength(length);
			let rest = Math.trunc(Number(value));
			if (signed) checkInteger(rest, -(2 ** (8 * size - 1)), 2 ** (8 * size - 1) - 1);
			else checkInteger(rest, 0, 2 ** (8 * size) - 1);
			const at = checkOffset(this, offset, size);
			if (rest < 0) rest += 2 ** (8 * size);
			for (let i = 0; i < size; i++) {
				this[little ? at + i : at + size - 1 - i] = rest % 256;
				rest = Math.floor(rest / 256);
			}
			return at + size;
		};
		for (const full of signed ? [name] : [`U${name}`, `Ui${name.slice(1)}`]) {
			methods[`read${full}`] = read;
			methods[`write${full}`] = write;
		}
	}
}

for (const kind of ["utf8", "latin1", "ascii", "base64", "base64url", "hex", "ucs2", "utf16le"]) {
	methods[`${kind}Slice`] = function (start?: unknown, end?: unknown) {
		return this.toString(kind, start, end);
	};
	methods[`${kind}Write`] = function (value: unknown, offset?: unknown, length?: unknown) {
		return this.write(value, offset ?? 0, length, kind);
	};
}

for (const [name, value] of Object.entries(methods)) {
	Object.defineProperty(value, "name", { value: name, configurable: true });
	Object.defineProperty(FastBuffer.prototype, name, { value, writable: true, configurable: true, enumerable: false });
}

// ---- the function Buffer ----

/** A Buffer. Members beyond those of Uint8Array are Node's. */
export type BufferObject = FastBuffer & Record<string, any>;

function fromObject(value: any): BufferObject | undefined {
	if (value.length !== undefined || value.buffer instanceof ArrayBuffer) {
		if (typeof value.length !== "number") return new FastBuffer(0);
		return new FastBuffer(value);
	}
	if (value.type === "Buffer" && Array.isArray(value.data)) return new FastBuffer(value.data);
	return undefined;
}

function from(value: any, encodingOrOffset?: unknown, length?: unknown): BufferObject {
	if (text(value)) {
		return wrap(encode(value, encodingOf(encodingOrOffset)));
	}
	if (typeof value === "object" && value !== null) {
		if (value instanceof ArrayBuffer || value instanceof SharedArrayBuffer) {
			const offset = encodingOrOffset === undefined ? 0 : Number(encodingOrOffset) || 0;
			if (offset > value.byteLength || offset < 0) throw coded("RangeError", "ERR_BUFFER_OUT_OF_BOUNDS", '"offset" is outside of buffer bounds');
			const size = length === undefined ? value.byteLength - offset : Math.max(0, Number(length) || 0);
			if (offset + size > value.byteLength) throw coded("RangeError", "ERR_BUFFER_OUT_OF_BOUNDS", '"length" is outside of buffer bounds');
			return new FastBuffer(value as ArrayBuffer, offset, size);
		}
		const primitive = typeof value.valueOf === "function" ? value.valueOf() : value;
		if (primitive !== value && primitive !== null && (text(primitive) || typeof primitive === "object")) return from(primitive, encodingOrOffset, length);
		const made = fromObject(value);
		if (made !== undefined) return made;
		if (typeof value[Symbol.toPrimitive] === "function") {
			const converted = value[Symbol.toPrimitive]("string");
			if (text(converted)) return from(converted, encodingOrOffset);
		}
	}
	throw coded(
		"TypeError",
		"ERR_INVALID_ARG_TYPE",
		`The first argument must be of type string or an instance of Buffer, ArrayBuffer, or Array or an Array-like Object. Received ${
			value === null || value === undefined ? String(value) : typeof value === "object" ? `an instance of ${value.constructor?.name}` : `type ${typeof value} (${String(value)})`
		}`,
	);
}

function makeBuffer(value: unknown, encodingOrOffset?: unknown, length?: unknown): BufferObject {
	if (typeof value === "number") return new FastBuffer(checkSize(value));
	return from(value, encodingOrOffset, length);
}

/** Node's Buffer: a function that may be called with and without new. */
export const Buffer = function (value: unknown, encodingOrOffset?: unknown, length?: unknown) {
	return makeBuffer(value, encodingOrOffset, length);
} as unknown as BufferConstructor;

/** The members of Buffer. */
export interface BufferConstructor {
	new (value: unknown, encodingOrOffset?: unknown, length?: unknown): BufferObject;
	(value: unknown, encodingOrOffset?: unknown, length?: unknown): BufferObject;
	prototype: BufferObject;
	poolSize: number;
	from(value: unknown, encodingOrOffset?: unknown, length?: unknown): BufferObject;
	of(...items: number[]): BufferObject;
	alloc(size: number, fill?: unknown, encoding?: unknown): BufferObject;
	allocUnsafe(size: number): BufferObject;
	allocUnsafeSlow(size: number): BufferObject;
	isBuffer(value: unknown): value is BufferObject;
	isEncoding(name: unknown): boolean;
	byteLength(value: unknown, encoding?: unknown): number;
	compare(a: Uint8Array, b: Uint8Array): number;
	concat(list: readonly Uint8Array[], length?: number): BufferObject;
	copyBytesFrom(view: ArrayBufferView, offset?: number, length?: number): BufferObject;
}

const statics = {
	from,
	of: (...items: number[]) => new FastBuffer(items),
	alloc(size: number, fill?: unknown, encoding?: unknown) {
		const made = new FastBuffer(checkSize(size));
		return fill === undefined || fill === 0 || size === 0 ? made : made.fill(fill, encoding as never);
	},
	allocUnsafe: (size: number) => new FastBuffer(checkSize(size)),
	allocUnsafeSlow: (size: number) => new FastBuffer(checkSize(size)),
	isBuffer: (value: unknown) => value instanceof FastBuffer,
	isEncoding: (name: unknown) => text(name) && name !== "" && encodings[name.toLowerCase()] !== undefined,
	byteLength(value: unknown, encoding?: unknown) {
		if (!text(value)) {
			const bytes = bytesOf(value);
			if (bytes === undefined) throw wrongType("string", "of type string or an instance of Buffer or ArrayBuffer", value);
			return bytes.byteLength;
		}
		const kind = text(encoding) ? (encodings[encoding.toLowerCase()] ?? "utf8") : "utf8";
		switch (kind) {
			case "hex":
				return value.length >>> 1;
			case "base64":
			case "base64url": {
				const digits = value.endsWith("==") ? value.length - 2 : value.endsWith("=") ? value.length - 1 : value.length;
				return Math.floor((digits * 3) / 4);
			}
			case "utf16le":
				return value.length * 2;
			case "utf8":
				return encodeUTF8(value).length;
			default:
				return value.length;
		}
	},
	compare(a: Uint8Array, b: Uint8Array) {
		if (!(a instanceof Uint8Array)) throw wrongType("buf1", "an instance of Buffer or Uint8Array", a);
		if (!(b instanceof Uint8Array)) throw wrongType("buf2", "an instance of Buffer or Uint8Array", b);
		return compareBytes(a, b);
	},
	concat(list: readonly Uint8Array[], length?: number) {
		if (!Array.isArray(list)) throw wrongType("list", "an instance of Array", list);
		const size = checked("length", length, Number.MAX_SAFE_INTEGER, list.reduce((n, part) => n + part.length, 0));
		const whole = new FastBuffer(checkSize(size));
		let at = 0;
		for (const part of list) {
			if (!(part instanceof Uint8Array)) throw wrongType("list[0]", "an instance of Buffer or Uint8Array", part);
			if (at + part.length > size) {
				whole.set(part.subarray(0, size - at), at);
				break;
			}
			whole.set(part, at);
			at += part.length;
		}
		return whole;
	},
	copyBytesFrom(source: ArrayBufferView, offset?: number, length?: number) {
		const size = (source as unknown as { BYTES_PER_ELEMENT?: number }).BYTES_PER_ELEMENT ?? 1;
		const bytes = new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
		const from = (offset ?? 0) * size;
		return new FastBuffer(bytes.slice(from, length === undefined ? undefined : from + length * size));
	},
};
for (const [name, value] of Object.entries(statics)) Object.defineProperty(Buffer, name, { value, writable: true, configurable: true, enumerable: true });
Buffer.poolSize = 8192;
Object.defineProperty(Buffer, "name", { value: "Buffer", configurable: true });
Object.defineProperty(Buffer, "prototype", { value: FastBuffer.prototype, writable: false });
Object.defineProperty(FastBuffer.prototype, "constructor", { value: Buffer, writable: true, configurable: true, enumerable: false });
Object.setPrototypeOf(Buffer, Uint8Array);
// What Uint8Array's own methods make of a Buffer is a Buffer.
Object.defineProperty(FastBuffer, Symbol.species, { get: () => FastBuffer });
Object.defineProperty(Buffer, Symbol.species, { get: () => FastBuffer });

/** Turns bytes of one encoding into those of another. */
export function transcode(source: Uint8Array, fromEncoding: string, toEncoding: string): BufferObject {
	const to = encodingOf(toEncoding);
	const decoded = decode(source, encodingOf(fromEncoding));
	if (to !== "latin1" && to !== "ascii") return wrap(encode(decoded, to));
	const limit = to === "ascii" ? 0x7f : 0xff;
	return wrap(encode(Array.from(decoded, (c) => (c.codePointAt(0)! > limit ? "?" : c)).join(""), to));
}
