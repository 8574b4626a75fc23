import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { client, importConnection, refused, upstream } from './world.mjs';

const integration = 'node-proxy';
const nango = client({ providerConfigKey: integration, connectionId: 'proxy' });

before(async () => {
    await nango.createIntegration({ provider: 'fake-key', unique_key: integration });
    await importConnection({ provider_config_key: integration, connection_id: 'proxy', credentials: { type: 'API_KEY', apiKey: 'the-key' } });
});

test('every verb reaches the upstream with its body and the credentials', async () => {
    for (const verb of ['get', 'post', 'put', 'patch', 'delete']) {
        const data = verb === 'get' ? undefined : { verb };
        const { status, data: echo } = await nango[verb]({ endpoint: `/echo/${verb}?a=1`, data });
        assert.equal(status, 200);
        assert.equal(echo.method, verb.toUpperCase());
        assert.equal(echo.target, `/echo/${verb}?a=1`);
        assert.deepEqual(echo.header['X-Api-Key'], ['the-key']);
        assert.equal(echo.body, data ? JSON.stringify(data) : '');
        if (data) {
            assert.match(echo.header['Content-Type'][0], /^application\/json/);
        }
    }
    for (const method of ['PROPFIND', 'REPORT']) {
        const { data: echo } = await nango.proxy({ method, endpoint: '/dav', data: '<x/>', headers: { 'Content-Type': 'text/xml', Depth: '1' } });
        assert.equal(echo.method, method);
        assert.equal(echo.body, '<x/>');
        assert.deepEqual(echo.header['Depth'], ['1']);
        assert.deepEqual(echo.header['Content-Type'], ['text/xml']);
    }
});

test('query parameters arrive as the client writes them', async () => {
    const byObject = await nango.get({ endpoint: '/q?x=1', params: { p: 'a b', list: ['a', 'b'] } });
    assert.equal(byObject.data.target, '/q?x=1&p=a+b&list=a%2Cb');
    const byText = await nango.get({ endpoint: '/q', params: 'filter[name]=%20x' });
    assert.equal(byText.data.target, '/q?filter[name]=%20x');
});

test('only the caller\'s own headers are forwarded', async () => {
    const { data: echo } = await nango.get({ endpoint: '/headers', headers: { 'X-Mine': 'yes' } });
    assert.deepEqual(echo.header['X-Mine'], ['yes']);
    for (const name of Object.keys(echo.header)) {
        assert.doesNotMatch(name, /^(Connection-Id|Provider-Config-Key|Nango-|Authorization$|Cookie$|Retries|Base-Url-Override)/);
    }
});

test('forms keep their encoding', async () => {
    const { data: echo } = await nango.post({
        endpoint: '/form',
        data: new URLSearchParams({ a: '1', b: 'two words' }).toString(),
        headers: { 'Content-Type': 'application/x-www-form-urlencoded' }
    });
    assert.deepEqual(echo.header['Content-Type'], ['application/x-www-form-urlencoded']);
    assert.equal(echo.body, 'a=1&b=two+words');
});

test('retries are made when asked for', async () => {
    const { data: echo } = await nango.get({ endpoint: '/flaky/node/2', retries: 3 });
    assert.equal(echo.target, '/flaky/node/2');
    await assert.rejects(nango.get({ endpoint: '/flaky/node-once/1' }), (error) => error.response.status === 429);
});

test('the upstream\'s errors are passed through', async () => {
    for (const status of [400, 404, 409, 422]) {
        await assert.rejects(nango.get({ endpoint: `/status/${status}` }), (error) => {
            assert.equal(error.response.status, status);
            assert.deepEqual(error.response.data, { upstream_says: status });
            assert.equal(error.response.headers['x-upstream'], 'yes');
            return true;
        });
    }
});

test('the base URL can be replaced', async () => {
    const { data: echo } = await nango.get({ endpoint: '/path', baseUrlOverride: `${upstream}/other` });
    assert.equal(echo.target, '/other/path');
});

test('bytes stay bytes', async () => {
    const { data } = await nango.get({ endpoint: '/big/100000', responseType: 'arraybuffer' });
    assert.equal(data.byteLength, 100000);
});

test('bad calls get the contract\'s errors', async () => {
    await refused(nango.get({ endpoint: '/x', providerConfigKey: 'no-such-integration' }), 404, 'unknown_provider_config');
    await refused(nango.get({ endpoint: '/x', connectionId: 'nobody' }), 400, 'server_error');
    await refused(nango.get({ endpoint: '/x', connectionId: 'bad`id' }), 400, 'invalid_headers');
    await refused(nango.get({ endpoint: '/x', baseUrlOverride: 'http://169.254.169.254' }), 400, 'base_url_override_not_allowed');
    await refused(client({ apiKey: '3f2b0a52-9d53-4c52-8a84-5a2f2f0c7f11' }).get({ endpoint: '/x', providerConfigKey: 'a', connectionId: 'b' }), 401, 'unknown_account');
});
