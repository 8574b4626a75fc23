// Calls of the host's pure functions: package platform in Go. Byte strings go
// beside the JSON, one after the other.
import { ask } from "../bridge";

/** Errors that carry one of Node's codes. */
export interface CodedError extends Error {
	code?: string;
}

const classes = { TypeError, RangeError, Error, SyntaxError };

/** Makes an error of the named class with a code. */
export function coded(name: string, code: string | undefined, message: string): CodedError {
	const Class = classes[name as keyof typeof classes] ?? Error;
	const error: CodedError = new Class(message);
	if (code !== undefined) error.code = code;
	return error;
}

/** The TypeError that Node throws for arguments of a wrong type. */
export function wrongType(argument: string, expected: string, got: unknown): CodedError {
	return coded("TypeError", "ERR_INVALID_ARG_TYPE", `The "${argument}" argument must be ${expected}. Received ${describe(got)}`);
}

function describe(value: unknown): string {
	if (value === null || value === undefined) return String(value);
	if (typeof value === "function") return `function ${value.name}`;
	if (typeof value === "object") return `an instance of ${value.constructor?.name ?? "Object"}`;
	const text = typeof value === "string" ? `'${value.length > 25 ? `${value.slice(0, 25)}...` : value}'` : String(value);
	return `type ${typeof value} (${text})`;
}

/** Returns the bytes as an ArrayBuffer of their own length. */
export function exact(bytes: Uint8Array): ArrayBuffer {
	if (bytes.byteOffset === 0 && bytes.byteLength === bytes.buffer.byteLength && bytes.buffer instanceof ArrayBuffer) return bytes.buffer;
	const copy = new Uint8Array(bytes.byteLength);
	copy.set(bytes);
	return copy.buffer;
}

function joined(parts: Uint8Array[]): ArrayBuffer {
	if (parts.length === 1) return exact(parts[0]!);
	const whole = new Uint8Array(parts.reduce((n, part) => n + part.byteLength, 0));
	let at = 0;
	for (const part of parts) {
		whole.set(part, at);
		at += part.byteLength;
	}
	return whole.buffer;
}

function unwrap(answer: any): any {
	if (answer instanceof ArrayBuffer) return new Uint8Array(answer);
	if (answer?.error !== undefined) {
		const { name, code, message } = answer.error;
		throw coded(name, code, message);
	}
	return answer?.value;
}

/** Calls a function of the host with parameters and, beside them, a body. */
export function pure(name: string, params?: unknown, body?: string | Uint8Array): any {
	return unwrap(ask(name, params, body instanceof Uint8Array ? exact(body) : body));
}

/** Calls a function of the host that takes byte strings. */
export function pureBytes(name: string, params: object, ...parts: Uint8Array[]): any {
	return unwrap(ask(name, { ...params, parts: parts.map((part) => part.byteLength) }, joined(parts)));
}

/** Puts values into the global object as the language does with its own. */
export function install(globals: Record<string, unknown>): void {
	for (const [name, value] of Object.entries(globals)) {
		// The bundler may have renamed classes that speak of themselves.
		if (typeof value === "function" && value.name !== name) Object.defineProperty(value, "name", { value: name, configurable: true });
		Object.defineProperty(globalThis, name, { value, writable: true, enumerable: false, configurable: true });
	}
}

/** Makes a property that is computed when it is first read. */
export function lazily<T>(make: () => T): () => T {
	let value: { made: T } | undefined;
	return () => (value ??= { made: make() }).made;
}
