import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { api, client, importConnection, oauth, refused } from './world.mjs';

const nango = client();
const integration = 'node-connections';
const oauthIntegration = 'node-connections-oauth';

before(async () => {
    await nango.createIntegration({ provider: 'fake-key', unique_key: integration });
    await nango.createIntegration({
        provider: 'fake-oauth',
        unique_key: oauthIntegration,
        credentials: { type: 'OAUTH2', client_id: oauth.clientId, client_secret: oauth.clientSecret }
    });
});

function keyConnection(id, rest = {}) {
    return { provider_config_key: integration, connection_id: id, credentials: { type: 'API_KEY', apiKey: `key-of-${id}` }, ...rest };
}

test('an imported connection is returned whole', async () => {
    const created = await importConnection(
        keyConnection('whole', { metadata: { plan: 'pro' }, connection_config: { region: 'eu' }, tags: { Team: 'Blue' } })
    );
    assert.equal(created.connection_id, 'whole');
    const got = await nango.getConnection(integration, 'whole');
    assert.equal(got.connection_id, 'whole');
    assert.equal(got.provider_config_key, integration);
    assert.equal(got.provider, 'fake-key');
    assert.deepEqual(got.credentials, { type: 'API_KEY', apiKey: 'key-of-whole' });
    assert.deepEqual(got.metadata, { plan: 'pro' });
    assert.equal(got.connection_config.region, 'eu');
    assert.deepEqual(got.tags, { team: 'Blue' });
    assert.deepEqual(got.errors, []);
    assert.equal(got.end_user, null);
    assert.equal(got.webhook_url_override, null);
    assert.equal(typeof got.id, 'number');
    assert.ok(!Number.isNaN(Date.parse(got.created_at)));
});

test('an id is made when none is given', async () => {
    const created = await importConnection({ provider_config_key: integration, credentials: { type: 'API_KEY', apiKey: 'k' } });
    assert.match(created.connection_id, /^[0-9a-f]{8}-[0-9a-f]{4}-4/);
});

test('listConnections filters and pages', async () => {
    for (const [id, tags] of [
        ['list-1', { squad: 'Red', Size: 'L' }],
        ['list-2', { squad: 'Red', Size: 'S' }],
        ['list-3', { squad: 'Green' }]
    ]) {
        await importConnection(keyConnection(id, { tags }));
    }
    const ids = (page) => page.connections.map((c) => c.connection_id);
    assert.deepEqual(ids(await nango.listConnections({ tags: { squad: 'Red' } })).sort(), ['list-1', 'list-2']);
    assert.deepEqual(ids(await nango.listConnections({ tags: { squad: 'Red', SIZE: 'L' } })), ['list-1']);
    assert.deepEqual(ids(await nango.listConnections({ connectionId: 'list-3' })), ['list-3']);
    assert.deepEqual(ids(await nango.listConnections({ integrationId: ['no-such-integration'] })), []);
    assert.deepEqual(ids(await nango.listConnections({ tags: { squad: 'Red' }, limit: 1, page: 0 })), ['list-2'], 'newest first');
    assert.deepEqual(ids(await nango.listConnections({ tags: { squad: 'Red' }, limit: 1, page: 1 })), ['list-1']);
    assert.deepEqual(ids(await nango.listConnections({ tags: { squad: 'Red' }, limit: 1, page: 2 })), []);
    const [item] = (await nango.listConnections({ connectionId: 'list-3' })).connections;
    assert.equal(item.credentials, undefined, 'a list holds no credentials');
    assert.equal(item.metadata, null);

    // The older, positional form.
    assert.deepEqual(ids(await nango.listConnections(undefined, 'LIST-')).sort(), ['list-1', 'list-2', 'list-3']);
});

test('end users become tags', async () => {
    await importConnection(keyConnection('end-user', { end_user: { id: 'user-7', email: 'ann@example.com', display_name: 'Ann' } }));
    const got = await nango.getConnection(integration, 'end-user');
    assert.equal(got.end_user.id, 'user-7');
    assert.equal(got.tags.end_user_id, 'user-7');
    assert.equal(got.tags.end_user_email, 'ann@example.com');
    assert.equal(got.tags.end_user_display_name, 'Ann');
    const { connections } = await nango.listConnections({ userId: 'user-7' });
    assert.deepEqual(connections.map((c) => c.connection_id), ['end-user']);
    const found = await nango.waitForConnection(integration, 'user-7', {});
    assert.equal(found.connection_id, 'end-user');
});

test('patchConnection replaces the tags', async () => {
    await importConnection(keyConnection('patched', { tags: { a: '1', b: '2' } }));
    const reply = await nango.patchConnection({ connectionId: 'patched', provider_config_key: integration }, { tags: { C: '3' } });
    assert.deepEqual(reply, { success: true });
    assert.deepEqual((await nango.getConnection(integration, 'patched')).tags, { c: '3' });
});

test('metadata is set, merged and read', async () => {
    await importConnection(keyConnection('meta-1'));
    await importConnection(keyConnection('meta-2'));
    const set = await nango.setMetadata(integration, ['meta-1', 'meta-2'], { a: 1, nested: { x: 1 } });
    assert.equal(set.status, 201);
    const updated = await nango.updateMetadata(integration, 'meta-1', { b: 2, nested: { y: 2 } });
    assert.equal(updated.status, 200);
    assert.deepEqual(await nango.getMetadata(integration, 'meta-1'), { a: 1, b: 2, nested: { y: 2 } });
    assert.deepEqual(await nango.getMetadata(integration, 'meta-2'), { a: 1, nested: { x: 1 } });
    await nango.setMetadata(integration, 'meta-1', { only: true });
    assert.deepEqual(await nango.getMetadata(integration, 'meta-1'), { only: true });

    await refused(nango.setMetadata(integration, ['meta-1', 'nobody'], { lost: true }), 404, 'unknown_connection');
    assert.deepEqual(await nango.getMetadata(integration, 'meta-1'), { only: true }, 'all or nothing');
});

test('tokens are handed out fresh, refresh tokens only when asked for', async () => {
    await importConnection({
        provider_config_key: oauthIntegration,
        connection_id: 'tokens',
        credentials: {
            type: 'OAUTH2',
            access_token: oauth.accessToken,
            refresh_token: oauth.refreshToken,
            expires_at: new Date(Date.now() - 60_000).toISOString()
        }
    });
    const token = await nango.getToken(oauthIntegration, 'tokens');
    assert.equal(typeof token, 'string');
    assert.notEqual(token, oauth.accessToken, 'the token had expired');
    assert.equal(await nango.getToken(oauthIntegration, 'tokens'), token, 'it is good for a while');

    const plain = await nango.getConnection(oauthIntegration, 'tokens');
    assert.equal(plain.credentials.type, 'OAUTH2');
    assert.equal(plain.credentials.access_token, token);
    assert.ok(Date.parse(plain.credentials.expires_at) > Date.now());
    assert.ok(!JSON.stringify(plain).includes('refresh_token'), 'at no depth');

    const asked = await nango.getConnection(oauthIntegration, 'tokens', false, true);
    assert.ok(asked.credentials.refresh_token);
    assert.notEqual(asked.credentials.refresh_token, oauth.refreshToken);

    const raw = await nango.getRawTokenResponse(oauthIntegration, 'tokens');
    assert.equal(raw.access_token, token);
    assert.equal(raw.token_type, 'bearer');

    const forced = await nango.getToken(oauthIntegration, 'tokens', true);
    assert.notEqual(forced, token);
});

test('a deleted connection is gone', async () => {
    await importConnection(keyConnection('doomed'));
    const gone = await nango.deleteConnection(integration, 'doomed');
    assert.equal(gone.status, 200);
    assert.deepEqual(gone.data, { success: true });
    await refused(nango.getConnection(integration, 'doomed'), 404, 'not_found');
    await refused(nango.deleteConnection(integration, 'doomed'), 400, 'unknown_connection');
});

test('bad calls get the contract\'s errors', async () => {
    await refused(nango.getConnection('no-such-integration', 'whole'), 400, 'unknown_provider_config');
    await refused(nango.getConnection(integration, 'nobody'), 404, 'not_found');
    await refused(nango.listConnections({ limit: 2001 }), 400, 'invalid_query_params');
    await refused(nango.patchConnection({ connectionId: 'nobody', provider_config_key: integration }, { tags: {} }), 404, 'not_found');
    await refused(nango.patchConnection({ connectionId: 'whole', provider_config_key: integration }, { surprise: 1 }), 400, 'invalid_body');
    await refused(nango.setMetadata(integration, 'whole', 'text'), 400, 'invalid_body');

    for (const [body, status, code] of [
        [{}, 400, 'invalid_body'],
        [{ provider_config_key: 'no-such-integration', credentials: { type: 'NONE' } }, 404, 'not_found'],
        [{ provider_config_key: integration, credentials: { type: 'BASIC', username: 'u', password: 'p' } }, 400, 'invalid_body'],
        [{ provider_config_key: integration, credentials: { type: 'API_KEY' } }, 400, 'invalid_body'],
        [{ provider_config_key: integration, credentials: { type: 'API_KEY', apiKey: 'k' }, surprise: 1 }, 400, 'invalid_body'],
        [keyConnection('bad`id'), 400, 'invalid_body']
    ]) {
        const reply = await api('POST', '/connections', body);
        assert.equal(reply.status, status, JSON.stringify(reply.body));
        assert.equal(reply.body.error.code, code, JSON.stringify(reply.body));
    }
});

test('a wrong key is told apart from a missing one', async () => {
    await refused(client({ apiKey: 'not-a-uuid' }).listConnections({}), 401, 'invalid_secret_key_format');
    await refused(client({ apiKey: '3f2b0a52-9d53-4c52-8a84-5a2f2f0c7f11' }).listConnections({}), 401, 'unknown_account');
});
