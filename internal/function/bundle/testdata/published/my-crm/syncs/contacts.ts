import { createSync } from 'nango';
import * as z from 'zod';
import { Contact } from '../../models.js';

export default createSync({
    description: 'Fetches contacts',
    version: '2.1.0',
    frequency: 'every 30 minutes',
    autoStart: false,
    scopes: ['contacts.read', 'companies.read'],
    metadata: z.object({ since: z.string().optional(), fields: z.array(z.string()) }),
    checkpoint: z.object({ cursor: z.string(), page: z.number() }),
    models: { Contact, Company: z.object({ id: z.string(), name: z.string() }) },
    webhookSubscriptions: ['contact.created', '*'],
    exec: async (nango) => {
        await save(nango);
    },
    onWebhook: async (nango, payload) => {
        await nango.log('payload', payload);
    }
});

// Names of parameters count: the published tool looks for nango.saveCheckpoint.
async function save(nango: { saveCheckpoint(c: { cursor: string; page: number }): Promise<void> }) {
    await nango.saveCheckpoint({ cursor: 'x', page: 1 });
}
