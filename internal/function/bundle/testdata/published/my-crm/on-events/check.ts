import { createOnEvent } from 'nango';

export default createOnEvent({
    event: 'validate-connection',
    description: 'Checks',
    exec: async (nango) => {
        await nango.log('checked');
    }
});
