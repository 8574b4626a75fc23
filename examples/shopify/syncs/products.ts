import { createSync } from "linkspan";
import * as z from "zod";

const Product = z.object({ id: z.number(), title: z.string(), tags: z.array(z.string()) });
const Variant = z.object({ id: z.number(), product: z.string(), sku: z.string(), price: z.string() });

export default createSync({
	description: "Products and their variants; what a run did not save is deleted in its end",
	frequency: "every 2 hours",
	syncType: "full",
	trackDeletes: true,
	models: { Product, Variant },
	exec: async (nango) => {
		for await (const page of nango.paginate<any>({
			endpoint: "/admin/api/2025-01/products.json",
			paginate: { type: "link", link_rel_in_response_header: "next", response_path: "products", limit_name_in_request: "limit", limit: 2 },
		})) {
			await nango.batchSave(page.map((p: any) => ({ id: p.id, title: p.title, tags: p.tags.split(",").map((t: string) => t.trim()).filter(Boolean) })), "Product");
			await nango.batchSave(page.flatMap((p: any) => p.variants.map((v: any) => ({ id: v.id, product: String(p.id), sku: v.sku, price: v.price }))), "Variant");
		}
	},
});
