// The other modules of Node.js that functions can import, with and without "node:".

declare module "buffer" {
	type TranscodeEncoding = "ascii" | "utf8" | "utf16le" | "ucs2" | "latin1" | "binary";
	const buffer: BufferConstructor;
	export { buffer as Buffer, buffer as SlowBuffer };
	const blob: typeof globalThis.Blob;
	const file: typeof globalThis.File;
	export { blob as Blob, file as File };
	const decode: typeof globalThis.atob;
	const encode: typeof globalThis.btoa;
	export { decode as atob, encode as btoa };
	export function transcode(source: Uint8Array, from: TranscodeEncoding, to: TranscodeEncoding): Buffer;
	export function isUtf8(value: BufferSource): boolean;
	export function isAscii(value: BufferSource): boolean;
	export const kMaxLength: number;
	export const kStringMaxLength: number;
	export const INSPECT_MAX_BYTES: number;
	export const constants: { MAX_LENGTH: number; MAX_STRING_LENGTH: number };
}

declare module "url" {
	interface UrlObject {
		protocol?: string | null;
		slashes?: boolean | null;
		auth?: string | null;
		host?: string | null;
		hostname?: string | null;
		port?: string | number | null;
		pathname?: string | null;
		search?: string | null;
		query?: string | null | Record<string, any>;
		hash?: string | null;
		href?: string;
	}
	interface UrlWithStringQuery extends UrlObject {
		href: string;
		query: string | null;
	}
	interface UrlWithParsedQuery extends UrlObject {
		href: string;
		query: Record<string, string | string[] | undefined>;
	}
	export function parse(url: string, parseQuery: true, slashesDenoteHost?: boolean): UrlWithParsedQuery;
	export function parse(url: string, parseQuery?: false, slashesDenoteHost?: boolean): UrlWithStringQuery;
	export function format(url: string | UrlObject | URL, options?: { auth?: boolean; fragment?: boolean; search?: boolean; unicode?: boolean }): string;
	export function resolve(from: string, to: string): string;
	export function resolveObject(from: string, to: string): UrlWithStringQuery;
	export function domainToASCII(domain: string): string;
	export function domainToUnicode(domain: string): string;
	export function urlToHttpOptions(url: URL): Record<string, any>;
	const WholeURL: typeof globalThis.URL;
	const Params: typeof globalThis.URLSearchParams;
	type WholeURL = globalThis.URL;
	type Params = globalThis.URLSearchParams;
	export { WholeURL as URL, Params as URLSearchParams };
}

declare module "querystring" {
	type ParsedUrlQuery = Record<string, string | string[] | undefined>;
	interface ParseOptions {
		maxKeys?: number;
		decodeURIComponent?: (text: string) => string;
	}
	interface StringifyOptions {
		encodeURIComponent?: (text: string) => string;
	}
	export function parse(text: string, separator?: string | null, equals?: string | null, options?: ParseOptions): ParsedUrlQuery;
	export function stringify(object?: Record<string, any>, separator?: string | null, equals?: string | null, options?: StringifyOptions): string;
	export function escape(text: string): string;
	export function unescape(text: string): string;
	export { parse as decode, stringify as encode };
}

declare module "util" {
	interface InspectOptions {
		depth?: number | null;
		colors?: boolean;
		compact?: boolean | number;
		breakLength?: number;
		showHidden?: boolean;
		sorted?: boolean | ((a: string, b: string) => number);
		maxArrayLength?: number | null;
		maxStringLength?: number | null;
	}
	export const inspect: { (value: unknown, options?: InspectOptions): string; custom: symbol; defaultOptions: InspectOptions };
	export function format(format?: unknown, ...values: unknown[]): string;
	export function formatWithOptions(options: InspectOptions, format?: unknown, ...values: unknown[]): string;
	export function promisify<Args extends unknown[], Result>(f: (...args: [...Args, (error: any, result: Result) => void]) => void): (...args: Args) => Promise<Result>;
	export function promisify(f: Function): (...args: any[]) => Promise<any>;
	export function callbackify<Args extends unknown[], Result>(f: (...args: Args) => Promise<Result>): (...args: [...Args, (error: any, result: Result) => void]) => void;
	export function inherits(Class: Function, Base: Function): void;
	export function deprecate<F extends Function>(f: F, message: string, code?: string): F;
	export function isDeepStrictEqual(a: unknown, b: unknown): boolean;
	export function debuglog(section: string): ((format: string, ...values: unknown[]) => void) & { enabled: boolean };
	export { debuglog as debug };
	export function stripVTControlCharacters(text: string): string;
	export function toUSVString(text: string): string;
	export * as types from "util/types";
	const Encoder: typeof globalThis.TextEncoder;
	const Decoder: typeof globalThis.TextDecoder;
	export { Encoder as TextEncoder, Decoder as TextDecoder };
}

declare module "util/types" {
	export function isAnyArrayBuffer(value: unknown): value is ArrayBufferLike;
	export function isArgumentsObject(value: unknown): boolean;
	export function isArrayBuffer(value: unknown): value is ArrayBuffer;
	export function isArrayBufferView(value: unknown): value is ArrayBufferView;
	export function isAsyncFunction(value: unknown): boolean;
	export function isBigInt64Array(value: unknown): value is BigInt64Array;
	export function isBigUint64Array(value: unknown): value is BigUint64Array;
	export function isBoxedPrimitive(value: unknown): boolean;
	export function isDataView(value: unknown): value is DataView;
	export function isDate(value: unknown): value is Date;
	export function isFloat32Array(value: unknown): value is Float32Array;
	export function isFloat64Array(value: unknown): value is Float64Array;
	export function isGeneratorFunction(value: unknown): boolean;
	export function isGeneratorObject(value: unknown): boolean;
	export function isInt16Array(value: unknown): value is Int16Array;
	export function isInt32Array(value: unknown): value is Int32Array;
	export function isInt8Array(value: unknown): value is Int8Array;
	export function isMap(value: unknown): value is Map<unknown, unknown>;
	export function isNativeError(value: unknown): value is Error;
	export function isPromise(value: unknown): value is Promise<unknown>;
	export function isRegExp(value: unknown): value is RegExp;
	export function isSet(value: unknown): value is Set<unknown>;
	export function isTypedArray(value: unknown): boolean;
	export function isUint16Array(value: unknown): value is Uint16Array;
	export function isUint32Array(value: unknown): value is Uint32Array;
	export function isUint8Array(value: unknown): value is Uint8Array;
	export function isUint8ClampedArray(value: unknown): value is Uint8ClampedArray;
	export function isWeakMap(value: unknown): value is WeakMap<object, unknown>;
	export function isWeakSet(value: unknown): value is WeakSet<object>;
}

declare module "assert" {
	function assert(value: unknown, message?: string | Error): asserts value;
	namespace assert {
		class AssertionError extends Error {
			constructor(options?: { message?: string; actual?: unknown; expected?: unknown; operator?: string });
			readonly code: "ERR_ASSERTION";
			readonly actual: unknown;
			readonly expected: unknown;
			readonly operator: string;
		}
		type Expected = RegExp | Function | Error | object;
		function ok(value: unknown, message?: string | Error): asserts value;
		function equal(a: unknown, b: unknown, message?: string | Error): void;
		function notEqual(a: unknown, b: unknown, message?: string | Error): void;
		function deepEqual(a: unknown, b: unknown, message?: string | Error): void;
		function notDeepEqual(a: unknown, b: unknown, message?: string | Error): void;
		function strictEqual<T>(actual: unknown, expected: T, message?: string | Error): asserts actual is T;
		function notStrictEqual(a: unknown, b: unknown, message?: string | Error): void;
		function deepStrictEqual<T>(actual: unknown, expected: T, message?: string | Error): asserts actual is T;
		function notDeepStrictEqual(a: unknown, b: unknown, message?: string | Error): void;
		function throws(run: () => unknown, expected?: Expected | string, message?: string | Error): void;
		function doesNotThrow(run: () => unknown, message?: string | Error): void;
		function rejects(run: Promise<unknown> | (() => Promise<unknown>), expected?: Expected | string, message?: string | Error): Promise<void>;
		function doesNotReject(run: Promise<unknown> | (() => Promise<unknown>), message?: string | Error): Promise<void>;
		function match(text: string, pattern: RegExp, message?: string | Error): void;
		function doesNotMatch(text: string, pattern: RegExp, message?: string | Error): void;
		function ifError(value: unknown): asserts value is null | undefined;
		function fail(message?: string | Error): never;
		const strict: typeof assert;
	}
	export = assert;
}
declare module "assert/strict" {
	import assert = require("assert");
	export = assert;
}

declare module "events" {
	type Listener = (...args: any[]) => void;
	class EventEmitter {
		static defaultMaxListeners: number;
		static readonly errorMonitor: unique symbol;
		static readonly EventEmitter: typeof EventEmitter;
		static once(emitter: EventEmitter, event: string | symbol): Promise<any[]>;
		static on(emitter: EventEmitter, event: string | symbol): AsyncIterableIterator<any[]>;
		on(event: string | symbol, listener: Listener): this;
		once(event: string | symbol, listener: Listener): this;
		off(event: string | symbol, listener: Listener): this;
		addListener(event: string | symbol, listener: Listener): this;
		removeListener(event: string | symbol, listener: Listener): this;
		removeAllListeners(event?: string | symbol): this;
		prependListener(event: string | symbol, listener: Listener): this;
		prependOnceListener(event: string | symbol, listener: Listener): this;
		emit(event: string | symbol, ...args: any[]): boolean;
		eventNames(): (string | symbol)[];
		listeners(event: string | symbol): Function[];
		rawListeners(event: string | symbol): Function[];
		listenerCount(event: string | symbol): number;
		setMaxListeners(n: number): this;
		getMaxListeners(): number;
	}
	export = EventEmitter;
}

declare module "path" {
	interface ParsedPath {
		root: string;
		dir: string;
		base: string;
		ext: string;
		name: string;
	}
	interface Path {
		basename(path: string, suffix?: string): string;
		dirname(path: string): string;
		extname(path: string): string;
		format(path: Partial<ParsedPath>): string;
		isAbsolute(path: string): boolean;
		join(...paths: string[]): string;
		normalize(path: string): string;
		parse(path: string): ParsedPath;
		relative(from: string, to: string): string;
		resolve(...paths: string[]): string;
		readonly sep: "/";
		readonly delimiter: ":";
		readonly posix: Path;
	}
	const path: Path;
	export = path;
}
declare module "path/posix" {
	import path = require("path");
	export = path;
}

declare module "os" {
	export const EOL: "\n";
	export function platform(): string;
	export function type(): string;
	export function arch(): string;
	export function release(): string;
	export function hostname(): string;
	export function homedir(): string;
	export function tmpdir(): string;
	export function endianness(): "LE";
}

declare module "process" {
	const process: Process;
	export = process;
}

declare module "punycode" {
	export function decode(text: string): string;
	export function encode(text: string): string;
	export function toASCII(domain: string): string;
	export function toUnicode(domain: string): string;
	export const ucs2: { decode(text: string): number[]; encode(points: readonly number[]): string };
	export const version: string;
}

declare module "string_decoder" {
	export class StringDecoder {
		constructor(encoding?: BufferEncoding);
		readonly encoding: string;
		write(chunk: string | BufferSource): string;
		end(chunk?: string | BufferSource): string;
	}
}

declare module "timers" {
	const timeout: typeof globalThis.setTimeout;
	const interval: typeof globalThis.setInterval;
	const immediate: typeof globalThis.setImmediate;
	const noTimeout: typeof globalThis.clearTimeout;
	const noInterval: typeof globalThis.clearInterval;
	const noImmediate: typeof globalThis.clearImmediate;
	export { timeout as setTimeout, interval as setInterval, immediate as setImmediate, noTimeout as clearTimeout, noInterval as clearInterval, noImmediate as clearImmediate };
	export * as promises from "timers/promises";
}

declare module "timers/promises" {
	interface TimerOptions {
		signal?: AbortSignal;
	}
	export function setTimeout<T = void>(ms?: number, value?: T, options?: TimerOptions): Promise<T>;
	export function setImmediate<T = void>(value?: T, options?: TimerOptions): Promise<T>;
	export function setInterval<T = void>(ms?: number, value?: T, options?: TimerOptions): AsyncIterableIterator<T>;
	export const scheduler: { wait(ms: number, options?: TimerOptions): Promise<void>; yield(): Promise<void> };
}

// The same under the names that begin with "node:".

declare module "node:buffer" {
	export * from "buffer";
	import * as all from "buffer";
	export default all;
}

declare module "node:url" {
	export * from "url";
	import * as all from "url";
	export default all;
}

declare module "node:querystring" {
	export * from "querystring";
	import * as all from "querystring";
	export default all;
}

declare module "node:util" {
	export * from "util";
	import * as all from "util";
	export default all;
}

declare module "node:util/types" {
	export * from "util/types";
	import * as all from "util/types";
	export default all;
}

declare module "node:os" {
	export * from "os";
	import * as all from "os";
	export default all;
}

declare module "node:punycode" {
	export * from "punycode";
	import * as all from "punycode";
	export default all;
}

declare module "node:string_decoder" {
	export * from "string_decoder";
	import * as all from "string_decoder";
	export default all;
}

declare module "node:timers" {
	export * from "timers";
	import * as all from "timers";
	export default all;
}

declare module "node:timers/promises" {
	export * from "timers/promises";
	import * as all from "timers/promises";
	export default all;
}

declare module "node:assert" {
	import all = require("assert");
	export = all;
}

declare module "node:assert/strict" {
	import all = require("assert/strict");
	export = all;
}

declare module "node:events" {
	import all = require("events");
	export = all;
}

declare module "node:path" {
	import all = require("path");
	export = all;
}

declare module "node:path/posix" {
	import all = require("path/posix");
	export = all;
}

declare module "node:process" {
	import all = require("process");
	export = all;
}
