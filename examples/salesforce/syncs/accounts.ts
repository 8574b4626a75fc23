import { createSync } from "linkspan";
import * as z from "zod";

const Account = z.object({ id: z.string(), name: z.string(), website: z.string().nullable(), updatedAt: z.string() });

export default createSync({
	description: "Accounts changed since the last run that succeeded, and those in the recycle bin since then",
	frequency: "every hour",
	syncType: "incremental",
	models: { Account },
	exec: async (nango) => {
		const since = nango.lastSyncDate?.toISOString();
		const where = since ? ` WHERE LastModifiedDate > ${since}` : "";
		let next: string | undefined = "/services/data/v60.0/query";
		let params: Record<string, string> | undefined = { q: `SELECT Id, Name, Website, LastModifiedDate FROM Account${where} ORDER BY LastModifiedDate` };
		while (next) {
			const { data }: { data: any } = await nango.get({ endpoint: next, params });
			await nango.batchSave(data.records.map((a: any) => ({ id: a.Id, name: a.Name, website: a.Website ?? null, updatedAt: a.LastModifiedDate })), "Account");
			[next, params] = [data.nextRecordsUrl, undefined];
		}
		if (!since) return;
		const gone = `SELECT Id FROM Account WHERE IsDeleted = true AND LastModifiedDate > ${since}`;
		const { data } = await nango.get<any>({ endpoint: "/services/data/v60.0/queryAll", params: { q: gone } });
		await nango.batchDelete(data.records.map((r: any) => ({ id: r.Id })), "Account");
	},
});
