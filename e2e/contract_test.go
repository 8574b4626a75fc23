package e2e

import (
	"path/filepath"
	"testing"

	"github.com/linkspan/linkspan/internal/apptest"
)

// contractFunctions are those that the files of contractFiles need besides
// syncFunctions: "pair" has two models and does what the metadata say, "probe" saves
// what it sees of its nango object, "callout" starts other syncs.
func contractFunctions() map[string]string {
	return map[string]string{
		"index.ts": `import "./desk-key/syncs/pair";
import "./desk-key/syncs/probe";
import "./desk-key/actions/callout";
`,
		"desk-key/syncs/pair.ts": `import { createSync } from "linkspan";
import * as z from "zod";

export default createSync({
	description: "Does what the connection's metadata say, with two models",
	frequency: "every hour",
	autoStart: false,
	models: { Left: z.object({ id: z.string() }), Right: z.object({ id: z.string() }) },
	checkpoint: z.object({}),
	exec: async (nango: any) => {
		await nango.getCheckpoint();
		for (const step of (await nango.getMetadata())?.pair?.[nango.variant] ?? []) {
			switch (step.do) {
				case "save":
					await nango.batchSave(step.records, step.model);
					break;
				case "delete":
					await nango.batchDelete(step.records, step.model);
					break;
				case "checkpoint":
					await nango.saveCheckpoint(step.value);
					break;
				case "clear":
					await nango.clearCheckpoint();
					break;
				case "throw":
					throw new nango.ActionError(step.payload);
				case "missing":
					await nango.get({ endpoint: "/tickets/999999" });
					break;
			}
		}
	},
});
`,
		"desk-key/syncs/probe.ts": `import { createSync } from "linkspan";
import * as z from "zod";

const type = (value: unknown) => (value instanceof Date ? "date" : value === null ? "null" : typeof value);

export default createSync({
	description: "Saves what it sees of its nango object",
	version: "1.2.3",
	frequency: "every hour",
	autoStart: false,
	endpoints: [{ method: "GET", path: "/seen" }, { method: "GET", path: "/things" }],
	models: { Seen: z.object({ id: z.string() }), Thing: z.object({ id: z.string() }) },
	exec: async (nango: any) => {
		const seen: any[] = [];
		const note = (id: string, value: unknown) => seen.push({ id, value: value === undefined ? "(undefined)" : value });
		const failure = async (id: string, f: () => Promise<unknown>) => {
			try {
				note(id, ["no failure", await f()]);
			} catch (e: any) {
				note(id, e.code ?? e.type ?? e.name);
			}
		};
		note("data", [nango.connectionId, nango.providerConfigKey, nango.provider, nango.environmentName, nango.variant, nango.getVariant(), nango.scriptType, nango.isCLI, nango.track_deletes]);
		note("types", [nango.syncId, nango.syncJobId, nango.nangoConnectionId, nango.activityLogId, nango.environmentId, nango.lastSyncDate].map(type));
		note("hidden", [nango.secretKey, nango.attributes, nango.nango, nango.host].map(type));
		note("syncId", nango.syncId);
		note("lastSyncDate", nango.lastSyncDate?.toISOString());

		const before = await nango.getCheckpoint();
		note("checkpoint", before);
		await nango.saveCheckpoint({ n: (before?.n ?? 0) + 1, when: new Date(0), on: true });
		note("saved", await nango.getCheckpoint());
		await failure("nested checkpoint", () => nango.saveCheckpoint({ deep: { n: 1 } }));

		note("save", await nango.batchSave([{ id: 1, a: { b: 1 }, _nango_metadata: { cursor: "x" } }, { id: "two" }, { id: "three" }], "Thing"));
		note("update", await nango.batchUpdate([{ id: 1, a: { c: 2 } }, { id: "nobody", a: 1 }], "Thing"));
		note("delete", await nango.batchDelete([{ id: "three" }, { id: "nobody" }], "Thing"));
		note("none", await nango.batchSave([], "Thing"));
		const found = await nango.getRecordsByIds([1, "two", "nobody"], "Thing");
		note("by ids", [...found.entries()].map(([id, { _nango_metadata, ...record }]: any) => [id, record, _nango_metadata?.last_action ?? null]));
		note("alias", (await nango.getRecordsById(["two"], "Thing")).get("two").id);
		const all: any[] = [];
		for await (const record of nango.listRecords("Thing")) all.push(record);
		note("list", all.map((r) => r.id).sort());
		const rest: string[] = [];
		for await (const record of nango.listRecords("Thing", { cursor: all[0]._nango_metadata.cursor })) rest.push(record.id);
		note("list from", rest.length - all.length);
		await failure("no id", () => nango.batchSave([{ name: "x" }], "Thing"));
		await failure("no model", () => nango.batchSave([{ id: "1" }], "Nothing"));
		await failure("no start", () => nango.trackDeletesEnd("Thing"));
		await nango.trackDeletesStart("Thing");
		await nango.trackDeletesStart("Thing");
		await nango.batchSave([{ id: "two" }], "Thing");
		note("track", await nango.trackDeletesEnd("Thing"));
		note("merging", (await nango.setMergingStrategy({ strategy: "ignore_if_modified_after" }, "Thing")) ?? null);
		await failure("strategy", () => nango.setMergingStrategy({ strategy: "best" }, "Seen"));

		note("metadata", await nango.getMetadata());
		await nango.updateMetadata({ probed: true });
		note("metadata now", await nango.getMetadata());
		note("connection", [(await nango.getConnection()).connection_id, type(await nango.getToken())]);
		note("integration", [(await nango.getIntegration()).unique_key, (await nango.getIntegration({ include: ["webhook"] })).webhook_url === (await nango.getWebhookURL())]);
		note("variables", await nango.getEnvironmentVariables());
		note("action", (await nango.triggerAction(nango.providerConfigKey, nango.connectionId, "callout", { say: "hello" })).said);
		const { data, status } = await nango.get({ endpoint: "/me" });
		note("proxy", [status, type(data.user.id)]);
		await nango.batchSave(seen, "Seen");
	},
});
`,
		"desk-key/actions/callout.ts": `export default async function run(nango: any) {
	const { say, call, args } = nango.input;
	return say ? { said: say } : nango[call](...args);
}
`,
	}
}

// contractFiles drive one server, one after the other, each with a connection of
// its own.
func contractFiles() []string {
	return []string{
		filepath.Join("node", "synccalls.test.mjs"), filepath.Join("node", "synchooks.test.mjs"), filepath.Join("node", "syncobject.test.mjs"),
	}
}

// TestNodeSyncContract holds what the published npm client is answered about syncs,
// records and actions, and the webhooks about them, to the wire contract.
func TestNodeSyncContract(t *testing.T) {
	t.Parallel()
	node := needNode(t, filepath.Join("node_modules", "@nangohq", "node"))
	for name, open := range apptest.Databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			newSyncDesk(t, open(t), contractFunctions()).runNode(t, node, contractFiles()...)
		})
	}
}

// runNode runs files of tests against the instance, which keep to their own
// connections.
func (w functionDesk) runNode(t *testing.T, node string, files ...string) {
	t.Helper()
	runNode(t, node, w.Instance, append([]string{"--test-concurrency=1"}, files...), "E2E_UPSTREAM=none", "E2E_CLIENT_ID=none", "E2E_CLIENT_SECRET=none",
		"E2E_ACCESS_TOKEN=none", "E2E_REFRESH_TOKEN=none", "E2E_SIGNING_KEY="+w.Keys.SigningDev, "E2E_TICKETRY_KEY="+w.desk.APIKey)
}
