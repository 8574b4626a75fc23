import { createSync } from "linkspan";
import * as z from "zod";

const User = z.object({ id: z.string(), name: z.string(), profile: z.object({ email: z.string().optional(), status: z.string().optional() }) });

export default createSync({
	description: "Adds to the members that are known what changes often; only members that are new are read as a whole",
	frequency: "every 5 minutes",
	syncType: "incremental",
	models: { User },
	exec: async (nango) => {
		const { data } = await nango.get<any>({ endpoint: "/users.list", params: { limit: "200" } });
		const known = await nango.getRecordsByIds(data.members.map((m: any) => m.id), "User");
		const fresh = data.members.filter((m: any) => !known.has(m.id));
		await nango.batchSave(fresh.map((m: any) => ({ id: m.id, name: m.name, profile: { email: m.profile.email, status: m.profile.status_text } })), "User");
		await nango.batchUpdate(data.members.filter((m: any) => known.has(m.id)).map((m: any) => ({ id: m.id, profile: { status: m.profile.status_text } })), "User");
	},
});
