import * as z from 'zod';

export const Address = z.object({ street: z.string(), zip: z.string().regex(/^[0-9]{5}$/).optional() });

/** A contact with about every kind of schema that JSON Schema can say. */
export const Contact = z.object({
    id: z.string(),
    email: z.email(),
    oldEmail: z.string().email().optional(),
    site: z.url().nullable(),
    created: z.iso.datetime(),
    uuid: z.uuid().optional(),
    age: z.number().int().min(0).max(150).optional(),
    rating: z.number().gt(0).lte(5),
    kind: z.enum(['person', 'company']),
    fixed: z.literal('x'),
    several: z.literal(['a', 1, true]),
    tags: z.array(z.string().min(1)).max(10),
    pair: z.tuple([z.string(), z.number()]),
    extra: z.record(z.string(), z.unknown()),
    either: z.union([z.string(), z.number()]),
    shape: z.discriminatedUnion('type', [z.object({ type: z.literal('a'), a: z.string() }), z.object({ type: z.literal('b'), b: z.number() })]),
    home: Address,
    work: Address.optional(),
    withDefault: z.string().default('none'),
    anything: z.any(),
    unknown: z.unknown(),
    nothing: z.null(),
    described: z.string().describe('What it is'),
    meta: z.string().meta({ title: 'A title' })
});

export interface Tree {
    name: string;
    children: Tree[];
}
export const Node = z.object({
    name: z.string(),
    get children() {
        return z.array(Node);
    }
});
