package schedule_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/function"
	"github.com/linkspan/linkspan/internal/record"
	"github.com/linkspan/linkspan/internal/schedule"
	"github.com/linkspan/linkspan/internal/webhook"
)

// TestLife follows one sync from the connection to its second run.
func TestLife(t *testing.T) {
	t.Parallel()
	everyDatabase(t, func(t *testing.T, w *world) {
		w.deploy(syncFunction("issues", "every hour", true, "Issue", "User"), syncFunction("manual", "every 2 days", false, "Thing"))
		c := w.connect("c1")
		before := w.status("c1", "issues")
		id := before.Sync.ID
		if before.State != schedule.StateSuccess || before.NextAt.IsZero() || before.Frequency != "1h" || !before.Initial || !before.FinishedAt.IsZero() || before.Checkpoint != nil {
			t.Fatalf("before the first run: %+v", before)
		}
		if st := w.status("c1", "manual"); st.State != schedule.StatePaused || !st.NextAt.IsZero() || st.Frequency != "2d" {
			t.Fatalf("a sync that does not start by itself: %+v", st)
		}

		w.tick()
		w.tick()
		w.wantRuns(id, "start:waiting")
		if st := w.status("c1", "issues"); st.State != schedule.StateRunning {
			t.Fatalf("waiting and due: %s", st.State)
		}
		st := w.status("c1", "issues")
		if in := time.Until(st.NextAt); in < time.Hour-time.Minute || in > time.Hour+5*time.Minute {
			t.Fatalf("the second run comes in %s", in)
		}
		r := w.begin(id)
		begun, err := w.syncs.Begin(t.Context(), &r)
		must(t, err)
		if begun.Checkpoint.Version != 0 || begun.Checkpoint.Key != "sync/issues/base" || !begun.LastSync.IsZero() || begun.Sync.UUID != st.Sync.UUID {
			t.Fatalf("begun with %+v", begun)
		}
		w.save(&r, "Issue", "1", "2", "3")
		w.checkpoint(&c, "issues", "")
		if !w.finish(&r, linkspan.RunSucceeded, false, "Issue", "User") {
			t.Fatal("the run was lost")
		}
		e := w.told.last(t)
		want := []webhook.ModelResult{{Model: "Issue", Counts: linkspan.RecordCounts{Added: 3}}, {Model: "User"}}
		if e.Type != webhook.SyncInitial || e.Failure != nil || !e.StartedAt.Equal(r.StartedAt) || !slices.Equal(e.Models, want) || e.ConnectionName != "c1" || !e.Checkpointed {
			t.Fatalf("told: %+v", e)
		}
		st = w.status("c1", "issues")
		if st.State != schedule.StateSuccess || st.Initial || st.FinishedAt.IsZero() || st.Latest["Issue"].Added != 3 || st.Records["Issue"] != 3 || st.Records["User"] != 0 ||
			string(st.Checkpoint) != `{"page":7}` || !st.Sync.SucceededAt.Equal(r.StartedAt) || st.Last != linkspan.RunSucceeded {
			t.Fatalf("after the first run: %+v", st)
		}

		// The next one is by the schedule, however many were missed.
		w.exec("update syncs set next_at = anchor - 0, anchor = anchor - %d where id = %d", (10 * time.Hour).Microseconds(), int64(id))
		w.exec("update syncs set next_at = anchor + %d where id = %d", time.Hour.Microseconds(), int64(id))
		w.tick()
		w.wantRuns(id, "start:success", "schedule:waiting")
		if next := w.status("c1", "issues").NextAt; !next.After(time.Now()) {
			t.Fatalf("missed turns pile up: the next is at %s", next)
		}
		r = w.begin(id)
		if begun, err := w.syncs.Begin(t.Context(), &r); err != nil || begun.Checkpoint.Version == 0 || begun.LastSync.IsZero() {
			t.Fatalf("begun with %+v, %v", begun, err)
		}
		// A turn that comes while it runs is left out.
		w.exec("update syncs set next_at = 1 where id = %d", int64(id))
		w.tick()
		w.wantRuns(id, "start:success", "schedule:running")
		if next := w.status("c1", "issues").NextAt; !next.After(time.Now()) {
			t.Fatalf("after a turn that was left out: %s", next)
		}
	})
}

// TestAnnouncing is about changes of runs that did not succeed, which the next one
// that does tells of.
func TestAnnouncing(t *testing.T) {
	t.Parallel()
	everyDatabase(t, func(t *testing.T, w *world) {
		w.deploy(syncFunction("issues", "every hour", true, "Issue"))
		c := w.connect("c1")
		w.tick()
		id := w.status("c1", "issues").Sync.ID
		first := w.begin(id)
		w.save(&first, "Issue", "1", "2")
		w.finish(&first, linkspan.RunFailed, false, "Issue")
		e := w.told.last(t)
		if e.Failure == nil || e.Failure.Type != "script_error" || e.Failure.Description != "no" || e.Failure.FailedAt.IsZero() || !e.StartedAt.Equal(first.StartedAt) {
			t.Fatalf("told of the failure: %+v", e)
		}
		if e.ConnectionUUID != c.UUID || e.Variant != linkspan.BaseVariant || e.Name != "issues" || e.ConnectionName != "c1" {
			t.Fatalf("told of something else: %+v", e)
		}
		if st := w.status("c1", "issues"); st.State != schedule.StateError || st.Latest["Issue"].Added != 2 || !st.Initial {
			t.Fatalf("after a failure: %+v", st)
		}
		// A run that is aborted has changed something, too.
		must(t, w.syncs.Trigger(t.Context(), w.selection("c1"), schedule.TriggerOptions{}))
		second := w.begin(id)
		w.save(&second, "Issue", "3")
		must(t, w.syncs.Cancel(t.Context(), w.selection("c1", "issues")))
		if w.finish(&second, linkspan.RunSucceeded, false, "Issue") {
			t.Fatal("a run that was aborted ends well")
		}
		if st := w.status("c1", "issues"); st.State != schedule.StateError || st.Last != linkspan.RunCancelled {
			t.Fatalf("after an abort: %+v", st)
		}
		must(t, w.syncs.Trigger(t.Context(), w.selection("c1"), schedule.TriggerOptions{}))
		third := w.begin(id)
		w.save(&third, "Issue", "1", "4")
		w.finish(&third, linkspan.RunSucceeded, false, "Issue")
		e = w.told.last(t)
		if e.Failure != nil || !e.StartedAt.Equal(first.StartedAt) || len(e.Models) != 1 || e.Models[0].Counts.Added != 4 || e.Type != webhook.SyncInitial {
			t.Fatalf("told at last: %+v", e)
		}
		if st := w.status("c1", "issues"); st.Latest["Issue"].Added != 1 || st.Latest["Issue"].Unchanged != 1 {
			t.Fatalf("the last run's own result: %+v", st.Latest)
		}
		must(t, w.syncs.Trigger(t.Context(), w.selection("c1"), schedule.TriggerOptions{}))
		fourth := w.begin(id)
		w.finish(&fourth, linkspan.RunSucceeded, false, "Issue")
		if e = w.told.last(t); !e.StartedAt.Equal(fourth.StartedAt) || e.Models[0].Counts.Changed() || e.Type != webhook.SyncIncremental {
			t.Fatalf("told twice: %+v", e)
		}
		must(t, w.syncs.Trigger(t.Context(), w.selection("c1"), schedule.TriggerOptions{Reset: true}))
		if st := w.status("c1", "issues"); !st.Initial || !st.Sync.SucceededAt.IsZero() {
			t.Fatalf("after a reset: %+v", st)
		}
	})
}

// TestContinuing is about a run that takes longer than one may: the next goes on,
// and only the last one is a success.
func TestContinuing(t *testing.T) {
	t.Parallel()
	everyDatabase(t, func(t *testing.T, w *world) {
		w.deploy(syncFunction("issues", "every hour", true, "Issue"))
		c := w.connect("c1")
		w.tick()
		id := w.status("c1", "issues").Sync.ID
		first := w.begin(id)
		stream := linkspan.RecordStream{EnvironmentID: w.env, ConnectionID: c.ID, Model: "Issue", Variant: "base"}
		_, err := w.records.Save(t.Context(), record.Write{
			Stream: stream, Fence: linkspan.RunFence{Run: first.ID, Attempt: first.Attempt}, Records: []byte(`[{"id":"1"}]`), Window: true,
		})
		must(t, err)
		windows := func(r *linkspan.Run) int64 {
			return w.number("select count(*) from record_windows where run_id = %d", int64(r.ID))
		}
		if windows(&first) != 1 {
			t.Fatal("it is not noted what the run saves")
		}
		must(t, w.syncs.Pause(t.Context(), w.selection("c1"))) // leaves what is under way
		w.checkpoint(&c, "issues", "")
		w.finish(&first, linkspan.RunSucceeded, true, "Issue")
		if e := w.told.last(t); e.Models[0].Counts.Added != 1 {
			t.Fatalf("told of an interrupted run: %+v", e)
		}
		w.wantRuns(id, "start:success", "continue:waiting")
		if st := w.status("c1", "issues"); !st.Initial || st.State != schedule.StateRunning {
			t.Fatalf("interrupted: %+v", st)
		}
		second := w.begin(id)
		if windows(&first) != 0 || windows(&second) != 1 {
			t.Fatal("what the first run saved is forgotten by the one that goes on")
		}
		w.finish(&second, linkspan.RunSucceeded, false, "Issue")
		if e := w.told.last(t); e.Type != webhook.SyncIncremental || string(e.From) != `{"page":7}` {
			t.Fatalf("told of a run that went on: %+v", e)
		}
		if windows(&second) != 0 {
			t.Fatal("the end of the run leaves its window")
		}
		if st := w.status("c1", "issues"); st.Initial || !st.Sync.SucceededAt.Equal(first.StartedAt) || st.State != schedule.StatePaused {
			t.Fatalf("in the end: %+v, the first began at %s", st, first.StartedAt)
		}
		// What ran before that success does not count for the next one.
		must(t, w.syncs.Trigger(t.Context(), w.selection("c1"), schedule.TriggerOptions{}))
		third := w.begin(id)
		w.finish(&third, linkspan.RunSucceeded, false, "Issue")
		if st := w.status("c1", "issues"); !st.Sync.SucceededAt.Equal(third.StartedAt) {
			t.Fatalf("succeeded at %s, want %s", st.Sync.SucceededAt, third.StartedAt)
		}
		if live, err := w.records.Live(t.Context(), nil, w.env, []linkspan.ConnectionID{c.ID}); err != nil || live[stream] != 1 {
			t.Fatalf("%v, %v", live, err)
		}
	})
}

// TestContinuingCancelled breaks the rest of an interrupted run off before it begins:
// what was noted for it is forgotten.
func TestContinuingCancelled(t *testing.T) {
	t.Parallel()
	everyDatabase(t, func(t *testing.T, w *world) {
		w.deploy(syncFunction("issues", "every hour", true, "Issue"))
		c := w.connect("c1")
		w.tick()
		id := w.status("c1", "issues").Sync.ID
		first := w.begin(id)
		_, err := w.records.Save(t.Context(), record.Write{
			Stream: linkspan.RecordStream{EnvironmentID: w.env, ConnectionID: c.ID, Model: "Issue", Variant: "base"},
			Fence:  linkspan.RunFence{Run: first.ID, Attempt: first.Attempt}, Records: []byte(`[{"id":"1"}]`), Window: true,
		})
		must(t, err)
		w.finish(&first, linkspan.RunSucceeded, true, "Issue")
		if n := w.number("select count(*) from record_windows"); n != 1 {
			t.Fatalf("%d windows before", n)
		}
		must(t, w.syncs.Cancel(t.Context(), w.selection("c1")))
		w.wantRuns(id, "start:success", "continue:cancelled")
		if n := w.number("select count(*) from record_windows"); n != 0 {
			t.Fatalf("%d windows are left", n)
		}
	})
}

// TestTriggering is about runs that somebody asks for.
func TestTriggering(t *testing.T) {
	t.Parallel()
	everyDatabase(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.deploy(syncFunction("issues", "every hour", false, "Issue"), syncFunction("off", "every hour", true, "Off"))
		c := w.connect("c1")
		trigger := func(o schedule.TriggerOptions) {
			t.Helper()
			must(t, w.syncs.Trigger(ctx, w.selection("c1", "issues"), o))
		}
		id := w.status("c1", "issues").Sync.ID
		trigger(schedule.TriggerOptions{})
		trigger(schedule.TriggerOptions{}) // one waits already
		w.wantRuns(id, "trigger:waiting")
		first := w.begin(id)
		w.save(&first, "Issue", "1", "2")
		trigger(schedule.TriggerOptions{})
		trigger(schedule.TriggerOptions{})
		w.finish(&first, linkspan.RunSucceeded, false, "Issue")
		w.wantRuns(id, "trigger:success", "trigger:waiting")
		second := w.begin(id)
		w.finish(&second, linkspan.RunSucceeded, false, "Issue")
		w.wantRuns(id, "trigger:success", "trigger:success")

		w.checkpoint(&c, "issues", "")
		trigger(schedule.TriggerOptions{})
		third := w.begin(id)
		w.save(&third, "Issue", "3")
		trigger(schedule.TriggerOptions{Reset: true})
		if w.finish(&third, linkspan.RunSucceeded, false, "Issue") {
			t.Fatal("a run from before the reset ends well")
		}
		w.wantRuns(id, "trigger:success", "trigger:success", "trigger:cancelled", "trigger:waiting")
		if st := w.status("c1", "issues"); st.Checkpoint != nil || !st.Initial || st.Records["Issue"] != 3 || st.State != schedule.StateRunning {
			t.Fatalf("after a reset: %+v", st)
		}
		trigger(schedule.TriggerOptions{Reset: true, Empty: true})
		fourth := w.begin(id)
		if st := w.status("c1", "issues"); st.Records["Issue"] != 0 {
			t.Fatalf("emptied: %+v", st.Records)
		}
		w.save(&fourth, "Issue", "1")
		w.finish(&fourth, linkspan.RunSucceeded, false, "Issue")
		if e := w.told.last(t); e.Models[0].Counts.Added != 1 || e.Type != webhook.SyncInitial {
			t.Fatalf("told after it was emptied: %+v", e)
		}
		wantCode(t, w.syncs.Trigger(ctx, w.selection("c1"), schedule.TriggerOptions{Empty: true}), "invalid_body")

		_, err := w.functions.SetEnabled(ctx, w.env, function.Name{IntegrationKey: "github", Name: "off"}, false)
		must(t, err)
		wantCode(t, w.syncs.Trigger(ctx, w.selection("c1", "issues", "off"), schedule.TriggerOptions{}), "disabled_resource")
		must(t, w.syncs.Trigger(ctx, w.selection("", "issues"), schedule.TriggerOptions{}))
		if n := len(w.runs(id)); n != 6 {
			t.Fatalf("%d runs", n)
		}
	})
}

// TestUnknown asks for what is not there: nothing is changed.
func TestUnknown(t *testing.T) {
	t.Parallel()
	everyDatabase(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.connect("c1")
		wantCode(t, w.syncs.Start(ctx, w.selection("c1")), "no_syncs_found")
		w.deploy(syncFunction("issues", "every hour", true, "Issue"))
		w.tick()
		id := w.status("c1", "issues").Sync.ID
		for code, sel := range map[string]schedule.Selection{
			"no_syncs_found":          w.selection("c1", "issues", "isues"),
			"unknown_connection":      w.selection("c2", "issues"),
			"unknown_provider_config": {Environment: w.env, IntegrationKey: "gitlab"},
		} {
			for _, change := range []func() error{
				func() error { return w.syncs.Start(ctx, sel) },
				func() error { return w.syncs.Pause(ctx, sel) },
				func() error { return w.syncs.Cancel(ctx, sel) },
				func() error { return w.syncs.Trigger(ctx, sel, schedule.TriggerOptions{Reset: true}) },
			} {
				wantCode(t, change(), code)
			}
			if _, err := w.syncs.Status(ctx, sel); code != "no_syncs_found" {
				wantCode(t, err, code)
			} else {
				must(t, err)
			}
		}
		wantCode(t, w.syncs.Pause(ctx, w.selection("c1", "issues::none")), "no_syncs_found")
		unknown := make([]string, 300)
		for i := range unknown {
			unknown[i] = fmt.Sprintf("unknown-%d", i)
		}
		many := w.syncs.Trigger(ctx, w.selection("c1", unknown...), schedule.TriggerOptions{})
		if wantCode(t, many, "no_syncs_found"); len(many.Error()) > 1000 {
			t.Errorf("the error has %d bytes", len(many.Error()))
		}
		wantCode(t, w.syncs.Pause(ctx, schedule.Selection{Environment: w.env + 1, IntegrationKey: "github"}), "unknown_provider_config")
		w.wantRuns(id, "start:waiting")
		if st := w.status("c1", "issues"); st.Sync.State != linkspan.SyncStarted {
			t.Fatal("it was paused")
		}
	})
}
