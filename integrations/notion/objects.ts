import type { NangoAction } from "linkspan";
import { text } from "../values";

/** A piece of text with its looks. */
export interface RichText {
	plain_text: string;
	href?: string | null;
	annotations?: { bold?: boolean; italic?: boolean; strikethrough?: boolean; code?: boolean };
}

/** A value of a page's property: what it holds is under the name of its type. */
export type Property = { id: string; type: string } & Record<string, unknown>;

/** A page, which may be a row of a database. */
export interface Page {
	object: "page";
	id: string;
	created_time: string;
	last_edited_time: string;
	created_by?: { id: string };
	last_edited_by?: { id: string };
	archived?: boolean;
	in_trash?: boolean;
	parent: { type: string } & Record<string, unknown>;
	properties: Record<string, Property>;
	url: string;
}

/** A page of any list of Notion. */
export interface List<T> {
	results: T[];
	next_cursor: string | null;
	has_more: boolean;
}

/** The text without its looks. */
export function plainText(parts: unknown): string {
	return Array.isArray(parts) ? parts.map((part: RichText) => part.plain_text).join("") : "";
}

/** The title of a page. */
export function title(page: Page): string {
	const property = Object.values(page.properties).find(({ type }) => type === "title");
	return text(plainText(property?.["title"])) ?? "Untitled";
}

/** What the page is in. Undefined: the top of the workspace. */
export function parentId({ parent }: Page): string | undefined {
	return text(parent[parent.type]);
}

/** Whether the page is in the trash. */
export function isGone(page: Page): boolean {
	return page.archived === true || page.in_trash === true;
}

/** A property's value as plain data: texts, numbers, lists of names or of ids. Null: it is empty. */
export function plain(property: Property): unknown {
	const value = property[property.type] as any;
	if (value === null || value === undefined) return null;
	switch (property.type) {
		case "title":
		case "rich_text":
			return text(plainText(value)) ?? null;
		case "select":
		case "status":
			return value.name;
		case "multi_select":
			return value.map((option: { name: string }) => option.name);
		case "people":
		case "relation":
			return value.map((other: { id: string }) => other.id);
		case "files":
			return value.map((file: { name: string }) => file.name);
		case "created_by":
		case "last_edited_by":
			return value.id;
		case "date":
			return value.end ? `${value.start}/${value.end}` : value.start;
		case "unique_id":
			return value.prefix ? `${value.prefix}-${value.number}` : String(value.number);
		case "formula":
			return plain({ id: property.id, ...value });
		case "rollup":
			return value.type === "array" ? value.array.map((item: Property) => plain(item)) : plain({ id: property.id, ...value });
		default: // number, checkbox, url, email, phone_number, created_time, last_edited_time, string and boolean of formulas
			return value;
	}
}

/**
 * The pages of a list that is asked for with POST, each with the cursor of the next
 * one. It goes on from a cursor that an earlier run was given, unless that is not
 * good any more: then it begins anew.
 */
export async function* query<T>(nango: Pick<NangoAction, "post">, endpoint: string, data: object, from = ""): AsyncGenerator<{ results: T[]; next: string }> {
	const read = async (cursor: string) => (await nango.post<List<T>>({ endpoint, data: { ...data, page_size: 100, ...(cursor && { start_cursor: cursor }) }, retries: 5 })).data;
	let list = await read(from).catch((error: { response?: { status?: number } }) => {
		if (from && error.response?.status === 400) return read("");
		throw error;
	});
	for (;;) {
		const next = list.has_more ? (list.next_cursor ?? "") : "";
		yield { results: list.results, next };
		if (!next) return;
		list = await read(next);
	}
}
