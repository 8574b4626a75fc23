import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accountKey, api, client } from './world.mjs';

const nango = client();

test('environment variables are empty, then what the operator sets', async () => {
    assert.deepEqual(await nango.getEnvironmentVariables(), []);
    const environments = await api('GET', '/environments?name=dev', undefined, accountKey);
    assert.equal(environments.status, 200, JSON.stringify(environments.body));
    const [dev] = environments.body.data;
    const variables = [
        { name: 'REGION', value: 'eu' },
        { name: 'TOKEN', value: 'ünïcode "quoted"' }
    ];
    const written = await api('PUT', `/environments/${dev.uuid}/variables`, { variables }, accountKey);
    assert.equal(written.status, 200, JSON.stringify(written.body));
    const read = await nango.getEnvironmentVariables();
    assert.deepEqual(
        read.sort((a, b) => a.name.localeCompare(b.name)),
        variables
    );
});
