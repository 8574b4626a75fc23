// util.inspect and util.format, showing values as Node does.
import { Buffer } from "./buffer";

/** The options of inspect that are known here. */
export interface InspectOptions {
	depth?: number | null;
	compact?: number | boolean;
	breakLength?: number;
	maxArrayLength?: number | null;
	maxStringLength?: number | null;
	showHidden?: boolean;
	sorted?: boolean | ((a: string, b: string) => number);
	getters?: boolean;
	customInspect?: boolean;
	colors?: boolean;
	numericSeparator?: boolean;
}

interface Context {
	depth: number;
	compact: number;
	breakLength: number;
	maxArrayLength: number;
	maxStringLength: number;
	showHidden: boolean;
	sorted: boolean | ((a: string, b: string) => number);
	getters: boolean;
	customInspect: boolean;
	seen: object[];
	circular: Map<object, number>;
	indentation: number;
	level: number;
	/** The level of the object that was begun last. */
	last: number;
}

/** The method that shows an object in its own way. */
export const custom = Symbol.for("nodejs.util.inspect.custom");

const identifier = /^[a-zA-Z_][a-zA-Z_0-9]*$/;
const controls = /[\x00-\x1f\x27\x5c\x7f-\x9f]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;
const escapes: Record<string, string> = { "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", "\\": "\\\\" };

/** Quotes a string with the quotes that need the fewest escapes. */
export function quote(text: string): string {
	const mark = !text.includes("'") ? "'" : !text.includes('"') ? '"' : !text.includes("`") && !text.includes("${") ? "`" : "'";
	if (!controls.test(text)) return mark + text + mark;
	const escaped = text.replace(new RegExp(controls.source, "g"), (c) => {
		if (c === "'") return mark === "'" ? "\\'" : c;
		const code = c.charCodeAt(0);
		return escapes[c] ?? (code < 0x100 ? `\\x${code.toString(16).toUpperCase().padStart(2, "0")}` : `\\u${code.toString(16)}`);
	});
	return mark + escaped + mark;
}

function number(value: number): string {
	return Object.is(value, -0) ? "-0" : String(value);
}

function primitive(ctx: Context, value: unknown): string {
	switch (typeof value) {
		case "string": {
			const more = value.length - ctx.maxStringLength;
			const shown = more > 0 ? value.slice(0, ctx.maxStringLength) : value;
			const rest = more > 0 ? `... ${more} more character${more > 1 ? "s" : ""}` : "";
			// Long texts are shown line by line.
			if (ctx.compact !== 0 && shown.length > 16 && shown.length > ctx.breakLength - ctx.indentation - 4 && ctx.level > 0)
				return shown.split(/(?<=\n)/).map((line) => quote(line)).join(` +\n${" ".repeat(ctx.indentation + 2)}`) + rest;
			return quote(shown) + rest;
		}
		case "number":
			return number(value);
		case "bigint":
			return `${value}n`;
		case "symbol":
			return value.toString();
		default:
			return String(value);
	}
}

function constructorName(value: object): string | null {
	let object: object | null = value;
	while (object !== null) {
		const own = Object.getOwnPropertyDescriptor(object, "constructor");
		if (own !== undefined && typeof own.value === "function" && own.value.name !== "" && (value instanceof own.value || object === value)) return String(own.value.name);
		object = Object.getPrototypeOf(object);
	}
	return null;
}

function prefix(name: string | null, tag: string, fallback: string, size = ""): string {
	const label = name ?? `[${fallback}${size}: null prototype]`;
	const sized = name === null ? label : `${label}${size}`;
	return tag !== "" && tag !== name ? `${sized} [${tag}] ` : `${sized} `;
}

function tagOf(value: any, name: string | null): string {
	try {
		const tag = value[Symbol.toStringTag];
		return typeof tag === "string" && tag !== "" && tag !== name ? tag : "";
	} catch {
		return "";
	}
}

function keysOf(ctx: Context, value: object): PropertyKey[] {
	if (ctx.showHidden) return Reflect.ownKeys(value);
	const symbols = Object.getOwnPropertySymbols(value).filter((s) => Object.prototype.propertyIsEnumerable.call(value, s));
	return [...Object.keys(value), ...symbols];
}

function functionBase(value: Function, name: string | null, tag: string): string {
	const source = Function.prototype.toString.call(value);
	if (source.startsWith("class") && source.endsWith("}")) {
		const own = Object.hasOwn(value, "name") && value.name !== "" ? value.name : "(anonymous)";
		const parent = Object.getPrototypeOf(value);
		const base = typeof parent === "function" && parent.name ? ` extends ${parent.name}` : parent === null ? " extends [null prototype]" : "";
		return `[class ${own}${base}]`;
	}
	const kind = tagOf(value, null) || "Function";
	let base = `[${kind}`;
	if (name === null) base += " (null prototype)";
	base += value.name === "" ? " (anonymous)" : `: ${value.name}`;
	base += "]";
	if (name !== kind && name !== null && name !== "Function") base += ` ${name}`;
	return tag !== "" && tag !== kind && tag !== name ? `${base} [${tag}]` : base;
}

function errorBase(ctx: Context, error: Error, keys: PropertyKey[]): string {
	const name = String(error.name ?? constructorName(error) ?? "Error");
	const message = String(error.message ?? "");
	const header = message === "" ? name : `${name}: ${message}`;
	const stack = typeof error.stack === "string" ? error.stack : "";
	for (const key of ["name", "message", "stack"]) {
		const at = keys.indexOf(key);
		if (at >= 0 && (key === "stack" || String((error as any)[key]) === String(key === "name" ? name : message))) keys.splice(at, 1);
	}
	if ("cause" in error && Object.hasOwn(error, "cause") && !keys.includes("cause")) keys.push("cause");
	if (Array.isArray((error as AggregateError).errors) && Object.hasOwn(error, "errors") && !keys.includes("errors")) keys.push("errors");
	const frames = stack.includes(message) && stack.startsWith(name) ? stack : stack === "" ? header : `${header}\n${stack.replace(/\n+$/, "")}`;
	const text = /\n\s+at /.test(frames) ? frames : `[${frames}]`;
	return ctx.indentation === 0 ? text : text.replaceAll("\n", `\n${" ".repeat(ctx.indentation)}`);
}

function property(ctx: Context, value: any, key: PropertyKey, kind: "object" | "extra" | "array", own?: PropertyDescriptor): string {
	const found = own ?? Object.getOwnPropertyDescriptor(value, key) ?? { value: value[key], enumerable: true };
	let text: string;
	if ("value" in found) {
		ctx.indentation += 2;
		text = show(ctx, found.value);
		ctx.indentation -= 2;
	} else if (found.get !== undefined) {
		const label = found.set !== undefined ? "Getter/Setter" : "Getter";
		text = `[${label}]`;
		if (ctx.getters) {
			try {
				const got = found.get.call(value);
				text = typeof got === "object" && got !== null ? `[${label}] ${show(ctx, got)}` : `[${label}: ${primitive(ctx, got)}]`;
			} catch (thrown) {
				text = `[${label}: <Inspection threw (${(thrown as Error)?.message})>]`;
			}
		}
	} else {
		text = found.set !== undefined ? "[Setter]" : "undefined";
	}
	if (kind === "array") return text;
	let name = typeof key === "symbol" ? `[${key.toString()}]` : key === "__proto__" ? "['__proto__']" : identifier.test(String(key)) ? String(key) : quote(String(key));
	if (found.enumerable === false) name = `[${typeof key === "symbol" ? key.toString() : String(key)}]`;
	return `${name}: ${text}`;
}

function more(count: number): string {
	return `... ${count} more item${count > 1 ? "s" : ""}`;
}

function arrayItems(ctx: Context, value: unknown[]): string[] {
	const output: string[] = [];
	const limit = Math.min(ctx.maxArrayLength, value.length);
	let i = 0;
	while (i < value.length && output.length < limit) {
		if (Object.hasOwn(value, i)) {
			output.push(property(ctx, value, String(i), "array"));
			i++;
			continue;
		}
		const from = i;
		while (i < value.length && !Object.hasOwn(value, i)) i++;
		output.push(`<${i - from} empty item${i - from > 1 ? "s" : ""}>`);
	}
	if (i < value.length) output.push(more(value.length - i));
	return output;
}

function listItems(ctx: Context, items: Iterable<unknown>, size: number, render: (item: any) => string): string[] {
	const output: string[] = [];
	ctx.indentation += 2;
	for (const item of items) {
		if (output.length >= ctx.maxArrayLength) {
			output.push(more(size - output.length));
			break;
		}
		output.push(render(item));
	}
	ctx.indentation -= 2;
	return output;
}

interface Shape {
	base: string;
	braces: [string, string];
	items: string[];
	array: boolean;
}

const isIndex = (key: PropertyKey) => typeof key === "string" && /^(?:0|[1-9]\d*)$/.test(key) && Number(key) < 2 ** 32 - 1;

const typedArrayTag = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag)!.get!;

/** What a value is beside its properties. Keys that belong to it are taken out of keys. */
function shapeOf(ctx: Context, value: any, name: string | null, tag: string, keys: PropertyKey[]): Shape {
	const plain = (base: string): Shape => ({ base, braces: ["{", "}"], items: [], array: false });
	const drop = (which: (key: PropertyKey) => boolean) => {
		for (let i = keys.length - 1; i >= 0; i--) if (which(keys[i]!)) keys.splice(i, 1);
	};
	if (Array.isArray(value)) {
		drop((key) => isIndex(key));
		const label = name !== "Array" || tag !== "" ? prefix(name, tag, "Array", `(${value.length})`) : "";
		return { base: "", braces: [`${label}[`, "]"], items: arrayItems(ctx, value), array: true };
	}
	if (value instanceof Set) {
		const items = listItems(ctx, Set.prototype.values.call(value), value.size, (item) => show(ctx, item));
		return { base: "", braces: [`${prefix(name, tag, "Set", `(${value.size})`)}{`, "}"], items, array: false };
	}
	if (value instanceof Map) {
		const items = listItems(ctx, Map.prototype.entries.call(value), value.size, ([k, v]) => `${show(ctx, k)} => ${show(ctx, v)}`);
		return { base: "", braces: [`${prefix(name, tag, "Map", `(${value.size})`)}{`, "}"], items, array: false };
	}
	if (ArrayBuffer.isView(value) && !(value instanceof DataView)) {
		drop((key) => isIndex(key));
		const kind = typedArrayTag.call(value) as string;
		const list = value as unknown as ArrayLike<number | bigint>;
		const items: string[] = [];
		for (let i = 0; i < list.length && i < ctx.maxArrayLength; i++) items.push(typeof list[i] === "bigint" ? `${list[i]}n` : number(list[i] as number));
		if (list.length > items.length) items.push(more(list.length - items.length));
		return { base: "", braces: [`${prefix(name, tag === kind ? "" : tag, kind, `(${list.length})`)}[`, "]"], items, array: true };
	}
	if (typeof value === "function") return plain(functionBase(value, name, tag));
	if (value instanceof RegExp) return plain(RegExp.prototype.toString.call(value));
	if (value instanceof Date) return plain(Number.isNaN(value.getTime()) ? "Invalid Date" : Date.prototype.toISOString.call(value));
	if (value instanceof Error) return plain(errorBase(ctx, value, keys));
	if (value instanceof ArrayBuffer || value instanceof SharedArrayBuffer) {
		const bytes = new Uint8Array(value);
		const hex = Array.from(bytes.subarray(0, Math.min(50, ctx.maxArrayLength)), (b) => b.toString(16).padStart(2, "0")).join(" ");
		const rest = bytes.length > 50 ? ` ... ${bytes.length - 50} more byte${bytes.length > 51 ? "s" : ""}` : "";
		return { base: "", braces: [`${prefix(name, tag, "ArrayBuffer")}{`, "}"], items: [`[Uint8Contents]: <${hex}${rest}>`, `byteLength: ${bytes.length}`], array: false };
	}
	if (value instanceof DataView) {
		const items = (["byteLength", "byteOffset", "buffer"] as const).map((key) => `${key}: ${show(ctx, value[key])}`);
		return { base: "", braces: [`${prefix(name, tag, "DataView")}{`, "}"], items, array: false };
	}
	if (value instanceof WeakSet || value instanceof WeakMap) return { base: "", braces: [`${prefix(name, tag, "WeakSet")}{`, "}"], items: ["<items unknown>"], array: false };
	for (const [Class, kind] of [[Number, "Number"], [String, "String"], [Boolean, "Boolean"], [BigInt, "BigInt"], [Symbol, "Symbol"]] as const) {
		if (!(value instanceof Class)) continue;
		if (kind === "String") drop((key) => isIndex(key) || key === "length");
		const label = name === kind || name === null ? kind : `${kind} (${name})`;
		return plain(`[${label}: ${primitive({ ...ctx, level: 0 }, value.valueOf())}]`);
	}
	if (Object.prototype.toString.call(value) === "[object Arguments]") return { base: "", braces: ["[Arguments] [", "]"], items: arrayItems(ctx, Array.from(value)), array: true };
	const label = name === "Object" && tag === "" ? "" : prefix(name, tag, "Object");
	return { base: "", braces: [`${label}{`, "}"], items: [], array: false };
}

function show(ctx: Context, value: any): string {
	if (value === null || (typeof value !== "object" && typeof value !== "function")) return primitive(ctx, value);
	if (ctx.customInspect) {
		const method = value[custom];
		if (typeof method === "function" && method !== inspect) {
			const { seen, circular, indentation, level, last, ...options } = ctx;
			const result = method.call(value, ctx.depth - ctx.level, { ...options, depth: ctx.depth - ctx.level, stylize: (text: string) => text }, inspect);
			if (result !== value) return typeof result === "string" ? result.replaceAll("\n", `\n${" ".repeat(ctx.indentation)}`) : show(ctx, result);
		}
	}
	if (ctx.seen.includes(value)) {
		if (!ctx.circular.has(value)) ctx.circular.set(value, ctx.circular.size + 1);
		return `[Circular *${ctx.circular.get(value)}]`;
	}
	return showObject(ctx, value);
}

/** What is shown whole however deep it is. */
function isShort(value: any, keys: PropertyKey[]): boolean {
	if (value instanceof RegExp) return true;
	if (value instanceof ArrayBuffer || value instanceof DataView || value instanceof WeakSet || value instanceof WeakMap) return false;
	if (value instanceof Set || value instanceof Map) return value.size === 0 && keys.length === 0;
	return keys.length === 0 && !(Array.isArray(value) && value.length > 0);
}

function showObject(ctx: Context, value: any): string {
	if (Buffer.isBuffer(value)) return showBuffer(value);
	const name = constructorName(value);
	const tag = tagOf(value, name);
	const keys = keysOf(ctx, value);
	if (ctx.level > ctx.depth && !isShort(value, keys)) {
		const label = prefix(name, tag, Array.isArray(value) ? "Array" : "Object").trimEnd();
		return `[${Array.isArray(value) && name === "Array" ? "Array" : label}]`;
	}
	ctx.seen.push(value);
	ctx.last = ctx.level++;
	const shape = shapeOf(ctx, value, name, tag, keys);
	const output = shape.items;
	for (const key of keys) output.push(property(ctx, value, key, shape.array ? "extra" : "object"));
	ctx.level--;
	ctx.seen.pop();
	const reference = ctx.circular.get(value);
	let { base } = shape;
	const braces = shape.braces;
	if (reference !== undefined) {
		if (base !== "") base = `<ref *${reference}> ${base}`;
		else braces[0] = `<ref *${reference}> ${braces[0]}`;
	}
	if (output.length === 0) return base !== "" ? base : `${braces[0]}${braces[1]}`;
	if (ctx.sorted !== false && !shape.array) output.sort(ctx.sorted === true ? undefined : ctx.sorted);
	return reduce(ctx, output, base, braces, shape.array, value);
}

function showBuffer(value: Uint8Array): string {
	const hex = Array.from(value.subarray(0, 50), (b) => b.toString(16).padStart(2, "0")).join(" ");
	const rest = value.length > 50 ? ` ... ${value.length - 50} more byte${value.length > 51 ? "s" : ""}` : "";
	return `<Buffer ${hex}${rest}>`;
}

/** Puts entries on one line when they fit, else on lines of their own. */
function reduce(ctx: Context, items: string[], base: string, braces: [string, string], array: boolean, value: any): string {
	let output = items;
	const start = base === "" ? "" : `${base} `;
	if (ctx.compact >= 1) {
		const entries = output.length;
		if (array && entries > 6) output = group(ctx, output, value);
		// No more levels than that on one line, as seen from what was shown last.
		if (ctx.last - ctx.level < ctx.compact && entries === output.length) {
			const room = output.length + ctx.indentation + braces[0].length + base.length + 10;
			const length = output.reduce((n, text) => n + text.length, output.length + room);
			const joined = output.join(", ");
			if (length <= ctx.breakLength && !base.includes("\n") && !joined.includes("\n")) return `${start}${braces[0]} ${joined} ${braces[1]}`;
		}
	}
	const newline = `\n${" ".repeat(ctx.indentation)}`;
	return `${start}${braces[0]}${newline}  ${output.join(`,${newline}  `)}${newline}${braces[1]}`;
}

/** Arranges many short entries in columns. */
function group(ctx: Context, output: string[], value: any): string[] {
	const extra = ctx.maxArrayLength < output.length ? 1 : 0;
	const count = output.length - extra;
	const lengths = output.slice(0, count).map((text) => text.length);
	const total = lengths.reduce((n, length) => n + length + 2, 0);
	const longest = Math.max(0, ...lengths);
	const widest = longest + 2;
	if (widest * 3 + ctx.indentation >= ctx.breakLength || (total / widest <= 5 && longest > 6)) return output;
	const bias = Math.sqrt(widest - total / output.length);
	const biased = Math.max(widest - 3 - bias, 1);
	const columns = Math.min(Math.round(Math.sqrt(2.5 * biased * count) / biased), Math.floor((ctx.breakLength - ctx.indentation) / widest), ctx.compact * 4, 15);
	if (columns <= 1) return output;
	const widths: number[] = [];
	for (let i = 0; i < columns; i++) {
		let width = 0;
		for (let j = i; j < count; j += columns) width = Math.max(width, lengths[j]!);
		widths.push(width + 2);
	}
	const numeric = value !== undefined && Array.from({ length: count }, (_, i) => value[i]).every((item) => typeof item === "number" || typeof item === "bigint");
	const lines: string[] = [];
	for (let i = 0; i < count; i += columns) {
		const end = Math.min(i + columns, count);
		let line = "";
		for (let j = i; j < end - 1; j++) line += numeric ? `${output[j]}, `.padStart(widths[j - i]!) : `${output[j]}, `.padEnd(widths[j - i]!);
		lines.push(line + (numeric ? output[end - 1]!.padStart(widths[end - 1 - i]! - 2) : output[end - 1]!));
	}
	if (extra) lines.push(output[count]!);
	return lines;
}

/** The defaults of the options. */
const defaults = { depth: 2, compact: 3, breakLength: 80, maxArrayLength: 100, maxStringLength: 10000, showHidden: false, sorted: false, getters: false, customInspect: true };

/** Shows a value. */
export function inspect(value: unknown, options?: InspectOptions | boolean, depth?: number): string {
	const given: InspectOptions = typeof options === "boolean" ? { showHidden: options, ...(depth === undefined ? {} : { depth }) } : (options ?? {});
	const limit = (n: unknown, otherwise: number) => (n === null ? Infinity : n === undefined ? otherwise : Math.max(0, Number(n)));
	const ctx: Context = {
		depth: limit(given.depth, defaults.depth),
		compact: given.compact === true ? 3 : given.compact === false ? 0 : (given.compact ?? defaults.compact),
		breakLength: given.breakLength ?? defaults.breakLength,
		maxArrayLength: limit(given.maxArrayLength, defaults.maxArrayLength),
		maxStringLength: limit(given.maxStringLength, defaults.maxStringLength),
		showHidden: given.showHidden ?? false,
		sorted: given.sorted ?? false,
		getters: given.getters ?? false,
		customInspect: given.customInspect ?? true,
		seen: [],
		circular: new Map(),
		indentation: 0,
		level: 0,
		last: 0,
	};
	return show(ctx, value);
}
inspect.custom = custom;
inspect.defaultOptions = defaults;
inspect.colors = {};
inspect.styles = {};

function formatText(arg: unknown): string {
	if (typeof arg === "string") return arg;
	if (typeof arg === "number") return number(arg);
	if (typeof arg === "bigint") return `${arg}n`;
	if (typeof arg !== "object" || arg === null) return String(arg);
	// What has a toString of its own is shown by it.
	const own = (arg as any).toString;
	if (typeof own === "function" && own !== Object.prototype.toString && own !== Error.prototype.toString && !Array.isArray(arg) && !(arg instanceof Date)) return String(arg);
	if (arg instanceof Error) return String(arg);
	return inspect(arg, { depth: 0, compact: 3 });
}

function formatNumber(arg: unknown, parse: (text: any) => number): string {
	if (typeof arg === "bigint") return `${arg}n`;
	if (typeof arg === "symbol") return "NaN";
	return number(parse(arg));
}

/** Renders like printf when the first argument is a string with %s and others. */
export function formatWithOptions(options: InspectOptions, ...args: unknown[]): string {
	const [first] = args;
	let at = 0;
	let text = "";
	if (typeof first === "string") {
		at = 1;
		text = args.length === 1 ? first : first.replace(/%[sdifjoOc%]/g, (verb) => {
			if (verb === "%%") return "%";
			if (at >= args.length) return verb;
			const arg = args[at++];
			switch (verb) {
				case "%s":
					return formatText(arg);
				case "%d":
					return formatNumber(arg, Number);
				case "%i":
					return formatNumber(arg, (t) => Number.parseInt(t, 10));
				case "%f":
					return typeof arg === "symbol" ? "NaN" : number(Number.parseFloat(arg as string));
				case "%j":
					try {
						return String(JSON.stringify(arg));
					} catch (thrown) {
						if (/circular/i.test(String((thrown as Error).message))) return "[Circular]";
						throw thrown;
					}
				case "%o":
					return inspect(arg, { ...options, showHidden: true, depth: 4 });
				case "%O":
					return inspect(arg, options);
				default:
					return "";
			}
		});
	}
	for (; at < args.length; at++) {
		const arg = args[at];
		text += `${at === 0 ? "" : " "}${typeof arg === "string" ? arg : inspect(arg, options)}`;
	}
	return text;
}

/** Renders arguments as console.log does. */
export function format(...args: unknown[]): string {
	return formatWithOptions({}, ...args);
}
