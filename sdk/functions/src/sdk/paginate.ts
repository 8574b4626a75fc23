// nango.paginate: lists read page by page (features PAG-01 to PAG-04).
import { URL } from "../platform/url";
import type { HttpResponse } from "./errors";
import { misuse, type ProxyConfig } from "./http";
import { withParam } from "./params";
import { read, write } from "./path";

/** How a list is paged: the provider's defaults under the call's own. */
export interface Pagination {
	type?: "cursor" | "link" | "offset";
	limit?: number | string;
	limit_name_in_request?: string;
	response_path?: string;
	in_body?: boolean;
	on_page?: (page: { nextPageParam: string | number | undefined; response: HttpResponse }) => unknown;
	cursor_path_in_response?: string;
	cursor_name_in_request?: string;
	link_rel_in_response_header?: string;
	link_path_in_response_body?: string;
	offset_name_in_request?: string;
	offset_start_value?: number | string;
	offset_calculation_method?: "per-page" | "by-response-size";
}

type Fetch = (config: ProxyConfig) => Promise<HttpResponse>;

/** Overlays a call's settings on the provider's and checks that they suffice. */
export function settings(defaults: Pagination | null, own: unknown): Pagination {
	if (own !== undefined && own !== null && typeof own !== "object") throw misuse("invalid_pagination", "paginate must be an object.");
	if (defaults === null && (own === undefined || own === null)) {
		throw misuse("pagination_not_configured", "There is no pagination for this provider: describe it in the call's paginate.");
	}
	const p: Pagination = { ...defaults, ...(own as Pagination | undefined) };
	const need = (...names: (keyof Pagination)[]): void => {
		if (names.some((name) => p[name])) return;
		throw misuse("invalid_pagination", `Pagination of type ${p.type} needs ${names.join(" or ")}.`);
	};
	switch (p.type) {
		case "cursor":
			need("cursor_name_in_request");
			need("cursor_path_in_response");
			if (p.limit) need("limit_name_in_request");
			break;
		case "link":
			need("link_rel_in_response_header", "link_path_in_response_body");
			break;
		case "offset":
			need("offset_name_in_request");
			break;
		default:
			throw misuse("invalid_pagination", `The type of pagination is ${JSON.stringify(p.type) ?? "missing"}; it must be cursor, link or offset.`);
	}
	return p;
}

/** Reads the pages. */
export async function* pages(config: ProxyConfig, p: Pagination, fetch: Fetch): AsyncGenerator<any[], undefined, void> {
	const method = String(config.method ?? "GET").toUpperCase();
	const inBody = p.in_body === true || method === "POST" || method === "PUT" || method === "PATCH";
	let call: ProxyConfig = { ...config, method };
	delete call.paginate;
	if (p.limit && p.limit_name_in_request) call = withValue(call, inBody, p.limit_name_in_request, p.limit);
	switch (p.type) {
		case "cursor":
			return yield* byCursor(call, p, inBody, fetch);
		case "link":
			return yield* byLink(call, p, fetch);
		default:
			return yield* byOffset(call, p, inBody, fetch);
	}
}

/** Sets a parameter where the request carries it. */
function withValue(call: ProxyConfig, inBody: boolean, name: string, value: string | number): ProxyConfig {
	if (!inBody) return { ...call, params: withParam(call.params, name, value) };
	const data = call.data ?? {};
	if (typeof data !== "object" || Array.isArray(data)) throw misuse("invalid_pagination", "The data of a paginated call must be an object: the page goes into it.");
	return { ...call, data: write(data as Record<string, any>, name, value) };
}

/** The items of an answer; undefined for none. */
function itemsOf(response: HttpResponse, p: Pagination): any[] | undefined {
	const items = p.response_path ? read(response.data, p.response_path) : response.data;
	if (Array.isArray(items)) return items.length > 0 ? items : undefined;
	if (items === null || typeof items !== "object" || Object.keys(items).length === 0) return undefined;
	const where = p.response_path ? `At ${p.response_path} of the answer` : "In the answer";
	throw misuse("invalid_pagination", `${where} is an object where a list is expected: set paginate.response_path.`);
}

async function* byCursor(first: ProxyConfig, p: Pagination, inBody: boolean, fetch: Fetch): AsyncGenerator<any[], undefined, void> {
	for (let call = first; ; ) {
		const response = await fetch(call);
		const items = itemsOf(response, p);
		if (items === undefined) return;
		yield items;
		const next = cursorIn(read(response.data, p.cursor_path_in_response!));
		await p.on_page?.({ nextPageParam: next, response });
		if (next === undefined) return;
		call = withValue(call, inBody, p.cursor_name_in_request!, next);
	}
}

function cursorIn(value: unknown): string | number | undefined {
	if (typeof value === "number") return value;
	return typeof value === "string" && value.trim() !== "" ? value : undefined;
}

async function* byLink(first: ProxyConfig, p: Pagination, fetch: Fetch): AsyncGenerator<any[], undefined, void> {
	let previous: string | undefined;
	for (let call = first; ; ) {
		const response = await fetch(call);
		yield (p.response_path ? read(response.data, p.response_path) : response.data) ?? [];
		const next = linkIn(response, p);
		await p.on_page?.({ nextPageParam: next, response });
		if (next === undefined || next === previous) return;
		previous = next;
		call = { ...call, ...placeOf(next), params: undefined };
	}
}

/** Where a link leads: an absolute one to another base URL. */
function placeOf(link: string): { endpoint: string; baseUrlOverride?: string } {
	if (!/^https?:\/\//i.test(link)) return { endpoint: link };
	const url = new URL(link);
	return { endpoint: url.pathname + url.search, baseUrlOverride: url.origin };
}

function linkIn(response: HttpResponse, p: Pagination): string | undefined {
	const header = p.link_rel_in_response_header ? relIn(response.headers.link, p.link_rel_in_response_header) : undefined;
	if (header !== undefined) return header;
	const link = p.link_path_in_response_body ? read(response.data, p.link_path_in_response_body) : undefined;
	return typeof link === "string" && link.trim() !== "" ? link : undefined;
}

/** Finds a relation in a Link header (RFC 8288). */
function relIn(header: unknown, rel: string): string | undefined {
	if (typeof header !== "string") return undefined;
	for (const [, target, params] of header.matchAll(/<([^>]*)>((?:\s*;\s*[\w!#$&+^`|~.*-]+\s*(?:=\s*(?:"(?:[^"\\]|\\.)*"|[^\s;,"]*))?)*)/g)) {
		const found = /;\s*rel\s*=\s*(?:"([^"]*)"|([^\s;,"]+))/i.exec(params ?? "");
		const rels = (found?.[1] ?? found?.[2] ?? "").toLowerCase().split(/\s+/);
		if (rels.includes(rel.toLowerCase())) return target!.trim() || undefined;
	}
	return undefined;
}

async function* byOffset(first: ProxyConfig, p: Pagination, inBody: boolean, fetch: Fetch): AsyncGenerator<any[], undefined, void> {
	const limit = Number(p.limit) || 0;
	for (let offset = Number(p.offset_start_value) || 0; ; ) {
		const response = await fetch(withValue(first, inBody, p.offset_name_in_request!, inBody ? offset : String(offset)));
		const items = itemsOf(response, p);
		if (items === undefined) return;
		yield items;
		const last = items.length < limit;
		offset += p.offset_calculation_method === "per-page" ? 1 : items.length;
		await p.on_page?.({ nextPageParam: last ? undefined : offset, response });
		if (last) return;
	}
}
