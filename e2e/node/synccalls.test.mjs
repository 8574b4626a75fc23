import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { accountKey, api, client, eventually, importConnection, key, refused, ticketryKey, url, watch } from './world.mjs';

// Every form in which the client's methods about syncs can be called (wire contract
// §4.7), each with the whole answer.
const integration = 'desk-key';
const connection = 'caller';
const nango = client();
const { status, settled } = watch(nango, integration, connection);
const scope = { provider_config_key: integration, connection_id: connection };
const success = { success: true };
const iso = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

// plan has the sync "lab" save one record in each of these variants.
const plan = (text, ...variants) =>
    nango.setMetadata(integration, connection, Object.fromEntries(variants.map((v) => [v, [{ do: 'save', records: [{ id: v, text }] }]])));

// ran does something and waits until these syncs have run since.
async function ran(what, act, ...syncs) {
    const before = await Promise.all(syncs.map(async (sync) => (await status(sync)).finishedAt));
    assert.deepEqual((await act()).data, success, what);
    return Promise.all(syncs.map((sync, n) => eventually(`${what}: ${sync} has run`, async () => {
        const now = await settled(sync);
        return now.finishedAt !== before[n] && now;
    })));
}

// raw makes calls that the client has no form for; a POST unless told.
async function raw(path, body, { method = 'POST', headers = {} } = {}) {
    const response = await fetch(url + path, {
        method,
        headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json', ...headers },
        body: body && JSON.stringify(body)
    });
    return { status: response.status, body: await response.json() };
}

before(async () => {
    await importConnection({ provider_config_key: integration, connection_id: connection, credentials: { type: 'API_KEY', apiKey: ticketryKey } });
    await settled('tickets');
});

test('the status of a sync that has not run', async () => {
    const { id, ...now } = await status('pair');
    assert.match(id, /^[0-9a-f-]{36}$/);
    assert.deepEqual(now, {
        connection_id: connection, name: 'pair', variant: 'base', type: 'INITIAL', status: 'PAUSED', frequency: '1h', finishedAt: null, nextScheduledSyncAt: null,
        latestResult: {}, recordCount: { Left: 0, Right: 0 }, checkpoint: null
    });
});

test('variants are created', async () => {
    for (const variant of ['eu', 'us']) {
        const made = await nango.createSyncVariant({ ...scope, name: 'lab', variant });
        assert.deepEqual(Object.keys(made), ['id', 'name', 'variant']);
        assert.equal((await status(`lab::${variant}`)).id, made.id);
    }
});

test('syncs are triggered in every form', async () => {
    let n = 0;
    for (const [syncs, run] of [
        [['lab'], ['lab']],
        [['lab::base'], ['lab']],
        [['lab::eu'], ['lab::eu']],
        [[{ name: 'lab' }], ['lab']],
        [[{ name: 'lab', variant: 'us' }], ['lab::us']],
        [['lab', 'lab::base', { name: 'lab', variant: 'base' }], ['lab']],
        [['lab', 'lab::eu', { name: 'lab', variant: 'us' }], ['lab', 'lab::eu', 'lab::us']],
        [[], ['lab', 'lab::eu', 'lab::us', 'tickets', 'pair']],
        [undefined, ['lab', 'lab::eu', 'lab::us', 'tickets', 'pair']]
    ]) {
        await plan(`${++n}`, 'base', 'eu', 'us');
        const what = `trigger ${JSON.stringify(syncs)}`;
        const untouched = await status('lab::us');
        const ended = await ran(what, () => nango.triggerSync(integration, syncs, connection), ...run);
        for (const now of ended.filter((s) => s.name === 'lab')) {
            assert.deepEqual([now.status, now.latestExecutionStatus, now.recordCount], ['PAUSED', 'SUCCESS', { Item: 1 }], what);
        }
        if (!run.includes('lab::us')) assert.deepEqual(await status('lab::us'), untouched, what);
    }
});

test('a trigger says in every form where the run begins', async () => {
    await nango.setMetadata(integration, connection, { pair: { base: [{ do: 'checkpoint', value: { n: 1 } }, { do: 'save', model: 'Left', records: [{ id: 'l' }] }] } });
    const added = (now) => [now.latestResult.Left.added, now.checkpoint.n];
    const trigger = (options) => ran(JSON.stringify(options), () => nango.triggerSync(integration, ['pair'], connection, options), 'pair').then(([now]) => added(now));
    await trigger();
    for (const options of [undefined, {}, { reset: false }, { reset: false, emptyCache: false }, { reset: true }, { reset: true, emptyCache: false }, false, true, 'incremental', 'full_refresh']) {
        assert.deepEqual(await trigger(options), [0, 1], JSON.stringify(options));
    }
    for (const options of [{ reset: true, emptyCache: true }, 'full_refresh_and_clear_cache']) assert.deepEqual(await trigger(options), [1, 1], JSON.stringify(options));
    const post = (body, headers) => ran(JSON.stringify(body), async () => ({ data: (await raw('/sync/trigger', body, { headers })).body }), 'pair');
    await post({ syncs: ['pair'], ...scope, full_resync: true });
    await post({ syncs: ['pair'], ...scope, full_resync: false });
    await post({ syncs: ['pair'] }, { 'Provider-Config-Key': integration, 'Connection-Id': connection });
    // The body says more than the headers.
    await post({ syncs: ['pair'], ...scope }, { 'Provider-Config-Key': 'other', 'Connection-Id': 'other' });
});

test('syncs are started and paused in every form', async () => {
    for (const syncs of [['lab'], ['lab::base'], [{ name: 'lab' }], [{ name: 'lab', variant: 'base' }], ['lab', 'lab'], []]) {
        const what = JSON.stringify(syncs);
        const [now] = await ran(`start ${what}`, () => nango.startSync(integration, syncs, connection), 'lab');
        assert.equal(now.status, 'SUCCESS', what);
        assert.match(now.nextScheduledSyncAt, iso);
        assert.equal((await settled('lab::eu')).status === 'PAUSED', syncs.length > 0, what);
        assert.deepEqual((await nango.pauseSync(integration, syncs, connection)).data, success);
        assert.deepEqual([(await settled('lab')).status, (await status('lab')).nextScheduledSyncAt], ['PAUSED', null], what);
    }
    await eventually('all are paused', async () => (await nango.syncStatus(integration, '*', connection)).syncs.every((s) => s.status === 'PAUSED'));
    await nango.startSync(integration, ['lab::eu'], connection);
    assert.deepEqual([(await settled('lab::eu')).status, (await status('lab')).status, (await status('lab::us')).status], ['SUCCESS', 'PAUSED', 'PAUSED']);
    await nango.pauseSync(integration, [{ name: 'lab', variant: 'eu' }], connection);
    assert.equal((await settled('lab::eu')).status, 'PAUSED');
});

test('the status says how a sync stands', async () => {
    const stand = async () => {
        const { status: state, latestExecutionStatus, nextScheduledSyncAt } = await status('lab');
        return [state, latestExecutionStatus, nextScheduledSyncAt !== null];
    };
    const steps = (...base) => nango.setMetadata(integration, connection, { base });
    const underWay = () => eventually('it is under way', async () => (await status('lab')).recordCount.Item > 1);
    await steps({ do: 'missing' });
    await ran('start', () => nango.startSync(integration, ['lab'], connection), 'lab');
    assert.deepEqual(await stand(), ['ERROR', 'ERROR', true]);
    await nango.pauseSync(integration, ['lab'], connection);
    assert.deepEqual(await stand(), ['PAUSED', 'ERROR', false]);
    await steps();
    await ran('start again', () => nango.startSync(integration, ['lab'], connection), 'lab');
    assert.deepEqual(await stand(), ['SUCCESS', 'SUCCESS', true]);
    // What is paused goes on to its end, and shows that it does.
    await steps({ do: 'save', records: [{ id: 'more' }] }, { do: 'wait' });
    await nango.triggerSync(integration, ['lab'], connection);
    await underWay();
    assert.deepEqual(await stand(), ['RUNNING', 'SUCCESS', true]);
    await nango.pauseSync(integration, ['lab'], connection);
    assert.deepEqual(await stand(), ['RUNNING', 'SUCCESS', false]);
    assert.deepEqual((await raw('/sync/cancel', { syncs: ['lab'], ...scope })).body, success);
    assert.deepEqual(await stand(), ['PAUSED', 'STOPPED', false]);
    // One that is started and was broken off failed, for who looks at it.
    await nango.triggerSync(integration, ['lab'], connection, { reset: true, emptyCache: true });
    await steps({ do: 'save', records: [{ id: 'a' }, { id: 'b' }] }, { do: 'wait' });
    await nango.triggerSync(integration, ['lab'], connection, { reset: true });
    await underWay();
    await nango.startSync(integration, ['lab'], connection);
    await raw('/sync/cancel', { syncs: ['lab'], ...scope });
    assert.deepEqual(await stand(), ['ERROR', 'STOPPED', true]);
    await steps();
    await nango.pauseSync(integration, ['lab'], connection);
});

test('the status is asked for in every form', async () => {
    const names = async (syncs, c = connection) => (await nango.syncStatus(integration, syncs, c)).syncs.map((s) => `${s.connection_id}/${s.name}::${s.variant}`).sort();
    const of = (...refs) => refs.map((r) => `${connection}/${r}`);
    const all = of('lab::base', 'lab::eu', 'lab::us', 'pair::base', 'probe::base', 'tickets::base');
    assert.deepEqual(await names('*'), all);
    assert.deepEqual(await names(['*']), all);
    assert.deepEqual(await names(['lab']), of('lab::base'));
    assert.deepEqual(await names(['lab::us', { name: 'lab' }, { name: 'lab', variant: 'eu' }, 'tickets']), of('lab::base', 'lab::eu', 'lab::us', 'tickets::base'));
    assert.deepEqual(await names(['lab', 'lab::base', 'lab']), of('lab::base'));
    assert.deepEqual(await names(['nope', 'lab::nope', 'lab']), of('lab::base'));
    assert.deepEqual(await names(['nope']), []);
    assert.ok((await names('*', undefined)).length >= all.length);
    const { body } = await raw(`/sync/status?syncs=lab%2Clab%3A%3Aeu&provider_config_key=${integration}&connection_id=${connection}`, undefined, { method: 'GET' });
    assert.deepEqual(body.syncs.map((s) => s.variant).sort(), ['base', 'eu']);
});

test('frequencies come back in their normal form', async () => {
    for (const [given, normal] of [
        ['30s', '30s'], ['every 30 seconds', '30s'], ['every 90 secs', '90s'], ['1m', '1m'], ['every minute', '1m'], ['every 5 mins', '5m'], ['60 minutes', '1h'], ['every hour', '1h'],
        ['every 2 hrs', '2h'], ['half hour', '30m'], ['every half day', '12h'], ['every quarter hour', '15m'], ['every day', '1d'], ['2 days', '2d'], ['every week', '1w'], ['month', '30d']
    ]) {
        const now = await nango.updateSyncConnectionFrequency(integration, 'lab', connection, given);
        assert.deepEqual([now, (await status('lab')).frequency], [{ frequency: normal }, normal], given);
    }
    assert.deepEqual(await nango.updateSyncConnectionFrequency(integration, { name: 'lab' }, connection, '3h'), { frequency: '3h' });
    assert.deepEqual(await nango.updateSyncConnectionFrequency(integration, { name: 'lab', variant: 'us' }, connection, '4h'), { frequency: '4h' });
    assert.deepEqual([(await status('lab')).frequency, (await status('lab::us')).frequency, (await status('lab::eu')).frequency], ['3h', '4h', '1h']);
    assert.deepEqual(await nango.updateSyncConnectionFrequency(integration, { name: 'lab', variant: 'us' }, connection, null), { frequency: '1h' });
    assert.deepEqual(await nango.updateSyncConnectionFrequency(integration, 'lab', connection, null), { frequency: '1h' });
    for (const [frequency, code] of [['29s', 'sync_interval_too_short'], ['', 'invalid_body'], ['every 32 days', 'invalid_body'], ['5 parsecs', 'invalid_body']]) {
        await refused(nango.updateSyncConnectionFrequency(integration, 'lab', connection, frequency), 400, code);
    }
    await refused(nango.updateSyncConnectionFrequency(integration, { name: 'lab', variant: 'nope' }, connection, '1h'), 400, 'unknown_sync');
    await refused(nango.updateSyncConnectionFrequency('nope', 'lab', connection, '1h'), 400, 'unknown_connection');
});

test('what is not said is not taken for all', async () => {
    for (const path of ['trigger', 'start', 'pause', 'cancel'].map((name) => `/sync/${name}`)) {
        for (const change of [{ connection_id: null }, { connection_id: '' }, { connection_id: 7 }, { syncs: null }, { syncs: [''] }, { syncs: ['lab::'] }, { syncs: 'lab' }, { more: 1 }]) {
            const { status, body } = await raw(path, { syncs: ['lab'], ...scope, ...change });
            assert.deepEqual([status, body.error.code], [400, 'invalid_body'], `${path} ${JSON.stringify(change)}: ${JSON.stringify(body)}`);
        }
        for (const [change, code] of [[{ connection_id: 'nobody' }, 'unknown_connection'], [{ provider_config_key: 'nope' }, 'unknown_provider_config'], [{ syncs: ['nope'] }, 'no_syncs_found'], [{ syncs: ['lab::nope'] }, 'no_syncs_found']]) {
            const { status, body } = await raw(path, { syncs: ['lab'], ...scope, ...change });
            assert.deepEqual([status, body.error.code], [code === 'unknown_connection' ? 404 : 400, code], `${path} ${JSON.stringify(body)}`);
            assert.deepEqual(Object.keys(body.error).sort(), ['code', 'message', 'payload']);
            assert.deepEqual(body.error.payload, {});
        }
    }
    assert.deepEqual((await raw('/sync/trigger', { syncs: ['lab'], ...scope, opts: null })).body.error.code, 'invalid_body');
    const both = { status: 400, body: { error: { code: 'invalid_body', message: 'Cannot use opts with deprecated sync_mode/full_resync parameters' } } };
    assert.deepEqual(await raw('/sync/trigger', { syncs: ['lab'], ...scope, opts: {}, full_resync: false }), both);
    const gone = await raw(`/sync/status?syncs=*&provider_config_key=${integration}&connection_id=nobody`, undefined, { method: 'GET' });
    assert.deepEqual(gone, { status: 400, body: { error: { code: 'invalid_body', message: 'Connection not found' } } });
});

test('variants are refused by name', async () => {
    const lab = { ...scope, name: 'lab', variant: 'asia' };
    for (const [change, code] of [
        [{ variant: 'base' }, 'invalid_variant'], [{ variant: 'eu' }, 'sync_variant_already_exists'], [{ name: 'nope' }, 'unknown_sync'], [{ name: 'solve' }, 'unknown_sync'],
        [{ connection_id: 'nobody' }, 'unknown_connection'], [{ provider_config_key: 'nope' }, 'unknown_provider_config'], [{ variant: 'a b' }, 'invalid_uri_params'],
        [{ connection_id: undefined }, 'invalid_body']
    ]) await refused(nango.createSyncVariant({ ...lab, ...change }), 400, code);
    await refused(nango.deleteSyncVariant({ ...lab, name: 'nope', variant: 'eu' }), 404, 'not_found');
    assert.deepEqual(await nango.deleteSyncVariant({ ...lab, variant: 'eu' }), success);
    assert.deepEqual(await nango.deleteSyncVariant({ ...lab, variant: 'us' }), success);
    assert.deepEqual((await nango.listRecords({ providerConfigKey: integration, connectionId: connection, model: 'Item', variant: 'eu' })).records, []);
});

test('a key does what its scopes say', async () => {
    const [dev] = (await api('GET', '/environments?name=dev', undefined, accountKey)).body.data;
    const made = await api('POST', `/environments/${dev.uuid}/api-keys`, { display_name: 'reader', scopes: ['environment:syncs:read'] }, accountKey);
    const reader = client({ apiKey: made.body.data.secret });
    assert.ok((await reader.syncStatus(integration, '*', connection)).syncs.length > 0);
    for (const call of [
        () => reader.triggerSync(integration, ['lab'], connection), () => reader.startSync(integration, ['lab'], connection), () => reader.pauseSync(integration, ['lab'], connection),
        () => reader.updateSyncConnectionFrequency(integration, 'lab', connection, '1h'), () => reader.createSyncVariant({ ...scope, name: 'lab', variant: 'eu' }),
        () => reader.deleteSyncVariant({ ...scope, name: 'lab', variant: 'eu' }), () => reader.triggerAction(integration, connection, 'solve'),
        () => reader.listRecords({ providerConfigKey: integration, connectionId: connection, model: 'Item' })
    ]) await refused(call(), 403, 'forbidden');
});
