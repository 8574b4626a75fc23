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
        await nango.batchSave([], 'Contact');
    },
    onWebhook: async (nango, payload) => {
        await nango.log('payload', payload);
    }
});
