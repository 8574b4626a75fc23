import { createSync } from "linkspan";
import * as z from "zod";

const Issue = z.object({ id: z.string(), number: z.number(), title: z.string(), state: z.string(), author: z.string(), labels: z.array(z.string()) });

export default createSync({
	description: "All issues of a repository, page by page; goes on where it was cut off, and finds out what was deleted",
	frequency: "every hour",
	autoStart: true,
	syncType: "full",
	metadata: z.object({ repo: z.string() }),
	checkpoint: z.object({ page: z.number() }),
	models: { Issue },
	exec: async (nango) => {
		const { repo } = await nango.getMetadata<{ repo: string }>();
		let page = (await nango.getCheckpoint())?.page ?? 1;
		await nango.trackDeletesStart("Issue");
		for (;;) {
			const { data, headers } = await nango.get<any[]>({ endpoint: `/repos/${repo}/issues`, params: { state: "all", per_page: "2", page: String(page) }, retries: 3 });
			const issues = data.filter((i) => !i.pull_request);
			await nango.batchSave(
				issues.map((i) => ({ id: String(i.id), number: i.number, title: i.title, state: i.state, author: i.user?.login ?? "ghost", labels: i.labels.map((l: any) => l.name).sort() })),
				"Issue",
			);
			if (!headers.link?.includes('rel="next"')) break;
			page++;
			await nango.saveCheckpoint({ page });
		}
		await nango.clearCheckpoint();
		const { deletedKeys } = await nango.trackDeletesEnd("Issue");
		await nango.log(`${deletedKeys.length} issues are gone`);
	},
});
