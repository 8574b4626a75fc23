package e2e

import (
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan/internal/apptest"
)

// ended is a dry run or a deployment that has ended.
type ended struct {
	ID, Status, Output string
	DurationMS         *int64 `json:"duration_ms"`
	Result             json.RawMessage
	Deployed           bool
	DeployedFunctions  []struct{ Name, Version string } `json:"deployed_functions"`
	Error              *struct {
		Code, Message string
		Payload       json.RawMessage
	}
}

// begin has the server do something for an author, and returns where its outcome
// will be.
func begin(t *testing.T, c apptest.Client, path string, body map[string]any) string {
	t.Helper()
	var accepted struct{ ID, Status string }
	c.Do(t, http.MethodPost, path, body).Want(t, http.StatusAccepted).Into(t, &accepted)
	if accepted.ID == "" || accepted.Status == "" {
		t.Fatalf("accepted as %+v", accepted)
	}
	return path + "/" + accepted.ID
}

// await waits until a job has ended.
func await(t *testing.T, c apptest.Client, url string) ended {
	t.Helper()
	var e ended
	apptest.Poll(t, "the job "+url+" has ended", func() bool {
		e = ended{}
		c.Do(t, http.MethodGet, url, nil).Want(t, http.StatusOK).Into(t, &e)
		return e.Status == "success" || e.Status == "failed"
	})
	if e.DurationMS == nil {
		t.Errorf("a job that has ended has no duration: %+v", e)
	}
	return e
}

func dryRun(t *testing.T, c apptest.Client, kind, body string, more map[string]any) ended {
	t.Helper()
	return await(t, c, begin(t, c, "/functions/dryruns", dryRunOf(kind, body, more)))
}

func dryRunOf(kind, code string, more map[string]any) map[string]any {
	body := map[string]any{"integration_id": "crm", "connection_id": "acme", "function_type": kind, "code": code}
	maps.Copy(body, more)
	return body
}

// action is the text of a plain action.
func action(body string) string {
	return "export default async function run(nango: any) {\n" + body + "\n}\n"
}

const trySync = `import { createSync } from "nango";
import * as z from "zod";
export default createSync({
	description: "Tickets", version: "1.0.0", frequency: "every hour", syncType: "full",
	models: { Ticket: z.object({ id: z.string() }) },
	checkpoint: z.object({ page: z.number() }),
	exec: async (nango) => {
		const before = await nango.getCheckpoint();
		const metadata = await nango.getMetadata<any>();
		await nango.setMetadata({ seen: true });
		await nango.batchSave([{ id: "1", from: before?.page, metadata, last: nango.lastSyncDate }, { id: "2" }], "Ticket");
		await nango.batchDelete([{ id: "3" }], "Ticket");
		await nango.saveCheckpoint({ page: 7 });
		await nango.log("the new metadata", await nango.getMetadata());
	},
});
`

const tryFunction = `import { createFunction } from "nango/experimental";
import * as z from "zod";
export default createFunction({
	description: "Greets", input: z.object({ name: z.string() }), output: z.object({ greeting: z.string(), status: z.number() }),
	exec: async (nango: any, trigger: any) => ({ greeting: "hello " + trigger.input.name, status: (await nango.get({ endpoint: "/me" })).status }),
});
`

// TestFunctionsAPI goes the way of an author without a folder: compile, try, deploy,
// invoke.
func TestFunctionsAPI(t *testing.T) {
	t.Parallel()
	for name, open := range apptest.Databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := apptest.NewWorld(t)
			db := open(t)
			s := apptest.Start(t, apptest.Options{Database: db, ProvidersDir: w.ProvidersDir, Flags: map[string]string{"function-cpu": "3s"}})
			dev := s.Dev(t)
			w.Integrate(t, dev, apptest.ProviderOAuth, "crm")
			tokens := w.ImportOAuth(t, dev, "crm", "acme", time.Hour)

			t.Run("compile", func(t *testing.T) { compiles(t, dev) })
			t.Run("dry run of an action", func(t *testing.T) {
				got := dryRun(t, dev, "action", action(`const { credentials } = await nango.getConnection();
	await nango.log("the token is " + credentials.access_token, { token: credentials.access_token });
	const me = await nango.get({ endpoint: "/private/me" });
	return { status: me.status, input: nango.input };`), map[string]any{"input": map[string]any{"a": 1}})
				if got.Status != "success" || string(got.Result) != `{"status":200,"input":{"a":1}}` {
					t.Errorf("%+v", got)
				}
				if strings.Contains(got.Output, tokens.Access) || !strings.Contains(got.Output, `the token is [redacted] {"token":"[redacted]"}`) {
					t.Errorf("the log is %s", got.Output)
				}
			})
			t.Run("dry run of a function made by createFunction", func(t *testing.T) {
				got := dryRun(t, dev, "action", tryFunction, map[string]any{"input": map[string]any{"name": "Ada"}})
				if got.Status != "success" || string(got.Result) != `{"greeting":"hello Ada","status":200}` {
					t.Errorf("%+v, error %+v, result %s", got, got.Error, got.Result)
				}
				got = dryRun(t, dev, "action", tryFunction, map[string]any{"input": map[string]any{"name": 1}})
				if got.Error == nil || got.Error.Code != "validation_error" {
					t.Errorf("with input that it does not take: %+v, error %+v", got, got.Error)
				}
			})
			t.Run("dry run of a sync", func(t *testing.T) { triesSync(t, dev, db) })
			t.Run("failures", func(t *testing.T) { failsToTry(t, dev) })
			t.Run("deploy", func(t *testing.T) { deploysText(t, dev) })
			t.Run("templates", func(t *testing.T) { deploysTemplate(t, dev) })
			t.Run("another environment", func(t *testing.T) {
				url := begin(t, dev, "/functions/dryruns", dryRunOf("action", action("return 1"), nil))
				s.Prod(t).Do(t, http.MethodGet, url, nil).WantError(t, http.StatusNotFound, "dryrun_not_found")
				s.Prod(t).Do(t, http.MethodPost, "/functions/dryruns", dryRunOf("action", action("return 1"), nil)).WantError(t, http.StatusNotFound, "integration_not_found")
				dev.Do(t, http.MethodGet, strings.Replace(url, "dryruns", "deployments", 1), nil).WantError(t, http.StatusNotFound, "deployment_not_found")
				await(t, dev, url)
			})
		})
	}
}

func compiles(t *testing.T, c apptest.Client) {
	var made struct {
		Size int    `json:"bundle_size_bytes"`
		JS   string `json:"bundled_js"`
		At   string `json:"compiled_at"`
	}
	c.Do(t, http.MethodPost, "/functions/compile", map[string]any{"code": trySync}).Want(t, http.StatusOK).Into(t, &made)
	if made.Size != len(made.JS) || !strings.Contains(made.JS, "module.exports") || made.At == "" {
		t.Errorf("compiled to %d bytes, %q, at %q", made.Size, made.JS, made.At)
	}
	for _, wrong := range []struct{ code, place string }{
		{"export default async () => {\n\treturn 1 +;\n}", `"line":2,"column":12`},
		{"import x from \"./models\";\nexport default async () => x;", `"line":1,"column":15`},
		{"export const nothing = 1;", `no default export`},
		{"export default async () => { for (;;); };\nfor (;;);", `Loading the file does not end`},
		{"export default " + strings.Repeat("!", 200_000) + "1", `more memory than it may`},
	} {
		r := c.Do(t, http.MethodPost, "/functions/compile", map[string]any{"code": wrong.code}).WantError(t, http.StatusBadRequest, "compilation_error")
		if !strings.Contains(string(r.Body), wrong.place) {
			t.Errorf("%.60q: %.600s", wrong.code, r.Body)
		}
	}
	c.Do(t, http.MethodPost, "/functions/compile", map[string]any{"code": strings.Repeat("/", 1<<20+1)}).WantError(t, http.StatusBadRequest, "invalid_request")
}

// triesSync holds a dry run to storing nothing.
func triesSync(t *testing.T, c apptest.Client, db apptest.Database) {
	got := dryRun(t, c, "sync", trySync, map[string]any{
		"checkpoint": map[string]any{"page": 3}, "metadata": map[string]any{"given": true}, "last_sync_date": "2026-01-02T03:04:05.000Z",
	})
	want := `{"models":{"Ticket":{"saved":2,"updated":0,"deleted":1,"records":{"saved":[{"id":"1","from":3,"metadata":{"given":true},"last":"2026-01-02T03:04:05.000Z"},{"id":"2"}],"updated":[],"deleted":[{"id":"3"}]}}},"checkpoint":{"page":7}}`
	if got.Status != "success" || string(got.Result) != want {
		t.Errorf("%s, error %+v, result\n%s, not\n%s", got.Status, got.Error, got.Result, want)
	}
	if !strings.Contains(got.Output, `the new metadata {"seen":true}`) {
		t.Errorf("the log is %s", got.Output)
	}
	for _, table := range []string{"records", "checkpoints", "runs", "syncs", "functions"} {
		if n := db.Count(t, table); n != 0 {
			t.Errorf("the dry run left %d rows in %s", n, table)
		}
	}
	var connection struct{ Metadata map[string]any }
	c.Do(t, http.MethodGet, "/connections/acme?provider_config_key=crm", nil).Want(t, http.StatusOK).Into(t, &connection)
	if len(connection.Metadata) != 0 {
		t.Errorf("the dry run wrote metadata: %v", connection.Metadata)
	}
}

// failsToTry tries functions that fail or mean harm.
func failsToTry(t *testing.T, c apptest.Client) {
	for _, f := range []struct{ name, kind, code, failure, payload string }{
		{"throws", "action", action(`throw new Error("no luck");`), "dryrun_error", `function.ts:2`},
		{"an answer that is an error", "action", action(`return await nango.get({ endpoint: "/status/418" });`), "dryrun_error", `"upstream":{"status":418`},
		{"computes for ever", "action", action(`for (;;);`), "timeout", "function_runtime_timed_out"},
		{"an expression that can't be stopped", "action", action(`return /^(a+)+$/.test("a".repeat(40) + "b");`), "timeout", "function_runtime_timed_out"},
		{"does not compile", "action", "export default 1 +;", "compilation_error", `"line":1`},
		{"is another kind", "action", trySync, "compilation_error", `made by createSync`},
		{"memory", "action", action(`const a: any[] = []; for (;;) { a.push("x".repeat(3_000_000) + a.length); await new Promise((r) => setTimeout(r, 0)); }`), "dryrun_error", "function_runtime_out_of_memory"},
		{"output", "action", action(`return "x".repeat(3_000_000);`), "dryrun_error", "script_output_too_large"},
		{"records without end", "sync", strings.Replace(trySync, `await nango.saveCheckpoint({ page: 7 });`, `for (let i = 0; ; i++) await nango.batchSave(Array.from({ length: 1000 }, (_, n) => ({ id: i + "-" + n, text: "x".repeat(3000) })), "Ticket");`, 1), "dryrun_error", "records_too_large"},
	} {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			got := dryRun(t, c, f.kind, f.code, nil)
			if got.Status != "failed" || got.Error == nil || got.Error.Code != f.failure || !strings.Contains(string(got.Error.Payload), f.payload) {
				t.Errorf("%s: %+v", got.Status, got.Error)
				if got.Error != nil {
					t.Logf("payload %.2000s", got.Error.Payload)
				}
			}
		})
	}
	t.Run("a log without end", func(t *testing.T) {
		t.Parallel()
		got := dryRun(t, c, "action", action(`for (let i = 0; i < 2000; i++) await nango.log("x".repeat(9000)); return 1;`), nil)
		if got.Status != "success" || len(got.Output) > 300<<10 {
			t.Errorf("%s with a log of %d bytes", got.Status, len(got.Output))
		}
	})
}

// deploysText deploys texts, over each other, and runs what they became.
func deploysText(t *testing.T, c apptest.Client) {
	body := func(name, code string, more map[string]any) map[string]any {
		b := map[string]any{"type": "function", "integration_id": "crm", "function_name": name, "function_type": "action", "code": code}
		maps.Copy(b, more)
		return b
	}
	const path = "/functions/deployments"
	got := await(t, c, begin(t, c, path, body("greet", action(`return "hello " + nango.input.name;`), map[string]any{"version": "7.0.0"})))
	if got.Status != "success" || !got.Deployed || len(got.DeployedFunctions) != 1 || got.DeployedFunctions[0].Version != "7.0.0" {
		t.Fatalf("%+v", got)
	}
	c.Do(t, http.MethodPost, path, body("greet", action(`return 2;`), nil)).WantError(t, http.StatusBadRequest, "invalid_request")
	got = await(t, c, begin(t, c, path, body("greet", action(`return "good day " + nango.input.name;`), map[string]any{"allow_destructive": true})))
	if got.Status != "success" {
		t.Fatalf("%+v", got)
	}
	got = await(t, c, begin(t, c, path, body("broken", "export default 1 +;", nil)))
	if got.Status != "failed" || got.Deployed || got.Error.Code != "compilation_error" {
		t.Errorf("%+v", got)
	}
	invoke := func(name, how string, input any) apptest.Reply {
		return c.Do(t, http.MethodPost, "/functions/invocations", map[string]any{
			"integration_id": "crm", "connection_id": "acme", "name": name, "invocation_type": how, "input": input,
		})
	}
	input := map[string]any{"name": "Ada"}
	if r := invoke("greet", "wait", input).Want(t, http.StatusOK); string(r.Body) != `"good day Ada"` {
		t.Errorf("invoked: %s", r.Body)
	}
	var later struct{ ID string }
	invoke("greet", "no_wait", input).Want(t, http.StatusAccepted).Into(t, &later)
	apptest.Poll(t, "the invocation ends", func() bool {
		r := c.Do(t, http.MethodGet, "/functions/invocations/"+later.ID, nil)
		return r.Status == http.StatusOK && string(r.Body) == `"good day Ada"`
	})
	invoke("nothing", "wait", nil).WantError(t, http.StatusNotFound, "function_not_found")
	c.Do(t, http.MethodDelete, "/integrations/crm/functions/greet?type=action", nil).Want(t, http.StatusOK)
	invoke("greet", "wait", input).WantError(t, http.StatusNotFound, "function_not_found")
}

// deploysTemplate deploys a function of the library.
func deploysTemplate(t *testing.T, c apptest.Client) {
	var listed struct {
		Data []struct {
			Type, Name string
			Schema     json.RawMessage `json:"json_schema"`
		}
	}
	c.Do(t, http.MethodGet, "/providers/github/templates", nil).Want(t, http.StatusOK).Into(t, &listed)
	if len(listed.Data) < 4 || len(listed.Data[0].Schema) == 0 {
		t.Fatalf("templates: %+v", listed.Data)
	}
	c.Do(t, http.MethodPost, "/integrations", map[string]any{
		"provider": "github", "unique_key": "code", "credentials": map[string]any{"type": "OAUTH2", "client_id": "a", "client_secret": "b"},
	}).Want(t, http.StatusOK)
	template := map[string]any{"type": "template", "integration_id": "code", "template": listed.Data[0].Name, "function_type": listed.Data[0].Type}
	got := await(t, c, begin(t, c, "/functions/deployments", template))
	if got.Status != "success" || len(got.DeployedFunctions) != 1 {
		t.Fatalf("%+v", got)
	}
	var f struct{ Data struct{ Source, Name string } }
	c.Do(t, http.MethodGet, "/integrations/code/functions/"+listed.Data[0].Name+"?type="+listed.Data[0].Type, nil).Want(t, http.StatusOK).Into(t, &f)
	if f.Data.Source != "catalog" {
		t.Errorf("the source is %q", f.Data.Source)
	}
	for _, function := range listed.Data[1:] {
		await(t, c, begin(t, c, "/functions/deployments", map[string]any{"type": "template", "integration_id": "code", "template": function.Name, "function_type": function.Type}))
	}
	pullsTemplates(t, c)
	c.Do(t, http.MethodPost, "/functions/deployments", template).WantError(t, http.StatusConflict, "template_already_deployed")
	template["template"] = "nothing-like-it"
	c.Do(t, http.MethodPost, "/functions/deployments", template).WantError(t, http.StatusNotFound, "template_not_found")
	template["integration_id"] = "nowhere"
	c.Do(t, http.MethodPost, "/functions/deployments", template).WantError(t, http.StatusNotFound, "integration_not_found")
}

// pullsTemplates brings the templates of an integration that has not the provider's
// name into a folder, with all that they import: it compiles.
func pullsTemplates(t *testing.T, c apptest.Client) {
	t.Helper()
	dir := t.TempDir()
	i := &apptest.Instance{URL: c.URL}
	i.Keys.Dev = c.Key
	mustLinkspan(t, i, "pull", "code", "--dir", dir)
	mustLinkspan(t, i, "compile", "--dir", dir, "--no-types")
}

// TestKilledWhileTrying kills servers between their 202 and the end: dry runs of
// syncs are begun again, and actions, which may have done something already, are
// said to have been broken off.
func TestKilledWhileTrying(t *testing.T) {
	t.Parallel()
	for name, open := range apptest.Databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := apptest.NewWorld(t)
			o := apptest.Options{Database: open(t), ProvidersDir: w.ProvidersDir}
			first := apptest.StartProcess(t, o)
			dev := first.Dev(t)
			w.Integrate(t, dev, apptest.ProviderOAuth, "crm")
			w.ImportOAuth(t, dev, "crm", "acme", time.Hour)
			slow := strings.Replace(trySync, "exec: async (nango) => {", `exec: async (nango) => { await nango.get({ endpoint: "/stream" });`, 1)
			urls := map[string]string{
				"success": begin(t, dev, "/functions/dryruns", dryRunOf("sync", slow, nil)),
				"failed":  begin(t, dev, "/functions/dryruns", dryRunOf("action", action(`await nango.get({ endpoint: "/stream" }); return 1;`), nil)),
			}
			for range 2 {
				<-w.SaaS.StreamOpened()
			}
			urls["waiting"] = begin(t, dev, "/functions/dryruns", dryRunOf("action", action(`return 5;`), nil))
			first.Kill()
			first.Wait(t)
			w.SaaS.ReleaseStreams()

			dev = apptest.StartProcess(t, o).Dev(t)
			if got := await(t, dev, urls["success"]); got.Status != "success" {
				t.Errorf("the sync ended as %+v, with %+v", got, got.Error)
			}
			if got := await(t, dev, urls["failed"]); got.Status != "failed" || got.Error.Code != "execution_environment_unavailable" {
				t.Errorf("the action ended as %+v, with %+v", got, got.Error)
			}
			await(t, dev, urls["waiting"])
		})
	}
}

// TestStoppedWhileTrying stops a server in order.
func TestStoppedWhileTrying(t *testing.T) {
	t.Parallel()
	w := apptest.NewWorld(t)
	o := apptest.Options{Database: apptest.NewSQLite(t), ProvidersDir: w.ProvidersDir}
	first := apptest.StartProcess(t, o)
	dev := first.Dev(t)
	w.Integrate(t, dev, apptest.ProviderOAuth, "crm")
	w.ImportOAuth(t, dev, "crm", "acme", time.Hour)
	slow := strings.Replace(trySync, "exec: async (nango) => {", `exec: async (nango) => { await nango.get({ endpoint: "/stream" });`, 1)
	url := begin(t, dev, "/functions/dryruns", dryRunOf("sync", slow, nil))
	<-w.SaaS.StreamOpened()
	first.Terminate(t)
	if code := first.Wait(t); code != 0 {
		t.Errorf("the process ended with %d", code)
	}
	w.SaaS.ReleaseStreams()
	dev = apptest.StartProcess(t, o).Dev(t)
	if got := await(t, dev, url); got.Status != "success" {
		t.Errorf("the sync ended as %+v, with %+v", got, got.Error)
	}
}

// sharedApp writes the file of the operator's app that lends the authority's.
func sharedApp(t *testing.T, w *apptest.World) string {
	t.Helper()
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"apps.yaml": "fake-oauth: {client_id: " + w.Authority.ClientID + ", client_secret: " + w.Authority.ClientSecret + "}\n"})
	return filepath.Join(dir, "apps.yaml")
}

// TestRolesShareTheAuthoring has replicas of the role api take jobs on, which one of
// the role worker does.
func TestRolesShareTheAuthoring(t *testing.T) {
	t.Parallel()
	w := apptest.NewWorld(t)
	o := apptest.Options{Database: apptest.NewPostgres(t), ProvidersDir: w.ProvidersDir, Flags: map[string]string{"role": "api"}}
	dev := apptest.Start(t, o).Dev(t)
	w.Integrate(t, dev, apptest.ProviderOAuth, "crm")
	w.ImportOAuth(t, dev, "crm", "acme", time.Hour)
	w.ImportOAuth(t, dev, "crm", "leaves", time.Hour)
	dev.Do(t, http.MethodPost, "/functions/compile", map[string]any{"code": trySync}).Want(t, http.StatusOK)
	deployment := func(code string) string {
		return begin(t, dev, "/functions/deployments", map[string]any{
			"type": "function", "integration_id": "crm", "function_name": "greet", "function_type": "action", "code": code, "allow_destructive": true,
		})
	}
	tried := begin(t, dev, "/functions/dryruns", dryRunOf("action", tryFunction, map[string]any{"input": map[string]any{"name": "Ada"}}))
	orphan := begin(t, dev, "/functions/dryruns", dryRunOf("action", action("return 1"), map[string]any{"connection_id": "leaves"}))
	first, second := deployment(action("return 1")), deployment(tryFunction)
	dev.Do(t, http.MethodDelete, "/connections/leaves?provider_config_key=crm", nil).Want(t, http.StatusOK)
	var waits struct{ Status string }
	dev.Do(t, http.MethodGet, tried, nil).Want(t, http.StatusOK).Into(t, &waits)
	if waits.Status != "waiting" {
		t.Errorf("without a worker the dry run is %s", waits.Status)
	}

	o.Flags = map[string]string{"role": "worker"}
	apptest.Start(t, o)
	if got := await(t, dev, tried); got.Status != "success" || string(got.Result) != `{"greeting":"hello Ada","status":200}` {
		t.Errorf("the dry run: %+v, error %+v", got, got.Error)
	}
	if got := await(t, dev, orphan); got.Error == nil || got.Error.Code != "connection_not_found" {
		t.Errorf("the dry run without a connection: %+v, error %+v", got, got.Error)
	}
	apptest.Poll(t, "the operations of both have ended", func() bool {
		var list struct {
			Data []struct{ Action, Status string }
		}
		dev.Do(t, http.MethodGet, "/logs/operations?limit=100", nil).Want(t, http.StatusOK).Into(t, &list)
		ended := 0
		for _, o := range list.Data {
			if o.Action == "dry_run" && (o.Status == "success" || o.Status == "failed") {
				ended++
			}
		}
		return ended == 2
	})
	if got := await(t, dev, first); got.Status != "success" || got.DeployedFunctions[0].Version == "" {
		t.Errorf("the first deploy: %+v, error %+v", got, got.Error)
	}
	if got := await(t, dev, second); got.Status != "success" {
		t.Errorf("the second deploy: %+v, error %+v", got, got.Error)
	}
	invoke := func(connection string, input any) apptest.Reply {
		return dev.Do(t, http.MethodPost, "/functions/invocations", map[string]any{
			"integration_id": "crm", "connection_id": connection, "name": "greet", "invocation_type": "wait", "input": input,
		})
	}
	if r := invoke("acme", map[string]any{"name": "Ada"}).Want(t, http.StatusOK); string(r.Body) != `{"greeting":"hello Ada","status":200}` {
		t.Errorf("the one deployed last is not what runs: %s", r.Body)
	}
	invoke("acme", map[string]any{"name": 1}).WantError(t, http.StatusBadRequest, "validation_error")
	invoke("leaves", nil).WantError(t, http.StatusNotFound, "connection_not_found")
}

// TestSharedApps sets a provider up on an app of the operator's and connects an
// account with it, while nobody is shown anything of it.
func TestSharedApps(t *testing.T) {
	t.Parallel()
	w := apptest.NewWorld(t)
	file := filepath.Join(t.TempDir(), "apps.yaml")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("fake-oauth: {client_id: " + w.Authority.ClientID + ", client_secret: " + w.Authority.ClientSecret + "}\n")
	o := apptest.Options{Database: apptest.NewSQLite(t), ProvidersDir: w.ProvidersDir, Flags: map[string]string{"shared-apps": file}}
	s := apptest.Start(t, o)
	dev := s.Dev(t)
	made := dev.Do(t, http.MethodPost, "/integrations/quickstart", map[string]any{"provider": "fake-oauth", "unique_key": "crm"}).Want(t, http.StatusOK)
	w.ImportOAuth(t, dev, "crm", "acme", -time.Minute) // has to be refreshed with the app
	apptest.Proxy(t, dev, http.MethodGet, "crm", "acme", "/private/me", nil).Want(t, http.StatusOK)
	looks := []apptest.Reply{
		made,
		dev.Do(t, http.MethodGet, "/integrations/crm?include=credentials", nil).Want(t, http.StatusOK),
		dev.Do(t, http.MethodGet, "/integrations", nil).Want(t, http.StatusOK),
		dev.Do(t, http.MethodGet, "/config/crm?include_creds=true", nil).Want(t, http.StatusOK),
		dev.Do(t, http.MethodGet, "/connections/acme?provider_config_key=crm", nil).Want(t, http.StatusOK),
	}
	tried := dryRun(t, dev, "action", action(`return [await nango.getIntegration({ include: ["credentials"] }), await nango.getConnection(), await nango.getToken(), await nango.getRawTokenResponse(), (await nango.get({ endpoint: "/private/me" })).status];`), nil)
	if tried.Status != "success" || !strings.HasSuffix(string(tried.Result), ",200]") {
		t.Errorf("an action with the app's token: %+v, error %+v", tried, tried.Error)
	}
	looks = append(looks, apptest.Reply{Body: tried.Result},
		dev.Do(t, http.MethodGet, "/connections/acme?provider_config_key=crm&force_refresh=true", nil).Want(t, http.StatusOK),
		dev.Do(t, http.MethodGet, "/connections/acme?provider_config_key=crm&refresh_token=true", nil).Want(t, http.StatusOK))
	for i, look := range looks {
		if strings.Contains(string(look.Body), w.Authority.ClientSecret) || strings.Contains(string(look.Body), w.Authority.ClientID) {
			t.Errorf("look %d shows the operator's app: %s", i, look.Body)
		}
		if strings.Contains(string(look.Body), `_token"`) {
			t.Errorf("look %d exports a token of the operator's app: %s", i, look.Body)
		}
	}
	dev.Do(t, http.MethodPost, "/integrations/quickstart", map[string]any{"provider": "github", "unique_key": "code"}).WantError(t, http.StatusBadRequest, "invalid_body")

	write("fake-key: {client_id: a, client_secret: hush-hush}\n")
	o.Database = apptest.NewSQLite(t)
	child := apptest.SpawnProcess(t, o)
	if code := child.Wait(t); code == 0 || !strings.Contains(child.Logs(), "the shared app of fake-key: Fake fake-key needs no developer app") || strings.Contains(child.Logs(), "hush-hush") {
		t.Errorf("ended with %d\n%s", code, child.Logs())
	}
}
