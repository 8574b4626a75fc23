package runner

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Garbage waits for programs that can't be interrupted, but not without end.
func TestCollectorIsDue(t *testing.T) {
	t.Parallel()
	const mb = 1 << 20
	for _, c := range []struct {
		name      string
		live, now int64
		computing time.Duration // since a program last asked
		want      bool
	}{
		{"little", 10 * mb, 41 * mb, 0, false},
		{"enough", 10 * mb, 42 * mb, 0, true},
		{"a program is busy", 10 * mb, 42 * mb, 11 * time.Millisecond, false},
		{"a program was busy", 10 * mb, 42 * mb, 10 * time.Millisecond, true},
		{"much", 10 * mb, 74 * mb, 20 * time.Millisecond, true},
		{"much, and busy", 10 * mb, 74 * mb, 21 * time.Millisecond, false},
		{"very much", 10 * mb, 1000 * mb, 320 * time.Millisecond, true},
		{"very much, and stuck", 10 * mb, 1000 * mb, time.Second, false},
		{"not as much as is in use", 100 * mb, 199 * mb, 0, false},
		{"as much as is in use", 100 * mb, 200 * mb, 0, true},
	} {
		x := collector{
			heap:   func() (live, now int64) { return c.live, c.now },
			asking: func(lately time.Duration) bool { return c.computing <= lately },
		}
		if got := x.due(); got != c.want {
			t.Errorf("%s: got %t", c.name, got)
		}
	}
}

// It looks while there are runs, and gives memory back once they have ended.
func TestCollectorRests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var collected, released atomic.Int64
		c := collector{
			heap: func() (live, now int64) { return 0, collectStep }, asking: func(time.Duration) bool { return true },
			collect: func() { collected.Add(1) }, release: func() { released.Add(1) }, begun: make(chan struct{}, 1),
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go c.run(ctx)
		for round := range int64(3) {
			c.begin()
			c.begin()
			time.Sleep(time.Second)
			c.runs.Add(-1)
			time.Sleep(time.Second)
			c.runs.Add(-1)
			time.Sleep(2 * collectEvery) // in the middle of a tick it may look once more
			if n := collected.Swap(0); n < 190 || n > 202 {
				t.Errorf("round %d: collected %d times in two seconds", round, n)
			}
			time.Sleep(time.Hour)
			if c, r := collected.Load(), released.Load(); c != 0 || r != round+1 {
				t.Errorf("round %d: collected %d times without runs, gave back %d times", round, c, r)
			}
		}
	})
}
