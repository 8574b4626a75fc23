// Intl.NumberFormat and Intl.PluralRules. Rounding and writing are the host's.
import { pure } from "../host";
import { choice, Kept, match, planOf, supportedLocalesOf, toOptions, whole, type Match } from "./options";

type Part = [type: string, value: string];

interface Digits {
	minimumIntegerDigits: number;
	minimumFractionDigits: number;
	maximumFractionDigits: number;
	minimumSignificantDigits: number;
	maximumSignificantDigits: number;
	roundingType: "fraction" | "significant" | "more" | "less";
	roundingMode: string;
	trailingZeroDisplay: string;
	roundingIncrement: number;
}

const roundingModes = ["ceil", "floor", "expand", "trunc", "halfCeil", "halfFloor", "halfExpand", "halfTrunc", "halfEven"] as const;

/** Reads the options about digits (ECMA-402, SetNumberFormatDigitOptions). */
function digits(o: any, minFraction: number, maxFraction: number, compact: boolean): Digits {
	const integer = whole(o, "minimumIntegerDigits", 1, 21) ?? 1;
	const lowFraction = whole(o, "minimumFractionDigits", 0, 100);
	const highFraction = whole(o, "maximumFractionDigits", 0, 100);
	const hasSignificant = o.minimumSignificantDigits !== undefined || o.maximumSignificantDigits !== undefined;
	const lowSignificant = whole(o, "minimumSignificantDigits", 1, 21) ?? 1;
	const highSignificant = whole(o, "maximumSignificantDigits", 1, 21) ?? 21;
	const priority = choice(o, "roundingPriority", ["auto", "morePrecision", "lessPrecision"] as const, "auto");
	if (hasSignificant && lowSignificant > highSignificant) throw new RangeError("maximumSignificantDigits value is out of range.");
	const hasFraction = lowFraction !== undefined || highFraction !== undefined;
	let low = lowFraction ?? Math.min(minFraction, highFraction ?? minFraction);
	let high = highFraction ?? Math.max(maxFraction, low);
	if (low > high) throw new RangeError("maximumFractionDigits value is out of range.");
	let type: Digits["roundingType"] = hasSignificant ? "significant" : "fraction";
	let [minSignificant, maxSignificant] = [lowSignificant, highSignificant];
	if (priority !== "auto") type = priority === "morePrecision" ? "more" : "less";
	else if (compact && !hasSignificant && !hasFraction) {
		[low, high, minSignificant, maxSignificant, type] = [0, 0, 1, 2, "more"];
	}
	const increment = whole(o, "roundingIncrement", 1, 5000) ?? 1;
	if (increment !== 1) throw new RangeError("roundingIncrement other than 1 is not available in functions.");
	return {
		minimumIntegerDigits: integer,
		minimumFractionDigits: low,
		maximumFractionDigits: high,
		minimumSignificantDigits: minSignificant,
		maximumSignificantDigits: maxSignificant,
		roundingType: type,
		roundingMode: choice(o, "roundingMode", roundingModes, "halfExpand"),
		trailingZeroDisplay: choice(o, "trailingZeroDisplay", ["auto", "stripIfInteger"] as const, "auto"),
		roundingIncrement: increment,
	};
}

function shownDigits(d: Digits): Record<string, unknown> {
	const shown: Record<string, unknown> = { minimumIntegerDigits: d.minimumIntegerDigits };
	if (d.roundingType !== "significant") Object.assign(shown, { minimumFractionDigits: d.minimumFractionDigits, maximumFractionDigits: d.maximumFractionDigits });
	if (d.roundingType !== "fraction") Object.assign(shown, { minimumSignificantDigits: d.minimumSignificantDigits, maximumSignificantDigits: d.maximumSignificantDigits });
	return shown;
}

function decimal(value: unknown): string {
	if (typeof value === "bigint") return String(value);
	if (typeof value === "string") {
		const text = value.trim();
		if (/^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(text) && text.length < 300) return text.replace(/^\+/, "").replace(/(?<=e)\+/i, "");
	}
	const number = Number(value);
	return Object.is(number, -0) ? "-0" : String(number).replace("e+", "e");
}

const styles = ["decimal", "percent", "currency", "unit"] as const;

function grouping(o: any, compact: boolean): string {
	const value = o.useGrouping;
	const otherwise = compact ? "min2" : "auto";
	if (value === undefined) return otherwise;
	if (value === true) return "always";
	if (value === false || value === null || value === 0 || value === "") return "false";
	const text = String(value);
	if (text === "true" || text === "false") return otherwise;
	if (!["min2", "auto", "always"].includes(text)) throw new RangeError(`Value ${text} out of range for Intl.NumberFormat options property useGrouping`);
	return text;
}

function wellFormedUnit(unit: string): boolean {
	return /^[a-z]+(?:-[a-z]+)*$/.test(unit);
}

export class NumberFormat {
	readonly #match: Match;
	readonly #options: Record<string, any>;
	readonly #digits: Digits;
	readonly #plan: any;
	/** The whole format as the host takes it. */
	readonly #text: string;
	#bound: ((value: unknown) => string) | undefined;

	static supportedLocalesOf(locales: unknown): string[] {
		return supportedLocalesOf(locales);
	}
	constructor(locales?: unknown, options?: unknown) {
		const m = match(locales);
		const o = toOptions(options);
		const style = choice(o, "style", styles, "decimal");
		const currency = choice(o, "currency", undefined, undefined);
		if (currency !== undefined && !/^[a-z]{3}$/i.test(currency)) throw new RangeError(`Invalid currency code : ${currency}`);
		if (style === "currency" && currency === undefined) throw new TypeError("Currency code is required with currency style.");
		const unit = choice(o, "unit", undefined, undefined);
		if (unit !== undefined && !wellFormedUnit(unit)) throw new RangeError(`Invalid unit argument for Intl.NumberFormat() '${unit}'`);
		if (style === "unit" && unit === undefined) throw new TypeError("Required unit argument for Intl.NumberFormat()");
		const currencyDisplay = choice(o, "currencyDisplay", ["code", "symbol", "narrowSymbol", "name"] as const, "symbol");
		const currencySign = choice(o, "currencySign", ["standard", "accounting"] as const, "standard");
		const unitDisplay = choice(o, "unitDisplay", ["short", "narrow", "long"] as const, "short");
		const notation = choice(o, "notation", ["standard", "scientific", "engineering", "compact"] as const, "standard");
		const compactDisplay = choice(o, "compactDisplay", ["short", "long"] as const, "short");
		const numberingSystem = choice(o, "numberingSystem", undefined, undefined) ?? m.keys.nu;
		this.#match = m;
		this.#plan = planOf("intl.numberPlan", { locale: m.locale, data: m.data, style, currency: currency?.toUpperCase(), currencyDisplay, currencySign, unit, unitDisplay, notation, compactDisplay, numberingSystem });
		const places = style === "currency" && notation !== "compact" ? this.#plan.currencyDigits : 0;
		const most = style === "currency" && notation !== "compact" ? places : style === "percent" ? 0 : 3;
		this.#digits = digits(o, places, most, notation === "compact");
		this.#options = { numberingSystem: this.#plan.system, style };
		if (style === "currency") Object.assign(this.#options, { currency: currency!.toUpperCase(), currencyDisplay, currencySign });
		if (style === "unit") Object.assign(this.#options, { unit, unitDisplay });
		this.#options.useGrouping = grouping(o, notation === "compact");
		this.#options.notation = notation;
		if (notation === "compact") this.#options.compactDisplay = compactDisplay;
		this.#options.signDisplay = choice(o, "signDisplay", ["auto", "never", "always", "exceptZero", "negative"] as const, "auto");
		const { signDisplay, useGrouping } = this.#options;
		this.#text = JSON.stringify({ plan: this.#plan, style, notation, signDisplay, useGrouping, ...this.#digits });
	}
	#parts(value: unknown): Part[] {
		return pure("intl.number", decimal(value), this.#text);
	}
	get format(): (value: unknown) => string {
		return (this.#bound ??= (value) => pure("intl.numberText", decimal(value), this.#text));
	}
	formatToParts(value?: unknown): { type: string; value: string }[] {
		return this.#parts(value).map(([type, text]) => ({ type, value: text }));
	}
	formatRange(from: unknown, to: unknown): string {
		if (from === undefined || to === undefined) throw new TypeError("Invalid argument");
		if (Number.isNaN(Number(from)) || Number.isNaN(Number(to))) throw new RangeError("Invalid argument");
		const [a, b] = [this.format(from), this.format(to)];
		return a === b ? `~${a}` : /[^\d.,]/.test(a) ? `${a} – ${b}` : `${a}–${b}`;
	}
	resolvedOptions(): Record<string, unknown> {
		const { numberingSystem, useGrouping, notation, compactDisplay, signDisplay, ...rest } = this.#options;
		return {
			locale: this.#match.locale,
			numberingSystem,
			...rest,
			...shownDigits(this.#digits),
			useGrouping: useGrouping === "false" ? false : useGrouping,
			notation,
			...(compactDisplay === undefined ? {} : { compactDisplay }),
			signDisplay,
			roundingMode: this.#digits.roundingMode,
			roundingIncrement: 1,
			trailingZeroDisplay: this.#digits.trailingZeroDisplay,
			roundingPriority: { fraction: "auto", significant: "auto", more: "morePrecision", less: "lessPrecision" }[this.#digits.roundingType],
		};
	}
	get [Symbol.toStringTag](): string {
		return "Intl.NumberFormat";
	}
}

const kept = new Kept<NumberFormat>();

/** Number.prototype.toLocaleString. */
export function numberToLocaleString(value: number | bigint, locales?: unknown, options?: unknown): string {
	return kept.get("", locales, options, () => new NumberFormat(locales, options)).format(value);
}

export class PluralRules {
	readonly #match: Match;
	readonly #ordinal: boolean;
	readonly #format: NumberFormat;
	static supportedLocalesOf(locales: unknown): string[] {
		return supportedLocalesOf(locales);
	}
	constructor(locales?: unknown, options?: unknown) {
		const o = toOptions(options);
		this.#match = match(locales);
		this.#ordinal = choice(o, "type", ["cardinal", "ordinal"] as const, "cardinal") === "ordinal";
		const { minimumIntegerDigits, minimumFractionDigits, maximumFractionDigits, minimumSignificantDigits, maximumSignificantDigits } = o;
		this.#format = new NumberFormat("en-US", { minimumIntegerDigits, minimumFractionDigits, maximumFractionDigits, minimumSignificantDigits, maximumSignificantDigits, useGrouping: false });
	}
	select(value: unknown): string {
		const number = Number(value);
		if (!Number.isFinite(number)) return "other";
		return pure("intl.plural", { locale: this.#match.locale, ordinal: this.#ordinal, number: this.#format.format(Math.abs(number)) });
	}
	resolvedOptions(): Record<string, unknown> {
		const { minimumIntegerDigits, minimumFractionDigits, maximumFractionDigits } = this.#format.resolvedOptions();
		const seen = new Set<string>();
		for (let n = 0; n <= 120; n++) seen.add(this.select(n));
		for (const n of [0.5, 1.5, 1e6]) if (!this.#ordinal) seen.add(this.select(n));
		const order = ["few", "many", "one", "two", "zero", "other"];
		return {
			locale: this.#match.locale,
			type: this.#ordinal ? "ordinal" : "cardinal",
			minimumIntegerDigits,
			minimumFractionDigits,
			maximumFractionDigits,
			pluralCategories: order.filter((category) => seen.has(category)),
			roundingIncrement: 1,
			roundingMode: "halfExpand",
			roundingPriority: "auto",
			trailingZeroDisplay: "auto",
		};
	}
	get [Symbol.toStringTag](): string {
		return "Intl.PluralRules";
	}
}
