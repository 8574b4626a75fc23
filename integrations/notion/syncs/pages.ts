import { createSync } from "linkspan";
import * as z from "zod";
import { isGone as isUnseen } from "../../values";
import { isGone, type Page as NotionPage, parentId, query, title } from "../objects";

const Page = z.object({
	id: z.string(),
	title: z.string(),
	parentType: z.string().describe("page_id, database_id, block_id or workspace"),
	parentId: z.string().optional(),
	createdAt: z.string(),
	updatedAt: z.string().describe("To the minute"),
	createdBy: z.string().optional().describe("Id of a user"),
	updatedBy: z.string().optional().describe("Id of a user"),
	externalUrl: z.url(),
});

function toPage(page: NotionPage): z.infer<typeof Page> {
	return {
		id: page.id,
		title: title(page),
		parentType: page.parent.type,
		parentId: parentId(page),
		createdAt: page.created_time,
		updatedAt: page.last_edited_time,
		createdBy: page.created_by?.id,
		updatedBy: page.last_edited_by?.id,
		externalUrl: page.url,
	};
}

/** The search finds changes late, and not in their order: what changed this much earlier is looked for again. */
const overlap = 15 * 60_000;

/** What Notion tells of an event. */
interface Event {
	type: string;
	entity: { id: string; type: string };
}

export default createSync({
	description: "Syncs the pages of Notion that the connection may see, without their content: those that changed since the last run. Deletions come by webhook; a page that is shared with the connection later is read when it changes; the action read-page reads the content",
	version: "1.0.0",
	frequency: "every 30 minutes",
	autoStart: true,
	models: { Page },
	checkpoint: z.object({ since: z.string(), newest: z.string(), cursor: z.string() }),
	webhookSubscriptions: ["page.created", "page.content_updated", "page.properties_updated", "page.moved", "page.undeleted", "page.deleted"],
	exec: async (nango) => {
		// The search has no filter by time, but an order: the last change first. It
		// is read up to a little before where the last run began.
		let { since, newest, cursor } = (await nango.getCheckpoint()) ?? { since: "", newest: "", cursor: "" };
		const until = since && new Date(Date.parse(since) - overlap).toISOString();
		const search = { filter: { property: "object", value: "page" }, sort: { timestamp: "last_edited_time", direction: "descending" } };
		for await (const { results, next } of query<NotionPage>(nango, "/v1/search", search, cursor)) {
			newest ||= results[0]?.last_edited_time ?? since;
			const changed = results.filter((page) => page.last_edited_time >= until);
			await nango.batchSave(changed.filter((page) => !isGone(page)).map(toPage), "Page");
			await nango.batchDelete(
				changed.filter(isGone).map(({ id }) => ({ id })),
				"Page",
			);
			if (changed.length < results.length) break;
			if (next) await nango.saveCheckpoint({ since, newest, cursor: next });
		}
		await nango.saveCheckpoint({ since: newest, newest: "", cursor: "" });
	},
	onWebhook: async (nango, { type, entity }: Event) => {
		if (type === "page.deleted") {
			await nango.batchDelete([{ id: entity.id }], "Page");
			return;
		}
		try {
			const { data } = await nango.get<NotionPage>({ endpoint: `/v1/pages/${entity.id}`, retries: 5 });
			if (isGone(data)) await nango.batchDelete([{ id: data.id }], "Page");
			else await nango.batchSave([toPage(data)], "Page");
		} catch (e) {
			if (!isUnseen(e)) throw e;
			await nango.batchDelete([{ id: entity.id }], "Page"); // gone since the event, or moved out of sight
		}
	},
});
