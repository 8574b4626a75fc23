import type { NangoAction } from "linkspan";
import { defined, fullName, text, timestamp } from "../values";
import type { CreateUnifiedContact, UnifiedContact } from "../models";

/** What the calls of this folder need of the nango object. */
type Caller = Pick<NangoAction, "get" | "post" | "paginate">;

/** An object of the CRM: a contact, a company, a deal. */
export interface CrmObject {
	id: string;
	properties: Record<string, string | null | undefined>;
	createdAt: string;
	updatedAt: string;
	archived?: boolean;
	archivedAt?: string;
}

/** Where the reading of changes stands. `since` and `until` are milliseconds since 1970. */
export interface Position {
	/** What changed before has been read. */
	since: number;
	/** When the reading that is under way began: the `since` of the next one. */
	until: number;
	/** The last object read; empty: none yet. */
	lastId: string;
}

/** The property that holds when an object was changed. Contacts have another one than everything else. */
const modified = { contacts: "lastmodifieddate", companies: "hs_lastmodifieddate", deals: "hs_lastmodifieddate" } as const;

/** What the search finds late: it takes a while until a change can be found. */
const indexDelay = 5 * 60_000;

/** A position to begin with, or to go on from: the one given, or after it when its reading has ended. */
export function begin(position: Position | null): Position {
	if (position?.lastId) return position;
	return { since: position?.until ?? 0, until: Date.now() - indexDelay, lastId: "" };
}

/**
 * The objects that changed since, a page at a time, each with the position to
 * go on from. The search ends after 10,000 results of one query, so every page
 * is a query of its own: the next objects in the order of their ids.
 */
export async function* changes(nango: Caller, object: keyof typeof modified, properties: string[], position: Position): AsyncGenerator<{ objects: CrmObject[]; position: Position }> {
	for (let { lastId } = position; ; ) {
		const filters: { propertyName: string; operator: string; value: string }[] = [{ propertyName: modified[object], operator: "GTE", value: String(position.since) }];
		if (lastId) filters.push({ propertyName: "hs_object_id", operator: "GT", value: lastId });
		const { data } = await nango.post<{ results: CrmObject[]; paging?: { next?: { after: string } } }>({
			endpoint: `/crm/v3/objects/${object}/search`,
			data: { filterGroups: [{ filters }], sorts: [{ propertyName: "hs_object_id", direction: "ASCENDING" }], properties, limit: 200 },
			retries: 5,
		});
		const last = data.results.at(-1);
		if (!last) return;
		lastId = last.id;
		yield { objects: data.results, position: { ...position, lastId } };
		if (!data.paging?.next) return;
	}
}

/** The ids of objects that became one of these by a merge: HubSpot does not list them as deleted. */
export function merged(objects: CrmObject[]): { id: string }[] {
	const ids = objects.flatMap(({ properties }) => (properties["hs_merged_object_ids"] ?? "").split(/[;,]/)).filter(Boolean);
	const there = new Set(objects.map(({ id }) => id));
	return [...new Set(ids)].filter((id) => !there.has(id)).map((id) => ({ id }));
}

/** The ids of what was deleted since, a page at a time. HubSpot keeps deleted objects for 90 days. */
export async function* deletions(nango: Caller, object: keyof typeof modified, since: number): AsyncGenerator<{ id: string }[]> {
	for await (const page of nango.paginate<CrmObject>({ endpoint: `/crm/v3/objects/${object}`, params: { archived: "true" }, paginate: { limit: 100 }, retries: 5 })) {
		yield page.filter(({ archivedAt }) => !archivedAt || Date.parse(archivedAt) >= since).map(({ id }) => ({ id }));
	}
}

/** The properties that make a UnifiedContact. */
export const contactProperties = ["firstname", "lastname", "email", "phone", "jobtitle", "company", "associatedcompanyid", "hubspot_owner_id", "createdate", "lastmodifieddate", "hs_merged_object_ids"];

/** HubSpot's type of the association from a contact to the company that companyId names: it may have others beside it. */
export const primaryCompany = 1;

/** The account's pages begin here. Undefined: the connection does not know its account. */
export async function accountUrl(nango: Pick<NangoAction, "getConnection">): Promise<string | undefined> {
	const { connection_config } = await nango.getConnection();
	const portal = text((connection_config as Record<string, unknown> | undefined)?.["portalId"]);
	return portal && `https://app.hubspot.com/contacts/${portal}`;
}

/** A contact in the shape of all CRMs. */
export function toContact(contact: CrmObject, account: string | undefined): UnifiedContact {
	const p = contact.properties;
	return {
		id: contact.id,
		name: fullName(p.firstname, p.lastname) ?? text(p.email) ?? contact.id,
		firstName: text(p.firstname),
		lastName: text(p.lastname),
		email: text(p.email),
		phone: text(p.phone),
		jobTitle: text(p.jobtitle),
		companyName: text(p.company),
		companyId: text(p.associatedcompanyid),
		ownerId: text(p.hubspot_owner_id),
		externalUrl: account && `${account}/record/0-1/${contact.id}`,
		createdAt: timestamp(contact.createdAt),
		updatedAt: timestamp(contact.updatedAt),
		raw: contact,
	};
}

/** The properties that an input sets, by HubSpot's names. What it leaves out is not among them. */
export function toProperties(input: Partial<CreateUnifiedContact>): Record<string, unknown> {
	return defined({
		firstname: input.firstName,
		lastname: input.lastName,
		email: input.email,
		phone: input.phone,
		jobtitle: input.jobTitle,
		hubspot_owner_id: input.ownerId,
		...input.custom,
	});
}
