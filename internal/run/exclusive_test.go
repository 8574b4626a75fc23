package run

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/linkspan/linkspan"
)

// rights are those of all replicas, kept in memory.
type rights struct {
	mu   sync.Mutex
	held map[string]bool
	// refused counts those that somebody else had.
	refused int
}

type right struct {
	of     *rights
	key    string
	ctx    context.Context //nolint:containedctx // what Right hands out
	cancel context.CancelFunc
}

func (r *rights) acquire(ctx context.Context, kind, key string) (Right, bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key = kind + "/" + key
	if r.held[key] {
		r.refused++
		return nil, false, nil
	}
	r.held[key] = true
	held, cancel := context.WithCancel(ctx)
	return &right{of: r, key: key, ctx: held, cancel: cancel}, true, nil
}

// Context implements Right.
func (r *right) Context() context.Context { return r.ctx }

// Release implements Right.
func (r *right) Release(context.Context) error {
	r.of.mu.Lock()
	defer r.of.mu.Unlock()
	delete(r.of.held, r.key)
	r.cancel()
	return nil
}

// overlaps counts how many runs of a function for a connection are under way beside
// each other.
type overlaps struct {
	mu     sync.Mutex
	now    map[string]int
	most   map[string]int
	served int
	// took is how long each takes; 0: a second.
	took time.Duration
}

// run is an engine on which everything takes a second.
func (o *overlaps) run(ctx context.Context, x *Execution) (Done, error) {
	key := x.Function.Name + "/" + x.ConnectionName
	o.mu.Lock()
	o.now[key]++
	o.most[key] = max(o.most[key], o.now[key])
	o.mu.Unlock()
	select {
	case <-time.After(cmp.Or(o.took, time.Second)):
	case <-ctx.Done():
	}
	o.mu.Lock()
	o.now[key]--
	o.served++
	o.mu.Unlock()
	return Done{Output: json.RawMessage("1")}, context.Cause(ctx)
}

// seen returns how many were beside each other at most, and how many there were.
func (o *overlaps) seen() (most map[string]int, served int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return maps.Clone(o.most), o.served
}

// serialWorld has the function "one", of which a connection has one run at a time,
// and "many", of which it has any number.
func serialWorld() (*world, *overlaps) {
	w := newWorld()
	for name, most := range map[string]int{"one": 1, "many": 0} {
		w.add(linkspan.Function{ID: linkspan.FunctionID(70 + most), Kind: linkspan.FunctionAction, Name: name, Enabled: true, Version: linkspan.FunctionVersion{
			Definition: linkspan.FunctionDefinition{Unified: &linkspan.UnifiedFunction{Trigger: linkspan.TriggerNone, PerConnection: most}},
		}})
	}
	c2 := target("c2")
	c2.Connection.ID = 10
	w.connections["c2"] = c2
	o := &overlaps{now: make(map[string]int), most: make(map[string]int)}
	w.execute = o.run
	return w, o
}

func (w *world) invoke(name, connection string) Trigger {
	t := w.trigger(1, "")
	t.Action, t.ConnectionName = name, connection
	return t
}

// TestOneAtATime invokes functions in two processes at once: those that may not be
// beside each other wait for their turns.
func TestOneAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, o := serialWorld()
		r := &rights{held: make(map[string]bool)}
		var all sync.WaitGroup
		for i := range 4 {
			s := w.serviceWith(Config{Holder: strconv.Itoa(i), Acquire: r.acquire})
			for _, name := range []string{"one", "many"} {
				for _, connection := range []string{"c1", "c1", "c2"} {
					all.Go(func() {
						if _, err := s.Trigger(t.Context(), w.invoke(name, connection)); err != nil {
							t.Errorf("%s for %s: %v", name, connection, err)
						}
					})
				}
			}
		}
		all.Wait()
		if most, served := o.seen(); most["one/c1"] != 1 || most["one/c2"] != 1 || most["many/c1"] != 8 || served != 24 {
			t.Errorf("beside each other: %v, served: %d", most, served)
		}
		if r.refused == 0 || len(r.held) != 0 {
			t.Errorf("%d refusals, still held: %v", r.refused, r.held)
		}
	})
}

// TestOneAtATimeInTheBackground has two processes work on a backlog of a function
// that may not be beside itself: others go on meanwhile, for other connections, too.
func TestOneAtATimeInTheBackground(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, o := serialWorld()
		r := &rights{held: make(map[string]bool)}
		a := w.serviceWith(Config{Holder: "a", Acquire: r.acquire})
		b := w.serviceWith(Config{Holder: "b", Acquire: r.acquire})
		for range 30 {
			_, err := a.TriggerAsync(t.Context(), w.invoke("one", "c1"), 0)
			must(t, err)
		}
		for _, name := range []string{"one", "many"} {
			_, err := a.TriggerAsync(t.Context(), w.invoke(name, "c2"), 0)
			must(t, err)
		}
		defer start(t, a)()
		defer start(t, b)()
		wait(6 * time.Second)
		if most, _ := o.seen(); most["one/c2"] != 1 || most["many/c2"] != 1 {
			t.Errorf("the backlog of one connection holds up others: %v", most)
		}
		wait(90 * time.Second)
		if most, served := o.seen(); most["one/c1"] != 1 || served != 32 {
			t.Errorf("beside each other: %v, served: %d", most, served)
		}
		for id := range w.runs {
			if got := w.row(id); got.State != linkspan.RunSucceeded || got.Attempts != 1 {
				t.Errorf("row %+v", got)
			}
		}
	})
}

// TestOneOfABacklogIsBegun has a process that knows the function begin no more of its
// backlog than there is room for.
func TestOneOfABacklogIsBegun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, _ := serialWorld()
		s := w.service("a")
		const backlog = 20
		for range backlog {
			_, err := s.TriggerAsync(t.Context(), w.invoke("one", "c1"), 0)
			must(t, err)
		}
		defer start(t, s)()
		wait(time.Minute)
		claims := int64(0)
		for id := range w.runs {
			r := w.row(id)
			if claims += r.Attempt; r.State != linkspan.RunSucceeded {
				t.Errorf("row %+v", r)
			}
		}
		if most := int64(backlog + s.limits.BackgroundPerEnvironment); claims > most {
			t.Errorf("%d runs were begun %d times", backlog, claims)
		}
	})
}

// TestTurnThatDoesNotCome gives up on turns: after a time, when the caller leaves,
// and at once where one would wait for oneself.
func TestTurnThatDoesNotCome(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, _ := serialWorld()
		s := w.service("a")
		var nested error
		w.execute = func(ctx context.Context, x *Execution) (Done, error) {
			if x.Nested {
				t.Error("it ran beside itself")
			}
			_, nested = x.Trigger(ctx, "github", "c1", "one", nil)
			<-time.After(time.Minute)
			return Done{}, nil
		}
		var first sync.WaitGroup
		first.Go(func() {
			_, err := s.Trigger(t.Context(), w.invoke("one", "c1"))
			must(t, err)
		})
		synctest.Wait()
		if linkspan.CodeOf(nested) != codeCircle {
			t.Errorf("invoking itself: %v", nested)
		}
		began := time.Now()
		if _, err := s.Trigger(t.Context(), w.invoke("one", "c1")); linkspan.KindOf(err) != linkspan.KindUnavailable || time.Since(began) != 30*time.Second {
			t.Errorf("a turn that does not come: %v after %s", err, time.Since(began))
		}
		ctx, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		if _, err := s.Trigger(ctx, w.invoke("one", "c1")); err == nil {
			t.Error("a caller that left was served")
		}
		first.Wait()
		if len(s.lines.waiting) != 0 {
			t.Errorf("still in line: %v", s.lines.waiting)
		}
	})
}

// TestTurnInTheBackgroundComesBesideOthers keeps a function busy with callers who
// wait: a run in the background gets its turn among them.
func TestTurnInTheBackgroundComesBesideOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, _ := serialWorld()
		s := w.service("a")
		var callers sync.WaitGroup
		ctx, leave := context.WithCancel(t.Context())
		for range 4 {
			callers.Go(func() {
				for ctx.Err() == nil {
					_, _ = s.Trigger(ctx, w.invoke("one", "c1"))
				}
			})
		}
		wait(1500 * time.Millisecond)
		defer start(t, s)()
		id, err := s.TriggerAsync(t.Context(), w.invoke("one", "c1"), 0)
		must(t, err)
		wait(30 * time.Second)
		if _, err := s.Result(t.Context(), 1, id); err != nil {
			t.Errorf("the run in the background had no turn: %v", err)
		}
		leave()
		callers.Wait()
	})
}

// TestTurnInTheBackgroundWaitsNotForLong has the run whose turn it is take long: one
// in the background takes no room from others meanwhile.
func TestTurnInTheBackgroundWaitsNotForLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, o := serialWorld()
		o.took = 10 * time.Minute
		s := w.service("a")
		var first sync.WaitGroup
		first.Go(func() {
			_, err := s.Trigger(t.Context(), w.invoke("one", "c1"))
			must(t, err)
		})
		synctest.Wait()
		// One who waited has left since.
		ctx, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		if _, err := s.Trigger(ctx, w.invoke("one", "c1")); err == nil {
			t.Error("a caller that left was served")
		}
		_, err := s.TriggerAsync(t.Context(), w.invoke("one", "c1"), 0)
		must(t, err)
		stop := start(t, s)
		defer stop()
		wait(5*time.Second + 100*time.Millisecond)
		waiting := 0
		for id := range w.runs {
			if w.row(id).State == linkspan.RunWaiting {
				waiting++
			}
		}
		if waiting != 1 {
			t.Error("it waits in a place of the lane")
		}
		first.Wait()
		wait(15 * time.Minute)
	})
}

// TestTooManyInLine has more callers of an environment wait than are let.
func TestTooManyInLine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, o := serialWorld()
		o.took = 10 * time.Minute
		s := w.service("a")
		ctx, leave := context.WithCancel(t.Context())
		var callers sync.WaitGroup
		for range mostInLine + 1 { // one of them is at it
			callers.Go(func() { _, _ = s.Trigger(ctx, w.invoke("one", "c1")) })
		}
		synctest.Wait()
		began := time.Now()
		if _, err := s.Trigger(ctx, w.invoke("one", "c1")); linkspan.KindOf(err) != linkspan.KindUnavailable || time.Since(began) != 0 {
			t.Errorf("one more: %v after %s", err, time.Since(began))
		}
		callers.Go(func() { // elsewhere nobody waits
			if _, err := s.Trigger(t.Context(), w.invoke("one", "c2")); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		leave()
		callers.Wait()
		if len(s.lines.waiting) != 0 || len(s.lines.behind) != 0 {
			t.Errorf("still in line: %v, %v", s.lines.waiting, s.lines.behind)
		}
	})
}

// TestTurnLost breaks a run off that may not be the only one any more, and says so.
func TestTurnLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, o := serialWorld()
		o.took = time.Hour
		var held *right
		r := &rights{held: make(map[string]bool)}
		s := w.serviceWith(Config{Holder: "a", Acquire: func(ctx context.Context, kind, key string) (Right, bool, error) {
			got, ok, err := r.acquire(ctx, kind, key)
			held, _ = got.(*right)
			return got, ok, err
		}})
		ended := make(chan error, 1)
		call := func(ctx context.Context) {
			_, err := s.Trigger(ctx, w.invoke("one", "c1"))
			ended <- err
		}
		go call(t.Context())
		synctest.Wait()
		held.cancel()
		e, ok := errors.AsType[*linkspan.RunError](<-ended)
		if !ok || e.Code != codeRuntime || !e.Retryable || !strings.Contains(e.Message, "perConnection") {
			t.Errorf("a turn that was lost: %+v", e)
		}
		ctx, leave := context.WithCancel(t.Context())
		go call(ctx)
		synctest.Wait()
		leave()
		if e, ok := errors.AsType[*linkspan.RunError](<-ended); !ok || e.Code != codeAborted {
			t.Errorf("a caller that left: %+v", e)
		}
		if len(r.held) != 0 {
			t.Errorf("still held: %v", r.held)
		}
	})
}
