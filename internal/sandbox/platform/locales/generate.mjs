// Writes the data of this folder: how languages write numbers, dates and lists,
// taken from the Intl of the Node that runs it (CLDR). Run by "go generate".
import { readdirSync, statSync, writeFileSync } from "node:fs";

const locales = (
	"en-US en-GB en-CA en-AU en-NZ en-IE en-ZA en-IN de-DE de-AT de-CH fr-FR fr-CA fr-CH fr-BE es-ES es-MX es-US es-AR es-CO es-CL " +
	"it-IT it-CH pt-BR pt-PT nl-NL nl-BE sv-SE da-DK nb-NO fi-FI is-IS pl-PL cs-CZ sk-SK hu-HU ro-RO bg-BG hr-HR sl-SI sr-RS uk-UA ru-RU " +
	"tr-TR el-GR et-EE lv-LV lt-LT he-IL ar-EG ar-AE hi-IN bn-BD ja-JP ko-KR zh-CN zh-TW zh-HK vi-VN id-ID ms-MY ca-ES"
).split(" ");

const write = (name, value) => writeFileSync(new URL(name, import.meta.url), JSON.stringify(value) + "\n");
const join = (parts) => parts.map((p) => p.value).join("");
// Names of months and days are sampled on days of this year; 2009-02-03 is a
// Tuesday whose month, day and hour can be told apart in every form.
const at = (...a) => new Date(Date.UTC(...a));
const sample = at(2009, 1, 3, 4, 5, 6);

function numbers(locale) {
	const latn = locale + "-u-nu-latn";
	const find = (o, v, type) => new Intl.NumberFormat(locale, o).formatToParts(v).find((p) => p.type === type)?.value ?? "";
	const shape = (o, v) =>
		join(
			new Intl.NumberFormat(latn, o).formatToParts(v).map((p) => {
				if (p.type === "integer") return { value: "#" };
				if (p.type === "currency") return { value: "¤" };
				if (p.type === "minusSign") return { value: "-" };
				if (p.type === "plusSign") return { value: "+" };
				if (p.type === "percentSign") return { value: "%" };
				return p;
			}),
		);
	const compact = (display) => {
		const rows = [];
		for (let p = 3; p <= 14; p++) {
			const row = [];
			for (const n of [1, 2]) {
				const parts = new Intl.NumberFormat(latn, { notation: "compact", compactDisplay: display, useGrouping: false }).formatToParts(n * 10 ** p);
				row.push(parts.map((q) => (q.type === "integer" ? "0".repeat(q.value.length) : q.value)).join(""));
			}
			rows.push(row[0] === row[1] ? [row[0]] : row);
		}
		return rows;
	};
	const money = { style: "currency", currency: "USD", maximumFractionDigits: 0 };
	const code = { ...money, currencyDisplay: "code" };
	const accounting = { currencySign: "accounting" };
	const resolved = new Intl.NumberFormat(locale).resolvedOptions();
	return {
		digits: resolved.numberingSystem === "latn" ? "" : new Intl.NumberFormat(locale, { useGrouping: false }).format(9876543210).split("").reverse().join(""),
		system: resolved.numberingSystem,
		decimal: find({}, 1.5, "decimal"),
		group: find({ useGrouping: "always" }, 123456789, "group"),
		minimum: new Intl.NumberFormat(latn).format(1234).length > 4 ? 1 : 2,
		indian: new Intl.NumberFormat(latn).formatToParts(123456789).filter((p) => p.type === "group").length === 3,
		minus: find({}, -1, "minusSign"),
		percent: find({ style: "percent" }, 1, "percentSign"),
		percents: [shape({ style: "percent" }, 1), shape({ style: "percent" }, -1)],
		money: [shape(money, 1), shape(money, -1), shape({ ...money, ...accounting }, -1)],
		code: [shape(code, 1), shape(code, -1), shape({ ...code, ...accounting }, -1)],
		symbols: symbols(locale),
		compact: { short: compact("short"), long: compact("long") },
		exponent: find({ notation: "scientific" }, 1e5, "exponentSeparator"),
	};
}

function symbols(locale) {
	const out = {};
	for (const currency of Intl.supportedValuesOf("currency")) {
		const names = ["symbol", "narrowSymbol"].map(
			(currencyDisplay) => new Intl.NumberFormat(locale, { style: "currency", currency, currencyDisplay }).formatToParts(1).find((p) => p.type === "currency").value,
		);
		if (names[0] === currency && names[1] === currency) continue;
		out[currency] = names[0] === names[1] ? [names[0]] : names;
	}
	return out;
}

function dates(locale) {
	const base = locale + "-u-nu-latn-ca-gregory";
	const format = (o) => new Intl.DateTimeFormat(base, { timeZone: "UTC", ...o });
	const part = (o, d, type) => format(o).formatToParts(d).find((p) => p.type === type)?.value ?? "";
	const months = (month, more) => Array.from({ length: 12 }, (_, m) => part({ month, ...more }, at(2009, m, 3), "month"));
	const days = (weekday, more) => Array.from({ length: 7 }, (_, d) => part({ weekday, ...more }, at(2009, 1, 1 + d), "weekday"));
	const names = {
		MMMM: months("long", { day: "numeric" }),
		LLLL: months("long"),
		MMM: months("short", { day: "numeric" }),
		LLL: months("short"),
		MMMMM: months("narrow"),
		EEEE: days("long", { year: "numeric", month: "long", day: "numeric" }),
		cccc: days("long"),
		EEE: days("short", { year: "numeric", month: "short", day: "numeric" }),
		ccc: days("short"),
		EEEEE: days("narrow"),
		a: [3, 15].map((h) => part({ hour: "numeric", hour12: true }, at(2009, 1, 3, h), "dayPeriod")),
		G: [at(-43, 1, 3), sample].map((d) => part({ year: "numeric", era: "short" }, d, "era")),
		GGGG: [at(-43, 1, 3), sample].map((d) => part({ year: "numeric", era: "long" }, d, "era")),
	};
	const token = (p, half) => {
		switch (p.type) {
			case "literal":
				return p.value.replace(/[A-Za-z']+/g, (s) => `'${s.replaceAll("'", "''")}'`);
			case "year":
				return p.value.length === 2 ? "yy" : "y";
			case "month":
				if (/^\d+$/.test(p.value)) return p.value.length === 2 ? "MM" : "M";
				return ["MMMM", "LLLL", "MMM", "LLL", "MMMMM"].find((k) => names[k][1] === p.value) ?? `'${p.value}'`;
			case "weekday":
				return ["EEEE", "cccc", "EEE", "ccc", "EEEEE"].find((k) => names[k][2] === p.value) ?? `'${p.value}'`;
			case "day":
				return p.value.length === 2 ? "dd" : "d";
			case "hour":
				return (half ? "h" : "H").repeat(p.value.length);
			case "minute":
				return "m".repeat(p.value.length);
			case "second":
				return "s".repeat(p.value.length);
			case "dayPeriod":
				return "a";
			case "era":
				return "G";
			case "timeZoneName":
				return "z";
			default:
				throw new Error(p.type);
		}
	};
	const pattern = (o, half) => format(o).formatToParts(sample).map((p) => token(p, half)).join("");

	const known = [];
	const index = (text) => {
		if (!known.includes(text)) known.push(text);
		return known.indexOf(text);
	};
	// Other widths follow from these.
	const ask = { weekday: ["", "long", "short"], year: ["", "numeric"], month: ["", "numeric", "long", "short"], day: ["", "numeric"] };
	const date = [];
	for (const weekday of ask.weekday)
		for (const year of ask.year)
			for (const month of ask.month)
				for (const day of ask.day) {
					const o = Object.fromEntries(Object.entries({ weekday, year, month, day }).filter(([, v]) => v));
					date.push(Object.keys(o).length ? index(pattern(o)) : -1);
				}
	const time = [];
	for (const hour12 of [true, false])
		for (const hour of ["", "numeric", "2-digit"])
			for (const minute of ["", "numeric"])
				for (const second of ["", "numeric"]) {
					const o = Object.fromEntries(Object.entries({ hour, minute, second }).filter(([, v]) => v));
					time.push(Object.keys(o).length ? index(pattern(hour ? { ...o, hour12 } : o, hour12)) : -1);
				}
	const styles = ["full", "long", "medium", "short"];
	const timeStyles = [true, false].map((hour12) => styles.map((timeStyle) => pattern({ timeStyle, hour12 }, hour12)));
	// How a date and a time are joined, by the length of the date: with the styles, and with single fields.
	const cut = (whole, d, t) => {
		const text = whole.replace(d, "{1}").replace(t, "{0}");
		return text.includes("{1}") && text.includes("{0}") ? text : "{1}, {0}";
	};
	const t12 = { hour: "numeric", minute: "numeric", hour12: false };
	const joins = [
		...styles.map((dateStyle) => cut(pattern({ dateStyle, timeStyle: "short", hour12: false }), pattern({ dateStyle }), pattern({ timeStyle: "short", hour12: false }))),
		...[
			{ weekday: "long", year: "numeric", month: "long", day: "numeric" },
			{ year: "numeric", month: "long", day: "numeric" },
			{ year: "numeric", month: "short", day: "numeric" },
			{ year: "numeric", month: "numeric", day: "numeric" },
		].map((o) => cut(pattern({ ...o, ...t12 }), pattern(o), pattern(t12))),
	];
	return {
		names,
		patterns: known,
		date,
		time,
		dateStyles: styles.map((dateStyle) => pattern({ dateStyle })),
		timeStyles,
		joins,
		range: rangeSeparator(format),
		utc: ["short", "long"].map((timeZoneName) => part({ timeZoneName }, sample, "timeZoneName")),
		cycle: new Intl.DateTimeFormat(locale, { hour: "numeric" }).resolvedOptions().hourCycle,
	};
}

function rangeSeparator(format) {
	const f = format({ year: "numeric", month: "numeric", day: "numeric" });
	const parts = f.formatRangeToParts(at(2008, 1, 3), at(2009, 3, 4));
	return parts.filter((p) => p.source === "shared").map((p) => p.value).join("") || " – ";
}

function lists(locale) {
	const out = {};
	for (const type of ["conjunction", "disjunction", "unit"])
		for (const style of ["long", "short", "narrow"]) {
			const f = new Intl.ListFormat(locale, { type, style });
			const four = f.format(["0", "1", "2", "3"]).split(/[0-3]/).slice(1, 4);
			const two = f.format(["0", "1"]).split(/[0-3]/).slice(1, 2);
			out[`${type}-${style}`] = [two[0], four[0], four[1], four[2]];
		}
	return out;
}

// Distances in time, and units, in English only.
function english() {
	const relative = {};
	const units = ["second", "minute", "hour", "day", "week", "month", "quarter", "year"];
	for (const style of ["long", "short", "narrow"])
		for (const unit of units) {
			const f = new Intl.RelativeTimeFormat("en-US", { style, numeric: "always" });
			const a = new Intl.RelativeTimeFormat("en-US", { style, numeric: "auto" });
			const shape = (n) => f.format(n, unit).replace(/\d+/, "#");
			const words = {};
			for (const n of [-1, 0, 1]) if (a.format(n, unit) !== f.format(n, unit)) words[n] = a.format(n, unit);
			relative[`${unit}-${style}`] = { future: [shape(1), shape(2)], past: [shape(-1), shape(-2)], words };
		}
	const shapes = {};
	const simple = Intl.supportedValuesOf("unit");
	const unitShape = (unit) => {
		const out = {};
		for (const unitDisplay of ["long", "short", "narrow"])
			out[unitDisplay] = [1, 2].map((n) => join(new Intl.NumberFormat("en-US", { style: "unit", unit, unitDisplay }).formatToParts(n).map((p) => (p.type === "integer" ? { value: "#" } : p))));
		return out;
	};
	for (const unit of simple) shapes[unit] = unitShape(unit);
	const per = {};
	for (const unit of simple) per[unit] = Object.fromEntries(["long", "short", "narrow"].map((d) => [d, new Intl.NumberFormat("en-US", { style: "unit", unit: unit === "bit" ? `byte-per-${unit}` : `bit-per-${unit}`, unitDisplay: d }).format(2).replace(/^2 ?(bits|bytes|bit|byte|b|B)/, "")]));
	const special = {};
	for (const unit of ["kilometer-per-hour", "mile-per-hour", "meter-per-second", "mile-per-gallon", "liter-per-kilometer"]) special[unit] = unitShape(unit);
	const currencies = {};
	for (const currency of Intl.supportedValuesOf("currency")) {
		const f = new Intl.NumberFormat("en-US", { style: "currency", currency, currencyDisplay: "name" });
		const digits = f.resolvedOptions().maximumFractionDigits;
		const names = [1, 2].map((n) => new Intl.NumberFormat("en-US", { style: "currency", currency, currencyDisplay: "name", maximumFractionDigits: 0 }).formatToParts(n).find((p) => p.type === "currency").value);
		currencies[currency] = { digits, names };
	}
	return { relative, units: shapes, per, special, currencies };
}

function zones() {
	const names = [];
	const walk = (dir, prefix) => {
		for (const name of readdirSync(dir)) {
			if (["posix", "right", "posixrules", "localtime", "Factory"].includes(name) || /\.|^leap/.test(name)) continue;
			if (statSync(`${dir}/${name}`).isDirectory()) walk(`${dir}/${name}`, `${prefix}${name}/`);
			else names.push(prefix + name);
		}
	};
	walk("/usr/share/zoneinfo", "");
	const canonical = Intl.supportedValuesOf("timeZone");
	const aliases = {};
	for (const name of [...new Set([...names, "UTC", "GMT", "Etc/UTC"])].sort()) {
		try {
			const target = new Intl.DateTimeFormat("en-US", { timeZone: name }).resolvedOptions().timeZone;
			if (target !== name) aliases[name] = target;
		} catch {}
	}
	const english = {};
	const show = (timeZone, timeZoneName, d) => new Intl.DateTimeFormat("en-US", { timeZone, timeZoneName }).formatToParts(d).find((p) => p.type === "timeZoneName").value;
	for (const name of [...canonical, "UTC"]) {
		const offset = (d) => show(name, "longOffset", d);
		const [january, july] = [at(2024, 0, 15), at(2024, 6, 15)];
		// Names that are offsets, or the town's, are made when they are needed.
		const dst = offset(january) < offset(july) === !offset(january).includes("-") ? [january, july] : [july, january];
		const row = ["short", "long"].flatMap((k) => dst.map((d) => show(name, k, d)));
		row.push(show(name, "shortGeneric", january), show(name, "longGeneric", january));
		english[name] = row.map((s, i) => (i < 4 && /^GMT[+-]/.test(s) ? "" : s)).join("|");
	}
	return { zones: english, aliases };
}

for (const locale of locales) write(`${locale}.json`, { numbers: numbers(locale), dates: dates(locale), lists: lists(locale) });
write("index.json", locales);
write("english.json", english());
write("zones.json", zones());
