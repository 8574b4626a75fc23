import { createAction } from "linkspan";
import * as z from "zod";

const Duration = z.string().transform((s, ctx) => {
	const m = /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$/.exec(s);
	if (!m) {
		ctx.addIssue({ code: "custom", message: `${s} is no duration` });
		return z.NEVER;
	}
	const [d = 0, h = 0, min = 0, sec = 0] = m.slice(1).map((x) => Number(x ?? 0));
	return ((d * 24 + h) * 60 + min) * 60 + sec;
});

export default createAction({
	description: "Sums the length of videos",
	input: z.object({ ids: z.array(z.string()).max(50) }),
	output: z.object({ total: z.string(), broken: z.array(z.string()) }),
	exec: async (nango, { ids }) => {
		const { data } = await nango.get({ endpoint: "/youtube/v3/videos", params: { id: ids.join(","), part: "contentDetails" } });
		const broken: string[] = [];
		let seconds = 0;
		for (const item of data.items) {
			const d = Duration.safeParse(item.contentDetails.duration);
			if (d.success) seconds += d.data;
			else broken.push(d.error.issues[0]!.message);
		}
		const two = (n: number) => n.toString().padStart(2, "0");
		return { total: `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`, broken };
	},
});
