import type { NangoAction, ProxyConfiguration } from "../../models";
import { ActionError } from "../../models";
export default async function runAction(nango: NangoAction, input: { title: string }): Promise<{ number: number }> {
    if (!input.title) throw new nango.ActionError({ message: "title is required" });
    const config: ProxyConfiguration = { endpoint: "/repos/a/b/issues", data: { title: input.title }, retries: 3, headers: { Accept: "application/vnd.github+json" } };
    const response = await nango.post<{ number: number }>(config);
    if (response.status !== 201 && response.status !== 200) throw new ActionError({ message: "failed" });
    return { number: response.data.number };
}
