// The mode "run": executes a function (wire contract §11.2).
import { addMode } from "../modes";
import { makeNango, type Start } from "./nango";
import type { Records } from "./records";
import { limit, triggerOf } from "./unified";

/** What a kind of function exports as its type. */
const types = { sync: "sync", action: "action", "on-event": "onEvent" } as const;

type Exec = (nango: unknown, input?: unknown) => unknown;

/** Finds what to execute in the exports of a bundle. */
function execOf(exports: any, start: Start): (nango: Record<string, any>) => unknown {
	const main = exports?.default;
	const unified = main?.type === "function";
	if ("webhook" in start && !unified) return webhookOf(exports, start);
	// A plain function: its input is also in nango.input.
	if (typeof main === "function") return (nango) => (main as Exec)(nango, start.input);
	if (main === null || typeof main !== "object") throw new Error("Invalid script exports");
	if (main.type !== types[start.kind] && !unified) throw new Error(`Incorrect script loaded for ${start.kind}`);
	if (typeof main.exec !== "function") throw new Error("Missing exec function");
	if (unified) return (nango) => main.exec(limit(nango, main), triggerOf(start));
	if (start.kind === "action") return (nango) => main.exec(nango, start.input);
	return (nango) => main.exec(nango);
}

/** Finds what takes a provider's webhooks. */
function webhookOf(exports: any, start: Start): (nango: Record<string, any>) => unknown {
	const main = exports?.default;
	if (typeof main === "function") {
		const receive = exports.onWebhookPayloadReceived;
		if (typeof receive !== "function") throw new Error("Missing onWebhook function");
		return (nango) => (receive as Exec)(nango, start.webhook);
	}
	if (main === null || typeof main !== "object") throw new Error("Invalid script exports");
	if (main.type !== "sync") throw new Error("Incorrect script loaded for webhook");
	if (typeof main.onWebhook !== "function") throw new Error("Missing onWebhook function");
	return (nango) => main.onWebhook(nango, start.webhook);
}

/** Ends the run of a sync: whatever was saved is there, and what is gone is deleted. */
async function finish(start: Start, records: Records): Promise<void> {
	await records.settled();
	if (start.sync?.track_deletes !== true || "webhook" in start) return;
	for (const model of start.sync.models) await records.deleteOutdated(model, true);
}

addMode("run", async (exports, params) => {
	const start = params as Start;
	const exec = execOf(exports, start);
	const { nango, records } = makeNango(start);
	const output = await exec(nango);
	if (records !== undefined) await finish(start, records);
	if (start.kind === "on-event") return undefined;
	if (start.kind === "sync") return true;
	if (typeof output === "function" || typeof output === "symbol") {
		throw new TypeError(`The action returned a ${typeof output}, which JSON can't hold.`);
	}
	return output;
});
