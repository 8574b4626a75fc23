// The functions of the module url that are older than the class URL.
import { coded, wrongType } from "./host";
import { querystring } from "./querystring";
import { domainToASCII, domainToUnicode, URL, URLSearchParams } from "./url";

const slashed = new Set(["http:", "https:", "ftp:", "gopher:", "file:", "ws:", "wss:"]);
const hostless = new Set(["javascript:"]);

/** What url.parse returns. */
export class Url {
	protocol: string | null = null;
	slashes: boolean | null = null;
	auth: string | null = null;
	host: string | null = null;
	port: string | null = null;
	hostname: string | null = null;
	hash: string | null = null;
	search: string | null = null;
	query: string | Record<string, unknown> | null = null;
	pathname: string | null = null;
	path: string | null = null;
	href = "";
	format(): string {
		return formatURL(this);
	}
	resolve(to: string): string {
		return resolve(this.href, to);
	}
	resolveObject(to: string): Url {
		return parse(resolve(this.href, to), false, true);
	}
}

const escaped: Record<string, string> = { "\t": "%09", "\n": "%0A", "\r": "%0D", " ": "%20", '"': "%22", "'": "%27", "<": "%3C", ">": "%3E", "\\": "%5C", "^": "%5E", "`": "%60", "{": "%7B", "|": "%7C", "}": "%7D" };

function parse(address: unknown, parseQuery = false, slashesDenoteHost = false): Url {
	if (address instanceof Url) return address;
	if (typeof address !== "string") throw wrongType("url", "of type string", address);
	const url = new Url();
	let rest = address.trim();
	// Backslashes before the query are slashes.
	const split = /[?#]/.exec(rest)?.index ?? rest.length;
	rest = rest.slice(0, split).replaceAll("\\", "/") + rest.slice(split);
	const scheme = /^[a-z0-9.+-]+:/i.exec(rest)?.[0];
	const lower = scheme?.toLowerCase();
	if (scheme !== undefined) {
		url.protocol = lower!;
		rest = rest.slice(scheme.length);
	}
	const slashes = rest.startsWith("//");
	if (slashes && (slashesDenoteHost || scheme !== undefined || /^\/\/[^@/]+@[^@/]+/.test(rest)) && !(lower !== undefined && hostless.has(lower))) {
		rest = rest.slice(2);
		url.slashes = true;
	}
	if (!hostless.has(lower ?? "") && (url.slashes || (lower !== undefined && !slashed.has(lower)))) rest = parseHost(url, rest);
	if (lower === undefined || !hostless.has(lower)) rest = rest.replace(/[\t\n\r "'<>\\^`{|}]/g, (c) => escaped[c]!);
	const hash = rest.indexOf("#");
	if (hash >= 0) {
		url.hash = rest.slice(hash);
		rest = rest.slice(0, hash);
	}
	const question = rest.indexOf("?");
	if (question >= 0) {
		url.search = rest.slice(question);
		url.query = rest.slice(question + 1);
		if (parseQuery) url.query = querystring.parse(url.query as string);
		rest = rest.slice(0, question);
	} else if (parseQuery) {
		url.search = null;
		url.query = Object.create(null) as Record<string, unknown>;
	}
	if (rest !== "") url.pathname = rest;
	if (lower !== undefined && slashed.has(lower) && url.hostname && !url.pathname) url.pathname = "/";
	if (url.pathname || url.search) url.path = (url.pathname ?? "") + (url.search ?? "");
	url.href = formatURL(url);
	return url;
}

/** Takes the authority off the text. */
function parseHost(url: Url, text: string): string {
	const end = /[/?#]/.exec(text)?.index ?? text.length;
	let authority = text.slice(0, end);
	const at = authority.lastIndexOf("@");
	if (at >= 0) {
		try {
			url.auth = decodeURIComponent(authority.slice(0, at));
		} catch {
			throw coded("Error", "ERR_INVALID_URL", "URI malformed");
		}
		authority = authority.slice(at + 1);
	}
	const port = /:([0-9]*)$/.exec(authority);
	if (port !== null) {
		if (port[1] !== "") url.port = port[1]!;
		authority = authority.slice(0, port.index);
	}
	let hostname = authority.toLowerCase();
	const ipv6 = hostname.startsWith("[") && hostname.endsWith("]");
	if (!ipv6 && hostname !== "") {
		const ascii = /^[a-z0-9.\-_]*$/.test(hostname) ? hostname : domainToASCII(hostname);
		if (ascii === "") throw coded("TypeError", "ERR_INVALID_URL", "Invalid URL");
		hostname = ascii;
	}
	url.host = hostname + (url.port === null ? "" : `:${url.port}`);
	url.hostname = ipv6 ? hostname.slice(1, -1) : hostname;
	return text.slice(end);
}

interface FormatOptions {
	auth?: boolean;
	fragment?: boolean;
	search?: boolean;
	unicode?: boolean;
}

function formatURL(value: any, options?: FormatOptions): string {
	if (typeof value === "string") return formatURL(parse(value));
	if (value instanceof URL) return formatModern(value, options);
	if (typeof value !== "object" || value === null) throw wrongType("urlObject", "one of type object or string", value);
	const auth = value.auth ? `${encodeURIComponent(value.auth).replace(/%3A/i, ":")}@` : "";
	let protocol: string = value.protocol || "";
	if (protocol !== "" && !protocol.endsWith(":")) protocol += ":";
	let host = "";
	if (value.host) host = auth + value.host;
	else if (value.hostname) host = auth + (value.hostname.includes(":") && !value.hostname.startsWith("[") ? `[${value.hostname}]` : value.hostname) + (value.port ? `:${value.port}` : "");
	let query = "";
	if (typeof value.query === "object" && value.query !== null) query = querystring.stringify(value.query);
	let search: string = value.search || (query === "" ? "" : `?${query}`);
	let pathname: string = (value.pathname || "").replace(/[?#]/g, (c: string) => encodeURIComponent(c));
	if (value.slashes || ((protocol === "" || slashed.has(protocol)) && host !== "")) {
		if (value.slashes || host !== "") {
			if (pathname !== "" && !pathname.startsWith("/")) pathname = `/${pathname}`;
			host = `//${host}`;
		}
	} else if (host === "" && slashed.has(protocol) && protocol === "file:") {
		host = "//";
	}
	let hash: string = value.hash || "";
	if (hash !== "" && !hash.startsWith("#")) hash = `#${hash}`;
	if (search !== "" && !search.startsWith("?")) search = `?${search}`;
	search = search.replaceAll("#", "%23");
	return protocol + host + pathname + search + hash;
}

function formatModern(url: URL, options: FormatOptions = {}): string {
	const { auth = true, fragment = true, search = true, unicode = false } = options;
	let text = url.protocol;
	if (url.host !== "" || url.protocol === "file:") {
		text += "//";
		if (auth && (url.username !== "" || url.password !== "")) text += `${url.username}${url.password === "" ? "" : `:${url.password}`}@`;
		text += unicode ? domainToUnicode(url.hostname) + (url.port === "" ? "" : `:${url.port}`) : url.host;
	}
	return text + url.pathname + (search ? url.search : "") + (fragment ? url.hash : "");
}

/** Resolves like a browser; both may be relative. */
function resolve(from: string, to: string): string {
	const marker = "resolve:";
	const relative = !/^[a-z][a-z0-9.+-]*:/i.test(from);
	if (/^[a-z][a-z0-9.+-]*:/i.test(to)) return formatURL(parse(to));
	if (!relative) {
		try {
			return new URL(to, from).href;
		} catch {
			return to;
		}
	}
	const rooted = from.startsWith("/") || to.startsWith("/");
	const resolved = new URL(to, new URL(from, `${marker}//host/`));
	if (resolved.protocol !== marker) return resolved.href;
	const path = resolved.pathname + resolved.search + resolved.hash;
	if (from.startsWith("//") || to.startsWith("//")) return `//${resolved.host}${path}`;
	return rooted ? path : path.slice(1);
}

function urlToHttpOptions(url: URL): Record<string, unknown> {
	const options: Record<string, unknown> = {
		protocol: url.protocol,
		hostname: url.hostname.startsWith("[") ? url.hostname.slice(1, -1) : url.hostname,
		hash: url.hash,
		search: url.search,
		pathname: url.pathname,
		path: url.pathname + url.search,
		href: url.href,
	};
	if (url.port !== "") options.port = Number(url.port);
	if (url.username || url.password) options.auth = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
	return options;
}

/** The module url. */
export const url = {
	parse,
	format: formatURL,
	resolve,
	resolveObject: (from: string, to: string) => parse(resolve(from, to), false, true),
	Url,
	URL,
	URLSearchParams,
	domainToASCII,
	domainToUnicode,
	urlToHttpOptions,
};
