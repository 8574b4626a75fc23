package runner

import (
	"context"
	"slices"
	"sync"
	"time"
)

// queue decides who may run: as many as the limits of runs and memory allow.
// When more want to, environments take turns, and one alone never gets
// everything: an eighth is left for the others, so that they wait for nobody's
// long runs.
type queue struct {
	runs   int           // at the same time
	memory int64         // bytes of all of them
	most   int           // waiting
	wait   time.Duration // at most

	mu      sync.Mutex
	used    usage // by runs that nobody's run waits for
	nested  usage // by those that others asked for and wait for
	excess  int64 // bytes in use beyond the estimates, as the children report
	byEnv   map[int64]*lane
	waiting []*lane // those with tickets, in turns
	turn    int     // index of the next in waiting
	tickets int
	closed  bool
}

// usage is what runs hold.
type usage struct {
	runs   int
	memory int64
}

// lane is one environment.
type lane struct {
	env     int64
	used    usage
	nested  usage
	tickets []*ticket // in the order they came
}

// ticket is one run.
type ticket struct {
	memory int64
	ready  chan struct{} // closed when it may run, or when the queue closed
	ok     bool
}

func newQueue(runs int, memory int64, most int, wait time.Duration) *queue {
	return &queue{runs: runs, memory: memory, most: most, wait: wait, byEnv: map[int64]*lane{}}
}

// enter waits for a place. Nested runs get one at once or ErrBusy: they must not
// wait for those that wait for them. They have as much room again for themselves,
// so that however many a run asks for, nobody else waits longer.
func (q *queue) enter(ctx context.Context, env, memory int64, nested bool) error {
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return ErrClosed
	}
	l := q.lane(env)
	if nested {
		defer q.mu.Unlock()
		if !q.room(q.nested, memory) || !q.share(l.nested, memory) {
			q.tidy(l)
			return ErrBusy
		}
		grant(memory, &l.nested, &q.nested)
		return nil
	}
	if q.tickets == 0 && q.fits(memory) && q.share(l.used, memory) {
		grant(memory, &l.used, &q.used)
		q.mu.Unlock()
		return nil
	}
	// Whoever fills the queue leaves some of it to each of the others.
	if q.tickets >= q.most && len(l.tickets) >= max(1, q.most/16) {
		q.tidy(l)
		q.mu.Unlock()
		return ErrBusy
	}
	t := &ticket{memory: memory, ready: make(chan struct{})}
	if len(l.tickets) == 0 {
		q.waiting = append(q.waiting, l)
	}
	l.tickets = append(l.tickets, t)
	q.tickets++
	q.dispatch()
	q.mu.Unlock()
	return q.await(ctx, l, t)
}

func (q *queue) await(ctx context.Context, l *lane, t *ticket) error {
	timer := time.NewTimer(q.wait)
	defer timer.Stop()
	err := ErrBusy
	select {
	case <-t.ready:
	case <-timer.C:
	case <-ctx.Done():
		err = ctx.Err()
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	select {
	case <-t.ready: // maybe in the same moment
		if t.ok {
			return nil
		}
		return ErrClosed
	default:
	}
	i := slices.Index(l.tickets, t)
	l.tickets = slices.Delete(l.tickets, i, i+1)
	q.tickets--
	if len(l.tickets) == 0 {
		q.leaveTurn(slices.Index(q.waiting, l))
		q.tidy(l)
	}
	q.dispatch() // it may have been the one that did not fit
	return err
}

// leave gives a place back.
func (q *queue) leave(env, memory int64, nested bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.byEnv[env]
	held := []*usage{&l.used, &q.used}
	if nested {
		held = []*usage{&l.nested, &q.nested}
	}
	for _, u := range held {
		u.runs--
		u.memory -= memory
	}
	q.tidy(l)
	q.dispatch()
}

// adjust changes what is in use beyond the estimates.
func (q *queue) adjust(delta int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.excess += delta
	if delta < 0 {
		q.dispatch()
	}
}

// close sends everybody who waits away.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	for _, l := range q.waiting {
		for _, t := range l.tickets {
			close(t.ready)
		}
		l.tickets = nil
		q.tidy(l)
	}
	q.waiting, q.tickets = nil, 0
}

// counts returns how many run and wait, and the memory in use.
func (q *queue) counts() (running, waiting int, memory int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.used.runs + q.nested.runs, q.tickets, q.used.memory + q.nested.memory + q.excess
}

// The rest needs mu.

func (q *queue) lane(env int64) *lane {
	l := q.byEnv[env]
	if l == nil {
		l = &lane{env: env}
		q.byEnv[env] = l
	}
	return l
}

// tidy forgets a lane that is empty.
func (q *queue) tidy(l *lane) {
	if l.used.runs == 0 && l.nested.runs == 0 && len(l.tickets) == 0 {
		delete(q.byEnv, l.env)
	}
}

// fits says whether there is room for a run that is not nested, with what all runs
// take beyond what was expected.
func (q *queue) fits(memory int64) bool { return q.room(q.used, memory+q.excess) }

// room says whether a run fits beside what is used. Something may always run.
func (q *queue) room(used usage, memory int64) bool {
	return used.runs == 0 || used.runs < q.runs && used.memory+memory <= q.memory
}

// share says whether a run beside what its environment uses leaves the others
// their share. Each environment may always run something.
func (q *queue) share(used usage, memory int64) bool {
	return used.runs == 0 || used.runs < q.runs-q.runs/8 && used.memory+memory <= q.memory-q.memory/8
}

func grant(memory int64, to ...*usage) {
	for _, u := range to {
		u.runs++
		u.memory += memory
	}
}

// dispatch lets those run that fit, one of each environment in turn.
func (q *queue) dispatch() {
	for passed := 0; passed < len(q.waiting); {
		q.turn %= len(q.waiting)
		l := q.waiting[q.turn]
		t := l.tickets[0]
		if !q.fits(t.memory) {
			return // whoever comes next waits as well, or large runs would wait for ever
		}
		if !q.share(l.used, t.memory) {
			passed++
			q.turn++
			continue
		}
		grant(t.memory, &l.used, &q.used)
		l.tickets = l.tickets[1:]
		q.tickets--
		t.ok = true
		close(t.ready)
		passed = 0
		if len(l.tickets) == 0 {
			q.leaveTurn(q.turn)
		} else {
			q.turn++
		}
	}
}

// leaveTurn takes the lane at index i out of the turns.
func (q *queue) leaveTurn(i int) {
	q.waiting = slices.Delete(q.waiting, i, i+1)
	if i < q.turn {
		q.turn--
	}
}
