// nango.log and nango.setLogger (features SDK-04, SDK-05, SDK-31).
import { note } from "../bridge";

const order = { debug: 0, info: 1, warn: 2, error: 3, off: 4 } as const;

/** The levels of messages, and "off" for none of them. */
export type Level = keyof typeof order;

/** Reads a level, also by its older names. */
export function levelOf(name: unknown): Level | undefined {
	if (typeof name !== "string") return undefined;
	switch (name) {
		case "verbose":
		case "silly":
			return "debug";
		case "http":
			return "info";
	}
	return Object.hasOwn(order, name) ? (name as Level) : undefined;
}

const maxText = 10_000;

/** Keeps messages of a level and those that weigh more. */
export class Logger {
	#level: Level;

	constructor(level: Level) {
		this.#level = level;
	}

	/** Changes the level. Once off, it stays off. */
	set(level: unknown): void {
		const next = levelOf(level);
		if (next === undefined) throw new TypeError("The level is one of debug, info, warn, error and off.");
		if (this.#level !== "off") this.#level = next;
	}

	/** Takes what nango.log takes: a message, maybe more, maybe options. */
	log(args: unknown[]): void {
		const rest = [...args];
		let level: Level = "info";
		const asked = rest.length > 1 ? optionsIn(rest[rest.length - 1]) : undefined;
		if (asked !== undefined) {
			level = asked;
			rest.pop();
		}
		if (order[level] < order[this.#level] || level === "off") return;
		const [message, ...payload] = rest;
		let text = typeof message === "string" ? message : show(message);
		if (text.length > maxText) text = `${text.slice(0, maxText)}…`;
		note("log", { level, text, payload: payload.length === 0 ? undefined : plain(payload.length === 1 ? payload[0] : payload) });
	}
}

/** The level in the options of a message; undefined when they are none. */
function optionsIn(last: unknown): Level | undefined {
	if (last === null || typeof last !== "object" || Object.keys(last).length !== 1) return undefined;
	return levelOf((last as { level?: unknown }).level);
}

function show(value: unknown): string {
	if (value instanceof Error) return `${value.name}: ${value.message}`;
	const json = plain(value);
	return typeof json === "string" ? json : (JSON.stringify(json) ?? String(value));
}

/** A value as JSON can hold it: logging never throws. */
function plain(value: unknown): unknown {
	if (value instanceof Error) return { name: value.name, message: value.message, stack: value.stack };
	const above: unknown[] = [];
	try {
		const text = JSON.stringify(value, function (this: unknown, _key, member: unknown) {
			while (above.length > 0 && above[above.length - 1] !== this) above.pop();
			if (typeof member === "bigint") return `${member}n`;
			if (member instanceof Error) return { name: member.name, message: member.message };
			if (member !== null && typeof member === "object") {
				if (above.includes(member)) return "[Circular]";
				above.push(member);
			}
			return member;
		});
		return text === undefined ? String(value) : JSON.parse(text);
	} catch {
		return "[a value that can't be shown]";
	}
}
