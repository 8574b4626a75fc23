package runner

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/linkspan/linkspan/internal/sandbox"
)

// One environment floods: what another asks for comes next.
func TestFairness(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(8, 1<<30, 10_000, time.Hour)
		var mu sync.Mutex
		var order []int64
		enter := func(env int64) {
			if err := q.enter(t.Context(), env, 1, false); err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			order = append(order, env)
		}
		var wg sync.WaitGroup
		for range 1000 {
			wg.Go(func() { enter(1) })
		}
		synctest.Wait()
		if len(order) != 7 {
			t.Fatalf("one environment alone got %d of 8 places", len(order))
		}
		wg.Go(func() { enter(2) })
		synctest.Wait()
		if len(order) != 8 || order[7] != 2 {
			t.Error("the place that is left for others is not")
		}
		for range 5 { // three environments in turns
			wg.Go(func() { enter(2) })
			wg.Go(func() { enter(3) })
		}
		synctest.Wait()
		for i := range 1000 + 1 + 10 {
			if i >= len(order) {
				t.Fatalf("only %d of the runs began", i)
			}
			q.leave(order[i], 1, false)
			synctest.Wait()
		}
		wg.Wait()
		if last := slices.Index(order, 3); last > 12 {
			t.Errorf("the first run of the third environment was number %d", last)
		}
		if others := countOthers(order[:40]); others < 10 {
			t.Errorf("of the first 40 runs only %d were the others'", others)
		}
		if running, waiting, memory := q.counts(); running != 0 || waiting != 0 || memory != 0 || len(q.byEnv) != 0 {
			t.Errorf("left: %d running, %d waiting, %d bytes, %d environments", running, waiting, memory, len(q.byEnv))
		}
	})
}

func countOthers(order []int64) int {
	n := 0
	for _, env := range order {
		if env != 1 {
			n++
		}
	}
	return n
}

func TestQueueLimits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(1, 100, 16, time.Minute)
		if err := q.enter(t.Context(), 1, 1, false); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		began := time.Now()
		for range 16 {
			wg.Go(func() {
				if err := q.enter(t.Context(), 1, 1, false); !errors.Is(err, ErrBusy) {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		if err := q.enter(t.Context(), 1, 1, false); !errors.Is(err, ErrBusy) || time.Since(began) > 0 {
			t.Errorf("the queue is full: %v after %s", err, time.Since(began))
		}
		ctx, cancel := context.WithCancel(t.Context())
		wg.Go(func() { // there is room for others
			if err := q.enter(ctx, 2, 1, false); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
		synctest.Wait()
		cancel()
		wg.Wait()
		if took := time.Since(began); took != time.Minute {
			t.Errorf("they waited for %s", took)
		}
		// Nested runs don't wait, and don't go without bounds either.
		if err := q.enter(t.Context(), 1, 1, true); err != nil {
			t.Error(err)
		}
		if err := q.enter(t.Context(), 1, 1, true); !errors.Is(err, ErrBusy) {
			t.Error(err)
		}
	})
}

// However many runs an environment's runs ask for, nobody else waits for them.
func TestNestedRunsHoldNobodyUp(t *testing.T) {
	t.Parallel()
	q := newQueue(8, 800, 16, time.Nanosecond)
	if err := q.enter(t.Context(), 1, 1, false); err != nil {
		t.Fatal(err)
	}
	granted := 0
	for q.enter(t.Context(), 1, 1, true) == nil {
		granted++
	}
	if granted != 7 { // an eighth is left to others
		t.Errorf("%d nested runs were let in", granted)
	}
	for range 7 {
		if err := q.enter(t.Context(), 2, 1, false); err != nil {
			t.Errorf("another environment's run: %v", err)
		}
	}
	if err := q.enter(t.Context(), 2, 1, true); err != nil {
		t.Errorf("another environment's nested run: %v", err)
	}
	if running, _, memory := q.counts(); running != 16 || memory != 16 {
		t.Errorf("%d run and take %d", running, memory)
	}
	for range granted {
		q.leave(1, 1, true)
	}
	q.leave(1, 1, false)
	if _, known := q.byEnv[1]; known {
		t.Error("an environment without runs is remembered")
	}
}

// A run that needs much memory is not passed by small ones for ever.
func TestLargeRunsGetTheirTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(100, 1000, 100, time.Hour)
		for range 8 {
			if err := q.enter(t.Context(), 1, 100, false); err != nil {
				t.Fatal(err)
			}
		}
		var large, small bool
		var wg sync.WaitGroup
		wg.Go(func() { large = q.enter(t.Context(), 2, 900, false) == nil })
		synctest.Wait()
		wg.Go(func() { small = q.enter(t.Context(), 3, 100, false) == nil })
		synctest.Wait()
		for range 7 {
			if large || small {
				t.Fatal("somebody passed")
			}
			q.leave(1, 100, false)
			synctest.Wait()
		}
		if !large || small {
			t.Error("it is the large one's turn")
		}
		q.adjust(50) // it takes even more than that
		q.leave(1, 100, false)
		synctest.Wait()
		if small {
			t.Error("children report more than is there")
		}
		q.adjust(-50)
		wg.Wait()
		if !small {
			t.Error("there is room now")
		}
	})
}

func TestQueueCloses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(1, 100, 16, time.Minute)
		if err := q.enter(t.Context(), 1, 1, false); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := q.enter(t.Context(), 1, 1, false); !errors.Is(err, ErrClosed) {
				t.Error(err)
			}
		})
		synctest.Wait()
		q.close()
		wg.Wait()
		q.leave(1, 1, false)
		if err := q.enter(t.Context(), 1, 1, true); !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
	})
}

func TestEstimates(t *testing.T) {
	t.Parallel()
	e := newEstimates()
	l := sandbox.Limits{Memory: 64 << 20}
	if n := e.of("f", l); n != unknownRun {
		t.Errorf("%d of an unknown function", n)
	}
	e.learn("g", 8<<20) // what all have in common
	e.learn("f", 40<<20)
	if n := e.of("f", l); n != 32<<20+leastRun {
		t.Errorf("%d after a large run", n)
	}
	e.learn("f", 8<<20)
	if n := e.of("f", l); n != 28<<20+leastRun {
		t.Errorf("%d after a small run", n)
	}
	if n := e.of("f", sandbox.Limits{Memory: 10 << 20}); n != 10<<20+leastRun {
		t.Errorf("%d where less is allowed", n)
	}
}

// What is reserved counts like runs, and no more than half of all is kept from them.
func TestReserve(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPool(Config{Memory: 100, QueueWait: time.Second})
		first, err := p.Reserve(t.Context(), 1, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, memory := p.queue.counts(); memory != 50 {
			t.Errorf("%d bytes are reserved", memory)
		}
		second, err := p.Reserve(t.Context(), 2, 40)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Reserve(t.Context(), 3, 20); !errors.Is(err, ErrBusy) {
			t.Errorf("without room: %v", err)
		}
		second()
		second() // once more does nothing
		third, err := p.Reserve(t.Context(), 3, 20)
		if err != nil {
			t.Fatal(err)
		}
		first()
		third()
		if running, waiting, memory := p.queue.counts(); running != 0 || waiting != 0 || memory != 0 {
			t.Errorf("%d run, %d wait, %d bytes are reserved", running, waiting, memory)
		}
		if err := p.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if _, err := p.Reserve(t.Context(), 1, 1); !errors.Is(err, ErrClosed) {
			t.Errorf("of a closed pool: %v", err)
		}
	})
}
