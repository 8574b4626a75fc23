// The modules assert and assert/strict.
import { isDeepEqual, isDeepStrictEqual } from "./equal";
import { wrongType } from "./host";
import { inspect } from "./inspect";

interface Details {
	message?: string | undefined;
	actual?: unknown;
	expected?: unknown;
	operator?: string;
}

export class AssertionError extends Error {
	readonly code = "ERR_ASSERTION";
	readonly generatedMessage: boolean;
	readonly actual: unknown;
	readonly expected: unknown;
	readonly operator: string | undefined;
	constructor(details: Details) {
		super(details.message ?? `${inspect(details.actual)} ${details.operator} ${inspect(details.expected)}`);
		this.name = "AssertionError";
		this.generatedMessage = details.message === undefined;
		this.actual = details.actual;
		this.expected = details.expected;
		this.operator = details.operator;
	}
}

const titles: Record<string, string> = {
	strictEqual: "Expected values to be strictly equal:",
	deepStrictEqual: "Expected values to be strictly deep-equal:",
	deepEqual: "Expected values to be loosely deep-equal:",
	notStrictEqual: 'Expected "actual" to be strictly unequal to:',
	notDeepStrictEqual: 'Expected "actual" not to be strictly deep-equal to:',
	notDeepEqual: 'Expected "actual" not to be loosely deep-equal to:',
};

function check(passed: boolean, message: unknown, operator: string, actual: unknown, expected: unknown): void {
	if (passed) return;
	if (message instanceof Error) throw message;
	const title = titles[operator];
	const shown = operator.startsWith("not") ? inspect(expected) : `${inspect(actual)} !== ${inspect(expected)}`;
	const generated = title === undefined ? `${inspect(actual)} ${operator} ${inspect(expected)}` : `${title}\n\n${shown}\n`;
	const error = new AssertionError({ message: message === undefined ? generated : String(message), actual, expected, operator });
	if (message === undefined) Object.defineProperty(error, "generatedMessage", { value: true, enumerable: true });
	throw error;
}

function ok(value?: unknown, message?: unknown): void {
	check(Boolean(value), message ?? "The expression evaluated to a falsy value", "==", value, true);
}

type Expected = RegExp | Function | Error | Record<string, unknown> | undefined;

/** Whether what was thrown is what was expected; throws when it is not. */
function matches(thrown: any, expected: Expected, message: unknown): void {
	if (expected === undefined) return;
	if (expected instanceof RegExp) {
		check(expected.test(String(thrown)), message ?? `The input did not match the regular expression ${expected}. Input:\n\n${inspect(String(thrown))}\n`, "throws", thrown, expected);
		return;
	}
	if (typeof expected === "function") {
		if (expected.prototype !== undefined && thrown instanceof (expected as any)) return;
		if (expected === Error || Error.isPrototypeOf(expected)) throw thrown;
		check((expected as any).call({}, thrown) === true, message ?? "The validation function is expected to return \"true\".", "throws", thrown, expected);
		return;
	}
	const keys = expected instanceof Error ? ["name", "message", ...Object.keys(expected)] : Object.keys(expected);
	for (const key of keys) {
		const want = (expected as any)[key];
		const good = want instanceof RegExp && typeof thrown?.[key] === "string" ? want.test(thrown[key]) : isDeepStrictEqual(thrown?.[key], want);
		check(good, message, "throws", thrown, expected);
	}
}

function throws(run: () => unknown, expected?: Expected | string, message?: unknown): void {
	if (typeof run !== "function") throw wrongType("fn", "of type function", run);
	if (typeof expected === "string") [expected, message] = [undefined, expected];
	try {
		run();
	} catch (thrown) {
		return matches(thrown, expected as Expected, message);
	}
	check(false, message === undefined ? "Missing expected exception." : `Missing expected exception: ${String(message)}`, "throws", undefined, expected);
}

async function rejects(promise: any, expected?: Expected | string, message?: unknown): Promise<void> {
	if (typeof expected === "string") [expected, message] = [undefined, expected];
	try {
		await (typeof promise === "function" ? promise() : promise);
	} catch (thrown) {
		return matches(thrown, expected as Expected, message);
	}
	check(false, message === undefined ? "Missing expected rejection." : `Missing expected rejection: ${String(message)}`, "rejects", undefined, expected);
}

function unwanted(thrown: any, message: unknown, what: string): never {
	throw new AssertionError({ message: `Got unwanted ${what}${typeof message === "string" ? `: ${message}` : "."}\nActual message: "${thrown?.message}"`, actual: thrown, operator: "doesNotThrow" });
}

const common = {
	ok,
	throws,
	rejects,
	doesNotThrow(run: () => unknown, message?: unknown) {
		try {
			run();
		} catch (thrown) {
			unwanted(thrown, message, "exception");
		}
	},
	async doesNotReject(promise: any, message?: unknown) {
		try {
			await (typeof promise === "function" ? promise() : promise);
		} catch (thrown) {
			unwanted(thrown, message, "rejection");
		}
	},
	strictEqual: (a: unknown, b: unknown, message?: unknown) => check(Object.is(a, b), message, "strictEqual", a, b),
	notStrictEqual: (a: unknown, b: unknown, message?: unknown) => check(!Object.is(a, b), message, "notStrictEqual", a, b),
	deepStrictEqual: (a: unknown, b: unknown, message?: unknown) => check(isDeepStrictEqual(a, b), message, "deepStrictEqual", a, b),
	notDeepStrictEqual: (a: unknown, b: unknown, message?: unknown) => check(!isDeepStrictEqual(a, b), message, "notDeepStrictEqual", a, b),
	match: (text: string, pattern: RegExp, message?: unknown) => check(typeof text === "string" && pattern.test(text), message ?? `The input did not match the regular expression ${pattern}. Input:\n\n${inspect(text)}\n`, "match", text, pattern),
	doesNotMatch: (text: string, pattern: RegExp, message?: unknown) => check(!pattern.test(text), message ?? `The input was expected to not match the regular expression ${pattern}. Input:\n\n${inspect(text)}\n`, "doesNotMatch", text, pattern),
	ifError(value: unknown) {
		if (value !== null && value !== undefined) throw value;
	},
	fail(message?: unknown): never {
		if (message instanceof Error) throw message;
		throw new AssertionError({ message: message === undefined ? "Failed" : String(message), operator: "fail" });
	},
	AssertionError,
};

const loose = {
	equal: (a: unknown, b: unknown, message?: unknown) => check(a == b || (a !== a && b !== b), message, "==", a, b),
	notEqual: (a: unknown, b: unknown, message?: unknown) => check(!(a == b || (a !== a && b !== b)), message, "!=", a, b),
	deepEqual: (a: unknown, b: unknown, message?: unknown) => check(isDeepEqual(a, b), message, "deepEqual", a, b),
	notDeepEqual: (a: unknown, b: unknown, message?: unknown) => check(!isDeepEqual(a, b), message, "notDeepEqual", a, b),
};

function make(more: object): any {
	const assert = (value?: unknown, message?: unknown) => ok(value, message);
	return Object.assign(assert, common, more);
}

/** The module assert/strict. */
export const strict = make({ equal: common.strictEqual, notEqual: common.notStrictEqual, deepEqual: common.deepStrictEqual, notDeepEqual: common.notDeepStrictEqual });
strict.strict = strict;

/** The module assert. */
export const assert = make({ ...loose, strict });
