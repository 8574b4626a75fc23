// The bridge to the host. Everything a sandbox can do beyond computing goes
// through the three functions that the engine puts into the global object while
// the snapshot is made. They are taken here and removed from it.

/** Bytes that travel beside the JSON: a string as UTF-8, or as they are. */
export type Body = string | ArrayBuffer;

/** What the host answers to a call. */
export interface Answer {
	/** The JSON part, parsed; undefined when there was none. */
	value: any;
	/** The raw part, if there was one. */
	body?: Body;
}

declare global {
	// id 0 asks for no answer: calls without one arrive in order.
	var __hostCall: (id: number, name: string, json: string, body?: Body) => void;
	var __hostSync: (name: string, json: string, body?: Body) => Body;
	var __hostDone: (ok: boolean, json: string, body?: Body) => void;
	/** What the engine calls; it removes the property after taking it. */
	var __entry: Entry;
}

/** The functions that the engine calls. */
export interface Entry {
	/** Evaluates a program: its CommonJS factory. */
	load(factory: (this: unknown, module: { exports: any }, exports: any, require: (name: string) => unknown) => void): void;
	/** Begins what the run is for; ends with __hostDone. */
	start(json: string): void;
	/** Ends a call that __hostCall began. */
	settle(id: number, ok: boolean, json: string, body?: Body): void;
	/** Is told why a promise was rejected that nothing handled. */
	rejected(reason: unknown): void;
}

const hostCall = globalThis.__hostCall;
const hostSync = globalThis.__hostSync;
const hostDone = globalThis.__hostDone;
for (const name of ["__hostCall", "__hostSync", "__hostDone"]) delete (globalThis as any)[name];

// User code may replace what the globals offer; the bridge keeps what it needs.
const parse = JSON.parse;
const stringify = JSON.stringify;

/** An error that the host answered a call with. */
export class HostError extends Error {
	/** A stable code, such as "unknown_connection". */
	readonly code: string;
	/** Everything else that the host said. */
	readonly details: Record<string, any>;
	constructor(details: Record<string, any>) {
		super(String(details.message ?? details.code ?? "The host refused the call."));
		this.name = "HostError";
		this.code = String(details.code ?? "internal_error");
		this.details = details;
	}
}

/** The host's refusal of a question: its message is the JSON of what call would reject with. */
function refusal(thrown: unknown): unknown {
	try {
		return new HostError(parse((thrown as Error).message));
	} catch {
		return thrown;
	}
}

interface Waiting {
	resolve(a: Answer): void;
	reject(e: unknown): void;
}

const waiting = new Map<number, Waiting>();
let lastId = 0;

function encode(params: unknown): string {
	// Functions and symbols have no JSON either.
	return stringify(params) ?? "";
}

/** Asks the host for something; the promise ends when the answer is there. */
export function call(name: string, params?: unknown, body?: Body): Promise<Answer> {
	return new Promise((resolve, reject) => {
		const id = ++lastId;
		waiting.set(id, { resolve, reject });
		try {
			hostCall(id, name, encode(params), body);
		} catch (e) {
			waiting.delete(id);
			reject(e);
		}
	});
}

/** Like call, for callers that need the id while it is going on. */
export function begin(name: string, params: unknown, settle: Waiting): number {
	const id = ++lastId;
	waiting.set(id, settle);
	hostCall(id, name, encode(params));
	return id;
}

/** Forgets a call that begin began: the host ends it, and its answer is dropped. */
export function forget(id: number): boolean {
	if (!waiting.delete(id)) return false;
	note("forget", { id });
	return true;
}

/** Tells the host something that needs no answer. */
export function note(name: string, params?: unknown): void {
	hostCall(0, name, encode(params));
}

/** Asks for what the host knows at once, and returns the parsed JSON or the bytes. */
export function ask(name: string, params?: unknown, body?: Body): any {
	const json = encode(params);
	let answer: Body;
	try {
		answer = hostSync(name, json, body);
	} catch (thrown) {
		throw refusal(thrown);
	}
	return typeof answer === "string" ? (answer === "" ? undefined : parse(answer)) : answer;
}

/** Ends the run, with raw bytes beside the value if there are any. */
export function done(ok: boolean, value: unknown, body?: Body): void {
	hostDone(ok, encode(value), body);
}

/** Entry.settle. */
export function settle(id: number, ok: boolean, json: string, body?: Body): void {
	const w = waiting.get(id);
	if (w === undefined) return;
	waiting.delete(id);
	const value = json === "" ? undefined : parse(json);
	if (ok) w.resolve(body === undefined ? { value } : { value, body });
	else w.reject(new HostError(value ?? {}));
}
