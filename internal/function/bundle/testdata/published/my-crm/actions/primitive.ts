import { createAction } from 'nango';
import * as z from 'zod';

export default createAction({
    description: 'Takes a number and gives an array',
    input: z.number(),
    output: z.array(z.union([z.string(), z.null()])),
    exec: async (_nango, input) => [String(input)]
});
