import { createSync } from "linkspan";
import * as z from "zod";

import { text } from "../../values";
import { type Answer, moment, pages } from "../api";

const Channel = z.object({
	id: z.string(),
	name: z.string(),
	isPrivate: z.boolean(),
	isMember: z.boolean().describe("Whether the app is in it: it can only read channels that it is in"),
	topic: z.string().optional(),
	purpose: z.string().optional(),
	members: z.number().optional().describe("How many people are in it"),
	createdAt: z.string(),
});

interface Conversation {
	id: string;
	name: string;
	is_private?: boolean;
	is_member?: boolean;
	created: number;
	topic?: { value: string };
	purpose?: { value: string };
	num_members?: number;
}

export default createSync({
	description: "Syncs the channels of a Slack workspace that are not archived: a choice for where to post and whose messages to sync. Private ones are there only where the app was invited",
	version: "1.0.0",
	frequency: "every hour",
	autoStart: true,
	scopes: ["channels:read", "groups:read"],
	models: { Channel },
	metadata: z.object({ privateChannels: z.boolean().optional().describe("false leaves private channels out, and does without the scope groups:read") }),

	exec: async (nango) => {
		const withPrivate = (await nango.getMetadata())?.privateChannels !== false;
		await nango.trackDeletesStart("Channel");
		// https://docs.slack.dev/reference/methods/conversations.list
		const params = { types: withPrivate ? "public_channel,private_channel" : "public_channel", exclude_archived: "true", limit: 200 };
		for await (const { data } of pages<Answer & { channels: Conversation[] }>(nango, "conversations.list", params)) {
			await nango.batchSave(
				data.channels.map((channel) => ({
					id: channel.id,
					name: channel.name,
					isPrivate: channel.is_private ?? false,
					isMember: channel.is_member ?? false,
					topic: text(channel.topic?.value),
					purpose: text(channel.purpose?.value),
					members: channel.num_members,
					createdAt: moment(String(channel.created)),
				})),
				"Channel",
			);
		}
		await nango.trackDeletesEnd("Channel");
	},
});
