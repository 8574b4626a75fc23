// Left out: promises, whose state can't be looked at in the sandbox, and digits of
// fractions in other bases, which V8 rounds in its own way.
const out = [];
const util = require("util");
const value = depth => pick([
	() => text(0, 12), () => int(-5, 5), () => draw(), () => null, () => undefined, () => true, () => BigInt(int(0, 99)), () => Symbol("s"), () => new Date(int(0, 1e12)), () => new Date(NaN), () => /a\/b/gi, () => -0, () => NaN,
	() => Buffer.from(text(0, 5)), () => function named() {}, () => class A {}, () => () => 1, () => new Map([[text(0, 3), depth > 0 ? value(depth - 1) : 1]]), () => new Set([1, text(0, 3)]),
	() => [], () => ({}), () => Object.create(null), () => new Uint8Array([1, 2]), () => [1, , 3], () => new (class Foo { x = 1 })(), () => ({ get a() { return 1; }, set a(v) {} }), () => new URLSearchParams("a=b"),
	() => depth > 0 ? some(0, 8, () => value(depth - 1)) : 1,
	() => depth > 0 ? Object.fromEntries(some(0, 5, () => [pick(["a", "b", "c-d", "1", "é", ""]), value(depth - 1)])) : "x",
])();
for (let i = 0; i < n * 4; i++) {
	const v = value(3);
	out.push(["inspect " + i, tried(() => util.inspect(v, pick([undefined, { depth: 0 }, { compact: false }, { breakLength: 40 }, { depth: null }, { sorted: true }])))]);
	out.push(["format " + i, tried(() => util.format(pick(["%s", "%d %i", "%j", "%O", "%%", "a %s b", "%f", "%c x"]), value(1), value(1)))]);
	const a = value(2);
	out.push(["equal " + i + JSON.stringify(v, (k, x) => typeof x === "bigint" ? x + "n" : x), tried(() => [util.isDeepStrictEqual(a, v), util.isDeepStrictEqual(a, a)])]);
	out.push(["clone " + i, tried(() => util.inspect(structuredClone(a)))]);
	out.push(["json " + i, tried(() => JSON.stringify(a))]);
	const f = pick([parseFloat(draw() + "e" + int(-10, 25)), int(-1e9, 1e9), -draw()]);
	out.push(["number " + f, tried(() => [f.toFixed(int(0, 10)), f.toPrecision(int(1, 15)), f.toExponential(int(0, 10)), Math.trunc(f % 2 ** 53).toString(int(2, 36)), parseFloat(String(f)), String(f)].join(" "))]);
	const d = new Date(int(-1e13, 1e13));
	out.push(["date " + +d, [d.toISOString(), d.toString(), d.toUTCString(), d.toJSON(), d.getDay(), d.toDateString(), d.toTimeString()].join(" ")]);
	const s = pick(["2024-01-01", "2024-01-01T00:00:00", "2024-01-01T10:00:00Z", "2024-01-01T10:00:00+02:00", "2024-01-01 10:00", "Jan 1, 2024", "1 January 2024 10:00 PST", "Mon, 01 Jan 2024 10:00:00 GMT", "2024/02/30", "2024-1-1", "01/02/2024", "2024", "x", "2024-01-01T25:00", "Tue Mar 01 2022 00:00:00 GMT+0100 (CET)", "12:30", "2024-06-31", "2024-W01", "+012024-01-01T00:00:00Z", "20240101", "2024-01-01T10:00:00.123456Z", "2024-01-01T10:00:00+0200", "2024-01", "2024-01-01T10", "1/2/24", "Jan 2024", "2024-01-01T10:00:00 Z", "Thu, 01 Jan 1970 00:00:00 +0100", "2024-01-01T24:00:00Z", "2024.01.02", "May 5 2024 3:04 pm", "2024-02-29T12:00:00-08:00", "1704067200000"]);
	if (i < 200) out.push(["parse " + s, String(Date.parse(s))]);
}
return out;
