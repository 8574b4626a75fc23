import { ActionError, type NangoAction } from "linkspan";
import { defined, fullName, text, timestamp } from "../values";
import type { CreateUnifiedContact, UnifiedContact } from "../models";

/** The version of the REST API that these functions speak. */
export const api = "/services/data/v62.0";

/** What every row has. */
export interface Row {
	Id: string;
	SystemModstamp: string;
	attributes?: unknown;
}

/** A row that stays for a while after its deletion. Users are never deleted. */
export interface DeletableRow extends Row {
	IsDeleted: boolean;
}

/** An answer to a query. */
interface Answer<T> {
	records: T[];
	done: boolean;
	nextRecordsUrl?: string;
}

/** Where the reading of changes stands. */
export interface Position {
	/** Of the last row read: when it was changed, ISO 8601. */
	modified: string;
	/** Of the last row read. */
	id: string;
}

/** A change gets its time before others can see it, so what is this much older is read once more. */
const overlap = 5 * 60_000;

/** The condition that a row comes after a position. */
function after({ modified, id }: Position): string {
	const later = `SystemModstamp > ${modified}`;
	return id ? `(${later} OR (SystemModstamp = ${modified} AND Id > '${id}'))` : later;
}

/**
 * The rows that changed since, deleted ones included, oldest change first; a
 * page at a time, each with the position to go on from. Every page is a query
 * of its own, so that a run can go on where another one was cut off.
 */
export async function* changes<T extends Row>(
	nango: Pick<NangoAction, "get">,
	table: string,
	fields: string[],
	from: Position | null,
	where?: string,
): AsyncGenerator<{ rows: T[]; position: Position }> {
	const size = 2000;
	let position = from && { modified: new Date(Date.parse(from.modified) - overlap).toISOString(), id: "" };
	for (;;) {
		const conditions = [where, position && after(position)].filter(Boolean).join(" AND ");
		const query = `SELECT ${["Id", "SystemModstamp", ...fields].join(", ")} FROM ${table}${conditions && ` WHERE ${conditions}`} ORDER BY SystemModstamp, Id LIMIT ${size}`;
		let read = 0;
		for (let next: string | undefined = `${api}/queryAll`, params: Record<string, string> | undefined = { q: query }; next; params = undefined) {
			const { data }: { data: Answer<T> } = await nango.get<Answer<T>>({ endpoint: next, params, retries: 5 });
			const last = data.records.at(-1);
			if (last) {
				position = { modified: timestamp(last.SystemModstamp) ?? last.SystemModstamp, id: last.Id };
				yield { rows: data.records, position };
			}
			read += data.records.length;
			next = data.nextRecordsUrl;
		}
		if (read < size) return;
	}
}

/** The names if all of them can stand in a query, and not twice; otherwise an error that names the one which can't. */
export function fieldNames(names: string[], have: string[]): string[] {
	const wrong = names.find((name) => !/^[A-Za-z]\w*(\.[A-Za-z]\w*)*$/.test(name));
	if (wrong !== undefined) throw new ActionError({ message: `The metadata names the field ${JSON.stringify(wrong)}, which can't be the name of a field of Salesforce` });
	return names.filter((name) => !have.includes(name));
}

/** Where people see the connection's objects. */
export async function instanceUrl(nango: Pick<NangoAction, "getConnection">): Promise<string | undefined> {
	const { connection_config } = await nango.getConnection();
	return text((connection_config as Record<string, unknown> | undefined)?.["instance_url"])?.replace(/\/$/, "");
}

/** A contact as queries of contactFields bring it. */
export interface ContactRow extends DeletableRow {
	FirstName?: string | null;
	LastName?: string | null;
	Name?: string | null;
	Email?: string | null;
	Phone?: string | null;
	Title?: string | null;
	AccountId?: string | null;
	Account?: { Name?: string | null } | null;
	OwnerId?: string | null;
	CreatedDate?: string | null;
}

/** The fields that make a UnifiedContact. */
export const contactFields = ["IsDeleted", "FirstName", "LastName", "Name", "Email", "Phone", "Title", "AccountId", "Account.Name", "OwnerId", "CreatedDate"];

/** A contact in the shape of all CRMs. */
export function toContact(row: ContactRow, instance: string | undefined): UnifiedContact {
	const { attributes: _, ...raw } = row;
	return {
		id: row.Id,
		name: text(row.Name) ?? fullName(row.FirstName, row.LastName) ?? text(row.Email) ?? row.Id,
		firstName: text(row.FirstName),
		lastName: text(row.LastName),
		email: text(row.Email),
		phone: text(row.Phone),
		jobTitle: text(row.Title),
		companyName: text(row.Account?.Name),
		companyId: text(row.AccountId),
		ownerId: text(row.OwnerId),
		externalUrl: instance && `${instance}/lightning/r/Contact/${row.Id}/view`,
		createdAt: timestamp(row.CreatedDate),
		updatedAt: timestamp(row.SystemModstamp),
		raw,
	};
}

/** The fields that an input sets, by Salesforce's names. What it leaves out is not among them. */
export function toFields(input: Partial<CreateUnifiedContact>): Record<string, unknown> {
	return defined({
		FirstName: input.firstName,
		LastName: input.lastName,
		Email: input.email,
		Phone: input.phone,
		Title: input.jobTitle,
		AccountId: input.companyId,
		OwnerId: input.ownerId,
		...input.custom,
	});
}

/** The contact as it is now. */
export async function readContact(nango: Pick<NangoAction, "get" | "getConnection">, id: string): Promise<UnifiedContact> {
	const fields = ["Id", "SystemModstamp", ...contactFields].join(", ");
	const query = `SELECT ${fields} FROM Contact WHERE Id = '${id.replace(/[\\']/g, "\\$&")}'`;
	const { data } = await nango.get<Answer<ContactRow>>({ endpoint: `${api}/query`, params: { q: query }, retries: 5 });
	const row = data.records[0];
	if (!row) throw new ActionError({ message: `Salesforce has no contact ${id} that this connection may see` });
	return toContact(row, await instanceUrl(nango));
}
