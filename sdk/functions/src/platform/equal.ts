// Deep equality, as util.isDeepStrictEqual and assert.deepEqual have it.

function sameKeys(a: object, b: object, strict: boolean): PropertyKey[] | undefined {
	const keys = (o: object): PropertyKey[] => [...Object.keys(o), ...(strict ? Object.getOwnPropertySymbols(o).filter((s) => Object.prototype.propertyIsEnumerable.call(o, s)) : [])];
	const ours = keys(a);
	return ours.length === keys(b).length && ours.every((key) => Object.prototype.propertyIsEnumerable.call(b, key)) ? ours : undefined;
}

function equalSets(a: Set<unknown>, b: Set<unknown>, equal: (x: unknown, y: unknown) => boolean): boolean {
	if (a.size !== b.size) return false;
	const rest = new Set([...b].filter((item) => !a.has(item)));
	for (const item of a) {
		if (b.has(item)) continue;
		const match = [...rest].find((other) => equal(item, other));
		if (match === undefined && !rest.has(undefined)) return false;
		rest.delete(match);
	}
	return rest.size === 0;
}

function equalMaps(a: Map<unknown, unknown>, b: Map<unknown, unknown>, equal: (x: unknown, y: unknown) => boolean): boolean {
	if (a.size !== b.size) return false;
	const rest = new Map([...b].filter(([key]) => !a.has(key)));
	for (const [key, value] of a) {
		if (b.has(key)) {
			if (!equal(value, b.get(key))) return false;
			continue;
		}
		const match = [...rest].find(([k, v]) => equal(key, k) && equal(value, v));
		if (match === undefined) return false;
		rest.delete(match[0]);
	}
	return true;
}

function compare(a: any, b: any, strict: boolean, pairs: [unknown, unknown][]): boolean {
	if (strict ? Object.is(a, b) : a === b || (a !== a && b !== b)) return true;
	const object = (v: any) => typeof v === "object" && v !== null;
	if (!object(a) || !object(b)) return !strict && !object(a) && !object(b) && typeof a !== "function" && typeof b !== "function" && a == b;
	if (strict && Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
	if (Object.prototype.toString.call(a) !== Object.prototype.toString.call(b)) return false;
	if (Array.isArray(a) !== Array.isArray(b) || (Array.isArray(a) && a.length !== (b as unknown[]).length)) return false;
	if (a instanceof Date && !(b instanceof Date && a.getTime() === b.getTime())) return false;
	if (a instanceof RegExp && !(b instanceof RegExp && String(a) === String(b) && a.lastIndex === b.lastIndex)) return false;
	if (a instanceof Error && (a.message !== b.message || a.name !== b.name)) return false;
	for (const Class of [Number, String, Boolean, BigInt, Symbol]) if (a instanceof Class && !(b instanceof Class && Object.is(a.valueOf(), b.valueOf()))) return false;
	if (a instanceof WeakMap || a instanceof WeakSet || a instanceof Promise) return false;
	if (ArrayBuffer.isView(a as unknown) || a instanceof ArrayBuffer) {
		const bytes = (v: any) => (ArrayBuffer.isView(v) ? new Uint8Array(v.buffer, v.byteOffset, v.byteLength) : new Uint8Array(v));
		const [x, y] = [bytes(a), bytes(b)];
		if (x.length !== y.length || x.some((byte, i) => byte !== y[i])) return false;
	}
	if (pairs.some(([x, y]) => x === a && y === b)) return true;
	pairs.push([a, b]);
	const equal = (x: unknown, y: unknown) => compare(x, y, strict, pairs);
	try {
		if (a instanceof Set && !(b instanceof Set && equalSets(a, b, equal))) return false;
		if (a instanceof Map && !(b instanceof Map && equalMaps(a, b, equal))) return false;
		return sameKeys(a, b, strict)?.every((key) => equal(a[key], b[key])) ?? false;
	} finally {
		pairs.pop();
	}
}

/** Whether two values are equal in every part, by Object.is and with prototypes. */
export function isDeepStrictEqual(a: unknown, b: unknown): boolean {
	return compare(a, b, true, []);
}

/** Whether two values are equal in every part, by ==. */
export function isDeepEqual(a: unknown, b: unknown): boolean {
	return compare(a, b, false, []);
}
