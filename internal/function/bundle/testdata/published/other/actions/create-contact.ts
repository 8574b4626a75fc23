import { createAction } from 'nango';
import * as z from 'zod';

const Item = z.object({ when: z.iso.date(), count: z.int() });

export default createAction({
    description: 'Creates a contact elsewhere',
    version: '1.0.0',
    input: z.object({ a: Item, b: Item, map: z.record(z.enum(['x', 'y']), z.number()), partial: z.partialRecord(z.enum(['x', 'y']), z.number()) }),
    output: z.object({ items: z.array(Item), inter: z.intersection(z.object({ a: z.string() }), z.object({ b: z.string() })) }),
    exec: async (_nango, input) => ({ items: [input.a], inter: { a: '', b: '' } })
});
