// Intl.DateTimeFormat. Calendars are Gregorian; names and patterns are the host's.
import { pure } from "../host";
import { choice, Kept, match, planOf, supportedLocalesOf, textOfPlan, toOptions, whole, type Match } from "./options";

type Part = [type: string, value: string];

const fields = {
	weekday: ["narrow", "short", "long"],
	era: ["narrow", "short", "long"],
	year: ["2-digit", "numeric"],
	month: ["2-digit", "numeric", "narrow", "short", "long"],
	day: ["2-digit", "numeric"],
	dayPeriod: ["narrow", "short", "long"],
	hour: ["2-digit", "numeric"],
	minute: ["2-digit", "numeric"],
	second: ["2-digit", "numeric"],
} as const;
const dateFields = ["weekday", "year", "month", "day"];
const timeFields = ["dayPeriod", "hour", "minute", "second", "fractionalSecondDigits"];
const lengths = ["full", "long", "medium", "short"] as const;

const letters: Record<string, RegExp> = { month: /[ML]+/, day: /d+/, hour: /[hHkK]+/, minute: /m+/, second: /s+/ };

/** How many digits a pattern gives to a field, which need not be what was asked for. */
function shownWidth(pattern: string, field: string): string | undefined {
	const found = letters[field]?.exec(pattern.replace(/'[^']*'/g, ""));
	if (!found || found[0].length > 2) return undefined;
	return found[0].length === 2 ? "2-digit" : "numeric";
}

/** Which fields are shown when none is asked for, and which count as asked for. */
export type Defaults = "date" | "time" | "all";

function instant(value: unknown): number {
	const ms = value === undefined ? Date.now() : Number(value);
	if (!(Math.abs(ms) <= 8.64e15)) throw new RangeError("Invalid time value");
	return Math.trunc(ms) + 0;
}

export class DateTimeFormat {
	readonly #match: Match;
	readonly #shown: Record<string, any>;
	readonly #plan: any;
	/** The plan as the host takes it. */
	readonly #planText: string;
	#bound: ((value?: unknown) => string) | undefined;

	static supportedLocalesOf(locales: unknown): string[] {
		return supportedLocalesOf(locales);
	}
	constructor(locales?: unknown, options?: unknown, required: Defaults = "all", defaults: Defaults = "date") {
		const m = match(locales);
		const o = toOptions(options);
		const style: Record<string, any> = {};
		for (const [name, values] of Object.entries(fields)) {
			const value = choice(o, name, values as readonly string[], undefined);
			if (value !== undefined) style[name] = value;
		}
		const fraction = whole(o, "fractionalSecondDigits", 1, 3);
		if (fraction !== undefined) style.fractionalSecondDigits = fraction;
		const timeZoneName = choice(o, "timeZoneName", ["short", "long", "shortOffset", "longOffset", "shortGeneric", "longGeneric"] as const, undefined);
		if (timeZoneName !== undefined) style.timeZoneName = timeZoneName;
		const dateStyle = choice(o, "dateStyle", lengths, undefined);
		const timeStyle = choice(o, "timeStyle", lengths, undefined);
		if (dateStyle !== undefined || timeStyle !== undefined) {
			const clash = Object.keys(style)[0];
			if (clash !== undefined) throw new TypeError(`Can't set option ${clash} when ${dateStyle !== undefined ? "dateStyle" : "timeStyle"} is used`);
			if (required === "date" && timeStyle !== undefined) throw new TypeError("Invalid option : timeStyle");
			if (required === "time" && dateStyle !== undefined) throw new TypeError("Invalid option : dateStyle");
			if (dateStyle !== undefined) style.dateStyle = dateStyle;
			if (timeStyle !== undefined) style.timeStyle = timeStyle;
		} else {
			const relevant = [...(required !== "time" ? dateFields : []), ...(required !== "date" ? timeFields : [])];
			if (!relevant.some((name) => style[name] !== undefined)) {
				if (defaults !== "time") style.year = style.month = style.day = "numeric";
				if (defaults !== "date") style.hour = style.minute = style.second = "numeric";
			}
		}
		const hour12 = o.hour12 === undefined ? undefined : Boolean(o.hour12);
		const hourCycle = choice(o, "hourCycle", ["h11", "h12", "h23", "h24"] as const, undefined) ?? m.keys.hc;
		const numberingSystem = choice(o, "numberingSystem", undefined, undefined) ?? m.keys.nu;
		const timeZone = o.timeZone === undefined ? "UTC" : String(o.timeZone);
		this.#match = m;
		this.#shown = style;
		this.#plan = planOf("intl.datePlan", { ...style, data: m.data, hour12, hourCycle, timeZone, numberingSystem });
		this.#planText = textOfPlan(this.#plan);
	}
	#text(value: unknown): string {
		return pure("intl.dateText", instant(value), this.#planText);
	}
	#parts(value: unknown): Part[] {
		return pure("intl.date", instant(value), this.#planText);
	}
	get format(): (value?: unknown) => string {
		return (this.#bound ??= (value) => this.#text(value));
	}
	formatToParts(value?: unknown): { type: string; value: string }[] {
		return this.#parts(value).map(([type, text]) => ({ type, value: text }));
	}
	formatRange(from: unknown, to: unknown): string {
		return this.formatRangeToParts(from, to).map((part) => part.value).join("");
	}
	/** Both ends in full; Node leaves out of one what the other says. */
	formatRangeToParts(from: unknown, to: unknown): { type: string; value: string; source: string }[] {
		if (from === undefined || to === undefined) throw new TypeError("startDate or endDate cannot be undefined");
		const [a, b] = [this.#parts(from), this.#parts(to)];
		const show = (parts: Part[], source: string) => parts.map(([type, value]) => ({ type, value, source }));
		if (JSON.stringify(a) === JSON.stringify(b)) return show(a, "shared");
		return [...show(a, "startRange"), { type: "literal", value: this.#plan.range, source: "shared" }, ...show(b, "endRange")];
	}
	resolvedOptions(): Record<string, unknown> {
		const { cycle, timeZone, system } = this.#plan;
		const { dateStyle, timeStyle, ...rest } = this.#shown;
		const shown: Record<string, unknown> = { locale: this.#match.locale, calendar: "gregory", numberingSystem: system, timeZone };
		if (cycle) Object.assign(shown, { hourCycle: cycle, hour12: cycle === "h12" || cycle === "h11" });
		for (const name of ["weekday", "era", "year", "month", "day", "dayPeriod", "hour", "minute", "second", "fractionalSecondDigits", "timeZoneName"]) {
			if (rest[name] !== undefined) shown[name] = shownWidth(this.#plan.pattern, name) ?? rest[name];
		}
		if (dateStyle !== undefined) shown.dateStyle = dateStyle;
		if (timeStyle !== undefined) shown.timeStyle = timeStyle;
		return shown;
	}
	get [Symbol.toStringTag](): string {
		return "Intl.DateTimeFormat";
	}
}

const kept = new Kept<DateTimeFormat>();

/** Date.prototype.toLocaleString and its relatives. */
export function dateToLocaleString(date: Date, locales: unknown, options: unknown, required: Defaults, defaults: Defaults): string {
	if (Number.isNaN(date.getTime())) return "Invalid Date";
	return kept.get(`${required} ${defaults}`, locales, options, () => new DateTimeFormat(locales, options, required, defaults)).format(date);
}
