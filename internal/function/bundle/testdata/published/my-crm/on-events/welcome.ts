import { createOnEvent } from 'nango';
import * as z from 'zod';

export default createOnEvent({
    event: 'post-connection-creation',
    description: 'Welcomes',
    version: '1.0.0',
    metadata: z.object({ welcomed: z.boolean() }),
    exec: async (nango) => {
        await nango.log('hello');
    }
});
