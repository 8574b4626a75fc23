import { createSync } from "linkspan";
import * as z from "zod";

import { text } from "../../values";
import { type Answer, moment, pages, type Reader, SlackError } from "../api";

const Message = z.object({
	id: z.string().describe("The channel's id and the message's ts: a ts alone is unique within its channel only"),
	channelId: z.string(),
	ts: z.string().describe("What Slack calls the message by, such as 1712345678.123459"),
	threadTs: z.string().optional().describe("The ts of the message that the thread began with, for messages of a thread"),
	userId: z.string().optional().describe("The author; missing for messages of apps"),
	botId: z.string().optional(),
	text: z.string().describe("In Slack's markup"),
	subtype: z.string().optional().describe("What makes it more than a plain message, such as channel_join"),
	files: z.array(z.object({ id: z.string(), name: z.string().optional() })),
	editedAt: z.string().optional(),
	postedAt: z.string(),
});

interface Post {
	ts: string;
	thread_ts?: string;
	user?: string;
	bot_id?: string;
	text?: string;
	subtype?: string;
	files?: { id: string; name?: string }[];
	edited?: { ts: string };
	reply_count?: number;
}

type History = Answer & { messages: Post[] };

/** Where a round through the channels stands. */
const Checkpoint = z.object({
	oldest: z.string().describe("What the round reads begins there"),
	next: z.string().describe("Where the next round begins; empty between rounds"),
	channel: z.string().describe("The last channel that was read from in this round"),
	cursor: z.string().describe("The page to go on with there; empty when it has been read"),
	known: z.string().describe("The channels that earlier rounds have read, by comma: others are read from the beginning"),
});

/**
 * Messages change after they were posted: for a day they are read again, so that edits and new answers in threads are
 * seen. What happens later, and what is deleted, is learnt through webhooks.
 */
const overlapSeconds = 24 * 60 * 60;

export default createSync({
	description: "Syncs the messages of chosen Slack channels with the answers in their threads. The app must be a member of the channels. It is started once the metadata names channels",
	version: "1.0.0",
	frequency: "every 15 minutes",
	autoStart: false, // there is nothing to read before channels are chosen
	scopes: ["channels:history", "groups:history"],
	models: { Message },
	metadata: z.object({
		channels: z.array(z.string()).max(200).optional().describe("The ids of the channels to read; nothing is read without"),
		since: z.iso.date().optional().describe("Messages before this day are left out"),
	}),
	checkpoint: Checkpoint,
	webhookSubscriptions: ["event_callback"],

	exec: async (nango) => {
		const { channels = [], since } = (await nango.getMetadata()) ?? {};
		const first = since === undefined ? "0" : String(Date.parse(since) / 1000);
		const before = await nango.getCheckpoint();
		const known = new Set(before?.known.split(",").filter(Boolean));
		const begins = { oldest: before?.oldest ?? first, next: String(Math.floor(Date.now() / 1000) - overlapSeconds), channel: "", cursor: "" };
		const round = before?.next ? before : begins;
		const save = (at: Partial<z.infer<typeof Checkpoint>>) => nango.saveCheckpoint({ ...round, known: [...known].sort().join(","), ...at });

		for (const channel of [...new Set(channels)].sort()) {
			if (channel < round.channel || (channel === round.channel && round.cursor === "")) continue; // read before the interruption
			const oldest = known.has(channel) ? round.oldest : first;
			const start = channel === round.channel ? round.cursor : "";
			const read = async (cursor: string) => {
				// https://docs.slack.dev/reference/methods/conversations.history
				for await (const { data, next } of pages<History>(nango, "conversations.history", { channel, oldest, limit: 200 }, cursor)) {
					const answers = await repliesOf(nango, channel, oldest, data.messages);
					await nango.batchSave([...data.messages, ...answers].map((post) => toMessage(channel, post)), "Message");
					if (next === "") known.add(channel);
					await save({ channel, cursor: next });
				}
			};
			try {
				await read(start).catch((e) => {
					// The page to go on with has expired: the channel begins anew.
					if (start !== "" && e instanceof SlackError && e.reason === "invalid_cursor") return read("");
					throw e;
				});
			} catch (e) {
				// One channel that was archived, or that the app was removed from, must not hold up the others.
				if (!(e instanceof SlackError) || !["channel_not_found", "not_in_channel", "is_archived"].includes(e.reason)) throw e;
				known.delete(channel); // when it can be read again, what was missed is read, too
				await nango.log(`The channel ${channel} can't be read: ${e.reason}`, { level: "warn" });
			}
		}
		for (const channel of known) if (!channels.includes(channel)) known.delete(channel);
		await save({ oldest: round.next, next: "", channel: "", cursor: "" });
	},

	onWebhook: async (nango, payload) => {
		const { event } = payload as { event?: Post & { type: string; channel?: string; message?: Post; deleted_ts?: string } };
		const { channels = [] } = (await nango.getMetadata()) ?? {};
		if (event?.type !== "message" || event.channel === undefined || !channels.includes(event.channel)) return;
		// https://docs.slack.dev/reference/events/message
		switch (event.subtype) {
			case "message_deleted":
				if (event.deleted_ts !== undefined) await nango.batchDelete([{ id: `${event.channel}-${event.deleted_ts}` }], "Message");
				return;
			case "message_changed":
			case "message_replied":
				if (event.message !== undefined) await nango.batchSave([toMessage(event.channel, event.message)], "Message");
				return;
			default:
				await nango.batchSave([toMessage(event.channel, event)], "Message");
		}
	},
});

/** The answers in the threads that these messages began. */
async function repliesOf(nango: Reader, channel: string, oldest: string, messages: Post[]): Promise<Post[]> {
	const replies: Post[] = [];
	for (const { ts, reply_count } of messages) {
		if (!reply_count) continue;
		// https://docs.slack.dev/reference/methods/conversations.replies
		try {
			for await (const { data } of pages<History>(nango, "conversations.replies", { channel, ts, oldest, limit: 200 })) {
				replies.push(...data.messages.filter((reply) => reply.ts !== ts)); // each page begins with the thread's first message
			}
		} catch (e) {
			if (!(e instanceof SlackError) || e.reason !== "thread_not_found") throw e; // it was deleted meanwhile
		}
	}
	return replies;
}

function toMessage(channelId: string, post: Post): z.infer<typeof Message> {
	return {
		id: `${channelId}-${post.ts}`,
		channelId,
		ts: post.ts,
		threadTs: post.thread_ts,
		userId: text(post.user),
		botId: text(post.bot_id),
		text: post.text ?? "",
		subtype: post.subtype,
		files: (post.files ?? []).map(({ id, name }) => ({ id, name })),
		editedAt: post.edited && moment(post.edited.ts),
		postedAt: moment(post.ts),
	};
}
