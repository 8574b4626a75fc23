package e2e

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan/internal/apptest"
)

// deskFunctions is a folder of functions for Ticketry.
func deskFunctions() map[string]string {
	files := map[string]string{
		"desk/actions/open.ts": `import { createAction } from "linkspan";
import * as z from "zod";

export default createAction({
	description: "Opens a ticket",
	input: z.object({ title: z.string().min(1), body: z.string().optional() }),
	output: z.object({ id: z.string(), title: z.string() }),
	exec: async (nango, input) => {
		await nango.log("opening " + input.title, { level: "warn" });
		const { data } = await nango.post({ endpoint: "/tickets", data: { subject: input.title } });
		return { id: String(data.id), title: data.subject };
	},
});
`,
		"desk/actions/who.ts": `export default async function run(nango: any) {
	const connection = await nango.getConnection();
	await nango.log("token " + (await nango.getToken()), { level: "error" });
	const { data } = await nango.get({ endpoint: "/me" });
	return { user: data.user.id, connection: connection.connection_id, metadata: await nango.getMetadata(), environment: nango.environmentName };
}
`,
		"desk/actions/both.ts": `export default async function run(nango: any) {
	const one = await nango.triggerAction(nango.providerConfigKey, nango.connectionId, "open", { title: "first" });
	const two = await nango.triggerAction("open", { title: "second" });
	return [one.title, two.title];
}
`,
		"desk/actions/forever.ts": `export default async function run(nango: any) {
	return nango.triggerAction(nango.providerConfigKey, nango.connectionId, "forever", {});
}
`,
		"desk/actions/count.ts": `let n = 0;
const born = new Date();
const dice = Math.random();
export default async function run(nango: any) {
	n++;
	const before = await nango.getCheckpoint();
	await nango.saveCheckpoint({ runs: (before?.runs ?? 0) + 1 });
	return { n, born: born.getTime(), dice, runs: (before?.runs ?? 0) + 1 };
}
`,
		"desk/actions/at-once.ts": `export default async function run(nango: any) {
	const calls = [];
	for (let n = 0; n < 40; n++) calls.push(nango.get({ endpoint: "/me" }), nango.get({ endpoint: "/tickets/999999" }).catch(() => null));
	return (await Promise.all(calls)).length;
}
`,
		"desk/actions/missing.ts": `export default async function run(nango: any) {
	return (await nango.get({ endpoint: "/tickets/999999" })).data;
}
`,
		"desk/on-events/check.ts": `import { createOnEvent } from "linkspan";
export default createOnEvent({
	description: "Lets nobody in who is called mallory",
	event: "validate-connection",
	exec: async (nango) => {
		const { data } = await nango.get({ endpoint: "/me" });
		const connection = await nango.getConnection();
		if (connection.tags?.refuse || connection.end_user?.id === "mallory") throw new nango.ActionError({ message: "Mallory may not come in" });
		await nango.updateMetadata({ checked: data.user.id });
	},
});
`,
		"desk/on-events/welcome.ts": `import { createOnEvent } from "linkspan";
export default createOnEvent({
	description: "Opens a ticket for each new connection",
	event: "post-connection-creation",
	exec: async (nango) => {
		await nango.post({ endpoint: "/tickets", data: { subject: "welcome " + nango.connectionId } });
	},
});
`,
		"desk/on-events/goodbye.ts": `import { createOnEvent } from "linkspan";
export default createOnEvent({
	description: "Opens a ticket for each connection that goes",
	event: "pre-connection-deletion",
	exec: async (nango) => {
		await nango.post({ endpoint: "/tickets", data: { subject: "goodbye " + nango.connectionId } });
	},
});
`,
	}
	var index strings.Builder
	for _, name := range []string{"actions/open", "actions/who", "actions/both", "actions/forever", "actions/count", "actions/at-once", "actions/missing", "on-events/check", "on-events/welcome", "on-events/goodbye"} {
		index.WriteString("import \"./desk/" + name + "\";\n")
	}
	files["index.ts"] = index.String()
	return files
}

// functionDesk is an instance with Ticketry integrated and the functions
// deployed to dev.
type functionDesk struct {
	*apptest.Instance
	desk *apptest.Desk
	sink *apptest.Sink
}

func newFunctionDesk(t *testing.T, db apptest.Database) functionDesk {
	t.Helper()
	desk := apptest.NewDesk(t)
	i := apptest.Start(t, apptest.Options{Database: db, ProvidersDir: desk.ProvidersDir})
	desk.Open(t, i)
	deployDesk(t, i)
	sink := apptest.NewSink(t)
	i.SendTo(t, sink.URL)
	return functionDesk{Instance: i, desk: desk, sink: sink}
}

func deployDesk(t *testing.T, i *apptest.Instance) {
	t.Helper()
	dir := t.TempDir()
	writeFiles(t, dir, deskFunctions())
	mustLinkspan(t, i, "deploy", "dev", "--dir", dir)
}

// connected has a person connect and returns the connection's name.
func (w functionDesk) connected(t *testing.T) string {
	t.Helper()
	if status, err := authorize(t, w.Instance, w.Session(t, nil)); err != nil || status != http.StatusOK {
		t.Fatalf("connecting: %d, %v", status, err)
	}
	return w.sink.Want(t, 1)[0].Auth(t).ConnectionID
}

// trigger runs an action of the integration "desk".
func trigger(t *testing.T, c apptest.Client, connection, action, input string, headers ...string) apptest.Reply {
	t.Helper()
	body := `{"action_name":"` + action + `"`
	if input != "" {
		body += `,"input":` + input
	}
	return c.Do(t, http.MethodPost, "/action/trigger", body+"}", append([]string{"Provider-Config-Key", "desk", "Connection-Id", connection}, headers...)...)
}

// titles are those of the tickets there are.
func titles(t *testing.T, c apptest.Client, connection string) string {
	t.Helper()
	return string(apptest.Proxy(t, c, http.MethodGet, "desk", connection, "/tickets?limit=100", nil).Want(t, http.StatusOK).Body)
}

func TestActions(t *testing.T) {
	t.Parallel()
	for name, open := range apptest.Databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newFunctionDesk(t, open(t))
			dev, connection := w.Dev(t), w.connected(t)

			var opened struct{ ID, Title string }
			trigger(t, dev, connection, "open", `{"title":"printer burns"}`).Want(t, http.StatusOK).Into(t, &opened)
			if opened.Title != "printer burns" || opened.ID == "" {
				t.Errorf("the action returned %+v", opened)
			}
			if !strings.Contains(titles(t, dev, connection), "printer burns") {
				t.Error("the action opened no ticket")
			}

			var who struct {
				User                    any
				Connection, Environment string
				Metadata                map[string]any
			}
			trigger(t, dev, connection, "who", "").Want(t, http.StatusOK).Into(t, &who)
			if who.Connection != connection || who.Environment != "dev" || who.Metadata["checked"] != who.User {
				t.Errorf("the function knows %+v", who)
			}

			got := trigger(t, dev, connection, "both", "").Want(t, http.StatusOK)
			if diff := cmp.Diff([]any{"first", "second"}, decoded(t, got.Body)); diff != "" {
				t.Errorf("actions that an action triggered (-want +got)\n%s", diff)
			}
			if r := trigger(t, dev, connection, "forever", ""); r.Status < 400 || r.Status >= 600 {
				t.Errorf("an action that triggers itself ended with %d %s", r.Status, r.Body)
			}

			failed := trigger(t, dev, connection, "missing", "").Want(t, http.StatusFailedDependency)
			var failure struct {
				Error struct {
					Code     string
					Message  *string
					Upstream struct{ Status int }
				}
			}
			failed.Into(t, &failure)
			if failure.Error.Code != "script_http_error" || failure.Error.Message != nil || failure.Error.Upstream.Status != http.StatusNotFound {
				t.Errorf("an answer that the function did not handle: %s", failed.Body)
			}
			wantNoSecretLogged(t, dev)
		})
	}
}

// A function's calls run side by side, and are not what the request that triggered
// it is about: its line in the log tells of none of them.
func TestCallsAtOnce(t *testing.T) {
	t.Parallel()
	w := newFunctionDesk(t, apptest.NewSQLite(t))
	if r := trigger(t, w.Dev(t), w.connected(t), "at-once", "").Want(t, http.StatusOK); string(r.Body) != "80" {
		t.Errorf("the action returned %s", r.Body)
	}
	var line string
	apptest.Poll(t, "the line of the request in the log", func() bool {
		for l := range strings.Lines(w.Logs()) {
			if strings.Contains(l, "/action/trigger") {
				line = l
			}
		}
		return line != ""
	})
	if strings.Contains(line, "upstream_status") {
		t.Errorf("the line of the request is about a call of the function: %s", line)
	}
}

// wantNoSecretLogged looks through the operations of runs: the function logged its
// token.
func wantNoSecretLogged(t *testing.T, c apptest.Client) {
	t.Helper()
	var text string
	apptest.Poll(t, "the log of the action that logs its token", func() bool {
		var page struct {
			Data []struct{ ID, Type string }
		}
		c.Do(t, http.MethodGet, "/logs/operations?limit=100", nil).Want(t, http.StatusOK).Into(t, &page)
		text = ""
		for _, op := range page.Data {
			if op.Type == "action" {
				text += string(c.Do(t, http.MethodGet, "/logs/operations/"+op.ID, nil).Want(t, http.StatusOK).Body)
			}
		}
		return strings.Contains(text, "token ") && strings.Contains(text, "opening printer burns")
	})
	if !strings.Contains(text, "token [redacted]") {
		t.Errorf("the token that the function logged is not taken out:\n%s", text)
	}
}

// Nothing of a run is left to the next: neither the memory of the module nor its
// clock nor its dice, whether it starts from the snapshot or from a hot image.
func TestRunsStartFresh(t *testing.T) {
	t.Parallel()
	w := newFunctionDesk(t, apptest.NewSQLite(t))
	dev, connection := w.Dev(t), w.connected(t)
	type state struct {
		N, Runs int
		Born    int64
		Dice    float64
	}
	seen := map[float64]bool{}
	var last state
	for n := 1; n <= 12; n++ {
		var s state
		trigger(t, dev, connection, "count", "").Want(t, http.StatusOK).Into(t, &s)
		if s.N != 1 {
			t.Errorf("run %d found its module used: n is %d", n, s.N)
		}
		if s.Runs != n {
			t.Errorf("run %d read a checkpoint of %d runs", n, s.Runs-1)
		}
		if seen[s.Dice] {
			t.Errorf("run %d threw the dice of an earlier one", n)
		}
		if s.Born < last.Born {
			t.Errorf("run %d was born before the one before it", n)
		}
		seen[s.Dice] = true
		last = s
	}
	if last.Born < time.Now().Add(-time.Hour).UnixMilli() {
		t.Errorf("the last run was born at %d", last.Born)
	}
}

func TestAsyncActions(t *testing.T) {
	t.Parallel()
	for name, open := range apptest.Databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newFunctionDesk(t, open(t))
			dev, connection := w.Dev(t), w.connected(t)
			dev.Do(t, http.MethodPatch, "/environments/current/settings", map[string]any{"webhooks": map[string]any{"on_async_action_completion": true}}).Want(t, http.StatusOK)

			r := trigger(t, dev, connection, "open", `{"title":"later"}`, "X-Async", "true", "X-Max-Retries", "2").Want(t, http.StatusAccepted)
			var accepted struct{ ID, StatusURL string }
			r.Into(t, &accepted)
			if accepted.StatusURL != "/action/"+accepted.ID || r.Header.Get("Location") != accepted.StatusURL {
				t.Errorf("accepted with %s, Location %q", r.Body, r.Header.Get("Location"))
			}
			hook := w.sink.Want(t, 2)[1]
			want := map[string]any{
				"type": "async_action", "from": "nango", "connectionId": connection, "providerConfigKey": "desk",
				"payload": map[string]any{"id": accepted.ID, "statusUrl": accepted.StatusURL},
			}
			if diff := cmp.Diff(any(want), decoded(t, hook.Body)); diff != "" {
				t.Errorf("the webhook (-want +got)\n%s", diff)
			}
			var output struct{ ID, Title string }
			dev.Do(t, http.MethodGet, accepted.StatusURL, nil).Want(t, http.StatusOK).Into(t, &output)
			if output.Title != "later" {
				t.Errorf("the result is %+v", output)
			}
			w.Prod(t).Do(t, http.MethodGet, accepted.StatusURL, nil).Want(t, http.StatusNotFound)

			r = trigger(t, dev, connection, "missing", "", "X-Async", "true").Want(t, http.StatusAccepted)
			r.Into(t, &accepted)
			w.sink.Want(t, 3)
			failed := dev.Do(t, http.MethodGet, accepted.StatusURL, nil).Want(t, http.StatusFailedDependency)
			if failed.Code() != "script_http_error" {
				t.Errorf("the result of one that failed: %s", failed.Body)
			}
		})
	}
}

func TestEventFunctions(t *testing.T) {
	t.Parallel()
	for name, open := range apptest.Databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newFunctionDesk(t, open(t))
			dev, connection := w.Dev(t), w.connected(t)
			apptest.Poll(t, "the function after the connection", func() bool {
				return strings.Contains(titles(t, dev, connection), "welcome "+connection)
			})

			// Who is refused leaves nothing behind, and the backend is told why.
			session := w.Session(t, map[string]any{"end_user": map[string]any{"id": "mallory"}})
			if _, err := authorize(t, w.Instance, session); err != nil {
				t.Fatal(err)
			}
			hooks := w.sink.Want(t, 2)
			refused := hooks[1].Auth(t)
			if refused.Success || refused.Error == nil || refused.Error.Type != "connection_validation_failed" || refused.Error.Description != "Mallory may not come in" {
				t.Errorf("the webhook of the refusal: %s", hooks[1].Body)
			}
			if diff := cmp.Diff([]string{connection}, names(t, dev)); diff != "" {
				t.Errorf("connections (-want +got)\n%s", diff)
			}

			other := func() string {
				if _, err := authorize(t, w.Instance, w.Session(t, nil)); err != nil {
					t.Fatal(err)
				}
				return w.sink.Want(t, 3)[2].Auth(t).ConnectionID
			}()
			dev.Do(t, http.MethodDelete, "/connections/"+connection+"?provider_config_key=desk", nil).Want(t, http.StatusOK)
			if !strings.Contains(titles(t, dev, other), "goodbye "+connection) {
				t.Error("the function before the deletion did not run")
			}
		})
	}
}

// A process that dies in the middle of an asynchronous action: another one runs
// it, as long as attempts are left, and tells of it once.
func TestKilledDuringAsyncAction(t *testing.T) {
	t.Parallel()
	for name, open := range apptest.Databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			desk, sink := apptest.NewDesk(t), apptest.NewSink(t)
			o := apptest.Options{Database: open(t), ProvidersDir: desk.ProvidersDir}
			var once sync.Once
			var armed atomic.Bool
			kill := make(chan func(), 1)
			desk.Before = func(r *http.Request) {
				if armed.Load() && r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/tickets") {
					once.Do(func() { (<-kill)() }) // the id of the run has reached its caller by then
				}
			}
			child := apptest.StartProcess(t, o)
			desk.Open(t, &child.Instance)
			deployDesk(t, &child.Instance)
			child.SendTo(t, sink.URL)
			child.Dev(t).Do(t, http.MethodPatch, "/environments/current/settings", map[string]any{"webhooks": map[string]any{"on_async_action_completion": true}}).Want(t, http.StatusOK)
			w := functionDesk{Instance: &child.Instance, desk: desk, sink: sink}
			connection := w.connected(t)

			armed.Store(true)
			r := trigger(t, child.Dev(t), connection, "open", `{"title":"survivor"}`, "X-Async", "true", "X-Max-Retries", "3").Want(t, http.StatusAccepted)
			var accepted struct{ ID, StatusURL string }
			r.Into(t, &accepted)
			kill <- child.Kill
			child.Wait(t)

			again := apptest.StartProcess(t, o)
			hooks := sink.Want(t, 2)
			var told struct{ Payload struct{ ID string } }
			if err := json.Unmarshal(hooks[1].Body, &told); err != nil || told.Payload.ID != accepted.ID {
				t.Errorf("the webhook: %s, %v", hooks[1].Body, err)
			}
			var output struct{ Title string }
			again.Dev(t).Do(t, http.MethodGet, accepted.StatusURL, nil).Want(t, http.StatusOK).Into(t, &output)
			if output.Title != "survivor" {
				t.Errorf("the result is %+v", output)
			}
		})
	}
}
