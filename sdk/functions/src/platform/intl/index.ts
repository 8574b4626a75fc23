// Intl, and the methods named toLocale…
import { install, pure } from "../host";
import { DateTimeFormat, dateToLocaleString } from "./date";
import { NumberFormat, numberToLocaleString, PluralRules } from "./number";
import { canonical, Locale } from "./options";
import { Collator, ListFormat, localeCompare, RelativeTimeFormat } from "./words";

/** Some of Intl's classes may be called without new. */
function callable<T extends new (...args: any[]) => any>(Class: T): T {
	const call = function (locales?: unknown, options?: unknown) {
		return Reflect.construct(Class, [locales, options], new.target ?? Class);
	};
	for (const [name, own] of Object.entries(Object.getOwnPropertyDescriptors(Class))) Object.defineProperty(call, name, own);
	Object.defineProperty(Class.prototype, "constructor", { value: call, writable: true, configurable: true, enumerable: false });
	return call as unknown as T;
}

const Intl = {
	Collator: callable(Collator),
	DateTimeFormat: callable(DateTimeFormat),
	ListFormat,
	Locale,
	NumberFormat: callable(NumberFormat),
	PluralRules,
	RelativeTimeFormat,
	getCanonicalLocales: (locales?: unknown) => canonical(locales),
	supportedValuesOf: (key: unknown): string[] => pure("intl.values", String(key)),
};
for (const name of Object.keys(Intl)) Object.defineProperty(Intl, name, { enumerable: false });
Object.defineProperty(Intl, Symbol.toStringTag, { value: "Intl", configurable: true });

install({ Intl });

type Method = (this: any, ...args: any[]) => unknown;

/** Replaces methods of the language by those that know of locales. */
function replace(prototype: object, methods: Record<string, Method>): void {
	for (const [name, value] of Object.entries(methods)) {
		Object.defineProperty(prototype, name, { value, writable: true, configurable: true, enumerable: false });
	}
}

const numberValue = Number.prototype.valueOf;
const bigValue = BigInt.prototype.valueOf;
const time = Date.prototype.getTime;
const { toUpperCase, toLowerCase } = String.prototype;

replace(Number.prototype, {
	toLocaleString(this: any, locales?: unknown, options?: unknown) {
		return numberToLocaleString(numberValue.call(this), locales, options);
	},
});
replace(BigInt.prototype, {
	toLocaleString(this: any, locales?: unknown, options?: unknown) {
		return numberToLocaleString(bigValue.call(this), locales, options);
	},
});
const { toString: dateToString, toTimeString: dateToTimeString } = Date.prototype;

/** The engine leaves the zone's name out. */
function named(text: string): string {
	return text.endsWith("+0000") ? `${text} (Coordinated Universal Time)` : text;
}

replace(Date.prototype, {
	toString(this: Date) {
		return named(dateToString.call(this));
	},
	toTimeString(this: Date) {
		return named(dateToTimeString.call(this));
	},
	toLocaleString(this: any, locales?: unknown, options?: unknown) {
		time.call(this);
		return dateToLocaleString(this, locales, options, "all", "all");
	},
	toLocaleDateString(this: any, locales?: unknown, options?: unknown) {
		time.call(this);
		return dateToLocaleString(this, locales, options, "date", "date");
	},
	toLocaleTimeString(this: any, locales?: unknown, options?: unknown) {
		time.call(this);
		return dateToLocaleString(this, locales, options, "time", "time");
	},
});

/** Languages whose letters change case in their own way. */
function changesCase(locales: unknown): string | undefined {
	if (locales === undefined) return undefined;
	const tag = canonical(locales)[0];
	return tag !== undefined && /^(?:tr|az|lt|el|nl)\b/.test(tag) ? tag : undefined;
}

replace(String.prototype, {
	localeCompare(other, locales, options) {
		return localeCompare(String(this), String(other), locales, options);
	},
	toLocaleUpperCase(locales) {
		const locale = changesCase(locales);
		return locale === undefined ? toUpperCase.call(this) : pure("intl.case", { locale, upper: true, text: String(this) });
	},
	toLocaleLowerCase(locales) {
		const locale = changesCase(locales);
		return locale === undefined ? toLowerCase.call(this) : pure("intl.case", { locale, upper: false, text: String(this) });
	},
});
replace(Array.prototype, {
	toLocaleString(this: any, locales?: unknown, options?: unknown) {
		return Array.from(this, (item: any) => (item === null || item === undefined ? "" : String(item.toLocaleString(locales, options)))).join(",");
	},
});
