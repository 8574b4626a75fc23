// The module util.
import * as equal from "./equal";
import { coded, wrongType } from "./host";
import { format, formatWithOptions, inspect } from "./inspect";
import { TextDecoder, TextEncoder } from "./text";

const customPromisify = Symbol.for("nodejs.util.promisify.custom");

function promisify(original: any): any {
	if (typeof original !== "function") throw wrongType("original", "of type function", original);
	if (original[customPromisify] !== undefined) {
		if (typeof original[customPromisify] !== "function") throw wrongType("util.promisify.custom", "of type function", original[customPromisify]);
		return original[customPromisify];
	}
	function promised(this: unknown, ...args: unknown[]) {
		return new Promise((resolve, reject) => {
			original.call(this, ...args, (error: unknown, value: unknown) => (error ? reject(error) : resolve(value)));
		});
	}
	Object.setPrototypeOf(promised, Object.getPrototypeOf(original));
	return Object.defineProperties(promised, Object.getOwnPropertyDescriptors(original));
}
promisify.custom = customPromisify;

function callbackify(original: any): any {
	if (typeof original !== "function") throw wrongType("original", "of type function", original);
	return function (this: unknown, ...args: any[]) {
		const callback = args.pop();
		if (typeof callback !== "function") throw wrongType("last argument", "of type function", callback);
		original.apply(this, args).then(
			(value: unknown) => queue(() => callback(null, value)),
			(error: unknown) => queue(() => callback(error ?? coded("Error", "ERR_FALSY_VALUE_REJECTION", "Promise was rejected with falsy value"))),
		);
	};
}

function queue(task: () => void): void {
	(globalThis as any).queueMicrotask(task);
}

function inherits(constructor: any, parent: any): void {
	if (typeof constructor !== "function") throw wrongType("ctor", "of type function", constructor);
	if (typeof parent !== "function") throw wrongType("superCtor", "of type function", parent);
	Object.defineProperty(constructor, "super_", { value: parent, writable: true, configurable: true });
	Object.setPrototypeOf(constructor.prototype, parent.prototype);
}

function deprecate(original: any): any {
	return function (this: unknown, ...args: unknown[]) {
		return new.target ? Reflect.construct(original, args, new.target) : Reflect.apply(original, this, args);
	};
}

const tag = (value: unknown) => Object.prototype.toString.call(value).slice(8, -1);
const is = (Class: any) => (value: unknown) => value instanceof Class;
const typed = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag)!.get!;
const boxed = (Class: any) => (value: unknown) => typeof value === "object" && value instanceof Class;

const GeneratorFunction = Object.getPrototypeOf(function* () {}).constructor;
const AsyncFunction = Object.getPrototypeOf(async () => {}).constructor;
const AsyncGeneratorFunction = Object.getPrototypeOf(async function* () {}).constructor;

/** The module util/types. */
export const types = {
	isAnyArrayBuffer: (value: unknown) => value instanceof ArrayBuffer || value instanceof SharedArrayBuffer,
	isArgumentsObject: (value: unknown) => tag(value) === "Arguments",
	isArrayBuffer: is(ArrayBuffer),
	isArrayBufferView: (value: unknown) => ArrayBuffer.isView(value),
	isAsyncFunction: (value: unknown) => value instanceof AsyncFunction || value instanceof AsyncGeneratorFunction,
	isBigInt64Array: is(BigInt64Array),
	isBigIntObject: boxed(BigInt),
	isBigUint64Array: is(BigUint64Array),
	isBooleanObject: boxed(Boolean),
	isBoxedPrimitive: (value: unknown) => [Number, String, Boolean, BigInt, Symbol].some((Class) => boxed(Class)(value)),
	isDataView: is(DataView),
	isDate: is(Date),
	isFloat32Array: is(Float32Array),
	isFloat64Array: is(Float64Array),
	isGeneratorFunction: (value: unknown) => value instanceof GeneratorFunction || value instanceof AsyncGeneratorFunction,
	isGeneratorObject: (value: unknown) => tag(value) === "Generator" || tag(value) === "AsyncGenerator",
	isInt16Array: is(Int16Array),
	isInt32Array: is(Int32Array),
	isInt8Array: is(Int8Array),
	isMap: is(Map),
	isMapIterator: (value: unknown) => tag(value) === "Map Iterator",
	isNativeError: is(Error),
	isNumberObject: boxed(Number),
	isPromise: is(Promise),
	isRegExp: is(RegExp),
	isSet: is(Set),
	isSetIterator: (value: unknown) => tag(value) === "Set Iterator",
	isSharedArrayBuffer: is(SharedArrayBuffer),
	isStringObject: boxed(String),
	isSymbolObject: boxed(Symbol),
	isTypedArray: (value: unknown) => ArrayBuffer.isView(value) && typed.call(value) !== undefined,
	isUint16Array: is(Uint16Array),
	isUint32Array: is(Uint32Array),
	isUint8Array: is(Uint8Array),
	isUint8ClampedArray: is(Uint8ClampedArray),
	isWeakMap: is(WeakMap),
	isWeakSet: is(WeakSet),
	// Nothing can tell that a value is one of these.
	isExternal: () => false,
	isModuleNamespaceObject: (value: unknown) => tag(value) === "Module",
	isProxy: () => false,
};

// eslint-disable-next-line no-control-regex
const terminalCodes = /\u001b\[[0-9;]*[A-Za-z]/g;

/** The module util. */
export const util = {
	inspect,
	format,
	formatWithOptions,
	promisify,
	callbackify,
	inherits,
	deprecate,
	types,
	isDeepStrictEqual: equal.isDeepStrictEqual,
	TextEncoder,
	TextDecoder,
	debuglog: () => Object.assign(() => {}, { enabled: false }),
	debug: () => Object.assign(() => {}, { enabled: false }),
	stripVTControlCharacters: (text: string) => String(text).replace(terminalCodes, ""),
	toUSVString: (text: unknown) => (String(text) as string & { toWellFormed(): string }).toWellFormed(),
	isArray: Array.isArray,
	isBoolean: (v: unknown) => typeof v === "boolean",
	isBuffer: (v: unknown) => (globalThis as any).Buffer.isBuffer(v),
	isDate: types.isDate,
	isError: (v: unknown) => v instanceof Error,
	isFunction: (v: unknown) => typeof v === "function",
	isNull: (v: unknown) => v === null,
	isNullOrUndefined: (v: unknown) => v === null || v === undefined,
	isNumber: (v: unknown) => typeof v === "number",
	isObject: (v: unknown) => typeof v === "object" && v !== null,
	isPrimitive: (v: unknown) => v === null || (typeof v !== "object" && typeof v !== "function"),
	isRegExp: types.isRegExp,
	isString: (v: unknown) => typeof v === "string",
	isSymbol: (v: unknown) => typeof v === "symbol",
	isUndefined: (v: unknown) => v === undefined,
};
