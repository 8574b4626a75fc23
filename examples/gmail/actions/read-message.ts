import { createAction } from "linkspan";
import * as z from "zod";

interface Part {
	mimeType: string;
	filename?: string;
	body: { data?: string; size: number };
	parts?: Part[];
}

function* walk(part: Part): Generator<Part> {
	yield part;
	for (const p of part.parts ?? []) yield* walk(p);
}

const decode = (s: string) => Buffer.from(s, "base64url").toString("utf8");

export default createAction({
	description: "Reads a message's text and the names of its attachments",
	input: z.object({ id: z.string() }),
	output: z.object({ subject: z.string(), from: z.object({ name: z.string(), address: z.string() }), text: z.string(), attachments: z.array(z.string()) }),
	exec: async (nango, { id }) => {
		const { data } = await nango.get({ endpoint: `/gmail/v1/users/me/messages/${id}`, params: { format: "full" } });
		const header = (name: string): string => data.payload.headers.find((h: any) => h.name.toLowerCase() === name)?.value ?? "";
		const [, quoted, plain, address = ""] = /^\s*(?:"([^"]*)"|([^<]*?))\s*<([^>]+)>\s*$/.exec(header("from")) ?? [];
		const parts = [...walk(data.payload)];
		const text = parts.find((p) => p.mimeType === "text/plain" && p.body.data);
		const html = parts.find((p) => p.mimeType === "text/html" && p.body.data);
		return {
			subject: header("subject").replace(/=\?utf-8\?B\?([^?]+)\?=/gi, (_, b) => Buffer.from(b, "base64").toString()),
			from: { name: quoted ?? plain ?? "", address },
			text: text ? decode(text.body.data!) : html ? decode(html.body.data!).replace(/<br\s*\/?>/gi, "\n").replace(/<[^>]+>/g, "") : "",
			attachments: parts.flatMap((p) => (p.filename ? [`${p.filename} (${p.body.size})`] : [])),
		};
	},
});
