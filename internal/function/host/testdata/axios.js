// Calls that axios and the nango object have to make alike. "send" takes what
// nango.proxy takes. Left out is where the nango object is meant to differ: it sends
// of a view the view and not the whole buffer, numbers and booleans as text, and says
// no type of a body that there is not.
const bytes = new Uint8Array([0, 255, 97, 98]);
const requests = [
	...[
		{ a: 1 }, { a: "x y&z=ü+%/?#[]" }, { a: null, b: undefined, c: "" }, { a: [] }, { a: {} }, { a: [1, "b", null, undefined, false] }, { a: [[1, [2]], { b: 3 }] }, { "a[]": [1] }, { "a{}": { b: 1 } },
		{ a: { b: { c: [1, { d: 2 }] } } }, { d: new Date(0) }, { d: { e: new Date(1e12) } }, { t: true, f: false, n: 0, m: -0, o: 1e21, p: NaN, q: Infinity }, { "k y": 1, "é": 2, "a.b": 3, "a[b]": 4 }, { s: "a:b$c,d@e!f'g(h)i*j~k" }, { n: 9007199254740993n },
		new URLSearchParams("a=1&a=2&b=c d"), { u: new URL("http://h/p?q") }, { e: "" }, { " a ": 1 }, { a: { toString: () => "x" } }, { s: new Set([1]), m: new Map([[1, 2]]) }, { a: "😀" }, { a: Object.create({ inherited: 1 }, { own: { value: 2, enumerable: true } }) },
	].map((params) => ["params", { endpoint: "/echo", params }]),
	["params behind a query", { endpoint: "/echo?x=1", params: { y: 2 } }],
	["params behind a fragment", { endpoint: "/echo#f", params: { y: 2 } }],
	["params behind a mark", { endpoint: "/echo?", params: { y: 2 } }],
	["space and umlaut in the endpoint", { endpoint: "/echo/a b/ü?x=ä" }],
	...[
		{ a: 1, b: undefined, c: null, d: new Date(0), e: [undefined, () => 1] }, [], [1, { a: 2 }], {}, "text", '{"a":1}', " [1] ", new URLSearchParams("a=1&b= c"), Buffer.from("bytes"), bytes, bytes.buffer, new Uint16Array([1, 2]), new Date(0), Object.assign(Object.create(null), { a: 1 }), { toJSON: () => ({ b: 2 }) },
	].flatMap((data) => [undefined, "application/json", "application/json;charset=utf-8", "application/vnd.api+json", "application/x-www-form-urlencoded", "text/plain", "application/xml"].map((type) => ["data " + type, { method: "POST", endpoint: "/echo", data, headers: type && { "Content-Type": type } }])),
	...["PUT", "PATCH", "DELETE"].flatMap((method) => [{ a: 1 }, ...(method === "DELETE" ? [] : ["t"])].map((data) => [method, { method, endpoint: "/echo", data }])),
	...[{ a: [1, 2], b: { c: [{ d: 1 }] }, e: null, f: undefined, g: true, h: new Date(0), "i[]": [1], "j{}": { k: 1 }, l: "ü &=+'()~!*" }, { a: [] }, {}].map((data) => ["form", { method: "POST", endpoint: "/echo", data, headers: { "content-type": "application/x-www-form-urlencoded" } }]),
	["headers", { endpoint: "/echo", headers: { "X-Custom": 5, "X-Null": null, "X-Undefined": undefined, "X-False": false, "X-True": true, "X-List": ["a", "b"], "x-empty": "" } }],
];
const answers = ["json", "list", "number", "null", "string", "true", "empty", "bom", "broken", "text", "html", "binary", "latin", "cookies", "nothing", "big", "duplicate"];
const types = [undefined, "json", "text", "arraybuffer", "document"];
const shown = (v) => Buffer.isBuffer(v) ? "Buffer " + v.toString("hex") : v === undefined ? "undefined" : v;
const out = [];
const add = async (label, config, pick) => {
	let result;
	try {
		result = pick(await send(config));
	} catch (e) {
		result = ["throws", e.name, e.message, e.code, e.isAxiosError, e.status, e.response && [e.response.status, shown(e.response.data), e.response.headers["content-type"], e.response.config.method], e instanceof Error, Object.keys(JSON.parse(JSON.stringify(e))).sort(), typeof e.config?.headers, e.config?.method, e.request !== undefined, e.cause !== undefined];
	}
	out.push([label + " " + JSON.stringify(config, (k, v) => typeof v === "bigint" ? v + "n" : v), result]);
};
for (const [label, config] of requests) await add(label, config, (r) => r.data);
for (const path of answers)
	for (const responseType of types)
		await add("answer", { endpoint: "/" + path, responseType }, (r) => [typeof r.data, shown(r.data), r.status, r.statusText, r.headers["content-type"], r.headers["set-cookie"], r.headers["X-None"], r.headers.get("Content-Type"), r.headers.has("x-twice"), r.headers["x-twice"], r.headers["x-name"], typeof r.headers.toJSON(), r.config.method, typeof r.request, Object.keys(r).sort()]);
for (const status of [400, 401, 404, 409, 418, 422, 429, 500, 503])
	for (const kind of ["json", "text", "none"]) await add("failure", { endpoint: `/status/${status}/${kind}` }, (r) => r.status);
for (const status of [201, 202, 204, 304]) await add("status", { endpoint: `/status/${status}/json` }, (r) => [r.status, r.statusText, r.data]);
await add("failure as bytes", { endpoint: "/status/400/json", responseType: "arraybuffer" }, (r) => r.status);
return out;
