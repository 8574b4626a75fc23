import { createAction } from 'nango';
import * as z from 'zod';

export default createAction({
    description: 'Does nothing',
    version: '0.0.1',
    input: z.void(),
    output: z.void(),
    exec: async () => {}
});
