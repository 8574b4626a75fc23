// structuredClone of the HTML standard.
import { Blob, File } from "./blob";
import { domError } from "./event";

const errors: Record<string, ErrorConstructor> = { Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError } as Record<string, ErrorConstructor>;
const tag = (value: object): string => Object.prototype.toString.call(value).slice(8, -1);

function refuse(value: unknown): never {
	const shown = typeof value === "symbol" ? String(value) : typeof value === "function" ? Function.prototype.toString.call(value) : `#<${tag(value as object)}>`;
	throw domError(`${shown} could not be cloned.`, "DataCloneError");
}

function cloneError(value: Error, clone: (v: unknown) => unknown, seen: Map<object, unknown>): Error {
	const Class = errors[String(value.name)] ?? Error;
	const made = Object.create(Class.prototype) as Error;
	const copy = Reflect.construct(Class, []) as Error;
	Object.setPrototypeOf(copy, Object.getPrototypeOf(made));
	seen.set(value, copy);
	for (const name of ["stack", "message", "cause"] as const) {
		const own = Object.getOwnPropertyDescriptor(value, name);
		if (own && "value" in own) Object.defineProperty(copy, name, { value: name === "cause" ? clone(own.value) : String(own.value), writable: true, configurable: true, enumerable: false });
		else delete copy[name];
	}
	return copy;
}

/** Copies what is not an object of its own kind by its properties. */
function build(value: any, seen: Map<object, unknown>, moved: Set<unknown>): unknown {
	const clone = (v: unknown) => copy(v, seen, moved);
	const keep = <T>(made: T): T => {
		seen.set(value, made);
		return made;
	};
	if (value instanceof Date) return keep(new Date(value.getTime()));
	if (value instanceof RegExp) return keep(new RegExp(value.source, value.flags));
	if (value instanceof ArrayBuffer) {
		if (moved.has(value)) return keep((value as ArrayBuffer & { transfer(): ArrayBuffer }).transfer());
		return keep(value.slice(0));
	}
	if (value instanceof SharedArrayBuffer) return keep(value);
	if (ArrayBuffer.isView(value)) {
		const buffer = clone(value.buffer) as ArrayBuffer;
		if (value instanceof DataView) return keep(new DataView(buffer, value.byteOffset, value.byteLength));
		const Class = (globalThis as any)[(value as any)[Symbol.toStringTag]];
		return keep(new Class(buffer, value.byteOffset, (value as Uint8Array).length));
	}
	if (value instanceof Map) {
		const made = keep(new Map());
		for (const [k, v] of [...value]) made.set(clone(k), clone(v));
		return made;
	}
	if (value instanceof Set) {
		const made = keep(new Set());
		for (const v of [...value]) made.add(clone(v));
		return made;
	}
	if (value instanceof Error) return cloneError(value, clone, seen);
	if (value instanceof File) return keep(new File([value], value.name, { type: value.type, lastModified: value.lastModified }));
	if (value instanceof Blob) return keep(value.slice(0, value.size, value.type));
	for (const Class of [Boolean, Number, String, BigInt]) if (value instanceof Class) return keep(Object(value.valueOf()));
	if (value instanceof Promise || value instanceof WeakMap || value instanceof WeakSet || value instanceof WeakRef || value instanceof Symbol) refuse(value);
	const made: any = keep(Array.isArray(value) ? new Array(value.length) : {});
	for (const name of Object.keys(value)) {
		Object.defineProperty(made, name, { value: clone(value[name]), writable: true, enumerable: true, configurable: true });
	}
	return made;
}

function copy(value: unknown, seen: Map<object, unknown>, moved: Set<unknown>): unknown {
	if (typeof value === "function" || typeof value === "symbol") refuse(value);
	if (typeof value !== "object" || value === null) return value;
	return seen.has(value) ? seen.get(value) : build(value, seen, moved);
}

export function structuredClone(value?: unknown, options?: { transfer?: unknown[] }): unknown {
	if (arguments.length === 0) throw Object.assign(new TypeError('The "value" argument must be specified'), { code: "ERR_MISSING_ARGS" });
	return copy(value, new Map(), new Set(options?.transfer ?? []));
}
