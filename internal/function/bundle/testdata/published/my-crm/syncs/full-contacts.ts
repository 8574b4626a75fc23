import { createSync } from 'nango';
import { z } from 'zod';

export default createSync({
    description: 'Fetches all contacts',
    version: '1.0.0',
    frequency: 'every day',
    syncType: 'full',
    trackDeletes: true,
    endpoints: [{ method: 'GET', path: '/contacts' }],
    models: { Plain: z.object({ id: z.string() }) },
    exec: async (nango) => {
        await nango.log('x');
    }
});
