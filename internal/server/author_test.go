package server_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/api/client"
	"github.com/linkspan/linkspan/internal/author"
	"github.com/linkspan/linkspan/internal/run"
)

// fakeAuthor notes what it is asked for.
type fakeAuthor struct {
	integrations author.Integrations

	mu          sync.Mutex
	jobs        []linkspan.AuthorJob
	dryRuns     []author.DryRun
	deployments []author.Deployment
	templates   []author.TemplateDeployment
}

func (f *fakeAuthor) Compile(_ context.Context, _ linkspan.EnvironmentID, code string) (author.Compiled, error) {
	if strings.Contains(code, "wrong") {
		return author.Compiled{}, linkspan.E("", linkspan.KindInvalid, "compilation_error", nil, "function.ts:1:1: no").
			WithPayload(map[string]any{"errors": []author.Problem{{File: "function.ts", Line: 1, Column: 1, Message: "no", Excerpt: "^"}}})
	}
	return author.Compiled{Bundle: "compiled " + code, At: time.UnixMilli(1_700_000_000_000)}, nil
}

func (f *fakeAuthor) start(env linkspan.Environment, key string, j linkspan.AuthorJob) (linkspan.AuthorJob, error) {
	if _, err := f.integrations.Get(context.Background(), env.ID, key); err != nil {
		return j, linkspan.E("", linkspan.KindNotFound, "integration_not_found", err, "no")
	}
	now := time.UnixMilli(1_700_000_000_000)
	j.UUID, j.EnvironmentID, j.IntegrationKey = linkspan.NewUUID(), env.ID, key
	j.CreatedAt, j.UpdatedAt, j.StartedAt, j.EndedAt = now, now.Add(2*time.Second), now.Add(time.Second), now.Add(2*time.Second)
	f.jobs = append(f.jobs, j)
	return j, nil
}

func (f *fakeAuthor) StartDryRun(_ context.Context, env linkspan.Environment, d author.DryRun) (linkspan.AuthorJob, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dryRuns = append(f.dryRuns, d)
	return f.start(env, d.IntegrationKey, linkspan.AuthorJob{
		Kind: linkspan.AuthorDryRun, State: linkspan.RunFailed, FunctionKind: d.Kind, Output: linkspan.NewSecret("log\n"), Result: linkspan.NewSecret(`{"a":1}`),
		Error: &linkspan.RunError{Code: "dryrun_error", Message: "no", Payload: json.RawMessage(`{"code":"x"}`)},
	})
}

func (f *fakeAuthor) StartDeployment(_ context.Context, env linkspan.Environment, d author.Deployment) (linkspan.AuthorJob, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.deployments = append(f.deployments, d)
	return f.start(env, d.IntegrationKey, linkspan.AuthorJob{
		Kind: linkspan.AuthorDeployment, State: linkspan.RunSucceeded, FunctionKind: d.Kind, FunctionName: d.Name,
		Result: linkspan.NewSecret(`{"functions":[{"name":"` + d.Name + `","version":"1"}]}`),
	})
}

func (f *fakeAuthor) DeployTemplate(_ context.Context, env linkspan.Environment, d author.TemplateDeployment) (linkspan.AuthorJob, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.templates = append(f.templates, d)
	return f.start(env, d.IntegrationKey, linkspan.AuthorJob{Kind: linkspan.AuthorDeployment, State: linkspan.RunSucceeded, FunctionName: d.Template})
}

func (f *fakeAuthor) Job(_ context.Context, env linkspan.EnvironmentID, kind linkspan.AuthorJobKind, uuid string) (linkspan.AuthorJob, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, j := range f.jobs {
		if j.EnvironmentID == env && j.Kind == kind && j.UUID == uuid {
			return j, nil
		}
	}
	return linkspan.AuthorJob{}, linkspan.E("", linkspan.KindNotFound, string(kind)+"_not_found", nil, "no")
}

func (*fakeAuthor) Templates(provider string) []author.Template {
	if provider != "test-oauth" {
		return nil
	}
	return []author.Template{
		{Provider: provider, Kind: linkspan.FunctionAction, Name: "create", Definition: linkspan.FunctionDefinition{Description: "d", Models: []string{"Out"}, Schema: json.RawMessage(`{"definitions":{}}`)}},
		{Provider: provider, Kind: linkspan.FunctionSync, Name: "things", Definition: linkspan.FunctionDefinition{Models: []string{"Thing"}, Frequency: "every hour", AutoStart: true}},
	}
}

const aDryRun = `{"integration_id":"seeded","function_type":"sync","connection_id":"c1","code":"x"`

func TestFunctionsAPI(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	r.seed(devKey)
	if got := r.call(devKey, "POST", "/functions/compile", `{"code":"x"}`); got.body != `{"bundle_size_bytes":10,"bundled_js":"compiled x","compiled_at":"2023-11-14T22:13:20.000Z"}` {
		t.Errorf("compiled: %d %s", got.status, got.body)
	}
	wrong := r.call(devKey, "POST", "/functions/compile", `{"code":"wrong"}`)
	r.expect(wrong, 400, "compilation_error")
	if p := string(wrong.err(t).Error.Payload); p != `{"errors":[{"file":"function.ts","line":1,"column":1,"message":"no","excerpt":"^"}]}` {
		t.Errorf("payload: %s", p)
	}

	got := r.call(devKey, "POST", "/functions/dryruns", aDryRun+`,"input":[1],"metadata":{"a":1},"checkpoint":{"b":2},"last_sync_date":"2026-01-02T03:04:05Z"}`)
	var accepted api.AuthorJob
	check(t, json.Unmarshal([]byte(got.body), &accepted))
	if got.status != http.StatusAccepted || accepted.Status != "failed" || accepted.CreatedAt.IsZero() {
		t.Errorf("accepted: %d %s", got.status, got.body)
	}
	d := r.author.dryRuns[0]
	if string(d.Input)+string(d.Metadata)+string(d.Checkpoint) != `[1]{"a":1}{"b":2}` || d.Kind != linkspan.FunctionSync || d.LastSync.Year() != 2026 {
		t.Errorf("asked for %+v", d)
	}
	want := `{"id":"` + accepted.ID + `","status":"failed","integration_id":"seeded","function_type":"sync","created_at":"2023-11-14T22:13:20.000Z",` +
		`"updated_at":"2023-11-14T22:13:22.000Z","started_at":"2023-11-14T22:13:21.000Z","completed_at":"2023-11-14T22:13:22.000Z","duration_ms":1000,` +
		`"output":"log\n","result":{"a":1},"error":{"code":"dryrun_error","message":"no","payload":{"code":"x"}}}`
	if got := r.call(devKey, "GET", "/functions/dryruns/"+accepted.ID, ""); got.body != want {
		t.Errorf("dry run: %d %s\nnot %s", got.status, got.body, want)
	}

	for _, body := range []string{
		`{"type":"function","integration_id":"seeded","function_name":"f","function_type":"action","code":"x","version":"2","allow_destructive":true}`,
		`{"type":"template","integration_id":"seeded","template":"t"}`,
	} {
		got := r.call(devKey, "POST", "/functions/deployments", body)
		check(t, json.Unmarshal([]byte(got.body), &accepted))
		if got.status != http.StatusAccepted || accepted.Status != "success" {
			t.Errorf("accepted: %d %s", got.status, got.body)
		}
	}
	if f := r.author.deployments[0]; !f.Overwrite || f.Version != "2" || f.Name != "f" {
		t.Errorf("deployed %+v", f)
	}
	if f := r.author.templates[0]; f.Template != "t" || f.Kind != "" {
		t.Errorf("deployed %+v", f)
	}
}

func TestTemplates(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	want := `{"data":[{"type":"action","name":"create","description":"d","returns":["Out"],"json_schema":{"definitions":{}}},` +
		`{"type":"sync","name":"things","returns":["Thing"],"json_schema":null,"runs":"every hour","auto_start":true,"track_deletes":false}]}`
	if got := r.call(devKey, "GET", "/providers/test-oauth/templates", ""); got.body != want {
		t.Errorf("templates: %s", got.body)
	}
	if got := r.call(devKey, "GET", "/providers/test-key/templates", ""); got.body != `{"data":[]}` {
		t.Errorf("no templates: %s", got.body)
	}
	r.expect(r.call(devKey, "GET", "/providers/nope/templates", ""), 404, "not_found")
	r.expect(r.call(devKey, "GET", "/providers/test-key/templates?x=1", ""), 400, "invalid_query_params")
}

func TestBadInputOfAuthors(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	for _, c := range []struct{ name, method, path, body, code, issue string }{
		{"no code", "POST", "/functions/compile", `{}`, "invalid_body", "received undefined"},
		{"empty code", "POST", "/functions/compile", `{"code":""}`, "invalid_body", "too_small"},
		{"code that is no text", "POST", "/functions/compile", `{"code":["x"]}`, "invalid_body", "received array"},
		{"more than code", "POST", "/functions/compile", `{"code":"x","kind":"sync"}`, "invalid_body", `Unrecognized key: "kind"`},
		{"no JSON", "POST", "/functions/compile", `{"code":`, "invalid_json", ""},
		{"a query", "POST", "/functions/compile?x=1", `{"code":"x"}`, "invalid_query_params", ""},
		{"no members", "POST", "/functions/dryruns", `{}`, "invalid_body", "received undefined"},
		{"an event's function", "POST", "/functions/dryruns", strings.Replace(aDryRun, `"sync"`, `"on-event"`, 1) + `}`, "invalid_body", "invalid_value"},
		{"metadata that is a list", "POST", "/functions/dryruns", aDryRun + `,"metadata":[]}`, "invalid_body", "received array"},
		{"a checkpoint that is a text", "POST", "/functions/dryruns", aDryRun + `,"checkpoint":"x"}`, "invalid_body", "received string"},
		{"a date that is none", "POST", "/functions/dryruns", aDryRun + `,"last_sync_date":"yesterday"}`, "invalid_body", "Invalid ISO datetime"},
		{"an integration that can't be", "POST", "/functions/dryruns", strings.Replace(aDryRun, `"seeded"`, `"a/b"`, 1) + `}`, "invalid_body", "invalid_format"},
		{"a connection that can't be", "POST", "/functions/dryruns", strings.Replace(aDryRun, `"c1"`, `""`, 1) + `}`, "invalid_body", "invalid_union"},
		{"no uuid", "GET", "/functions/dryruns/1", "", "invalid_uri_params", ""},
		{"no type", "POST", "/functions/deployments", `{"integration_id":"seeded"}`, "invalid_body", "invalid_union"},
		{"an unknown type", "POST", "/functions/deployments", `{"type":"zip","integration_id":"seeded"}`, "invalid_body", "invalid_union"},
		{"a template with code", "POST", "/functions/deployments", `{"type":"template","integration_id":"seeded","template":"t","code":"x"}`, "invalid_body", `Unrecognized key: "code"`},
		{"a function without a name", "POST", "/functions/deployments", `{"type":"function","integration_id":"seeded","function_type":"sync","code":"x"}`, "invalid_body", "received undefined"},
		{"a name that can't be", "POST", "/functions/deployments", `{"type":"function","integration_id":"seeded","function_name":"a b","function_type":"sync","code":"x"}`, "invalid_body", "invalid_format"},
		{"a function of events", "POST", "/functions/deployments", `{"type":"function","integration_id":"seeded","function_name":"a","function_type":"on-event","code":"x"}`, "invalid_body", "invalid_value"},
		{"no uuid of a deployment", "GET", "/functions/deployments/x", "", "invalid_uri_params", ""},
		{"how to invoke", "POST", "/functions/invocations", `{"integration_id":"seeded","connection_id":"c1","name":"f"}`, "invalid_body", "invocation_type"},
		{"another way to invoke", "POST", "/functions/invocations", `{"integration_id":"seeded","connection_id":"c1","name":"f","invocation_type":"later"}`, "invalid_body", "invalid_value"},
		{"unknown options", "POST", "/functions/invocations", `{"integration_id":"seeded","connection_id":"c1","name":"f","invocation_type":"wait","options":{"a":1}}`, "invalid_body", `Unrecognized key: "a"`},
		{"no uuid of an invocation", "GET", "/functions/invocations/x", "", "invalid_uri_params", ""},
	} {
		got := r.call(devKey, c.method, c.path, c.body)
		if b := got.err(t); got.status != 400 || b.Error.Code != c.code || !strings.Contains(got.body, strings.ReplaceAll(c.issue, `"`, `\"`)) {
			t.Errorf("%s: %d %s", c.name, got.status, got.body)
		}
	}
	if n := len(r.author.dryRuns) + len(r.author.deployments) + len(r.author.templates); n != 0 {
		t.Errorf("%d of them reached the service", n)
	}
}

// What actions fail with has other names when they are invoked.
func TestInvocations(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	r.seed(devKey)
	r.deployActions(r.dev)
	invoke := func(name, more string) reply {
		return r.call(devKey, "POST", "/functions/invocations", `{"integration_id":"seeded","connection_id":"c1","name":"`+name+`","invocation_type":"wait"`+more+`}`)
	}
	if got := invoke("echo", `,"input":{"a":1},"options":{}`); got.status != 200 || got.body != `{"a":1}` {
		t.Errorf("echo: %d %s", got.status, got.body)
	}
	later := r.call(devKey, "POST", "/functions/invocations", `{"integration_id":"seeded","connection_id":"c1","name":"echo","invocation_type":"no_wait"}`)
	var accepted api.AsyncAction
	check(t, json.Unmarshal([]byte(later.body), &accepted))
	if later.status != 202 || accepted.StatusURL != "/functions/invocations/"+accepted.ID || later.header.Get("Location") != accepted.StatusURL {
		t.Errorf("later: %d %s", later.status, later.body)
	}
	r.expect(r.call(devKey, "GET", accepted.StatusURL, ""), 404, "not_found") // nothing works on it here
	r.expect(r.call(prodKey, "GET", accepted.StatusURL, ""), 404, "not_found")
	r.expect(invoke("nope", ""), 404, "function_not_found")
	r.expect(invoke("issues", ""), 404, "function_not_found")
	r.expect(invoke("strict", `,"input":{}`), 400, "validation_error")
	r.expect(r.call(devKey, "POST", "/functions/invocations", `{"integration_id":"seeded","connection_id":"c9","name":"echo","invocation_type":"wait"}`), 404, "connection_not_found")
	r.expect(r.call(devKey, "POST", "/functions/invocations", `{"integration_id":"nope","connection_id":"c1","name":"echo","invocation_type":"wait"}`), 404, "integration_not_found")
	r.must(devKey, "PATCH", "/integrations/seeded/functions/off?type=action", `{"enabled":false}`)
	r.expect(invoke("off", ""), 403, "function_disabled")

	r.engine.fails(&linkspan.RunError{Code: "script_http_error", Message: "no", Payload: json.RawMessage(`{"p":1}`), Upstream: &linkspan.UpstreamAnswer{Status: 418, Body: json.RawMessage(`1`)}})
	failed := invoke("echo", "")
	r.expect(failed, 424, "function_failed")
	if p := string(failed.err(t).Error.Payload); p != `{"code":"script_http_error","message":"no","payload":{"p":1}}` || !strings.Contains(failed.body, `"upstream_response":{"status":418`) {
		t.Errorf("failed with %s", failed.body)
	}
	r.engine.fails(&linkspan.RunError{Code: "internal_server_error", Message: "no"})
	r.expect(invoke("echo", ""), 500, "server_error")
	r.engine.set(func(context.Context, *run.Execution) (run.Done, error) {
		return run.Done{}, linkspan.E("", linkspan.KindUnavailable, "", nil, "full")
	})
	if got := invoke("echo", ""); got.status != http.StatusServiceUnavailable {
		t.Errorf("without room: %d %s", got.status, got.body)
	}
}

// useAuthor calls the client's methods for authors, after useActions.
func useAuthor(t *testing.T, r *rig, c *client.Client) {
	t.Helper()
	ctx := t.Context()
	a := client.Action{ProviderConfigKey: "seeded", ConnectionID: "c1", Name: "echo", Input: map[string]int{"a": 1}}
	var out map[string]int
	if err := c.InvokeFunction(ctx, a, &out); err != nil || out["a"] != 1 {
		t.Errorf("invoked: %v, %v", out, err)
	}
	if later, err := c.InvokeFunctionAsync(ctx, a); err != nil || later.ID == "" {
		t.Errorf("later: %+v, %v", later, err)
	}
	id := r.ended(r.dev, func(row *linkspan.Run) { row.State, row.Output = linkspan.RunSucceeded, linkspan.NewSecret(`{"b":2}`) })
	if err := c.Invocation(ctx, id, &out); err != nil || out["b"] != 2 {
		t.Errorf("result: %v, %v", out, err)
	}
	if err := c.InvokeFunction(ctx, client.Action{Input: func() {}}, nil); err == nil {
		t.Error("a function as input")
	}
	if made, err := c.CompileFunction(ctx, api.CompileFunction{Code: "x"}); err != nil || made.BundledJS != "compiled x" {
		t.Errorf("compiled %+v, %v", made, err)
	}
	j, err := c.StartDryRun(ctx, api.StartDryRun{IntegrationID: "seeded", FunctionType: "action", ConnectionID: "c1", Code: "x"})
	check(t, err)
	if d, err := c.DryRun(ctx, j.ID); err != nil || d.Error == nil || d.Output != "log\n" {
		t.Errorf("dry run %+v, %v", d, err)
	}
	j, err = c.StartDeployment(ctx, api.TemplateDeployment{IntegrationID: "seeded", Template: "t"}.Start())
	check(t, err)
	if d, err := c.Deployment(ctx, j.ID); err != nil || !d.Deployed {
		t.Errorf("deployment %+v, %v", d, err)
	}
	j, err = c.StartDeployment(ctx, api.FunctionDeployment{IntegrationID: "seeded", FunctionName: "f", FunctionType: "action", Code: "x"}.Start())
	check(t, err)
	if d, err := c.Deployment(ctx, j.ID); err != nil || len(d.DeployedFunctions) != 1 {
		t.Errorf("deployment %+v, %v", d, err)
	}
}
