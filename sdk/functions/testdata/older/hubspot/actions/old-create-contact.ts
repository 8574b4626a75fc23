import { z } from "zod";
import type { CreateContactInput, CreatedContact, NangoAction, ProxyConfiguration } from "../../models.js";
const schema = z.object({ email: z.string().email(), first_name: z.string().optional() });
export default async function runAction(nango: NangoAction, input: CreateContactInput): Promise<CreatedContact> {
    const parsed = await nango.zodValidateInput({ zodSchema: schema, input });
    const config: ProxyConfiguration = { method: "POST", endpoint: "crm/v3/objects/contacts", data: { properties: { email: parsed.data.email, firstname: parsed.data.first_name } } };
    const { data } = await nango.proxy(config);
    return { id: data.id };
}
