// What the Go test that starts these files hands over, and small tools that
// every file uses.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { Nango } from '@nangohq/node';

function need(name) {
    const value = process.env[name];
    if (!value) {
        throw new Error(`${name} is not set: start these files through "go test ./e2e -run TestNodeClient"`);
    }
    return value;
}

export const url = need('E2E_URL');
export const key = need('E2E_KEY');
export const accountKey = need('E2E_ACCOUNT_KEY');
export const upstream = need('E2E_UPSTREAM');
export const oauth = {
    clientId: need('E2E_CLIENT_ID'),
    clientSecret: need('E2E_CLIENT_SECRET'),
    accessToken: need('E2E_ACCESS_TOKEN'),
    refreshToken: need('E2E_REFRESH_TOKEN')
};

// Those of the Go test that has deployed syncs.
export const signingKey = process.env.E2E_SIGNING_KEY;
export const ticketryKey = process.env.E2E_TICKETRY_KEY;

export function client(overrides = {}) {
    return new Nango({ host: url, apiKey: key, ...overrides });
}

// api makes the calls the client has no method for.
export async function api(method, path, body, bearer = key) {
    const response = await fetch(url + path, {
        method,
        headers: { Authorization: `Bearer ${bearer}`, ...(body === undefined ? {} : { 'Content-Type': 'application/json' }) },
        body: body === undefined ? undefined : JSON.stringify(body)
    });
    const text = await response.text();
    return { status: response.status, body: text === '' ? undefined : JSON.parse(text) };
}

// importConnection creates a connection and returns it.
export async function importConnection(body) {
    const reply = await api('POST', '/connections', body);
    assert.equal(reply.status, 201, JSON.stringify(reply.body));
    return reply.body;
}

// refused asserts that a call of the client fails with a status and error code.
export async function refused(promise, status, code) {
    await assert.rejects(promise, (error) => {
        assert.equal(error.response?.status, status, `${error.message}: ${JSON.stringify(error.response?.data)}`);
        assert.equal(error.response.data.error.code, code, JSON.stringify(error.response.data));
        return true;
    });
}

// receiver is a backend that keeps the webhooks it gets, until it is closed.
export async function receiver() {
    const hooks = [];
    const server = createServer(async (request, response) => {
        const chunks = [];
        for await (const chunk of request) chunks.push(chunk);
        const raw = Buffer.concat(chunks).toString();
        hooks.push({ raw, headers: request.headers, body: JSON.parse(raw) });
        response.writeHead(204).end();
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    const close = () => {
        server.close();
        server.closeAllConnections();
    };
    return { hooks, url: `http://127.0.0.1:${server.address().port}/hooks`, close };
}

// eventually asks until the answer is there, for two minutes: a busy machine may need
// one for what takes a second.
export async function eventually(what, ask) {
    for (const until = Date.now() + 120_000; Date.now() < until; ) {
        const answer = await ask();
        if (answer) return answer;
        await new Promise((resolve) => setTimeout(resolve, 25));
    }
    throw new assert.AssertionError({ message: `${what}: not in two minutes` });
}

// watch tells of the syncs of one connection.
export function watch(nango, integration, connection) {
    const status = async (sync) => (await nango.syncStatus(integration, [sync], connection)).syncs[0];
    return {
        status,
        // settled waits until a sync has run and runs no more.
        settled: (sync) =>
            eventually(`${sync} has ended`, async () => {
                const now = await status(sync);
                return now.finishedAt !== null && now.status !== 'RUNNING' && now;
            })
    };
}
