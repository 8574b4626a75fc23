import { createAction } from "linkspan";
import * as z from "zod";

import { defined } from "../../values";
import { type Answer, checked } from "../api";

export default createAction({
	description: "Posts a message to a Slack channel, to a person, or as an answer in a thread. The app must be in the channel, or have the scope chat:write.public for public ones",
	version: "1.0.0",
	scopes: ["chat:write"],
	input: z.object({
		channel: z.string().min(1).describe("A channel's id, or a user's for a direct message"),
		text: z.string().min(1).describe("The message in Slack's markup (*bold*, _italic_, <https://example.com|link>); with blocks, what notifications show"),
		blocks: z.array(z.record(z.string(), z.unknown())).max(50).optional().describe("Block Kit blocks for a richer layout"),
		threadTs: z.string().optional().describe("The ts of the message to answer to"),
		broadcast: z.boolean().optional().describe("Whether an answer in a thread is shown in the channel, too"),
	}),
	output: z.object({ channel: z.string(), ts: z.string().describe("What to answer to, or to change the message by") }),

	exec: async (nango, input) => {
		const { data } = await nango.post<Answer & { channel: string; ts: string }>({
			// https://docs.slack.dev/reference/methods/chat.postMessage
			endpoint: "/chat.postMessage",
			data: defined({ channel: input.channel, text: input.text, blocks: input.blocks, thread_ts: input.threadTs, reply_broadcast: input.broadcast }),
		});
		const { channel, ts } = checked("chat.postMessage", data);
		return { channel, ts };
	},
});
