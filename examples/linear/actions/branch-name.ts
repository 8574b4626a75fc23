import { createAction } from "linkspan";
import * as z from "zod";

export default createAction({
	description: "Suggests a branch name for an issue",
	input: z.object({ user: z.string(), identifier: z.string(), title: z.string(), max: z.number().optional() }),
	output: z.string(),
	exec: async (_nango, { user, identifier, title, max = 48 }) => {
		const slug = title
			.normalize("NFKD")
			.replace(/\p{M}/gu, "")
			.replace(/ß/g, "ss")
			.toLowerCase()
			.replace(/[^a-z0-9]+/g, "-")
			.replace(/^-+|-+$/g, "");
		const name = `${user}/${identifier.toLowerCase()}-${slug}`;
		return name.length <= max ? name : name.slice(0, max).replace(/-[^-]*$/, "");
	},
});
