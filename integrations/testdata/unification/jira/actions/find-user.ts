import { createAction } from 'nango';
import * as z from 'zod';
import { JiraUser } from '../../models';

export default createAction({
    description: 'Finds a user in Jira, with the kind of the account, which only Jira has',
    input: z.object({ accountId: z.string() }),
    output: JiraUser,
    exec: async (nango, { accountId }): Promise<z.infer<typeof JiraUser>> => {
        const { data } = await nango.get({ endpoint: '/rest/api/3/user', params: { accountId } });
        return { id: data.accountId, name: data.displayName, accountType: data.accountType };
    }
});
