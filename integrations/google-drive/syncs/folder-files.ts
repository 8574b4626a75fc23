import { createSync } from "linkspan";
import * as z from "zod";

import { DriveFile, folderType, list, quoted, toFile } from "../api";

/** A file with its way from the chosen folder. */
const FolderFile = DriveFile.extend({ path: z.string().describe("The names of the folders that it is in below the chosen one, and its own, by slash") });

export default createSync({
	description: "Syncs what is known of the files in chosen Google Drive folders and all folders below them, such as those that somebody picked to be searched. It is started once the metadata names folders",
	version: "1.0.0",
	frequency: "every hour",
	autoStart: false, // there is nothing to read before folders are chosen
	scopes: ["https://www.googleapis.com/auth/drive.metadata.readonly"],
	models: { FolderFile },
	metadata: z.object({ folders: z.array(z.string()).optional().describe("The ids of the folders; nothing is read without") }),

	exec: async (nango) => {
		const { folders = [] } = (await nango.getMetadata()) ?? {};
		await nango.trackDeletesStart("FolderFile");
		const waiting = folders.map((id) => ({ id, path: "" }));
		const seen = new Set(folders); // chosen folders may lie in each other
		for (let folder = waiting.shift(); folder !== undefined; folder = waiting.shift()) {
			const { id, path } = folder;
			for await (const { files: page } of list(nango, `${quoted(id)} in parents and trashed = false`)) {
				const files = page.filter((file) => file.mimeType !== folderType);
				await nango.batchSave(files.map((file) => ({ ...toFile(file), path: path + file.name })), "FolderFile");
				for (const below of page) {
					if (below.mimeType !== folderType || seen.has(below.id)) continue;
					seen.add(below.id);
					waiting.push({ id: below.id, path: `${path}${below.name}/` });
				}
			}
		}
		await nango.trackDeletesEnd("FolderFile");
	},
});
