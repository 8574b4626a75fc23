import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { api, client, eventually, importConnection, receiver, refused, signingKey, ticketryKey, watch } from './world.mjs';

// The Go test has made the integration and deployed its functions: "tickets" reads
// Ticketry and starts by itself, "lab" does what the metadata say.
const integration = 'desk-key';
const connection = 'syncer';
const nango = client({ webhookSigningKey: signingKey });
const { status, settled } = watch(nango, integration, connection);
const iso = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
let backend;

const ours = () => backend.hooks.filter((h) => h.body.type === 'sync');

// hook waits for the nth webhook about syncs and checks that there are no more.
async function hook(n) {
    await eventually(`webhook ${n}`, () => ours().length >= n);
    assert.equal(ours().length, n, JSON.stringify(ours().at(-1)?.body));
    return ours()[n - 1];
}

// ticketry calls Ticketry through the connection.
async function ticketry(method, endpoint, data) {
    return (await nango.proxy({ method, endpoint, data, providerConfigKey: integration, connectionId: connection })).data;
}

// did triggers a sync and waits for the end of the run.
async function did(sync, options) {
    const { data } = await nango.triggerSync(integration, [sync], connection, options);
    assert.deepEqual(data, { success: true });
    return settled(sync);
}

const items = async () => (await nango.listRecords({ providerConfigKey: integration, connectionId: connection, model: 'Ticket', limit: 1000 })).records;

before(async () => {
    backend = await receiver();
    await importConnection({
        provider_config_key: integration, connection_id: connection, webhook_url_override: backend.url, credentials: { type: 'API_KEY', apiKey: ticketryKey }
    });
});

after(() => backend.close());

test('a sync starts with its connection', async () => {
    const now = await settled('tickets');
    assert.deepEqual(Object.keys(now).sort(), [
        'checkpoint', 'connection_id', 'finishedAt', 'frequency', 'id', 'latestExecutionStatus', 'latestResult', 'name', 'nextScheduledSyncAt', 'recordCount',
        'status', 'type', 'variant'
    ]);
    assert.match(now.id, /^[0-9a-f-]{36}$/);
    assert.deepEqual([now.connection_id, now.name, now.variant, now.type, now.status, now.frequency], [connection, 'tickets', 'base', 'INCREMENTAL', 'SUCCESS', '1h']);
    assert.match(now.finishedAt, iso);
    assert.ok(Date.parse(now.nextScheduledSyncAt) > Date.now());
    assert.deepEqual(now.latestResult, { Ticket: { added: 42, updated: 0, deleted: 0 } });
    assert.deepEqual(now.recordCount, { Ticket: 42 });
    assert.ok(Date.parse(now.checkpoint.since));
    assert.equal((await items()).length, 42);
});

test('its webhook is genuine and to the letter', async () => {
    const first = await hook(1);
    assert.equal(nango.verifyIncomingWebhookRequest(first.raw, first.headers), true);
    assert.equal(nango.verifyIncomingWebhookRequest(first.raw.replace('42', '43'), first.headers), false);
    assert.equal(client({ webhookSigningKey: crypto.randomUUID() }).verifyIncomingWebhookRequest(first.raw, first.headers), false);
    const { modifiedAfter, queryTimeStamp, checkpoints, ...rest } = first.body;
    assert.deepEqual(rest, {
        from: 'nango', type: 'sync', connectionId: connection, providerConfigKey: integration, syncName: 'tickets', syncVariant: 'base', model: 'Ticket',
        syncType: 'INITIAL', success: true, responseResults: { added: 42, updated: 0, deleted: 0 }
    });
    assert.match(modifiedAfter, iso);
    assert.equal(queryTimeStamp, modifiedAfter);
    assert.equal(checkpoints.from, null);
    assert.deepEqual(checkpoints.to, (await status('tickets')).checkpoint);
    assert.deepEqual(Object.keys(first.body), Object.keys(first.body).toSorted());
});

test('what changed is told, what did not is not', async () => {
    assert.deepEqual((await did('tickets')).latestResult, { Ticket: { added: 0, updated: 0, deleted: 0 } });
    const [one, two] = await items();
    const made = await ticketry('POST', '/tickets', { subject: 'new' });
    await ticketry('PATCH', `/tickets/${one.id}`, { subject: 'changed' });
    await ticketry('DELETE', `/tickets/${two.id}`);
    const now = await did('tickets');
    assert.deepEqual([now.latestResult, now.recordCount], [{ Ticket: { added: 1, updated: 1, deleted: 1 } }, { Ticket: 42 }]);
    const { body } = await hook(2);
    assert.deepEqual(body.responseResults, { added: 1, updated: 1, deleted: 1 });
    assert.equal(body.syncType, 'INCREMENTAL');
    assert.ok(body.checkpoints.from.since < body.checkpoints.to.since);
    const { records } = await nango.listRecords({ providerConfigKey: integration, connectionId: connection, model: 'Ticket', modifiedAfter: body.modifiedAfter });
    assert.deepEqual(
        Object.fromEntries(records.map((r) => [r.id, r._nango_metadata.last_action])),
        { [made.id]: 'ADDED', [one.id]: 'UPDATED', [two.id]: 'DELETED' }
    );
});

test('an action writes back, and the next run sees it', async () => {
    const [ticket] = (await items()).filter((r) => r.status !== 'solved' && r._nango_metadata.deleted_at === null);
    assert.deepEqual(await nango.triggerAction(integration, connection, 'solve', { id: ticket.id }), { id: ticket.id, status: 'solved' });
    assert.deepEqual((await did('tickets')).latestResult, { Ticket: { added: 0, updated: 1, deleted: 0 } });
    assert.deepEqual((await hook(3)).body.responseResults, { added: 0, updated: 1, deleted: 0 });
    const { records } = await nango.listRecords({ providerConfigKey: integration, connectionId: connection, model: 'Ticket', ids: [ticket.id] });
    assert.equal(records[0].status, 'solved');
});

test('a trigger begins where it is told', async () => {
    const before = await items();
    // Everything is fetched again, and nothing is different.
    assert.deepEqual((await did('tickets', { reset: true })).latestResult, { Ticket: { added: 0, updated: 0, deleted: 0 } });
    assert.deepEqual((await did('tickets', true)).latestResult, { Ticket: { added: 0, updated: 0, deleted: 0 } });
    assert.deepEqual((await did('tickets', 'full_refresh')).latestResult, { Ticket: { added: 0, updated: 0, deleted: 0 } });
    assert.deepEqual((await did('tickets', false)).latestResult, { Ticket: { added: 0, updated: 0, deleted: 0 } });
    assert.deepEqual((await did('tickets', 'incremental')).type, 'INCREMENTAL');
    assert.deepEqual(await items(), before);
    let n = 3;
    for (const options of [{ reset: true, emptyCache: true }, 'full_refresh_and_clear_cache']) {
        const now = await did('tickets', options);
        assert.deepEqual([now.latestResult, now.recordCount], [{ Ticket: { added: 42, updated: 0, deleted: 0 } }, { Ticket: 42 }]);
        const { body } = await hook(++n);
        assert.deepEqual([body.syncType, body.checkpoints.from, body.responseResults.added], ['INITIAL', null, 42]);
        const records = await items();
        assert.ok(records.every((r) => r._nango_metadata.last_action === 'ADDED'));
    }
    await refused(nango.triggerSync(integration, ['tickets'], connection, { emptyCache: true }), 400, 'invalid_body');
    const both = await api('POST', '/sync/trigger', { syncs: [], provider_config_key: integration, opts: {}, sync_mode: 'incremental' });
    assert.deepEqual(both, { status: 400, body: { error: { code: 'invalid_body', message: 'Cannot use opts with deprecated sync_mode/full_resync parameters' } } });
});

test('syncs are started and paused', async () => {
    assert.deepEqual(await status('lab').then((s) => [s.status, s.nextScheduledSyncAt, s.finishedAt]), ['PAUSED', null, null]);
    await nango.setMetadata(integration, connection, {});
    // Triggered, it runs once and stays paused.
    const triggered = await did('lab');
    assert.equal(triggered.status, 'PAUSED');
    assert.deepEqual((await nango.startSync(integration, ['lab'], connection)).data, { success: true });
    let now = await eventually('the sync runs as it is started', async () => {
        const seen = await settled('lab');
        return seen.finishedAt > triggered.finishedAt && seen;
    });
    assert.equal(now.status, 'SUCCESS');
    assert.ok(now.nextScheduledSyncAt);
    await nango.startSync(integration, [{ name: 'lab', variant: 'base' }], connection);
    assert.equal((await settled('lab')).finishedAt, now.finishedAt, 'a sync that was started already ran again');
    await nango.pauseSync(integration, ['lab::base'], connection);
    now = await status('lab');
    assert.deepEqual([now.status, now.nextScheduledSyncAt], ['PAUSED', null]);
});

test('a connection has a frequency of its own', async () => {
    const set = async (frequency, sync = 'tickets') => nango.updateSyncConnectionFrequency(integration, sync, connection, frequency);
    assert.deepEqual(await set('every 5 minutes'), { frequency: '5m' });
    assert.equal((await status('tickets')).frequency, '5m');
    assert.ok(Date.parse((await status('tickets')).nextScheduledSyncAt) - Date.now() <= 10 * 60_000);
    assert.deepEqual(await set('half day'), { frequency: '12h' });
    assert.deepEqual(await set(null), { frequency: '1h' });
    assert.equal((await status('tickets')).frequency, '1h');
    await refused(set('every 5 seconds'), 400, 'sync_interval_too_short');
    await refused(set('now and then'), 400, 'invalid_body');
    await refused(set('1h', 'nope'), 400, 'unknown_sync');
    await refused(nango.updateSyncConnectionFrequency(integration, 'tickets', 'nobody', '1h'), 400, 'unknown_connection');
});

test('variants have everything of their own', async () => {
    const eu = { provider_config_key: integration, connection_id: connection, name: 'lab', variant: 'eu' };
    const made = await nango.createSyncVariant(eu);
    assert.deepEqual([made.name, made.variant], ['lab', 'eu']);
    await refused(nango.createSyncVariant(eu), 400, 'sync_variant_already_exists');
    await refused(nango.createSyncVariant({ ...eu, variant: 'base' }), 400, 'invalid_variant');
    await refused(nango.createSyncVariant({ ...eu, name: 'nope' }), 400, 'unknown_sync');
    await refused(nango.createSyncVariant({ ...eu, connection_id: 'nobody' }), 400, 'unknown_connection');
    await refused(nango.createSyncVariant({ ...eu, provider_config_key: 'nope' }), 400, 'unknown_provider_config');
    await nango.setMetadata(integration, connection, { eu: [{ do: 'save', records: [{ id: 'eu-1' }] }], base: [{ do: 'save', records: [{ id: 'base-1' }, { id: 'base-2' }] }] });
    await nango.triggerSync(integration, [{ name: 'lab', variant: 'eu' }], connection, {});
    assert.deepEqual((await settled('lab::eu')).latestResult, { Item: { added: 1, updated: 0, deleted: 0 } });
    assert.equal((await status('lab::eu')).id, made.id);
    const read = async (variant) => (await nango.listRecords({ providerConfigKey: integration, connectionId: connection, model: 'Item', variant })).records.map((r) => r.id);
    assert.deepEqual(await read('eu'), ['eu-1']);
    assert.deepEqual((await did('lab')).recordCount, { Item: 2 });
    assert.deepEqual([await read('base'), await read(undefined)], [['base-1', 'base-2'], ['base-1', 'base-2']]);
    assert.equal(ours().find((h) => h.body.syncVariant === 'eu').body.syncName, 'lab');
    const { syncs } = await nango.syncStatus(integration, '*', connection);
    assert.deepEqual(syncs.map((s) => `${s.name}::${s.variant}`).sort(), ['lab::base', 'lab::eu', 'tickets::base']);
    assert.deepEqual(await nango.updateSyncConnectionFrequency(integration, { name: 'lab', variant: 'eu' }, connection, '2h'), { frequency: '2h' });
    assert.equal((await status('lab')).frequency, '1h');
    assert.deepEqual(await nango.deleteSyncVariant(eu), { success: true });
    await refused(nango.deleteSyncVariant(eu), 404, 'not_found');
    await refused(nango.deleteSyncVariant({ ...eu, variant: 'base' }), 400, 'invalid_variant');
    assert.deepEqual([await read('eu'), await read('base')], [[], ['base-1', 'base-2']]);
});

test('a failed run is told', async () => {
    const n = ours().length;
    await nango.setMetadata(integration, connection, { base: [{ do: 'save', records: [{ id: 'kept' }] }, { do: 'missing' }] });
    const failed = await did('lab');
    assert.deepEqual([failed.status, failed.latestExecutionStatus, failed.latestResult], ['PAUSED', 'ERROR', { Item: { added: 1, updated: 0, deleted: 0 } }]);
    const { body } = await hook(n + 1);
    const { startedAt, failedAt, error, ...rest } = body;
    assert.deepEqual(rest, {
        from: 'nango', type: 'sync', connectionId: connection, providerConfigKey: integration, syncName: 'lab', syncVariant: 'base', model: 'Item',
        syncType: 'INCREMENTAL', success: false
    });
    assert.match(startedAt, iso);
    assert.ok(startedAt <= failedAt);
    assert.equal(error.type, 'script_http_error');
    assert.ok(error.description);
    // What it saved is told by the next run that succeeds.
    await nango.setMetadata(integration, connection, { base: [{ do: 'save', records: [{ id: 'more' }] }] });
    assert.deepEqual((await did('lab')).latestResult, { Item: { added: 1, updated: 0, deleted: 0 } });
    const next = (await hook(n + 2)).body;
    assert.deepEqual([next.responseResults.added, next.modifiedAfter], [2, startedAt]);
});

test('a run is cancelled', async () => {
    await nango.setMetadata(integration, connection, { base: [{ do: 'save', records: [{ id: 'before' }] }, { do: 'wait' }, { do: 'save', records: [{ id: 'after' }] }] });
    await nango.triggerSync(integration, ['lab'], connection);
    await eventually('the run is under way', async () => (await status('lab')).recordCount.Item === 5);
    assert.equal((await status('lab')).status, 'RUNNING');
    const selection = { syncs: ['lab'], provider_config_key: integration, connection_id: connection };
    assert.deepEqual(await api('POST', '/sync/cancel', selection), { status: 200, body: { success: true } });
    const now = await status('lab');
    assert.deepEqual([now.status, now.latestExecutionStatus, now.recordCount], ['PAUSED', 'STOPPED', { Item: 5 }]);
});

test('what there is not is refused', async () => {
    await refused(nango.triggerSync(integration, ['nope'], connection), 400, 'no_syncs_found');
    await refused(nango.triggerSync(integration, ['tickets', 'nope'], connection), 400, 'no_syncs_found');
    await refused(nango.startSync(integration, ['tickets'], 'nobody'), 404, 'unknown_connection');
    await refused(nango.pauseSync('nope', ['tickets'], connection), 400, 'unknown_provider_config');
    await refused(nango.startSync(integration, ['a b'], connection), 400, 'invalid_body');
    await refused(nango.syncStatus(integration, ['tickets'], 'nobody'), 400, 'invalid_body');
    assert.deepEqual(await api('POST', '/sync/trigger', { syncs: [] }).then((r) => [r.status, r.body.error.code]), [400, 'missing_provider_config_key']);
});

test('syncs are among the functions', async () => {
    const mine = (await nango.getScriptsConfig()).find((c) => c.providerConfigKey === integration);
    const tickets = mine.syncs.find((s) => s.name === 'tickets');
    assert.deepEqual([tickets.type, tickets.runs, tickets.auto_start, tickets.returns, tickets.enabled], ['sync', 'every hour', true, ['Ticket'], true]);
    assert.ok(tickets.json_schema.definitions.Ticket);
    const { data: tools } = await nango.getScriptsConfig('openai');
    assert.deepEqual(tools.find((t) => t.name === 'tickets').parameters, { type: 'object', properties: {}, required: [] });
});
