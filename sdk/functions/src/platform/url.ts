// URL and URLSearchParams of the WHATWG URL standard. The host parses and
// serializes; queries are read and written here.
import { coded, pure } from "./host";
import { decodeUTF8, encodeUTF8 } from "./text";

/** A USVString: lone surrogates become U+FFFD. */
function usv(value: unknown): string {
	return (String(value) as string & { toWellFormed(): string }).toWellFormed();
}

const plain = /^[A-Za-z0-9*\-._]*$/;

/** Writes a name or value of application/x-www-form-urlencoded. */
function encodeForm(text: string): string {
	if (plain.test(text)) return text;
	// encodeURIComponent leaves more characters as they are than forms do.
	return encodeURIComponent(text).replace(/%20|[!'()~]/g, (c) => (c === "%20" ? "+" : `%${c.charCodeAt(0).toString(16).toUpperCase()}`));
}

function decodeForm(text: string): string {
	const spaced = text.replaceAll("+", " ");
	if (!spaced.includes("%")) return spaced;
	try {
		return decodeURIComponent(spaced);
	} catch {
		return decodeUTF8(percentDecode(encodeUTF8(spaced)));
	}
}

function hexDigit(c: number): number {
	if (c >= 48 && c <= 57) return c - 48;
	const lower = c | 32;
	return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}

/** Decodes %XX, leaving alone what is malformed. */
export function percentDecode(bytes: Uint8Array): Uint8Array {
	const out = new Uint8Array(bytes.length);
	let n = 0;
	for (let i = 0; i < bytes.length; i++) {
		const high = bytes[i] === 37 && i + 2 < bytes.length ? hexDigit(bytes[i + 1]!) : -1;
		const low = high < 0 ? -1 : hexDigit(bytes[i + 2]!);
		if (low < 0) {
			out[n++] = bytes[i]!;
			continue;
		}
		out[n++] = high * 16 + low;
		i += 2;
	}
	return out.slice(0, n);
}

function parseForm(query: string): [string, string][] {
	const pairs: [string, string][] = [];
	for (const part of query.split("&")) {
		if (part === "") continue;
		const at = part.indexOf("=");
		if (at < 0) pairs.push([decodeForm(part), ""]);
		else pairs.push([decodeForm(part.slice(0, at)), decodeForm(part.slice(at + 1))]);
	}
	return pairs;
}

type Init = string | URLSearchParams | Iterable<Iterable<string>> | Record<string, unknown> | null | undefined;

// What binds a query to its URL without showing it to programs.
const bind = Symbol("bind");
const renew = Symbol("renew");

function need(count: number, ...names: string[]): void {
	if (count >= names.length) return;
	const list = names.map((name) => `"${name}"`).join(" and ");
	throw coded("TypeError", "ERR_MISSING_ARGS", `The ${list} argument${names.length > 1 ? "s" : ""} must be specified`);
}

export class URLSearchParams {
	#pairs: [string, string][] = [];
	#changed: (() => void) | undefined;

	constructor(init?: Init) {
		if (init === undefined || init === null) return;
		if (typeof init !== "object" && typeof init !== "function") {
			const text = usv(init);
			this.#pairs = parseForm(text.startsWith("?") ? text.slice(1) : text);
			return;
		}
		const iterator = (init as any)[Symbol.iterator];
		if (iterator === undefined || iterator === null) {
			for (const key of Reflect.ownKeys(init)) {
				const own = Reflect.getOwnPropertyDescriptor(init, key);
				if (own?.enumerable !== true || typeof key === "symbol") continue;
				const name = usv(key);
				const value = usv((init as Record<string, unknown>)[key]);
				const known = this.#pairs.find((pair) => pair[0] === name);
				if (known) known[1] = value;
				else this.#pairs.push([name, value]);
			}
			return;
		}
		if (typeof iterator !== "function") throw coded("TypeError", "ERR_ARG_NOT_ITERABLE", "Query pairs must be iterable");
		for (const pair of init as Iterable<Iterable<string>>) {
			if ((typeof pair !== "object" && typeof pair !== "function") || pair === null || typeof (pair as any)[Symbol.iterator] !== "function")
				throw coded("TypeError", "ERR_INVALID_TUPLE", "Each query pair must be an iterable [name, value] tuple");
			const items = [...pair];
			if (items.length !== 2) throw coded("TypeError", "ERR_INVALID_TUPLE", "Each query pair must be an iterable [name, value] tuple");
			this.#pairs.push([usv(items[0]), usv(items[1])]);
		}
	}

	[bind](changed: () => void): void {
		this.#changed = changed;
	}
	[renew](query: string): void {
		this.#pairs = parseForm(query);
	}

	get size(): number {
		return this.#pairs.length;
	}
	append(name: unknown, value: unknown): void {
		need(arguments.length, "name", "value");
		this.#pairs.push([usv(name), usv(value)]);
		this.#changed?.();
	}
	delete(name: unknown, value?: unknown): void {
		need(arguments.length, "name");
		const key = usv(name);
		const only = value === undefined ? undefined : usv(value);
		this.#pairs = this.#pairs.filter((pair) => pair[0] !== key || (only !== undefined && pair[1] !== only));
		this.#changed?.();
	}
	get(name: unknown): string | null {
		need(arguments.length, "name");
		const key = usv(name);
		return this.#pairs.find((pair) => pair[0] === key)?.[1] ?? null;
	}
	getAll(name: unknown): string[] {
		need(arguments.length, "name");
		const key = usv(name);
		return this.#pairs.filter((pair) => pair[0] === key).map((pair) => pair[1]);
	}
	has(name: unknown, value?: unknown): boolean {
		need(arguments.length, "name");
		const key = usv(name);
		const only = value === undefined ? undefined : usv(value);
		return this.#pairs.some((pair) => pair[0] === key && (only === undefined || pair[1] === only));
	}
	set(name: unknown, value: unknown): void {
		need(arguments.length, "name", "value");
		const key = usv(name);
		const first = this.#pairs.find((pair) => pair[0] === key);
		if (first === undefined) this.#pairs.push([key, usv(value)]);
		else {
			first[1] = usv(value);
			this.#pairs = this.#pairs.filter((pair) => pair === first || pair[0] !== key);
		}
		this.#changed?.();
	}
	sort(): void {
		this.#pairs.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
		this.#changed?.();
	}
	forEach(callback: (value: string, name: string, params: URLSearchParams) => void, self?: unknown): void {
		if (typeof callback !== "function") throw coded("TypeError", "ERR_INVALID_ARG_TYPE", 'The "callback" argument must be of type function.');
		for (const [name, value] of this) callback.call(self, value, name, this);
	}
	// By index, so that changes during the iteration are seen.
	*entries(): IterableIterator<[string, string]> {
		for (let i = 0; i < this.#pairs.length; i++) yield [...this.#pairs[i]!];
	}
	*keys(): IterableIterator<string> {
		for (let i = 0; i < this.#pairs.length; i++) yield this.#pairs[i]![0];
	}
	*values(): IterableIterator<string> {
		for (let i = 0; i < this.#pairs.length; i++) yield this.#pairs[i]![1];
	}
	[Symbol.iterator](): IterableIterator<[string, string]> {
		return this.entries();
	}
	toString(): string {
		return this.#pairs.map(([name, value]) => `${encodeForm(name)}=${encodeForm(value)}`).join("&");
	}
	get [Symbol.toStringTag](): string {
		return "URLSearchParams";
	}
	[Symbol.for("nodejs.util.inspect.custom")](depth: number, options: any, inspect: any): string {
		if (depth < 0) return "[Object]";
		const items = this.#pairs.map(([name, value]) => `${inspect(name, options)} => ${inspect(value, options)}`);
		return items.length === 0 ? "URLSearchParams {}" : `URLSearchParams { ${items.join(", ")} }`;
	}
}

type Members = [href: string, origin: string, protocol: string, username: string, password: string, hostname: string, port: string, pathname: string, search: string, hash: string];

function parse(url: string, base: string | undefined): Members {
	try {
		return pure("url.parse", { url, base });
	} catch (thrown) {
		const error = thrown as Error & { input?: string; base?: string };
		error.input = url;
		if (base !== undefined) error.base = base;
		throw error;
	}
}

// Those that createObjectURL would need are not here: there is nowhere to load from.
export class URL {
	#members: Members;
	#params: URLSearchParams | undefined;

	constructor(url: unknown, base?: unknown) {
		need(arguments.length, "url");
		this.#members = parse(usv(url), base === undefined ? undefined : usv(base));
	}
	static canParse(url: unknown, base?: unknown): boolean {
		need(arguments.length, "url");
		try {
			parse(usv(url), base === undefined ? undefined : usv(base));
			return true;
		} catch {
			return false;
		}
	}
	static parse(url: unknown, base?: unknown): URL | null {
		return URL.canParse(url, base) ? new URL(url, base) : null;
	}

	#set(part: string, value: unknown): void {
		this.#members = pure("url.set", { href: this.#members[0], part, value: usv(value) });
		if (part === "search") this.#params?.[renew](this.#members[8].slice(1));
	}

	get href(): string {
		return this.#members[0];
	}
	set href(value: unknown) {
		this.#members = parse(usv(value), undefined);
		this.#params?.[renew](this.#members[8].slice(1));
	}
	get origin(): string {
		return this.#members[1];
	}
	get protocol(): string {
		return this.#members[2];
	}
	set protocol(value: unknown) {
		this.#set("protocol", value);
	}
	get username(): string {
		return this.#members[3];
	}
	set username(value: unknown) {
		this.#set("username", value);
	}
	get password(): string {
		return this.#members[4];
	}
	set password(value: unknown) {
		this.#set("password", value);
	}
	get host(): string {
		const [, , , , , hostname, port] = this.#members;
		return port === "" ? hostname : `${hostname}:${port}`;
	}
	set host(value: unknown) {
		this.#set("host", value);
	}
	get hostname(): string {
		return this.#members[5];
	}
	set hostname(value: unknown) {
		this.#set("hostname", value);
	}
	get port(): string {
		return this.#members[6];
	}
	set port(value: unknown) {
		this.#set("port", value);
	}
	get pathname(): string {
		return this.#members[7];
	}
	set pathname(value: unknown) {
		this.#set("pathname", value);
	}
	get search(): string {
		return this.#members[8];
	}
	set search(value: unknown) {
		this.#set("search", value);
	}
	get hash(): string {
		return this.#members[9];
	}
	set hash(value: unknown) {
		this.#set("hash", value);
	}
	get searchParams(): URLSearchParams {
		if (this.#params === undefined) {
			const params = new URLSearchParams(this.#members[8].slice(1));
			params[bind](() => {
				this.#members = pure("url.set", { href: this.#members[0], part: "search", value: params.toString() });
			});
			this.#params = params;
		}
		return this.#params;
	}
	toString(): string {
		return this.#members[0];
	}
	toJSON(): string {
		return this.#members[0];
	}
	get [Symbol.toStringTag](): string {
		return "URL";
	}
	[Symbol.for("nodejs.util.inspect.custom")](depth: number, options: any, inspect: any): unknown {
		if (depth < 0) return this;
		const { href, origin, protocol, username, password, host, hostname, port, pathname, search, searchParams, hash } = this;
		const shown = { href, origin, protocol, username, password, host, hostname, port, pathname, search, searchParams, hash };
		return `URL ${inspect(shown, options)}`;
	}
}
for (const Class of [URL, URLSearchParams]) {
	// The standard's members are enumerable.
	for (const [name, own] of Object.entries(Object.getOwnPropertyDescriptors(Class.prototype))) {
		if (name !== "constructor") Object.defineProperty(Class.prototype, name, { ...own, enumerable: true });
	}
}

/** A domain as its ASCII form, the empty string for invalid ones. */
export function domainToASCII(domain: unknown): string {
	return pure("url.toASCII", String(domain));
}

/** A domain as people read it, the empty string for invalid ones. */
export function domainToUnicode(domain: unknown): string {
	return pure("url.toUnicode", String(domain));
}
