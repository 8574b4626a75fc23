import { createSync } from "linkspan";
import * as z from "zod";

import { DriveFile, everywhere, fields, type File, list, toFile } from "../api";

/**
 * The first run lists all files; `page` is where that listing stands. Later runs read the log of changes from
 * `changes` on, a token taken before the listing began, so that nothing falls between the two.
 */
const Checkpoint = z.object({ changes: z.string(), page: z.string().describe("Empty once all files were listed"), listed: z.boolean() });

interface Changes {
	changes: { removed?: boolean; changeType?: string; fileId?: string; file?: File }[];
	nextPageToken?: string;
	newStartPageToken?: string;
}

export default createSync({
	description: "Syncs what is known of all files and folders in a Google Drive, and of those in shared drives that the user works with, as they change; what was deleted or put in the trash goes. Contents are not read",
	version: "1.0.0",
	frequency: "every 15 minutes",
	autoStart: true,
	scopes: ["https://www.googleapis.com/auth/drive.metadata.readonly"],
	models: { DriveFile },
	checkpoint: Checkpoint,

	exec: async (nango) => {
		let at = await nango.getCheckpoint();
		if (!at?.listed) {
			await nango.trackDeletesStart("DriveFile"); // after a reset, records of files that are gone are there
			// https://developers.google.com/workspace/drive/api/reference/rest/v3/changes/getStartPageToken
			const changes = at?.changes ?? (await nango.get<{ startPageToken: string }>({ endpoint: "/drive/v3/changes/startPageToken", params: { supportsAllDrives: "true" }, retries: 5 })).data.startPageToken;
			const read = async (start: string) => {
				for await (const { files, next } of list(nango, "trashed = false", start)) {
					await nango.batchSave(files.map(toFile), "DriveFile");
					if (next !== "") await nango.saveCheckpoint({ changes, page: next, listed: false });
				}
			};
			const start = at?.page ?? "";
			await read(start).catch(async (e) => {
				if (start === "" || e.response?.status !== 400) throw e;
				await nango.log("The page to go on with has expired: all files are listed again", { level: "warn" });
				await read("");
			});
			// Should the run end between these, the next one lists everything again rather than delete what it did not see.
			await nango.clearCheckpoint();
			await nango.trackDeletesEnd("DriveFile");
			at = { changes, page: "", listed: true };
			await nango.saveCheckpoint(at);
		}

		for (let token: string | undefined = at.changes; token !== undefined; ) {
			// https://developers.google.com/workspace/drive/api/reference/rest/v3/changes/list
			const { data }: { data: Changes } = await nango.get<Changes>({
				endpoint: "/drive/v3/changes",
				params: { pageToken: token, fields: `nextPageToken,newStartPageToken,changes(removed,changeType,fileId,file(${fields}))`, includeRemoved: "true", pageSize: 1000, ...everywhere },
				retries: 5,
			});
			const files = data.changes.filter((change) => change.changeType !== "drive" && change.fileId !== undefined);
			const there = files.flatMap(({ removed, file }) => (removed || file === undefined || file.trashed ? [] : [file]));
			const gone = files.filter(({ removed, file }) => removed || file?.trashed);
			await nango.batchSave(there.map(toFile), "DriveFile");
			await nango.batchDelete(gone.map((change) => ({ id: change.fileId! })), "DriveFile");
			const next: string | undefined = data.nextPageToken ?? data.newStartPageToken;
			if (next !== undefined) await nango.saveCheckpoint({ changes: next, page: "", listed: true });
			token = data.nextPageToken;
		}
	},
});
