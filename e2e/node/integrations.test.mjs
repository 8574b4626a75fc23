import assert from 'node:assert/strict';
import { test } from 'node:test';
import { client, importConnection, oauth, refused } from './world.mjs';

const nango = client();

test('an integration lives: create, read, list, change, delete', async () => {
    const created = await nango.createIntegration({
        provider: 'fake-oauth',
        unique_key: 'node-crud',
        display_name: 'Node CRUD',
        credentials: { type: 'OAUTH2', client_id: oauth.clientId, client_secret: oauth.clientSecret, scopes: 'read,write' }
    });
    assert.equal(created.data.unique_key, 'node-crud');
    assert.equal(created.data.provider, 'fake-oauth');
    assert.equal(created.data.display_name, 'Node CRUD');
    assert.equal(created.data.forward_webhooks, true);
    assert.ok(!Number.isNaN(Date.parse(created.data.created_at)));
    assert.equal(created.data.credentials, undefined, 'credentials only on request');

    const plain = await nango.getIntegration({ uniqueKey: 'node-crud' });
    assert.equal(plain.data.unique_key, 'node-crud');
    assert.equal(plain.data.credentials, undefined);

    const withCredentials = await nango.getIntegration({ uniqueKey: 'node-crud' }, { include: ['credentials'] });
    assert.equal(withCredentials.data.credentials.type, 'OAUTH2');
    assert.equal(withCredentials.data.credentials.client_id, oauth.clientId);
    assert.equal(withCredentials.data.credentials.client_secret, oauth.clientSecret);
    assert.equal(withCredentials.data.credentials.scopes, 'read,write');

    const { configs } = await nango.listIntegrations();
    assert.equal(configs.filter((c) => c.unique_key === 'node-crud').length, 1);

    const renamed = await nango.updateIntegration({ uniqueKey: 'node-crud' }, { unique_key: 'node-crud-2', display_name: 'Renamed', forward_webhooks: false });
    assert.equal(renamed.data.unique_key, 'node-crud-2');
    assert.equal(renamed.data.display_name, 'Renamed');
    assert.equal(renamed.data.forward_webhooks, false);
    await refused(nango.getIntegration({ uniqueKey: 'node-crud' }), 404, 'not_found');

    const gone = await nango.deleteIntegration('node-crud-2');
    assert.equal(gone.status, 200);
    assert.deepEqual(gone.data, { success: true });
    await refused(nango.getIntegration({ uniqueKey: 'node-crud-2' }), 404, 'not_found');
});

test('bad calls get the contract\'s errors', async () => {
    await refused(nango.createIntegration({ provider: 'no-such-provider', unique_key: 'x' }), 400, 'invalid_body');
    await refused(nango.createIntegration({ provider: 'fake-key' }), 400, 'invalid_body');
    await refused(nango.createIntegration({ provider: 'fake-key', unique_key: 'x', surprise: 1 }), 400, 'invalid_body');
    await refused(nango.createIntegration({ provider: 'fake-key', unique_key: 'a/b' }), 400, 'invalid_body');
    await refused(
        nango.createIntegration({ provider: 'fake-key', unique_key: 'x', credentials: { type: 'OAUTH2', client_id: 'a', client_secret: 'b' } }),
        400,
        'invalid_body'
    );
    await refused(nango.updateIntegration({ uniqueKey: 'no-such-integration' }, { display_name: 'x' }), 404, 'not_found');
    await refused(nango.deleteIntegration('no-such-integration'), 404, 'not_found');
    await refused(nango.createQuickstartIntegration({ provider: 'github', unique_key: 'x' }), 400, 'invalid_body');
    await refused(nango.createQuickstartIntegration({ provider: 'fake-key', unique_key: 'x' }), 400, 'invalid_body');
});

test('an integration on an app of the operator keeps its credentials and tokens', async () => {
    const { data } = await nango.createQuickstartIntegration({ provider: 'fake-oauth', unique_key: 'node-lent', display_name: 'Lent' });
    assert.equal(data.unique_key + data.provider + data.display_name, 'node-lentfake-oauthLent');
    assert.equal(data.credentials, undefined);
    const { data: shown } = await nango.getIntegration({ uniqueKey: 'node-lent' }, { include: ['credentials'] });
    assert.equal(shown.credentials, null);
    await importConnection({ provider_config_key: 'node-lent', connection_id: 'c', credentials: { type: 'OAUTH2', access_token: 'mine' } });
    assert.deepEqual((await nango.getConnection('node-lent', 'c')).credentials, {});
    await nango.deleteConnection('node-lent', 'c');
    await nango.deleteIntegration('node-lent');
});

test('a key that is taken is refused', async () => {
    await nango.createIntegration({ provider: 'fake-none', unique_key: 'node-taken' });
    await refused(nango.createIntegration({ provider: 'fake-none', unique_key: 'node-taken' }), 400, 'invalid_body');
});
