// Left out: characters beyond ASCII in base64 and hex, of which Node takes the low bytes; Latin 1 of TextDecoder, which Node 20 reads as ISO 8859-1 instead of Windows-1252.
const out = [];
const encodings = ["utf8", "utf-8", "UTF8", "latin1", "binary", "ascii", "hex", "base64", "base64url", "utf16le", "ucs2", "ucs-2"];
const show = v => Buffer.isBuffer(v) ? v.toString("hex") : typeof v === "bigint" ? v + "n" : typeof v === "number" ? String(v) : v instanceof Uint8Array ? [...v] : v;
const add = (what, f) => out.push([what, tried(() => { const v = f(); return v === undefined ? "undefined" : show(v); })]);
const place = () => pick([undefined, 0, 1, -1, -3, 2, 5, 100, -100, NaN, 1.7, "2", null]);
const names = ["UInt8", "Int8", "UInt16LE", "UInt16BE", "Int16LE", "Int16BE", "UInt32LE", "UInt32BE", "Int32LE", "Int32BE", "FloatLE", "FloatBE", "DoubleLE", "DoubleBE"];
for (let i = 0; i < n; i++) {
	const e = pick(encodings), t = draw() < 0.5 ? text(0, 20) : bytes(0, 20).toString(pick(["base64", "hex", "base64url", "latin1"])) + pick(["", "", "=", "==", "\n", "z", "a=b"]), b = bytes(0, 40), c = bytes(0, 4);
	if (/^(?:base64|hex|ucs|utf16)/.test(e) && /[^\0-\x7f]/.test(t)) continue;
	add(`from ${e} ${JSON.stringify(t)}`, () => Buffer.from(t, e));
	add(`byteLength ${e} ${JSON.stringify(t)}`, () => Buffer.byteLength(t, e));
	const [x, y, z] = [place(), place(), place()];
	add(`toString ${e} ${x} ${y} ${b.toString("hex")}`, () => b.toString(e, x, y));
	add(`slice ${x} ${y}`, () => b.slice(x, y));
	add(`subarray ${x} ${y}`, () => b.subarray(x, y));
	if (e !== "utf16le" && !e.startsWith("ucs")) add(`indexOf ${x} ${JSON.stringify(t)} ${e}`, () => b.indexOf(t.slice(0, 1), x, e));
	if (e !== "utf16le" && !e.startsWith("ucs")) add(`lastIndexOf ${x} ${e}`, () => b.lastIndexOf(t.slice(0, 1), x, e));
	const part = b.subarray(int(0, 40), int(0, 40)), byte = int(-300, 300);
	add(`indexOf bytes ${x} ${part.toString("hex")} in ${b.toString("hex")}`, () => b.indexOf(part, x));
	add(`lastIndexOf bytes ${x} ${part.toString("hex")} in ${b.toString("hex")}`, () => b.lastIndexOf(part, x));
	add(`indexOf byte ${byte} ${x}`, () => [b.indexOf(byte, x), b.lastIndexOf(byte, x), b.includes(byte, x)]);
	add(`write ${JSON.stringify(t)} ${x} ${y} ${e}`, () => { const d = Buffer.alloc(12, 1); return [d.write(t, ...[x, y].filter(v => typeof v !== "string" && v !== null), e), d.toString("hex")]; });
	add(`fill ${JSON.stringify(t)} ${x} ${y} ${e}`, () => { const d = Buffer.alloc(12, 1); return d.fill(t, x, y, e); });
	add(`fill bytes ${x} ${y}`, () => Buffer.alloc(9, 1).fill(c, x, y));
	add(`alloc fill ${e} ${JSON.stringify(t)}`, () => Buffer.alloc(7, t, e));
	add(`copy ${x} ${y} ${z}`, () => { const d = Buffer.alloc(12, 1); return [b.copy(d, x, y, z), d.toString("hex")]; });
	add(`compare ${x} ${y}`, () => [Buffer.compare(b, c), b.compare(c, x, y), b.equals(c)]);
	add(`concat ${x}`, () => Buffer.concat([b, c, part], x ?? undefined));
	const name = pick(names), at = int(-1, 12), value = pick([0, 1, -1, 127, 128, 255, 256, -129, 65535, 65536, 2 ** 31, -(2 ** 31), 2 ** 32, 1.5, -1.5, NaN, Infinity, 3.4e38, 1e300, "7"]);
	add(`read${name} ${at}`, () => bytesFixed()[`read${name}`](at));
	add(`write${name} ${value} ${at}`, () => { const d = Buffer.alloc(10); return [d[`write${name}`](value, at), d.toString("hex")]; });
	const size = int(0, 7), way = pick(["IntLE", "IntBE", "UIntLE", "UIntBE"]);
	add(`read${way} ${at} ${size}`, () => bytesFixed()[`read${way}`](at, size));
	add(`write${way} ${value} ${at} ${size}`, () => { const d = Buffer.alloc(10); return [d[`write${way}`](value, at, size), d.toString("hex")]; });
	add(`read big ${at}`, () => [bytesFixed().readBigInt64LE(at), bytesFixed().readBigUInt64BE(at)].map(String));
	add(`json`, () => JSON.stringify(Buffer.from(JSON.parse(JSON.stringify(c)))));
	add(`swap`, () => [tried(() => Buffer.from(b).swap16().toString("hex")), tried(() => Buffer.from(b).swap32().toString("hex"))]);
	add(`atob ${JSON.stringify(t)}`, () => atob(t));
	add(`btoa ${JSON.stringify(t)}`, () => btoa(t));
	add(`TextDecoder`, () => new TextDecoder("utf-8").decode(b));
	add(`TextEncoder ${JSON.stringify(t)}`, () => [...new TextEncoder().encode(t)].join());
	add(`from array`, () => Buffer.from([1.5, -1, 256, "3", NaN, x]));
	add("transcode", () => require("buffer").transcode(b, "latin1", pick(["utf8", "latin1", "ucs2"])));
}
function bytesFixed() { return Buffer.from("00ff80017f92a4c3e1", "hex"); }
return out;
