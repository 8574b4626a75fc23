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
	"github.com/linkspan/linkspan/api/client"
	"github.com/linkspan/linkspan/internal/function"
	"github.com/linkspan/linkspan/internal/run"
)

// fakeEngine executes functions: it answers with their input, unless a test says
// otherwise.
type fakeEngine struct {
	mu      sync.Mutex
	execute func(ctx context.Context, x *run.Execution) (run.Done, error)
	began   int
}

func (e *fakeEngine) set(f func(ctx context.Context, x *run.Execution) (run.Done, error)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.execute = f
}

// fails has functions fail.
func (e *fakeEngine) fails(err *linkspan.RunError) {
	e.set(func(context.Context, *run.Execution) (run.Done, error) { return run.Done{}, err })
}

func (e *fakeEngine) Execute(ctx context.Context, x *run.Execution) (run.Done, error) {
	e.mu.Lock()
	e.began++
	execute := e.execute
	e.mu.Unlock()
	if execute != nil {
		return execute(ctx, x)
	}
	return run.Done{Output: x.Input}, nil
}

// deployActions deploys the actions "echo", "strict" and "off", and a sync, to the
// integration "seeded" of an environment.
func (r *rig) deployActions(env linkspan.Environment) {
	r.t.Helper()
	deployable := func(kind linkspan.FunctionKind, name string, d linkspan.FunctionDefinition) function.Deployable {
		return function.Deployable{
			IntegrationKey: "seeded", Kind: kind, Name: name, Definition: d,
			Code: linkspan.FunctionCode{Bundle: "module.exports = {}", Source: "export default {}"},
		}
	}
	strict := json.RawMessage(`{"definitions":{"In":{"type":"object","properties":{"n":{"type":"number"}},"required":["n"]},"Out":{"type":"object"}}}`)
	record := json.RawMessage(`{"definitions":{"Issue":{"type":"object","properties":{"id":{"type":"string"}},"required":["id"]},"Label":{"type":"object","properties":{"id":{"type":"string"}},"required":["id"]}}}`)
	_, err := r.functions.Deploy(r.t.Context(), env.ID, &function.Deployment{Mode: function.ModeAll, Functions: []function.Deployable{
		deployable(linkspan.FunctionAction, "echo", linkspan.FunctionDefinition{Endpoints: []linkspan.FunctionEndpoint{{Method: "POST", Path: "/echo/it"}}}),
		deployable(linkspan.FunctionAction, "strict", linkspan.FunctionDefinition{Input: "In", Models: []string{"Out"}, Schema: strict}),
		deployable(linkspan.FunctionAction, "off", linkspan.FunctionDefinition{}),
		deployable(linkspan.FunctionSync, "issues", linkspan.FunctionDefinition{
			Models: []string{"Label", "Issue"}, Schema: record, Frequency: "every hour",
			Endpoints: []linkspan.FunctionEndpoint{{Method: "GET", Path: "/labels"}, {Method: "GET", Path: "/issues"}, {Method: "GET", Path: "/more"}},
		}),
	}})
	check(r.t, err)
	_, err = r.functions.SetEnabled(r.t.Context(), env.ID, function.Name{IntegrationKey: "seeded", Kind: linkspan.FunctionAction, Name: "off"}, false)
	check(r.t, err)
}

// actionRig is a rig with actions of dev.
func actionRig(t *testing.T) *rig {
	t.Helper()
	r := newRig(t, rigOptions{})
	r.seed(devKey)
	r.deployActions(r.dev)
	return r
}

// trigger calls an action of "seeded" for "c1".
func (r *rig) trigger(body string, headers ...string) reply {
	r.t.Helper()
	return r.call(devKey, "POST", "/action/trigger", body, append([]string{"Connection-Id", "c1", "Provider-Config-Key", "seeded"}, headers...)...)
}

func TestTriggerAction(t *testing.T) {
	t.Parallel()
	r := actionRig(t)
	for name, test := range map[string]struct{ body, want string }{
		"output as it is": {`{"action_name":"echo","input":{"z":1,"a":[1.50,"<&>"], "big":12345678901234567890}}`, `{"z":1,"a":[1.50,"<&>"], "big":12345678901234567890}`},
		"nothing":         {`{"action_name":"echo"}`, "null"},
		"null":            {`{"action_name":"echo","input":null}`, "null"},
		"a text":          {`{"action_name":"echo","input":"x","more":true}`, `"x"`},
		"a NUL":           {`{"action_name":"echo","input":"\u0000"}`, `"\u0000"`},
		"twice":           {`{"action_name":"off","action_name":"echo","input":1,"input":2}`, `2`},
		"other spelling":  {`{"action_name":"echo","INPUT":1}`, `null`},
		"checked":         {`{"action_name":"strict","input":{"n":1}}`, `{"n":1}`},
	} {
		got := r.trigger(test.body)
		if got.status != http.StatusOK || got.body != test.want || got.header.Get("Content-Type") != "application/json; charset=utf-8" {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
}

// TestRefusedActions are the errors that the server finds by itself, in the order
// in which it looks.
func TestRefusedActions(t *testing.T) {
	t.Parallel()
	r := actionRig(t)
	const whole = `{"action_name":"echo"}`
	for name, test := range map[string]struct {
		path, body string
		headers    []string
		status     int
		want       string
	}{
		"headers before the rest": {"?a=1", `[`, []string{"Connection-Id", "", "X-Max-Retries", "6"}, 400, `{"error":{"code":"invalid_headers","errors":[` +
			`{"code":"invalid_union","message":"Invalid input","path":["connection-id"]},{"code":"too_big","message":"Too big: expected number to be <=5","path":["x-max-retries"]}]}}`},
		"query before the body": {"?a=1", `[`, nil, 400, `{"error":{"code":"invalid_query_params","errors":[{"code":"unrecognized_keys","message":"Unrecognized key: \"a\"","path":[]}]}}`},
		"no JSON":               {"", `[`, nil, 400, `{"error":{"code":"invalid_json","message":"unexpected end of JSON input"}}`},
		"no object":             {"", `[]`, nil, 400, `{"error":{"code":"invalid_body","errors":[{"code":"invalid_type","message":"Invalid input: expected object, received array","path":[]}]}}`},
		"no body":               {"", ``, nil, 400, `{"error":{"code":"invalid_body","errors":[{"code":"invalid_type","message":"Invalid input: expected object, received undefined","path":[]}]}}`},
		"no name":               {"", `{}`, nil, 400, `{"error":{"code":"invalid_body","errors":[{"code":"invalid_type","message":"Invalid input: expected string, received undefined","path":["action_name"]}]}}`},
		"a number":              {"", `{"action_name":7}`, nil, 400, `{"error":{"code":"invalid_body","errors":[{"code":"invalid_type","message":"Invalid input: expected string, received number","path":["action_name"]}]}}`},
		"an empty name":         {"", `{"action_name":""}`, nil, 400, `{"error":{"code":"invalid_body","errors":[{"code":"too_small","message":"Too small: expected string to have >=1 characters","path":["action_name"]}]}}`},
		"odd X-Async":           {"", whole, []string{"X-Async", "maybe"}, 400, `{"error":{"code":"invalid_headers","errors":[{"code":"invalid_value","message":"Invalid option: expected one of \"true\"|\"1\"|\"yes\"|\"on\"|\"false\"|\"0\"|\"no\"|\"off\"","path":["x-async"]}]}}`},
		"no connection":         {"", whole, []string{"Connection-Id", "nope"}, 400, `{"error":{"code":"unknown_connection","message":"Connection with connection id nope and provider config key seeded not found. Please make sure the connection exists in the dashboard"}}`},
		"no integration":        {"", whole, []string{"Provider-Config-Key", "nope"}, 400, `{"error":{"code":"unknown_connection","message":"There is no integration \"nope\" in this environment."}}`},
		"no action":             {"", `{"action_name":"nope"}`, nil, 404, `{"error":{"code":"not_found","message":"Action not found"}}`},
		"a sync":                {"", `{"action_name":"issues"}`, nil, 404, `{"error":{"code":"not_found","message":"Action not found"}}`},
		"disabled":              {"", `{"action_name":"off"}`, nil, 404, `{"error":{"code":"disabled_resource","message":"The action is disabled"}}`},
		"disabled, later":       {"", `{"action_name":"off"}`, []string{"X-Async", "true"}, 404, `{"error":{"code":"disabled_resource","message":"The action is disabled"}}`},
		"bad input": {"", `{"action_name":"strict","input":{"n":"x"}}`, nil, 400, `{"error":{"code":"invalid_action_input","message":"The input is not what the action takes.",` +
			`"payload":{"validation":[{"path":["n"],"message":"got string, want number","code":"type"}],"model":"In"}}}`},
	} {
		headers := append([]string{"Connection-Id", "c1", "Provider-Config-Key", "seeded"}, test.headers...)
		got := r.call(devKey, "POST", "/action/trigger"+test.path, test.body, headers...)
		if got.status != test.status || got.body != test.want {
			t.Errorf("%s:\ngot  %d %s\nwant %d %s", name, got.status, got.body, test.status, test.want)
		}
	}
	if r.engine.began != 0 {
		t.Errorf("%d functions were executed", r.engine.began)
	}
	if got := r.call(devKey, "POST", "/action/trigger", whole, "Connection-Id", "c1", "Provider-Config-Key", "seeded", "Content-Type", "text/plain"); got.status != http.StatusUnsupportedMediaType {
		t.Errorf("another content type: %d %s", got.status, got.body)
	}
	if got := r.trigger(`{"action_name":"echo","input":"` + strings.Repeat("x", 1<<20) + `"}`); got.status != http.StatusRequestEntityTooLarge {
		t.Errorf("a body too large: %d %.100s", got.status, got.body)
	}
}

// TestFailedActions are the shapes of what functions fail with: at once, and when
// the result is asked for.
func TestFailedActions(t *testing.T) {
	t.Parallel()
	r := actionRig(t)
	for name, test := range map[string]struct {
		err    linkspan.RunError
		status int
		want   string
	}{
		"an API's answer": {
			linkspan.RunError{Code: "script_http_error", Message: "Request failed with status code 422", Payload: json.RawMessage(`{"why":"x"}`), Upstream: &linkspan.UpstreamAnswer{
				Status: 422, Headers: map[string]string{"content-type": "application/json"}, Body: json.RawMessage(`{"why":"x"}`),
			}},
			424, `{"error":{"payload":{"why":"x"},"code":"script_http_error","upstream":{"status":422,"headers":{"content-type":"application/json"},"body":{"why":"x"}}}}`,
		},
		"an API's answer, bare": {linkspan.RunError{Code: "script_http_error"}, 424, `{"error":{"payload":{},"code":"script_http_error"}}`},
		"our own limit":         {linkspan.RunError{Code: "script_api_rate_limit_error", Message: "m"}, 424, `{"error":{"code":"script_api_rate_limit_error","message":"m","payload":{}}}`},
		"an API's answer under another code": {
			linkspan.RunError{Code: "script_api_rate_limit_error", Message: "m", Upstream: &linkspan.UpstreamAnswer{Status: 429, Body: json.RawMessage(`"slow"`)}},
			424, `{"error":{"code":"script_api_rate_limit_error","message":"m","payload":{},"additional_properties":{"upstream_response":{"status":429,"headers":{},"body":"slow"}}}}`,
		},
		"thrown": {
			linkspan.RunError{Code: "action_script_runtime_error", Message: "The action script failed with a runtime error", Payload: json.RawMessage(`{"a":[1]}`)},
			500, `{"error":{"code":"action_script_runtime_error","message":"The action script failed with a runtime error","payload":{"a":[1]}}}`,
		},
		"bad output": {linkspan.RunError{Code: "invalid_action_output", Message: "m", Payload: json.RawMessage(`{}`)}, 400, `{"error":{"code":"invalid_action_output","message":"m","payload":{}}}`},
		"too large":  {linkspan.RunError{Code: "script_output_too_large", Message: "m"}, 400, `{"error":{"code":"script_output_too_large","message":"m","payload":{}}}`},
		"aborted":    {linkspan.RunError{Code: "script_aborted", Message: "m"}, 410, `{"error":{"code":"script_aborted","message":"m","payload":{}}}`},
		"internal":   {linkspan.RunError{Code: "script_internal_error", Message: "m"}, 500, `{"error":{"code":"script_internal_error","message":"m","payload":{}}}`},
		"network":    {linkspan.RunError{Code: "script_network_error", Message: "m"}, 500, `{"error":{"code":"script_network_error","message":"m","payload":{}}}`},
		"timeout":    {linkspan.RunError{Code: "execution_timeout", Message: "m"}, 500, `{"error":{"code":"execution_timeout","message":"m","payload":{}}}`},
		"memory":     {linkspan.RunError{Code: "function_runtime_out_of_memory", Message: "m"}, 500, `{"error":{"code":"function_runtime_out_of_memory","message":"m","payload":{}}}`},
		"unheard of": {linkspan.RunError{Code: "whatever", Message: "m"}, 500, `{"error":{"code":"whatever","message":"m","payload":{}}}`},
		"exhausted":  {linkspan.RunError{Code: "connection_refresh_exhausted", Message: "m"}, 424, `{"error":{"code":"connection_refresh_exhausted","message":"m","payload":{}}}`},
	} {
		r.engine.fails(&test.err)
		if got := r.trigger(`{"action_name":"echo"}`); got.status != test.status || got.body != test.want {
			t.Errorf("%s:\ngot  %d %s\nwant %d %s", name, got.status, got.body, test.status, test.want)
		}
		id := r.ended(r.dev, func(row *linkspan.Run) { row.State, row.Error = linkspan.RunFailed, &test.err })
		if got := r.call(devKey, "GET", "/action/"+id, ""); got.status != test.status || got.body != test.want {
			t.Errorf("%s, asked for:\ngot  %d %s\nwant %d %s", name, got.status, got.body, test.status, test.want)
		}
	}
	r.engine.set(func(context.Context, *run.Execution) (run.Done, error) {
		return run.Done{}, linkspan.E("test", linkspan.KindUnavailable, "", nil, "There is no room.").WithHint("Try again.")
	})
	if got := r.trigger(`{"action_name":"echo"}`); got.status != 503 || got.body != `{"error":{"code":"unavailable","message":"There is no room. Try again."}}` {
		t.Errorf("no room: %d %s", got.status, got.body)
	}
}

// ended stores an asynchronous action that has ended.
func (r *rig) ended(env linkspan.Environment, change func(*linkspan.Run)) string {
	r.t.Helper()
	ctx := r.t.Context()
	row := &linkspan.Run{
		UUID: linkspan.NewUUID(), EnvironmentID: env.ID, Kind: linkspan.FunctionAction, Name: "echo", IntegrationKey: "seeded", Provider: "test-key",
		ConnectionName: "c1", ConnectionUUID: linkspan.NewUUID(), MaxAttempts: 1, ExpiresAt: time.Now().Add(time.Hour),
	}
	check(r.t, r.store.InsertRuns(ctx, nil, []*linkspan.Run{row}))
	claimed, err := r.store.ClaimRuns(ctx, nil, []linkspan.RunID{row.ID}, "test", time.Minute)
	check(r.t, err)
	change(&claimed[0])
	_, err = r.store.FinishRun(ctx, nil, &claimed[0], 0)
	check(r.t, err)
	return row.UUID
}

func TestAsyncActions(t *testing.T) {
	t.Parallel()
	r := actionRig(t)
	got := r.trigger(`{"action_name":"echo","input":{"a":1}}`, "X-Async", "true", "X-Max-Retries", "5")
	var reply struct {
		ID        string `json:"id"`
		StatusURL string `json:"statusUrl"`
	}
	check(t, json.Unmarshal([]byte(got.body), &reply))
	if got.status != http.StatusAccepted || !linkspan.IsUUIDv4(reply.ID) || reply.StatusURL != "/action/"+reply.ID || got.header.Get("Location") != reply.StatusURL {
		t.Fatalf("%d %v %s", got.status, got.header, got.body)
	}
	row, err := r.store.Run(t.Context(), nil, r.dev.ID, reply.ID)
	if check(t, err); row.MaxAttempts != 6 || row.Input.Reveal() != `{"a":1}` || row.State != linkspan.RunWaiting || r.engine.began != 0 {
		t.Errorf("stored: %+v", row)
	}
	unknown := linkspan.NewUUID()
	success := func(output string) string {
		return r.ended(r.dev, func(row *linkspan.Run) { row.State, row.Output = linkspan.RunSucceeded, linkspan.NewSecret(output) })
	}
	missing := func(id string) string {
		return `{"error":{"code":"not_found","message":"No action '` + id + `' found"}}`
	}
	nothing := success("")
	for id, want := range map[string]struct {
		status int
		body   string
	}{
		reply.ID:                      {404, missing(reply.ID)},
		unknown:                       {404, missing(unknown)},
		nothing:                       {404, missing(nothing)},
		"7":                           {400, `{"error":{"code":"invalid_uri_params","errors":[{"code":"invalid_format","message":"Invalid UUID","path":["id"]}]}}`},
		success(`{"b":1, "a":2}`):     {200, `{"b":1, "a":2}`},
		strings.ToUpper(success("1")): {200, "1"},
	} {
		if got := r.call(devKey, "GET", reply.StatusURL[:len("/action/")]+id, ""); got.status != want.status || got.body != want.body {
			t.Errorf("%s: %d %s, want %d %s", id, got.status, got.body, want.status, want.body)
		}
	}
}

// TestActionsAreIsolated calls what is prod's with a key of dev.
func TestActionsAreIsolated(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	r.seed(prodKey)
	r.deployActions(r.prod)
	headers := []string{"Connection-Id", "c1", "Provider-Config-Key", "seeded"}
	r.expect(r.call(devKey, "POST", "/action/trigger", `{"action_name":"echo"}`, headers...), 400, "unknown_connection")
	r.expect(r.call(devKey, "POST", "/action/trigger", `{"action_name":"echo"}`, append(headers, "X-Async", "true")...), 400, "unknown_connection")
	r.expect(r.call(devKey, "POST", "/v1/echo/it", `{}`, headers...), 400, "unknown_connection")
	id := r.ended(r.prod, func(row *linkspan.Run) { row.State, row.Output = linkspan.RunSucceeded, linkspan.NewSecret("1") })
	r.expect(r.call(devKey, "GET", "/action/"+id, ""), 404, "not_found")
	r.seed(devKey) // the connection is there, the function is not
	r.expect(r.call(devKey, "POST", "/action/trigger", `{"action_name":"echo"}`, headers...), 404, "not_found")
	if got := r.call(prodKey, "POST", "/action/trigger", `{"action_name":"echo"}`, headers...); got.status != http.StatusOK {
		t.Errorf("with a key of prod: %d %s", got.status, got.body)
	}
	if r.engine.began != 1 {
		t.Errorf("%d functions were executed", r.engine.began)
	}
}

func TestEndpoints(t *testing.T) {
	t.Parallel()
	r := actionRig(t)
	r.saveIssues("base")
	headers := []string{"Connection-Id", "c1", "Provider-Config-Key", "seeded"}
	for _, test := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"POST", "/v1/echo/it", `{"b":1, "a":2}`, 200, `{"b":1, "a":2}`},
		{"POST", "/v1/echo/it?ignored=1", `[1]`, 200, `[1]`},
		{"POST", "/v1/echo/it", ``, 200, `null`},
		{"POST", "/v1/echo/it", `[`, 400, `{"error":{"code":"invalid_json","message":"unexpected end of JSON input"}}`},
		{"PUT", "/v1/echo/it", `{}`, 404, `{"message":"There is no function of integration seeded for PUT /echo/it."}`},
		{"GET", "/v1/labels?limit=5", ``, 200, `{"records":[],"next_cursor":null}`},
		{"GET", "/v1/issues?limit=5&ids=9", ``, 200, `{"records":[],"next_cursor":null}`},
		{"GET", "/v1/more", ``, 404, `{"message":"No model of the sync issues belongs to GET /more."}`},
	} {
		if got := r.call(devKey, test.method, test.path, test.body, headers...); got.status != test.status || got.body != test.want {
			t.Errorf("%s %s: %d %s, want %d %s", test.method, test.path, got.status, got.body, test.status, test.want)
		}
	}
	if got := r.call(devKey, "GET", "/v1/issues", "", headers...); got.status != 200 || strings.Count(got.body, `"_nango_metadata"`) != 3 {
		t.Errorf("the second model: %d %s", got.status, got.body)
	}
	r.expect(r.call(devKey, "POST", "/v1/echo/it", `{}`), 400, "invalid_headers")
	r.expect(r.call(r.key("environment:records:read"), "POST", "/v1/echo/it", `{}`, headers...), 403, "forbidden")
	r.expect(r.call(r.key("environment:actions:execute"), "GET", "/v1/issues", ``, headers...), 403, "forbidden")
	r.expect(r.call(devKey, "GET", "/v1/issues?limit=0", ``, headers...), 400, "invalid_query_params")
	r.expect(r.call(devKey, "GET", "/v1/issues?model=Other", ``, headers...), 400, "invalid_query_params")
}

// useActions calls what the client has for actions.
func useActions(t *testing.T, r *rig, c *client.Client) {
	t.Helper()
	r.call(devKey, "POST", "/integrations", `{"provider":"test-key","unique_key":"seeded"}`)
	r.must(devKey, "POST", "/connections", `{"provider_config_key":"seeded","connection_id":"c1","credentials":{"type":"API_KEY","apiKey":"k-1"}}`)
	r.deployActions(r.dev)
	ctx := t.Context()
	a := client.Action{ProviderConfigKey: "seeded", ConnectionID: "c1", Name: "echo", Input: map[string]int{"a": 1}}
	var out map[string]int
	if err := c.TriggerAction(ctx, a, &out); err != nil || out["a"] != 1 {
		t.Errorf("output %v, %v", out, err)
	}
	if err := c.TriggerAction(ctx, client.Action{ProviderConfigKey: "seeded", ConnectionID: "c1", Name: "echo"}, nil); err != nil {
		t.Errorf("without input: %v", err)
	}
	if err := c.TriggerAction(ctx, client.Action{Name: "echo", Input: func() {}}, nil); err == nil {
		t.Error("a function as input")
	}
	later, err := c.TriggerActionAsync(ctx, a, 2)
	if err != nil || later.StatusURL != "/action/"+later.ID {
		t.Errorf("later: %+v, %v", later, err)
	}
	if err := c.ActionResult(ctx, later.ID, &out); !client.HasCode(err, "not_found") {
		t.Errorf("before it ran: %v", err)
	}
	id := r.ended(r.dev, func(row *linkspan.Run) { row.State, row.Output = linkspan.RunSucceeded, linkspan.NewSecret(`{"b":2}`) })
	if err := c.ActionResult(ctx, id, &out); err != nil || out["b"] != 2 {
		t.Errorf("result %v, %v", out, err)
	}
	r.engine.fails(&linkspan.RunError{Code: "script_http_error", Upstream: &linkspan.UpstreamAnswer{Status: 418, Body: json.RawMessage(`"tea"`)}})
	defer r.engine.set(nil)
	e, _ := client.AsError(c.TriggerAction(ctx, a, nil))
	if e == nil || e.Code != "script_http_error" || e.Upstream == nil || e.Upstream.Status != 418 || string(e.Upstream.Body) != `"tea"` {
		t.Errorf("failed: %+v", e)
	}
	// The longest answer that is passed on, and one under another code.
	long := json.RawMessage(`"` + strings.Repeat("x", 1<<20-2) + `"`)
	for _, code := range []string{"script_http_error", "script_api_rate_limit_error"} {
		r.engine.fails(&linkspan.RunError{
			Code: code, Payload: json.RawMessage(`{"message":` + string(long) + `}`), Upstream: &linkspan.UpstreamAnswer{Status: 418, Body: long},
		})
		e, _ := client.AsError(c.TriggerAction(ctx, a, nil))
		if e == nil || e.Code != code || e.Upstream == nil || e.Upstream.Status != 418 || len(e.Upstream.Body) != len(long) {
			t.Errorf("%s with a long answer: %.200s", code, e.Error())
		}
	}
}
