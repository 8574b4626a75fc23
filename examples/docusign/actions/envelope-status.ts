import { createAction } from "linkspan";
import * as z from "zod";

const Recipient = z.object({ name: z.string(), email: z.string(), status: z.enum(["created", "sent", "delivered", "completed", "declined"]), routingOrder: z.coerce.number(), signedDateTime: z.coerce.date().optional() });

export default createAction({
	description: "Says who an envelope waits for",
	input: z.object({ account: z.uuid(), envelope: z.uuid() }),
	output: z.object({ waiting: z.array(z.string()), done: z.array(z.string()), next: z.number().nullable() }),
	exec: async (nango, { account, envelope }) => {
		const { data } = await nango.get({ endpoint: `/restapi/v2.1/accounts/${account}/envelopes/${envelope}/recipients` });
		const signers = z.array(Recipient).parse(data.signers).sort((a, b) => a.routingOrder - b.routingOrder);
		const open = signers.filter((s) => !s.signedDateTime);
		const next = open[0]?.routingOrder ?? null;
		return {
			waiting: open.filter((s) => s.routingOrder === next).map((s) => `${s.name} <${s.email}>`),
			done: signers.filter((s) => s.signedDateTime).map((s) => `${s.name} ${s.signedDateTime!.toJSON()}`),
			next,
		};
	},
});
