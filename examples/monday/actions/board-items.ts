import { createAction } from "linkspan";
import * as z from "zod";

export default createAction({
	description: "Reads a board's items with their typed values",
	input: z.object({ board: z.string() }),
	output: z.array(z.object({ id: z.string(), name: z.string(), values: z.record(z.string(), z.unknown()) })),
	exec: async (nango, { board }) => {
		const { data } = await nango.post({ endpoint: "/v2", data: { query: `{boards(ids:[${JSON.stringify(board)}]){items_page{items{id name column_values{id type text value}}}}}` } });
		return data.data.boards[0].items_page.items.map((item: any) => ({
			id: item.id,
			name: item.name,
			values: Object.fromEntries(
				item.column_values.map(({ id, type, text, value }: any) => {
					const parsed = value === null ? null : JSON.parse(value);
					switch (type) {
						case "numbers":
							return [id, parsed === null ? null : Number(parsed)];
						case "timeline":
							return [id, parsed && `${parsed.from}/${parsed.to}`];
						case "checkbox":
							return [id, parsed?.checked === "true"];
						default:
							return [id, text];
					}
				}),
			),
		}));
	},
});
