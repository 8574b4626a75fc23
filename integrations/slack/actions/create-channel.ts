import { createAction } from "linkspan";
import * as z from "zod";

import { type Answer, checked } from "../api";

export default createAction({
	description: "Creates a Slack channel and invites people to it",
	version: "1.0.0",
	scopes: ["channels:manage", "groups:write"],
	input: z.object({
		name: z.string().min(1).max(80).describe("What to call it; it is written as Slack demands, in lower case and with hyphens"),
		isPrivate: z.boolean().optional(),
		purpose: z.string().max(250).optional().describe("What it is for"),
		members: z.array(z.string()).max(100).optional().describe("The ids of users to invite"),
	}),
	output: z.object({ id: z.string(), name: z.string() }),

	exec: async (nango, input) => {
		const call = async <T extends Answer>(method: string, body: object) => checked(method, (await nango.post<T>({ endpoint: `/${method}`, data: body })).data);
		// https://docs.slack.dev/reference/methods/conversations.create
		const { channel } = await call<Answer & { channel: { id: string; name: string } }>("conversations.create", { name: nameOf(input.name), is_private: input.isPrivate ?? false });
		if (input.purpose) await call("conversations.setPurpose", { channel: channel.id, purpose: input.purpose });
		if (input.members?.length) await call("conversations.invite", { channel: channel.id, users: input.members.join(",") });
		return { id: channel.id, name: channel.name };
	},
});

/** Names of channels know letters and digits in lower case, hyphens and underscores. */
function nameOf(name: string): string {
	return name
		.trim()
		.toLowerCase()
		.replace(/^#/, "")
		.replace(/[^\p{L}\p{N}_-]+/gu, "-")
		.replace(/^-+|-+$/g, "");
}
