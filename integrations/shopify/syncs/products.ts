import { createSync } from "linkspan";
import * as z from "zod";

import { text } from "../../values";
import { graphql, type Page } from "../api";

const Product = z.object({
	id: z.string(),
	title: z.string(),
	handle: z.string().describe("Its name in addresses"),
	status: z.string().describe("ACTIVE, DRAFT or ARCHIVED"),
	vendor: z.string().optional(),
	type: z.string().optional(),
	tags: z.array(z.string()),
	inventory: z.number().optional().describe("How many there are of all variants; missing when nobody counts"),
	minPrice: z.string().describe("Of the cheapest variant: a decimal number in the shop's currency"),
	maxPrice: z.string(),
	currency: z.string(),
	imageUrl: z.string().optional(),
	storeUrl: z.string().optional().describe("Missing when it is not for sale in the online store"),
	createdAt: z.string(),
	updatedAt: z.string(),
});

interface Node {
	legacyResourceId: string;
	title: string;
	handle: string;
	status: string;
	vendor: string;
	productType: string;
	tags: string[];
	tracksInventory: boolean;
	totalInventory: number;
	priceRangeV2: { minVariantPrice: { amount: string; currencyCode: string }; maxVariantPrice: { amount: string } };
	featuredMedia?: { preview?: { image?: { url: string } | null } | null } | null;
	onlineStoreUrl?: string | null;
	createdAt: string;
	updatedAt: string;
}

const listProducts = `
	query Products($after: String) {
		products(first: 50, after: $after, sortKey: ID) {
			nodes {
				legacyResourceId title handle status vendor productType tags tracksInventory totalInventory onlineStoreUrl createdAt updatedAt
				priceRangeV2 { minVariantPrice { amount currencyCode } maxVariantPrice { amount } }
				featuredMedia { preview { image { url } } }
			}
			pageInfo { hasNextPage endCursor }
		}
	}`;

/** Reads all products: the API does not tell which were deleted. Where a run was interrupted, the next one goes on. */
export default createSync({
	description: "Syncs all products of a Shopify shop with price range and stock; deleted ones go",
	version: "1.0.0",
	frequency: "every 6 hours",
	autoStart: true,
	scopes: ["read_products"],
	models: { Product },
	checkpoint: z.object({ after: z.string() }),
	webhookSubscriptions: ["products/delete"],

	exec: async (nango) => {
		await nango.trackDeletesStart("Product");
		for (let after: string | null = (await nango.getCheckpoint())?.after ?? null; ; ) {
			const { products }: { products: Page<Node> } = await graphql(nango, listProducts, { after }, 5);
			await nango.batchSave(products.nodes.map(toProduct), "Product");
			after = products.pageInfo.endCursor;
			if (!products.pageInfo.hasNextPage || after === null) break;
			await nango.saveCheckpoint({ after });
		}
		await nango.clearCheckpoint();
		await nango.trackDeletesEnd("Product");
	},

	onWebhook: async (nango, payload) => {
		await nango.batchDelete([{ id: String((payload as { id: number }).id) }], "Product");
	},
});

function toProduct(product: Node): z.infer<typeof Product> {
	return {
		id: product.legacyResourceId,
		title: product.title,
		handle: product.handle,
		status: product.status,
		vendor: text(product.vendor),
		type: text(product.productType),
		tags: product.tags,
		inventory: product.tracksInventory ? product.totalInventory : undefined,
		minPrice: product.priceRangeV2.minVariantPrice.amount,
		maxPrice: product.priceRangeV2.maxVariantPrice.amount,
		currency: product.priceRangeV2.minVariantPrice.currencyCode,
		imageUrl: product.featuredMedia?.preview?.image?.url,
		storeUrl: product.onlineStoreUrl ?? undefined,
		createdAt: product.createdAt,
		updatedAt: product.updatedAt,
	};
}
