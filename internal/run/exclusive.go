package run

import (
	"context"
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
)

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
	waiting map[string]*line
}

// line is one of them.
type line struct {
	turn chan struct{} // full: somebody is at it
	all  int           // who is in it, at it or not
}

// join gets into a line.
func (l *lines) join(key string) *line {
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
func (l *lines) leave(key string, in *line) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if in.all--; in.all == 0 {
		delete(l.waiting, key)
	}
}

// step steps up to the front of the line, or reports false when patience ends before
// it is free.
func (in *line) step(patience context.Context) bool {
	select {
	case in.turn <- struct{}{}:
		return true
	default:
	}
	select {
	case in.turn <- struct{}{}:
		return true
	case <-patience.Done():
		return false
	}
}

// enter takes a turn, or reports false when patience ends before it comes. The turn
// lasts until release is called or ctx ends; its context also ends when it is lost.
func (l *lines) enter(ctx, patience context.Context, key string) (turn context.Context, release func() error, ok bool, err error) {
	in := l.join(key)
	if !in.step(patience) {
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
		right, ok, err := l.acquire(ctx, turnKind, key)
		if ok && err == nil {
			return right.Context(), func() error {
				defer leave()
				return right.Release(ctx)
			}, true, nil
		}
		if err != nil || !sleep(patience, pause) {
			leave()
			return nil, nil, false, err
		}
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

// turnKey names the turns of a job; empty: it needs none.
func (j *job) turnKey() string {
	if j.pending || !j.fn.Version.Definition.Serial() || j.fn.Kind == linkspan.FunctionSync {
		return "" // what is not stored has no other runs, and a sync never runs beside itself
	}
	return strconv.FormatInt(int64(j.fn.ID), 10) + "/" + strconv.FormatInt(int64(j.target.Connection.ID), 10)
}

// takeTurn waits until no other run of a function is under way that must not be
// beside this one (limits.concurrency.perConnection). The context ends when the turn
// is over or lost; release ends it. Errors: of KindUnavailable when it takes too
// long, function_waits_for_itself, and *linkspan.RunError when ctx ends.
func (s *Service) takeTurn(ctx context.Context, j *job) (turn context.Context, release func(), err error) {
	if key := j.turnKey(); key != "" && slices.Contains(j.holds, key) {
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
// turn.
func (s *Service) tryTurn(ctx context.Context, j *job) (turn context.Context, release func(), ok bool, err error) {
	patience, cancel := context.WithCancel(ctx)
	cancel()
	return s.turn(ctx, patience, j)
}

func (s *Service) turn(ctx, patience context.Context, j *job) (turn context.Context, release func(), ok bool, err error) {
	key := j.turnKey()
	if key == "" {
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
