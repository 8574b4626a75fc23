import { createOnEvent } from "linkspan";
import * as z from "zod";

export default createOnEvent({
	event: "post-connection-creation",
	description: "Notes whose account a new connection is",
	version: "1.0.0",
	metadata: z.object({ workspace: z.string() }),
	exec: async (nango) => {
		const { data } = await nango.get<{ workspace: string }>({ endpoint: "/me" });
		await nango.updateMetadata({ workspace: data.workspace });
	},
});
