// Checks one delivered webhook, given as JSON on standard input, with the
// published clients. Prints what each says.
import { Nango } from '@nangohq/node';
import { Webhook } from 'standardwebhooks';
import { readFileSync } from 'node:fs';

const { key, body, headers } = JSON.parse(readFileSync(0, 'utf8'));
const nango = new Nango({ secretKey: crypto.randomUUID(), webhookSigningKey: key });
const changed = body.replace('"success":true', '"success":false');
const attempt = (f) => { try { return Boolean(f()); } catch { return false; } };
const standard = new Webhook('whsec_' + Buffer.from(key).toString('base64'));

console.log(JSON.stringify({
    incoming: attempt(() => nango.verifyIncomingWebhookRequest(body, headers)),
    incomingChanged: attempt(() => nango.verifyIncomingWebhookRequest(changed, headers)),
    signature: attempt(() => nango.verifyWebhookSignature(headers['x-nango-signature'], JSON.parse(body))),
    signatureChanged: attempt(() => nango.verifyWebhookSignature(headers['x-nango-signature'], JSON.parse(changed))),
    standard: attempt(() => standard.verify(body, headers)),
    standardChanged: attempt(() => standard.verify(changed, headers)),
}));
