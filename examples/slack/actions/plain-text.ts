import { createAction } from "linkspan";
import * as z from "zod";

const entities: Record<string, string> = { "&lt;": "<", "&gt;": ">", "&amp;": "&" };

export default createAction({
	description: "Turns a message's markup into plain text, users by name",
	input: z.object({ text: z.string() }),
	output: z.string(),
	exec: async (nango, { text }) => {
		const ids = [...new Set([...text.matchAll(/<@([UW][A-Z0-9]+)(?:\|[^>]*)?>/g)].map((m) => m[1]!))];
		const names = new Map(
			await Promise.all(
				ids.map(async (user): Promise<[string, string]> => {
					const { data } = await nango.get({ endpoint: "/users.info", params: { user } });
					return [user, data.ok ? data.user.real_name : user];
				}),
			),
		);
		return text
			.replace(/<@([UW][A-Z0-9]+)(?:\|[^>]*)?>/g, (_, id) => `@${names.get(id)}`)
			.replace(/<#C\w+\|([^>]+)>/g, "#$1")
			.replace(/<(https?:[^|>]+)\|([^>]+)>/g, "$2 ($1)")
			.replace(/<((?:https?|mailto):[^>]+)>/g, "$1")
			.replace(/(?<![\w*])\*([^*\n]+)\*(?![\w*])/g, "$1")
			.replace(/&(?:lt|gt|amp);/g, (e) => entities[e]!);
	},
});
