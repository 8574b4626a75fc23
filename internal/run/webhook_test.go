package run

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
)

// listening is a world with functions that take webhooks: the sync "issues" those of
// issues, twice; the function "all" every one, "some" those of comments.
func listening() *world {
	w := newSyncWorld()
	w.add(linkspan.Function{ID: 61, Kind: linkspan.FunctionSync, Name: "issues", Enabled: true, Version: linkspan.FunctionVersion{Definition: linkspan.FunctionDefinition{
		Models: []string{"Issue"}, WebhookSubscriptions: []string{"issue", "*", "issue"},
	}}})
	w.add(linkspan.Function{ID: 62, Kind: linkspan.FunctionAction, Name: "all", Enabled: true, Version: linkspan.FunctionVersion{Definition: linkspan.FunctionDefinition{
		Unified: &linkspan.UnifiedFunction{Trigger: linkspan.TriggerHTTP},
	}}})
	w.add(linkspan.Function{ID: 63, Kind: linkspan.FunctionAction, Name: "some", Enabled: true, Version: linkspan.FunctionVersion{Definition: linkspan.FunctionDefinition{
		WebhookSubscriptions: []string{"comment"}, Unified: &linkspan.UnifiedFunction{Trigger: linkspan.TriggerHTTP},
	}}})
	w.add(linkspan.Function{ID: 64, Kind: linkspan.FunctionSync, Name: "deaf", Enabled: true, Version: linkspan.FunctionVersion{Definition: linkspan.FunctionDefinition{
		WebhookSubscriptions: []string{"comment"},
	}}})
	return w
}

// event is a webhook about the connection c1, which is named twice.
func (w *world) event(kind string) WebhookEvent {
	c := w.connections["c1"].Connection
	return WebhookEvent{
		Environment: 1, IntegrationKey: "github", Connections: []linkspan.Connection{c, c}, Type: kind, Payload: json.RawMessage(`{"issue":{"id":5}}`),
		Request: HTTPRequest{Path: "/github", Headers: map[string]string{"x-event": "issue"}},
	}
}

// TestWebhook has a sync and a function take a webhook, once each.
func TestWebhook(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := listening()
		s := w.service("a")
		defer start(t, s)()
		n, err := s.Webhook(t.Context(), w.event("issue"))
		must(t, err)
		if n != 2 {
			t.Errorf("%d runs", n)
		}
		wait(5 * time.Second)
		type took struct {
			Name, Webhook, Request string
			Subscriptions          []string
			Event                  linkspan.FunctionEvent
			Sync                   string
			Wall                   time.Duration
		}
		var got []took
		for _, x := range w.executions() {
			one := took{Name: x.Function.Name, Webhook: string(x.Webhook), Request: string(x.Request), Subscriptions: x.Subscriptions, Event: x.Event, Wall: x.Limits.Wall}
			if x.Sync != nil {
				one.Sync = x.Sync.UUID
				if x.Sync.Run.Run == 0 || x.Sync.Run.Attempt == 0 || !slices.Equal(x.Sync.Models, []string{"Issue"}) {
					t.Errorf("it may write as %+v", x.Sync)
				}
			}
			got = append(got, one)
		}
		slices.SortFunc(got, func(a, b took) int { return -1 * cmpName(a.Name, b.Name) })
		want := []took{
			{Name: "issues", Webhook: `{"issue":{"id":5}}`, Event: linkspan.EventWebhook, Sync: "sync-of-c1", Wall: time.Hour},
			{
				Name: "all", Request: `{"method":"POST","path":"/github","headers":{"x-event":"issue"},"query":{},"body":{"issue":{"id":5}}}`,
				Event: linkspan.EventWebhook, Wall: time.Hour,
			},
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
		if ends := w.syncs.webhooks; len(ends) != 1 || ends[0].Run.State != linkspan.RunSucceeded || ends[0].Run.Sync.ID != 70 || ends[0].Run.Sync.Variant != "base" ||
			ends[0].Function.Name != "issues" || ends[0].StartedAt.IsZero() {
			t.Errorf("the ends: %+v", ends)
		}
		if len(w.syncs.ended) != 0 || len(w.told()) != 0 {
			t.Errorf("it was told as another run: %v, %v", w.syncs.ended, w.told())
		}
		for id := range w.runs {
			if _, err := s.Result(t.Context(), 1, w.row(id).UUID); linkspan.KindOf(err) != linkspan.KindNotFound {
				t.Errorf("its result is that of an asynchronous action: %v", err)
			}
			if r := w.row(id); r.MaxAttempts != 1 || r.Lane != linkspan.LaneQuick || r.ExpiresAt.Sub(r.CreatedAt) > 5*time.Minute {
				t.Errorf("row %+v", r)
			}
		}
	})
}

func cmpName(a, b string) int {
	if a < b {
		return -1
	}
	return 1
}

// TestWebhookFails has what takes a webhook fail, die and come too late: none of it
// is tried again, and the schedule is told of each.
func TestWebhookFails(t *testing.T) {
	t.Parallel()
	failed := &linkspan.RunError{Code: "script_internal_error", Retryable: true}
	for name, test := range map[string]struct {
		execute func(ctx context.Context, x *Execution) (Done, error)
		gone    bool
		late    bool
		want    string
	}{
		"fails":      {execute: func(context.Context, *Execution) (Done, error) { return Done{}, failed }, want: "script_internal_error"},
		"dies twice": {execute: func(context.Context, *Execution) (Done, error) { return Done{Lost: true}, failed }, want: "script_internal_error"},
		"deleted":    {gone: true, want: codeGone},
		"too late":   {late: true, want: codeTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := listening()
				delete(w.functions, "all")
				if test.execute != nil {
					w.execute = test.execute
				}
				w.syncs.noWebhook = test.gone
				s := w.service("a")
				_, err := s.Webhook(t.Context(), w.event("issue"))
				must(t, err)
				if test.late {
					wait(5*time.Minute + time.Second)
				}
				defer start(t, s)()
				wait(time.Minute)
				for id := range w.runs {
					if r := w.row(id); r.State != linkspan.RunFailed || r.Error == nil || r.Error.Code != test.want {
						t.Errorf("row %+v, error %v", r, r.Error)
					}
				}
				// The schedule looks whether the sync is there itself.
				if len(w.syncs.webhooks) != 1 {
					t.Errorf("%d ends", len(w.syncs.webhooks))
				}
			})
		})
	}
}

// TestNobodyTakesIt has a webhook to which nothing subscribes.
func TestNobodyTakesIt(t *testing.T) {
	t.Parallel()
	w := listening()
	delete(w.functions, "all")
	delete(w.functions, "issues")
	if n, err := w.service("a").Webhook(t.Context(), w.event("issue")); n != 0 || err != nil || len(w.runs) != 0 {
		t.Errorf("%d runs, %v", n, err)
	}
	e := w.event("comment")
	e.Payload = json.RawMessage(`"` + string(make([]byte, 17<<20)) + `"`)
	if _, err := w.service("a").Webhook(t.Context(), e); err == nil {
		t.Error("a webhook that is too large was taken")
	}
}

// TestWebhookOfNothing has a webhook without a payload: it still is one, and no run
// of the sync itself.
func TestWebhookOfNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := listening()
		s := w.service("a")
		defer start(t, s)()
		e := w.event("issue")
		e.Payload, e.Request = nil, HTTPRequest{}
		_, err := s.Webhook(t.Context(), e)
		must(t, err)
		wait(5 * time.Second)
		for _, x := range w.executions() {
			got, want := string(x.Webhook), "null"
			if x.Function.Name == "all" {
				got, want = string(x.Request), `{"method":"POST","path":"/","headers":{},"query":{},"body":null}`
			}
			if got != want {
				t.Errorf("%s was given %q, want %q", x.Function.Name, got, want)
			}
		}
	})
}

// TestWebhookForOthers has a webhook come for connections that it can't be about, and
// for more than can be stored: nobody gets it.
func TestWebhookForOthers(t *testing.T) {
	t.Parallel()
	w := listening()
	for name, c := range map[string]struct {
		change func(*WebhookEvent)
		kind   linkspan.Kind
	}{
		"another environment": {func(e *WebhookEvent) { e.Connections[1].EnvironmentID = 2 }, linkspan.KindInternal},
		"another integration": {func(e *WebhookEvent) { e.Connections[1].IntegrationKey = "slack" }, linkspan.KindInternal},
		"too many": {func(e *WebhookEvent) {
			e.Connections = many(&e.Connections[0], mostWebhookRuns/2+1)
		}, linkspan.KindTooLarge},
		"too much": {func(e *WebhookEvent) {
			e.Connections = many(&e.Connections[0], 200)
			e.Payload = json.RawMessage(`"` + strings.Repeat("x", 1<<20) + `"`)
		}, linkspan.KindTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := w.event("issue")
			c.change(&e)
			if n, err := w.service("a").Webhook(t.Context(), e); n != 0 || err == nil || linkspan.KindOf(err) != c.kind {
				t.Errorf("%d runs, %v", n, err)
			}
		})
	}
	t.Cleanup(func() {
		if len(w.runs) != 0 {
			t.Errorf("%d runs were stored", len(w.runs))
		}
	})
}

// many are so many connections of the same integration.
func many(c *linkspan.Connection, n int) []linkspan.Connection {
	list := make([]linkspan.Connection, n)
	for i := range list {
		list[i] = *c
		list[i].ID += linkspan.ConnectionID(i)
	}
	return list
}
