import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { api, client, importConnection, key, refused, ticketryKey, url, watch } from './world.mjs';

// The sync "lab" does what the metadata of the connection say.
const integration = 'desk-key';
const connection = 'reader';
const nango = client();
const { settled } = watch(nango, integration, connection);
const micros = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/;

// run has the sync take steps, and returns what it changed.
async function run(...steps) {
    await nango.setMetadata(integration, connection, { base: steps });
    await nango.triggerSync(integration, ['lab'], connection);
    const now = await settled('lab');
    assert.equal(now.latestExecutionStatus, 'SUCCESS');
    return now.latestResult.Item;
}

const save = (...records) => ({ do: 'save', records });
const list = (options = {}) => nango.listRecords({ providerConfigKey: integration, connectionId: connection, model: 'Item', ...options });
const ids = async (options) => (await list(options)).records.map((r) => r.id);
const meta = async (id) => (await list({ ids: [id] })).records[0]._nango_metadata;

// raw makes a call that the client does not let through.
async function raw(method, path, body, headers = {}) {
    const response = await fetch(url + path, {
        method,
        headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json', 'Provider-Config-Key': integration, 'Connection-Id': connection, ...headers },
        body: body && JSON.stringify(body)
    });
    return { status: response.status, body: await response.json() };
}

before(async () => {
    await importConnection({ provider_config_key: integration, connection_id: connection, credentials: { type: 'API_KEY', apiKey: ticketryKey } });
});

test('records are as they were saved', async () => {
    assert.deepEqual(await list(), { records: [], next_cursor: null });
    const odd = { id: 'odd', text: 'ä"\\<>&\u2028😀', nested: { b: [1, 2.5, null, -0.001, 1e21], a: {} }, no: false };
    assert.deepEqual(await run(save(odd, { id: 7, n: 1 })), { added: 2, updated: 0, deleted: 0 });
    const { records, next_cursor } = await list();
    assert.equal(next_cursor, null);
    const [{ _nango_metadata: first, ...same }, { _nango_metadata: second, ...seven }] = records;
    assert.deepEqual([same, seven], [odd, { id: '7', n: 1 }]);
    assert.deepEqual(Object.keys(first).sort(), ['cursor', 'deleted_at', 'first_seen_at', 'last_action', 'last_modified_at', 'pruned_at']);
    assert.deepEqual([first.last_action, first.deleted_at, first.pruned_at], ['ADDED', null, null]);
    assert.match(first.last_modified_at, micros);
    assert.ok(first.last_modified_at < second.last_modified_at);
    assert.deepEqual(await run(save({ n: 1, id: '7' }, odd)), { added: 0, updated: 0, deleted: 0 }, 'the order of keys is no change');
    assert.deepEqual((await list()).records, records);
});

test('changes are told apart', async () => {
    const { first_seen_at, last_modified_at } = await meta('7');
    assert.deepEqual(await run(save({ id: 7, n: 2 }), { do: 'delete', records: [{ id: 'odd' }, { id: 'unknown' }] }), { added: 0, updated: 1, deleted: 1 });
    const seven = await meta('7');
    assert.deepEqual([seven.last_action, seven.first_seen_at], ['UPDATED', first_seen_at]);
    assert.ok(seven.last_modified_at > last_modified_at);
    const { records } = await list({ filter: 'deleted' });
    assert.deepEqual([records.length, records[0].id, records[0].no, records[0]._nango_metadata.last_action], [1, 'odd', false, 'DELETED']);
    assert.ok(records[0]._nango_metadata.deleted_at);
    assert.deepEqual(await run(save({ id: 'odd', back: true })), { added: 1, updated: 0, deleted: 0 });
    assert.deepEqual([(await meta('odd')).deleted_at, await ids({ filter: 'deleted' })], [null, []]);
    assert.deepEqual(await run({ do: 'update', records: [{ id: 'odd', nested: { deep: [1] } }] }, { do: 'update', records: [{ id: 'odd', nested: { more: 2 } }] }), { added: 0, updated: 2, deleted: 0 });
    const [odd] = (await list({ ids: ['odd'] })).records;
    assert.deepEqual([odd.back, odd.nested], [true, { deep: [1], more: 2 }]);
    assert.deepEqual(await run({ do: 'delete', records: [{ id: 'odd' }, { id: '7' }] }), { added: 0, updated: 0, deleted: 2 });
});

test('a cursor skips nothing and repeats nothing', async () => {
    const many = Array.from({ length: 25 }, (_, n) => ({ id: `m${String(n).padStart(2, '0')}`, n }));
    const start = (await list({ limit: 100 })).records.at(-1)._nango_metadata.cursor;
    await run(save(...many));
    const seen = [];
    let page = { next_cursor: start };
    do {
        page = await list({ cursor: page.next_cursor, limit: 10 });
        assert.ok(page.records.length <= 10);
        seen.push(...page.records);
    } while (page.next_cursor !== null);
    assert.deepEqual(seen.map((r) => r.id), many.map((r) => r.id));
    // From any record on.
    const from = seen[20]._nango_metadata.cursor;
    assert.deepEqual(await ids({ cursor: from }), ['m21', 'm22', 'm23', 'm24']);
    const last = seen.at(-1)._nango_metadata.cursor;
    assert.deepEqual(await list({ cursor: last }), { records: [], next_cursor: null });
    await run(save({ id: 'm03', n: 'other' }, { id: 'm04', n: 4 }));
    assert.deepEqual(await ids({ cursor: last }), ['m03']);
});

test('a page holds 100 records unless told, and knows the last one', async () => {
    const from = (await list({ limit: 1000 })).records.at(-1)._nango_metadata.cursor;
    const hundred = Array.from({ length: 101 }, (_, n) => ({ id: `p${n}` }));
    await run(save(...hundred));
    const first = await list({ cursor: from });
    assert.deepEqual([first.records.length, first.next_cursor], [100, first.records.at(-1)._nango_metadata.cursor]);
    assert.deepEqual((await list({ cursor: first.next_cursor })).records.map((r) => r.id), ['p100']);
    // A page that ends with the last record says that there are no more.
    assert.deepEqual([(await list({ cursor: from, limit: 101 })).next_cursor, (await list({ cursor: first.next_cursor, limit: 1 })).next_cursor], [null, null]);
    assert.equal((await list({ cursor: from, filter: 'added', limit: 101 })).next_cursor, null);
    // Conditions go together.
    const { last_modified_at, cursor } = first.records[50]._nango_metadata;
    assert.deepEqual(await ids({ cursor, ids: ['p3', 'p60', 'p70'], limit: 1 }), ['p60']);
    assert.deepEqual(await ids({ cursor: first.next_cursor, modifiedAfter: last_modified_at }), ['p100']);
    assert.deepEqual(await ids({ cursor: from, modifiedAfter: last_modified_at, limit: 2 }), ['p51', 'p52']);
    assert.deepEqual(await run({ do: 'delete', records: hundred }), { added: 0, updated: 0, deleted: 101 });
    assert.deepEqual(await ids({ modifiedAfter: last_modified_at, filter: 'added,updated' }), []);
    assert.equal((await ids({ modifiedAfter: last_modified_at, filter: 'deleted' })).length, 100);
});

test('records are chosen', async () => {
    assert.deepEqual(await ids({ ids: ['m07', 'm01', 'nope'] }), ['m01', 'm07']);
    assert.deepEqual(await ids({ filter: 'updated' }), ['m03']);
    assert.deepEqual((await ids({ filter: 'updated,deleted', limit: 1000 })).filter((id) => !/^p\d/.test(id)).sort(), ['7', 'm03', 'odd']);
    const { last_modified_at } = await meta('m22');
    assert.deepEqual((await ids({ modifiedAfter: last_modified_at })).slice(0, 3), ['m23', 'm24', 'm03']);
    assert.deepEqual(await ids({ modifiedAfter: new Date(Date.now() + 60_000).toISOString() }), []);
    assert.deepEqual(await ids({ modifiedAfter: last_modified_at.replace('Z', '+00:00'), limit: 1 }), ['m23']);
    assert.deepEqual(await ids({ delta: last_modified_at, limit: 1 }), ['m23']);
    assert.deepEqual((await raw('GET', `/records?model=Item&delta=${encodeURIComponent(last_modified_at)}&filter=ADDED`)).body.records.map((r) => r.id), ['m23', 'm24']);
    assert.deepEqual((await raw('GET', '/records/?model=Item::base&filter=%20added,UPDATED&limit=1')).body.records.map((r) => r.id), ['m00']);
    assert.deepEqual([await ids({ variant: 'eu' }), await ids({ model: 'Nothing' })], [[], []]);
    assert.equal((await ids({ limit: 1 })).length, 1);
});

test('pruned records keep their place', async () => {
    const all = (await list({ limit: 1000 })).records;
    const until = all[5]._nango_metadata.cursor;
    const prune = (limit) => nango.pruneRecords({ providerConfigKey: integration, connectionId: connection, model: 'Item', untilCursor: until, limit });
    assert.deepEqual(await prune(4), { count: 4, has_more: true });
    assert.deepEqual(await prune(undefined), { count: 2, has_more: false });
    assert.deepEqual(await prune(undefined), { count: 0, has_more: false });
    const after = (await list({ limit: 1000 })).records;
    assert.deepEqual(after.map((r) => r.id), all.map((r) => r.id));
    for (const [n, record] of after.entries()) {
        const { pruned_at, ...rest } = record._nango_metadata;
        assert.equal(pruned_at !== null, n <= 5);
        assert.deepEqual({ ...rest, pruned_at: null }, all[n]._nango_metadata);
        assert.deepEqual(Object.keys(record), n <= 5 ? ['id', '_nango_metadata'] : Object.keys(all[n]));
    }
    // What comes again as it was is still no change.
    const pruned = all.slice(2, 6).map(({ _nango_metadata, ...record }) => record);
    assert.deepEqual(await run(save(...pruned)), { added: 0, updated: 0, deleted: 0 });
});

test('what is missing at the end is deleted', async () => {
    assert.deepEqual(await run(save({ id: 'keep' }, { id: 'lose' })), { added: 2, updated: 0, deleted: 0 });
    const before = new Set(await ids({ filter: 'added,updated', limit: 1000 }));
    assert.deepEqual(await run({ do: 'start' }, save({ id: 'keep' }, { id: 'late' }), { do: 'end' }), { added: 1, updated: 0, deleted: before.size - 1 });
    assert.deepEqual((await ids({ filter: 'added,updated', limit: 1000 })).sort(), ['keep', 'late']);
});

test('reading nonsense is refused', async () => {
    await refused(nango.listRecords({ providerConfigKey: integration, connectionId: 'nobody', model: 'Item' }), 400, 'unknown_connection');
    await refused(nango.listRecords({ providerConfigKey: 'nope', connectionId: connection, model: 'Item' }), 400, 'unknown_connection');
    await refused(list({ cursor: 'nonsense' }), 400, 'invalid_cursor_value');
    await refused(list({ limit: 10001 }), 400, 'invalid_query_params');
    await refused(list({ filter: 'lost' }), 400, 'invalid_query_params');
    await refused(list({ modifiedAfter: '2001-01-01T00:00:00Z' }), 400, 'invalid_query_params');
    await refused(list({ modifiedAfter: 'yesterday' }), 400, 'invalid_query_params');
    await refused(list({ ids: Array.from({ length: 101 }, (_, n) => `${n}`) }), 400, 'invalid_query_params');
    await refused(nango.pruneRecords({ providerConfigKey: integration, connectionId: connection, model: 'Item', untilCursor: 'nonsense' }), 400, 'invalid_cursor_value');
    assert.deepEqual((await raw('GET', '/records')).body.error.code, 'invalid_query_params');
    assert.deepEqual((await raw('GET', '/records?model=Item&more=1')).body.error.code, 'invalid_query_params');
    assert.deepEqual((await raw('GET', '/records?model=Item', undefined, { 'Connection-Id': '' })).body.error.code, 'invalid_headers');
    for (const body of [{ model: 'Item' }, { model: 'Item', until_cursor: '' }, { until_cursor: 'x' }, { model: 'Item', until_cursor: 'x', limit: 0 }, { model: 'Item', until_cursor: 'x', limit: '5' }, { model: 'Item', until_cursor: 'x', more: 1 }]) {
        assert.deepEqual((await raw('PATCH', '/records/prune', body)).body.error.code, 'invalid_body', JSON.stringify(body));
    }
    const until_cursor = (await list({ limit: 1 })).next_cursor;
    assert.deepEqual((await raw('PATCH', '/records/prune', { model: 'Item', until_cursor }, { 'Connection-Id': 'nobody' })).body, {
        error: { code: 'unknown_connection', message: 'Provided ConnectionId and ProviderConfigKey does not match a valid connection' }
    });
    assert.deepEqual((await raw('PATCH', '/records/prune', { model: 'Item', until_cursor }, { 'Provider-Config-Key': '' })).body.error.code, 'invalid_headers');
    assert.deepEqual((await raw('PATCH', '/records/prune?x=1', { model: 'Item', until_cursor })).body.error.code, 'invalid_query_params');
    assert.deepEqual(await raw('PATCH', '/records/prune/', { model: 'Item', variant: 'eu', until_cursor }), { status: 200, body: { count: 0, has_more: false } });
    assert.equal((await api('GET', '/records?model=Item')).body.error.code, 'invalid_headers');
    await refused(client({ apiKey: '3f2b0a52-9d53-4c52-8a84-5a2f2f0c7f11' }).listRecords({ providerConfigKey: integration, connectionId: connection, model: 'Item' }), 401, 'unknown_account');
});
