// The globals of the sandbox.

// ---- console and timers ----

interface Console {
	log(...data: unknown[]): void;
	info(...data: unknown[]): void;
	debug(...data: unknown[]): void;
	warn(...data: unknown[]): void;
	error(...data: unknown[]): void;
	trace(...data: unknown[]): void;
	dir(value?: unknown, options?: unknown): void;
	dirxml(...data: unknown[]): void;
	table(value?: unknown, columns?: readonly string[]): void;
	assert(condition?: unknown, ...data: unknown[]): void;
	count(label?: string): void;
	countReset(label?: string): void;
	group(...data: unknown[]): void;
	groupCollapsed(...data: unknown[]): void;
	groupEnd(): void;
	time(label?: string): void;
	timeLog(label?: string, ...data: unknown[]): void;
	timeEnd(label?: string): void;
	clear(): void;
}

/** Writes into the logs of the run. */
declare var console: Console;

declare namespace NodeJS {
	/** What timers return. */
	interface Timeout {
		ref(): this;
		unref(): this;
		hasRef(): boolean;
		refresh(): this;
		close(): this;
		[Symbol.toPrimitive](): number;
	}
	/** What setImmediate returns. */
	interface Immediate extends Timeout {}
}

declare function setTimeout<Args extends unknown[]>(callback: (...args: Args) => void, ms?: number, ...args: Args): NodeJS.Timeout;
declare function setTimeout(callback: (value: any) => void, ms?: number): NodeJS.Timeout; // such as a promise's resolve, which may do without its argument
declare function setInterval<Args extends unknown[]>(callback: (...args: Args) => void, ms?: number, ...args: Args): NodeJS.Timeout;
declare function setInterval(callback: (value: any) => void, ms?: number): NodeJS.Timeout;
declare function setImmediate<Args extends unknown[]>(callback: (...args: Args) => void, ...args: Args): NodeJS.Immediate;
declare function setImmediate(callback: (value: any) => void): NodeJS.Immediate;
declare function clearTimeout(timer?: NodeJS.Timeout | number | string | null): void;
declare function clearInterval(timer?: NodeJS.Timeout | number | string | null): void;
declare function clearImmediate(timer?: NodeJS.Immediate | null): void;
declare function queueMicrotask(callback: () => void): void;
declare function structuredClone<T>(value: T, options?: { transfer?: readonly unknown[] }): T;
declare function atob(data: string): string;
declare function btoa(data: string): string;

interface Performance {
	/** Milliseconds since the run began. */
	now(): number;
	readonly timeOrigin: number;
	toJSON(): { timeOrigin: number };
}
declare var performance: Performance;

// ---- text ----

/** Bytes: a view or a buffer. */
type BufferSource = ArrayBufferView | ArrayBuffer;

interface TextEncoder {
	readonly encoding: "utf-8";
	encode(text?: string): Uint8Array;
	encodeInto(text: string, into: Uint8Array): { read: number; written: number };
}
declare var TextEncoder: { prototype: TextEncoder; new (): TextEncoder };

interface TextDecoder {
	readonly encoding: string;
	readonly fatal: boolean;
	readonly ignoreBOM: boolean;
	decode(bytes?: BufferSource, options?: { stream?: boolean }): string;
}
declare var TextDecoder: { prototype: TextDecoder; new (label?: string, options?: { fatal?: boolean; ignoreBOM?: boolean }): TextDecoder };

// ---- URLs ----

interface URLSearchParams extends Iterable<[string, string]> {
	readonly size: number;
	append(name: string, value: string): void;
	delete(name: string, value?: string): void;
	get(name: string): string | null;
	getAll(name: string): string[];
	has(name: string, value?: string): boolean;
	set(name: string, value: string): void;
	sort(): void;
	toString(): string;
	forEach(each: (value: string, name: string, params: URLSearchParams) => void): void;
	entries(): IterableIterator<[string, string]>;
	keys(): IterableIterator<string>;
	values(): IterableIterator<string>;
	[Symbol.iterator](): IterableIterator<[string, string]>;
}
declare var URLSearchParams: {
	prototype: URLSearchParams;
	new (init?: string | URLSearchParams | Iterable<readonly [string, string]> | Record<string, string | readonly string[]>): URLSearchParams;
};

interface URL {
	href: string;
	readonly origin: string;
	protocol: string;
	username: string;
	password: string;
	host: string;
	hostname: string;
	port: string;
	pathname: string;
	search: string;
	readonly searchParams: URLSearchParams;
	hash: string;
	toString(): string;
	toJSON(): string;
}
declare var URL: { prototype: URL; new (url: string | URL, base?: string | URL): URL; canParse(url: string | URL, base?: string | URL): boolean };

// ---- events ----

interface EventInit {
	bubbles?: boolean;
	cancelable?: boolean;
	composed?: boolean;
}
interface Event {
	readonly type: string;
	readonly target: EventTarget | null;
	readonly currentTarget: EventTarget | null;
	readonly bubbles: boolean;
	readonly cancelable: boolean;
	readonly defaultPrevented: boolean;
	readonly timeStamp: number;
	preventDefault(): void;
	stopPropagation(): void;
	stopImmediatePropagation(): void;
}
declare var Event: { prototype: Event; new (type: string, init?: EventInit): Event };
interface CustomEvent<T = any> extends Event {
	readonly detail: T;
}
declare var CustomEvent: { prototype: CustomEvent; new <T>(type: string, init?: EventInit & { detail?: T }): CustomEvent<T> };

type EventListener = ((event: any) => void) | { handleEvent(event: any): void };
interface EventTarget {
	addEventListener(type: string, listener: EventListener | null, options?: boolean | { once?: boolean; capture?: boolean; passive?: boolean; signal?: AbortSignal }): void;
	removeEventListener(type: string, listener: EventListener | null, options?: boolean | { capture?: boolean }): void;
	dispatchEvent(event: Event): boolean;
}
declare var EventTarget: { prototype: EventTarget; new (): EventTarget };

interface AbortSignal extends EventTarget {
	readonly aborted: boolean;
	readonly reason: any;
	onabort: ((event: Event) => void) | null;
	throwIfAborted(): void;
}
declare var AbortSignal: { prototype: AbortSignal; abort(reason?: any): AbortSignal; timeout(ms: number): AbortSignal; any(signals: AbortSignal[]): AbortSignal };
interface AbortController {
	readonly signal: AbortSignal;
	abort(reason?: any): void;
}
declare var AbortController: { prototype: AbortController; new (): AbortController };

// ---- bodies ----

interface Headers extends Iterable<[string, string]> {
	append(name: string, value: string): void;
	delete(name: string): void;
	get(name: string): string | null;
	getSetCookie(): string[];
	has(name: string): boolean;
	set(name: string, value: string): void;
	forEach(each: (value: string, name: string, headers: Headers) => void): void;
	entries(): IterableIterator<[string, string]>;
	keys(): IterableIterator<string>;
	values(): IterableIterator<string>;
	[Symbol.iterator](): IterableIterator<[string, string]>;
}
declare var Headers: { prototype: Headers; new (init?: Headers | Iterable<readonly [string, string]> | Record<string, string>): Headers };

type BlobPart = BufferSource | Blob | string;
interface Blob {
	readonly size: number;
	readonly type: string;
	arrayBuffer(): Promise<ArrayBuffer>;
	bytes(): Promise<Uint8Array>;
	slice(start?: number, end?: number, type?: string): Blob;
	text(): Promise<string>;
}
declare var Blob: { prototype: Blob; new (parts?: readonly BlobPart[], options?: { type?: string; endings?: "transparent" | "native" }): Blob };
interface File extends Blob {
	readonly name: string;
	readonly lastModified: number;
}
declare var File: { prototype: File; new (parts: readonly BlobPart[], name: string, options?: { type?: string; lastModified?: number }): File };

type FormDataEntryValue = File | string;
interface FormData extends Iterable<[string, FormDataEntryValue]> {
	append(name: string, value: string | Blob, filename?: string): void;
	delete(name: string): void;
	get(name: string): FormDataEntryValue | null;
	getAll(name: string): FormDataEntryValue[];
	has(name: string): boolean;
	set(name: string, value: string | Blob, filename?: string): void;
	forEach(each: (value: FormDataEntryValue, name: string, form: FormData) => void): void;
	entries(): IterableIterator<[string, FormDataEntryValue]>;
	keys(): IterableIterator<string>;
	values(): IterableIterator<FormDataEntryValue>;
	[Symbol.iterator](): IterableIterator<[string, FormDataEntryValue]>;
}
declare var FormData: { prototype: FormData; new (): FormData };

// ---- buffers ----

type BufferEncoding = "ascii" | "utf8" | "utf-8" | "utf16le" | "utf-16le" | "ucs2" | "ucs-2" | "base64" | "base64url" | "latin1" | "binary" | "hex";

/** Bytes, as Node.js has them. */
interface Buffer extends Uint8Array {
	toString(encoding?: BufferEncoding, start?: number, end?: number): string;
	toJSON(): { type: "Buffer"; data: number[] };
	equals(other: Uint8Array): boolean;
	compare(other: Uint8Array, targetStart?: number, targetEnd?: number, sourceStart?: number, sourceEnd?: number): -1 | 0 | 1;
	copy(target: Uint8Array, targetStart?: number, sourceStart?: number, sourceEnd?: number): number;
	write(text: string, encoding?: BufferEncoding): number;
	write(text: string, offset: number, encoding?: BufferEncoding): number;
	write(text: string, offset: number, length: number, encoding?: BufferEncoding): number;
	fill(value: string | Uint8Array | number, offset?: number, end?: number, encoding?: BufferEncoding): this;
	includes(value: string | number | Uint8Array, byteOffset?: number, encoding?: BufferEncoding): boolean;
	indexOf(value: string | number | Uint8Array, byteOffset?: number, encoding?: BufferEncoding): number;
	lastIndexOf(value: string | number | Uint8Array, byteOffset?: number, encoding?: BufferEncoding): number;
	slice(start?: number, end?: number): Buffer & ReturnType<Uint8Array["slice"]>;
	subarray(start?: number, end?: number): Buffer;
	swap16(): this;
	swap32(): this;
	swap64(): this;
	readUInt8(offset?: number): number;
	readUInt16LE(offset?: number): number;
	readUInt16BE(offset?: number): number;
	readUInt32LE(offset?: number): number;
	readUInt32BE(offset?: number): number;
	readBigUInt64LE(offset?: number): bigint;
	readBigUInt64BE(offset?: number): bigint;
	readInt8(offset?: number): number;
	readInt16LE(offset?: number): number;
	readInt16BE(offset?: number): number;
	readInt32LE(offset?: number): number;
	readInt32BE(offset?: number): number;
	readBigInt64LE(offset?: number): bigint;
	readBigInt64BE(offset?: number): bigint;
	readUIntLE(offset: number, byteLength: number): number;
	readUIntBE(offset: number, byteLength: number): number;
	readIntLE(offset: number, byteLength: number): number;
	readIntBE(offset: number, byteLength: number): number;
	readFloatLE(offset?: number): number;
	readFloatBE(offset?: number): number;
	readDoubleLE(offset?: number): number;
	readDoubleBE(offset?: number): number;
	writeUInt8(value: number, offset?: number): number;
	writeUInt16LE(value: number, offset?: number): number;
	writeUInt16BE(value: number, offset?: number): number;
	writeUInt32LE(value: number, offset?: number): number;
	writeUInt32BE(value: number, offset?: number): number;
	writeBigUInt64LE(value: bigint, offset?: number): number;
	writeBigUInt64BE(value: bigint, offset?: number): number;
	writeInt8(value: number, offset?: number): number;
	writeInt16LE(value: number, offset?: number): number;
	writeInt16BE(value: number, offset?: number): number;
	writeInt32LE(value: number, offset?: number): number;
	writeInt32BE(value: number, offset?: number): number;
	writeBigInt64LE(value: bigint, offset?: number): number;
	writeBigInt64BE(value: bigint, offset?: number): number;
	writeUIntLE(value: number, offset: number, byteLength: number): number;
	writeUIntBE(value: number, offset: number, byteLength: number): number;
	writeIntLE(value: number, offset: number, byteLength: number): number;
	writeIntBE(value: number, offset: number, byteLength: number): number;
	writeFloatLE(value: number, offset?: number): number;
	writeFloatBE(value: number, offset?: number): number;
	writeDoubleLE(value: number, offset?: number): number;
	writeDoubleBE(value: number, offset?: number): number;
}

interface BufferConstructor {
	prototype: Buffer;
	from(text: string, encoding?: BufferEncoding): Buffer;
	from(bytes: ArrayBuffer | SharedArrayBuffer, byteOffset?: number, length?: number): Buffer;
	from(bytes: Uint8Array | readonly number[] | { type: "Buffer"; data: number[] }): Buffer;
	of(...bytes: number[]): Buffer;
	alloc(size: number, fill?: string | Uint8Array | number, encoding?: BufferEncoding): Buffer;
	allocUnsafe(size: number): Buffer;
	allocUnsafeSlow(size: number): Buffer;
	concat(list: readonly Uint8Array[], totalLength?: number): Buffer;
	compare(a: Uint8Array, b: Uint8Array): -1 | 0 | 1;
	byteLength(value: string | ArrayBufferView | ArrayBuffer, encoding?: BufferEncoding): number;
	isBuffer(value: unknown): value is Buffer;
	isEncoding(name: string): name is BufferEncoding;
	readonly poolSize: number;
}
declare var Buffer: BufferConstructor;

// ---- process ----

interface Process {
	/** Empty: read `nango.getEnvironmentVariables()`. */
	readonly env: { readonly [name: string]: string | undefined };
	readonly argv: readonly string[];
	readonly version: string;
	readonly versions: { readonly node: string };
	readonly platform: "linux";
	readonly arch: string;
	readonly pid: number;
	cwd(): string;
	uptime(): number;
	nextTick<Args extends unknown[]>(callback: (...args: Args) => void, ...args: Args): void;
	hrtime: { (since?: [number, number]): [number, number]; bigint(): bigint };
	emitWarning(warning: string | Error): void;
}
declare var process: Process;

/** The global object, by the name that Node.js gives it. */
declare var global: typeof globalThis;
