import assert from 'node:assert/strict';
import { test } from 'node:test';
import { api, client, importConnection, refused, url } from './world.mjs';

const nango = client();

// connect does what the frontend client does with an end user's key.
async function connect(token, integration, apiKey) {
    const response = await fetch(`${url}/api-auth/api-key/${integration}?connect_session_token=${token}`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ apiKey })
    });
    return { status: response.status, body: await response.json() };
}

test('a connect session connects an account of the end user', async () => {
    await nango.createIntegration({ provider: 'fake-key', unique_key: 'node-connect' });
    const { data } = await nango.createConnectSession({
        end_user: { id: 'u-1', email: 'ada@example.com', display_name: 'Ada', tags: { plan: 'pro' } },
        organization: { id: 'o-1', display_name: 'Acme' },
        allowed_integrations: ['node-connect'],
        integrations_config_defaults: { 'node-connect': { connection_config: { region: 'eu' } } },
        overrides: { 'node-connect': { docs_connect: 'https://docs.example/connect' } },
        webhook_url_override: 'https://hooks.example/own',
        tags: { source: 'node' }
    });
    assert.match(data.token, /^nango_connect_session_[0-9a-f]{64}$/);
    assert.equal(new URL(data.connect_link).searchParams.get('session_token'), data.token);
    assert.ok(new URL(data.connect_link).pathname.endsWith('/'));
    const minutes = (Date.parse(data.expires_at) - Date.now()) / 60_000;
    assert.ok(minutes > 29 && minutes <= 30.5, `the session lives for ${minutes} minutes`);

    const session = await api('GET', '/connect/session', undefined, data.token);
    assert.equal(session.status, 200, JSON.stringify(session.body));
    assert.deepEqual(session.body.data.endUser, {
        id: 'u-1', display_name: 'Ada', email: 'ada@example.com', tags: { plan: 'pro' }, organization: { id: 'o-1', display_name: 'Acme' }
    });
    assert.deepEqual(session.body.data.allowed_integrations, ['node-connect']);
    assert.deepEqual(session.body.data.integrations_config_defaults, {
        'node-connect': { connection_config: { region: 'eu' }, authorization_params: {} }
    });
    assert.deepEqual(session.body.data.overrides, { 'node-connect': { docs_connect: 'https://docs.example/connect' } });
    assert.ok(!session.body.data.isReconnecting);
    const list = await api('GET', '/integrations', undefined, data.token);
    assert.deepEqual(list.body.data.map((one) => one.unique_key), ['node-connect'], 'a session sees what it allows');

    const made = await connect(data.token, 'node-connect', 'first key');
    assert.equal(made.status, 200, JSON.stringify(made.body));
    assert.equal(made.body.providerConfigKey, 'node-connect');
    const connection = await nango.getConnection('node-connect', made.body.connectionId);
    assert.equal(connection.credentials.apiKey, 'first key');
    assert.equal(connection.connection_config.region, 'eu');
    assert.equal(connection.webhook_url_override, 'https://hooks.example/own');
    assert.equal(connection.end_user.id, 'u-1');
    assert.equal(connection.end_user.organization.id, 'o-1');
    assert.equal(connection.tags.source, 'node');
    assert.equal(connection.tags.end_user_id, 'u-1');
    for (const tags of [{ source: 'node' }, { end_user_id: 'u-1' }, { organization_id: 'o-1' }]) {
        const found = await nango.listConnections({ tags });
        assert.ok(found.connections.some((one) => one.connection_id === made.body.connectionId), JSON.stringify(tags));
    }

    const ended = await api('DELETE', '/connect/session', undefined, data.token);
    assert.equal(ended.status, 204);
    const late = await connect(data.token, 'node-connect', 'late key');
    assert.equal(late.status, 401);
    assert.equal(late.body.error.code, 'unknown_connect_session_token');
});

test('a reconnect session renews one connection', async () => {
    await nango.createIntegration({ provider: 'fake-key', unique_key: 'node-reconnect' });
    await importConnection({
        provider_config_key: 'node-reconnect', connection_id: 'renewed', credentials: { type: 'API_KEY', apiKey: 'old key' }, metadata: { kept: true }
    });
    const { data } = await nango.createReconnectSession({ connection_id: 'renewed', integration_id: 'node-reconnect', tags: { again: 'yes' } });
    const session = await api('GET', '/connect/session', undefined, data.token);
    assert.equal(session.body.data.isReconnecting, true);
    assert.deepEqual(session.body.data.allowed_integrations, ['node-reconnect']);

    const other = await connect(data.token, 'node-connect', 'key');
    assert.equal(other.body.error.code, 'integration_not_allowed');
    const made = await connect(data.token, 'node-reconnect', 'new key');
    assert.deepEqual(made.body, { connectionId: 'renewed', providerConfigKey: 'node-reconnect' });
    const connection = await nango.getConnection('node-reconnect', 'renewed');
    assert.equal(connection.credentials.apiKey, 'new key');
    assert.deepEqual(connection.metadata, { kept: true });
    assert.equal(connection.tags.again, 'yes');
});

test('the client can tell what is wrong with a session', async () => {
    await refused(nango.createConnectSession({}), 400, 'invalid_body');
    await refused(nango.createConnectSession({ tags: {}, surplus: 1 }), 400, 'invalid_body');
    await refused(nango.createConnectSession({ tags: {}, allowed_integrations: ['nope'] }), 400, 'invalid_body');
    await refused(nango.createConnectSession({ end_user: { id: '' } }), 400, 'invalid_body');
    await refused(nango.createReconnectSession({ connection_id: 'nope', integration_id: 'node-reconnect' }), 400, 'invalid_body');
    await refused(client({ apiKey: crypto.randomUUID() }).createConnectSession({ tags: {} }), 401, 'unknown_account');
    try {
        await nango.createConnectSession({ tags: {}, allowed_integrations: ['nope'] });
        assert.fail('it was refused before');
    } catch (error) {
        assert.deepEqual(error.response.data.error.errors, [{ code: 'custom', message: 'Integration does not exist', path: ['allowed_integrations', 0] }]);
    }
});
