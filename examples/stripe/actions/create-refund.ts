import { createAction } from "linkspan";
import * as z from "zod";

export default createAction({
	description: "Refunds a part of a charge; the key makes repeating it safe",
	input: z.object({ charge: z.string(), amount: z.number().int().positive(), metadata: z.record(z.string(), z.string()).optional() }),
	output: z.object({ id: z.string(), status: z.enum(["succeeded", "pending", "failed"]) }),
	exec: async (nango, { charge, amount, metadata = {} }) => {
		const form = new URLSearchParams({ charge, amount: String(amount) });
		for (const [k, v] of Object.entries(metadata)) form.append(`metadata[${k}]`, v);
		const { data } = await nango.post({
			endpoint: "/v1/refunds",
			headers: { "Idempotency-Key": `${charge}-${amount}` },
			data: form.toString(),
		});
		return { id: data.id, status: data.status };
	},
});
