import { createAction } from "linkspan";
import * as z from "zod";

/** Computes the case-safe 18-character form of a 15-character id. */
function long(id: string): string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
	let suffix = "";
	for (let block = 0; block < 3; block++) {
		let bits = 0;
		for (let i = 0; i < 5; i++) if (/[A-Z]/.test(id[block * 5 + i]!)) bits |= 1 << i;
		suffix += alphabet[bits];
	}
	return id + suffix;
}

export default createAction({
	description: "Turns short record ids into long ones",
	input: z.object({ ids: z.array(z.string().length(15)) }),
	output: z.array(z.string().length(18)),
	exec: async (_nango, { ids }) => ids.map(long),
});
