package storetest

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/store"
)

// syncRun makes a run of a sync without storing it.
func (w *world) syncRun(sync linkspan.SyncID, change func(*linkspan.Run)) *linkspan.Run {
	r := &linkspan.Run{
		UUID: linkspan.NewUUID(), EnvironmentID: w.env.ID, FunctionID: 7, ConnectionID: 8, Kind: linkspan.FunctionSync, Name: "issues",
		IntegrationKey: "github", Provider: "github", ConnectionName: "c1", ConnectionUUID: linkspan.NewUUID(), Operation: linkspan.NewOperationID(past()),
		ExpiresAt: time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond), Lane: linkspan.LaneSync,
		Sync: &linkspan.RunSync{ID: sync, Variant: linkspan.BaseVariant, Cause: linkspan.CauseSchedule},
	}
	if change != nil {
		change(r)
	}
	return r
}

func (w *world) insertSyncs(t *testing.T, runs ...*linkspan.Run) []linkspan.RunID {
	t.Helper()
	ids, err := w.InsertSyncRuns(t.Context(), nil, runs)
	must(t, err)
	return ids
}

// claimRun has another process claim a run.
func (w *world) claimRun(t *testing.T, ttl time.Duration, id linkspan.RunID) linkspan.Run {
	t.Helper()
	claimed := w.claimRuns(t, linkspan.NewUUID(), ttl, id)
	if len(claimed) != 1 {
		t.Fatalf("claimed: %+v", claimed)
	}
	return claimed[0]
}

func fenceOf(r *linkspan.Run) linkspan.RunFence {
	return linkspan.RunFence{Run: r.ID, Attempt: r.Attempt}
}

// testSyncRuns follows a run of a sync from one holder to the next to its end.
func testSyncRuns(t *testing.T, w *world) {
	ctx := t.Context()
	integration := w.newIntegration(t, w.env, "github")
	c := w.newConnection(t, integration, "c1", nil)
	point := linkspan.Checkpoint{Key: linkspan.CheckpointKey(linkspan.FunctionSync, "issues", "base"), Value: json.RawMessage(`{"page":1}`)}
	save := func(value string) {
		t.Helper()
		point.Value = json.RawMessage(value)
		must(t, w.SaveCheckpoint(ctx, nil, w.env.ID, c.ID, &point))
	}
	save(`{"page":1}`)
	first, beside, other := w.syncRun(3, nil), w.syncRun(3, nil), w.syncRun(4, nil)
	first.ConnectionID = c.ID
	seq, err := w.LatestChange(ctx)
	must(t, err)
	ids := w.insertSyncs(t, first, beside, other)
	if !slices.Equal(ids, []linkspan.RunID{first.ID, other.ID}) || first.ID == 0 || beside.ID != 0 || first.NextAt.IsZero() || first.CreatedAt.IsZero() {
		t.Fatalf("stored %v of %+v", ids, []*linkspan.Run{first, beside, other})
	}
	changes, err := w.ChangesSince(ctx, seq, 10)
	must(t, err)
	if len(changes) != 1 || changes[0].Kind != linkspan.ChangeRunsDue {
		t.Fatalf("the replicas are told %+v", changes)
	}
	wantEqual(t, "a stored run", w.run(t, first), *first)
	wantEqual(t, "another of a sync with one", len(w.insertSyncs(t, w.syncRun(3, nil))), 0)
	wantEqual(t, "none", len(w.insertSyncs(t)), 0)
	wantEqual(t, "due in the other lane", len(w.dueRuns(t)), 0)

	r := w.claimRun(t, lapsed, first.ID)
	if string(r.Sync.From) != `{"page":1}` || r.Sync.Progress != point.Version || r.Sync.Stalls != 0 {
		t.Fatalf("claimed: %+v", r.Sync)
	}
	// Those who die without having saved a checkpoint are counted, others are not.
	for stalls := 1; stalls <= 2; stalls++ {
		r = w.claimRun(t, lapsed, first.ID)
		wantEqual(t, "stalls", r.Sync.Stalls, stalls)
	}
	save(`{"page":2}`)
	r = w.claimRun(t, lapsed, first.ID)
	if r.Sync.Stalls != 0 || r.Sync.Progress != point.Version || string(r.Sync.From) != `{"page":1}` {
		t.Fatalf("after progress: %+v", r.Sync)
	}
	r = w.claimRun(t, lapsed, first.ID)
	wantEqual(t, "stalls after progress", r.Sync.Stalls, 1)
	// One that its holder claims again never began: the claim had failed for it.
	for range 2 {
		r = w.claimRuns(t, "alive", lapsed, first.ID)[0]
		wantEqual(t, "stalls of a holder who did not die", r.Sync.Stalls, 2)
	}
	must(t, w.ReleaseClaims(ctx, nil, []linkspan.RunID{first.ID}, "alive"))
	r = w.claimRun(t, time.Minute, first.ID)
	wantEqual(t, "stalls after a claim that was given back", r.Sync.Stalls, 2)
	// Given back is not cut off, and a failure counts as its holder says.
	ok, err := w.ReleaseRun(ctx, nil, &r)
	must(t, err)
	r = w.claimRun(t, time.Minute, first.ID)
	if !ok || r.Sync.Stalls != 2 {
		t.Fatalf("given back: %t, %+v", ok, r.Sync)
	}
	r.State, r.Sync.Stalls = linkspan.RunWaiting, 3
	if ok, err = w.FinishRun(ctx, nil, &r, lapsed); !ok || err != nil {
		t.Fatal(ok, err)
	}
	r = w.claimRun(t, time.Minute, first.ID)
	wantEqual(t, "stalls after a failure", r.Sync.Stalls, 3)

	must(t, w.CountRun(ctx, nil, r.ID, "Issue", linkspan.RecordCounts{Added: 1, Updated: 2, Deleted: 3, Unchanged: 4}))
	must(t, w.CountRun(ctx, nil, r.ID, "Issue", linkspan.RecordCounts{Added: 10, Unchanged: 40}))
	must(t, w.CountRun(ctx, nil, r.ID, "User", linkspan.RecordCounts{Deleted: 1}))
	counts := map[string]linkspan.RecordCounts{"Issue": {Added: 11, Updated: 2, Deleted: 3, Unchanged: 44}, "User": {Deleted: 1}}
	save(`{"page":3}`)
	r.State, r.Sync.Interrupted = linkspan.RunSucceeded, true
	if ok, err = w.FinishRun(ctx, nil, &r, 0); !ok || err != nil {
		t.Fatal(ok, err)
	}
	wantEqual(t, "counts", r.Sync.Counts, counts)
	wantEqual(t, "the checkpoint in the end", string(r.Sync.To), `{"page":3}`)
	got := w.run(t, first)
	if got.State != linkspan.RunSucceeded || !got.Sync.Interrupted || string(got.Sync.To) != `{"page":3}` || string(got.Sync.From) != `{"page":1}` {
		t.Fatalf("ended: %+v %+v", got, got.Sync)
	}
	wantEqual(t, "stored counts", got.Sync.Counts, counts)
	wantEqual(t, "another one after its end", len(w.insertSyncs(t, w.syncRun(3, nil))), 1)
}

// testRunHolds has a writer hold a run, and others cancel it or take it over.
func testRunHolds(t *testing.T, w *world) {
	ctx := t.Context()
	running, waiting, foreign := w.syncRun(1, nil), w.syncRun(2, nil), w.syncRun(3, nil)
	w.insertSyncs(t, running, waiting, foreign)
	operation := func(r *linkspan.Run, state linkspan.OperationState) linkspan.Operation {
		return linkspan.Operation{
			ID: r.Operation, AccountID: w.account.ID, EnvironmentID: w.env.ID, Type: linkspan.OperationSync, Action: linkspan.ActionRun, State: state,
			Message: "Running the sync issues.", CreatedAt: past(),
		}
	}
	must(t, w.SaveOperations(ctx, nil, []linkspan.Operation{
		operation(running, linkspan.StateRunning), operation(waiting, linkspan.StateWaiting), operation(foreign, linkspan.StateWaiting),
	}, nil))
	must(t, w.HoldRun(ctx, nil, linkspan.RunFence{}))
	wantKind(t, w.HoldRun(ctx, nil, linkspan.RunFence{Run: running.ID}), linkspan.KindConflict)
	stale := w.claimRun(t, lapsed, running.ID)
	must(t, w.HoldRun(ctx, nil, fenceOf(&stale))) // nobody has declared it dead
	r := w.claimRun(t, time.Minute, running.ID)
	err := w.HoldRun(ctx, nil, fenceOf(&stale))
	wantKind(t, err, linkspan.KindConflict)
	wantEqual(t, "the code", linkspan.CodeOf(err), "run_lost")
	must(t, w.CountRun(ctx, nil, r.ID, "Issue", linkspan.RecordCounts{Added: 1}))

	// Renewals go on while a writer holds the run.
	must(t, w.InTx(ctx, func(ctx context.Context, tx linkspan.Tx) error {
		if err := w.HoldRun(ctx, tx, fenceOf(&r)); err != nil {
			return err
		}
		if _, alone := w.Pool().(*sql.DB); alone {
			return nil // SQLite has one writer
		}
		kept, err := w.RenewRuns(t.Context(), nil, []linkspan.Run{r}, time.Minute)
		wantEqual(t, "renewed", len(kept), 1)
		return err
	}))
	// They do not wait for somebody who cancels others.
	beside := w.syncRun(4, nil)
	w.insertSyncs(t, beside)
	other := w.claimRun(t, time.Minute, beside.ID)
	if _, alone := w.Pool().(*sql.DB); !alone {
		must(t, w.InTx(ctx, func(ctx context.Context, tx linkspan.Tx) error {
			if _, err := w.CancelRuns(ctx, tx, w.env.ID, []linkspan.SyncID{4}); err != nil {
				return err
			}
			impatient, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			kept, err := w.RenewRuns(impatient, nil, []linkspan.Run{r, other}, time.Minute)
			must(t, err)
			wantEqual(t, "renewed beside one that is cancelled", kept, []linkspan.RunID{r.ID})
			return nil
		}))
	}
	none, err := w.CancelRuns(ctx, nil, w.newEnvironment(t, "prod").ID, []linkspan.SyncID{1, 2})
	must(t, err)
	wantEqual(t, "cancelled from another environment", len(none), 0)
	seq, err := w.LatestChange(ctx)
	must(t, err)
	cancelled, err := w.CancelRuns(ctx, nil, w.env.ID, []linkspan.SyncID{1, 2})
	must(t, err)
	if len(cancelled) != 2 || cancelled[0].State != linkspan.RunRunning || cancelled[0].Sync.Counts["Issue"].Added != 1 ||
		cancelled[1].State != linkspan.RunWaiting || cancelled[1].ID != waiting.ID {
		t.Fatalf("cancelled: %+v", cancelled)
	}
	changes, err := w.ChangesSince(ctx, seq, 10)
	must(t, err)
	if len(changes) != 1 || changes[0].Kind != linkspan.ChangeRunCancelled || changes[0].Key != running.UUID {
		t.Fatalf("the replicas are told %+v", changes)
	}
	for _, c := range []*linkspan.Run{running, waiting} {
		if got := w.run(t, c); got.State != linkspan.RunCancelled || got.EndedAt.IsZero() || !got.NextAt.IsZero() || !got.LeaseUntil.IsZero() {
			t.Errorf("cancelled: %+v", got)
		}
	}
	for r, want := range map[*linkspan.Run]linkspan.OperationState{running: linkspan.StateCancelled, waiting: linkspan.StateCancelled, foreign: linkspan.StateWaiting} {
		o, err := w.Operation(ctx, nil, w.env.ID, r.Operation)
		must(t, err)
		if o.State != want || o.EndedAt.IsZero() != (want == linkspan.StateWaiting) {
			t.Errorf("the operation of run %d: %+v", r.ID, o)
		}
	}
	wantKind(t, w.HoldRun(ctx, nil, fenceOf(&r)), linkspan.KindConflict)
	if ok, err := w.FinishRun(ctx, nil, &r, 0); ok || err != nil {
		t.Errorf("finished: %t, %v", ok, err)
	}
	if kept, err := w.RenewRuns(ctx, nil, []linkspan.Run{r}, time.Minute); len(kept) != 0 || err != nil {
		t.Errorf("renewed: %v, %v", kept, err)
	}
	again, err := w.CancelRuns(ctx, nil, w.env.ID, []linkspan.SyncID{1, 2})
	must(t, err)
	wantEqual(t, "cancelled again", len(again), 0)
	wantEqual(t, "one of another sync", w.run(t, foreign).State, linkspan.RunWaiting)
}

// testRunHoldRace has holders of a run write while it is cancelled: no write
// comes after.
func testRunHoldRace(t *testing.T, w *world) {
	ctx := t.Context()
	r := w.syncRun(1, nil)
	w.insertSyncs(t, r)
	held := w.claimRun(t, time.Minute, r.ID)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				err := w.InTx(ctx, func(ctx context.Context, tx linkspan.Tx) error {
					if err := w.HoldRun(ctx, tx, fenceOf(&held)); err != nil {
						return err
					}
					return w.CountRun(ctx, tx, held.ID, "Issue", linkspan.RecordCounts{Added: 1})
				})
				if linkspan.KindOf(err) == linkspan.KindConflict {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for w.run(t, r).Sync.Counts["Issue"].Added < 20 {
		if _, err := w.RenewRuns(ctx, nil, []linkspan.Run{held}, time.Minute); err != nil {
			t.Error(err)
		}
	}
	cancelled, err := w.CancelRuns(ctx, nil, w.env.ID, []linkspan.SyncID{1})
	must(t, err)
	wg.Wait()
	wantEqual(t, "what was counted", w.run(t, r).Sync.Counts, cancelled[0].Sync.Counts)
}

// look returns the syncs of which runs are due, all of them among the known ones.
func (w *world) look(t *testing.T, known []*linkspan.Run, q linkspan.RunQuery) ([]linkspan.SyncID, linkspan.RunGroup) {
	t.Helper()
	q.Lane = linkspan.LaneSync
	found, cut, err := w.DueRuns(t.Context(), nil, q)
	must(t, err)
	syncs := []linkspan.SyncID{}
	for i := range found {
		f := &found[i]
		at := slices.IndexFunc(known, func(r *linkspan.Run) bool {
			return r.ID == f.ID && r.EnvironmentID == f.EnvironmentID && r.FunctionID == f.FunctionID && r.ConnectionID == f.ConnectionID && r.Provider == f.Provider
		})
		if at < 0 {
			t.Fatalf("found: %+v", f)
		}
		syncs = append(syncs, known[at].Sync.ID)
	}
	return syncs, cut
}

// testRunGroups looks at what is passed over, and at turns.
func testRunGroups(t *testing.T, w *world) {
	second := w.newEnvironment(t, "b")
	// environment, function, connection, provider of sync 1, 2, ...
	a, b := w.env.ID, second.ID
	var runs []*linkspan.Run
	for i, of := range []struct {
		env        linkspan.EnvironmentID
		function   linkspan.FunctionID
		connection linkspan.ConnectionID
		provider   string
	}{
		{a, 10, 100, "github"}, {a, 10, 100, "github"}, {a, 10, 101, "github"}, // 1 2 3
		{a, 11, 100, "slack"}, {a, 12, 102, "github"}, // 4 5
		{b, 20, 200, "github"}, {b, 21, 200, "slack"}, {b, 21, 201, "slack"}, // 6 7 8
	} {
		runs = append(runs, w.syncRun(linkspan.SyncID(i+1), func(r *linkspan.Run) {
			r.EnvironmentID, r.FunctionID, r.ConnectionID, r.Provider = of.env, of.function, of.connection, of.provider
		}))
	}
	w.insertSyncs(t, runs...)
	all := linkspan.RunQuery{PerGroup: 10, PerEnvironment: 10, Limit: 100}
	for name, test := range map[string]struct {
		change func(q *linkspan.RunQuery)
		want   []linkspan.SyncID
		cut    linkspan.RunGroup
	}{
		"everything":       {func(*linkspan.RunQuery) {}, []linkspan.SyncID{1, 2, 3, 4, 5, 6, 7, 8}, linkspan.RunGroup{}},
		"one of a group":   {func(q *linkspan.RunQuery) { q.PerGroup = 1 }, []linkspan.SyncID{1, 4, 5, 6, 7}, linkspan.RunGroup{}},
		"two of each":      {func(q *linkspan.RunQuery) { q.PerEnvironment = 2 }, []linkspan.SyncID{1, 2, 6, 7}, linkspan.RunGroup{}},
		"full environment": {func(q *linkspan.RunQuery) { q.FullEnvironments = []linkspan.EnvironmentID{a} }, []linkspan.SyncID{6, 7, 8}, linkspan.RunGroup{}},
		"full functions":   {func(q *linkspan.RunQuery) { q.FullFunctions = []linkspan.FunctionID{10, 20} }, []linkspan.SyncID{4, 5, 7, 8}, linkspan.RunGroup{}},
		"full connections": {func(q *linkspan.RunQuery) { q.FullConnections = []linkspan.ConnectionID{100, 200}; q.PerGroup = 1 }, []linkspan.SyncID{3, 5, 8}, linkspan.RunGroup{}},
		"full pairs": {func(q *linkspan.RunQuery) {
			q.FullPairs = []linkspan.RunPair{{FunctionID: 10, ConnectionID: 100}, {FunctionID: 21, ConnectionID: 201}, {FunctionID: 1, ConnectionID: 100}}
		}, []linkspan.SyncID{3, 4, 5, 6, 7}, linkspan.RunGroup{}},
		"full provider": {func(q *linkspan.RunQuery) { q.FullProviders = []string{"github"} }, []linkspan.SyncID{4, 7, 8}, linkspan.RunGroup{}},
		"full share": {
			func(q *linkspan.RunQuery) {
				q.FullShares = []linkspan.ProviderShare{{EnvironmentID: a, Provider: "github"}}
			},
			[]linkspan.SyncID{4, 6, 7, 8},
			linkspan.RunGroup{},
		},
		"cut off":        {func(q *linkspan.RunQuery) { q.Limit = 4 }, []linkspan.SyncID{1, 2, 3, 4}, linkspan.RunGroup{EnvironmentID: a, FunctionID: 11}},
		"from":           {func(q *linkspan.RunQuery) { q.From = b }, []linkspan.SyncID{6, 7, 8}, linkspan.RunGroup{}},
		"behind":         {behind(map[linkspan.EnvironmentID]linkspan.FunctionID{a: 10, b: 20}), []linkspan.SyncID{4, 5, 7, 8}, linkspan.RunGroup{}},
		"behind all":     {behind(map[linkspan.EnvironmentID]linkspan.FunctionID{a: 12}), []linkspan.SyncID{6, 7, 8}, linkspan.RunGroup{}},
		"behind nothing": {behind(map[linkspan.EnvironmentID]linkspan.FunctionID{a: 9}), []linkspan.SyncID{1, 2, 3, 4, 5, 6, 7, 8}, linkspan.RunGroup{}},
	} {
		q := all
		test.change(&q)
		got, cut := w.look(t, runs, q)
		wantEqual(t, name, got, test.want)
		wantEqual(t, name+", cut", cut, test.cut)
	}
	// What was left behind is passed over in the same way.
	w.claimRuns(t, "dead", lapsed, runs[0].ID, runs[5].ID)
	q := all
	q.FullConnections, q.PerGroup = []linkspan.ConnectionID{100}, 1
	got, _ := w.look(t, runs, q)
	wantEqual(t, "left behind", got, []linkspan.SyncID{6, 3, 5, 7})
}

func behind(functions map[linkspan.EnvironmentID]linkspan.FunctionID) func(*linkspan.RunQuery) {
	return func(q *linkspan.RunQuery) { q.Behind = functions }
}

// FillRuns has n runs of syncs of an environment wait, of which each has its own
// sync, counted from 1. Their functions are counted from 10, their connections
// from 100.
func FillRuns(tb testing.TB, s *store.Store, env linkspan.EnvironmentID, n, functions, connections int) {
	tb.Helper()
	exec(tb, s, fmt.Sprintf(`insert into runs (uuid, environment_id, function_id, connection_id, kind, name, event, integration_key, provider,
			connection_name, connection_uuid, state, max_attempts, attempts, attempt, holder, next_at, operation_id, created_at, expires_at, lane, sync_id, variant, cause)
		with recursive n(i) as (select 1 union all select i + 1 from n where i < %[2]d)
		select 'backlog-' || i, %[1]d, 10 + i %% %[3]d, 100 + i %% %[4]d, 'sync', 'whole', '', 'github', 'github', 'c1', 'uuid-of-c1', 'waiting', 0, 0, 0, '', 1 + i,
			'', 1, 1, 1, i, 'base', 'schedule' from n`, env, n, functions, connections))
}

// testRunsBehindFull has 20,000 runs for which there is no room wait before one
// for which there is.
func testRunsBehindFull(t *testing.T, w *world) {
	const backlog = 20_000
	FillRuns(t, w.Store, w.env.ID, backlog, 1, 1)
	// One of the same function for another connection, one of another function.
	last := []*linkspan.Run{
		w.syncRun(backlog+1, func(r *linkspan.Run) { r.FunctionID, r.ConnectionID, r.Provider = 10, 101, "github" }),
		w.syncRun(backlog+2, func(r *linkspan.Run) { r.FunctionID, r.ConnectionID, r.Provider = 11, 102, "slack" }),
	}
	w.insertSyncs(t, last...)
	for name, test := range map[string]struct {
		q    linkspan.RunQuery
		want []linkspan.SyncID
	}{
		"function":   {linkspan.RunQuery{FullFunctions: []linkspan.FunctionID{10}}, []linkspan.SyncID{backlog + 2}},
		"connection": {linkspan.RunQuery{FullConnections: []linkspan.ConnectionID{100}}, []linkspan.SyncID{backlog + 1, backlog + 2}},
		"pair":       {linkspan.RunQuery{FullPairs: []linkspan.RunPair{{FunctionID: 10, ConnectionID: 100}}}, []linkspan.SyncID{backlog + 1, backlog + 2}},
		"provider":   {linkspan.RunQuery{FullProviders: []string{"github"}}, []linkspan.SyncID{backlog + 2}},
	} {
		test.q.PerGroup, test.q.PerEnvironment, test.q.Limit = 5, 10, 100
		got, cut := w.look(t, last, test.q)
		wantEqual(t, name, fmt.Sprint(got, cut), fmt.Sprint(test.want, linkspan.RunGroup{}))
	}
}

// testManyGroups goes through more groups than one look can, none of which may
// run, to one that may.
func testManyGroups(t *testing.T, w *world) {
	const groups = 5000
	var runs []*linkspan.Run
	for i := range groups {
		runs = append(runs, w.syncRun(linkspan.SyncID(i+1), func(r *linkspan.Run) { r.FunctionID, r.Provider = linkspan.FunctionID(i+1), "github" }))
	}
	w.insertSyncs(t, runs...)
	last := w.syncRun(groups+1, func(r *linkspan.Run) { r.FunctionID, r.Provider = groups+1, "slack" })
	w.insertSyncs(t, last)
	q := linkspan.RunQuery{PerGroup: 2, PerEnvironment: 4, Limit: 100, FullProviders: []string{"github"}}
	for looks := 1; ; looks++ {
		got, cut := w.look(t, []*linkspan.Run{last}, q)
		if len(got) > 0 {
			wantEqual(t, "found", got, []linkspan.SyncID{groups + 1})
			return
		}
		if cut.FunctionID <= q.Behind[cut.EnvironmentID] || looks > 10 {
			t.Fatalf("look %d was cut off at %+v", looks, cut)
		}
		q.From, q.Behind = cut.EnvironmentID, map[linkspan.EnvironmentID]linkspan.FunctionID{cut.EnvironmentID: cut.FunctionID}
	}
}

func testVoidLeases(t *testing.T, w *world) {
	r := w.newRun(t, w.env.ID, nil)
	w.claimRuns(t, "before", time.Hour, r.ID)
	must(t, w.VoidLeases(t.Context()))
	found, _, err := w.DueRuns(t.Context(), nil, linkspan.RunQuery{PerGroup: 1, PerEnvironment: 1, Limit: 10})
	must(t, err)
	_, alone := w.Pool().(*sql.DB) // SQLite
	wantEqual(t, "left behind", len(found) == 1, alone)
}
