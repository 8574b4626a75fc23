// Runs bundles of functions in Node, over recorded answers of providers: the
// judge of what the sandbox makes of the same bundles. It is fed one JSON object
// per line, {"name", "bundle", "fixture"}, and answers each with {"output"} or
// {"error"}. The nango object here is a small one of its own, so that it does
// not repeat mistakes of the one that is judged.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const require = createRequire(pathToFileURL(process.argv[2] + "/"));

class ActionError extends Error {
	constructor(payload) {
		super("ActionError");
		this.name = "ActionError";
		this.payload = payload;
	}
}

const kinds = { createAction: "action", createSync: "sync", createOnEvent: "onEvent" };
const sdk = { ActionError, ...Object.fromEntries(Object.entries(kinds).map(([f, type]) => [f, (d) => ({ ...d, type })])) };

const load = (bundle) => {
	const module = { exports: {} };
	new Function("module", "exports", "require", bundle)(module, module.exports, (name) => (name === "linkspan" || name === "nango" ? sdk : require(name)));
	return module.exports.default;
};

const at = (value, path) => (path ? path.split(".").reduce((v, key) => v?.[key], value) : value);

function put(target, path, value) {
	const keys = path.split(".");
	const last = keys.pop();
	keys.reduce((t, k) => (t[k] ??= {}), target)[last] = value;
}

/** A nango object that knows only what was recorded. */
function replay(fixture, input) {
	const proxy = async (method, config) => {
		const url = new URL(config.endpoint, "http://provider/");
		const params = [...url.searchParams];
		for (const [k, v] of Object.entries(config.params ?? {})) for (const one of [v].flat()) if (one !== undefined) params.push([k, String(one)]);
		const path = url.pathname.replace(/^\//, "");
		const recorded = fixture.api?.[method.toLowerCase()] ?? {};
		const entries = [recorded[path] ?? recorded["/" + path] ?? []].flat();
		const text = (pairs) => JSON.stringify(pairs.map(([k, v]) => [k, String(v)]).sort());
		const data = (v) => (typeof v === "string" ? v : JSON.stringify(v));
		const entry = entries.find(({ request }) => {
			if (!request) return entries.length === 1;
			if (request.params && text(Object.entries(request.params)) !== text(params)) return false;
			return request.data === undefined || data(request.data) === data(config.data);
		});
		if (!entry) throw new Error(`nothing recorded for ${method} ${path} ${text(params)} ${data(config.data)}`);
		const headers = Object.fromEntries(Object.entries(entry.headers ?? {}).map(([k, v]) => [k.toLowerCase(), v]));
		return { data: structuredClone(entry.response), status: entry.status ?? 200, headers };
	};
	async function* paginate(config) {
		const p = config.paginate;
		const method = config.method ?? "GET";
		const inBody = ["POST", "PUT", "PATCH"].includes(method);
		const call = { ...config, params: { ...config.params }, data: inBody ? structuredClone(config.data ?? {}) : config.data };
		const set = (name, value) => (inBody ? put(call.data, name, value) : (call.params[name] = value));
		if (p.limit && p.limit_name_in_request) set(p.limit_name_in_request, p.limit);
		let offset = p.offset_start_value ?? 0;
		for (;;) {
			if (p.type === "offset") set(p.offset_name_in_request, inBody ? offset : String(offset));
			const response = await proxy(method, call);
			const page = at(response.data, p.response_path) ?? [];
			if (p.type === "cursor") {
				if (page.length === 0) return;
				yield page;
				const next = at(response.data, p.cursor_path_in_response);
				if (!next) return;
				set(p.cursor_name_in_request, next);
			} else if (p.type === "link") {
				yield page;
				const next = p.link_rel_in_response_header
					? response.headers.link?.split(",").find((l) => l.includes(`rel="${p.link_rel_in_response_header}"`))?.match(/<([^>]+)>/)[1]
					: at(response.data, p.link_path_in_response_body);
				if (!next) return;
				call.endpoint = next;
				call.params = {};
			} else {
				if (page.length === 0) return;
				yield page;
				if (page.length < p.limit) return;
				offset += p.offset_calculation_method === "per-page" ? 1 : page.length;
			}
		}
	}
	const verbs = Object.fromEntries(["get", "post", "put", "patch", "delete"].map((m) => [m, (config) => proxy(m, config)]));
	return {
		...verbs,
		input,
		paginate,
		ActionError,
		log: async () => {},
		getConnection: async () => fixture.nango?.getConnection,
		getMetadata: async () => fixture.nango?.getMetadata ?? {},
		zodValidateInput: async ({ zodSchema, input }) => zodSchema.safeParse(input),
	};
}

for await (const line of createInterface({ input: process.stdin })) {
	const { bundle, fixture } = JSON.parse(line);
	let answer;
	try {
		const main = load(bundle);
		const nango = replay(fixture, fixture.input);
		const output = await (typeof main === "function" ? main : main.exec)(nango, fixture.input);
		answer = { output: output === undefined ? null : output };
	} catch (e) {
		answer = { error: e.name === "ActionError" ? { action: e.payload } : { name: e.name, message: e.message } };
	}
	process.stdout.write(JSON.stringify(answer) + "\n");
}
