package change

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
)

// rows is a Store in memory.
type rows struct {
	mu      sync.Mutex
	changes []linkspan.Change
	broken  bool
	notify  chan struct{}
}

var errAway = errors.New("database is away")

func (r *rows) LatestChange(context.Context) (int64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.broken {
		return 0, errAway
	}
	return int64(len(r.changes)), nil
}

func (r *rows) ChangesSince(_ context.Context, seq int64, limit int) ([]linkspan.Change, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.broken {
		return nil, errAway
	}
	out := r.changes[seq:]
	if len(out) > limit {
		out = out[:limit]
	}
	return append([]linkspan.Change(nil), out...), nil
}

func (r *rows) Notifications(context.Context) <-chan struct{} { return r.notify }

func (r *rows) add(kind linkspan.ChangeKind, key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.changes = append(r.changes, linkspan.Change{Seq: int64(len(r.changes) + 1), Kind: kind, Key: key})
}

func (r *rows) setBroken(v bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.broken = v
}

func run(t *testing.T, f *Feed) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// pass lets the bubble's clock run; no real time passes.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestFeedDeliversInOrderWithinASecond(t *testing.T) {
	t.Parallel()
	for name, notify := range map[string]chan struct{}{"polling": nil, "notified": make(chan struct{}, 1)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				if notify != nil {
					notify = make(chan struct{}, 1) // channels belong to their bubble
				}
				r := &rows{notify: notify}
				r.add(linkspan.ChangeAPIKey, "before the start: not delivered")
				f := NewFeed(r, slog.New(slog.DiscardHandler))
				var mu sync.Mutex
				var got []string
				f.Subscribe(func(c linkspan.Change) {
					mu.Lock()
					defer mu.Unlock()
					got = append(got, string(c.Kind)+" "+c.Key)
				})
				stop := run(t, f)
				defer stop()
				synctest.Wait()
				r.add(linkspan.ChangeAPIKey, "a")
				r.add(linkspan.ChangeConnection, "b")
				if notify != nil {
					notify <- struct{}{}
					synctest.Wait()
				} else {
					pass(time.Second)
				}
				mu.Lock()
				defer mu.Unlock()
				if diff := cmp.Diff([]string{"lost ", "api_key a", "connection b"}, got); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestFeedReadsMoreThanOnePage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &rows{}
		f := NewFeed(r, slog.New(slog.DiscardHandler))
		var n atomic.Int64
		f.Subscribe(func(linkspan.Change) { n.Add(1) })
		stop := run(t, f)
		defer stop()
		synctest.Wait()
		for range 2*readLimit + 7 {
			r.add(linkspan.ChangeConnection, "x")
		}
		pass(time.Second)
		if got := n.Load(); got != 2*readLimit+8 {
			t.Fatalf("delivered %d changes, want %d", got, 2*readLimit+8)
		}
	})
}

func TestFeedClosesWhenItCannotRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &rows{}
		f := NewFeed(r, slog.New(slog.DiscardHandler))
		if f.Fresh() {
			t.Fatal("fresh before the first read")
		}
		stop := run(t, f)
		defer stop()
		synctest.Wait()
		if err := f.Check(); err != nil {
			t.Fatal(err)
		}
		r.setBroken(true)
		pass(4 * time.Second)
		if !f.Fresh() {
			t.Fatal("closed too early")
		}
		pass(2 * time.Second)
		if f.Fresh() || linkspan.KindOf(f.Check()) != linkspan.KindUnavailable {
			t.Fatal("still open without a successful read for five seconds")
		}
		r.setBroken(false)
		pass(time.Second)
		if err := f.Check(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestFeedNeedsAStartingPoint(t *testing.T) {
	t.Parallel()
	f := NewFeed(&rows{broken: true}, slog.New(slog.DiscardHandler))
	if err := f.Run(t.Context()); !errors.Is(err, errAway) {
		t.Fatalf("Run = %v", err)
	}
}

func tagged(v string) []string { return []string{"connection:" + v} }

func constant(v string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return v, nil }
}

func TestCacheLoadsOnceAndInvalidates(t *testing.T) {
	t.Parallel()
	c := NewCache[string](10, tagged)
	calls := 0
	fill := func(context.Context) (string, error) { calls++; return "v", nil }
	for range 3 {
		if v, err := c.Load(t.Context(), "k", fill); err != nil || v != "v" {
			t.Fatal(v, err)
		}
	}
	if calls != 1 {
		t.Fatalf("filled %d times", calls)
	}
	c.Invalidate("connection:other")
	if _, ok := c.Peek("k"); !ok {
		t.Fatal("an unrelated change dropped the value")
	}
	c.Invalidate("connection:v")
	if _, ok := c.Peek("k"); ok || c.Len() != 0 {
		t.Fatal("still cached")
	}
	if len(c.byTag) != 0 {
		t.Fatalf("tags left behind: %v", c.byTag)
	}
}

func TestCacheDoesNotKeepErrorsOrOvertakenLoads(t *testing.T) {
	t.Parallel()
	c := NewCache[string](10, tagged)
	if _, err := c.Load(t.Context(), "k", func(context.Context) (string, error) { return "", errAway }); !errors.Is(err, errAway) {
		t.Fatal(err)
	}
	v, err := c.Load(t.Context(), "k", func(context.Context) (string, error) {
		c.Invalidate("connection:whatever") // a change arrives during the load
		return "old", nil
	})
	if err != nil || v != "old" {
		t.Fatal(v, err)
	}
	if _, ok := c.Peek("k"); ok {
		t.Fatal("a value older than a change was kept")
	}
}

func TestCacheWaitersShareOneLoad(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := NewCache[string](10, tagged)
		release := make(chan struct{})
		var calls atomic.Int64
		fill := func(context.Context) (string, error) {
			calls.Add(1)
			<-release
			return "v", nil
		}
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if v, err := c.Load(t.Context(), "k", fill); err != nil || v != "v" {
					t.Error(v, err)
				}
			})
		}
		synctest.Wait()
		close(release)
		wg.Wait()
		if calls.Load() != 1 {
			t.Fatalf("filled %d times", calls.Load())
		}
	})
}

func TestCacheWaiterOutlivesACancelledOwner(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := NewCache[string](10, tagged)
		owner, cancel := context.WithCancel(t.Context())
		go func() {
			_, _ = c.Load(owner, "k", func(ctx context.Context) (string, error) {
				<-ctx.Done()
				return "", ctx.Err()
			})
		}()
		synctest.Wait()
		got := make(chan string, 1)
		go func() {
			v, err := c.Load(t.Context(), "k", constant("v"))
			if err != nil {
				t.Error(err)
			}
			got <- v
		}()
		synctest.Wait()
		cancel()
		if v := <-got; v != "v" {
			t.Fatalf("waiter got %q", v)
		}
	})
}

func TestCacheWaiterHonoursItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := NewCache[string](10, tagged)
		release := make(chan struct{})
		defer close(release)
		go func() {
			_, _ = c.Load(t.Context(), "k", func(context.Context) (string, error) { <-release; return "v", nil })
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Load(ctx, "k", constant("never used")); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("err = %v", err)
		}
	})
}

func TestCacheSurvivesAPanickingFill(t *testing.T) {
	t.Parallel()
	c := NewCache[string](10, tagged)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_, _ = c.Load(t.Context(), "k", func(context.Context) (string, error) { panic("boom") })
	}()
	if v, err := c.Load(t.Context(), "k", constant("v")); err != nil || v != "v" {
		t.Fatal(v, err)
	}
}

func TestCacheIsBounded(t *testing.T) {
	t.Parallel()
	c := NewCache[int](8, func(v string) []string { return []string{v} })
	for i := range 100 {
		if _, err := c.Load(t.Context(), i, constant("v")); err != nil {
			t.Fatal(err)
		}
	}
	if c.Len() != 8 || len(c.byTag["v"]) != 8 {
		t.Fatalf("len %d, tagged %d", c.Len(), len(c.byTag["v"]))
	}
}

func TestCacheFollowsAFeed(t *testing.T) {
	t.Parallel()
	f := NewFeed(&rows{}, slog.New(slog.DiscardHandler))
	c := NewCache[string](8, tagged)
	c.Follow(f)
	load := func() { _, _ = c.Load(t.Context(), "k", constant("u1")) }
	load()
	f.Local(linkspan.Change{Kind: linkspan.ChangeConnection, Key: "u2"})
	if c.Len() != 1 {
		t.Fatal("dropped by another connection's change")
	}
	f.Local(linkspan.Change{Kind: linkspan.ChangeConnection, Key: "u1"})
	if c.Len() != 0 {
		t.Fatal("not dropped")
	}
	load()
	f.Local(linkspan.Change{Kind: linkspan.ChangeLost})
	if c.Len() != 0 {
		t.Fatal("not cleared")
	}
}

func BenchmarkCacheHit(b *testing.B) {
	c := NewCache[string](8, tagged)
	_, _ = c.Load(b.Context(), "k", constant("v"))
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, ok := c.Peek("k"); !ok {
				b.Fail()
			}
		}
	})
}
