package author

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/linkspan/linkspan"
)

// turns lets texts be compiled, as many at a time as there are places. While there
// are several, no environment takes all of them: the others wait for none of its
// texts, which may each take their whole time.
type turns struct {
	places, each int

	mu      sync.Mutex
	taken   int
	byEnv   map[linkspan.EnvironmentID]int
	waiting []*turn // in the order they came
}

// turn is one text that waits.
type turn struct {
	env   linkspan.EnvironmentID
	ready chan struct{} // closed when it has a place
}

func newTurns(places int) *turns {
	return &turns{places: places, each: max(1, places-1), byEnv: make(map[linkspan.EnvironmentID]int)}
}

// enter waits for a place. The error is errBusy after a while, and that of ctx when
// it ends. Whoever got one must leave.
func (t *turns) enter(ctx context.Context, env linkspan.EnvironmentID, wait time.Duration) error {
	t.mu.Lock()
	mine := &turn{env: env, ready: make(chan struct{})}
	t.waiting = append(t.waiting, mine)
	t.dispatch()
	t.mu.Unlock()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	err := errBusy
	select {
	case <-mine.ready:
		return nil
	case <-timer.C:
	case <-ctx.Done():
		err = ctx.Err()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	i := slices.Index(t.waiting, mine)
	if i < 0 { // it got its place in the same moment
		return nil
	}
	t.waiting = slices.Delete(t.waiting, i, i+1)
	return err
}

// leave gives a place back.
func (t *turns) leave(env linkspan.EnvironmentID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.taken--
	if t.byEnv[env]--; t.byEnv[env] == 0 {
		delete(t.byEnv, env)
	}
	t.dispatch()
}

// dispatch gives free places to those who came first, if their environment may have
// another one. It needs mu.
func (t *turns) dispatch() {
	for i := 0; i < len(t.waiting) && t.taken < t.places; {
		w := t.waiting[i]
		if t.byEnv[w.env] >= t.each {
			i++
			continue
		}
		t.waiting = slices.Delete(t.waiting, i, i+1)
		t.taken++
		t.byEnv[w.env]++
		close(w.ready)
	}
}
