// Query strings and forms, written as axios writes them.

import { URLSearchParams } from "../platform/url";

type Pair = [name: string, value: unknown];

function isPlain(value: unknown): value is Record<string, unknown> {
	if (value === null || typeof value !== "object") return false;
	const proto = Object.getPrototypeOf(value);
	return proto === null || proto === Object.prototype || Object.getPrototypeOf(proto) === null;
}

function isVisitable(value: unknown): boolean {
	return Array.isArray(value) || isPlain(value);
}

function unbracketed(name: string): string {
	return name.endsWith("[]") ? name.slice(0, -2) : name;
}

function nameOf(path: string[], name: string): string {
	if (path.length === 0) return name;
	return [...path, name].map((part, i) => (i === 0 ? unbracketed(part) : `[${unbracketed(part)}]`)).join("");
}

/** Flattens an object into the fields of a form. */
export function fields(object: object): Pair[] {
	const out: Pair[] = [];
	const above: object[] = [];
	const visit = (value: object, path: string[]): void => {
		if (above.includes(value)) throw new Error(`Circular reference detected in ${path.join(".")}`);
		above.push(value);
		for (const [key, member] of Object.entries(value)) {
			if (member === undefined || member === null) continue;
			add(member, key.trim(), path);
		}
		above.pop();
	};
	const add = (member: unknown, name: string, path: string[]): void => {
		if (path.length === 0 && typeof member === "object" && name.endsWith("{}")) {
			out.push([name, JSON.stringify(member)]);
		} else if (path.length === 0 && Array.isArray(member) && (name.endsWith("[]") || !member.some(isVisitable))) {
			for (const element of member) {
				if (element !== undefined && element !== null) out.push([`${unbracketed(name)}[]`, plain(element)]);
			}
		} else if (isVisitable(member)) {
			visit(member as object, [...path, name]);
		} else {
			out.push([nameOf(path, name), plain(member)]);
		}
	};
	visit(object, []);
	return out;
}

/** What a value is in a form: dates as ISO 8601; files and bytes as they are. */
function plain(value: unknown): unknown {
	return value instanceof Date ? value.toISOString() : value;
}

function encodeQuery(value: unknown): string {
	return encodeURIComponent(String(value)).replace(/%3A/gi, ":").replace(/%24/g, "$").replace(/%2C/gi, ",").replace(/%20/g, "+");
}

function encodeForm(value: unknown): string {
	return encodeURIComponent(String(value))
		.replace(/[!'()~]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
		.replace(/%20/g, "+");
}

/** The params of a call. */
export type Params = string | URLSearchParams | Record<string, unknown>;

/** Writes params as a query without "?". */
export function query(params: Params | undefined | null): string {
	if (params === undefined || params === null) return "";
	if (typeof params === "string") return params.replace(/^[?&]+/, "");
	if (params instanceof URLSearchParams) return params.toString();
	if (typeof params !== "object") throw new TypeError("params must be an object or a string.");
	return fields(params)
		.map(([name, value]) => `${encodeQuery(name)}=${encodeQuery(value)}`)
		.join("&");
}

/** Writes an object as application/x-www-form-urlencoded. */
export function form(object: object): string {
	return fields(object)
		.map(([name, value]) => `${encodeForm(name)}=${encodeForm(value)}`)
		.join("&");
}

/** Sets one parameter, whatever form the params have. */
export function withParam(params: Params | undefined, name: string, value: string | number): Params {
	if (params === undefined || params === null) return { [name]: value };
	if (typeof params !== "string" && !(params instanceof URLSearchParams)) return { ...params, [name]: value };
	const others = query(params)
		.split("&")
		.filter((part) => part !== "" && nameIn(part) !== name);
	return [...others, `${encodeQuery(name)}=${encodeQuery(value)}`].join("&");
}

function nameIn(part: string): string {
	const name = part.split("=", 1)[0] ?? "";
	try {
		return decodeURIComponent(name.replace(/\+/g, " "));
	} catch {
		return name;
	}
}
