// Event, EventTarget, AbortController and AbortSignal of the DOM standard.
import { wrongType } from "./host";

declare class DOMException extends Error {
	constructor(message?: string, name?: string);
	readonly code: number;
}
declare function setTimeout(callback: () => void, ms?: number): unknown;

/** The standard's DOMException, which the engine has. */
export function domError(message: string, name: string): Error {
	return new DOMException(message, name);
}

const dispatch = Symbol("dispatch");

export class Event {
	static readonly NONE = 0;
	static readonly CAPTURING_PHASE = 1;
	static readonly AT_TARGET = 2;
	static readonly BUBBLING_PHASE = 3;
	readonly type: string;
	readonly bubbles: boolean;
	readonly cancelable: boolean;
	readonly composed: boolean;
	readonly timeStamp: number;
	readonly isTrusted = false;
	#target: EventTarget | null = null;
	#prevented = false;
	#passive = false;
	#running = false;
	#stopped = false;
	constructor(type: unknown, init: { bubbles?: boolean; cancelable?: boolean; composed?: boolean } = {}) {
		if (arguments.length === 0) throw new TypeError('The "type" argument must be specified');
		this.type = String(type);
		this.bubbles = Boolean(init?.bubbles);
		this.cancelable = Boolean(init?.cancelable);
		this.composed = Boolean(init?.composed);
		this.timeStamp = (globalThis as any).performance?.now() ?? 0;
	}
	get target(): EventTarget | null {
		return this.#target;
	}
	get srcElement(): EventTarget | null {
		return this.#target;
	}
	get currentTarget(): EventTarget | null {
		return this.#running ? this.#target : null;
	}
	get eventPhase(): number {
		return this.#running ? 2 : 0;
	}
	get defaultPrevented(): boolean {
		return this.#prevented;
	}
	get returnValue(): boolean {
		return !this.#prevented;
	}
	get cancelBubble(): boolean {
		return this.#stopped;
	}
	preventDefault(): void {
		if (this.cancelable && !this.#passive) this.#prevented = true;
	}
	stopPropagation(): void {}
	stopImmediatePropagation(): void {
		this.#stopped = true;
	}
	composedPath(): EventTarget[] {
		return this.#running && this.#target ? [this.#target] : [];
	}
	[dispatch](target: EventTarget, listeners: Listener[], remove: (l: Listener) => void): boolean {
		if (this.#running) throw domError("The event is already being dispatched.", "InvalidStateError");
		this.#target = target;
		this.#running = true;
		for (const listener of listeners) {
			if (this.#stopped) break;
			if (listener.removed) continue;
			if (listener.once) remove(listener);
			this.#passive = listener.passive;
			try {
				if (typeof listener.callback === "function") listener.callback.call(target, this);
				else listener.callback.handleEvent(this);
			} catch (thrown) {
				// A listener that fails hinders no other; Node reports it afterwards.
				(globalThis as any).queueMicrotask(() => {
					throw thrown;
				});
			}
			this.#passive = false;
		}
		this.#running = false;
		return !this.#prevented;
	}
	get [Symbol.toStringTag](): string {
		return "Event";
	}
}

export class CustomEvent extends Event {
	readonly detail: unknown;
	constructor(type: unknown, init: { detail?: unknown; bubbles?: boolean; cancelable?: boolean } = {}) {
		super(type, init);
		this.detail = init?.detail ?? null;
	}
	override get [Symbol.toStringTag](): string {
		return "CustomEvent";
	}
}

type Callback = ((event: Event) => unknown) | { handleEvent(event: Event): unknown };

interface Listener {
	callback: Callback;
	capture: boolean;
	once: boolean;
	passive: boolean;
	removed: boolean;
}

type ListenerOptions = boolean | { capture?: boolean; once?: boolean; passive?: boolean; signal?: AbortSignal };

export class EventTarget {
	readonly #listeners = new Map<string, Listener[]>();
	addEventListener(type: unknown, callback: Callback | null, options?: ListenerOptions): void {
		if (arguments.length < 2) throw new TypeError('The "type" and "listener" arguments must be specified');
		if (callback === null || callback === undefined) return;
		if (typeof callback !== "function" && typeof callback !== "object") throw wrongType("listener", "an instance of EventListener", callback);
		const o = typeof options === "object" && options !== null ? options : { capture: Boolean(options) };
		if (o.signal?.aborted) return;
		const name = String(type);
		const all = this.#listeners.get(name) ?? [];
		const capture = Boolean(o.capture);
		if (all.some((l) => l.callback === callback && l.capture === capture)) return;
		this.#listeners.set(name, [...all, { callback, capture, once: Boolean(o.once), passive: Boolean(o.passive), removed: false }]);
		o.signal?.addEventListener("abort", () => this.removeEventListener(name, callback, { capture }), { once: true });
	}
	removeEventListener(type: unknown, callback: Callback | null, options?: boolean | { capture?: boolean }): void {
		const capture = typeof options === "object" && options !== null ? Boolean(options.capture) : Boolean(options);
		this.#remove(String(type), (l) => l.callback === callback && l.capture === capture);
	}
	#remove(name: string, which: (l: Listener) => boolean): void {
		const all = this.#listeners.get(name);
		if (all === undefined) return;
		for (const l of all) if (which(l)) l.removed = true;
		this.#listeners.set(name, all.filter((l) => !l.removed));
	}
	dispatchEvent(event: Event): boolean {
		if (!(event instanceof Event)) throw wrongType("event", "an instance of Event", event);
		return event[dispatch](this, this.#listeners.get(event.type) ?? [], (l) => this.#remove(event.type, (other) => other === l));
	}
	get [Symbol.toStringTag](): string {
		return "EventTarget";
	}
}

/** Adds an attribute such as "onabort": a listener that can be assigned. */
function attribute(target: EventTarget, type: string): { get(): unknown; set(value: unknown): void } {
	let current: unknown = null;
	const listener = (event: Event) => (typeof current === "function" ? current.call(target, event) : undefined);
	return {
		get: () => current,
		set(value) {
			if (typeof current !== "function" && typeof value === "function") target.addEventListener(type, listener);
			if (typeof value !== "function") target.removeEventListener(type, listener);
			current = typeof value === "function" ? value : null;
		},
	};
}

const key = Symbol("key");
const abort = Symbol("abort");

export class AbortSignal extends EventTarget {
	#aborted = false;
	#reason: unknown;
	readonly #onabort = attribute(this, "abort");
	constructor(secret?: symbol) {
		if (secret !== key) throw Object.assign(new TypeError("Illegal constructor"), { code: "ERR_ILLEGAL_CONSTRUCTOR" });
		super();
	}
	static abort(reason?: unknown): AbortSignal {
		const signal = new AbortSignal(key);
		signal[abort](reason);
		return signal;
	}
	static timeout(ms: number): AbortSignal {
		if (typeof ms !== "number") throw wrongType("delay", "of type number", ms);
		const signal = new AbortSignal(key);
		setTimeout(() => signal[abort](domError("The operation was aborted due to timeout", "TimeoutError")), ms);
		return signal;
	}
	static any(signals: Iterable<AbortSignal>): AbortSignal {
		const all = [...signals];
		for (const signal of all) if (!(signal instanceof AbortSignal)) throw wrongType("signals", "an instance of AbortSignal", signal);
		const made = new AbortSignal(key);
		const done = all.find((signal) => signal.aborted);
		if (done !== undefined) {
			made[abort](done.reason);
			return made;
		}
		for (const signal of all) signal.addEventListener("abort", () => made[abort](signal.reason), { once: true });
		return made;
	}
	get aborted(): boolean {
		return this.#aborted;
	}
	get reason(): unknown {
		return this.#reason;
	}
	get onabort(): unknown {
		return this.#onabort.get();
	}
	set onabort(value: unknown) {
		this.#onabort.set(value);
	}
	throwIfAborted(): void {
		if (this.#aborted) throw this.#reason;
	}
	[abort](reason: unknown): void {
		if (this.#aborted) return;
		this.#aborted = true;
		this.#reason = reason === undefined ? domError("This operation was aborted", "AbortError") : reason;
		this.dispatchEvent(new Event("abort"));
	}
	override get [Symbol.toStringTag](): string {
		return "AbortSignal";
	}
}

export class AbortController {
	readonly #signal = new AbortSignal(key);
	get signal(): AbortSignal {
		return this.#signal;
	}
	abort(reason?: unknown): void {
		this.#signal[abort](reason);
	}
	get [Symbol.toStringTag](): string {
		return "AbortController";
	}
}
