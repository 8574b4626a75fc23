import { ActionError, createAction, createOnEvent, type HttpError, type NangoAction, type NangoError, type ProxyConfiguration } from "linkspan";
import { createAction as fromNango, createSync as syncFromNango, ActionError as SameError } from "nango";
import * as z from "zod";
import { type Equal, expect } from "./equal";

const action = createAction({
	description: "Creates a user",
	input: z.object({ name: z.string(), age: z.number().optional() }),
	output: z.object({ id: z.string() }),
	metadata: z.object({ team: z.string() }),
	checkpoint: z.object({ last: z.string() }),
	scopes: ["write"],
	exec: async (nango, input) => {
		expect<Equal<typeof input, { name: string; age?: number | undefined }>>();
		expect<Equal<typeof nango.input, { name: string; age?: number | undefined }>>();
		// @ts-expect-error records belong to syncs
		nango.batchSave;
		// @ts-expect-error records belong to syncs
		nango.trackDeletesStart;
		// @ts-expect-error there is no such member
		nango.secretKey;
		// @ts-expect-error it can't be changed
		nango.connectionId = "other";

		const { data, status, headers } = await nango.post<{ id: number }>({ endpoint: "/users", data: input, retries: 3, retryOn: [409], headers: { "X-Team": 1 }, params: { a: ["b"], c: undefined } });
		expect<Equal<typeof data, { id: number }>>();
		expect<Equal<typeof status, number>>();
		headers["link"];
		const anything = (await nango.get({ endpoint: "/" })).data;
		expect<Equal<typeof anything, any>>();
		// @ts-expect-error where to?
		await nango.get({ params: {} });
		// @ts-expect-error the member is called params
		await nango.get({ endpoint: "/", query: {} });
		// @ts-expect-error get has its verb
		await nango.get({ endpoint: "/", method: "POST" });
		// @ts-expect-error there is no such verb
		await nango.proxy({ endpoint: "/", method: "CONNECT" });
		const config: ProxyConfiguration = { endpoint: "/", method: "post", baseUrlOverride: undefined, retries: undefined };
		await nango.proxy(config);
		await nango.get({ endpoint: "/file", responseType: "arraybuffer", decompress: true, retryHeader: { at: "x-reset", after: ["retry-after"] }, forwardHeadersOnRedirect: true, connectionId: "c", providerConfigKey: "p" });

		for await (const page of nango.paginate<{ id: number }>({ endpoint: "/users", paginate: { type: "cursor", cursor_path_in_response: "next", cursor_name_in_request: "after", response_path: "data", limit: 10, limit_name_in_request: "n", in_body: true } })) {
			expect<Equal<typeof page, { id: number }[]>>();
		}
		nango.paginate({ endpoint: "/", paginate: { limit: 5 } });
		nango.paginate({ endpoint: "/", paginate: { type: "link", link_rel_in_response_header: "next", on_page: async ({ nextPageParam, response }) => void [nextPageParam, response.status] } });
		nango.paginate({ endpoint: "/", paginate: { type: "offset", offset_name_in_request: "page", offset_start_value: 1, offset_calculation_method: "per-page" } });
		// @ts-expect-error there is no such kind
		nango.paginate({ endpoint: "/", paginate: { type: "magic" } });
		// @ts-expect-error there is no such way to count
		nango.paginate({ endpoint: "/", paginate: { type: "offset", offset_calculation_method: "by-page" } });

		const response = await nango.uncontrolledFetch({ url: new URL("https://example.com"), method: "POST", headers: [["a", "b"]], body: "x" });
		expect<Equal<typeof response.ok, boolean>>();
		response.headers.get("etag")?.trim();

		const connection = await nango.getConnection("other", "c", { refreshToken: true });
		if (connection.credentials.type === "OAUTH2") connection.credentials.access_token.trim();
		if (connection.credentials.type === "API_KEY") connection.credentials.apiKey.trim();
		connection.connection_config["subdomain"];
		(await nango.getToken<string>()).trim();
		(await nango.getRawTokenResponse()).scope;
		(await nango.getIntegration({ include: ["webhook", "credentials"] })).credentials?.type;
		// @ts-expect-error there is nothing else to include
		await nango.getIntegration({ include: ["secrets"] });
		expect<Equal<Awaited<ReturnType<typeof nango.getWebhookURL>>, string | null>>();
		(await nango.getEnvironmentVariables())?.map(({ name, value }) => name + value);
		expect<Equal<ReturnType<typeof nango.getVariant>, string>>();

		await nango.log("a");
		await nango.log("a", { level: "warn" });
		await nango.log("a", { b: 1 }, [2], { level: "debug" });
		nango.setLogger({ level: "off" });
		// @ts-expect-error there is no such level
		nango.setLogger({ level: "loud" });

		const { id } = await nango.triggerAction<{ n: number }, { id: string }>("other", { n: 1 });
		id.trim();
		(await nango.triggerAction("github", "c2", "other", { n: 1 })).anything;
		await nango.triggerSync("github", "c2", "issues::archive", { reset: true, emptyCache: true });
		await nango.triggerSync("github", undefined, { name: "issues", variant: "archive" });
		await nango.triggerSync("github", "c2", "issues", "full_refresh");
		await nango.startSync("github", ["issues", { name: "pulls" }]);
		// @ts-expect-error a list
		await nango.startSync("github", "issues");

		const checked = await nango.zodValidateInput({ zodSchema: z.object({ n: z.coerce.number() }), input });
		expect<Equal<typeof checked.data, { n: number }>>();

		const checkpoint = await nango.getCheckpoint();
		expect<Equal<typeof checkpoint, { last: string } | null>>();
		const locked = await nango.tryAcquireLock({ key: "k", ttlMs: 1000 });
		expect<Equal<typeof locked, boolean>>();
		// @ts-expect-error for how long?
		await nango.tryAcquireLock({ key: "k" });
		await nango.releaseLock({ key: "k" });
		await nango.releaseAllLocks();

		await nango.setFieldMapping({ a: "b" });
		(await nango.getFieldMapping())["a"];
		nango.getFlowAttributes()?.["x"];
		[nango.connectionId, nango.providerConfigKey, nango.provider, nango.environmentName, nango.accountId, nango.activityLogId].map((text) => text.trim());
		nango.environmentId.toFixed();
		expect<Equal<typeof nango.nangoConnectionId, number | undefined>>();
		nango.isCLI.valueOf();

		if (input.age === 0) throw new nango.ActionError({ code: "age" });
		if (input.age === 1) throw new nango.ActionError("a text");
		return { id: String(data.id) };
	},
});
expect<Equal<(typeof action)["type"], "action">>();
export type NangoActionLocal = Parameters<(typeof action)["exec"]>[0];
export default action;

createAction({
	description: "x",
	input: z.void(),
	output: z.object({ id: z.string() }),
	// @ts-expect-error the id is a text
	exec: async () => ({ id: 1 }),
});
createAction({ description: "x", input: z.void(), output: z.void(), exec: async (nango, input) => void [nango, input satisfies void] });
createAction({ description: "x", input: z.string(), output: z.number(), exec: (_, input) => input.length, endpoint: { method: "POST", path: "/x" } });
// @ts-expect-error an input, if only z.void()
createAction({ description: "x", output: z.void(), exec: async () => {} });

const event = createOnEvent({
	description: "x",
	event: "validate-connection",
	metadata: z.object({ account: z.string() }),
	exec: async (nango) => {
		await nango.updateMetadata({ account: "a" });
		// @ts-expect-error records belong to syncs
		nango.batchSave;
	},
});
expect<Equal<(typeof event)["event"], "validate-connection" | "post-connection-creation" | "pre-connection-deletion">>();
// @ts-expect-error there is no such event
createOnEvent({ description: "x", event: "connection-made", exec: async () => {} });

/** A function without a definition. */
export async function plain(nango: NangoAction, input: NangoAction["input"]): Promise<unknown> {
	expect<Equal<NangoAction["input"], any>>();
	const { owner } = nango.input;
	try {
		return (await nango.get({ endpoint: `/${owner}`, data: input })).data;
	} catch (e) {
		const failure = e as HttpError | NangoError;
		if (failure.name === "AxiosError") return failure.response?.data;
		return failure.code;
	}
}

const failure = new ActionError({ code: 1, message: "x" });
expect<Equal<typeof failure.payload, { code: number; message: string } | undefined>>();
expect<Equal<typeof ActionError, typeof SameError>>();
expect<Equal<typeof createAction, typeof fromNango>>();
void syncFromNango;
