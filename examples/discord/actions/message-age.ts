import { createAction } from "linkspan";
import * as z from "zod";

export default createAction({
	description: "Reads the time out of snowflake ids",
	input: z.object({ channel: z.string() }),
	output: z.array(z.object({ id: z.string(), at: z.string(), worker: z.number(), sequence: z.number() })),
	exec: async (nango, { channel }) => {
		const { data } = await nango.get({ endpoint: `/channels/${channel}/messages`, params: { limit: 2 } });
		return data.map(({ id }: { id: string }) => {
			const n = BigInt(id);
			return { id, at: new Date(Number((n >> 22n) + 1420070400000n)).toISOString(), worker: Number((n & 0x3e0000n) >> 17n), sequence: Number(n & 0xfffn) };
		});
	},
});
