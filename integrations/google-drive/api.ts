// What the functions of Google Drive share: the shape of its files, and the model that they become.
import * as z from "zod";

import { text } from "../values";

/** A file or a folder. */
export const DriveFile = z.object({
	id: z.string(),
	name: z.string(),
	mimeType: z.string().describe("application/vnd.google-apps.folder for folders; other types of Google's begin likewise, such as application/vnd.google-apps.document"),
	folderId: z.string().optional().describe("The folder that it is in; missing for what others shared"),
	driveId: z.string().optional().describe("The shared drive that it is in"),
	size: z.number().optional().describe("Bytes; documents of Google's have none"),
	checksum: z.string().optional().describe("MD5 of the content, hexadecimal"),
	description: z.string().optional(),
	owners: z.array(z.string()).describe("Mail addresses; files of shared drives have no owners"),
	shared: z.boolean(),
	externalUrl: z.string().optional().describe("Opens it in the browser"),
	createdAt: z.string(),
	updatedAt: z.string(),
});

/** The mime type of folders. */
export const folderType = "application/vnd.google-apps.folder";

/** A file as the API has it, with the fields of `fields`. */
export interface File {
	id: string;
	name: string;
	mimeType: string;
	description?: string;
	trashed?: boolean;
	parents?: string[];
	driveId?: string;
	size?: string;
	md5Checksum?: string;
	owners?: { emailAddress?: string }[];
	shared?: boolean;
	webViewLink?: string;
	createdTime: string;
	modifiedTime: string;
}

/** The fields of files that are read. */
export const fields = "id,name,mimeType,description,trashed,parents,driveId,size,md5Checksum,owners(emailAddress),shared,webViewLink,createdTime,modifiedTime";

/** Params without which shared drives are left out. */
export const everywhere = { supportsAllDrives: "true", includeItemsFromAllDrives: "true" };

/** Maps a file. */
export function toFile(file: File): z.infer<typeof DriveFile> {
	return {
		id: file.id,
		name: file.name,
		mimeType: file.mimeType,
		folderId: file.parents?.[0],
		driveId: file.driveId,
		size: file.size === undefined ? undefined : Number(file.size),
		checksum: file.md5Checksum,
		description: text(file.description),
		owners: (file.owners ?? []).flatMap((owner) => owner.emailAddress ?? []),
		shared: file.shared ?? file.driveId !== undefined,
		externalUrl: file.webViewLink,
		createdAt: file.createdTime,
		updatedAt: file.modifiedTime,
	};
}

/** A text in a search query, https://developers.google.com/workspace/drive/api/guides/search-files. */
export function quoted(value: string): string {
	return `'${value.replace(/[\\']/g, "\\$&")}'`;
}

/** What reads: the nango object of a sync or of an action. */
interface Reader {
	get<T>(config: { endpoint: string; params: Record<string, string | number>; retries: number }): Promise<{ data: T }>;
}

/**
 * Lists files page by page, from a page on. A page may be empty although others follow, which nango.paginate would take for
 * the end.
 */
export async function* list(nango: Reader, q: string, start = ""): AsyncGenerator<{ files: File[]; next: string }> {
	let page = start;
	do {
		// https://developers.google.com/workspace/drive/api/reference/rest/v3/files/list
		const { data } = await nango.get<{ files: File[]; nextPageToken?: string }>({
			endpoint: "/drive/v3/files",
			params: { q, fields: `nextPageToken,files(${fields})`, pageSize: 1000, ...everywhere, ...(page === "" ? {} : { pageToken: page }) },
			retries: 5,
		});
		page = data.nextPageToken ?? "";
		yield { files: data.files, next: page };
	} while (page !== "");
}
