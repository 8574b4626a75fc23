import { createSync } from 'nango';
import { UnifiedUser } from '../../models';
export default createSync({
description: 'Syncs users into the unified user model',
frequency: 'every hour',
models: { UnifiedUser },
exec: async (nango) => {
for await (const page of nango.paginate<any>({
endpoint: '/crm/v3/objects/contacts',
params: { properties: 'email,firstname,lastname' },
paginate: {
type: 'cursor',
cursor_path_in_response: 'paging.next.after',
cursor_name_in_request: 'after',
response_path: 'results',
limit_name_in_request: 'limit',
limit: 100
}
})) {
const users = page.map((contact) => ({
id: contact.id,
name: [contact.properties.firstname, contact.properties.lastname].filter(Boolean).join(' '),
email: contact.properties.email,
raw: contact
}));
await nango.batchSave(users, 'UnifiedUser');
}
}
});
