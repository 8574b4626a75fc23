import { createOnEvent } from "nango";
import * as z from "zod";
export default createOnEvent({
    description: "Sets up", version: "0.0.1", event: "post-connection-creation", metadata: z.void(),
    exec: async (nango) => { await nango.updateMetadata({ owner: "a", repo: "b" }); await nango.startSync(nango.providerConfigKey, [{ name: "zero-issues", variant: "base" }], nango.connectionId); await nango.triggerSync(nango.providerConfigKey, nango.connectionId, "zero-issues", "full_refresh"); },
});
