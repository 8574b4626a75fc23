import { createAction } from 'nango';
import * as z from 'zod';

export default createAction({
    description: 'Keeps a checkpoint',
    version: '1.0.0',
    input: z.object({}).optional(),
    output: z.string().nullable(),
    checkpoint: z.object({ at: z.string() }),
    exec: async () => null
});
