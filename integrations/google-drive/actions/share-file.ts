import { createAction } from "linkspan";
import * as z from "zod";

import { defined } from "../../values";

export default createAction({
	description: "Shares a file or a folder in Google Drive with somebody, who is told so by mail unless notify is false. With the scope drive.file these are files that the app made or that somebody opened with it; others need the scope drive",
	version: "1.0.0",
	scopes: ["https://www.googleapis.com/auth/drive.file"],
	input: z.object({
		fileId: z.string().min(1),
		email: z.email().describe("The address of a person or of a group"),
		role: z.enum(["reader", "commenter", "writer"]),
		group: z.boolean().optional().describe("true when the address is that of a Google group"),
		notify: z.boolean().optional(),
		message: z.string().optional().describe("What the mail says"),
	}),
	output: z.object({ permissionId: z.string().describe("What to take the access back by"), role: z.string() }),

	exec: async (nango, input) => {
		const notify = input.notify !== false;
		const { data } = await nango.post<{ id: string; role: string }>({
			// https://developers.google.com/workspace/drive/api/reference/rest/v3/permissions/create
			endpoint: `/drive/v3/files/${encodeURIComponent(input.fileId)}/permissions`,
			params: { supportsAllDrives: "true", sendNotificationEmail: String(notify), ...(notify && input.message ? { emailMessage: input.message } : {}) },
			data: defined({ type: input.group ? "group" : "user", role: input.role, emailAddress: input.email }),
		});
		return { permissionId: data.id, role: data.role };
	},
});
