import type { NangoAction } from "../../models";
import * as crypto from "crypto";
export default async function runAction(nango: NangoAction, input: { channel: string; text: string }) {
    const connection = await nango.getConnection();
    const team = connection.connection_config["team.id"];
    const vars = await nango.getEnvironmentVariables();
    const secret = vars?.find((v) => v.name === "SIGNING")?.value ?? "none";
    const mapping = await nango.getFieldMapping();
    const attributes = nango.getFlowAttributes();
    await nango.setMetadata({ last: input.channel });
    const response = await nango.post({ endpoint: "chat.postMessage", data: { ...input, sig: crypto.createHmac("sha256", secret).update(input.text).digest("hex") }, retries: 10 });
    await new Promise((resolve) => setTimeout(resolve, 5));
    return { ok: response.data.ok, team: team ?? null, mapping, attributes: attributes ?? null };
}
