import { createAction } from "linkspan";
import * as z from "zod";

export default createAction({
	description: "Posts a table of numbers as blocks",
	input: z.object({ channel: z.string(), title: z.string(), rows: z.array(z.object({ label: z.string(), value: z.number() })) }),
	output: z.object({ ts: z.string(), text: z.string() }),
	exec: async (nango, { channel, title, rows }) => {
		const width = Math.max(...rows.map((r) => r.label.length));
		const numbers = rows.map((r) => r.value.toLocaleString("en-US", { maximumFractionDigits: 1 }));
		const right = Math.max(...numbers.map((n) => n.length));
		const text = rows.map((r, i) => `${r.label.padEnd(width, ".")} ${numbers[i]!.padStart(right)}`).join("\n");
		const { data } = await nango.post({
			endpoint: "/chat.postMessage",
			data: { channel, text: title, blocks: [{ type: "header", text: { type: "plain_text", text: title } }, { type: "section", text: { type: "mrkdwn", text: "```" + text + "```" } }] },
		});
		if (!data.ok) throw new nango.ActionError({ message: data.error });
		return { ts: data.ts, text };
	},
});
