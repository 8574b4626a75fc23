// Runs bundles of functions in Node, over recorded answers of providers: the
// judge of what the sandbox makes of the same bundles. It is fed one JSON object
// per line, {"name", "kind", "models", "bundle", "fixture"}, and answers each with
// {"output"} or {"error"}. The output of a sync is what it called and left behind:
// {"calls", "records", "checkpoint"}. The nango object here is a small one of its own, so that it does
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

/** A record as it is compared: what was done to it, and what it holds. */
const plain = (r) => [r.action, r.fields];

const merge = (a, b) => {
	const isObject = (v) => v !== null && typeof v === "object" && !Array.isArray(v);
	const out = { ...a };
	for (const [k, v] of Object.entries(b)) out[k] = isObject(v) && isObject(out[k]) ? merge(out[k], v) : v;
	return out;
};

/** The records and the checkpoint of a sync, in memory. */
class Cache {
	models = {};
	calls = [];
	clock = 0;
	checkpointUsed = false;
	constructor(names, given) {
		for (const name of names) this.models[name] = { rows: new Map(), windows: {}, unless: undefined };
		for (const [model, list] of Object.entries(given.records ?? {})) for (const r of list) this.put(model, r, "BEFORE", "before");
		for (const [model, ids] of Object.entries(given.tracking ?? {})) this.of(model).windows.tracked = new Set(ids);
		this.checkpoint = given.checkpoint ?? null;
		this.checkpointUsed = this.checkpoint !== null;
	}
	of(model) {
		if (!this.models[model]) throw new Error(`the model ${model} is not declared`);
		return this.models[model];
	}
	put(model, fields, action, by) {
		this.of(model).rows.set(fields.id, { fields, action, by, at: ++this.clock });
	}
	/** Applies a batch; change decides about each record. */
	batch(name, list, model, change) {
		const m = this.of(model);
		if (list.length > 0) this.calls.push(`${name} ${model} ${list.length}`);
		for (const given of JSON.parse(JSON.stringify(list))) {
			const { _nango_metadata, ...r } = { ...given, id: String(given.id) };
			const old = m.rows.get(r.id);
			const mine = old === undefined || m.unless === undefined || old.by === "run" || old.at <= m.unless;
			change(r, old, mine, () => Object.values(m.windows).forEach((seen) => seen.add(r.id)));
		}
		return true;
	}
	save(list, model, by = "run") {
		return this.batch(by === "run" ? "batchSave" : "webhook", list, model, (r, old, mine, see) => {
			see();
			if (!old || (old.action === "DELETED" && mine)) this.put(model, r, "ADDED", by);
			else if (mine && !same(old.fields, r)) this.put(model, r, "UPDATED", by);
		});
	}
	update(list, model) {
		return this.batch("batchUpdate", list, model, (r, old, mine, see) => {
			if (!old || old.action === "DELETED" || !mine) return;
			see();
			const next = merge(old.fields, r);
			if (!same(old.fields, next)) this.put(model, next, "UPDATED", "run");
		});
	}
	delete(list, model) {
		return this.batch("batchDelete", list, model, (r, old, mine) => {
			if (old && old.action !== "DELETED" && mine) this.put(model, old.fields, "DELETED", "run");
		});
	}
	sweep(name, model, window) {
		const m = this.of(model);
		this.calls.push(`${name} ${model}`);
		if (!m.windows[window]) throw new Error(`No track deletes starting point found for model '${model}'.`);
		const gone = [...m.rows.values()].filter((r) => r.action !== "DELETED" && !m.windows[window].has(r.fields.id)).map((r) => r.fields);
		for (const fields of gone) this.put(model, fields, "DELETED", "run");
		delete m.windows[window];
		return { deletedKeys: gone.map((r) => r.id).sort() };
	}
	read(r) {
		return { ...r.fields, _nango_metadata: { last_action: r.action, deleted_at: r.action === "DELETED" ? "then" : null, cursor: String(r.at) } };
	}
	result() {
		const records = {};
		for (const [model, m] of Object.entries(this.models)) records[model] = Object.fromEntries([...m.rows].map(([id, r]) => [id, plain(r)]));
		return { calls: this.calls, records, checkpoint: this.checkpoint };
	}
	/** The members of the nango object that only syncs have. */
	members(given) {
		const save = async (list, model) => this.save(list, model);
		const byIds = async (ids, model) => {
			const found = ids.map((id) => [id, this.of(model).rows.get(String(id))]).filter(([, r]) => r && r.action !== "DELETED");
			return new Map(found.map(([id, r]) => [id, this.read(r)]));
		};
		return {
			variant: given.variant ?? "base",
			lastSyncDate: given.lastSync === undefined ? undefined : new Date(given.lastSync),
			batchSave: save,
			batchSend: save,
			batchUpdate: async (list, model) => this.update(list, model),
			batchDelete: async (list, model) => this.delete(list, model),
			getRecordsByIds: byIds,
			getRecordsById: byIds,
			listRecords: async function* (model) {
				const rows = [...this.of(model).rows.values()].sort((a, b) => a.at - b.at);
				for (const r of rows) yield this.read(r);
			}.bind(this),
			setMergingStrategy: async ({ strategy }, model) => {
				if (strategy === "ignore_if_modified_after") this.of(model).unless ??= this.clock;
			},
			trackDeletesStart: async (model) => {
				this.calls.push(`trackDeletesStart ${model}`);
				this.of(model).windows.tracked ??= new Set();
			},
			trackDeletesEnd: async (model) => this.sweep("trackDeletesEnd", model, "tracked"),
			deleteRecordsFromPreviousExecutions: async (model) => this.sweep("deleteUnseen", model, "run"),
			getCheckpoint: async () => this.checkpoint,
			saveCheckpoint: async (c) => {
				this.calls.push("saveCheckpoint");
				this.checkpoint = JSON.parse(JSON.stringify(c));
				this.checkpointUsed = true;
			},
			clearCheckpoint: async () => {
				this.calls.push("clearCheckpoint");
				this.checkpoint = null;
			},
		};
	}
}

const sorted = (v) => (Array.isArray(v) ? v.map(sorted) : v !== null && typeof v === "object" ? Object.fromEntries(Object.keys(v).sort().map((k) => [k, sorted(v[k])])) : v);
const same = (a, b) => JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));

/** Runs a sync, or its onWebhook, and says what it left behind. */
async function runSync(main, models, fixture) {
	const { getCheckpoint: checkpoint, lastSyncDate: lastSync, variant } = fixture.nango ?? {};
	const given = { ...fixture.sync, checkpoint, lastSync, variant };
	const cache = new Cache(models, given);
	const nango = { ...replay(fixture, undefined, cache), ...cache.members(given) };
	if (fixture.webhook !== undefined) {
		await main.onWebhook(nango, fixture.webhook);
		return cache.result();
	}
	for (const m of Object.values(cache.models)) m.windows.run = new Set();
	await main.exec(nango);
	if (main.trackDeletes && !cache.checkpointUsed) for (const model of models) cache.sweep("deleteUnseen", model, "run");
	return cache.result();
}

/** A nango object that knows only what was recorded. */
function replay(fixture, input, cache) {
	const proxy = async (method, config) => {
		const url = new URL(config.endpoint, "http://provider/");
		const params = [...url.searchParams];
		for (const [k, v] of Object.entries(config.params ?? {})) for (const one of [v].flat()) if (one !== undefined) params.push([k, String(one)]);
		const path = url.pathname.replace(/^\//, "");
		const recorded = fixture.api?.[method.toLowerCase()] ?? {};
		const entries = [recorded[path] ?? recorded["/" + path] ?? []].flat();
		const text = (pairs) => JSON.stringify(pairs.map(([k, v]) => [k, String(v)]).sort());
		const data = (v) => (typeof v === "string" ? v : JSON.stringify(v));
		if (cache) {
			const query = params.map(([k, v]) => `${k}=${v}`).sort().join("&");
			cache.calls.push([method.toUpperCase(), path + (query && "?" + query), config.data && data(config.data)].filter(Boolean).join(" "));
			for (const [model, list] of Object.entries(fixture.sync?.meanwhile ?? {})) cache.save(list, model, "webhook");
			delete fixture.sync?.meanwhile;
		}
		const entry = entries.find(({ request }) => {
			if (!request) return entries.length === 1;
			if (request.params && text(Object.entries(request.params)) !== text(params)) return false;
			return request.data === undefined || data(request.data) === data(config.data);
		});
		if (!entry) throw new Error(`nothing recorded for ${method} ${path} ${text(params)} ${data(config.data)}`);
		const headers = Object.fromEntries(Object.entries(entry.headers ?? {}).map(([k, v]) => [k.toLowerCase(), v]));
		const response = { data: structuredClone(entry.response), status: entry.status ?? 200, headers };
		if (response.status >= 300) throw Object.assign(new Error(`Request failed with status code ${response.status}`), { response });
		return response;
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
	const { bundle, kind, models, fixture } = JSON.parse(line);
	let answer;
	try {
		const main = load(bundle);
		let output;
		if (kind === "sync") {
			output = await runSync(main, models, fixture);
		} else {
			output = await (typeof main === "function" ? main : main.exec)(replay(fixture, fixture.input), fixture.input);
		}
		answer = { output: output === undefined ? null : output };
	} catch (e) {
		answer = { error: e.name === "ActionError" ? { action: e.payload } : { name: e.name, message: e.message } };
	}
	process.stdout.write(JSON.stringify(answer) + "\n");
}
