import type { Contact, NangoSync } from "../../models";
export default async function fetchData(nango: NangoSync) {
    const query = "properties=email";
    let after: string | undefined;
    let total = 0;
    do {
        const res = await nango.get({ endpoint: "/crm/v3/objects/contacts", params: `${query}${after ? `&after=${after}` : ""}`, retries: 10 });
        const contacts: Contact[] = res.data.results.map((c: any) => ({ id: c.id, email: c.properties.email ?? null, created_at: new Date(c.createdAt) }));
        await nango.batchSave(contacts, "Contact");
        total += contacts.length;
        after = res.data.paging?.next?.after;
    } while (after);
    await nango.log(`${total} contacts`, { level: "info" });
    await nango.deleteRecordsFromPreviousExecutions("Contact");
}
