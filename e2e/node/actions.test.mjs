import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { api, client, importConnection, key, refused, url } from './world.mjs';

// The Go test has made the integration and deployed its functions.
const integration = 'node-actions';
const nango = client();
const run = (action, input) => nango.triggerAction(integration, 'actor', action, input);

before(async () => {
    await importConnection({ provider_config_key: integration, connection_id: 'actor', credentials: { type: 'API_KEY', apiKey: 'the-key' } });
});

// failure runs something that fails and returns the error's body.
async function failure(promise, status, code) {
    let body;
    await assert.rejects(promise, (error) => {
        assert.equal(error.response?.status, status, `${error.message}: ${JSON.stringify(error.response?.data)}`);
        body = error.response.data.error;
        assert.equal(body.code, code, JSON.stringify(body));
        return true;
    });
    return body;
}

// settled waits for an asynchronous action.
async function settled(props) {
    for (;;) {
        try {
            return await nango.getAsyncActionResult(props);
        } catch (error) {
            if (error.response?.status !== 404) {
                throw error;
            }
            assert.equal(error.response.data.error.code, 'not_found');
            await new Promise((resolve) => setTimeout(resolve, 50));
        }
    }
}

test('an action returns what it returns', async () => {
    for (const value of [{ a: [1, 2.5, null], 'ä"<>&\u2028': '😀' }, [1], 'text', 0, false, null]) {
        assert.deepEqual(await run('echo', value), value);
    }
    assert.equal(await run('nothing'), null);
    assert.deepEqual(await run('strict', { n: 2 }), { doubled: 4 });
});

test('what an action throws arrives', async () => {
    const thrown = await failure(run('fail', 'action'), 500, 'action_script_runtime_error');
    assert.deepEqual(thrown.payload, { why: 'because' });
    assert.ok(thrown.message);
    assert.deepEqual((await failure(run('fail', 'scalar'), 500, 'action_script_runtime_error')).payload, { message: 'just text' });
    const internal = await failure(run('fail', 'type'), 500, 'script_internal_error');
    assert.equal(internal.payload.name, 'TypeError');
    assert.match(internal.payload.stacktrace[0], /fail\.ts:\d+/);
    assert.ok(internal.message.includes('no such member'), internal.message);
});

test('an answer that the action does not handle arrives', async () => {
    const body = await failure(run('fail', 'http'), 424, 'script_http_error');
    assert.deepEqual(Object.keys(body).sort(), ['code', 'payload', 'upstream']);
    assert.deepEqual(body.payload, { upstream_says: 422 });
    assert.equal(body.upstream.status, 422);
    assert.deepEqual(body.upstream.body, { upstream_says: 422 });
    assert.match(body.upstream.headers['content-type'], /^application\/json/);
    assert.equal(body.upstream.headers['x-upstream'], undefined);
    const network = await failure(run('fail', 'network'), 500, 'script_network_error');
    assert.ok(network.payload.message);
});

test('input and output are checked', async () => {
    const input = await failure(run('strict', { n: 'two' }), 400, 'invalid_action_input');
    assert.deepEqual(input.payload.validation[0].path, ['n']);
    const output = await failure(run('strict', { n: 13 }), 400, 'invalid_action_output');
    assert.deepEqual(output.payload.validation[0].path, ['doubled']);
    await failure(run('long', 2 * 1024 * 1024 - 1), 400, 'script_output_too_large');
    assert.equal((await run('long', 2 * 1024 * 1024 - 2)).length, 2 * 1024 * 1024 - 2);
});

test('what there is not is refused', async () => {
    await refused(run('nope'), 404, 'not_found');
    await refused(nango.triggerAction(integration, 'nobody', 'echo'), 400, 'unknown_connection');
    await refused(nango.triggerAction('no-such-integration', 'actor', 'echo'), 400, 'unknown_connection');
    await refused(nango.triggerAction(integration, 'actor', ''), 400, 'invalid_body');
    await refused(client({ apiKey: '3f2b0a52-9d53-4c52-8a84-5a2f2f0c7f11' }).triggerAction(integration, 'actor', 'echo'), 401, 'unknown_account');
});

test('asynchronous actions are asked for by id and by URL', async () => {
    const accepted = await nango.triggerActionAsync(integration, 'actor', 'echo', { later: true });
    assert.equal(accepted.statusUrl, `/action/${accepted.id}`);
    assert.deepEqual(await settled({ id: accepted.id }), { later: true });
    assert.deepEqual(await nango.getAsyncActionResult({ statusUrl: accepted.statusUrl }), { later: true });
    const failing = await nango.triggerActionAsync(integration, 'actor', 'fail', 'http');
    const body = await failure(settled({ id: failing.id }), 424, 'script_http_error');
    assert.deepEqual(body.upstream.body, { upstream_says: 422 });
    await refused(nango.getAsyncActionResult({ id: crypto.randomUUID() }), 404, 'not_found');
    await refused(nango.getAsyncActionResult({ id: '7' }), 400, 'invalid_uri_params');
});

test('older paths run the action that declares them', async () => {
    const call = async (path, body) => {
        const headers = { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json', 'Connection-Id': 'actor', 'Provider-Config-Key': integration };
        const response = await fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body) });
        return { status: response.status, body: await response.json() };
    };
    assert.deepEqual(await call('/v1/double', { n: 4 }), { status: 200, body: { doubled: 8 } });
    const missing = await call('/v1/nowhere', {});
    assert.equal(missing.status, 404);
    assert.deepEqual(Object.keys(missing.body), ['message']);
});

test('functions are listed with what they take and return', async () => {
    const { data, pagination } = await nango.listFunctions({ uniqueKey: integration }, { type: 'action' });
    assert.deepEqual(data.map((f) => f.name).sort(), ['echo', 'fail', 'long', 'nothing', 'strict']);
    assert.equal(pagination.total, 5);
    const { data: strict } = await nango.getFunction({ uniqueKey: integration, name: 'strict' });
    assert.equal(strict.type, 'action');
    assert.deepEqual(strict.json_schema.definitions[strict.input].required, ['n']);
    const { type, code } = await nango.getFunctionCode({ uniqueKey: integration, name: 'strict' });
    assert.equal(type, 'action');
    assert.match(code, /createAction/);
    await refused(nango.deleteFunction({ uniqueKey: integration, name: 'strict' }, { type: 'action' }), 400, 'function_managed_by_deploy');
    await refused(nango.getFunction({ uniqueKey: integration, name: 'nope' }), 404, 'not_found');

    const config = await nango.getScriptsConfig();
    const mine = config.find((c) => c.providerConfigKey === integration);
    assert.deepEqual(mine.actions.map((a) => a.name).sort(), ['echo', 'fail', 'long', 'nothing', 'strict']);
    const { data: tools } = await nango.getScriptsConfig('openai');
    const tool = tools.find((t) => t.name === 'strict');
    assert.deepEqual(tool.parameters.required, ['n']);
});

test('a disabled action is refused, and comes back', async () => {
    const enable = async (enabled) => {
        assert.equal((await api('PATCH', `/integrations/${integration}/functions/echo?type=action`, { enabled })).status, 200);
    };
    await enable(false);
    await refused(run('echo', 1), 404, 'disabled_resource');
    await refused(nango.triggerActionAsync(integration, 'actor', 'echo', 1), 404, 'disabled_resource');
    await enable(true);
    assert.equal(await run('echo', 1), 1);
});
