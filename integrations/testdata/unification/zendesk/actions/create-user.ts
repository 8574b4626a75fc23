import { createAction } from 'nango';
import { CreateUnifiedUser, UnifiedUser } from '../../models';
export default createAction({
description: 'Creates a user in Zendesk',
input: CreateUnifiedUser,
output: UnifiedUser,
exec: async (nango, input) => {
const response = await nango.post({
endpoint: '/api/v2/users.json',
data: {
user: {
name: input.name,
email: input.email
}
}
});
return {
id: String(response.data.user.id),
name: response.data.user.name,
email: response.data.user.email,
externalUrl: response.data.user.url,
raw: response.data.user
};
}
});
