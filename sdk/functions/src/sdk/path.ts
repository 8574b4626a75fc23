// Paths into JSON, such as "meta.next" or "pages[0].id".

function parts(path: string): string[] {
	return path.split(/[.[\]]+/).filter((part) => part !== "");
}

const hasOwn = Object.prototype.hasOwnProperty;

/** Returns what a path leads to. A member that is called like the whole path wins. */
export function read(value: unknown, path: string): any {
	if (value !== null && typeof value === "object" && hasOwn.call(value, path)) return (value as any)[path];
	let at: any = value;
	for (const part of parts(path)) {
		if (at === null || at === undefined || !hasOwn.call(Object(at), part)) return undefined;
		at = at[part];
	}
	return at;
}

/** Returns a copy of an object with another value where the path leads. */
export function write(object: Record<string, any>, path: string, value: unknown): Record<string, any> {
	const names = hasOwn.call(object, path) ? [path] : parts(path);
	return writeAt(object, names, value);
}

function writeAt(object: Record<string, any>, names: string[], value: unknown): Record<string, any> {
	const [first, ...rest] = names;
	if (first === undefined) return object;
	const copy: Record<string, any> = Array.isArray(object) ? [...object] : { ...object };
	const inner = hasOwn.call(copy, first) ? copy[first] : undefined;
	const next = rest.length === 0 ? value : writeAt(inner !== null && typeof inner === "object" ? inner : {}, rest, value);
	Object.defineProperty(copy, first, { value: next, writable: true, enumerable: true, configurable: true });
	return copy as Record<string, any>;
}
