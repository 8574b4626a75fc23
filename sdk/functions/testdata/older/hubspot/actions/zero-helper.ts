import { createAction, ActionError } from "nango";
import type { NangoAction } from "nango";
import { z } from "zod";
const Input = z.object({ ids: z.array(z.string()), limit: z.number().default(10) });
const Output = z.object({ found: z.array(z.object({ id: z.string(), props: z.record(z.string(), z.unknown()) })), done: z.boolean() });
export default createAction({ description: "Reads by ids", input: Input, output: Output,
    exec: async (nango, input): Promise<z.infer<typeof Output>> => {
        if (input.ids.length > input.limit) throw new ActionError({ type: "too_many", message: `at most ${input.limit}` });
        const found = await Promise.all(input.ids.map((id) => read(nango, id)));
        return { found, done: true };
    } });
async function read(nango: NangoAction, id: string) {
    const { data } = await nango.get<{ id: string; properties: Record<string, unknown> }>({ endpoint: `/crm/v3/objects/contacts/${id}` });
    return { id: data.id, props: data.properties };
}
