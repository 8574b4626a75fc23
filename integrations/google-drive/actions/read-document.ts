import { ActionError, createAction } from "linkspan";
import * as z from "zod";

import { type File } from "../api";

/** What Google's own documents are exported as. */
const exports: Record<string, string> = {
	"application/vnd.google-apps.document": "text/markdown",
	"application/vnd.google-apps.spreadsheet": "text/csv",
	"application/vnd.google-apps.presentation": "text/plain",
	"application/vnd.google-apps.script": "application/vnd.google-apps.script+json",
};

/** Results of actions are limited; this leaves room for what is escaped. */
const maxCharacters = 500_000;

export default createAction({
	description: "Reads a document in Google Drive as text: Google Docs as Markdown, the first sheet of Google Sheets as CSV, the text of Google Slides, and text files as they are",
	version: "1.0.0",
	scopes: ["https://www.googleapis.com/auth/drive.readonly"],
	input: z.object({ fileId: z.string().min(1) }),
	output: z.object({ name: z.string(), mimeType: z.string().describe("The type of the text"), text: z.string(), truncated: z.boolean().describe("Whether the text goes on") }),

	exec: async (nango, { fileId }) => {
		const endpoint = `/drive/v3/files/${encodeURIComponent(fileId)}`;
		const { data: file } = await nango.get<File>({ endpoint, params: { fields: "id,name,mimeType", supportsAllDrives: "true" }, retries: 3 });
		const exported = exports[file.mimeType];
		if (exported === undefined && !isText(file.mimeType)) throw new ActionError({ message: `${file.name} is not text: it is ${file.mimeType}.` });
		const { data } = await nango.get<string>({
			...(exported === undefined
				? { endpoint, params: { alt: "media", supportsAllDrives: "true" } }
				: // https://developers.google.com/workspace/drive/api/reference/rest/v3/files/export
					{ endpoint: `${endpoint}/export`, params: { mimeType: exported } }),
			responseType: "text",
			retries: 3,
		});
		const text = String(data);
		return { name: file.name, mimeType: exported ?? file.mimeType, text: text.slice(0, maxCharacters), truncated: text.length > maxCharacters };
	},
});

function isText(mimeType: string): boolean {
	return mimeType.startsWith("text/") || /^application\/([\w.+-]+\+)?(json|xml|yaml|javascript|x-ndjson)$/.test(mimeType);
}
