import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { api, client, eventually, importConnection, receiver, signingKey, ticketryKey, watch } from './world.mjs';

// Webhooks about runs of a sync with two models, and about asynchronous actions, key
// by key (wire contract §14). The sync "pair" does what the metadata say.
const integration = 'desk-key';
const connection = 'hooked';
const nango = client({ webhookSigningKey: signingKey });
const { status, settled } = watch(nango, integration, connection);
const iso = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const save = (model, ...ids) => ({ do: 'save', model, records: ids.map((id) => ({ id, at: Math.random() })) });
const checkpoint = (value) => ({ do: 'checkpoint', value });
const counts = (added, updated = 0, deleted = 0) => ({ added, updated, deleted });
let backend;
let known = 0;

// told returns the webhooks that were written since the last call, by model. Those
// about a run are written with its end, so all of them are there.
async function told(type = 'sync') {
    const { body } = await api('GET', `/webhooks/deliveries?connection_id=${connection}&limit=100`);
    await eventually(`${body.data.length} webhooks`, () => backend.hooks.length >= body.data.length);
    assert.equal(backend.hooks.length, body.data.length);
    const hooks = backend.hooks.slice(known);
    known = backend.hooks.length;
    for (const { raw, headers, body: payload } of hooks) {
        assert.equal(payload.type, type);
        assert.equal(headers['content-type'], 'application/json');
        assert.match(headers['user-agent'], /^linkspan\//);
        assert.ok(headers['webhook-id'] && headers['webhook-timestamp'] && headers['webhook-signature']);
        assert.match(headers['x-nango-hmac-sha256'], /^[0-9a-f]{64}$/);
        assert.equal(nango.verifyIncomingWebhookRequest(raw, headers), true, raw);
        assert.equal(nango.verifyWebhookSignature(headers['x-nango-signature'], JSON.parse(raw)), true, raw);
        assert.equal(nango.verifyIncomingWebhookRequest(raw.replace('"from":"nango"', '"from":"other"'), headers), false);
        assert.equal(raw, JSON.stringify(JSON.parse(raw)));
    }
    return hooks.map((h) => h.body).sort((a, b) => (a.model < b.model ? -1 : 1));
}

// run has the sync take steps, and returns how it stands and what was told.
async function run(steps, { variant = 'base', options } = {}) {
    await nango.setMetadata(integration, connection, { pair: { [variant]: steps } });
    await nango.triggerSync(integration, [{ name: 'pair', variant }], connection, options);
    return { now: await settled(`pair::${variant}`), hooks: await told() };
}

// success checks the webhooks about a run that succeeded, and returns what of them
// differs from run to run.
function success(hooks, models, more = {}) {
    assert.deepEqual(hooks.map((h) => h.model), Object.keys(models));
    for (const { modifiedAfter, queryTimeStamp, ...rest } of hooks) {
        assert.match(modifiedAfter, iso);
        assert.equal(queryTimeStamp, modifiedAfter);
        assert.deepEqual(rest, {
            from: 'nango', type: 'sync', connectionId: connection, providerConfigKey: integration, syncName: 'pair', syncVariant: 'base', model: rest.model,
            syncType: 'INCREMENTAL', success: true, responseResults: models[rest.model], checkpoints: { from: null, to: null }, ...more
        });
    }
    return hooks[0].modifiedAfter;
}

const changedAfter = async (model, modifiedAfter, variant) =>
    (await nango.listRecords({ providerConfigKey: integration, connectionId: connection, model, modifiedAfter, variant })).records.map((r) => r.id);
const settings = async (webhooks) => assert.equal((await api('PATCH', '/environments/current/settings', { webhooks })).status, 200);

before(async () => {
    backend = await receiver();
    await importConnection({
        provider_config_key: integration, connection_id: connection, webhook_url_override: backend.url, credentials: { type: 'API_KEY', apiKey: ticketryKey }
    });
    await settled('tickets');
    await told();
});

after(() => backend.close());

test('one for each model that changed', async () => {
    const both = await run([save('Left', 'a', 'b'), save('Right', 'c')]);
    const began = success(both.hooks, { Left: counts(2), Right: counts(1) }, { syncType: 'INITIAL' });
    assert.deepEqual([await changedAfter('Left', began), await changedAfter('Right', began)], [['a', 'b'], ['c']]);
    const one = await run([save('Right', 'c', 'd'), { do: 'delete', model: 'Right', records: [{ id: 'd' }, { id: 'x' }] }]);
    const then = success(one.hooks, { Right: counts(1, 1, 1) });
    assert.deepEqual([await changedAfter('Left', then), await changedAfter('Right', then)], [[], ['c', 'd']]);
    assert.deepEqual((await run([])).hooks, []);
});

test('one for each model after every run, when that is switched on', async () => {
    await settings({ on_sync_completion_always: true });
    success((await run([])).hooks, { Left: counts(0), Right: counts(0) });
    success((await run([save('Left', 'a')])).hooks, { Left: counts(0, 1), Right: counts(0) });
    await settings({ on_sync_completion_always: false });
    assert.deepEqual((await run([])).hooks, []);
});

test('checkpoints from and to', async () => {
    // Characters and numbers that encoders of JSON disagree about, and keys that
    // JavaScript puts in an order of its own.
    const odd = { b: 'ä"\\/<>&\u2028\u007f\u0001😀', 10: 1e21, 9: -0.000001, a: true, long: 1234567890123456789, 'B': 5e-324 };
    const first = await run([checkpoint({ n: 1 }), save('Left', 'e'), checkpoint(odd)]);
    success(first.hooks, { Left: counts(1) }, { checkpoints: { from: null, to: odd } });
    assert.deepEqual(first.now.checkpoint, odd);
    success((await run([save('Left', 'f')])).hooks, { Left: counts(1) }, { checkpoints: { from: odd, to: odd } });
    success((await run([save('Left', 'g'), { do: 'clear' }])).hooks, { Left: counts(1) }, { checkpoints: { from: odd, to: null } });
    success((await run([save('Left', 'h'), checkpoint({ n: 2 })])).hooks, { Left: counts(1) }, { checkpoints: { from: null, to: { n: 2 } } });
    success((await run([save('Left', 'i'), checkpoint({ n: 3 })], { options: { reset: true } })).hooks, { Left: counts(1) }, { syncType: 'INITIAL', checkpoints: { from: null, to: { n: 3 } } });
    success((await run([{ do: 'clear' }, save('Left', 'j')])).hooks, { Left: counts(1) }, { checkpoints: { from: { n: 3 }, to: null } });
});

test('a failure, and what follows it', async () => {
    const failure = ([hook, ...others], more) => {
        assert.deepEqual(others, []);
        const { startedAt, failedAt, error, ...rest } = hook;
        assert.deepEqual(rest, {
            from: 'nango', type: 'sync', connectionId: connection, providerConfigKey: integration, syncName: 'pair', syncVariant: 'base', model: 'Left,Right',
            syncType: 'INCREMENTAL', success: false, checkpoints: { from: null, to: null }, ...more
        });
        assert.match(startedAt, iso);
        assert.match(failedAt, iso);
        assert.ok(startedAt <= failedAt);
        assert.ok(error.description);
        return { startedAt, error };
    };
    const thrown = await run([save('Left', 'k'), checkpoint({ n: 4 }), { do: 'throw', payload: { why: ['<because>'] } }]);
    const { startedAt, error } = failure(thrown.hooks, { checkpoints: { from: null, to: { n: 4 } } });
    assert.deepEqual(Object.keys(error).sort(), ['description', 'payload', 'type']);
    assert.deepEqual([error.type, error.payload], ['action_script_runtime_error', { why: ['<because>'] }]);
    assert.deepEqual([thrown.now.status, thrown.now.latestExecutionStatus], ['PAUSED', 'ERROR']);

    const upstream = failure((await run([{ do: 'missing' }])).hooks, { checkpoints: { from: { n: 4 }, to: { n: 4 } } }).error;
    assert.equal(upstream.type, 'script_http_error');
    const { status: code, headers, body } = upstream.additional_properties.upstream_response;
    assert.deepEqual([code, body], [404, upstream.payload]);
    assert.match(headers['content-type'], /^application\/json/);

    await settings({ on_sync_error: false });
    assert.deepEqual((await run([save('Right', 'l'), { do: 'throw', payload: {} }])).hooks, []);
    await settings({ on_sync_error: true });

    // All that was not told yet is told with the next success, from the first of the
    // failures on.
    const { hooks } = await run([save('Right', 'm'), { do: 'clear' }]);
    assert.equal(success(hooks, { Left: counts(1), Right: counts(2) }, { checkpoints: { from: { n: 4 }, to: null } }), startedAt);
    assert.deepEqual([await changedAfter('Left', startedAt), await changedAfter('Right', startedAt)], [['k'], ['l', 'm']]);
    assert.deepEqual((await run([])).hooks, []);
});

test('a variant', async () => {
    await nango.createSyncVariant({ provider_config_key: integration, connection_id: connection, name: 'pair', variant: 'eu' });
    const { hooks } = await run([save('Left', 'a', 'z'), checkpoint({ eu: 1 })], { variant: 'eu' });
    const began = success(hooks, { Left: counts(2) }, { syncVariant: 'eu', syncType: 'INITIAL', checkpoints: { from: null, to: { eu: 1 } } });
    assert.deepEqual([await changedAfter('Left', began, 'eu'), await changedAfter('Left', began)], [['a', 'z'], []]);
    assert.deepEqual([(await status('pair::eu')).checkpoint, (await status('pair')).checkpoint], [{ eu: 1 }, null]);
});

test('the URL that the connection has now', async () => {
    const other = await receiver();
    const at = { connectionId: connection, provider_config_key: integration };
    await nango.patchConnection(at, { webhook_url_override: other.url });
    await nango.setMetadata(integration, connection, { pair: { base: [save('Left', 'n')] } });
    await nango.triggerSync(integration, ['pair'], connection);
    const { raw, headers } = await eventually('the webhook', () => other.hooks[0]);
    assert.equal(nango.verifyIncomingWebhookRequest(raw, headers), true);
    await nango.patchConnection(at, { webhook_url_override: backend.url });
    other.close();
    assert.equal(backend.hooks.length, known);
});

test('an asynchronous action that has ended, well or not', async () => {
    await settings({ on_async_action_completion: true });
    for (const input of [{ say: 'hello' }, { call: 'nothing', args: [] }]) {
        const seen = backend.hooks.length;
        const accepted = await nango.triggerActionAsync(integration, connection, 'callout', input);
        assert.deepEqual(accepted, { id: accepted.id, statusUrl: `/action/${accepted.id}` });
        const { raw, headers, body } = await eventually('the webhook', () => backend.hooks[seen]);
        assert.deepEqual(body, { type: 'async_action', from: 'nango', connectionId: connection, providerConfigKey: integration, payload: accepted });
        assert.equal(nango.verifyIncomingWebhookRequest(raw, headers), true);
        assert.equal(nango.verifyWebhookSignature(headers['x-nango-signature'], body), true);
        const result = nango.getAsyncActionResult({ statusUrl: body.payload.statusUrl });
        if (input.say) assert.deepEqual(await result, { said: 'hello' });
        else await assert.rejects(result, (error) => error.response.status === 500 && error.response.data.error.code === 'script_internal_error');
    }
    await settings({ on_async_action_completion: false });
});
