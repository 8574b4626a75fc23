import { createSync } from "linkspan";
import * as z from "zod";

const Customer = z.object({ id: z.string(), email: z.string().nullable(), balance: z.number(), delinquent: z.boolean() });

export default createSync({
	description: "All customers; the older way to find out who is gone, for lists that are read in one run",
	frequency: "every day",
	syncType: "full",
	models: { Customer },
	exec: async (nango) => {
		for (let after: string | undefined, more = true; more; ) {
			const { data }: { data: any } = await nango.get({ endpoint: "/v1/customers", params: { limit: "2", ...(after ? { starting_after: after } : {}) } });
			await nango.batchSend(data.data.map((c: any) => ({ id: c.id, email: c.email, balance: c.balance / 100, delinquent: c.delinquent })), "Customer");
			after = data.data.at(-1)?.id;
			more = data.has_more;
		}
		await nango.deleteRecordsFromPreviousExecutions("Customer");
	},
});
