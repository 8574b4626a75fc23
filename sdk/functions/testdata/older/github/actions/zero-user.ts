import { createAction, type ProxyConfiguration } from "nango";
import * as z from "zod";
const action = createAction({
    description: "Gets the user", version: "1.0.0",
    endpoint: { method: "GET", path: "/user", group: "Users" },
    input: z.void(), output: z.object({ id: z.string(), name: z.string().nullish() }), scopes: ["user"],
    exec: async (nango): Promise<{ id: string; name?: string | null }> => {
        const config: ProxyConfiguration = { endpoint: "/user", retries: 3 };
        const { data } = await nango.get<{ id: number; name: string | null }>(config);
        return { id: String(data.id), name: data.name };
    },
});
export type NangoActionLocal = Parameters<(typeof action)["exec"]>[0];
export default action;
