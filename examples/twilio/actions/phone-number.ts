import { createAction } from "linkspan";
import * as z from "zod";

export default createAction({
	description: "Looks a number up after bringing it into the international form",
	input: z.object({ number: z.string(), country: z.string().length(2).optional() }),
	output: z.object({ e164: z.string(), carrier: z.string().nullable() }),
	exec: async (nango, { number, country = "US" }) => {
		const prefixes: Record<string, string> = { US: "1", GB: "44", DE: "49" };
		const trimmed = number.replace(/\(0\)|[^\d+]/g, "");
		const e164 = trimmed.startsWith("+") ? trimmed : trimmed.startsWith("00") ? "+" + trimmed.slice(2) : `+${prefixes[country]}${trimmed.replace(/^0|^1(?=\d{10}$)/, "")}`;
		if (!/^\+[1-9]\d{6,14}$/.test(e164)) throw new nango.ActionError({ message: "not a number", number });
		const { data } = await nango.get({ endpoint: `/v2/PhoneNumbers/${encodeURIComponent(e164)}`, params: { Fields: "line_type_intelligence" } });
		return { e164, carrier: data.line_type_intelligence?.carrier_name ?? null };
	},
});
