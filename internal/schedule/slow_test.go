package schedule

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/linkspan/linkspan"
)

// slowStore is one whose looks for due syncs end by the caller's time limit.
type slowStore struct {
	Store

	looks atomic.Int64
	fast  atomic.Bool
	// stopped has the clock not answer, and back is by how much it was put back.
	stopped atomic.Bool
	back    atomic.Int64
	// followed counts how often that was noticed.
	followed atomic.Int64
}

// DueSyncs implements Store.
func (s *slowStore) DueSyncs(ctx context.Context, _ linkspan.Tx, _ int) ([]linkspan.SyncID, error) {
	s.looks.Add(1)
	if s.fast.Load() {
		return nil, nil
	}
	<-ctx.Done()
	return nil, ctx.Err()
}

// Clock implements Store.
func (s *slowStore) Clock(ctx context.Context, _ linkspan.Tx) (time.Time, error) {
	if s.stopped.Load() {
		<-ctx.Done()
		return time.Time{}, ctx.Err()
	}
	return time.Now().Add(-time.Duration(s.back.Load())), nil
}

// LastClock implements Store.
func (s *slowStore) LastClock(context.Context, linkspan.Tx) (time.Time, error) {
	return time.Time{}, nil
}

// FollowClock implements Store.
func (s *slowStore) FollowClock(context.Context, linkspan.Tx) error {
	s.followed.Add(1)
	return nil
}

// AllSyncFunctions implements Store.
func (s *slowStore) AllSyncFunctions(context.Context, linkspan.Tx, linkspan.FunctionID, int) ([]linkspan.Function, error) {
	return nil, nil
}

// What is too slow is not kept busy with more looks, whoever wakes the loop.
func TestSlowDatabase(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &slowStore{}
		s := New(Config{Store: store, Log: slog.New(slog.DiscardHandler)})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- s.Run(ctx) }()
		wait := func(d time.Duration) {
			<-time.After(d)
			synctest.Wait()
		}
		for range 600 {
			s.wake()
			wait(time.Second)
		}
		if most := int64(10*time.Minute/(2*callTimeout)) + 1; store.looks.Load() > most {
			t.Errorf("%d looks in ten minutes, %d at most", store.looks.Load(), most)
		}
		store.fast.Store(true)
		wait(2 * callTimeout)
		before := store.looks.Load()
		wait(10 * pollEvery)
		if n := store.looks.Load() - before; n < 9 || n > 11 {
			t.Errorf("%d looks in ten seconds once it is fast again", n)
		}
		before = store.looks.Load()
		s.wake()
		synctest.Wait()
		if n := store.looks.Load() - before; n != 1 {
			t.Errorf("%d looks when it was woken", n)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// A clock that does not answer holds the loop up for a while, and what is put back
// little by little is noticed once it adds up.
func TestSlowClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &slowStore{}
		store.fast.Store(true)
		s := New(Config{Store: store, Log: slog.New(slog.DiscardHandler)})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- s.Run(ctx) }()
		wait := func(d time.Duration) {
			<-time.After(d)
			synctest.Wait()
		}
		store.stopped.Store(true)
		wait(10 * callTimeout)
		if n := store.looks.Load(); n < 4 {
			t.Errorf("%d looks beside a clock that does not answer", n)
		}
		store.stopped.Store(false)
		wait(2 * callTimeout)
		for step := range 6 { // by two minutes in all, less what passed
			store.back.Store(int64(time.Duration(step+1) * putBack / 3))
			wait(pollEvery)
			wait(pollEvery)
			if n := store.followed.Load(); n > 0 != (step > 2) {
				t.Errorf("step %d: noticed %d times", step, n)
			}
		}
		if n := store.followed.Load(); n != 1 {
			t.Errorf("noticed %d times", n)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
