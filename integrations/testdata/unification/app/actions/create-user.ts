import { createAction } from 'nango';
import * as z from 'zod';

/** What the application does, as a function: it calls the same action whichever integration its customer has. */
export default createAction({
    description: 'Creates the same user through whichever integration is named',
    input: z.object({ integrationId: z.string(), connectionId: z.string() }),
    output: z.unknown(),
    exec: async (nango, { integrationId, connectionId }) => {
        return (
            await nango.triggerAction(integrationId, connectionId, 'create-user', {
name: 'Ada Lovelace',
email: 'ada@example.com'
})
        );
    }
});
