import { createAction } from "linkspan";
import * as z from "zod";

export default createAction({
	description: "Reads which values of a dependent picklist fit which controlling value",
	input: z.object({ object: z.string(), field: z.string() }),
	output: z.record(z.string(), z.array(z.string())),
	exec: async (nango, { object, field }) => {
		const { data } = await nango.get({ endpoint: `/services/data/v60.0/sobjects/${object}/describe` });
		const dependent = data.fields.find((f: any) => f.name === field);
		const controlling = data.fields.find((f: any) => f.name === dependent?.controllerName);
		if (!dependent || !controlling) throw new nango.ActionError({ message: `${field} depends on nothing` });
		const out: Record<string, string[]> = {};
		controlling.picklistValues.forEach((c: any, index: number) => {
			out[c.value] = dependent.picklistValues
				.filter((v: any) => {
					const bits = Buffer.from(v.validFor, "base64"); // bit n, from the left, stands for the controlling value n
					return ((bits[index >> 3] ?? 0) & (0x80 >> (index & 7))) !== 0;
				})
				.map((v: any) => v.label);
		});
		return out;
	},
});
