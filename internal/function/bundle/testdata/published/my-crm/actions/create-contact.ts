import { createAction } from 'nango';
import * as z from 'zod';
import { Contact, Node } from '../../models.js';

const action = createAction({
    description: 'Creates a contact',
    version: '1.0.0',
    scopes: ['contacts.write'],
    endpoint: { method: 'POST', path: '/contacts', group: 'Contacts' },
    metadata: z.object({ team: z.string() }),
    input: z.object({
        contact: Contact.partial(),
        tree: Node,
        strict: z.strictObject({ a: z.string() }),
        loose: z.looseObject({ a: z.string() }),
        withDefault: z.number().default(3),
        transformed: z.string().transform((s) => s.length),
        piped: z.string().transform((s) => Number(s)).pipe(z.number()),
        coerced: z.coerce.number(),
        refined: z.string().refine((s) => s !== ''),
        lazy: z.lazy(() => z.string())
    }),
    output: z.object({ contact: Contact, tree: Node, withDefault: z.number().default(3), readonly: z.array(z.string()).readonly() }),
    exec: async (_nango, _input) => {
        throw new Error('not called');
    }
});
export default action;
