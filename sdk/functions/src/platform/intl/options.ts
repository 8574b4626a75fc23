// What the classes of Intl have in common: reading options and choosing locales.
import { pure } from "../host";

/** The locales argument of Intl's classes and of toLocaleString. */
export type Locales = string | readonly string[] | undefined;

/** The locale that was chosen, and what its name asks for. */
export interface Match {
	locale: string;
	/** The locale whose data stand for it. */
	data: string;
	/** Keys of the extension -u-. */
	keys: Record<string, string>;
}

/** The locale of those who ask for none. */
export const usual: Match = { locale: "en-US", data: "en-US", keys: {} };

const known = new Map<string, Match>([["en-US", usual]]);

const plans = new Map<string, any>();

/** Asks for a plan; those that were made before are kept, since making one is what costs. */
export function planOf(name: string, params: Record<string, unknown>): any {
	const key = name + JSON.stringify(params);
	let plan = plans.get(key);
	if (plan === undefined) {
		plan = pure(name, params);
		if (plans.size < 64) plans.set(key, plan);
	}
	return plan;
}

const planTexts = new WeakMap<object, string>();

/** The JSON of a plan. */
export function textOfPlan(plan: object): string {
	let text = planTexts.get(plan);
	if (text === undefined) planTexts.set(plan, (text = JSON.stringify(plan)));
	return text;
}

/** What the options are, if that can be told from their names and values alone. */
function keyOf(options: unknown): string | undefined {
	if (options === undefined) return "";
	if (options === null || typeof options !== "object") return undefined;
	let key = "";
	for (const name in options) {
		const descriptor = Object.getOwnPropertyDescriptor(options, name);
		const value = descriptor?.value;
		// Getters may answer anything, and what is inherited may change.
		if (descriptor === undefined || (typeof value !== "string" && typeof value !== "number" && typeof value !== "boolean")) return undefined;
		key += ` ${name}=${value}`;
	}
	return Object.getPrototypeOf(options) === Object.prototype || Object.getPrototypeOf(options) === null ? key : undefined;
}

/** Formats that were made for methods, which get locales and options each time. */
export class Kept<T> {
	#made = new Map<string, T>();
	get(kind: string, locales: unknown, options: unknown, make: () => T): T {
		const key = locales === undefined || typeof locales === "string" ? keyOf(options) : undefined;
		if (key === undefined) return make();
		const name = `${kind}|${(locales as string | undefined) ?? ""}|${key}`;
		let made = this.#made.get(name);
		if (made === undefined) {
			made = make();
			if (this.#made.size >= 64) this.#made.clear();
			this.#made.set(name, made);
		}
		return made;
	}
}

/** The list of locales that an argument names, canonical. */
export function canonical(locales: unknown): string[] {
	if (locales === undefined) return [];
	if (locales === null) throw new TypeError("Cannot convert undefined or null to object");
	const list = typeof locales === "string" || locales instanceof Locale ? [locales] : Array.from(locales as ArrayLike<unknown>);
	const tags = list.map((item) => {
		if (typeof item !== "string" && (typeof item !== "object" || item === null)) throw new TypeError("Language ID should be string or object.");
		return String(item);
	});
	if (tags.length === 0) return [];
	try {
		return pure("intl.canonical", tags);
	} catch {
		throw new RangeError(`Incorrect locale information provided`);
	}
}

/** Chooses the first locale that there are data for. */
export function match(locales: unknown): Match {
	if (locales === undefined) return usual;
	if (typeof locales === "string") {
		const found = known.get(locales);
		if (found !== undefined) return found;
	}
	const tags = canonical(locales);
	if (tags.length === 0) return usual;
	const found: Match = pure("intl.match", tags);
	if (typeof locales === "string" && known.size < 64) known.set(locales, found);
	return found;
}

/** Reads an option that has to be one of some strings. */
export function choice<T extends string, D extends T | undefined>(options: any, name: string, values: readonly T[] | undefined, otherwise: D): T | D {
	const value = options?.[name];
	if (value === undefined) return otherwise;
	const text = String(value) as T;
	if (values !== undefined && !values.includes(text)) throw new RangeError(`Value ${text} out of range for Intl options property ${name}`);
	return text;
}

/** Reads an option that has to be a whole number between two others. */
export function whole(options: any, name: string, low: number, high: number): number | undefined {
	const value = options?.[name];
	if (value === undefined) return undefined;
	const number = Number(value);
	if (!(number >= low && number <= high)) throw new RangeError(`${name} value is out of range.`);
	return Math.floor(number);
}

/** Options as an object. */
export function toOptions(options: unknown): any {
	if (options === undefined) return Object.create(null);
	if (options === null) throw new TypeError("Cannot convert undefined or null to object");
	return Object(options);
}

/** What supportedLocalesOf of every class returns. */
export function supportedLocalesOf(locales: unknown): string[] {
	return canonical(locales).filter((tag) => pure("intl.match", [tag]).locale !== "en-US" || /^en/.test(tag));
}

/** Intl.Locale, as far as tags tell by themselves. */
export class Locale {
	readonly #tag: string;
	constructor(tag: unknown, options?: Record<string, unknown>) {
		if (typeof tag !== "string" && (typeof tag !== "object" || tag === null)) throw new TypeError("First argument to Intl.Locale constructor can't be empty or missing");
		let text = canonical([String(tag)])[0]!;
		const parts = text.split("-u-")[0]!.split("-");
		const { language, script, region, ...rest } = { language: undefined, script: undefined, region: undefined, ...options } as Record<string, unknown>;
		if (language !== undefined) parts[0] = String(language);
		if (script !== undefined) {
			if (parts[1]?.length === 4) parts[1] = String(script);
			else parts.splice(1, 0, String(script));
		}
		if (region !== undefined) {
			const at = parts.findIndex((part, i) => i > 0 && /^(?:[A-Za-z]{2}|\d{3})$/.test(part));
			if (at > 0) parts[at] = String(region);
			else parts.push(String(region));
		}
		const keys: Record<string, unknown> = {};
		for (const [, key, value] of (text.split("-u-")[1] ?? "").matchAll(/(?:^|-)([a-z0-9]{2})((?:-[a-z0-9]{3,8})*)/g)) keys[key!] = value!.slice(1);
		const names = { calendar: "ca", collation: "co", hourCycle: "hc", caseFirst: "kf", numeric: "kn", numberingSystem: "nu" } as Record<string, string>;
		for (const [name, value] of Object.entries(rest)) if (names[name] !== undefined && value !== undefined) keys[names[name]!] = value === true ? "" : value;
		const extension = Object.keys(keys).sort().map((key) => (keys[key] === "" ? key : `${key}-${String(keys[key])}`));
		text = parts.join("-") + (extension.length > 0 ? `-u-${extension.join("-")}` : "");
		this.#tag = canonical([text])[0]!;
	}
	#part(pattern: RegExp): string | undefined {
		return this.#tag.split("-u-")[0]!.split("-").slice(1).find((part) => pattern.test(part));
	}
	#key(key: string): string | undefined {
		return new RegExp(`-u(?:-[a-z0-9]+)*?-${key}-([a-z0-9]{3,8}(?:-[a-z0-9]{3,8})*)`).exec(this.#tag)?.[1];
	}
	get language(): string {
		return this.#tag.split("-")[0]!;
	}
	get script(): string | undefined {
		return this.#part(/^[A-Za-z]{4}$/);
	}
	get region(): string | undefined {
		return this.#part(/^(?:[A-Za-z]{2}|\d{3})$/);
	}
	get baseName(): string {
		return this.#tag.split("-u-")[0]!;
	}
	get calendar(): string | undefined {
		return this.#key("ca");
	}
	get collation(): string | undefined {
		return this.#key("co");
	}
	get hourCycle(): string | undefined {
		return this.#key("hc");
	}
	get numberingSystem(): string | undefined {
		return this.#key("nu");
	}
	get numeric(): boolean {
		return /-kn(?:-true)?(?:-|$)/.test(this.#tag);
	}
	toString(): string {
		return this.#tag;
	}
	get [Symbol.toStringTag](): string {
		return "Intl.Locale";
	}
}
