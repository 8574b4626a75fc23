import { createAction } from 'nango';
import { CreateUnifiedUser, UnifiedUser } from '../../models';
export default createAction({
description: 'Creates a user in Jira',
input: CreateUnifiedUser,
output: UnifiedUser,
exec: async (nango, input) => {
const response = await nango.post({
endpoint: '/rest/api/3/user',
data: {
emailAddress: input.email,
displayName: input.name
}
});
return {
id: response.data.accountId,
name: response.data.displayName ?? input.name,
email: input.email,
raw: response.data
};
}
});
