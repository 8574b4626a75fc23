// What is other in trials: runs that are none in earnest, such as replays of
// recordings.
import type { ProxyConfig } from "./http";
import { type Params, query } from "./params";
import { URLSearchParams } from "../platform/url";

/** What the host says of a trial when it starts one. */
export interface Trial {
	/** Replays: what is no success is returned, and input is taken as it is. */
	lenient: boolean;
	/** What members of the nango object return in place of what they do. */
	returns?: Record<string, unknown>;
}

/** What a call was made of before it was written as a request. */
export interface Given {
	endpoint: string;
	/** A query, or an object of values. */
	params?: unknown;
	data?: unknown;
}

/** Tells the host of a trial what a call was made of: recordings go by that. */
export function given(config: ProxyConfig): Given {
	return { endpoint: String(config.endpoint), params: readable(config.params), data: plain(config.data) };
}

function readable(params: Params | undefined): unknown {
	return typeof params === "string" || params instanceof URLSearchParams ? query(params) : plain(params);
}

/** A value as JSON has it; undefined for what JSON can't hold. */
function plain(value: unknown): unknown {
	try {
		const text = JSON.stringify(value);
		return text === undefined ? undefined : JSON.parse(text);
	} catch {
		return undefined;
	}
}

/** Members that are the function's output: they stay what they are. */
const outputs = new Set(["batchSave", "batchSend", "batchUpdate", "batchDelete"]);

/** Puts what the trial says in place of members of the nango object. */
export function override(nango: Record<string, any>, trial: Trial | undefined): void {
	for (const [name, value] of Object.entries(trial?.returns ?? {})) {
		if (outputs.has(name) || !Object.hasOwn(nango, name) || typeof nango[name] !== "function") continue;
		const text = JSON.stringify(value);
		const copy = (): unknown => JSON.parse(text);
		if (name === "listRecords" || name === "paginate") {
			nango[name] = async function* (): AsyncGenerator<unknown, undefined, void> {
				const all = copy();
				yield* Array.isArray(all) ? all : [];
				return undefined;
			};
			continue;
		}
		nango[name] = async (): Promise<unknown> => copy();
	}
}
