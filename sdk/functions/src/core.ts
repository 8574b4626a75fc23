// The core: what the engine calls, timers, console, and what JavaScript engines
// have that QuickJS lacks. Nothing here knows of the nango object.
import { ask, begin, done, forget, note, settle, type Body } from "./bridge";
import { modeOf } from "./modes";
import { require } from "./modules";

// ---- failures ----

/** What the host learns of a program that threw. */
export interface Failure {
	name: string;
	message: string;
	stack: string;
	/** "other" unless a describer says more. */
	kind: string;
	code?: string;
	payload?: unknown;
	[member: string]: unknown;
}

/** Says more about the errors of classes it knows; undefined for all others. */
export type Describer = (thrown: unknown) => Partial<Failure> | undefined;

const describers: Describer[] = [];

/** Adds a describer. The one added last is asked first. */
export function describeFailures(describer: Describer): void {
	describers.unshift(describer);
}

// Enough for people, and little enough for logs.
const maxText = 16_384;

function clip(text: string): string {
	return text.length > maxText ? `${text.slice(0, maxText)}…` : text;
}

/** Reads a member whatever it is that was thrown: getters and proxies may throw. */
function member(of: unknown, name: string): unknown {
	try {
		return (of as Record<string, unknown> | null | undefined)?.[name];
	} catch {
		return undefined;
	}
}

function textOf(value: unknown): string {
	try {
		return typeof value === "string" ? value : format([value]);
	} catch {
		return "a value that can't be shown";
	}
}

/** Turns what was thrown into what the host learns of it. */
export function failureOf(thrown: unknown): Failure {
	const isError = typeof thrown === "object" && thrown !== null && typeof member(thrown, "message") === "string";
	const stack = member(thrown, "stack");
	const code = member(thrown, "code");
	const failure: Failure = {
		name: isError ? clip(String(member(thrown, "name") ?? "Error")) : "Error",
		message: clip(isError ? (member(thrown, "message") as string) : textOf(thrown)),
		stack: typeof stack === "string" ? clip(stack) : "",
		kind: "other",
	};
	if (typeof code === "string" || typeof code === "number") failure.code = clip(String(code));
	for (const describe of describers) {
		try {
			const more = describe(thrown);
			if (more !== undefined) return Object.assign(failure, more);
		} catch {
			// What the program made of its error is its own business.
		}
	}
	return failure;
}

function fail(thrown: unknown): void {
	const failure = failureOf(thrown);
	try {
		done(false, failure);
	} catch {
		// A payload that is no JSON, or too large.
		const { name, message, stack, kind, code } = failure;
		done(false, code === undefined ? { name, message, stack, kind } : { name, message, stack, kind, code });
	}
}

// ---- console ----

/** Renders the arguments of console.log. */
export type Formatter = (args: unknown[]) => string;

let format: Formatter = (args) =>
	args
		.map((arg) => {
			if (typeof arg === "string") return arg;
			if (arg instanceof Error) return String(arg.stack ? `${arg}\n${arg.stack}` : arg);
			try {
				return (typeof arg === "object" && JSON.stringify(arg)) || String(arg);
			} catch {
				return Object.prototype.toString.call(arg);
			}
		})
		.join(" ");

/** Renders with the formatter from now on. */
export function formatWith(formatter: Formatter): void {
	format = formatter;
}

type Level = "debug" | "info" | "warn" | "error";

let indent = "";
const counts = new Map<string, number>();
const clocks = new Map<string, number>();

function log(level: Level, args: unknown[]): void {
	let text: string;
	try {
		text = format(args);
	} catch (thrown) {
		text = `(the arguments could not be shown: ${clip(String(member(thrown, "message")))})`;
	}
	if (indent !== "") text = text.replace(/^/gm, indent);
	note("console", { level, text });
}

function elapsed(label: string, rest: unknown[]): void {
	const began = clocks.get(label);
	if (began === undefined) log("warn", [`There is no timer "${label}".`]);
	else log("info", [`${label}: ${(clock.now() - began).toFixed(3)}ms`, ...rest]);
}

const consoleMethods = {
	log: (...args: unknown[]) => log("info", args),
	info: (...args: unknown[]) => log("info", args),
	debug: (...args: unknown[]) => log("debug", args),
	warn: (...args: unknown[]) => log("warn", args),
	error: (...args: unknown[]) => log("error", args),
	trace: (...args: unknown[]) => log("debug", ["Trace:", ...args, `\n${new Error().stack ?? ""}`]),
	dir: (value?: unknown) => log("info", [value]),
	dirxml: (...args: unknown[]) => log("info", args),
	table: (value?: unknown) => log("info", [value]),
	assert(condition?: unknown, ...args: unknown[]) {
		if (condition) return;
		if (typeof args[0] === "string") log("error", [`Assertion failed: ${args[0]}`, ...args.slice(1)]);
		else log("error", args.length === 0 ? ["Assertion failed"] : ["Assertion failed:", ...args]);
	},
	count(label: unknown = "default") {
		const n = (counts.get(String(label)) ?? 0) + 1;
		counts.set(String(label), n);
		log("info", [`${label}: ${n}`]);
	},
	countReset(label: unknown = "default") {
		counts.delete(String(label));
	},
	group(...args: unknown[]) {
		if (args.length > 0) log("info", args);
		indent += "  ";
	},
	groupCollapsed(...args: unknown[]) {
		consoleMethods.group(...args);
	},
	groupEnd() {
		indent = indent.slice(2);
	},
	time(label: unknown = "default") {
		clocks.set(String(label), clock.now());
	},
	timeLog(label: unknown = "default", ...rest: unknown[]) {
		elapsed(String(label), rest);
	},
	timeEnd(label: unknown = "default") {
		elapsed(String(label), []);
		clocks.delete(String(label));
	},
	clear() {},
};

// ---- the clock ----

const now = Date.now;

// A run has its own time origin: the snapshot was made at another time.
let origin: number | undefined;

const clock = {
	now(): number {
		origin ??= now();
		return now() - origin;
	},
	get timeOrigin(): number {
		origin ??= now();
		return origin;
	},
	toJSON: () => ({ timeOrigin: clock.timeOrigin }),
};

// ---- random numbers ----

// Every sandbox is a copy of the same memory, and would draw the same numbers:
// the host gives some at a time.
let numbers: Float64Array | undefined;
let drawn = 0;

function random(): number {
	if (numbers === undefined || drawn === numbers.length) {
		numbers = new Float64Array(ask("seed") as ArrayBuffer);
		drawn = 0;
	}
	return numbers[drawn++]!;
}

// ---- timers ----

/** What setTimeout and the others return; as in Node.js it can become a number. */
class Timeout {
	readonly id: number;
	constructor(
		private readonly callback: (...args: unknown[]) => void,
		private readonly args: unknown[],
		readonly wait: number,
		readonly repeat: boolean,
	) {
		this.id = ++lastTimer;
	}
	call(): void {
		Reflect.apply(this.callback, this, this.args);
	}
	ref(): this {
		return this;
	}
	unref(): this {
		return this;
	}
	hasRef(): boolean {
		return true;
	}
	refresh(): this {
		if (remove(this)) insert(this);
		return this;
	}
	close(): this {
		clear(this);
		return this;
	}
	[Symbol.toPrimitive](): number {
		return this.id;
	}
}

let lastTimer = 0;

/** One setting of a timer; setting it again makes another one. */
interface Setting {
	timer: Timeout;
	due: number;
	/** Rises with every setting: what is due at the same time goes in this order. */
	order: number;
}

// Those that are set, as a heap: the first one is due first. What was cleared stays
// in it until it is due or half of the heap is such. The host is asked to wake the
// sandbox for the first one only.
let heap: Setting[] = [];
const active = new Map<number, Setting>();
let lastOrder = 0;
let alarm: { id: number; due: number } | undefined;

function before(a: Setting, b: Setting): boolean {
	return a.due < b.due || (a.due === b.due && a.order < b.order);
}

function isActive(setting: Setting): boolean {
	return active.get(setting.timer.id) === setting;
}

function push(setting: Setting): void {
	let at = heap.length;
	heap.push(setting);
	while (at > 0) {
		const parent = (at - 1) >>> 1;
		if (!before(setting, heap[parent]!)) break;
		heap[at] = heap[parent]!;
		at = parent;
	}
	heap[at] = setting;
}

function pop(): void {
	const last = heap.pop()!;
	const size = heap.length;
	if (size === 0) return;
	let at = 0;
	for (let child = 1; child < size; child = 2 * at + 1) {
		if (child + 1 < size && before(heap[child + 1]!, heap[child]!)) child++;
		if (!before(heap[child]!, last)) break;
		heap[at] = heap[child]!;
		at = child;
	}
	heap[at] = last;
}

/** The setting that is due first. */
function first(): Setting | undefined {
	while (heap.length > 0 && !isActive(heap[0]!)) pop();
	return heap[0];
}

function insert(timer: Timeout): void {
	const setting = { timer, due: now() + timer.wait, order: ++lastOrder };
	active.set(timer.id, setting);
	push(setting);
	wake();
}

function remove(timer: Timeout): boolean {
	if (!active.delete(timer.id)) return false;
	if (heap.length > 64 && heap.length > 2 * active.size) {
		const kept = heap.filter(isActive);
		heap = [];
		kept.forEach(push);
	}
	return true;
}

/** Asks the host to wake the sandbox when the first timer is due. */
function wake(): void {
	const next = first();
	if (alarm !== undefined && alarm.due === next?.due) return;
	if (alarm !== undefined) forget(alarm.id);
	alarm = undefined;
	if (next === undefined) return;
	const due = next.due;
	const id = begin("timer", { ms: Math.max(0, due - now()) }, { resolve: () => ring(due), reject: () => ring(due) });
	alarm = { id, due };
}

/** Calls the first timer that is due; each gets a turn of its own, so that promises go on in between. */
function ring(due: number): void {
	alarm = undefined;
	const next = first();
	if (next === undefined) return;
	if (next.due > Math.max(due, now())) return wake();
	const timer = next.timer;
	remove(timer);
	if (timer.repeat) insert(timer);
	else wake();
	try {
		timer.call();
	} catch (thrown) {
		// In Node.js it would end the process.
		fail(thrown);
	}
}

function set(repeat: boolean, callback: unknown, wait: unknown, args: unknown[]): Timeout {
	if (typeof callback !== "function") throw new TypeError("The callback of a timer must be a function.");
	let ms = Math.trunc(Number(wait));
	if (!(ms >= 1 && ms <= 2_147_483_647)) ms = 1;
	const timer = new Timeout(callback as () => void, args, ms, repeat);
	insert(timer);
	return timer;
}

function clear(timer: unknown): void {
	const known = timer instanceof Timeout ? timer : active.get(Number(timer))?.timer;
	if (known !== undefined && remove(known)) wake();
}

function immediate(callback: unknown, ...args: unknown[]): Timeout {
	if (typeof callback !== "function") throw new TypeError("The callback of a timer must be a function.");
	const timer = new Timeout(callback as () => void, args, 0, false);
	insert(timer);
	return timer;
}

// ---- globals ----

const globals: Record<string, unknown> = {
	setTimeout: (callback: unknown, wait?: unknown, ...args: unknown[]) => set(false, callback, wait, args),
	setInterval: (callback: unknown, wait?: unknown, ...args: unknown[]) => set(true, callback, wait, args),
	setImmediate: immediate,
	clearTimeout: (timer?: unknown) => clear(timer),
	clearInterval: (timer?: unknown) => clear(timer),
	clearImmediate: (timer?: unknown) => clear(timer),
	console: consoleMethods,
	performance: clock,
	global: globalThis,
};
for (const [name, value] of Object.entries(globals)) {
	Object.defineProperty(globalThis, name, { value, writable: true, enumerable: false, configurable: true });
}
for (const [name, f] of Object.entries(globals)) {
	if (typeof f === "function") Object.defineProperty(f, "name", { value: name, configurable: true });
}
if (typeof (globalThis as any).queueMicrotask !== "function") {
	const resolved = Promise.resolve();
	const queueMicrotask = (callback: () => void) => {
		if (typeof callback !== "function") throw new TypeError("The callback of a microtask must be a function.");
		void resolved.then(callback).catch(fail);
	};
	Object.defineProperty(globalThis, "queueMicrotask", { value: queueMicrotask, writable: true, enumerable: false, configurable: true });
}
Object.defineProperty(Math, "random", { value: random, writable: true, enumerable: false, configurable: true });

// ---- what the engine calls ----

/** What the program exports. */
let exported: any;

const then = Promise.prototype.then;

const watchers: ((reason: unknown) => void)[] = [];

/** Has a function called with what promises were rejected with that nothing handles. */
export function watchRejections(watcher: (reason: unknown) => void): void {
	watchers.push(watcher);
}

globalThis.__entry = {
	load(factory) {
		// What drew random numbers or read the clock while the snapshot was made must
		// not be seen in a run.
		numbers = undefined;
		origin = undefined;
		const module = { exports: {} as any };
		try {
			factory.call(module.exports, module, module.exports, require);
			exported = module.exports;
		} catch (thrown) {
			fail(thrown);
		}
	},
	start(json) {
		try {
			const params = JSON.parse(json) as { mode: string };
			const result = (async () => modeOf(params.mode)(exported, params))();
			then.call(
				result,
				(value) => {
					try {
						done(true, value);
					} catch (thrown) {
						fail(thrown);
					}
				},
				fail,
			);
		} catch (thrown) {
			fail(thrown);
		}
	},
	settle: (id: number, ok: boolean, json: string, body?: Body) => settle(id, ok, json, body),
	rejected(reason) {
		for (const watcher of watchers) watcher(reason);
		const { name, message } = failureOf(reason);
		note("console", { level: "warn", text: `A promise was rejected and nothing handled it: ${name}: ${message}` });
	},
};
