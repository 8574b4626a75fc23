import { createAction } from "linkspan";
import * as z from "zod";

export default createAction({
	description: "Sends a message with an attachment",
	input: z.object({ to: z.array(z.email()).nonempty(), subject: z.string(), text: z.string(), attachment: z.object({ name: z.string(), content: z.string() }).optional() }),
	output: z.object({ id: z.string(), bytes: z.number(), raw: z.string() }),
	exec: async (nango, input) => {
		const boundary = "b" + Buffer.from(input.subject).toString("hex").slice(0, 12);
		const wrap = (s: string) => s.replace(/(.{76})(?=.)/g, "$1\r\n");
		const lines = [
			`To: ${input.to.join(", ")}`,
			`Subject: =?UTF-8?B?${Buffer.from(input.subject, "utf8").toString("base64")}?=`,
			"MIME-Version: 1.0",
			`Content-Type: multipart/mixed; boundary=${boundary}`,
			"",
			`--${boundary}`,
			"Content-Type: text/plain; charset=utf-8",
			"Content-Transfer-Encoding: base64",
			"",
			wrap(btoa(unescape(encodeURIComponent(input.text)))),
		];
		if (input.attachment) lines.push(`--${boundary}`, `Content-Disposition: attachment; filename="${input.attachment.name}"`, "", wrap(Buffer.from(input.attachment.content).toString("base64")));
		lines.push(`--${boundary}--`);
		const raw = Buffer.from(lines.join("\r\n"));
		const { data } = await nango.post({ endpoint: "/gmail/v1/users/me/messages/send", data: { raw: raw.toString("base64url") } });
		return { id: data.id, bytes: raw.length, raw: raw.toString("base64url") };
	},
});
