// What a program says of itself: the mode "describe" turns what it exports into
// plain data, with its schemas as JSON Schema. Nothing is judged here but what
// JSON can't carry: the tool that asked checks the rest, and knows the files.
import * as zod from "zod";
import { addMode } from "./modes";
import { require } from "./modules";

/** Something in a definition that can't be. */
interface Flaw {
	/** The member of the definition, such as "input" or "models.Contact". */
	field: string;
	message: string;
}

/** JSON Schema, as far as it is looked into here. */
type Schema = { [key: string]: unknown };

interface Params {
	integration: string;
	name: string;
	kind: string;
}

/** Tells zod's schemas from everything else. */
function isSchema(value: unknown): value is zod.ZodType {
	return typeof value === "object" && value !== null && "_zod" in value;
}

function isObject(value: unknown): value is Record<string, unknown> {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The definitions of one function, and what is wrong with them. */
class Definitions {
	readonly all: Record<string, Schema> = {};
	readonly flaws: Flaw[] = [];

	/** Adds a schema under a name, and returns the name; undefined when there is no schema. */
	add(field: string, name: string, schema: unknown): string | undefined {
		if (schema === undefined || schema === null) return undefined;
		const json = this.convert(field, schema);
		if (json !== undefined) this.hoist(name, json);
		return name;
	}

	/** Turns a schema into JSON Schema; undefined when that can't be. */
	convert(field: string, schema: unknown): Schema | undefined {
		if (!isSchema(schema)) {
			const old = isObject(schema) && "_def" in schema;
			this.flaw(field, old ? "is a schema of an older zod than version 4: import zod from \"zod\" and remove other copies" : "must be a zod schema, such as z.object({ … })");
			return undefined;
		}
		if (schema._zod.def.type === "void") return { type: "null" };
		try {
			const written = zod.toJSONSchema(schema, {
				target: "draft-7",
				unrepresentable: "any",
				override: ({ zodSchema, jsonSchema }) => {
					// Dates arrive as text: everything goes through JSON.
					if (zodSchema._zod.def.type === "date") Object.assign(jsonSchema, { type: "string", format: "date-time" });
				},
			});
			// A copy is what JSON can carry, and nothing else.
			const json = JSON.parse(JSON.stringify(written)) as Schema;
			delete json.$schema;
			delete json["~standard"];
			return json;
		} catch (e) {
			this.flaw(field, `can't be written as JSON Schema: ${e instanceof Error ? e.message : String(e)}`);
			return undefined;
		}
	}

	flaw(field: string, message: string): void {
		this.flaws.push({ field, message });
	}

	/**
	 * Puts a schema among the definitions. Those that it brings along become
	 * definitions of their own, for references count from the whole document.
	 */
	private hoist(name: string, json: Schema): void {
		const inner = (json.definitions ?? {}) as Record<string, Schema>;
		delete json.definitions;
		const names = new Map<string, string>();
		for (const key of Object.keys(inner)) names.set(key, this.free(name, key, inner[key]!));
		const point = (value: unknown): void => {
			if (Array.isArray(value)) return value.forEach(point);
			if (!isObject(value)) return;
			for (const [key, member] of Object.entries(value)) {
				if (key !== "$ref" || typeof member !== "string") point(member);
				else if (member === "#") value.$ref = `#/definitions/${name}`;
				else if (member.startsWith("#/definitions/")) {
					const target = member.slice("#/definitions/".length);
					value.$ref = `#/definitions/${names.get(target) ?? target}`;
				}
			}
		};
		point(json);
		this.all[name] = json;
		for (const [key, schema] of Object.entries(inner)) {
			point(schema);
			this.all[names.get(key)!] = schema;
		}
	}

	/** A name for a schema that another one brings along. */
	private free(owner: string, name: string, schema: Schema): string {
		const taken = this.all[name];
		const same = taken !== undefined && JSON.stringify(taken) === JSON.stringify(schema);
		// Names such as "__schema0" count anew in every schema.
		if (!name.startsWith("__") && name !== owner && (taken === undefined || same)) return name;
		return `${owner}_${name.replace(/^_+/, "")}`;
	}
}

/** The part of definitions' names that says whose they are. */
function suffix(p: Params): string {
	return `${p.integration.replace(/[^a-zA-Z0-9]/g, "_")}_${p.name.replace(/[^a-zA-Z0-9]/g, "")}`;
}

/** Whether every value that a model allows is an object with an id. */
function hasId(schema: unknown): boolean {
	if (!isSchema(schema)) return false;
	const def = schema._zod.def as unknown as Record<string, unknown>;
	switch (def.type) {
		case "object":
			return "id" in (def.shape as object);
		case "union":
			return (def.options as unknown[]).every(hasId);
		case "intersection":
			return hasId(def.left) || hasId(def.right);
		case "lazy":
			return hasId((def.getter as () => unknown)());
		case "pipe":
			return hasId(def.out);
		case "readonly":
		case "default":
		case "prefault":
		case "catch":
			return hasId(def.innerType);
		case "any":
		case "unknown":
			return true;
		default:
			return false;
	}
}

/** The members that are passed on as they are. */
const plainMembers = [
	"type", "description", "version", "frequency", "autoStart", "syncType", "trackDeletes",
	"endpoints", "endpoint", "scopes", "event", "webhookSubscriptions",
] as const;

function describe(definition: unknown, p: Params): unknown {
	if (typeof definition === "function") return { plain: true };
	if (!isObject(definition)) return { missing: definition === undefined };
	const d = new Definitions();
	const out: Record<string, unknown> = { plain: false, hasOnWebhook: typeof definition.onWebhook === "function" };
	for (const member of plainMembers) out[member] = definition[member];
	if (typeof definition.exec !== "function") d.flaw("exec", "must be a function, such as async (nango) => { … }");
	if (definition.onWebhook !== undefined && !out.hasOnWebhook) d.flaw("onWebhook", "must be a function, such as async (nango, payload) => { … }");
	if (definition.type === "action") {
		out.input = d.add("input", `ActionInput_${suffix(p)}`, definition.input);
		const output = d.add("output", `ActionOutput_${suffix(p)}`, definition.output);
		out.models = output === undefined ? [] : [output];
	} else if (definition.type === "sync") {
		out.models = models(d, "models", definition.models);
		out.input = d.add("metadata", `SyncMetadata_${suffix(p)}`, definition.metadata);
	}
	if (definition.type === "function") unified(d, definition, p, out);
	else if (definition.checkpoint !== undefined) out.checkpoint = d.convert("checkpoint", definition.checkpoint);
	if (Object.keys(d.all).length > 0) out.schema = { definitions: d.all };
	out.flaws = d.flaws;
	return out;
}

/** What createFunction takes: its schemas are named by what they are for, its models by their author. */
function unified(d: Definitions, definition: Record<string, unknown>, p: Params, out: Record<string, unknown>): void {
	for (const member of ["trigger", "requires", "limits"]) out[member] = definition[member];
	out.input = d.add("input", `FunctionInput_${suffix(p)}`, definition.input);
	out.output = d.add("output", `FunctionOutput_${suffix(p)}`, definition.output);
	out.models = [];
	const data = definition.data ?? {};
	if (!isObject(data) || isSchema(data)) return d.flaw("data", "must be an object of models, metadata and checkpoint");
	if (data.models !== undefined) out.models = models(d, "data.models", data.models);
	out.metadata = d.add("data.metadata", `FunctionMetadata_${suffix(p)}`, data.metadata);
	out.checkpointName = d.add("data.checkpoint", `FunctionCheckpoint_${suffix(p)}`, data.checkpoint);
	if (out.checkpointName !== undefined) out.checkpoint = d.all[out.checkpointName as string];
}

function models(d: Definitions, member: string, models: unknown): string[] {
	if (!isObject(models) || isSchema(models)) {
		d.flaw(member, "must be an object of schemas, such as { Contact: z.object({ id: z.string() }) }");
		return [];
	}
	for (const [name, schema] of Object.entries(models)) {
		const field = `${member}.${name}`;
		if (d.add(field, name, schema) === undefined) d.flaw(field, "must be a zod schema, such as z.object({ id: z.string() })");
		else if (isSchema(schema) && !hasId(schema)) d.flaw(field, "must be an object with the property id, which tells records apart: add id: z.string()");
	}
	return Object.keys(models);
}

addMode("describe", (exports, params: Params) => describe(exports?.default, params));

// Which of some modules programs can require.
addMode("modules", (_exports, params: { names: string[] }) => ({
	modules: params.names.filter((name) => {
		try {
			require(name);
			return true;
		} catch {
			return false;
		}
	}),
	zod: `${zod.core.version.major}.${zod.core.version.minor}.${zod.core.version.patch}`,
}));
