import { createAction } from "linkspan";
import * as z from "zod";

const Contact = z.object({ id: z.string(), name: z.string(), email: z.email().nullable(), createdAt: z.string() });

export default createAction({
	description: "Lists contacts in one shape, broken addresses left out",
	input: z.object({ limit: z.number().int().max(100).optional() }),
	output: z.object({ contacts: z.array(Contact), skipped: z.array(z.string()) }),
	exec: async (nango, input) => {
		const contacts: z.infer<typeof Contact>[] = [];
		const skipped: string[] = [];
		for await (const page of nango.paginate<any>({
			endpoint: "/crm/v3/objects/contacts",
			params: { properties: "email,firstname,lastname" },
			paginate: { type: "cursor", cursor_path_in_response: "paging.next.after", cursor_name_in_request: "after", response_path: "results", limit_name_in_request: "limit", limit: input.limit ?? 100 },
		})) {
			for (const { id, properties: p, createdAt } of page) {
				const parsed = Contact.safeParse({ id, name: [p.firstname, p.lastname].filter(Boolean).join(" "), email: p.email?.toLowerCase() ?? null, createdAt });
				if (parsed.success) contacts.push(parsed.data);
				else skipped.push(`${id}: ${parsed.error.issues.map((i) => `${i.path.join(".")} ${i.code}`).join(", ")}`);
			}
		}
		return { contacts, skipped };
	},
});
