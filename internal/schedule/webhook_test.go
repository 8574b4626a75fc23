package schedule_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/function"
	"github.com/linkspan/linkspan/internal/record"
	"github.com/linkspan/linkspan/internal/schedule"
	"github.com/linkspan/linkspan/internal/webhook"
)

// hooked stores a run in which the sync "issues" takes a webhook for a connection,
// and claims it.
func (w *world) hooked(c *linkspan.Connection) linkspan.Run {
	w.tb.Helper()
	ctx := w.tb.Context()
	list, err := w.functions.All(ctx, w.env)
	must(w.tb, err)
	r := &linkspan.Run{
		UUID: linkspan.NewUUID(), EnvironmentID: w.env, FunctionID: list[0].ID, ConnectionID: c.ID, Kind: linkspan.FunctionSync, Name: "issues",
		Event: linkspan.EventWebhook, IntegrationKey: "github", Provider: "github", ConnectionName: c.Name, ConnectionUUID: c.UUID,
		MaxAttempts: 1, ExpiresAt: time.Now().Add(time.Hour),
	}
	must(w.tb, w.InsertRuns(ctx, nil, []*linkspan.Run{r}))
	claimed, err := w.ClaimRuns(ctx, nil, []linkspan.RunID{r.ID}, "test", time.Minute)
	must(w.tb, err)
	if len(claimed) != 1 || !claimed[0].TakesWebhook() || claimed[0].Lane != linkspan.LaneQuick {
		w.tb.Fatalf("claimed %+v", claimed)
	}
	return claimed[0]
}

// saveHooked has such a run save a record, and reports whether it could.
func (w *world) saveHooked(r *linkspan.Run, id string) error {
	_, err := w.records.Save(w.tb.Context(), record.Write{
		Stream:  linkspan.RecordStream{EnvironmentID: w.env, ConnectionID: r.ConnectionID, Model: "Issue", Variant: linkspan.BaseVariant},
		Fence:   linkspan.RunFence{Run: r.ID, Attempt: r.Attempt},
		Records: []byte(`[{"id":"` + id + `"}]`),
	})
	return err
}

// finishHooked ends such a run, as a dispatcher does.
func (w *world) finishHooked(r *linkspan.Run, state linkspan.RunState) (stored bool) {
	w.tb.Helper()
	must(w.tb, w.InTx(w.tb.Context(), func(ctx context.Context, tx linkspan.Tx) error {
		end := *r
		sy, err := w.syncs.Webhook(ctx, tx, r)
		if err != nil && linkspan.KindOf(err) != linkspan.KindNotFound {
			return err
		}
		if end.State, end.Sync = state, (&linkspan.RunSync{ID: sy.ID, Variant: linkspan.BaseVariant}); state == linkspan.RunFailed {
			end.Error = &linkspan.RunError{Code: "script_error", Message: "no"}
		}
		if stored, err = w.FinishRun(ctx, tx, &end, 0); err != nil || !stored {
			return err
		}
		fn := linkspan.Function{Version: linkspan.FunctionVersion{Definition: linkspan.FunctionDefinition{Models: []string{"Issue", "Other"}}}}
		return w.syncs.WebhookEnded(ctx, tx, schedule.End{Run: &end, Function: fn, StartedAt: r.StartedAt})
	}))
	return stored
}

// TestWebhookRuns has a sync take webhooks beside a run of its own: what they change
// is announced by themselves, or with the sync when they fail.
func TestWebhookRuns(t *testing.T) {
	t.Parallel()
	everyDatabase(t, func(t *testing.T, w *world) {
		w.deploy(syncFunction("issues", "every hour", true, "Issue", "Other"))
		c := w.connect("c1")
		w.tick()
		sy := w.status("c1", "issues").Sync
		own := w.begin(sy.ID)

		first := w.hooked(&c)
		must(t, w.saveHooked(&first, "a"))
		if !w.finishHooked(&first, linkspan.RunSucceeded) {
			t.Fatal("the run could not be ended")
		}
		e := w.told.last(t)
		want := []webhook.ModelResult{{Model: "Issue", Counts: linkspan.RecordCounts{Added: 1}}}
		if d := cmp.Diff(want, e.Models); d != "" || e.Type != webhook.SyncWebhook || e.Failure != nil || e.Variant != "base" || e.ConnectionUUID != c.UUID || e.Name != "issues" || !e.StartedAt.Equal(first.StartedAt) {
			t.Errorf("told %+v\n%s", e, d)
		}

		second := w.hooked(&c)
		must(t, w.saveHooked(&second, "b"))
		w.finishHooked(&second, linkspan.RunFailed)
		if e := w.told.last(t); e.Failure == nil || e.Type != webhook.SyncWebhook {
			t.Errorf("told %+v", e)
		}
		// It was its own run all the while, which goes on and announces the rest.
		w.finish(&own, linkspan.RunSucceeded, false, "Issue")
		if e := w.told.last(t); len(e.Models) != 1 || e.Models[0].Counts.Added != 1 || e.StartedAt.After(second.StartedAt) {
			t.Errorf("told %+v", e)
		}
		w.wantRuns(sy.ID, "start:success")
		if got := w.status("c1", "issues"); got.Records["Issue"] != 2 {
			t.Errorf("records %v", got.Records)
		}
	})
}

// TestWebhookRunsEnd aborts them with what they save to.
func TestWebhookRunsEnd(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(w *world){
		"the connection goes": func(w *world) { must(w.tb, w.disconnect("c1")) },
		"the function goes":   func(w *world) { w.deploy() },
		"the function is off": func(w *world) {
			_, err := w.functions.SetEnabled(w.tb.Context(), w.env, function.Name{IntegrationKey: "github", Name: "issues"}, false)
			must(w.tb, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			everyDatabase(t, func(t *testing.T, w *world) {
				w.deploy(syncFunction("issues", "every hour", true, "Issue"))
				c, other := w.connect("c1"), w.connect("c2")
				run, elsewhere := w.hooked(&c), w.hooked(&other)
				must(t, w.saveHooked(&run, "a"))
				end(w)
				wantCode(t, w.saveHooked(&run, "b"), "run_lost")
				if w.finishHooked(&run, linkspan.RunSucceeded) {
					t.Error("it could still be ended")
				}
				if err := w.saveHooked(&elsewhere, "a"); name == "the connection goes" && err != nil {
					t.Errorf("one of another connection: %v", err)
				}
			})
		})
	}
}

// TestWebhookRunsBrokenOff switches a function off while it takes webhooks: what they
// have saved until then is announced when it runs again.
func TestWebhookRunsBrokenOff(t *testing.T) {
	t.Parallel()
	everyDatabase(t, func(t *testing.T, w *world) {
		w.deploy(syncFunction("issues", "every hour", true, "Issue"))
		c := w.connect("c1")
		w.tick()
		sy := w.status("c1", "issues").Sync
		own := w.begin(sy.ID)
		w.finish(&own, linkspan.RunSucceeded, false, "Issue")
		for _, id := range []string{"a", "b"} {
			run := w.hooked(&c)
			must(t, w.saveHooked(&run, id))
		}
		name := function.Name{IntegrationKey: "github", Name: "issues"}
		for _, enabled := range []bool{false, true} {
			_, err := w.functions.SetEnabled(t.Context(), w.env, name, enabled)
			must(t, err)
		}
		must(t, w.syncs.Trigger(t.Context(), w.selection("c1", "issues"), schedule.TriggerOptions{}))
		own = w.begin(sy.ID)
		w.finish(&own, linkspan.RunSucceeded, false, "Issue")
		if e := w.told.last(t); len(e.Models) != 1 || e.Models[0].Counts.Added != 2 {
			t.Errorf("told %+v", e)
		}
	})
}
