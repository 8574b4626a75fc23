// The module querystring.
import { decodeUTF8, encodeUTF8 } from "./text";
import { percentDecode } from "./url";

function escape(text: unknown): string {
	const plain = typeof text === "string" ? text : typeof text === "object" ? String(text) : `${text as string}`;
	return encodeURIComponent(plain);
}

function unescape(text: string): string {
	try {
		return decodeURIComponent(text);
	} catch {
		return decodeUTF8(percentDecode(encodeUTF8(text)));
	}
}

function primitive(value: unknown): string {
	switch (typeof value) {
		case "string":
			return value;
		case "number":
			return Number.isFinite(value) ? String(value) : "";
		case "bigint":
		case "boolean":
			return String(value);
		default:
			return "";
	}
}

type Escape = { encodeURIComponent?: (text: string) => string };
type Unescape = { decodeURIComponent?: (text: string) => string; maxKeys?: number };

function stringify(values: unknown, separator?: string, equals?: string, options?: Escape): string {
	if (typeof values !== "object" || values === null) return "";
	const encode = options?.encodeURIComponent ?? querystring.escape;
	const eq = equals || "=";
	return Object.entries(values)
		.flatMap(([name, value]) => (Array.isArray(value) ? value : [value]).map((item) => encode(name) + eq + encode(primitive(item))))
		.join(separator || "&");
}

function parse(text: unknown, separator?: string, equals?: string, options?: Unescape): Record<string, string | string[]> {
	const values: Record<string, string | string[]> = Object.create(null);
	if (typeof text !== "string" || text === "") return values;
	const decode = (part: string) => {
		const spaced = part.replaceAll("+", " ");
		try {
			return (options?.decodeURIComponent ?? querystring.unescape)(spaced);
		} catch {
			return unescape(spaced);
		}
	};
	const eq = equals || "=";
	let parts = text.split(separator || "&");
	const limit = options?.maxKeys ?? 1000;
	if (limit > 0) parts = parts.slice(0, limit);
	for (const part of parts) {
		if (part === "") continue;
		const at = part.indexOf(eq);
		const name = decode(at < 0 ? part : part.slice(0, at));
		const value = at < 0 ? "" : decode(part.slice(at + eq.length));
		const known = values[name];
		if (known === undefined) values[name] = value;
		else if (Array.isArray(known)) known.push(value);
		else values[name] = [known, value];
	}
	return values;
}

/** The module querystring. */
export const querystring = { parse, stringify, escape, unescape, decode: parse, encode: stringify };
