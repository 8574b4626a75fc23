package ratelimit_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/ratelimit"
)

// pass lets the bubble's clock run; no real time passes.
func pass(d time.Duration) { <-time.After(d) }

// fakeStore adds up counts like the real one.
type fakeStore struct {
	mu      sync.Mutex
	totals  map[linkspan.RateCount]int64 // by account, bucket and window; N is zero
	calls   int
	biggest int // most rows of one call
	fail    error
}

func (f *fakeStore) AddRateCounts(_ context.Context, _ linkspan.Tx, counts []linkspan.RateCount) ([]linkspan.RateCount, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	f.biggest = max(f.biggest, len(counts))
	if f.fail != nil {
		return nil, f.fail
	}
	totals := make([]linkspan.RateCount, len(counts))
	for i, c := range counts {
		key := c
		key.N = 0
		f.totals[key] += c.N
		totals[i] = c
		totals[i].N = f.totals[key]
	}
	return totals, nil
}

func (f *fakeStore) setFail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail = err
}

// start returns a limiter that shares its counts until the test ends.
func start(t *testing.T, store *fakeStore, perMinute int) *ratelimit.Limiter {
	t.Helper()
	l := ratelimit.New(ratelimit.Config{Store: store, Log: slog.New(slog.DiscardHandler), PerMinute: perMinute})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = l.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	return l
}

func newStore() *fakeStore { return &fakeStore{totals: map[linkspan.RateCount]int64{}} }

// allowed makes n calls and returns how many were let through.
func allowed(l *ratelimit.Limiter, n int) int {
	ok := 0
	for range n {
		if l.Allow(1, ratelimit.BucketAPI).OK {
			ok++
		}
	}
	return ok
}

func TestFixedWindow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := start(t, newStore(), 3)
		begin := time.Now().Truncate(time.Minute)
		pass(10*time.Second + 500*time.Millisecond)
		reset := begin.Add(time.Minute)
		wait := time.Until(reset)
		for remaining := int64(2); remaining >= 0; remaining-- {
			want := ratelimit.Decision{OK: true, Limit: 3, Remaining: remaining, Reset: reset, RetryAfter: wait}
			if diff := cmp.Diff(want, l.Allow(1, ratelimit.BucketAPI)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		}
		want := ratelimit.Decision{Limit: 3, Reset: reset, RetryAfter: wait}
		if diff := cmp.Diff(want, l.Allow(1, ratelimit.BucketAPI)); diff != "" {
			t.Errorf("over the budget (-want +got):\n%s", diff)
		}
		if !l.Allow(2, ratelimit.BucketAPI).OK || !l.Allow(1, ratelimit.BucketScript).OK {
			t.Error("another account or bucket is limited too")
		}
		pass(wait)
		if d := l.Allow(1, ratelimit.BucketAPI); !d.OK || d.Remaining != 2 {
			t.Errorf("in the next window: %+v", d)
		}
	})
}

func TestReplicasShareTheBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newStore()
		a, b := start(t, store, 100), start(t, store, 100)
		if got := allowed(a, 60); got != 60 {
			t.Fatalf("a let %d through", got)
		}
		pass(1100 * time.Millisecond)
		allowed(b, 1) // b learns of the others when it shares its own
		pass(1100 * time.Millisecond)
		if got := allowed(b, 100); got != 39 {
			t.Errorf("b let %d more through, want 39", got)
		}
		pass(1100 * time.Millisecond)
		store.mu.Lock()
		defer store.mu.Unlock()
		if store.calls > 4 {
			t.Errorf("%d exchanges with the store for 200 calls", store.calls)
		}
	})
}

func TestOneStatementForAllAccounts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newStore()
		l := start(t, store, 10)
		for account := range linkspan.AccountID(50) {
			l.Allow(account, ratelimit.BucketAPI)
		}
		pass(1100 * time.Millisecond)
		store.mu.Lock()
		defer store.mu.Unlock()
		if store.calls != 1 || store.biggest != 50 {
			t.Errorf("%d calls, at most %d rows; want one call of 50", store.calls, store.biggest)
		}
	})
}

func TestGoesOnWithoutTheStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newStore()
		store.setFail(errors.New("down"))
		l := start(t, store, 10)
		if got := allowed(l, 4); got != 4 {
			t.Fatalf("%d let through", got)
		}
		pass(3 * time.Second)
		if got := allowed(l, 10); got != 6 {
			t.Errorf("%d more let through, want the 6 that are left", got)
		}
		store.setFail(nil)
		pass(2 * time.Second)
		store.mu.Lock()
		defer store.mu.Unlock()
		for key, n := range store.totals {
			if n != 10 {
				t.Errorf("%+v: shared %d calls after recovery, want 10", key, n)
			}
		}
		if len(store.totals) != 1 {
			t.Errorf("totals = %v", store.totals)
		}
	})
}

func TestEndSharesWhatIsLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newStore()
		l := ratelimit.New(ratelimit.Config{Store: store, Log: slog.New(slog.DiscardHandler), PerMinute: 10})
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = l.Run(ctx) })
		allowed(l, 3)
		cancel()
		running.Wait()
		for _, n := range store.totals {
			if n != 3 {
				t.Errorf("shared %d, want 3", n)
			}
		}
		if len(store.totals) != 1 {
			t.Errorf("totals = %v", store.totals)
		}
	})
}

func TestApply(t *testing.T) {
	t.Parallel()
	now := time.Date(2025, 1, 2, 3, 4, 20, 500e6, time.UTC)
	l := ratelimit.New(ratelimit.Config{Store: newStore(), Log: slog.New(slog.DiscardHandler), PerMinute: 1, Now: func() time.Time { return now }})
	r := httptest.NewRequest(http.MethodGet, "/x", nil)
	script := httptest.NewRequest(http.MethodGet, "/x", nil)
	script.Header.Set("Nango-Is-Script", "true")

	w := httptest.NewRecorder()
	if err := l.Apply(w, r, 1); err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{"X-Ratelimit-Limit": {"1"}, "X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": {"1735787100"}}
	if diff := cmp.Diff(want, map[string][]string(w.Header())); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	w = httptest.NewRecorder()
	err := l.Apply(w, r, 1)
	if linkspan.KindOf(err) != linkspan.KindRateLimited || linkspan.CodeOf(err) != "too_many_request" {
		t.Errorf("error = %v", err)
	}
	want["Retry-After"] = []string{"40"} // 39.5 s, rounded up
	if diff := cmp.Diff(want, map[string][]string(w.Header())); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if err := l.Apply(httptest.NewRecorder(), script, 1); err != nil {
		t.Errorf("calls of functions share the bucket: %v", err)
	}
}

func TestOff(t *testing.T) {
	t.Parallel()
	for name, l := range map[string]*ratelimit.Limiter{"nil": nil, "zero": ratelimit.New(ratelimit.Config{})} {
		w := httptest.NewRecorder()
		if err := l.Apply(w, httptest.NewRequest(http.MethodGet, "/", nil), 1); err != nil || len(w.Header()) != 0 || !l.Allow(1, "api").OK {
			t.Errorf("%s: limits: %v %v", name, err, w.Header())
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := l.Run(ctx); err != nil {
			t.Errorf("%s: Run: %v", name, err)
		}
	}
}

func BenchmarkAllow(b *testing.B) {
	l := ratelimit.New(ratelimit.Config{Store: newStore(), Log: slog.New(slog.DiscardHandler), PerMinute: 1 << 30})
	b.ReportAllocs()
	for b.Loop() {
		l.Allow(1, ratelimit.BucketAPI)
	}
}
