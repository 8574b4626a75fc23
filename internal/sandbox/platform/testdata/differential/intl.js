// Languages other than English are compared in what is usual; README.md in locales
// says what they lack.
const out = [];
const locales = [undefined, undefined, "en-US", "en-US", "en-GB", "de-DE", "fr-FR", "es-ES", "pt-BR", "ja-JP", "sv-SE", "nl-NL", "it-IT", "en-CA", "zh-CN", "ko-KR"];
const numbers = () => pick([0, -0, 1, -1, 0.5, 1.005, 1234567.891, 1e21, -1e-7, 123456789012345680000, 0.000001234, 999.995, 99950, 1e15, 12345678901234567890n, draw() * 1e6, -draw(), Math.round(draw() * 1e9) / 100]);
const options = () => {
	const o = {};
	const style = pick([undefined, "decimal", "percent", "currency", "unit"]);
	if (style) o.style = style;
	if (style === "currency") { o.currency = pick(["USD", "EUR", "JPY", "GBP", "INR"]); if (draw() < 0.4) o.currencyDisplay = pick(["symbol", "code", "name", "narrowSymbol"]); if (draw() < 0.3) o.currencySign = pick(["standard", "accounting"]); }
	if (style === "unit") { o.unit = pick(["kilometer", "liter", "byte", "percent", "kilometer-per-hour", "day"]); if (draw() < 0.5) o.unitDisplay = pick(["short", "long", "narrow"]); }
	if (draw() < 0.3) o.minimumFractionDigits = int(0, 4);
	if (draw() < 0.3) o.maximumFractionDigits = int(0, 6);
	if (draw() < 0.15 && o.minimumFractionDigits === undefined) o.maximumSignificantDigits = int(1, 6);
	if (draw() < 0.1 && !o.notation) o.minimumIntegerDigits = int(1, 4);
	if (draw() < 0.2) o.useGrouping = pick([true, false, "always", "auto", "min2"]);
	if (draw() < 0.2 && o.minimumIntegerDigits === undefined && o.maximumFractionDigits === undefined && o.minimumFractionDigits === undefined) o.notation = pick(["standard", "compact", "scientific", "engineering"]);
	if (draw() < 0.1) o.compactDisplay = pick(["short", "long"]);
	if (draw() < 0.2) o.signDisplay = pick(["auto", "always", "never", "exceptZero", "negative"]);
	return o;
};
const dates = () => new Date(pick([0, 1e12, 1709164800000, 1704067199999, 1710054000000, 1729990800000, Math.floor(draw() * 4e12) - 1e12]));
const dateOptions = () => {
	const o = {};
	if (draw() < 0.25) { if (draw() < 0.8) o.dateStyle = pick(["full", "long", "medium", "short"]); if (draw() < 0.6) o.timeStyle = pick(["long", "medium", "short"]); }
	else {
		const day = pick([[], ["year", "month", "day"], ["month", "day"], ["year", "month"], ["weekday", "year", "month", "day"]]), clock = pick([[], ["hour", "minute"], ["hour", "minute", "second"]]);
		const widths = { weekday: ["short", "long"], year: ["numeric"], month: ["short", "long"], day: ["numeric", "2-digit"], hour: ["numeric", "2-digit"], minute: ["2-digit"], second: ["2-digit"] };
		for (const name of [...day, ...clock]) o[name] = pick(widths[name]);
		if (clock.length > 0 && draw() < 0.3) o.timeZoneName = pick(["short", "shortOffset", "longOffset"]);
	}
	if ((o.hour || o.timeStyle) && draw() < 0.3) o.hour12 = draw() < 0.5;
	if (draw() < 0.5) o.timeZone = pick(["UTC", "America/New_York", "Europe/Berlin", "Asia/Tokyo", "Asia/Kolkata", "America/Sao_Paulo", "Australia/Sydney", "Pacific/Auckland"]);
	return o;
};
const words = ["a", "A", "b", "ä", "z", "Z", "é", "e", "résumé", "resume", "Resume", "10", "9", "a-b", "ab", "a b", "ß", "ss", "ñ", "n", "_x", "æ", "", "Ärger"];
for (let i = 0; i < n; i++) {
	const o = options(), v = numbers(), english = pick([undefined, "en-US", "en-GB", "en-CA"]), l = o.style === "unit" || o.notation ? "en-US" : o.currencyDisplay === "name" ? english : pick(locales);
	out.push([`number ${l} ${JSON.stringify(o)} ${v}`, tried(() => v.toLocaleString(l, o))]);
	out.push([`number plain ${l} ${v}`, tried(() => v.toLocaleString(l))]);
	const p = dateOptions(), m = pick(p.timeZoneName || /full|long/.test(p.timeStyle) || p.hour12 !== undefined ? [undefined, "en-US"] : locales), d = dates();
	out.push([`date ${m} ${JSON.stringify(p)} ${+d}`, tried(() => new Intl.DateTimeFormat(m, p).format(d))]);
	out.push([`date plain ${m} ${+d}`, tried(() => [d.toLocaleString(m), d.toLocaleDateString(m), d.toLocaleTimeString(m)].join(" | "))]);
	const [a, b] = [pick(words) + pick(words), pick(words)];
	const c = pick([undefined, undefined, { sensitivity: "base" }, { numeric: true }, { sensitivity: "accent" }]);
	out.push([`compare ${m} ${a} ${b} ${JSON.stringify(c)}`, tried(() => a.localeCompare(b, m, c))]);
	if (Math.abs(Number(v)) < 1e6) out.push([`plural ${m} ${v}`, tried(() => [new Intl.PluralRules(m).select(Number(v)), new Intl.PluralRules(m, { type: "ordinal" }).select(Number(v))].join())]);
	out.push([`list ${m}`, tried(() => new Intl.ListFormat(m, { type: pick(["conjunction", "disjunction"]) }).format(some(0, 4, () => pick(words.slice(0, 5)))))]);
	if (Number.isInteger(Number(v))) out.push([`relative ${v}`, tried(() => new Intl.RelativeTimeFormat("en", { numeric: pick(["auto", "always"]), style: pick(["long", "short", "narrow"]) }).format(Number(v), pick(["day", "days", "year", "hour", "month", "week", "quarter"])))]);
}
return out;
