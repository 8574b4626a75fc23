package storetest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/linkspan/linkspan"
)

// newRun stores a run that is due.
func (w *world) newRun(t *testing.T, env linkspan.EnvironmentID, change func(*linkspan.Run)) *linkspan.Run {
	t.Helper()
	r := &linkspan.Run{
		UUID: linkspan.NewUUID(), EnvironmentID: env, FunctionID: 7, ConnectionID: 8, Kind: linkspan.FunctionAction, Name: "create-issue",
		IntegrationKey: "github", Provider: "github", ConnectionName: "c1", ConnectionUUID: linkspan.NewUUID(),
		Input: linkspan.NewSecret(`{"title":"hello"}`), MaxAttempts: 3, Operation: linkspan.NewOperationID(past()),
		ExpiresAt: time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond),
	}
	if change != nil {
		change(r)
	}
	must(t, w.InsertRuns(t.Context(), nil, []*linkspan.Run{r}))
	return r
}

func (w *world) run(t *testing.T, r *linkspan.Run) linkspan.Run {
	t.Helper()
	got, err := w.Run(t.Context(), nil, r.EnvironmentID, r.UUID)
	must(t, err)
	return got
}

func (w *world) dueRuns(t *testing.T, without ...linkspan.EnvironmentID) []linkspan.RunID {
	t.Helper()
	found, _, err := w.DueRuns(t.Context(), nil, linkspan.RunQuery{FullEnvironments: without, PerGroup: 100, PerEnvironment: 100, Limit: 1000})
	must(t, err)
	return runIDs(found)
}

func runIDs(list []linkspan.Run) []linkspan.RunID {
	ids := make([]linkspan.RunID, len(list))
	for i := range list {
		ids[i] = list[i].ID
	}
	return ids
}

func (w *world) claimRuns(t *testing.T, holder string, ttl time.Duration, ids ...linkspan.RunID) []linkspan.Run {
	t.Helper()
	claimed, err := w.ClaimRuns(t.Context(), nil, ids, holder, ttl)
	must(t, err)
	return claimed
}

func testRuns(t *testing.T, w *world) {
	ctx := t.Context()
	seq, err := w.LatestChange(ctx)
	must(t, err)
	r := w.newRun(t, w.env.ID, nil)
	changes, err := w.ChangesSince(ctx, seq, 10)
	must(t, err)
	if len(changes) != 1 || changes[0].Kind != linkspan.ChangeRunsDue {
		t.Fatalf("the replicas are told %+v", changes)
	}
	wantEqual(t, "a stored run", w.run(t, r), *r)
	if got := w.dueRuns(t); !slices.Equal(got, []linkspan.RunID{r.ID}) {
		t.Fatalf("due: %v", got)
	}
	if got := w.dueRuns(t, w.env.ID); len(got) != 0 {
		t.Fatalf("passed over, but due: %v", got)
	}
	env, err := w.RunEnvironment(ctx, nil, w.env.ID)
	must(t, err)
	wantEqual(t, "its environment", env.Name, w.env.Name)

	if _, err := w.ClaimRuns(ctx, nil, []linkspan.RunID{r.ID}, "", time.Minute); err == nil {
		t.Fatal("a claim without a holder")
	}
	claimed := w.claimRuns(t, "me", time.Minute, r.ID)
	if len(claimed) != 1 || claimed[0].Attempt != 1 || claimed[0].Attempts != 1 || claimed[0].Holder != "me" || !claimed[0].Input.Equal(r.Input) ||
		claimed[0].State != linkspan.RunRunning || claimed[0].StartedAt.IsZero() || !claimed[0].NextAt.IsZero() || time.Until(claimed[0].LeaseUntil) < 30*time.Second {
		t.Fatalf("claimed: %+v", claimed)
	}
	if again := w.claimRuns(t, "you", time.Minute, r.ID); len(again) != 0 || len(w.dueRuns(t)) != 0 {
		t.Fatalf("claimed twice: %+v", again)
	}

	// A failed attempt is due again later.
	c := claimed[0]
	c.State, c.Error = linkspan.RunWaiting, &linkspan.RunError{Code: "script_http_error", Payload: json.RawMessage(`{"a":1}`), Upstream: &linkspan.UpstreamAnswer{Status: 502}}
	ok, err := w.FinishRun(ctx, nil, &c, time.Hour)
	must(t, err)
	got := w.run(t, r)
	if in := time.Until(got.NextAt); !ok || in < 59*time.Minute || in > 61*time.Minute || got.State != linkspan.RunWaiting || got.Attempts != 1 ||
		got.Holder != "" || !got.LeaseUntil.IsZero() || !got.EndedAt.IsZero() || got.Error.Upstream.Status != 502 || string(got.Error.Payload) != `{"a":1}` {
		t.Fatalf("after a failure: %t, %+v", ok, got)
	}
	if claimed := w.claimRuns(t, "me", time.Minute, r.ID); len(claimed) != 0 || len(w.dueRuns(t)) != 0 {
		t.Fatal("a run that is planned for later can be claimed")
	}
	for want, limit := range []int{0, 1} {
		n, err := w.WaitingRuns(ctx, nil, limit)
		must(t, err)
		wantEqual(t, "waiting", n, want)
	}

	// One that succeeded keeps its output and no error.
	done := w.newRun(t, w.env.ID, func(r *linkspan.Run) { r.Input = linkspan.Secret{} })
	c = w.claimRuns(t, "me", time.Minute, done.ID)[0]
	if !c.Input.IsZero() {
		t.Fatalf("an input out of nothing: %q", c.Input.Reveal())
	}
	c.State, c.Output = linkspan.RunSucceeded, linkspan.NewSecret(`[1]`)
	ok, err = w.FinishRun(ctx, nil, &c, 0)
	must(t, err)
	got = w.run(t, done)
	if !ok || got.State != linkspan.RunSucceeded || got.Output.Reveal() != `[1]` || got.Error != nil || got.EndedAt.IsZero() || !got.NextAt.IsZero() {
		t.Fatalf("ended: %t, %+v", ok, got)
	}
	if ok, err := w.FinishRun(ctx, nil, &c, 0); ok || err != nil {
		t.Fatalf("what has ended ends again: %t, %v", ok, err)
	}
	must(t, w.InsertRuns(ctx, nil, nil))
}

func testRunFences(t *testing.T, w *world) {
	ctx := t.Context()
	r := w.newRun(t, w.env.ID, nil)
	stale := w.claimRuns(t, "dead", lapsed, r.ID)
	found, _, err := w.DueRuns(ctx, nil, linkspan.RunQuery{PerGroup: 5, PerEnvironment: 5, Limit: 10})
	must(t, err)
	if len(found) != 1 || found[0].ID != r.ID || found[0].LeaseUntil.IsZero() || found[0].EnvironmentID != w.env.ID {
		t.Fatalf("a lapsed claim is found as %+v", found)
	}
	if got := w.dueRuns(t, w.env.ID); len(got) != 0 {
		t.Fatalf("passed over, but due: %v", got)
	}
	// As long as nobody has taken it over, it is still the first holder's.
	kept, err := w.RenewRuns(ctx, nil, stale, lapsed)
	must(t, err)
	if !slices.Equal(kept, []linkspan.RunID{r.ID}) {
		t.Fatalf("renewed: %v", kept)
	}
	live := w.claimRuns(t, "you", time.Minute, r.ID)
	if len(live) != 1 || live[0].Attempt != 2 || live[0].Attempts != 2 || !live[0].StartedAt.Equal(stale[0].StartedAt) {
		t.Fatalf("taken over: %+v", live)
	}
	if kept, err := w.RenewRuns(ctx, nil, stale, time.Hour); err != nil || len(kept) != 0 {
		t.Fatalf("the first holder renews: %v, %v", kept, err)
	}
	late := stale[0]
	late.State = linkspan.RunFailed
	if ok, err := w.FinishRun(ctx, nil, &late, 0); ok || err != nil {
		t.Fatalf("the first holder finishes: %t, %v", ok, err)
	}
	if ok, err := w.ReleaseRun(ctx, nil, &stale[0]); ok || err != nil {
		t.Fatalf("the first holder releases: %t, %v", ok, err)
	}
	if got := w.dueRuns(t); len(got) != 0 {
		t.Fatalf("the first holder released its successor's claim: %v", got)
	}
	if kept, err := w.RenewRuns(ctx, nil, live, time.Minute); err != nil || len(kept) != 1 {
		t.Fatalf("the holder renews: %v, %v", kept, err)
	}
	if ok, err := w.ReleaseRun(ctx, nil, &live[0]); !ok || err != nil {
		t.Fatalf("the holder releases: %t, %v", ok, err)
	}
	if got := w.run(t, r); got.Attempts != 1 || got.Holder != "" || !got.LeaseUntil.IsZero() || got.State != linkspan.RunWaiting || got.NextAt.IsZero() {
		t.Fatalf("released: %+v", got)
	}
	if got := w.dueRuns(t); len(got) != 1 {
		t.Fatalf("released, but not due: %v", got)
	}
	if ok, err := w.FinishRun(ctx, nil, &live[0], 0); ok || err != nil {
		t.Fatalf("what was released is finished: %t, %v", ok, err)
	}

	// A holder that does not know what it has claimed gives back what is its own.
	mine := w.claimRuns(t, "me", time.Minute, r.ID)[0]
	other := w.claimRuns(t, "you", time.Minute, w.newRun(t, w.env.ID, nil).ID)[0]
	unclaimed := w.newRun(t, w.env.ID, nil)
	must(t, w.ReleaseClaims(ctx, nil, []linkspan.RunID{mine.ID, other.ID, unclaimed.ID}, "me"))
	if got := w.run(t, &mine); got.State != linkspan.RunWaiting || got.Attempts != 1 || got.NextAt.IsZero() || !got.LeaseUntil.IsZero() || got.Holder != "" {
		t.Fatalf("given back: %+v", got)
	}
	if got := w.run(t, &other); got.Holder != "you" || got.Attempts != 1 {
		t.Fatalf("another's claim: %+v", got)
	}
	if got := w.run(t, unclaimed); got.Attempts != 0 {
		t.Fatalf("what nobody had claimed: %+v", got)
	}
}

// testRunsOfOthers counts what other processes work on, alone and while they claim.
func testRunsOfOthers(t *testing.T, w *world) {
	ctx := t.Context()
	mine, theirs, dead, waiting := w.syncRun(1, nil), w.syncRun(2, nil), w.syncRun(3, nil), w.syncRun(4, nil)
	w.insertSyncs(t, mine, theirs, dead, waiting)
	w.claimRuns(t, "me", time.Minute, mine.ID)
	w.claimRuns(t, "you", time.Minute, theirs.ID)
	w.claimRuns(t, "dead", lapsed, dead.ID)
	w.claimRuns(t, "you", time.Minute, w.newRun(t, w.env.ID, nil).ID) // of the other lane
	list, err := w.RunsOfOthers(ctx, nil, linkspan.LaneSync, "me")
	must(t, err)
	if len(list) != 1 {
		t.Fatalf("others run %+v", list)
	}
	wantEqual(t, "a run of another process", list[0], linkspan.Run{
		ID: theirs.ID, EnvironmentID: w.env.ID, FunctionID: 7, ConnectionID: 8, Provider: "github", LeaseUntil: w.run(t, theirs).LeaseUntil,
	})
	quick, err := w.RunsOfOthers(ctx, nil, linkspan.LaneQuick, "me")
	must(t, err)
	wantEqual(t, "runs of the other lane", len(quick), 1)

	// Who asks in a transaction waits for those that have asked: what they claim counts.
	asked := make(chan []linkspan.Run)
	must(t, w.InTx(ctx, func(ctx context.Context, tx linkspan.Tx) error {
		if _, err := w.RunsOfOthers(ctx, tx, linkspan.LaneSync, "you"); err != nil {
			return err
		}
		if ptx, ok := tx.Unwrap().(pgx.Tx); ok { // a process that is stopped now must not hold the others up for long
			var idle time.Duration
			if err := ptx.QueryRow(ctx, "select cast(setting as bigint) * 1000000 from pg_settings where name = 'idle_in_transaction_session_timeout'").Scan(&idle); err != nil {
				return err
			}
			if idle <= 0 || idle >= 15*time.Second {
				t.Errorf("a process that is stopped while it claims holds the others up for %s, longer than its leases last", idle)
			}
		}
		go func() {
			var list []linkspan.Run
			defer func() { asked <- list }()
			if err := w.InTx(t.Context(), func(ctx context.Context, tx linkspan.Tx) (err error) {
				list, err = w.RunsOfOthers(ctx, tx, linkspan.LaneSync, "me")
				return err
			}); err != nil {
				t.Error(err)
			}
		}()
		<-time.After(50 * time.Millisecond) // time for an answer that must not come
		_, err := w.ClaimRuns(ctx, tx, []linkspan.RunID{waiting.ID}, "you", time.Minute)
		return err
	}))
	if list = <-asked; !slices.Contains(runIDs(list), waiting.ID) || len(list) != 2 {
		t.Errorf("beside a claim others run %+v", list)
	}
}

// testRunTurns looks at how far one environment's backlog reaches.
func testRunTurns(t *testing.T, w *world) {
	ctx := t.Context()
	second, third, fourth := w.newEnvironment(t, "b"), w.newEnvironment(t, "c"), w.newEnvironment(t, "d")
	for range 20 {
		w.newRun(t, w.env.ID, nil)
	}
	for range 3 {
		w.newRun(t, third.ID, nil)
		w.newRun(t, fourth.ID, nil)
	}
	// An environment whose only run is not due must not hide the others.
	planned := w.newRun(t, second.ID, nil)
	c := w.claimRuns(t, "me", time.Minute, planned.ID)[0]
	c.State = linkspan.RunWaiting
	_, err := w.FinishRun(ctx, nil, &c, time.Hour)
	must(t, err)

	count := func(after linkspan.EnvironmentID, limit int, without ...linkspan.EnvironmentID) string {
		t.Helper()
		found, _, err := w.DueRuns(ctx, nil, linkspan.RunQuery{From: after, FullEnvironments: without, PerGroup: 2, PerEnvironment: 2, Limit: limit})
		must(t, err)
		var list []linkspan.EnvironmentID
		for i := range found {
			list = append(list, found[i].EnvironmentID)
		}
		return fmt.Sprint(list)
	}
	a, b, d := w.env.ID, third.ID, fourth.ID
	wantEqual(t, "two of each", count(0, 100), fmt.Sprint([]linkspan.EnvironmentID{a, a, b, b, d, d}))
	wantEqual(t, "without one", count(0, 100, a), fmt.Sprint([]linkspan.EnvironmentID{b, b, d, d}))
	wantEqual(t, "the first page", count(0, 2), fmt.Sprint([]linkspan.EnvironmentID{a, a}))
	wantEqual(t, "the second page", count(a+1, 2), fmt.Sprint([]linkspan.EnvironmentID{b, b}))
	wantEqual(t, "behind the last", count(d+1, 2), "[]")
	all := w.dueRuns(t)
	if !slices.IsSorted(all[:20]) {
		t.Errorf("the oldest don't come first: %v", all)
	}
}

// testRunRace has many claim many runs, some of which others let lapse: each goes
// to exactly one.
func testRunRace(t *testing.T, w *world) {
	const claimants = 6
	envs := []linkspan.EnvironmentID{w.env.ID, w.newEnvironment(t, "b").ID, w.newEnvironment(t, "c").ID}
	for i := range 30 {
		r := w.newRun(t, envs[i%len(envs)], nil)
		if i%4 == 0 {
			w.claimRuns(t, "dead", lapsed, r.ID)
		}
	}
	race(t, claimants, 30, func(ctx context.Context, holder string) (due bool, claimed []linkspan.RunID, err error) {
		found, _, err := w.DueRuns(ctx, nil, linkspan.RunQuery{PerGroup: 3, PerEnvironment: 3, Limit: 8})
		if err != nil || len(found) == 0 {
			return false, nil, err
		}
		runs, err := w.ClaimRuns(ctx, nil, runIDs(found), holder, time.Minute)
		for i := range runs {
			claimed = append(claimed, runs[i].ID)
		}
		return true, claimed, err
	})
}

func testRunIsolation(t *testing.T, w *world) {
	other := w.newEnvironment(t, "prod")
	r := w.newRun(t, w.env.ID, nil)
	_, err := w.Run(t.Context(), nil, other.ID, r.UUID)
	wantKind(t, err, linkspan.KindNotFound)
	_, err = w.Run(t.Context(), nil, w.env.ID, linkspan.NewUUID())
	wantKind(t, err, linkspan.KindNotFound)
}

func testRunPurge(t *testing.T, w *world) {
	ctx := t.Context()
	waiting := w.newRun(t, w.env.ID, nil)
	for range 3 {
		c := w.claimRuns(t, "me", time.Minute, w.newRun(t, w.env.ID, nil).ID)[0]
		c.State = linkspan.RunFailed
		_, err := w.FinishRun(ctx, nil, &c, 0)
		must(t, err)
	}
	for _, want := range []struct {
		before time.Time
		n      int
	}{{time.Now().Add(-time.Minute), 0}, {time.Now().Add(time.Minute), 2}, {time.Now().Add(time.Minute), 1}, {time.Now().Add(time.Minute), 0}} {
		n, err := w.PurgeRuns(ctx, nil, want.before, 2)
		must(t, err)
		wantEqual(t, "removed", n, want.n)
	}
	w.run(t, waiting)
	w.testSyncRunPurge(t)
}

// testSyncRunPurge has two runs of a sync end, of which its status tells of the
// last, and one of a sync that is gone.
func (w *world) testSyncRunPurge(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	s := w.newSyncs(t, w.env, "a", "b")
	id := s.stored[0].ID
	end := func(sync linkspan.SyncID) linkspan.RunID {
		r := w.syncRun(sync, nil)
		w.insertSyncs(t, r)
		claimed := w.claimRun(t, time.Minute, r.ID)
		claimed.State = linkspan.RunFailed
		_, err := w.FinishRun(ctx, nil, &claimed, 0)
		must(t, err)
		return r.ID
	}
	end(id)
	last := end(id)
	end(s.stored[1].ID)
	must(t, w.DeleteSyncs(ctx, nil, []linkspan.SyncID{s.stored[1].ID}))
	w.insertSyncs(t, w.syncRun(id, nil))
	purge := func(want int) {
		t.Helper()
		n, err := w.PurgeRuns(ctx, nil, time.Now().Add(time.Minute), 10)
		must(t, err)
		wantEqual(t, "removed runs of syncs", n, want)
	}
	purge(2)
	kept, err := w.LastRuns(ctx, nil, []linkspan.SyncID{id})
	must(t, err)
	if len(kept) != 1 || kept[id].ID != last || kept[id].State != linkspan.RunFailed {
		t.Errorf("the last run: %+v", kept)
	}
	must(t, w.DeleteSyncs(ctx, nil, []linkspan.SyncID{id}))
	purge(1)
}

// testRunSecrecy looks for what runs hold in what is stored.
func testRunSecrecy(t *testing.T, w *world) {
	ctx := t.Context()
	r := w.newRun(t, w.env.ID, nil)
	c := w.claimRuns(t, "me", time.Minute, r.ID)[0]
	c.State, c.Output, c.Error = linkspan.RunFailed, linkspan.NewSecret("hello again"), &linkspan.RunError{Code: "x", Message: "hello once more"}
	_, err := w.FinishRun(ctx, nil, &c, 0)
	must(t, err)
	w.exec(t, "update runs set name = 'found' where input is null or output is null or error is null or length(input) < 40")
	if got := w.run(t, r); got.Name != "create-issue" {
		t.Error("something of the run is not stored, or not sealed")
	}
	// What can't be decrypted keeps nobody from the rest.
	broken, whole := w.newRun(t, w.env.ID, nil), w.newRun(t, w.env.ID, nil)
	w.exec(t, "update runs set input = (select o.error from runs o where o.id = "+fmt.Sprint(r.ID)+") where id = "+fmt.Sprint(broken.ID))
	claimed := w.claimRuns(t, "me", time.Minute, broken.ID, whole.ID)
	if len(claimed) != 2 || claimed[0].Error == nil || !claimed[0].Input.IsZero() || claimed[1].Error != nil || !claimed[1].Input.Equal(whole.Input) {
		t.Errorf("claimed: %+v", claimed)
	}
}
