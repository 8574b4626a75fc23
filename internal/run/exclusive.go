package run

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/linkspan/linkspan"
)

const (
	// turnKind is that of the right to be the only run of a function for a connection.
	turnKind = "turn"
	// turnPause is how long a run in the background waits that met another one, and
	// turnFirst how soon somebody who waits looks again at first; it doubles.
	turnPause = time.Second
	turnFirst = 20 * time.Millisecond
	// mostInLine is how many of one environment wait for turns in this process: each
	// holds its input in memory.
	mostInLine = 256
)

// errTurnLost is why a run is broken off that may not be the only one any more.
var errTurnLost = errors.New("the right to be the only run of the function was lost")

// Right is one that only one of all replicas has; *lease.Held is one.
type Right interface {
	// Context ends when the right is released or lost.
	Context() context.Context
	Release(ctx context.Context) error
}

// lines are those of who waits for a turn: in each process they queue up, and
// between processes a lease decides.
type lines struct {
	acquire func(ctx context.Context, kind, key string) (Right, bool, error)

	mu      sync.Mutex
	waiting map[turnKey]*line
	// behind counts those of each environment who wait.
	behind map[linkspan.EnvironmentID]int
}

// turnKey names a function and a connection. The zero one names nothing.
type turnKey struct {
	environment linkspan.EnvironmentID
	pair        linkspan.RunPair
}

// String is the key as replicas know it.
func (k turnKey) String() string {
	return strconv.FormatInt(int64(k.pair.FunctionID), 10) + "/" + strconv.FormatInt(int64(k.pair.ConnectionID), 10)
}

// line is one of them.
type line struct {
	turn   chan struct{} // full: somebody is at it
	all    int           // who is in it, at it or not
	behind int           // who waits in it
}

func newLines(acquire func(ctx context.Context, kind, key string) (Right, bool, error)) lines {
	return lines{acquire: acquire, waiting: make(map[turnKey]*line), behind: make(map[linkspan.EnvironmentID]int)}
}

// join gets into a line.
func (l *lines) join(key turnKey) *line {
	l.mu.Lock()
	defer l.mu.Unlock()
	in := l.waiting[key]
	if in == nil {
		in = &line{turn: make(chan struct{}, 1)}
		l.waiting[key] = in
	}
	in.all++
	return in
}

// leave gets out of a line. Lines that nobody is in are forgotten.
func (l *lines) leave(key turnKey, in *line) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if in.all--; in.all == 0 {
		delete(l.waiting, key)
	}
}

// contended reports whether somebody waits behind the one whose turn it is.
func (l *lines) contended(key turnKey) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	in := l.waiting[key]
	return in != nil && in.behind > 0
}

// step steps up to the front of the line, those who came first first. It reports
// false when patience ends before that, or when too many of the environment wait.
func (l *lines) step(patience context.Context, key turnKey, in *line) bool {
	select {
	case in.turn <- struct{}{}:
		return true
	default:
	}
	if patience.Err() != nil || !l.queue(key.environment, in) {
		return false
	}
	defer l.unqueue(key.environment, in)
	select {
	case in.turn <- struct{}{}:
		return true
	case <-patience.Done():
		return false
	}
}

// queue counts one more who waits, unless too many do.
func (l *lines) queue(env linkspan.EnvironmentID, in *line) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.behind[env] >= mostInLine {
		return false
	}
	l.behind[env]++
	in.behind++
	return true
}

func (l *lines) unqueue(env linkspan.EnvironmentID, in *line) {
	l.mu.Lock()
	defer l.mu.Unlock()
	count(l.behind, env, -1)
	in.behind--
}

// enter takes a turn, or reports false when patience ends before it comes. The turn
// lasts until release is called or ctx ends; its context also ends when it is lost,
// with the cause errTurnLost.
func (l *lines) enter(ctx, patience context.Context, key turnKey) (turn context.Context, release func() error, ok bool, err error) {
	in := l.join(key)
	if !l.step(patience, key, in) {
		l.leave(key, in)
		return nil, nil, false, nil
	}
	leave := func() {
		<-in.turn
		l.leave(key, in)
	}
	if l.acquire == nil {
		return ctx, func() error { leave(); return nil }, true, nil
	}
	for pause := turnFirst; ; pause = min(2*pause, turnPause) {
		right, ok, err := l.acquire(ctx, turnKind, key.String())
		if ok && err == nil {
			turn, done := whileHeld(ctx, right)
			return turn, func() error {
				defer leave()
				done()
				return right.Release(ctx)
			}, true, nil
		}
		if err != nil || !sleep(patience, pause) {
			leave()
			return nil, nil, false, err
		}
	}
}

// whileHeld returns a context that ends with ctx, and when the right is lost.
func whileHeld(ctx context.Context, right Right) (turn context.Context, done func()) {
	turn, end := context.WithCancelCause(ctx)
	stop := context.AfterFunc(right.Context(), func() {
		if ctx.Err() == nil { // otherwise the right ended with it
			end(errTurnLost)
		}
	})
	return turn, func() {
		stop()
		end(nil)
	}
}

// sleep waits, and reports false when ctx ends before.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// turnKey names the turns of a job; zero: it needs none.
func (j *job) turnKey() turnKey {
	if j.pending || !j.fn.Version.Definition.Serial() || j.fn.Kind == linkspan.FunctionSync {
		return turnKey{} // what is not stored has no other runs, and a sync never runs beside itself
	}
	return turnKey{j.env.ID, linkspan.RunPair{FunctionID: j.fn.ID, ConnectionID: j.target.Connection.ID}}
}

// takeTurn waits until no other run of a function is under way that must not be
// beside this one (limits.concurrency.perConnection). The context ends when the turn
// is over or lost; release ends it. Errors: of KindUnavailable when it takes too
// long, function_waits_for_itself, and *linkspan.RunError when ctx ends.
func (s *Service) takeTurn(ctx context.Context, j *job) (turn context.Context, release func(), err error) {
	if key := j.turnKey(); key != (turnKey{}) && slices.Contains(j.holds, key) {
		return nil, nil, linkspan.E("run.Turn", linkspan.KindInvalid, codeCircle, nil,
			"The function %q runs once at a time for each connection, and was invoked by a run that it would wait for.", j.fn.Name).
			WithHint("Look for functions that invoke each other in a circle, or remove limits.concurrency.perConnection.")
	}
	patience, cancel := context.WithTimeout(ctx, s.limits.Turn)
	defer cancel()
	turn, release, ok, err := s.turn(ctx, patience, j)
	switch {
	case ctx.Err() != nil && !ok:
		return nil, nil, s.failure(ctx, ctx.Err())
	case err != nil:
		return nil, nil, err
	case !ok:
		return nil, nil, linkspan.E("run.Turn", linkspan.KindUnavailable, "", nil,
			"The function %q runs for this connection already, and does so once at a time.", j.fn.Name).WithHint("Try again when it has ended.")
	}
	return turn, release, nil
}

// tryTurn is takeTurn for runs that can be put off: ok is false when it is not their
// turn. They don't wait for the one whose turn it is, who may take long; but where
// others wait they get in line, or their turn would never come.
func (s *Service) tryTurn(ctx context.Context, j *job) (turn context.Context, release func(), ok bool, err error) {
	var wait time.Duration
	if s.lines.contended(j.turnKey()) {
		wait = s.limits.Turn
	}
	patience, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	return s.turn(ctx, patience, j)
}

func (s *Service) turn(ctx, patience context.Context, j *job) (turn context.Context, release func(), ok bool, err error) {
	key := j.turnKey()
	if key == (turnKey{}) {
		return ctx, func() {}, true, nil
	}
	turn, end, ok, err := s.lines.enter(ctx, patience, key)
	if err != nil {
		return nil, nil, false, fmt.Errorf("waiting for the turn of %s: %w", j.label(), err)
	}
	if !ok {
		return nil, nil, false, nil
	}
	j.holds = append(slices.Clip(j.holds), key)
	return turn, func() {
		if err := end(); err != nil {
			s.log.WarnContext(ctx, "giving back the turn of a function failed; it lapses by itself", "function", j.fn.Name, "error", err)
		}
	}, true, nil
}
