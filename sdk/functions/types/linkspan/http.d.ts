// Calls of a provider's API: nango.get, nango.proxy, nango.paginate and what
// goes in and comes out of them.

/** The verbs of {@link ProxyConfiguration.method}; upper or lower case. */
export type HttpMethod = "GET" | "POST" | "PUT" | "PATCH" | "DELETE" | "get" | "post" | "put" | "patch" | "delete";

/** What {@link HttpResponse.data} is to be; see {@link RequestConfiguration.responseType}. */
export type ResponseType = "arraybuffer" | "blob" | "document" | "json" | "text" | "stream";

/** What `nango.get`, `post`, `put`, `patch` and `delete` take. */
export interface RequestConfiguration {
	/**
	 * Where to call: a path below the provider's base URL, with or without a leading slash, and with a query if you like. A whole
	 * URL works as well where the server allows calls beside the base URL.
	 *
	 * @example "/repos/acme/shop/issues"
	 */
	endpoint: string;

	/**
	 * The query. Lists become `name[]=1&name[]=2`, objects `name[key]=value`, dates ISO 8601; members that are `null` or `undefined`
	 * are left out. A text is taken as it is.
	 */
	params?: string | Record<string, any> | undefined;

	/**
	 * Headers to add, and to replace what the provider's entry in the catalogue sets. A list of values sends the header several
	 * times. Authentication is added by Linkspan: never put credentials here.
	 */
	headers?: Record<string, any> | undefined;

	/**
	 * The body. Objects and lists are sent as JSON, or as a form if the header `Content-Type` says so; `URLSearchParams` as a form,
	 * `FormData` as multipart, bytes and texts as they are. GET has none.
	 */
	data?: unknown;

	/**
	 * How often the call is tried again, after a pause that grows, when the provider answers 429 or 5xx or can't be reached.
	 *
	 * @default 0
	 */
	retries?: number | undefined;

	/** More statuses that are tried again, such as `[404]` for what takes a moment to appear. `retries` says how often. */
	retryOn?: number[] | null | undefined;

	/** Headers of the answer that say when to try again; providers that have some are known already. */
	retryHeader?: RetryHeaderConfiguration | undefined;

	/** Another base URL for this call. Whether credentials may go there is a setting of the server. */
	baseUrlOverride?: string | undefined;

	/**
	 * Whether the provider may compress its answer with gzip, for large lists: it is asked to, and the body is unpacked.
	 *
	 * @default false
	 */
	decompress?: boolean | undefined;

	/**
	 * What `data` of the answer is: parsed JSON, or the text if it is none (`json`, the default); the text (`text`, `document`); a
	 * `Buffer` (`arraybuffer`); a `Blob` (`blob`); chunks for `for await` (`stream`).
	 *
	 * @default "json"
	 */
	responseType?: ResponseType | undefined;

	/**
	 * Whether all headers go along when the provider redirects to another host, those with credentials as well. Without it only
	 * harmless ones do.
	 *
	 * @default false
	 */
	forwardHeadersOnRedirect?: boolean | undefined;

	/** The integration to call through, unless it is the run's own. */
	providerConfigKey?: string | undefined;

	/** The connection to call through, unless it is the run's own: another one of the same environment. */
	connectionId?: string | undefined;
}

/** What `nango.proxy` and `nango.paginate` take: a call, its verb, and how the list is paged. */
export interface ProxyConfiguration extends RequestConfiguration {
	/**
	 * The verb.
	 *
	 * @default "GET"
	 */
	method?: HttpMethod | undefined;

	/** How `nango.paginate` pages, on top of what the provider's entry in the catalogue says. `nango.proxy` ignores it. */
	paginate?: Pagination | undefined;
}

/** Headers of an answer that say when to try again. */
export interface RetryHeaderConfiguration {
	/** Headers with the second since 1970 at which to try again. */
	at?: string | string[] | undefined;
	/** Headers with the number of seconds to wait. */
	after?: string | string[] | undefined;
}

/** Headers of an answer: names in lower case. `set-cookie` is a list. */
export interface ResponseHeaders {
	[name: string]: any;
}

/** An answer of the provider, in the shape that axios gives it. */
export interface HttpResponse<T = any> {
	/** The body, as {@link RequestConfiguration.responseType} says. */
	data: T;
	/** The HTTP status, from 200 to 299: others are thrown. */
	status: number;
	/** What HTTP calls the status, such as `"OK"`. */
	statusText: string;
	headers: ResponseHeaders;
	/** What the call was made of. */
	config: Record<string, any>;
	/** What was sent: `method` and `path`. */
	request: Record<string, any>;
}

/**
 * What a call throws when the provider answers another status than 2xx, or not at all. Nobody catching it, the run fails with
 * `script_http_error` or `script_network_error`, and the caller of an action learns the provider's answer.
 *
 * @example
 * ```ts
 * try {
 *   await nango.get({ endpoint: `/tickets/${id}` });
 * } catch (e) {
 *   if ((e as HttpError).response?.status === 404) return null;
 *   throw e;
 * }
 * ```
 */
export interface HttpError<T = any> extends Error {
	readonly name: "AxiosError";
	readonly isAxiosError: true;
	/** `ERR_BAD_REQUEST` for 4xx, `ERR_BAD_RESPONSE` for others; why there is no answer, such as `ECONNREFUSED` or `ETIMEDOUT`. */
	readonly code: string | undefined;
	/** The status of the answer. */
	readonly status: number | undefined;
	/** The answer; absent when there was none. */
	readonly response: HttpResponse<T> | undefined;
	readonly config: Record<string, any>;
	readonly request: Record<string, any>;
	toJSON(): Record<string, unknown>;
}

/**
 * What other members of the nango object throw when they are refused or can't be served, such as `unknown_connection`,
 * `invalid_record` or `checkpoint_conflict`: look at its `code`.
 */
export interface NangoError extends Error {
	readonly name: "NangoError";
	/** A stable word for what went wrong. */
	readonly code: string;
	/** The same as `code`. */
	readonly type: string;
	/** What there is to know besides. */
	readonly payload: any;
	/** The status that the HTTP API gives this error, if any. */
	readonly status: number | undefined;
	/** The same error as an HTTP client of Linkspan sees it. */
	readonly response: { status: number; data: { error: { code: string; message: string; payload?: any } } } | undefined;
	/** What the provider answered to another action that did not handle it: `{ status, headers, body }`. */
	readonly upstream: any;
}

/** What {@link PaginationBase.on_page} is given after a page. */
export interface PageState<T = any> {
	/** The cursor, link or offset of the next page; `undefined` after the last one. */
	nextPageParam?: string | number | undefined;
	/** The answer that the page was read from. */
	response: HttpResponse<T>;
}

/** What the kinds of pagination have in common. */
export interface PaginationBase {
	/**
	 * Where the list is in the answer, such as `"data.items"`; a name with dots in it is found as well. Without it the whole answer is
	 * the list.
	 */
	response_path?: string | undefined;
	/** How many items a page is to have. */
	limit?: number | string | undefined;
	/** The parameter that carries `limit`. With dots it goes into objects of the body: `"page.size"`. */
	limit_name_in_request?: string | undefined;
	/**
	 * Whether the parameters of the page go into the body. They do in any case for POST, PUT and PATCH.
	 *
	 * @default false
	 */
	in_body?: boolean | undefined;
	/** Is called after each page has been worked on, and waited for. */
	on_page?: ((page: PageState) => Promise<void> | void) | undefined;
}

/** Pages that name the next one in the answer. Ends with an empty page or without a cursor. */
export interface CursorPagination extends PaginationBase {
	type?: "cursor" | undefined;
	/** Where the next cursor, a text or a number, is in the answer. */
	cursor_path_in_response?: string | undefined;
	/** The parameter that takes it. With dots it goes into objects of the body: `"variables.after"`. */
	cursor_name_in_request?: string | undefined;
}

/** Pages that link to the next one. Ends without a link or with the same one again. Links hold everything: `params` go with the first call only. */
export interface LinkPagination extends PaginationBase {
	type?: "link" | undefined;
	/** The relation in the header `Link`, mostly `"next"`. */
	link_rel_in_response_header?: string | undefined;
	/** Where the link is in the body, whole or as a path. */
	link_path_in_response_body?: string | undefined;
}

/** Pages by number or by how many items come before them. Ends with an empty page, or one that is shorter than `limit`. */
export interface OffsetPagination extends PaginationBase {
	type?: "offset" | undefined;
	/** The parameter that takes the offset. */
	offset_name_in_request?: string | undefined;
	/**
	 * The offset of the first page.
	 *
	 * @default 0
	 */
	offset_start_value?: number | string | undefined;
	/**
	 * Whether the offset grows by the items of a page (`by-response-size`) or counts pages (`per-page`).
	 *
	 * @default "by-response-size"
	 */
	offset_calculation_method?: "by-response-size" | "per-page" | undefined;
}

/** How a list is paged. What you leave out is taken from the provider's entry in the catalogue; `type` may stay out when that has one. */
export type Pagination = CursorPagination | LinkPagination | OffsetPagination;

/** What `nango.uncontrolledFetch` takes. */
export interface FetchOptions {
	/** A whole URL, as text or as `URL`. */
	url: string | { readonly href: string };
	/**
	 * The verb.
	 *
	 * @default "GET"
	 */
	method?: string | undefined;
	/** Headers, as an object, pairs or `Headers`. */
	headers?: Record<string, string> | Iterable<readonly [string, string]> | undefined;
	/** The body; not with GET. Texts and bytes are sent as they are, `URLSearchParams` and `FormData` as forms. */
	body?: unknown;
}

/** Headers of {@link FetchResponse}. */
export interface FetchHeaders extends Iterable<[string, string]> {
	/** The value of a header, several joined with `", "`; `null` for none. */
	get(name: string): string | null;
	has(name: string): boolean;
	entries(): IterableIterator<[string, string]>;
	keys(): IterableIterator<string>;
	values(): IterableIterator<string>;
	forEach(each: (value: string, name: string) => void): void;
}

/** An answer to `nango.uncontrolledFetch`, of any status; what is used of the `Response` of browsers. Its body can be read once. */
export interface FetchResponse {
	/** Whether the status is 2xx. */
	readonly ok: boolean;
	readonly status: number;
	readonly statusText: string;
	readonly headers: FetchHeaders;
	/** Where the answer came from, after redirects. */
	readonly url: string;
	readonly redirected: boolean;
	readonly type: "basic";
	readonly bodyUsed: boolean;
	/** Parses the body; throws `SyntaxError` when it is no JSON. */
	json(): Promise<any>;
	text(): Promise<string>;
	arrayBuffer(): Promise<ArrayBuffer>;
	bytes(): Promise<Uint8Array>;
	/** The body as `Blob`. */
	blob(): Promise<any>;
	clone(): FetchResponse;
}
