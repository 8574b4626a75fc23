package webhook

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
)

// The bodies of webhooks about runs of syncs, to the letter (wire contract §14.4).
const (
	syncedIssues = `{"connectionId":"c1","from":"nango","model":"Issue","modifiedAfter":"2026-03-04T05:06:07.008Z","providerConfigKey":"github-dev",` +
		`"queryTimeStamp":"2026-03-04T05:06:07.008Z","responseResults":{"added":3,"deleted":1,"updated":2},"success":true,"syncName":"issues",` +
		`"syncType":"INITIAL","syncVariant":"base","type":"sync"}`
	syncedLabels = `{"connectionId":"c1","from":"nango","model":"Label","modifiedAfter":"2026-03-04T05:06:07.008Z","providerConfigKey":"github-dev",` +
		`"queryTimeStamp":"2026-03-04T05:06:07.008Z","responseResults":{"added":0,"deleted":0,"updated":0},"success":true,"syncName":"issues",` +
		`"syncType":"INITIAL","syncVariant":"base","type":"sync"}`
	syncedFrom = `{"checkpoints":{"from":null,"to":{"10":true,"a":"<é>","page":2}},"connectionId":"c1","from":"nango","model":"Issue",` +
		`"modifiedAfter":"2026-03-04T05:06:07.008Z","providerConfigKey":"github-dev","queryTimeStamp":"2026-03-04T05:06:07.008Z",` +
		`"responseResults":{"added":3,"deleted":1,"updated":2},"success":true,"syncName":"issues","syncType":"INCREMENTAL","syncVariant":"eu","type":"sync"}`
	syncFailed = `{"connectionId":"c1","error":{"description":"It <broke>.","type":"script_http_error"},"failedAt":"2026-03-04T05:07:00.000Z","from":"nango",` +
		`"model":"Issue,Label","providerConfigKey":"github-dev","startedAt":"2026-03-04T05:06:07.008Z","success":false,"syncName":"issues",` +
		`"syncType":"INITIAL","syncVariant":"base","type":"sync"}`
	syncFailedAt = `{"checkpoints":{"from":{"page":2},"to":null},"connectionId":"c1","error":{"description":"It <broke>.","payload":{"a":1,"b":[1e+21]},` +
		`"type":"action_script_runtime_error"},"failedAt":"2026-03-04T05:07:00.000Z","from":"nango","model":"Issue,Label","providerConfigKey":"github-dev",` +
		`"startedAt":"2026-03-04T05:06:07.008Z","success":false,"syncName":"issues","syncType":"INITIAL","syncVariant":"base","type":"sync"}`
	syncRefused = `{"connectionId":"c1","error":{"additional_properties":{"upstream_response":{"body":{"a":null,"b":"<>"},` +
		`"headers":{"content-type":"application/json"},"status":422}},"description":"It <broke>.","payload":{"a":null,"b":"<>"},"type":"script_http_error"},` +
		`"failedAt":"2026-03-04T05:07:00.000Z","from":"nango","model":"Issue,Label","providerConfigKey":"github-dev",` +
		`"startedAt":"2026-03-04T05:06:07.008Z","success":false,"syncName":"issues","syncType":"INITIAL","syncVariant":"base","type":"sync"}`
)

// synced is a run of a sync with two models, one of which changed.
func synced() SyncEvent {
	return SyncEvent{
		EnvironmentID: 1, IntegrationKey: "github-dev", Provider: "github", ConnectionName: "c1", ConnectionUUID: "u",
		Name: "issues", Variant: "base", Type: SyncInitial, StartedAt: time.Date(2026, 3, 4, 5, 6, 7, 8_999_000, time.UTC),
		Models: []ModelResult{
			{Model: "Issue", Counts: linkspan.RecordCounts{Added: 3, Updated: 2, Deleted: 1, Unchanged: 9}},
			{Model: "Label", Counts: linkspan.RecordCounts{Unchanged: 4}},
		},
	}
}

func failedSync() SyncEvent {
	e := synced()
	e.Failure = &SyncFailure{Type: "script_http_error", Description: "It <broke>.", FailedAt: time.Date(2026, 3, 4, 6, 7, 0, 0, time.FixedZone("", 3600))}
	return e
}

func TestAddSync(t *testing.T) {
	t.Parallel()
	const primary, secondary, own = "https://one.example/hook", "https://two.example/hook", "https://own.example/hook"
	normal := linkspan.WebhookSettings{PrimaryURL: primary, SecondaryURL: secondary, OnSyncError: true}
	always := linkspan.WebhookSettings{PrimaryURL: primary, OnSyncCompletionAlways: true}
	checkpointed := synced()
	checkpointed.Variant, checkpointed.Type, checkpointed.Checkpointed = "eu", SyncIncremental, true
	checkpointed.To = json.RawMessage(`{"page": 2, "a": "<é>", "10": true}`)
	overridden := synced()
	overridden.ConnectionUUID = "overridden"
	unchanged := synced()
	unchanged.Models = unchanged.Models[1:]
	explained := failedSync()
	explained.Checkpointed, explained.From = true, json.RawMessage(`{"page":2}`)
	explained.Failure.Type, explained.Failure.Payload = "action_script_runtime_error", json.RawMessage(`{"b":[1e21],"a":1}`)
	refused := failedSync()
	refused.Failure.Payload = json.RawMessage(`{"b":"<>","a":null}`)
	refused.Failure.Upstream = &linkspan.UpstreamAnswer{
		Status: 422, Headers: map[string]string{"content-type": "application/json"}, Body: json.RawMessage(`{"b":"<>","a":null}`),
	}
	for name, test := range map[string]struct {
		settings linkspan.WebhookSettings
		event    SyncEvent
		urls     []string
		bodies   []string
	}{
		"what changed":                 {normal, synced(), []string{primary, secondary}, []string{syncedIssues}},
		"all models":                   {always, synced(), []string{primary}, []string{syncedIssues, syncedLabels}},
		"nothing changed":              {normal, unchanged, nil, nil},
		"nothing changed, but always":  {always, unchanged, []string{primary}, []string{syncedLabels}},
		"no URL":                       {linkspan.WebhookSettings{OnSyncError: true, OnSyncCompletionAlways: true}, synced(), nil, nil},
		"the connection's own URL":     {normal, overridden, []string{own}, []string{syncedIssues}},
		"only the connection has one":  {linkspan.WebhookSettings{}, overridden, []string{own}, []string{syncedIssues}},
		"checkpoints":                  {normal, checkpointed, []string{primary, secondary}, []string{syncedFrom}},
		"failed":                       {normal, failedSync(), []string{primary, secondary}, []string{syncFailed}},
		"failed with a payload":        {normal, explained, []string{primary, secondary}, []string{syncFailedAt}},
		"refused by an API":            {normal, refused, []string{primary, secondary}, []string{syncRefused}},
		"failed, and nobody wants it":  {always, failedSync(), nil, nil},
		"failed, without a single URL": {linkspan.WebhookSettings{OnSyncError: true}, failedSync(), nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newTestWorld()
			env := w.envs[1]
			env.Settings.Webhooks = test.settings
			w.envs[1], w.overrides = env, map[string]string{"overridden": own}
			s := w.service("me")
			if err := s.AddSync(t.Context(), nil, test.event); err != nil {
				t.Fatal(err)
			}
			var urls, bodies []string
			list, err := s.Deliveries(t.Context(), linkspan.DeliveryFilter{EnvironmentID: 1})
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range list {
				urls, bodies = append(urls, d.URL), append(bodies, d.Event.Body.Reveal())
				if e := &d.Event; e.Type != "sync" || action(e) != linkspan.ActionSyncHook || e.ConnectionName != "c1" || e.ConnectionUUID != test.event.ConnectionUUID || e.ConnectionUUID == "" || e.Provider != "github" {
					t.Errorf("stored: %+v", e)
				}
			}
			slices.Sort(urls)
			slices.Sort(bodies)
			if diff := cmp.Diff(test.urls, slices.Compact(urls)); diff != "" {
				t.Errorf("URLs (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.bodies, slices.Compact(bodies)); diff != "" {
				t.Errorf("bodies (-want +got):\n%s", diff)
			}
			if len(list) != len(test.urls)*len(test.bodies) {
				t.Errorf("%d deliveries", len(list))
			}
		})
	}
}

// TestAddSyncWithout looks at syncs of environments that are gone, and at
// databases that are.
func TestAddSyncWithout(t *testing.T) {
	t.Parallel()
	w := newTestWorld()
	s := w.service("me")
	e := synced()
	e.EnvironmentID = 9
	if err := s.AddSync(t.Context(), nil, e); err != nil {
		t.Errorf("an environment that is gone: %v", err)
	}
	w.setDown(true)
	if err := s.AddSync(t.Context(), nil, synced()); !errors.Is(err, errDown) {
		t.Errorf("without a database: %v", err)
	}
}
