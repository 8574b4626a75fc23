package schedule_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/change"
	"github.com/linkspan/linkspan/internal/connect"
	"github.com/linkspan/linkspan/internal/environment"
	"github.com/linkspan/linkspan/internal/function"
	"github.com/linkspan/linkspan/internal/integration"
	"github.com/linkspan/linkspan/internal/lease"
	"github.com/linkspan/linkspan/internal/schedule"
)

func TestStartAndPause(t *testing.T) {
	t.Parallel()
	everyDatabase(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.deploy(syncFunction("issues", "every hour", false, "Issue"), syncFunction("once", "", true, "Once"))
		w.connect("c1")
		w.connect("c2")
		id := w.status("c1", "issues").Sync.ID
		w.tick()
		w.wantRuns(id)
		must(t, w.syncs.Start(ctx, w.selection("", "issues")))
		started := w.status("c1", "issues")
		must(t, w.syncs.Start(ctx, w.selection("", "issues"))) // it is already
		if again := w.status("c1", "issues"); !again.Sync.Anchor.Equal(started.Sync.Anchor) || again.Sync.State != linkspan.SyncStarted {
			t.Fatalf("started twice: %+v", again.Sync)
		}
		w.tick()
		w.wantRuns(id, "start:waiting")
		if other := w.status("c2", "issues"); other.Sync.Anchor.Equal(started.Sync.Anchor) || len(w.runs(other.Sync.ID)) != 1 {
			t.Fatalf("the other connection: %+v", other)
		}
		r := w.begin(id)
		must(t, w.syncs.Pause(ctx, w.selection("c1", "issues")))
		if st := w.status("c1", "issues"); st.State != schedule.StateRunning || !st.NextAt.IsZero() {
			t.Fatalf("paused while it runs: %+v", st)
		}
		if !w.finish(&r, linkspan.RunSucceeded, false, "Issue") {
			t.Fatal("pausing ended the run")
		}
		if st := w.status("c1", "issues"); st.State != schedule.StatePaused || st.Last != linkspan.RunSucceeded {
			t.Fatalf("paused: %+v", st)
		}
		if st := w.status("c2", "issues"); st.Sync.State != linkspan.SyncStarted {
			t.Fatal("the other connection was paused, too")
		}
		must(t, w.syncs.Start(ctx, w.selection("c1")))
		w.tick()
		w.wantRuns(id, "start:success", "start:waiting")

		// One without a schedule runs when it starts, and then never by itself.
		once := w.status("c1", "once")
		w.wantRuns(once.Sync.ID, "start:waiting")
		if !once.NextAt.IsZero() || once.Frequency != "" {
			t.Fatalf("without a schedule: %+v", once)
		}
	})
}

// TestConnectingFirst has a sync wait for what follows the creation of a
// connection.
func TestConnectingFirst(t *testing.T) {
	t.Parallel()
	everyDatabase(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.deploy(syncFunction("issues", "every 30s", true, "Issue"))
		c := w.connect("c1")
		id := w.status("c1", "issues").Sync.ID
		setup := &linkspan.Run{
			UUID: linkspan.NewUUID(), EnvironmentID: w.env, FunctionID: 1, ConnectionID: c.ID, Kind: linkspan.FunctionOnEvent, Name: "setup",
			Event: linkspan.EventPostConnectionCreation, MaxAttempts: 1, Operation: linkspan.NewOperationID(time.Now()), ExpiresAt: time.Now().Add(time.Hour),
		}
		must(t, w.InsertRuns(ctx, nil, []*linkspan.Run{setup}))
		w.tick()
		w.wantRuns(id)
		if st := w.status("c1", "issues"); !st.NextAt.After(time.Now()) || time.Until(st.NextAt) > 3*time.Second || st.Sync.NextAt.After(st.Sync.Anchor) {
			t.Fatalf("put off: %+v", st.Sync)
		}
		claimed, err := w.ClaimRuns(ctx, nil, []linkspan.RunID{setup.ID}, "test", time.Minute)
		must(t, err)
		claimed[0].State = linkspan.RunSucceeded
		if ok, err := w.FinishRun(ctx, nil, &claimed[0], 0); err != nil || !ok {
			t.Fatal(ok, err)
		}
		w.exec("update syncs set next_at = 1 where id = %d", int64(id))
		w.tick()
		w.wantRuns(id, "start:waiting")
	})
}

func TestFrequencies(t *testing.T) {
	t.Parallel()
	everyDatabase(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.deploy(syncFunction("issues", "every hour", true, "Issue"))
		w.connect("c1")
		w.connect("c2")
		w.tick() // the first runs
		set := func(frequency *string) (string, error) {
			return w.syncs.SetFrequency(ctx, w.env, "github", "c1", schedule.Ref{Name: "issues"}, frequency)
		}
		between := func(name string, least, most time.Duration) {
			t.Helper()
			if in := time.Until(w.status(name, "issues").NextAt); in < least-time.Minute || in > most {
				t.Fatalf("the next run of %s is in %s", name, in)
			}
		}
		between("c1", time.Hour, time.Hour+5*time.Minute)
		got, err := set(new("every half day"))
		must(t, err)
		if got != "12h" || w.status("c1", "issues").Frequency != "12h" || w.status("c2", "issues").Frequency != "1h" {
			t.Fatalf("its own frequency: %s", got)
		}
		between("c1", 12*time.Hour, 12*time.Hour+5*time.Minute)

		// Its own survives a deploy; the others change.
		w.deploy(syncFunction("issues", "every 2 hours", true, "Issue"))
		if a, b := w.status("c1", "issues").Frequency, w.status("c2", "issues").Frequency; a != "12h" || b != "2h" {
			t.Fatalf("after a deploy: %s, %s", a, b)
		}
		between("c1", 12*time.Hour, 12*time.Hour+5*time.Minute)
		between("c2", 2*time.Hour, 2*time.Hour+5*time.Minute)
		w.deploy(syncFunction("issues", "cron 0 0 1 1 *", true, "Issue"))
		next := w.status("c2", "issues").NextAt
		if w.status("c2", "issues").Frequency != "cron 0 0 1 1 *" || next.Month() != time.January || next.Day() != 1 || next.Hour() != 0 || next.Minute() != 0 {
			t.Fatalf("a cron expression: %s", next)
		}
		// The loop and the deploy must agree on when that is.
		f, err := function.ParseFrequency("cron 0 0 1 1 *")
		must(t, err)
		if want := f.Next(time.Now(), w.status("c2", "issues").Sync.Anchor); !next.Equal(want) {
			t.Fatalf("next at %s, want %s", next, want)
		}
		got, err = set(nil)
		must(t, err)
		if got != "cron 0 0 1 1 *" || w.status("c1", "issues").NextAt.Sub(next).Abs() > function.CronSpread {
			t.Fatalf("its function's again: %s", got)
		}
		_, err = set(new("sometimes"))
		wantCode(t, err, "invalid_body")
		_, err = set(new("every 5 seconds"))
		wantCode(t, err, "sync_interval_too_short")
		_, err = w.syncs.SetFrequency(ctx, w.env, "github", "c1", schedule.Ref{Name: "nope"}, nil)
		wantCode(t, err, "unknown_sync")
		_, err = w.syncs.SetFrequency(ctx, w.env, "github", "c3", schedule.Ref{Name: "issues"}, nil)
		wantCode(t, err, "unknown_connection")

		// A run that is due is not put off by a deploy.
		w.exec("update syncs set next_at = 1")
		w.deploy(syncFunction("issues", "every 3 hours", true, "Issue"))
		if n := w.number("select count(*) from syncs where next_at = 1"); n != 2 {
			t.Fatalf("%d are still due", n)
		}
		must(t, w.syncs.Pause(ctx, w.selection("c1")))
		w.deploy(syncFunction("issues", "every 4 hours", true, "Issue"))
		if st := w.status("c1", "issues"); !st.NextAt.IsZero() || st.Frequency != "4h" {
			t.Fatalf("paused, and deployed: %+v", st)
		}
	})
}

// TestFunctionsChange deploys, switches and removes functions that have syncs.
func TestFunctionsChange(t *testing.T) {
	t.Parallel()
	everyDatabase(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		c := w.connect("c1")
		w.deploy(syncFunction("issues", "every hour", true, "Issue", "Shared"), syncFunction("users", "every hour", true, "User", "Shared"))
		w.tick()
		issues, users := w.status("c1", "issues").Sync.ID, w.status("c1", "users").Sync.ID
		w.wantRuns(issues, "start:waiting")
		r, other := w.begin(issues), w.begin(users)
		w.save(&r, "Issue", "1", "2")
		w.save(&r, "Shared", "1")
		w.save(&other, "User", "1")
		w.checkpoint(&c, "issues", "")
		live := func(want map[string]int64) {
			t.Helper()
			all, err := w.records.Live(ctx, nil, w.env, []linkspan.ConnectionID{c.ID})
			must(t, err)
			got := make(map[string]int64)
			for st, n := range all {
				got[st.Model] += n
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatal(diff)
			}
		}
		live(map[string]int64{"Issue": 2, "Shared": 1, "User": 1})

		// Switched off, it runs no more; switched on, it does again.
		name := function.Name{IntegrationKey: "github", Name: "issues"}
		_, err := w.functions.SetEnabled(ctx, w.env, name, false)
		must(t, err)
		if st := w.status("c1", "issues"); st.State != schedule.StatePaused || !st.NextAt.IsZero() || st.Sync.State != linkspan.SyncStarted {
			t.Fatalf("switched off: %+v", st)
		}
		w.wantRuns(issues, "start:cancelled")
		must(t, w.syncs.Start(ctx, w.selection("c1")))
		w.exec("update syncs set next_at = 1 where function_id = 0") // nothing is due
		w.tick()
		w.wantRuns(issues, "start:cancelled")
		must(t, w.syncs.Pause(ctx, w.selection("c1", "issues")))
		must(t, w.syncs.Start(ctx, w.selection("c1", "issues")))
		if n := w.number("select count(*) from syncs where id = %d and state = 'started' and next_at is null", int64(issues)); n != 1 {
			t.Fatal("started while it is switched off, it is due")
		}
		// The anchor is soon after the start, maybe in the past by now.
		w.exec("update syncs set anchor = anchor + 1800000000")
		_, err = w.functions.SetEnabled(ctx, w.env, name, true)
		must(t, err)
		w.tick() // it never succeeded, so it is due at once
		w.wantRuns(issues, "start:cancelled", "start:waiting")
		r = w.begin(issues)
		w.finish(&r, linkspan.RunSucceeded, false, "Issue", "Shared")
		for _, on := range []bool{false, true} {
			_, err = w.functions.SetEnabled(ctx, w.env, name, on)
			must(t, err)
		}
		if in := time.Until(w.status("c1", "issues").NextAt); in < time.Minute {
			t.Fatalf("switched on, the next run is in %s", in)
		}

		// A model that is no longer declared goes, unless another sync fills it.
		w.deploy(syncFunction("issues", "every hour", true, "Shared"), syncFunction("users", "every hour", true, "User", "Shared"))
		live(map[string]int64{"Shared": 1, "User": 1})
		w.finish(&other, linkspan.RunSucceeded, false, "User", "Shared")

		// Removed, it goes with its checkpoint and what only it has filled.
		w.deploy(syncFunction("users", "every hour", true, "User", "Shared"))
		live(map[string]int64{"Shared": 1, "User": 1})
		if list, err := w.syncs.Status(ctx, w.selection("c1")); err != nil || len(list) != 1 {
			t.Fatalf("%v, %v", list, err)
		}
		if n := w.number("select count(*) from checkpoints"); n != 0 {
			t.Fatalf("%d checkpoints are left", n)
		}
		w.deploy()
		live(map[string]int64{})
		// Deployed again, it begins from the start.
		w.deploy(syncFunction("issues", "every hour", true, "Issue"))
		again := w.status("c1", "issues")
		if again.Sync.ID == issues || !again.Initial || again.NextAt.IsZero() {
			t.Fatalf("deployed again: %+v", again)
		}
		// An earlier version may have another schedule.
		w.deploy(syncFunction("issues", "every 5 hours", true, "Issue"))
		w.tick()
		_, err = w.functions.Rollback(ctx, w.env, name, 1)
		must(t, err)
		if got := w.status("c1", "issues").Frequency; got != "1h" {
			t.Fatalf("rolled back: %s", got)
		}
	})
}

func TestVariants(t *testing.T) {
	t.Parallel()
	everyDatabase(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.deploy(syncFunction("issues", "every hour", true, "Issue"), syncFunction("more", "every hour", false, "Issue"))
		c := w.connect("c1")
		create := func(variant string) (linkspan.Sync, error) {
			return w.syncs.CreateVariant(ctx, w.env, "github", "c1", schedule.Ref{Name: "issues", Variant: variant})
		}
		made, err := create("eu")
		must(t, err)
		if made.ID == 0 || made.Variant != "eu" || made.Name != "issues" {
			t.Fatalf("made: %+v", made)
		}
		_, err = create("eu")
		wantCode(t, err, "sync_variant_already_exists")
		for _, bad := range []string{"base", "", "e u", "*"} {
			_, err = create(bad)
			wantCode(t, err, "invalid_variant")
		}
		w.tick()
		w.wantRuns(made.ID, "start:waiting")
		r := w.begin(made.ID)
		w.save(&r, "Issue", "1")
		w.checkpoint(&c, "issues", "eu")
		if st := w.status("c1", "issues::eu"); st.Records["Issue"] != 1 || st.Checkpoint == nil || st.Sync.UUID != made.UUID {
			t.Fatalf("the variant: %+v", st)
		}
		if st := w.status("c1", "issues"); st.Records["Issue"] != 0 || st.Checkpoint != nil {
			t.Fatalf("the base variant: %+v", st)
		}
		list, err := w.syncs.Status(ctx, w.selection("c1", "issues::*", "issues"))
		if err != nil || len(list) != 2 {
			t.Fatalf("%v, %v", list, err)
		}
		got, err := w.syncs.SetFrequency(ctx, w.env, "github", "c1", schedule.Ref{Name: "issues", Variant: "eu"}, new("1d"))
		if err != nil || got != "1d" || w.status("c1", "issues").Frequency != "1h" {
			t.Fatalf("%s, %v", got, err)
		}

		// Another sync fills the same model in the same variant.
		_, err = w.syncs.CreateVariant(ctx, w.env, "github", "c1", schedule.Ref{Name: "more", Variant: "eu"})
		must(t, err)
		remove := func(name string) error {
			return w.syncs.DeleteVariant(ctx, w.env, "github", "c1", schedule.Ref{Name: name, Variant: "eu"})
		}
		must(t, remove("issues"))
		if w.finish(&r, linkspan.RunSucceeded, false, "Issue") {
			t.Fatal("the run of a variant that was deleted ends well")
		}
		if n := w.number("select count(*) from checkpoints"); n != 0 {
			t.Fatalf("%d checkpoints are left", n)
		}
		if st := w.status("c1", "more::eu"); st.Records["Issue"] != 1 {
			t.Fatalf("the other sync's records: %+v", st.Records)
		}
		must(t, remove("more"))
		if live, err := w.records.Live(ctx, nil, w.env, []linkspan.ConnectionID{c.ID}); err != nil || len(live) != 0 {
			t.Fatalf("%v, %v", live, err)
		}
		wantCode(t, remove("more"), "not_found")
		wantCode(t, w.syncs.DeleteVariant(ctx, w.env, "github", "c1", schedule.Ref{Name: "issues", Variant: "base"}), "invalid_variant")

		for i := 2; i < schedule.MaxSyncs; i++ {
			_, err = create(fmt.Sprintf("v%d", i))
			must(t, err)
		}
		_, err = create("onemore")
		wantCode(t, err, "resource_capped")
		must(t, w.syncs.Trigger(ctx, w.selection("c1"), schedule.TriggerOptions{}))
		if n := w.number("select count(*) from runs where ended_at is null"); n != schedule.MaxSyncs {
			t.Fatalf("%d of all variants run", n)
		}
	})
}

// TestDeletions deletes what syncs belong to, as the API does.
func TestDeletions(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		remove func(ctx context.Context, w *world) error
		// left is how many connections keep their syncs, and their records.
		left int64
	}{
		"connection": {func(ctx context.Context, w *world) error {
			s := connect.New(connect.Config{
				Store: w.Store, Tx: w.Store, Feed: change.NewFeed(w.Store, quiet()), Leases: lease.NewKeeper(w.Store, "test", quiet()), Syncs: w.syncs, Log: quiet(),
			})
			return s.Delete(ctx, w.env, "github", "c1")
		}, 2},
		"integration": {func(ctx context.Context, w *world) error {
			s := integration.New(w.Store, w.Store, nil)
			s.UseSyncs(w.syncs)
			return s.Delete(ctx, w.env, "github")
		}, 1},
		"environment": {func(ctx context.Context, w *world) error {
			s := environment.New(w.Store, w.Store)
			s.UseSyncs(w.syncs)
			return s.Delete(ctx, w.account, w.envUUID)
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			everyDatabase(t, func(t *testing.T, w *world) { w.testDeletion(t, test.remove, test.left) })
		})
	}
}

// testDeletion has a run of the connection c1 under way while it is removed, and
// others wait; one of them is of another integration.
func (w *world) testDeletion(t *testing.T, remove func(ctx context.Context, w *world) error, left int64) {
	t.Helper()
	ctx := t.Context()
	issues, other := syncFunction("issues", "every hour", true, "Issue"), syncFunction("pages", "every hour", true, "Page")
	other.IntegrationKey = "notion"
	notion := linkspan.Integration{UUID: linkspan.NewUUID(), EnvironmentID: w.env, Key: "notion", Provider: "notion"}
	must(t, w.InsertIntegration(ctx, nil, &notion))
	w.deploy(issues, other)
	for _, name := range []string{"c1", "c2"} {
		w.connect(name)
	}
	github := w.integration
	w.integration = notion
	w.connect("c3")
	w.integration = github
	w.tick()
	first := w.begin(w.status("c1", "issues").Sync.ID)
	w.save(&first, "Issue", "1")
	w.checkpoint(&linkspan.Connection{ID: first.ConnectionID}, "issues", linkspan.BaseVariant)
	must(t, remove(ctx, w))
	if w.finish(&first, linkspan.RunSucceeded, false, "Issue") {
		t.Error("the run of what was deleted ends well")
	}
	if _, err := w.syncs.Begin(ctx, &first); linkspan.KindOf(err) != linkspan.KindNotFound {
		t.Errorf("a run of a sync that is gone begins: %v", err)
	}
	for {
		n, err := w.records.PurgeDropped(ctx, 100)
		must(t, err)
		if n == 0 {
			break
		}
	}
	for what, test := range map[string]struct {
		rows string
		want int64
	}{
		"syncs":           {"syncs", left},
		"active runs":     {"runs where ended_at is null", left},
		"streams":         {"record_streams where dropped_at is null", 0},
		"records":         {"records", 0},
		"checkpoints":     {"checkpoints", 0},
		"untold replicas": {"runs r where r.state = 'cancelled' and r.started_at is not null and r.uuid not in (select key from changes)", 0},
	} {
		if n := w.number("select count(*) from %s", test.rows); n != test.want {
			t.Errorf("%d %s, want %d", n, what, test.want)
		}
	}
}

// TestCompleting gives connections the syncs that they have none of.
func TestCompleting(t *testing.T) {
	t.Parallel()
	everyDatabase(t, func(t *testing.T, w *world) {
		w.deploy(syncFunction("issues", "every hour", true, "Issue"))
		w.connect("c1")
		w.connect("c2")
		w.exec("delete from syncs")
		must(t, w.syncs.Pause(t.Context(), w.selection("c1")))
		if st := w.status("c1", "issues"); st.State != schedule.StatePaused {
			t.Fatalf("c1: %+v", st)
		}
		w.exec("delete from syncs")
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- w.syncs.Run(ctx) }()
		for w.number("select count(*) from syncs") != 2 || w.number("select count(*) from runs where ended_at is null") != 2 {
			if t.Context().Err() != nil {
				t.Fatal("the syncs do not come back")
			}
			<-time.After(5 * time.Millisecond)
		}
		stop()
		must(t, <-ended)
	})
}

func TestOperations(t *testing.T) {
	t.Parallel()
	everyDatabase(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.deploy(syncFunction("issues", "every hour", true, "Issue"))
		c := w.connect("c1")
		w.connect("c2")
		sel := w.selection("c1", "issues")
		must(t, w.syncs.Pause(ctx, sel))
		must(t, w.syncs.Start(ctx, sel))
		must(t, w.syncs.Trigger(ctx, sel, schedule.TriggerOptions{}))
		must(t, w.syncs.Trigger(ctx, sel, schedule.TriggerOptions{Reset: true}))
		must(t, w.syncs.Cancel(ctx, w.selection("")))
		if err := w.syncs.Pause(ctx, w.selection("c1", "nope")); err == nil {
			t.Fatal("an unknown sync was paused")
		}
		stopped, stop := context.WithCancel(ctx)
		stop()
		must(t, w.ops.Run(stopped)) // writes the rest
		list := query(w, "select action, state, message, connection_uuid from operations where type = 'sync' order by created_at, id",
			func(scan func(...any) error) (o linkspan.Operation, err error) {
				return o, scan(&o.Action, &o.State, &o.Message, &o.ConnectionUUID)
			})
		got := make([]string, 0, len(list))
		for _, o := range list {
			got = append(got, fmt.Sprintf("%s %s %t: %s", o.Action, o.State, o.ConnectionUUID == c.UUID, o.Message))
		}
		want := []string{
			"pause success true: Paused the sync issues.",
			"unpause success true: Started the sync issues.",
			"request_run success true: Asked for a run of the sync issues.",
			"request_run_full success true: Asked for a run from the start of the sync issues.",
			"cancel success false: Cancelled the runs of all syncs of all connections, 2 in all.",
			`pause failed false: There is no sync "nope" for the connection "c1" of the integration "github".`,
		}
		slices.Sort(got)
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}
