package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/api/client"
	"github.com/linkspan/linkspan/internal/schedule"
)

// fakeSyncs notes what is asked of it and answers what a test says.
type fakeSyncs struct {
	mu       sync.Mutex
	calls    []string
	err      error
	statuses []schedule.Status
}

func (f *fakeSyncs) note(format string, args ...any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, fmt.Sprintf(format, args...))
	return f.err
}

// answers has all calls from now on fail with err, unless it is nil. It returns
// what was asked for so far.
func (f *fakeSyncs) answers(err error) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	calls := f.calls
	f.err, f.calls = err, nil
	return calls
}

func selected(sel schedule.Selection) string {
	refs := make([]string, len(sel.Syncs))
	for i := range sel.Syncs {
		refs[i] = sel.Syncs[i].String()
	}
	return fmt.Sprintf("%d %s/%s [%s]", sel.Environment, sel.IntegrationKey, sel.ConnectionName, strings.Join(refs, " "))
}

func (f *fakeSyncs) Start(_ context.Context, sel schedule.Selection) error {
	return f.note("start %s", selected(sel))
}

func (f *fakeSyncs) Pause(_ context.Context, sel schedule.Selection) error {
	return f.note("pause %s", selected(sel))
}

func (f *fakeSyncs) Cancel(_ context.Context, sel schedule.Selection) error {
	return f.note("cancel %s", selected(sel))
}

func (f *fakeSyncs) Trigger(_ context.Context, sel schedule.Selection, o schedule.TriggerOptions) error {
	return f.note("trigger %s reset=%t empty=%t", selected(sel), o.Reset, o.Empty)
}

func (f *fakeSyncs) Status(_ context.Context, sel schedule.Selection) ([]schedule.Status, error) {
	return f.statuses, f.note("status %s", selected(sel))
}

func (f *fakeSyncs) SetFrequency(_ context.Context, env linkspan.EnvironmentID, key, connection string, ref schedule.Ref, frequency *string) (string, error) {
	if frequency == nil {
		return "", f.note("default %d %s/%s %s", env, key, connection, ref)
	}
	return "2h", f.note("every %d %s/%s %s %s", env, key, connection, ref, *frequency)
}

func (f *fakeSyncs) CreateVariant(_ context.Context, env linkspan.EnvironmentID, key, connection string, ref schedule.Ref) (linkspan.Sync, error) {
	return linkspan.Sync{UUID: "3f2b0a52-9d53-4c52-8a84-5a2f2f0c7f11", Name: ref.Name, Variant: ref.Variant},
		f.note("create %d %s/%s %s", env, key, connection, ref)
}

func (f *fakeSyncs) DeleteVariant(_ context.Context, env linkspan.EnvironmentID, key, connection string, ref schedule.Ref) error {
	return f.note("delete %d %s/%s %s", env, key, connection, ref)
}

// TestSyncRequests looks at what the service is asked for.
func TestSyncRequests(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	const ok = `{"success":true}`
	headers := []string{"Provider-Config-Key", "github", "Connection-Id", "c1"}
	const body = `"provider_config_key":"github","connection_id":"c1"`
	for _, test := range []struct {
		method, path, body string
		headers            []string
		want, asked        string
	}{
		{"POST", "/sync/trigger", `{"syncs":["a","b::eu",{"name":"c"},{"name":"d","variant":"us"}],` + body + `}`, nil, ok, "trigger % github/c1 [a b::eu c d::us] reset=false empty=false"},
		{"POST", "/sync/trigger", `{"syncs":[],"provider_config_key":"github"}`, nil, ok, "trigger % github/ [] reset=false empty=false"},
		{"POST", "/sync/trigger", `{"syncs":["a"]}`, headers, ok, "trigger % github/c1 [a] reset=false empty=false"},
		{"POST", "/sync/trigger", `{"syncs":["a"],"provider_config_key":"gitlab","connection_id":"c2"}`, headers, ok, "trigger % gitlab/c2 [a] reset=false empty=false"},
		{"POST", "/sync/trigger", `{"syncs":["a"],` + body + `,"opts":{}}`, nil, ok, "trigger % github/c1 [a] reset=false empty=false"},
		{"POST", "/sync/trigger", `{"syncs":["a"],` + body + `,"opts":{"reset":true}}`, nil, ok, "trigger % github/c1 [a] reset=true empty=false"},
		{"POST", "/sync/trigger", `{"syncs":["a"],` + body + `,"opts":{"reset":true,"emptyCache":true}}`, nil, ok, "trigger % github/c1 [a] reset=true empty=true"},
		{"POST", "/sync/trigger", `{"syncs":["a"],` + body + `,"sync_mode":"incremental"}`, nil, ok, "trigger % github/c1 [a] reset=false empty=false"},
		{"POST", "/sync/trigger", `{"syncs":["a"],` + body + `,"sync_mode":"full_refresh","full_resync":false}`, nil, ok, "trigger % github/c1 [a] reset=true empty=false"},
		{"POST", "/sync/trigger", `{"syncs":["a"],` + body + `,"sync_mode":"full_refresh_and_clear_cache"}`, nil, ok, "trigger % github/c1 [a] reset=true empty=true"},
		{"POST", "/sync/trigger", `{"syncs":["a"],` + body + `,"full_resync":true}`, nil, ok, "trigger % github/c1 [a] reset=true empty=false"},
		{"POST", "/sync/trigger", `{"syncs":["a"],` + body + `,"full_resync":false}`, nil, ok, "trigger % github/c1 [a] reset=false empty=false"},
		{"POST", "/sync/start", `{"syncs":["a","b::eu"],` + body + `}`, nil, ok, "start % github/c1 [a b::eu]"},
		{"POST", "/sync/start", `{"syncs":[],"provider_config_key":"github"}`, nil, ok, "start % github/ []"},
		{"POST", "/sync/pause", `{"syncs":["a"],` + body + `}`, nil, ok, "pause % github/c1 [a]"},
		{"POST", "/sync/cancel", `{"syncs":["a"],` + body + `}`, nil, ok, "cancel % github/c1 [a]"},
		{"GET", "/sync/status?syncs=a,b::eu&provider_config_key=github&connection_id=c1", ``, nil, `{"syncs":[]}`, "status % github/c1 [a b::eu]"},
		{"GET", "/sync/status?syncs=a%2Cb&provider_config_key=github", ``, nil, `{"syncs":[]}`, "status % github/ [a b]"},
		{"GET", "/sync/status?syncs=*&provider_config_key=github&connection_id=c1", ``, nil, `{"syncs":[]}`, "status % github/c1 []"},
		{"PUT", "/sync/update-connection-frequency", `{"sync_name":"a","frequency":"every 2 hours",` + body + `}`, nil, `{"frequency":"2h"}`, "every % github/c1 a every 2 hours"},
		{"PUT", "/sync/update-connection-frequency", `{"sync_name":"a","sync_variant":"eu","frequency":null,` + body + `}`, nil, `{"frequency":null}`, "default % github/c1 a::eu"},
		{"POST", "/sync/a/variant/eu", `{` + body + `}`, nil, `{"id":"3f2b0a52-9d53-4c52-8a84-5a2f2f0c7f11","name":"a","variant":"eu"}`, "create % github/c1 a::eu"},
		{"DELETE", "/sync/a/variant/eu", `{` + body + `}`, nil, ok, "delete % github/c1 a::eu"},
	} {
		got := r.call(devKey, test.method, test.path, test.body, test.headers...)
		if got.status != http.StatusOK || got.body != test.want {
			t.Errorf("%s %s %s: %d %s", test.method, test.path, test.body, got.status, got.body)
		}
		want := []string{strings.Replace(test.asked, "%", fmt.Sprint(r.dev.ID), 1)}
		if diff := cmp.Diff(want, r.syncs.answers(nil)); diff != "" {
			t.Errorf("%s %s %s asks for (-want +got):\n%s", test.method, test.path, test.body, diff)
		}
	}
}

// TestSyncRefusals sends what is not allowed: nothing is asked of the service.
func TestSyncRefusals(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	const body = `"provider_config_key":"github","connection_id":"c1"`
	tooMany := `["` + strings.Repeat(`a","`, 256) + `a"]`
	for _, test := range []struct {
		method, path, body string
		code, issue        string
	}{
		{"POST", "/sync/trigger", `{"syncs":[]}`, "missing_provider_config_key", ""},
		{"POST", "/sync/trigger", `{` + body + `}`, "invalid_body", "invalid_type Invalid input: expected array, received undefined"},
		{"POST", "/sync/trigger", `{"syncs":["a"],` + body + `,"more":1}`, "invalid_body", `unrecognized_keys Unrecognized key: "more"`},
		{"POST", "/sync/trigger", `{"syncs":["a"],` + body + `,"opts":{"more":1}}`, "invalid_body", `unrecognized_keys Unrecognized key: "more"`},
		{"POST", "/sync/trigger", `{"syncs":["a"],` + body + `,"opts":{},"sync_mode":"incremental"}`, "invalid_body", ""},
		{"POST", "/sync/trigger", `{"syncs":["a"],` + body + `,"opts":{"reset":true},"full_resync":false}`, "invalid_body", ""},
		{"POST", "/sync/trigger", `{"syncs":["a"],` + body + `,"sync_mode":"all"}`, "invalid_body", "invalid_value"},
		{"POST", "/sync/trigger?x=1", `{"syncs":["a"],` + body + `}`, "invalid_query_params", ""},
		{"POST", "/sync/start", `{"syncs":["a"]}`, "invalid_body", "invalid_type Invalid input: expected string, received undefined"},
		{"POST", "/sync/start", `{"syncs":` + tooMany + `,` + body + `}`, "invalid_body", "too_big"},
		{"POST", "/sync/start", `{"syncs":[""],` + body + `}`, "invalid_body", "invalid_union Invalid input"},
		{"POST", "/sync/start", `{"syncs":["a::"],` + body + `}`, "invalid_body", "invalid_union"},
		{"POST", "/sync/start", `{"syncs":["a::b::c"],` + body + `}`, "invalid_body", "invalid_union"},
		{"POST", "/sync/start", `{"syncs":[null],` + body + `}`, "invalid_body", "invalid_type"},
		{"POST", "/sync/start", `{"syncs":[{"name":"a","variant":null}],` + body + `}`, "invalid_body", "invalid_union"},
		{"POST", "/sync/start", `{"syncs":[{"name":"a","x":1}],` + body + `}`, "invalid_body", "invalid_union"},
		{"POST", "/sync/start", `{"syncs":[{"variant":"a"}],` + body + `}`, "invalid_body", "invalid_union"},
		{"POST", "/sync/pause", `{"syncs":"a",` + body + `}`, "invalid_body", "invalid_type Invalid input: expected array, received string"},
		{"POST", "/sync/cancel", `{"syncs":["a"],"provider_config_key":"github","connection_id":"<>"}`, "invalid_body", "invalid_union"},
		{"GET", "/sync/status?syncs=a", ``, "invalid_query_params", "invalid_type"},
		{"GET", "/sync/status?provider_config_key=github", ``, "invalid_query_params", "invalid_type"},
		{"GET", "/sync/status?syncs=&provider_config_key=github", ``, "invalid_query_params", ""},
		{"GET", "/sync/status?syncs=a,*&provider_config_key=github", ``, "invalid_query_params", "custom"},
		{"GET", "/sync/status?syncs=a&provider_config_key=github&x=1", ``, "invalid_query_params", `unrecognized_keys`},
		{"PUT", "/sync/update-connection-frequency", `{"sync_name":"a",` + body + `}`, "invalid_body", "invalid_type Invalid input: expected string, received undefined"},
		{"PUT", "/sync/update-connection-frequency", `{"sync_name":"a b","frequency":"1h",` + body + `}`, "invalid_body", "invalid_format"},
		{"POST", "/sync/a%20b/variant/eu", `{` + body + `}`, "invalid_uri_params", "invalid_format"},
		{"POST", "/sync/a/variant/eu", `{}`, "invalid_body", ""},
		{"POST", "/sync/a/variant/eu?x=1", `{` + body + `}`, "invalid_query_params", ""},
		{"DELETE", "/sync/a/variant/eu", ``, "invalid_body", "invalid_type Invalid input: expected object, received undefined"},
	} {
		got := r.call(devKey, test.method, test.path, test.body)
		r.expect(got, http.StatusBadRequest, test.code, test.issue)
		if t.Failed() {
			t.Fatalf("%s %s %s", test.method, test.path, test.body)
		}
	}
	if calls := r.syncs.answers(nil); len(calls) > 0 {
		t.Errorf("asked for %q", calls)
	}
}

// TestSyncErrors gives the errors of the service the status and the shape that they
// have on each route.
func TestSyncErrors(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	const body = `"provider_config_key":"github","connection_id":"c1"`
	fails := func(kind linkspan.Kind, code string) error { return linkspan.E("test", kind, code, nil, "It is so.") }
	named := func(code string) string { return `{"error":{"code":"` + code + `","message":"It is so."}}` }
	old := func(code string) string {
		return `{"error":{"code":"` + code + `","message":"It is so.","payload":{}}}`
	}
	for _, test := range []struct {
		method, path, body string
		err                error
		status             int
		want               string
	}{
		{"POST", "/sync/trigger", `{"syncs":[],` + body + `}`, fails(linkspan.KindNotFound, "unknown_connection"), 404, old("unknown_connection")},
		{"POST", "/sync/start", `{"syncs":[],` + body + `}`, fails(linkspan.KindNotFound, "unknown_provider_config"), 400, old("unknown_provider_config")},
		{"POST", "/sync/pause", `{"syncs":[],` + body + `}`, fails(linkspan.KindNotFound, "no_syncs_found"), 400, old("no_syncs_found")},
		{"POST", "/sync/trigger", `{"syncs":["a"],` + body + `}`, fails(linkspan.KindInvalid, "disabled_resource"), 404, old("disabled_resource")},
		{"POST", "/sync/cancel", `{"syncs":[],` + body + `}`, fails(linkspan.KindInvalid, "invalid_body"), 400, named("invalid_body")},
		{"GET", "/sync/status?syncs=*&provider_config_key=github&connection_id=c1", ``, fails(linkspan.KindNotFound, "unknown_connection"), 400, `{"error":{"code":"invalid_body","message":"Connection not found"}}`},
		{"GET", "/sync/status?syncs=*&provider_config_key=github", ``, fails(linkspan.KindNotFound, "unknown_provider_config"), 400, old("unknown_provider_config")},
		{"PUT", "/sync/update-connection-frequency", `{"sync_name":"a","frequency":"x",` + body + `}`, fails(linkspan.KindNotFound, "unknown_connection"), 400, named("unknown_connection")},
		{"PUT", "/sync/update-connection-frequency", `{"sync_name":"a","frequency":"x",` + body + `}`, fails(linkspan.KindNotFound, "unknown_sync"), 400, named("unknown_sync")},
		{"PUT", "/sync/update-connection-frequency", `{"sync_name":"a","frequency":"x",` + body + `}`, fails(linkspan.KindNotFound, "unknown_provider_config"), 400, `{"error":{"code":"unknown_connection","message":"There is no connection \"c1\" at the integration \"github\"."}}`},
		{"PUT", "/sync/update-connection-frequency", `{"sync_name":"a","frequency":"x",` + body + `}`, fails(linkspan.KindInvalid, "sync_interval_too_short"), 400, named("sync_interval_too_short")},
		{"POST", "/sync/a/variant/eu", `{` + body + `}`, fails(linkspan.KindConflict, "sync_variant_already_exists"), 400, named("sync_variant_already_exists")},
		{"POST", "/sync/a/variant/eu", `{` + body + `}`, fails(linkspan.KindInvalid, "resource_capped"), 400, named("resource_capped")},
		{"POST", "/sync/a/variant/eu", `{` + body + `}`, fails(linkspan.KindUnavailable, ""), 503, ""},
		{"POST", "/sync/a/variant/eu", `{` + body + `}`, errors.New("a secret"), 500, `{"error":{"code":"failed_sync_variant_creation","message":"Something went wrong on the server. Its log names the cause."}}`},
		{"POST", "/sync/a/variant/eu", `{` + body + `}`, fails(linkspan.KindInternal, "server_error"), 500, named("server_error")},
		{"DELETE", "/sync/a/variant/eu", `{` + body + `}`, errors.New("a secret"), 500, `{"error":{"code":"failed_sync_variant_deletion","message":"Something went wrong on the server. Its log names the cause."}}`},
		{"DELETE", "/sync/a/variant/eu", `{` + body + `}`, fails(linkspan.KindNotFound, "not_found"), 404, named("not_found")},
		{"DELETE", "/sync/a/variant/base", `{` + body + `}`, fails(linkspan.KindInvalid, "invalid_variant"), 400, named("invalid_variant")},
		{"DELETE", "/sync/a/variant/eu", `{` + body + `}`, fails(linkspan.KindNotFound, "unknown_connection"), 400, named("unknown_connection")},
	} {
		r.syncs.answers(test.err)
		got := r.call(devKey, test.method, test.path, test.body)
		if test.want == "" {
			got.body = ""
		}
		if got.status != test.status || got.body != test.want {
			t.Errorf("%s %s with %v: %d %s", test.method, test.path, test.err, got.status, got.body)
		}
	}
}

// useSyncs calls what the client has for syncs.
func useSyncs(t *testing.T, r *rig, c *client.Client) {
	t.Helper()
	ctx := t.Context()
	r.syncs.answers(nil)
	sel := api.SyncSelection{ProviderConfigKey: "github", ConnectionID: new("c1"), Syncs: []api.SyncRef{{Name: "a"}, {Name: "b", Variant: "eu"}}}
	check(t, c.TriggerSync(ctx, api.TriggerSync{ProviderConfigKey: new("github"), Opts: &api.TriggerSyncOpts{Reset: true}}))
	check(t, c.StartSync(ctx, sel))
	check(t, c.PauseSync(ctx, sel))
	check(t, c.CancelSync(ctx, api.SyncSelection{ProviderConfigKey: "github"}))
	r.syncs.statuses = []schedule.Status{{State: schedule.StateSuccess, Checkpoint: json.RawMessage(`{"a":1}`)}}
	list, err := c.SyncStatus(ctx, "github", "c1", sel.Syncs...)
	if err != nil || len(list) != 1 || list[0].Status != "SUCCESS" || string(*list[0].Checkpoint.Value) != `{"a":1}` {
		t.Errorf("status %+v, %v", list, err)
	}
	if _, err := c.SyncStatus(ctx, "github", ""); err != nil {
		t.Errorf("all: %v", err)
	}
	frequency := api.UpdateSyncFrequency{SyncName: "a", ProviderConfigKey: "github", ConnectionID: "c1", Frequency: api.Some("every 2h")}
	if every, err := c.UpdateSyncFrequency(ctx, frequency); err != nil || *every != "2h" {
		t.Errorf("frequency %v, %v", every, err)
	}
	frequency.Frequency = api.Null[string]()
	if every, err := c.UpdateSyncFrequency(ctx, frequency); err != nil || every != nil {
		t.Errorf("no frequency %v, %v", every, err)
	}
	owner := api.SyncVariantOwner{ProviderConfigKey: "github", ConnectionID: "c1"}
	if made, err := c.CreateSyncVariant(ctx, "a", "eu", owner); err != nil || made.Variant != "eu" || made.ID == "" {
		t.Errorf("created %+v, %v", made, err)
	}
	check(t, c.DeleteSyncVariant(ctx, "a", "eu", owner))
	env := fmt.Sprint(r.dev.ID)
	want := []string{
		"trigger " + env + " github/ [] reset=true empty=false", "start " + env + " github/c1 [a b::eu]", "pause " + env + " github/c1 [a b::eu]",
		"cancel " + env + " github/ []", "status " + env + " github/c1 [a b::eu]", "status " + env + " github/ []",
		"every " + env + " github/c1 a every 2h", "default " + env + " github/c1 a", "create " + env + " github/c1 a::eu", "delete " + env + " github/c1 a::eu",
	}
	if diff := cmp.Diff(want, r.syncs.answers(nil)); diff != "" {
		t.Errorf("asked for (-want +got):\n%s", diff)
	}
}

func TestSyncStatus(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	at := time.Date(2026, 3, 4, 5, 6, 7, 8_900_000, time.UTC)
	of := func(name, variant string) linkspan.Sync {
		return linkspan.Sync{ID: 7, UUID: "3f2b0a52-9d53-4c52-8a84-5a2f2f0c7f11", ConnectionName: "c1", Name: name, Variant: variant, Provider: "github"}
	}
	r.syncs.statuses = []schedule.Status{
		{Sync: of("issues", "base"), State: schedule.StatePaused, Initial: true},
		{
			Sync: of("issues", "eu"), State: schedule.StateRunning, Frequency: "1h", NextAt: at, FinishedAt: at, Last: linkspan.RunFailed,
			Latest:  map[string]linkspan.RecordCounts{"Issue": {Added: 1, Updated: 2, Deleted: 3, Unchanged: 4}},
			Records: map[string]int64{"Issue": 42}, Checkpoint: json.RawMessage(`{"page":2}`),
		},
	}
	want := `{"syncs":[{"id":"3f2b0a52-9d53-4c52-8a84-5a2f2f0c7f11","connection_id":"c1","name":"issues","variant":"base","type":"INITIAL","status":"PAUSED",` +
		`"frequency":null,"finishedAt":null,"nextScheduledSyncAt":null,"latestResult":{},"recordCount":{},"checkpoint":null},` +
		`{"id":"3f2b0a52-9d53-4c52-8a84-5a2f2f0c7f11","connection_id":"c1","name":"issues","variant":"eu","type":"INCREMENTAL","status":"RUNNING",` +
		`"frequency":"1h","finishedAt":"2026-03-04T05:06:07.008Z","nextScheduledSyncAt":"2026-03-04T05:06:07.008Z",` +
		`"latestResult":{"Issue":{"added":1,"updated":2,"deleted":3}},"latestExecutionStatus":"ERROR","recordCount":{"Issue":42},"checkpoint":{"page":2}}]}`
	if got := r.call(devKey, "GET", "/sync/status?syncs=*&provider_config_key=github", ""); got.status != http.StatusOK || got.body != want {
		t.Errorf("%d %s\nwant %s", got.status, got.body, want)
	}
	for state, shown := range map[linkspan.RunState]string{
		"": "", linkspan.RunSucceeded: "SUCCESS", linkspan.RunFailed: "ERROR", linkspan.RunCancelled: "STOPPED",
	} {
		r.syncs.statuses = []schedule.Status{{Last: state}}
		var reply api.SyncStatuses
		check(t, json.Unmarshal([]byte(r.call(devKey, "GET", "/sync/status?syncs=*&provider_config_key=github", "").body), &reply))
		if got := reply.Syncs[0].LatestExecutionStatus; got != shown {
			t.Errorf("the last run is %q: %q", state, got)
		}
	}
}
