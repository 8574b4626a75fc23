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
func (s *slowStore) Clock(context.Context, linkspan.Tx) (time.Time, error) { return time.Now(), nil }

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
