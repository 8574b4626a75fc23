// What the functions of Slack share: its way to fail, its pages, and its people as unified users.
import { ActionError } from "linkspan";

import type { UnifiedUser } from "../models";
import { email, text } from "../values";

/** What every answer says. Slack answers 200 to what went wrong, too. */
export interface Answer {
	ok: boolean;
	error?: string;
	/** The scope that was missing. */
	needed?: string;
	response_metadata?: { next_cursor?: string; messages?: string[] };
}

/** A failure by Slack's own code for it, such as channel_not_found. */
export class SlackError extends ActionError {
	readonly reason: string;

	constructor(method: string, answer: Answer) {
		const reason = answer.error ?? "unknown_error";
		const needed = answer.needed ? ` It needs the scope ${answer.needed}.` : "";
		super({ message: `Slack refused ${method}: ${reason}.${needed}`, error: reason, details: answer.response_metadata?.messages });
		this.reason = reason;
	}
}

/** The data of an answer, unless it says that the call failed. */
export function checked<T extends Answer>(method: string, data: T): T {
	if (!data.ok) throw new SlackError(method, data);
	return data;
}

/** What reads: the nango object of a sync or of an action. */
export interface Reader {
	get<T>(config: { endpoint: string; params: Record<string, string | number>; retries: number }): Promise<{ data: T }>;
}

/**
 * Reads a list page by page. nango.paginate would take an answer that says it failed for an empty page, and a sync
 * that tracks deletes would then delete what it did not see.
 */
export async function* pages<T extends Answer>(nango: Reader, method: string, params: Record<string, string | number>, start = ""): AsyncGenerator<{ data: T; next: string }> {
	let cursor = start;
	do {
		const page = cursor === "" ? params : { ...params, cursor };
		const { data } = await nango.get<T>({ endpoint: `/${method}`, params: page, retries: 5 });
		cursor = checked(method, data).response_metadata?.next_cursor ?? "";
		yield { data, next: cursor };
	} while (cursor !== "");
}

/** A member of a workspace, as far as it is read here. */
export interface Member {
	id: string;
	team_id?: string;
	name: string;
	deleted?: boolean;
	is_bot?: boolean;
	real_name?: string;
	profile?: { real_name?: string; display_name?: string; email?: string; title?: string };
	tz?: string;
}

/** Whether a member is somebody who works there: neither gone nor a bot, of which Slackbot does not call itself one. */
export function isPerson(member: Member): boolean {
	return !member.deleted && !member.is_bot && member.id !== "USLACKBOT";
}

/** Maps a member. The address is there with the scope users:read.email only. */
export function toUser(member: Member): UnifiedUser & { id: string } {
	return {
		id: member.id,
		name: text(member.profile?.real_name) ?? text(member.real_name) ?? text(member.profile?.display_name) ?? member.name,
		email: email(member.profile?.email),
		externalUrl: member.team_id && `https://app.slack.com/client/${member.team_id}/user_profile/${member.id}`,
		raw: member,
	};
}

/** The moment that a message's ts names, in ISO 8601. */
export function moment(ts: string): string {
	return new Date(Math.floor(Number(ts) * 1000)).toISOString();
}
