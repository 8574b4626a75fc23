import { createAction } from "linkspan";
import * as z from "zod";

import { defined } from "../../values";
import { DriveFile, fields, type File, folderType, toFile } from "../api";

export default createAction({
	description: "Creates a folder in Google Drive, within another one or at the top of My Drive. With the scope drive.file the other one is one that the app made or that somebody picked for it",
	version: "1.0.0",
	scopes: ["https://www.googleapis.com/auth/drive.file"],
	input: z.object({ name: z.string().min(1), folderId: z.string().optional().describe("The folder to create it in; the top of My Drive when left out"), description: z.string().optional() }),
	output: DriveFile,

	exec: async (nango, input) => {
		const { data } = await nango.post<File>({
			// https://developers.google.com/workspace/drive/api/reference/rest/v3/files/create
			endpoint: "/drive/v3/files",
			params: { fields, supportsAllDrives: "true" },
			data: defined({ name: input.name, mimeType: folderType, description: input.description, parents: input.folderId === undefined ? undefined : [input.folderId] }),
		});
		return toFile(data);
	},
});
