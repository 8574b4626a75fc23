// Intl.Collator, ListFormat and RelativeTimeFormat.
import { pure } from "../host";
import { NumberFormat, PluralRules } from "./number";
import { choice, Kept, match, supportedLocalesOf, toOptions, type Match } from "./options";

// The order of ASCII in most languages. Characters that are equal but for their
// case share a place; those that are not listed do not count.
const order = "_-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$0123456789abcdefghijklmnopqrstuvwxyz";
const places = new Int16Array(128).fill(-1);
for (const [i, c] of ["\t", "\n", "\v", "\f", "\r", " ", ...order].entries()) {
	places[c.charCodeAt(0)] = i;
	places[c.toUpperCase().charCodeAt(0)] = i;
}

// Languages that sort some of the letters of ASCII in their own way.
const special = new Set(["cs", "cy", "da", "et", "haw", "hr", "hu", "kl", "lt", "lv", "nb", "nn", "no", "sk", "sl", "sq", "sr", "sv", "vi", "bs", "fo", "hsb", "dsb", "mt", "az", "tr", "ig", "yo", "to", "tk", "uz", "ha", "om", "ee", "ln", "cu", "se", "smn", "fil", "kk", "is", "pl"]);

/** Compares strings of ASCII; undefined when the host has to. */
function compareASCII(a: string, b: string, caseless: boolean): number | undefined {
	let i = 0;
	let j = 0;
	let cases = 0;
	for (;;) {
		let x = -1;
		let y = -1;
		let cx = 0;
		let cy = 0;
		while (i < a.length && x < 0) {
			cx = a.charCodeAt(i++);
			if (cx >= 128) return undefined;
			x = places[cx]!;
		}
		while (j < b.length && y < 0) {
			cy = b.charCodeAt(j++);
			if (cy >= 128) return undefined;
			y = places[cy]!;
		}
		if (x !== y) {
			// What comes later may be composed with what is here.
			if ((i < a.length && a.charCodeAt(i) >= 128) || (j < b.length && b.charCodeAt(j) >= 128)) return undefined;
			return x < y ? -1 : 1;
		}
		if (x < 0) return caseless ? 0 : cases;
		// Small letters come first.
		if (cases === 0 && cx !== cy) cases = cx > cy ? -1 : 1;
	}
}

/** How much a collator remembers, in characters of strings and of their keys. */
const keyRoom = 2 << 20;

export class Collator {
	readonly #match: Match;
	readonly #options: Record<string, any>;
	readonly #ascii: boolean;
	readonly #keys = new Map<string, string>();
	#room = keyRoom;
	#bound: ((a: unknown, b: unknown) => number) | undefined;
	static supportedLocalesOf(locales: unknown): string[] {
		return supportedLocalesOf(locales);
	}
	constructor(locales?: unknown, options?: unknown) {
		const o = toOptions(options);
		this.#match = match(locales);
		const usage = choice(o, "usage", ["sort", "search"] as const, "sort");
		const numeric = o.numeric === undefined ? "kn" in this.#match.keys && this.#match.keys.kn !== "false" : Boolean(o.numeric);
		const caseFirst = choice(o, "caseFirst", ["upper", "lower", "false"] as const, "false");
		const sensitivity = choice(o, "sensitivity", ["base", "accent", "case", "variant"] as const, "variant");
		const ignorePunctuation = Boolean(o.ignorePunctuation);
		this.#options = { usage, sensitivity, ignorePunctuation, collation: "default", numeric, caseFirst };
		this.#ascii = !numeric && caseFirst !== "upper" && !special.has(this.#match.locale.split("-")[0]!);
	}
	#compare(a: string, b: string): number {
		if (a === b) return 0;
		const { sensitivity, numeric, ignorePunctuation } = this.#options;
		let [x, y] = [a, b];
		if (ignorePunctuation) [x, y] = [x, y].map((s) => s.replace(/[\p{P}\p{Z}\s]/gu, "")) as [string, string];
		if (this.#ascii) {
			const result = compareASCII(x, y, sensitivity === "base" || sensitivity === "accent");
			if (result !== undefined) return result;
		}
		const [p, q] = [this.#key(x), this.#key(y)];
		const result = p < q ? -1 : p > q ? 1 : 0;
		if (this.#options.caseFirst === "upper" && result !== 0 && x.toLowerCase() === y.toLowerCase()) return -result;
		return result;
	}
	/** What the host sorts a string by. Those who sort ask for the same ones many times. */
	#key(text: string): string {
		let key = this.#keys.get(text);
		if (key === undefined) {
			const { sensitivity, numeric } = this.#options;
			key = pure("intl.key", { locale: this.#match.locale, sensitivity, numeric }, text) as string;
			this.#room -= text.length + key.length;
			if (this.#room < 0) {
				this.#keys.clear();
				this.#room = keyRoom;
			}
			this.#keys.set(text, key);
		}
		return key;
	}
	get compare(): (a: unknown, b: unknown) => number {
		return (this.#bound ??= (a, b) => this.#compare(String(a), String(b)));
	}
	resolvedOptions(): Record<string, unknown> {
		return { locale: this.#match.locale, ...this.#options };
	}
	get [Symbol.toStringTag](): string {
		return "Intl.Collator";
	}
}

const kept = new Kept<Collator>();

/** String.prototype.localeCompare. */
export function localeCompare(a: string, b: string, locales?: unknown, options?: unknown): number {
	return kept.get("", locales, options, () => new Collator(locales, options)).compare(a, b);
}

type Words = [two: string, start: string, middle: string, end: string];

export class ListFormat {
	readonly #match: Match;
	readonly #type: string;
	readonly #style: string;
	readonly #words: Words;
	static supportedLocalesOf(locales: unknown): string[] {
		return supportedLocalesOf(locales);
	}
	constructor(locales?: unknown, options?: unknown) {
		const o = toOptions(options);
		this.#match = match(locales);
		this.#type = choice(o, "type", ["conjunction", "disjunction", "unit"] as const, "conjunction");
		this.#style = choice(o, "style", ["long", "short", "narrow"] as const, "long");
		this.#words = pure("intl.list", { data: this.#match.data, key: `${this.#type}-${this.#style}` });
	}
	formatToParts(list: Iterable<unknown>): { type: string; value: string }[] {
		const items = list === undefined ? [] : [...list];
		const [two, start, middle, end] = this.#words;
		const parts: { type: string; value: string }[] = [];
		for (const [i, item] of items.entries()) {
			if (typeof item !== "string") throw new TypeError("Iterable yielded a non-String value");
			const last = i === items.length - 1;
			const word = items.length === 2 ? two : i === 1 ? start : last ? end : middle;
			if (i > 0 && word !== "") parts.push({ type: "literal", value: word });
			parts.push({ type: "element", value: item });
		}
		return parts;
	}
	format(list: Iterable<unknown>): string {
		return this.formatToParts(list).map((part) => part.value).join("");
	}
	resolvedOptions(): Record<string, unknown> {
		return { locale: this.#match.locale, type: this.#type, style: this.#style };
	}
	get [Symbol.toStringTag](): string {
		return "Intl.ListFormat";
	}
}

const units = ["second", "minute", "hour", "day", "week", "month", "quarter", "year"];

interface Shape {
	future: [one: string, other: string];
	past: [one: string, other: string];
	words: Record<string, string>;
}

/** In English, whatever the locale. */
export class RelativeTimeFormat {
	readonly #style: string;
	readonly #numeric: string;
	readonly #shapes: Record<string, Shape>;
	readonly #number = new NumberFormat("en-US");
	readonly #plural = new PluralRules("en-US");
	static supportedLocalesOf(locales: unknown): string[] {
		return supportedLocalesOf(locales).filter((tag) => /^en(?:-|$)/.test(tag));
	}
	constructor(locales?: unknown, options?: unknown) {
		const o = toOptions(options);
		match(locales);
		this.#style = choice(o, "style", ["long", "short", "narrow"] as const, "long");
		this.#numeric = choice(o, "numeric", ["always", "auto"] as const, "always");
		this.#shapes = pure("intl.relative", this.#style);
	}
	formatToParts(value: unknown, unit: unknown): { type: string; value: string; unit?: string }[] {
		const number = Number(value);
		if (!Number.isFinite(number)) throw new RangeError("Invalid time value");
		const name = String(unit).replace(/s$/, "");
		if (!units.includes(name)) throw new RangeError(`Invalid unit argument for format() '${String(unit)}'`);
		const shape = this.#shapes[name]!;
		const word = this.#numeric === "auto" ? shape.words[Object.is(number, -0) ? "0" : String(number)] : undefined;
		if (word !== undefined) return [{ type: "literal", value: word }];
		const past = number < 0 || Object.is(number, -0);
		const pattern = (past ? shape.past : shape.future)[this.#plural.select(Math.abs(number)) === "one" ? 0 : 1];
		const [before = "", after = ""] = pattern.split("#");
		const parts: { type: string; value: string; unit?: string }[] = this.#number.formatToParts(Math.abs(number)).map((part) => ({ ...part, unit: name }));
		if (before !== "") parts.unshift({ type: "literal", value: before });
		if (after !== "") parts.push({ type: "literal", value: after });
		return parts;
	}
	format(value: unknown, unit: unknown): string {
		return this.formatToParts(value, unit).map((part) => part.value).join("");
	}
	resolvedOptions(): Record<string, unknown> {
		return { locale: "en-US", style: this.#style, numeric: this.#numeric, numberingSystem: "latn" };
	}
	get [Symbol.toStringTag](): string {
		return "Intl.RelativeTimeFormat";
	}
}
