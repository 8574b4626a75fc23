// Headers of the Fetch standard.

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

function nameOf(name: unknown): string {
	const text = String(name);
	if (!token.test(text)) throw new TypeError(`Headers: "${text}" is an invalid header name.`);
	return text.toLowerCase();
}

function valueOf(value: unknown): string {
	const text = String(value).replace(/^[\t\n\r ]+|[\t\n\r ]+$/g, "");
	if (/[\0\n\r]|[^\x00-\xff]/.test(text)) throw new TypeError(`Headers: "${text}" is an invalid header value.`);
	return text;
}

export class Headers {
	readonly #values = new Map<string, string[]>();
	constructor(init?: unknown) {
		if (init === undefined) return;
		if (typeof init !== "object" || init === null) throw new TypeError("Headers: the argument must be headers, a list of pairs or an object.");
		if (Symbol.iterator in init) {
			for (const pair of init as Iterable<Iterable<unknown>>) {
				const items = [...pair];
				if (items.length !== 2) throw new TypeError("Headers: each pair must have a name and a value.");
				this.append(items[0], items[1]);
			}
			return;
		}
		for (const [name, value] of Object.entries(init)) this.append(name, value);
	}
	append(name: unknown, value: unknown): void {
		const key = nameOf(name);
		const known = this.#values.get(key);
		if (known === undefined) this.#values.set(key, [valueOf(value)]);
		else known.push(valueOf(value));
	}
	set(name: unknown, value: unknown): void {
		this.#values.set(nameOf(name), [valueOf(value)]);
	}
	get(name: unknown): string | null {
		return this.#values.get(nameOf(name))?.join(", ") ?? null;
	}
	getSetCookie(): string[] {
		return [...(this.#values.get("set-cookie") ?? [])];
	}
	has(name: unknown): boolean {
		return this.#values.has(nameOf(name));
	}
	delete(name: unknown): void {
		this.#values.delete(nameOf(name));
	}
	forEach(callback: (value: string, name: string, headers: Headers) => void, self?: unknown): void {
		for (const [name, value] of this) callback.call(self, value, name, this);
	}
	// Sorted by name; cookies one by one, as the standard says.
	*entries(): IterableIterator<[string, string]> {
		for (const name of [...this.#values.keys()].sort()) {
			const values = this.#values.get(name);
			if (values === undefined) continue;
			if (name === "set-cookie") for (const value of values) yield [name, value];
			else yield [name, values.join(", ")];
		}
	}
	*keys(): IterableIterator<string> {
		for (const [name] of this.entries()) yield name;
	}
	*values(): IterableIterator<string> {
		for (const [, value] of this.entries()) yield value;
	}
	[Symbol.iterator](): IterableIterator<[string, string]> {
		return this.entries();
	}
	get [Symbol.toStringTag](): string {
		return "Headers";
	}
	[Symbol.for("nodejs.util.inspect.custom")](depth: number, options: any, inspect: any): string {
		return `Headers ${inspect(Object.fromEntries(this), options)}`;
	}
}
