import { createSync } from "nango";
import type { NangoSync } from "nango";
import { z } from "zod";
const Company = z.object({ id: z.string(), name: z.string() });
export default createSync({ description: "Companies", frequency: "every day", autoStart: true, syncType: "full", trackDeletes: true, endpoints: [{ method: "GET", path: "/companies" }],
    models: { Company }, metadata: z.object({}),
    exec: async (nango) => {
        const proxyConfig = { endpoint: "/crm/v3/objects/companies", paginate: { type: "cursor", cursor_path_in_response: "paging.next.after", cursor_name_in_request: "after", response_path: "results", limit: 2, limit_name_in_request: "limit" } } as const;
        for await (const page of nango.paginate(proxyConfig)) await nango.batchSave(page.map((c: any) => ({ id: c.id, name: c.properties.name })), "Company");
        await touch(nango);
    } });
async function touch(nango: NangoSync) { await nango.log("done", nango.lastSyncDate); }
