package run

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/change"
	"github.com/linkspan/linkspan/internal/schedule"
	"github.com/linkspan/linkspan/internal/store/storetest"
)

// syncRun makes a run of the sync "whole".
func (s *stored) syncRun(env int, sync linkspan.SyncID, fn linkspan.FunctionID) *linkspan.Run {
	return &linkspan.Run{
		UUID: linkspan.NewUUID(), EnvironmentID: s.envs[env].ID, FunctionID: fn, ConnectionID: linkspan.ConnectionID(sync), Kind: linkspan.FunctionSync, Name: "whole",
		IntegrationKey: "github", Provider: "github", ConnectionName: "c1", ConnectionUUID: "uuid-of-c1",
		Operation: linkspan.NewOperationID(time.Now()), ExpiresAt: time.Now().Add(time.Hour),
		Sync: &linkspan.RunSync{ID: sync, Variant: linkspan.BaseVariant, Cause: linkspan.CauseSchedule},
	}
}

func (s *stored) insertSyncs(t testing.TB, runs ...*linkspan.Run) {
	t.Helper()
	ids, err := s.InsertSyncRuns(t.Context(), nil, runs)
	must(t, err)
	if len(ids) != len(runs) {
		t.Fatalf("%d of %d are stored", len(ids), len(runs))
	}
}

// held is an engine on which the syncs of one environment go on until it is told
// otherwise, and which tells of those of the others.
func held(w *world, env linkspan.EnvironmentID) (began chan struct{}, proceed chan struct{}) {
	began, proceed = make(chan struct{}, 1), make(chan struct{})
	w.execute = func(ctx context.Context, x *Execution) (Done, error) {
		if x.Environment.ID != env {
			began <- struct{}{}
			return Done{}, nil
		}
		select {
		case <-proceed:
		case <-ctx.Done():
		}
		return Done{}, ctx.Err()
	}
	return began, proceed
}

// TestBacklogOfSyncs has 20,000 syncs of one environment wait in a real database,
// and as many of them run as may. Another environment's single one comes next.
func TestBacklogOfSyncs(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it fills a database")
	}
	for name, config := range storetest.Databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, w := newStored(t, config(t)), newSyncWorld()
			storetest.FillRuns(t, s.Store, s.envs[0].ID, 20_000, 10, 1000)
			began, proceed := held(w, s.envs[0].ID)
			p := s.service(w, "me")
			background(t, s.feed.Run)
			background(t, p.Run)
			// The provider's first half is the environment's.
			for p.RunningSyncs() < 16 {
				<-time.After(time.Millisecond)
			}
			r := s.syncRun(1, 1_000_000, 99)
			s.insertSyncs(t, r)
			<-began
			if got := s.settled(t, s.envs[1].ID, r.UUID); got.State != linkspan.RunSucceeded || got.Sync == nil {
				t.Errorf("it ended as %+v", got)
			}
			if n := p.RunningSyncs(); n != 16 {
				t.Errorf("%d of the backlog run meanwhile", n)
			}
			close(proceed)
		})
	}
}

// BenchmarkFairness measures how long a sync waits for its beginning while 20,000
// of another environment wait, too.
func BenchmarkFairness(b *testing.B) {
	for name, config := range storetest.Databases() {
		b.Run(name, func(b *testing.B) {
			s, w := newStored(b, config(b)), newSyncWorld()
			storetest.FillRuns(b, s.Store, s.envs[0].ID, 20_000, 10, 1000)
			began, proceed := held(w, s.envs[0].ID)
			p := s.service(w, "me")
			background(b, s.feed.Run)
			background(b, p.Run)
			for p.RunningSyncs() < 16 {
				<-time.After(time.Millisecond)
			}
			var took []time.Duration
			sync := linkspan.SyncID(1_000_000)
			for b.Loop() {
				sync++
				at := time.Now()
				s.insertSyncs(b, s.syncRun(1, sync, 99))
				<-began
				took = append(took, time.Since(at))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
			b.ReportMetric(float64(took[len(took)-1].Microseconds())/1000, "max-ms")
			close(proceed)
		})
	}
}

// TestNeverTwice has two processes run syncs of which the next run is asked for
// when one ends, and whenever anybody feels like it: none runs beside itself.
func TestNeverTwice(t *testing.T) {
	t.Parallel()
	for name, config := range storetest.Databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, w := newStored(t, config(t)), newSyncWorld()
			const syncs, each = 4, 5
			var mu sync.Mutex
			running, done, left := make(map[string]int), make(map[linkspan.SyncID]int), syncs
			finished := make(chan struct{})
			w.execute = func(context.Context, *Execution) (Done, error) { return Done{}, nil }
			w.syncs.follow = func(ctx context.Context, tx linkspan.Tx, e schedule.End) error {
				id := e.Run.Sync.ID
				mu.Lock()
				n := done[id]
				mu.Unlock()
				tx.OnCommit(func() {
					mu.Lock()
					defer mu.Unlock()
					if done[id]++; done[id] == each {
						if left--; left == 0 {
							close(finished)
						}
					}
				})
				if n+1 >= each {
					return nil
				}
				_, err := s.InsertSyncRuns(ctx, tx, []*linkspan.Run{s.syncRun(0, id, 1)})
				return err
			}
			w.execute = func(_ context.Context, x *Execution) (Done, error) {
				mu.Lock()
				if running[x.Sync.UUID]++; running[x.Sync.UUID] > 1 {
					t.Errorf("%s runs beside itself", x.Sync.UUID)
				}
				mu.Unlock()
				id := linkspan.SyncID(x.Sync.Run.Run%syncs) + 1 // of whatever sync
				_, err := s.InsertSyncRuns(context.Background(), nil, []*linkspan.Run{s.syncRun(0, id, 1)})
				mu.Lock()
				running[x.Sync.UUID]--
				mu.Unlock()
				return Done{}, err
			}
			background(t, s.feed.Run)
			background(t, s.service(w, "first").Run)
			background(t, s.service(w, "second").Run)
			for id := range linkspan.SyncID(syncs) {
				_, err := s.InsertSyncRuns(t.Context(), nil, []*linkspan.Run{s.syncRun(0, id+1, 1)})
				must(t, err)
			}
			<-finished
		})
	}
}

// TestZombie has a process write for a run that another one has taken over.
func TestZombie(t *testing.T) {
	t.Parallel()
	for name, config := range storetest.Databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, w := newStored(t, config(t)), newSyncWorld()
			r := s.syncRun(0, 1, 1)
			s.insertSyncs(t, r)
			claimed, err := s.ClaimRuns(t.Context(), nil, []linkspan.RunID{r.ID}, "zombie", -time.Second)
			must(t, err)
			batch := func(f linkspan.RunFence) error {
				return s.InTx(context.Background(), func(ctx context.Context, tx linkspan.Tx) error {
					if err := s.HoldRun(ctx, tx, f); err != nil {
						return err
					}
					return s.CountRun(ctx, tx, f.Run, "Issue", linkspan.RecordCounts{Added: 1})
				})
			}
			zombie := linkspan.RunFence{Run: r.ID, Attempt: claimed[0].Attempt}
			must(t, batch(zombie))
			w.execute = func(_ context.Context, x *Execution) (Done, error) {
				if err := batch(zombie); linkspan.CodeOf(err) != "run_lost" {
					t.Errorf("the zombie's batch: %v", err)
				}
				return Done{}, batch(x.Sync.Run)
			}
			background(t, s.feed.Run)
			background(t, s.service(w, "healthy").Run)
			got := s.settled(t, s.envs[0].ID, r.UUID)
			if got.State != linkspan.RunSucceeded || got.Sync.Counts["Issue"].Added != 2 || got.Sync.Stalls != 1 {
				t.Errorf("it ended as %+v %+v", got, got.Sync)
			}
			if err := batch(zombie); linkspan.CodeOf(err) != "run_lost" {
				t.Errorf("the zombie's batch after the end: %v", err)
			}
		})
	}
}

// TestCancelOnAnotherReplica cancels on one replica what another one executes.
func TestCancelOnAnotherReplica(t *testing.T) {
	t.Parallel()
	for name, config := range storetest.Databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, w := newStored(t, config(t)), newSyncWorld()
			w.feed = change.NewFeed(s.Store, slog.New(slog.DiscardHandler)) // hears of changes from the database alone
			began, ended := make(chan linkspan.RunFence, 1), make(chan error, 1)
			w.execute = func(ctx context.Context, x *Execution) (Done, error) {
				began <- x.Sync.Run
				<-ctx.Done()
				ended <- context.Cause(ctx)
				return Done{Effects: true}, ctx.Err()
			}
			background(t, w.feed.Run)
			background(t, s.service(w, "other").Run)
			r := s.syncRun(0, 1, 1)
			s.insertSyncs(t, r)
			fence := <-began
			cancelled, err := s.CancelRuns(t.Context(), nil, s.envs[0].ID, []linkspan.SyncID{1})
			must(t, err)
			if len(cancelled) != 1 || cancelled[0].ID != r.ID {
				t.Errorf("cancelled: %+v", cancelled)
			}
			// On a busy machine the renewal of the lease may notice it before the feed does.
			if err := <-ended; !errors.Is(err, errCancelled) && !errors.Is(err, errLost) {
				t.Errorf("it ended for %v", err)
			}
			if err := s.HoldRun(t.Context(), nil, fence); linkspan.CodeOf(err) != "run_lost" {
				t.Errorf("it may still write: %v", err)
			}
			if got := s.settled(t, s.envs[0].ID, r.UUID); got.State != linkspan.RunCancelled || len(w.endings()) != 0 {
				t.Errorf("left as %+v", got)
			}
		})
	}
}
