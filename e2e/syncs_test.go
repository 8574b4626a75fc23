package e2e

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/linkspan/linkspan/internal/apptest"
)

// syncFunctions is a folder of functions for Ticketry: "tickets" reads it, "lab"
// does what the connection's metadata say.
func syncFunctions() map[string]string {
	return map[string]string{
		"index.ts": `import "./desk-key/syncs/tickets";
import "./desk-key/syncs/lab";
import "./desk-key/actions/solve";
`,
		"desk-key/syncs/tickets.ts": `import { createSync } from "linkspan";
import * as z from "zod";

export default createSync({
	description: "Tickets, with those that were deleted",
	frequency: "every hour",
	autoStart: true,
	models: { Ticket: z.object({ id: z.string(), subject: z.string(), status: z.string() }) },
	checkpoint: z.object({ since: z.string() }),
	exec: async (nango) => {
		const checkpoint = await nango.getCheckpoint();
		const params: Record<string, string> = { include_deleted: "true" };
		if (checkpoint) params.updated_since = checkpoint.since;
		for await (const page of nango.paginate<any>({ endpoint: "/tickets", params, paginate: { limit: 10 } })) {
			const gone = page.filter((t) => t.deleted_at);
			const live = page.filter((t) => !t.deleted_at);
			await nango.batchSave(live.map((t) => ({ id: String(t.id), subject: t.subject, status: t.status })), "Ticket");
			await nango.batchDelete(gone.map((t) => ({ id: String(t.id) })), "Ticket");
			if (page.length > 0) await nango.saveCheckpoint({ since: page[page.length - 1].updated_at });
		}
	},
});
`,
		"desk-key/syncs/lab.ts": `import { createSync } from "linkspan";
import * as z from "zod";

export default createSync({
	description: "Does what the connection's metadata say",
	frequency: "every hour",
	autoStart: false,
	models: { Item: z.object({ id: z.string() }) },
	exec: async (nango) => {
		const metadata = await nango.getMetadata<any>();
		for (const step of metadata?.[nango.variant] ?? []) {
			switch (step.do) {
				case "save":
					await nango.batchSave(step.records, "Item");
					break;
				case "update":
					await nango.batchUpdate(step.records, "Item");
					break;
				case "delete":
					await nango.batchDelete(step.records, "Item");
					break;
				case "start":
					await nango.trackDeletesStart("Item");
					break;
				case "end":
					await nango.trackDeletesEnd("Item");
					break;
				case "missing":
					await nango.get({ endpoint: "/tickets/999999" });
					break;
				case "wait":
					await new Promise((resolve) => setTimeout(resolve, 600_000));
					break;
			}
		}
	},
});
`,
		"desk-key/actions/solve.ts": `import { createAction } from "linkspan";
import * as z from "zod";

export default createAction({
	description: "Marks a ticket as solved",
	input: z.object({ id: z.string() }),
	output: z.object({ id: z.string(), status: z.string() }),
	exec: async (nango, { id }) => {
		const { data } = await nango.patch({ endpoint: "/tickets/" + id, data: { status: "solved" } });
		return { id: String(data.id), status: data.status };
	},
});
`,
	}
}

// newSyncDesk is an instance with Ticketry integrated and the syncs deployed to
// dev, whose webhooks go to the sink.
func newSyncDesk(t *testing.T, db apptest.Database, more ...map[string]string) functionDesk {
	t.Helper()
	desk := apptest.NewDesk(t)
	i := apptest.Start(t, apptest.Options{Database: db, ProvidersDir: desk.ProvidersDir})
	desk.Open(t, i)
	w := functionDesk{Instance: i, desk: desk, sink: apptest.NewSink(t)}
	w.deploySyncs(t, more...)
	i.SendTo(t, w.sink.URL)
	return w
}

// deploySyncs deploys the syncs, and more functions, whose index is added to theirs.
func (w functionDesk) deploySyncs(t *testing.T, more ...map[string]string) {
	t.Helper()
	files := syncFunctions()
	for _, added := range more {
		for name, text := range added {
			files[name] += text
		}
	}
	dir := t.TempDir()
	writeFiles(t, dir, files)
	mustLinkspan(t, w.Instance, "deploy", "dev", "--dir", dir)
}

// importKeyed makes a connection of "desk-key".
func (w functionDesk) importKeyed(t *testing.T, name string, more object) {
	t.Helper()
	body := object{"provider_config_key": "desk-key", "connection_id": name, "credentials": object{"type": "API_KEY", "apiKey": w.desk.APIKey}}
	maps.Copy(body, more)
	w.Dev(t).Do(t, http.MethodPost, "/connections", body).Want(t, http.StatusCreated)
}

// plan has the sync "lab" of a connection save records with these ids.
func (w functionDesk) plan(t *testing.T, connection string, ids ...string) {
	t.Helper()
	records := make([]object, len(ids))
	for i, id := range ids {
		records[i] = object{"id": id}
	}
	w.planSteps(t, connection, object{"do": "save", "records": records})
}

func (w functionDesk) planSteps(t *testing.T, connection string, steps ...object) {
	t.Helper()
	w.Dev(t).Do(t, http.MethodPost, "/connections/metadata", object{
		"connection_id": connection, "provider_config_key": "desk-key", "metadata": object{"base": steps},
	}).Want(t, http.StatusCreated)
}

// syncState is the part of a sync's status that the tests look at.
type syncState struct {
	Name, Variant, Status string
	Connection            string `json:"connection_id"`
	FinishedAt            *string
	LatestResult          map[string]map[string]int
	RecordCount           map[string]int
	Last                  string `json:"latestExecutionStatus"`
}

// states are those of the syncs of all connections of an integration; names are
// separated by commas.
func states(t *testing.T, c apptest.Client, integration, names string) []syncState {
	t.Helper()
	var reply struct{ Syncs []syncState }
	c.Do(t, http.MethodGet, "/sync/status?provider_config_key="+integration+"&syncs="+names, nil).Want(t, http.StatusOK).Into(t, &reply)
	return reply.Syncs
}

// settledSync waits until a sync of a connection has run and runs no more.
func settledSync(t *testing.T, c apptest.Client, integration, connection, name string) (state syncState) {
	t.Helper()
	apptest.Poll(t, "the sync "+name+" of "+connection+" has ended", func() bool {
		for _, s := range states(t, c, integration, name) {
			if s.Connection == connection && s.FinishedAt != nil && s.Status != "RUNNING" {
				state = s
				return true
			}
		}
		return false
	})
	return state
}

// triggerLab runs the sync "lab" of a connection once, and returns how it ended.
func triggerLab(t *testing.T, c apptest.Client, connection string) syncState {
	t.Helper()
	c.Do(t, http.MethodPost, "/sync/trigger", object{"provider_config_key": "desk-key", "connection_id": connection, "syncs": []string{"lab"}}).
		Want(t, http.StatusOK)
	return settledSync(t, c, "desk-key", connection, "lab")
}

// syncHook is the payload of a webhook about a sync.
type syncHook struct {
	Type, ConnectionID, SyncName, SyncVariant, SyncType, Model string
	Success                                                    bool
	ModifiedAfter                                              string
	Results                                                    map[string]int `json:"responseResults"`
	Error                                                      *struct{ Type, Description string }
}

// syncHooks waits until n webhooks about a sync have arrived, and fails when there
// are more.
func syncHooks(t *testing.T, sink *apptest.Sink, name string, n int) []syncHook {
	t.Helper()
	var found []syncHook
	apptest.Poll(t, "the webhooks about "+name, func() bool {
		found = hooksAbout(t, sink, name)
		return len(found) >= n
	})
	if len(found) > n {
		t.Fatalf("%d webhooks about %s, want %d: %+v", len(found), name, n, found)
	}
	return found
}

// hooksAbout are the webhooks about a sync that have arrived.
func hooksAbout(t *testing.T, sink *apptest.Sink, name string) []syncHook {
	t.Helper()
	var found []syncHook
	for _, h := range sink.Hooks() {
		var p syncHook
		if err := json.Unmarshal(h.Body, &p); err != nil {
			t.Fatalf("decoding a webhook: %v\n%s", err, h.Body)
		}
		if p.Type == "sync" && p.SyncName == name {
			found = append(found, p)
		}
	}
	return found
}

// TestSyncWaitsForItsConnection holds the function that follows a connection's
// creation: the first run of a sync comes after it, and sees what it has done.
func TestSyncWaitsForItsConnection(t *testing.T) {
	t.Parallel()
	for name, open := range apptest.Databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newSyncDesk(t, open(t), map[string]string{
				"index.ts": "import \"./desk/on-events/prepare\";\nimport \"./desk/syncs/first\";\n",
				"desk/on-events/prepare.ts": `import { createOnEvent } from "linkspan";
export default createOnEvent({
	description: "Prepares the sync",
	event: "post-connection-creation",
	exec: async (nango) => {
		await nango.get({ endpoint: "/comments" });
		await nango.setMetadata({ prepared: true });
	},
});
`,
				"desk/syncs/first.ts": `import { createSync } from "linkspan";
import * as z from "zod";
export default createSync({
	description: "Tells whether it was prepared",
	frequency: "every hour",
	autoStart: true,
	models: { Fact: z.object({ id: z.string() }) },
	exec: async (nango) => {
		await nango.batchSave([{ id: String((await nango.getMetadata<any>())?.prepared) }], "Fact");
	},
});
`,
			})
			reached, proceed := make(chan struct{}, 10), make(chan struct{})
			w.desk.Before = func(r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "/comments") {
					reached <- struct{}{}
					<-proceed
				}
			}
			if status, err := authorize(t, w.Instance, w.Session(t, nil)); err != nil || status != http.StatusOK {
				t.Fatalf("connecting: %d, %v", status, err)
			}
			connection := w.sink.Want(t, 1)[0].Auth(t)
			if connection.Type != "auth" || connection.Operation != "creation" || !connection.Success {
				t.Fatalf("the first webhook is about %+v", connection)
			}
			<-reached
			for range 60 { // longer than a due sync would wait for its turn
				if s := states(t, w.Dev(t), "desk", "first"); len(s) != 1 || s[0].FinishedAt != nil {
					t.Fatalf("it ran before the function that follows the creation had ended: %+v", s)
				}
				apptest.Pause(t)
			}
			close(proceed)
			if s := settledSync(t, w.Dev(t), "desk", connection.ConnectionID, "first"); s.Status != "SUCCESS" || s.RecordCount["Fact"] != 1 {
				t.Errorf("it ended as %+v", s)
			}
			r := w.Dev(t).Do(t, http.MethodGet, "/records?model=Fact", nil, "Provider-Config-Key", "desk", "Connection-Id", connection.ConnectionID).
				Want(t, http.StatusOK)
			if !strings.Contains(string(r.Body), `"id":"true"`) {
				t.Errorf("it did not see what the function has done: %s", r.Body)
			}
			syncHooks(t, w.sink, "first", 1)
		})
	}
}

// TestSyncWebhookSwitches has environments choose what they are told of.
func TestSyncWebhookSwitches(t *testing.T) {
	t.Parallel()
	w := newSyncDesk(t, apptest.NewSQLite(t))
	dev := w.Dev(t)
	own := apptest.NewSink(t)
	w.importKeyed(t, "c1", nil)
	w.importKeyed(t, "c2", object{"webhook_url_override": own.URL})
	changed := func(connection string, n int) syncHook {
		return syncHook{
			Type: "sync", ConnectionID: connection, SyncName: "lab", SyncVariant: "base", Model: "Item", Success: true,
			Results: map[string]int{"added": n, "updated": 0, "deleted": 0},
		}
	}
	check := func(what string, got syncHook, want syncHook) {
		t.Helper()
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(syncHook{}, "ModifiedAfter", "SyncType")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}

	w.plan(t, "c1", "a", "b")
	triggerLab(t, dev, "c1")
	check("two records", syncHooks(t, w.sink, "lab", 1)[0], changed("c1", 2))
	triggerLab(t, dev, "c1") // nothing changed: nobody is told
	settings(t, w.Instance, object{"webhooks": object{"on_sync_completion_always": true}})
	triggerLab(t, dev, "c1")
	check("nothing, but always", syncHooks(t, w.sink, "lab", 2)[1], changed("c1", 0))
	settings(t, w.Instance, object{"webhooks": object{"on_sync_completion_always": false, "on_sync_error": false}})

	w.plan(t, "c2", "a")
	triggerLab(t, dev, "c2")
	check("a URL of its own", syncHooks(t, own, "lab", 1)[0], changed("c2", 1))

	w.planSteps(t, "c1", object{"do": "missing"})
	if s := triggerLab(t, dev, "c1"); s.Last != "ERROR" {
		t.Errorf("it ended as %+v", s)
	}
	settings(t, w.Instance, object{"webhooks": object{"on_sync_error": true}})
	triggerLab(t, dev, "c1")
	failure := syncHooks(t, w.sink, "lab", 3)[2] // of the second failure: the first was not wanted
	if failure.Success || failure.Error == nil || failure.Error.Type != "script_http_error" || failure.Model != "Item" {
		t.Errorf("told of a failure: %+v", failure)
	}
	syncHooks(t, w.sink, "lab", 3)
	syncHooks(t, own, "lab", 1)
}

// TestSyncsOfAllConnections triggers syncs of a whole integration, and takes the
// function away.
func TestSyncsOfAllConnections(t *testing.T) {
	t.Parallel()
	for name, open := range apptest.Databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newSyncDesk(t, open(t))
			dev := w.Dev(t)
			for _, connection := range []string{"c1", "c2", "c3"} {
				w.importKeyed(t, connection, nil)
				w.plan(t, connection, connection)
			}
			dev.Do(t, http.MethodPost, "/sync/trigger", object{"provider_config_key": "desk-key", "syncs": []string{"lab"}}).Want(t, http.StatusOK)
			for _, connection := range []string{"c1", "c2", "c3"} {
				if s := settledSync(t, dev, "desk-key", connection, "lab"); s.RecordCount["Item"] != 1 || s.Status != "PAUSED" {
					t.Errorf("%s: %+v", connection, s)
				}
			}
			if n := len(states(t, dev, "desk-key", "*")); n != 6 {
				t.Errorf("%d syncs", n)
			}
			dev.Do(t, http.MethodDelete, "/connections/c2?provider_config_key=desk-key", nil).Want(t, http.StatusOK)
			if n := len(states(t, dev, "desk-key", "*")); n != 4 {
				t.Errorf("%d syncs without c2", n)
			}

			// A function that is switched off has no schedule, and comes back with it.
			settledSync(t, dev, "desk-key", "c1", "tickets")
			enable := func(enabled bool, want string) {
				t.Helper()
				dev.Do(t, http.MethodPatch, "/integrations/desk-key/functions/tickets?type=sync", object{"enabled": enabled}).Want(t, http.StatusOK)
				if s := states(t, dev, "desk-key", "tickets"); s[0].Status != want {
					t.Errorf("enabled %t: %+v", enabled, s[0])
				}
			}
			enable(false, "PAUSED")
			enable(true, "SUCCESS")

			// What is deployed no longer takes its records with it.
			w.deployWithout(t)
			left := states(t, dev, "desk-key", "*")
			if len(left) != 2 || left[0].Name != "tickets" {
				t.Errorf("without lab: %+v", left)
			}
			items := func() string {
				return string(dev.Do(t, http.MethodGet, "/records?model=Item", nil, "Provider-Config-Key", "desk-key", "Connection-Id", "c1").
					Want(t, http.StatusOK).Body)
			}
			if got := items(); got != `{"records":[],"next_cursor":null}` {
				t.Errorf("records of a sync that is gone: %s", got)
			}
			w.deploySyncs(t)
			if s := triggerLab(t, dev, "c1"); s.LatestResult["Item"]["added"] != 1 {
				t.Errorf("after the sync came back: %+v", s)
			}
		})
	}
}

// deployWithout deploys the folder without the sync "lab".
func (w functionDesk) deployWithout(t *testing.T) {
	t.Helper()
	files := syncFunctions()
	delete(files, "desk-key/syncs/lab.ts")
	files["index.ts"] = strings.Replace(files["index.ts"], "import \"./desk-key/syncs/lab\";\n", "", 1)
	dir := t.TempDir()
	writeFiles(t, dir, files)
	mustLinkspan(t, w.Instance, "deploy", "dev", "--dir", dir, "--auto-confirm", "--allow-destructive")
}
