package lease_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/lease"
)

// memory is a lease store whose clock is the bubble's.
type memory struct {
	mu     sync.Mutex
	leases map[string]*linkspan.Lease
	down   bool // every call fails
	calls  int
}

var errDown = errors.New("the database is down")

func (m *memory) lock() (unlock func(), err error) {
	m.mu.Lock()
	m.calls++
	if m.down {
		m.mu.Unlock()
		return nil, errDown
	}
	return m.mu.Unlock, nil
}

func (m *memory) set(down bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down = down
}

func (m *memory) AcquireLease(_ context.Context, _ linkspan.Tx, kind, key, holder string, ttl time.Duration) (linkspan.Lease, bool, error) {
	unlock, err := m.lock()
	if err != nil {
		return linkspan.Lease{}, false, err
	}
	defer unlock()
	l := m.leases[kind+key]
	switch {
	case l == nil:
		l = &linkspan.Lease{Kind: kind, Key: key}
		m.leases[kind+key] = l
	case l.Holder != "" && l.Until.After(time.Now()):
		return linkspan.Lease{}, false, nil
	}
	l.TakenOver, l.Holder, l.Until = l.Holder != "", holder, time.Now().Add(ttl)
	l.Attempt++
	return *l, true, nil
}

// change runs f on the lease if it is still the holder's.
func (m *memory) change(l linkspan.Lease, f func(*linkspan.Lease)) (bool, error) {
	unlock, err := m.lock()
	if err != nil {
		return false, err
	}
	defer unlock()
	mine := m.leases[l.Kind+l.Key]
	if mine.Holder != l.Holder || mine.Attempt != l.Attempt {
		return false, nil
	}
	f(mine)
	return true, nil
}

func (m *memory) RenewLease(_ context.Context, _ linkspan.Tx, l linkspan.Lease, ttl time.Duration) (bool, error) {
	return m.change(l, func(l *linkspan.Lease) { l.Until = time.Now().Add(ttl) })
}

func (m *memory) SetLeaseState(_ context.Context, _ linkspan.Tx, l linkspan.Lease, state string) (bool, error) {
	return m.change(l, func(l *linkspan.Lease) { l.State = state })
}

func (m *memory) CheckLease(_ context.Context, _ linkspan.Tx, l linkspan.Lease) (bool, error) {
	return m.change(l, func(*linkspan.Lease) {})
}

func (m *memory) ReleaseLease(_ context.Context, _ linkspan.Tx, l linkspan.Lease) (bool, error) {
	return m.change(l, func(l *linkspan.Lease) { l.Holder, l.State = "", "" })
}

func (m *memory) LapsedLeases(_ context.Context, _ linkspan.Tx, kind string, _ int) ([]linkspan.Lease, error) {
	unlock, err := m.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	var out []linkspan.Lease
	for _, l := range m.leases {
		if l.Kind == kind && l.Holder != "" && !l.Until.After(time.Now()) {
			out = append(out, *l)
		}
	}
	slices.SortFunc(out, func(a, b linkspan.Lease) int { return a.Until.Compare(b.Until) })
	return out, nil
}

func newMemory() *memory { return &memory{leases: make(map[string]*linkspan.Lease)} }

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func acquire(t *testing.T, k *lease.Keeper, key string) *lease.Held {
	t.Helper()
	h, ok, err := k.Acquire(t.Context(), "run", key)
	if err != nil || !ok {
		t.Fatalf("acquiring: %t, %v", ok, err)
	}
	return h
}

func TestHeldRenewsItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		a, b := lease.NewKeeper(m, "a", quiet()), lease.NewKeeper(m, "b", quiet())
		h := acquire(t, a, "1")
		for range 20 {
			<-time.After(7 * time.Second)
			if _, ok, err := b.Acquire(t.Context(), "run", "1"); ok || err != nil {
				t.Fatalf("the lease was not kept: %v", err)
			}
		}
		if err := h.Note(t.Context(), "half"); err != nil {
			t.Fatal(err)
		}
		if err := h.Check(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		if h.Context().Err() != nil {
			t.Fatal("the context of a held lease has ended")
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if err := h.Release(ended); err != nil {
			t.Fatal(err)
		}
		if err := h.Context().Err(); err == nil || errors.Is(context.Cause(h.Context()), lease.ErrLost) {
			t.Fatalf("after release the context says %v", context.Cause(h.Context()))
		}
		calls := m.calls
		<-time.After(time.Minute)
		if m.calls != calls {
			t.Fatal("a released lease is still renewed")
		}
		other := acquire(t, b, "1")
		if l := other.Lease(); l.TakenOver || l.State != "" || l.Attempt != 2 {
			t.Fatalf("a released lease says %+v", l)
		}
		if err := other.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

func TestHeldSurvivesAShortOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		h := acquire(t, lease.NewKeeper(m, "a", quiet()), "1")
		m.set(true)
		<-time.After(6 * time.Second) // one failed renewal
		m.set(false)
		<-time.After(time.Minute)
		if err := h.Check(t.Context(), nil); err != nil || h.Context().Err() != nil {
			t.Fatalf("lost after one failed renewal: %v, %v", err, context.Cause(h.Context()))
		}
		if err := h.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

func TestHeldIsLostBeforeItLapses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		h := acquire(t, lease.NewKeeper(m, "a", quiet()), "1")
		start := time.Now()
		m.set(true)
		<-h.Context().Done()
		if !errors.Is(context.Cause(h.Context()), lease.ErrLost) {
			t.Fatalf("the cause is %v", context.Cause(h.Context()))
		}
		if waited := time.Since(start); waited >= 15*time.Second || waited < 5*time.Second {
			t.Fatalf("the holder stopped after %v", waited)
		}
		if err := h.Release(t.Context()); !errors.Is(err, errDown) {
			t.Fatalf("releasing says %v", err)
		}
	})
}

func TestTakenOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		dead := acquire(t, lease.NewKeeper(m, "dead", quiet()), "1")
		if err := dead.Note(t.Context(), "sent"); err != nil {
			t.Fatal(err)
		}
		m.leases["run1"].Until = time.Now() // it stalled for long enough
		h := acquire(t, lease.NewKeeper(m, "b", quiet()), "1")
		if l := h.Lease(); !l.TakenOver || l.State != "sent" || l.Attempt != 2 {
			t.Fatalf("took over %+v", l)
		}
		// The first holder wakes up.
		for name, err := range map[string]error{"note": dead.Note(t.Context(), "x"), "check": dead.Check(t.Context(), nil)} {
			if !errors.Is(err, lease.ErrLost) {
				t.Errorf("%s says %v", name, err)
			}
		}
		if !errors.Is(context.Cause(dead.Context()), lease.ErrLost) {
			t.Errorf("the cause is %v", context.Cause(dead.Context()))
		}
		if err := dead.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := h.Check(t.Context(), nil); err != nil {
			t.Fatalf("the release of a lost lease released its successor's: %v", err)
		}
		if err := h.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

func TestRenewalNoticesTheTakeover(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		h := acquire(t, lease.NewKeeper(m, "a", quiet()), "1")
		m.leases["run1"].Attempt++
		<-h.Context().Done()
		if !errors.Is(context.Cause(h.Context()), lease.ErrLost) {
			t.Fatalf("the cause is %v", context.Cause(h.Context()))
		}
		if err := h.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

func TestSweeper(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		for _, key := range []string{"1", "2"} {
			if _, _, err := m.AcquireLease(t.Context(), nil, "run", key, "dead", -time.Second); err != nil {
				t.Fatal(err)
			}
		}
		if _, _, err := m.AcquireLease(t.Context(), nil, "other", "3", "dead", -time.Second); err != nil {
			t.Fatal(err)
		}
		live := acquire(t, lease.NewKeeper(m, "live", quiet()), "4")
		keeper := lease.NewKeeper(m, "sweeper", quiet())
		seen := make(map[string]int)
		s := lease.NewSweeper(m, "run", time.Minute, func(ctx context.Context, l linkspan.Lease) error {
			seen[l.Key]++
			if l.Key == "2" && seen[l.Key] == 1 {
				return errors.New("not now")
			}
			h, ok, err := keeper.Acquire(ctx, l.Kind, l.Key)
			if err != nil || !ok {
				t.Errorf("reclaiming: %t, %v", ok, err)
				return err
			}
			return h.Release(ctx)
		}, quiet())
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { s.Run(ctx) })
		synctest.Wait() // the sweep at the start
		if seen["1"] != 1 || seen["2"] != 1 || len(seen) != 2 {
			t.Fatalf("the first sweep saw %v", seen)
		}
		m.set(true)
		<-time.After(61 * time.Second) // a sweep that fails
		m.set(false)
		<-time.After(5 * time.Minute)
		if seen["1"] != 1 || seen["2"] != 2 || len(seen) != 3 {
			// The outage of a minute also cost the live one its lease.
			t.Fatalf("later sweeps saw %v", seen)
		}
		cancel()
		running.Wait()
		if err := live.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

func TestAbandon(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		h := acquire(t, lease.NewKeeper(m, "a", quiet()), "1")
		if err := h.Note(t.Context(), "sent"); err != nil {
			t.Fatal(err)
		}
		h.Abandon()
		b := lease.NewKeeper(m, "b", quiet())
		if _, ok, err := b.Acquire(t.Context(), "run", "1"); ok || err != nil {
			t.Fatalf("an abandoned lease is free before it lapses: %v", err)
		}
		<-time.After(15 * time.Second)
		other := acquire(t, b, "1")
		if l := other.Lease(); !l.TakenOver || l.State != "sent" {
			t.Fatalf("took over %+v", l)
		}
		if err := other.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}
