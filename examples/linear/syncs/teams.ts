import { createSync } from "linkspan";
import * as z from "zod";

const Team = z.object({ id: z.string(), key: z.string(), name: z.string() });

export default createSync({
	description: "Teams, every morning of a working day; what is not there any more is deleted",
	frequency: "cron TZ=Europe/Berlin 0 6 * * 1-5",
	syncType: "full",
	trackDeletes: true,
	models: { Team },
	exec: async (nango) => {
		const { data } = await nango.post<any>({ endpoint: "/graphql", data: { query: "{ teams { nodes { id key name } } }" } });
		await nango.batchSave(data.data.teams.nodes, "Team");
	},
});
