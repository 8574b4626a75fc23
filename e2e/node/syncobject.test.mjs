import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { client, eventually, importConnection, key, refused, ticketryKey, url, watch } from './world.mjs';

// The sync "probe" saves what it sees of its nango object (wire contract §12).
const integration = 'desk-key';
const connection = 'prober';
const nango = client();
const { status, settled } = watch(nango, integration, connection);
const list = (model, options) => nango.listRecords({ providerConfigKey: integration, connectionId: connection, model, limit: 1000, ...options });

async function probe() {
    await nango.triggerSync(integration, ['probe'], connection);
    const now = await settled('probe');
    assert.equal(now.latestExecutionStatus, 'SUCCESS');
    const { records } = await list('Seen');
    return Object.fromEntries(records.map((r) => [r.id, r.value]));
}

before(async () => {
    await importConnection({ provider_config_key: integration, connection_id: connection, metadata: { own: [1] }, credentials: { type: 'API_KEY', apiKey: ticketryKey } });
});

test('a sync sees what it is given', async () => {
    const { syncId, ...seen } = await probe();
    assert.equal(syncId, (await status('probe')).id);
    assert.deepEqual(seen, {
        data: [connection, integration, 'demo-tickets-key', 'dev', 'base', 'base', 'sync', false, false],
        types: ['string', 'number', 'number', 'string', 'number', 'undefined'],
        hidden: ['undefined', 'undefined', 'undefined', 'undefined'],
        lastSyncDate: '(undefined)',
        checkpoint: null,
        saved: { n: 1, when: '1970-01-01T00:00:00.000Z', on: true },
        'nested checkpoint': 'invalid_checkpoint_format',
        save: true, update: true, delete: true, none: true,
        'by ids': [[1, { id: '1', a: { b: 1, c: 2 } }, 'UPDATED'], ['two', { id: 'two' }, 'ADDED']],
        alias: 'two',
        list: ['1', 'three', 'two'],
        'list from': -1,
        'no id': 'invalid_record',
        'no model': 'invalid_model',
        'no start': 'track_deletes_not_started',
        track: { deletedKeys: ['1'] },
        merging: null,
        strategy: 'invalid_merging_strategy',
        metadata: { own: [1] },
        'metadata now': { own: [1], probed: true },
        connection: [connection, 'object'],
        integration: [integration, true],
        variables: [],
        action: 'hello',
        proxy: [200, 'number']
    });
    const things = (await list('Thing')).records;
    assert.deepEqual(things.map((r) => [r.id, r._nango_metadata.last_action]).sort(), [['1', 'DELETED'], ['three', 'DELETED'], ['two', 'ADDED']]);
    assert.ok(things.every((r) => Object.hasOwn(r._nango_metadata, 'first_seen_at')));
});

test('the next run goes on from it', async () => {
    const { finishedAt } = await status('probe');
    const seen = await probe();
    assert.deepEqual([seen.checkpoint, seen.saved.n], [{ n: 1, when: '1970-01-01T00:00:00.000Z', on: true }, 2]);
    assert.equal(seen.types[5], 'date');
    assert.ok(seen.lastSyncDate < finishedAt);
    await nango.triggerSync(integration, ['probe'], connection, { reset: true });
    const reset = await eventually('it has begun anew', async () => {
        const now = await settled('probe');
        return now.checkpoint?.n === 1 && now;
    });
    assert.equal(reset.type, 'INCREMENTAL');
});

test('the path of a model answers with its records', async () => {
    const call = async (path, headers = { 'Connection-Id': connection, 'Provider-Config-Key': integration }) => {
        const response = await fetch(url + path, { headers: { Authorization: `Bearer ${key}`, ...headers } });
        return { status: response.status, body: await response.json() };
    };
    const { records } = await list('Thing');
    assert.deepEqual(await call('/v1/things'), { status: 200, body: { records, next_cursor: null } });
    const page = await call('/v1/things?limit=1');
    assert.deepEqual(page.body, { records: records.slice(0, 1), next_cursor: records[0]._nango_metadata.cursor });
    assert.deepEqual((await call(`/v1/things?cursor=${page.body.next_cursor}&filter=deleted`)).body.records.map((r) => r.id), records.slice(1).filter((r) => r._nango_metadata.deleted_at).map((r) => r.id));
    assert.equal((await call('/v1/nothing')).status, 404);
    assert.equal((await call('/v1/things', {})).body.error.code, 'invalid_headers');
});

test('a function starts other syncs', async () => {
    const callout = (call, ...args) => nango.triggerAction(integration, connection, 'callout', { call, args });
    for (const [sync, mode] of [['lab'], ['lab::base', {}], [{ name: 'lab' }, { reset: true }], [{ name: 'lab', variant: 'base' }, 'full_refresh'], ['lab', true], ['lab', 'incremental']]) {
        const before = (await status('lab')).finishedAt;
        assert.deepEqual(await callout('triggerSync', integration, connection, sync, mode), { success: true });
        await eventually('lab has run', async () => (await settled('lab')).finishedAt !== before);
    }
    assert.deepEqual(await callout('startSync', integration, ['lab'], connection), { success: true });
    assert.equal((await settled('lab')).status, 'SUCCESS');
    await nango.pauseSync(integration, ['lab'], connection);
    await refused(callout('triggerSync', integration, connection, 'nope'), 500, 'no_syncs_found');
    await refused(callout('batchSave', [{ id: '1' }], 'Item'), 500, 'not_available');
});
