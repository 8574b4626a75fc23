import assert from 'node:assert/strict';
import { test } from 'node:test';
import { client, refused } from './world.mjs';

const nango = client();

test('listProviders returns the whole catalogue in the contract\'s shape', async () => {
    const { data } = await nango.listProviders({});
    assert.ok(data.length >= 981, `only ${data.length} providers`);
    const github = data.find((p) => p.name === 'github');
    assert.equal(github.display_name, 'GitHub (User OAuth)');
    assert.equal(github.auth_mode, 'OAUTH2');
    assert.ok(Array.isArray(github.categories));
    assert.match(github.logo_url, /^https?:\/\/.+\/github\.svg$/);
    assert.match(github.docs, /^https?:\/\/.+\/docs\/providers\/github$/);
    assert.equal(typeof github.proxy.base_url, 'string');
});

test('listProviders searches names without regard to case', async () => {
    const { data } = await nango.listProviders({ search: 'gItHuB' });
    assert.ok(data.some((p) => p.name === 'github'));
    assert.ok(data.every((p) => /github/i.test(p.name) || /github/i.test(p.display_name)));
});

test('getProvider returns one', async () => {
    const { data } = await nango.getProvider({ provider: 'github' });
    assert.equal(data.name, 'github');
    assert.equal(typeof data.token_url, 'string');
});

test('the operator\'s own providers are part of the catalogue', async () => {
    const { data } = await nango.getProvider({ provider: 'fake-key' });
    assert.equal(data.auth_mode, 'API_KEY');
    assert.equal(data.credentials.apiKey.secret, true);
});

test('getProvider refuses an unknown name', async () => {
    await refused(nango.getProvider({ provider: 'no-such-provider' }), 404, 'not_found');
});

test('getProviderTemplates lists the library', async () => {
    const { data } = await nango.getProviderTemplates({ provider: 'github' });
    assert.deepEqual([...new Set(data.map((f) => f.type))].sort(), ['action', 'sync']);
    for (const f of data) {
        assert.equal(typeof f.name, 'string');
        assert.ok(Array.isArray(f.returns) && f.json_schema.definitions);
        assert.equal('id' in f || 'enabled' in f || 'last_deployed' in f || 'source' in f, false);
        if (f.type === 'sync') assert.equal(typeof f.runs + typeof f.auto_start + typeof f.track_deletes, 'stringbooleanboolean');
    }
    assert.deepEqual(await nango.getProviderTemplates({ provider: 'fake-key' }), { data: [] });
    await refused(nango.getProviderTemplates({ provider: 'no-such-provider' }), 404, 'not_found');
});
