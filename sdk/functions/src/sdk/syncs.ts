// nango.triggerSync and nango.startSync: other syncs of the environment.
import { from, type NangoError } from "./errors";
import { ask, misuse } from "./http";

/** A sync by its name, "name::variant", or both apart. */
interface Ref {
	name: string;
	variant?: string;
}

function refOf(method: string, value: unknown, site: Error): Ref {
	if (typeof value === "string" && value !== "") {
		const at = value.indexOf("::");
		return at < 0 ? { name: value } : { name: value.slice(0, at), variant: value.slice(at + 2) };
	}
	const { name, variant } = (value ?? {}) as { name?: unknown; variant?: unknown };
	if (typeof name !== "string" || name === "" || (variant !== undefined && typeof variant !== "string")) {
		throw refused(`nango.${method} takes the name of a sync, such as "issues" or "issues::variant", or an object of name and variant.`, site);
	}
	return { name, variant };
}

function refused(message: string, site: Error): NangoError {
	return from(misuse("invalid_body", message), site);
}

/** The first two or three arguments: an integration, and a connection if any. */
function place(method: string, integration: unknown, connection: unknown, site: Error): { integration: string; connection?: string } {
	if (typeof integration !== "string" || integration === "") throw refused(`nango.${method} needs the integration's key (providerConfigKey).`, site);
	if (connection === undefined || connection === null || connection === "") return { integration };
	if (typeof connection !== "string") throw refused(`The connection of nango.${method} must be a string.`, site);
	return { integration, connection };
}

/** What older callers say in place of options (features SYNC-07). */
const modes = new Map<unknown, { reset?: boolean; emptyCache?: boolean }>([
	[undefined, {}],
	[null, {}],
	[false, {}],
	[true, { reset: true }],
	["incremental", {}],
	["full_refresh", { reset: true }],
	["full_refresh_and_clear_cache", { reset: true, emptyCache: true }],
]);

/** (integration, connection, sync, options): runs a sync once. */
export async function triggerSync([integration, connection, sync, options]: unknown[], site: Error): Promise<{ success: true }> {
	const where = place("triggerSync", integration, connection, site);
	const syncs = [refOf("triggerSync", sync, site)];
	const how = modes.get(options) ?? (typeof options === "object" ? (options as { reset?: unknown; emptyCache?: unknown }) : undefined);
	if (how === undefined) throw refused("The options of nango.triggerSync are an object of reset and emptyCache.", site);
	await ask("sync_trigger", { ...where, syncs, reset: how.reset === true, empty: how.emptyCache === true }, site);
	return { success: true };
}

/** (integration, syncs, connection): starts the schedules of syncs. */
export async function startSync([integration, syncs, connection]: unknown[], site: Error): Promise<{ success: true }> {
	const where = place("startSync", integration, connection, site);
	if (!Array.isArray(syncs)) throw refused("nango.startSync takes a list of syncs.", site);
	await ask("sync_start", { ...where, syncs: syncs.map((sync) => refOf("startSync", sync, site)) }, site);
	return { success: true };
}
