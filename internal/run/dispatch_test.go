package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/oplog"
)

func TestAsync(t *testing.T) {
	t.Parallel()
	failed := &linkspan.RunError{Code: "script_http_error", Message: "no"}
	for name, test := range map[string]struct {
		retries  int
		execute  func(context.Context, *Execution) (Done, error)
		change   func(w *world, r *linkspan.Run)
		state    linkspan.RunState
		output   string
		code     string
		attempts int
		runs     int
		silent   bool // nobody is told
	}{
		"success":            {state: linkspan.RunSucceeded, output: `{"ok":true}`, attempts: 1, runs: 1},
		"nothing":            {execute: answer(""), state: linkspan.RunSucceeded, code: "not_found", attempts: 1, runs: 1},
		"failure":            {execute: fail(failed), state: linkspan.RunFailed, code: "script_http_error", attempts: 1, runs: 1},
		"retries":            {retries: 5, execute: fail(failed), state: linkspan.RunFailed, code: "script_http_error", attempts: 6, runs: 6},
		"a retry helps":      {retries: 5, execute: failing(2, failed), state: linkspan.RunSucceeded, output: `1`, attempts: 3, runs: 3},
		"our own fault":      {retries: 1, execute: func(context.Context, *Execution) (Done, error) { return Done{}, errDown }, state: linkspan.RunFailed, code: "internal_server_error", attempts: 2, runs: 2},
		"a panic":            {execute: func(context.Context, *Execution) (Done, error) { panic("oops") }, state: linkspan.RunFailed, code: "internal_server_error", attempts: 1, runs: 1},
		"no room":            {execute: failing(3, linkspan.E("x", linkspan.KindUnavailable, "", nil, "No room.")), state: linkspan.RunSucceeded, output: `1`, attempts: 1, runs: 4},
		"bad input":          {retries: 5, execute: fail(&linkspan.RunError{Code: "invalid_action_input"}), state: linkspan.RunFailed, code: "invalid_action_input", attempts: 1, runs: 1},
		"disabled since":     {retries: 5, change: func(w *world, _ *linkspan.Run) { w.functions["act"] = linkspan.Function{Kind: "action"} }, state: linkspan.RunFailed, code: "disabled_resource", attempts: 1},
		"removed since":      {retries: 5, change: func(w *world, _ *linkspan.Run) { delete(w.functions, "act") }, state: linkspan.RunFailed, code: "not_found", attempts: 1},
		"connection deleted": {retries: 5, change: func(w *world, _ *linkspan.Run) { delete(w.connections, "c1") }, state: linkspan.RunFailed, code: "unknown_connection", attempts: 1},
		"another connection": {retries: 5, change: func(_ *world, r *linkspan.Run) { r.ConnectionUUID = "other" }, state: linkspan.RunFailed, code: "unknown_connection", attempts: 1},
		"environment gone":   {retries: 5, change: func(w *world, _ *linkspan.Run) { delete(w.envs, 1) }, state: linkspan.RunFailed, code: "not_found", attempts: 1},
		"too late":           {retries: 5, change: func(_ *world, r *linkspan.Run) { r.ExpiresAt = time.Now().Add(-time.Second) }, state: linkspan.RunFailed, code: "execution_timeout", attempts: 1},
		"an event":           {execute: fail(failed), change: asEvent, state: linkspan.RunFailed, attempts: 1, runs: 1, silent: true},
		"an event, lost":     {execute: lost(true, 1), change: asEvent, state: linkspan.RunSucceeded, attempts: 2, runs: 2, silent: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				if test.execute != nil {
					w.execute = test.execute
				}
				s := w.service("me")
				r := w.async(t, s, 1, test.retries)
				if test.change != nil {
					test.change(w, w.runs[r.ID])
				}
				if _, err := s.Result(t.Context(), 1, r.UUID); codeOf(err) != "not_found" {
					t.Errorf("a result before it ran: %v", err)
				}
				stop := start(t, s)
				wait(time.Hour)
				stop()
				got := w.row(r.ID)
				if got.State != test.state || got.Attempts != test.attempts || len(w.began) != test.runs || got.Holder != "" || got.EndedAt.IsZero() {
					t.Fatalf("%d executions: %+v %+v", len(w.began), got, got.Error)
				}
				if events := w.told(); (len(events) == 0) != test.silent || !test.silent && (len(events) != 1 || events[0].ID != r.UUID || events[0].ConnectionName != "c1") {
					t.Errorf("told: %+v", events)
				}
				if test.silent {
					return
				}
				output, err := s.Result(t.Context(), 1, r.UUID)
				if string(output) != test.output || codeOf(err) != test.code {
					t.Errorf("the result is %s, %v", output, err)
				}
				if _, err := s.Result(t.Context(), 2, r.UUID); codeOf(err) != "not_found" {
					t.Errorf("another environment sees it: %v", err)
				}
				if test.runs > 0 && string(w.began[0].Input) != `{"a":1}` {
					t.Errorf("executed with %s", w.began[0].Input)
				}
			})
		})
	}
}

// asEvent makes a row one of a function at an event.
func asEvent(w *world, r *linkspan.Run) {
	w.add(event("created", linkspan.EventPostConnectionCreation))
	r.Kind, r.Name, r.Event, r.MaxAttempts = linkspan.FunctionOnEvent, "created", linkspan.EventPostConnectionCreation, eventAttempts
}

// failing is an engine that fails a number of times, then answers 1.
func failing(times int, err error) func(context.Context, *Execution) (Done, error) {
	return func(context.Context, *Execution) (Done, error) {
		if times--; times >= 0 {
			return Done{}, err
		}
		return Done{Output: json.RawMessage("1")}, nil
	}
}

func TestRetriesComeLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		var at []time.Time
		w.execute = func(context.Context, *Execution) (Done, error) {
			at = append(at, time.Now())
			return Done{}, &linkspan.RunError{Code: "x"}
		}
		s := w.service("me")
		w.async(t, s, 1, 5)
		stop := start(t, s)
		wait(time.Hour)
		stop()
		for i, base := range []time.Duration{3 * time.Second, 6 * time.Second, 12 * time.Second, 24 * time.Second, 48 * time.Second} {
			if got := at[i+1].Sub(at[i]); got < base || got > base*12/10+time.Second {
				t.Errorf("retry %d came after %v", i+1, got)
			}
		}
	})
}

// TestFairness gives one environment 5,000 rows. Another's comes next.
func TestFairness(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.execute = func(context.Context, *Execution) (Done, error) {
			<-time.After(time.Second)
			return Done{}, nil
		}
		s := w.service("me")
		for range 5000 {
			w.async(t, s, 1, 0)
		}
		stop := start(t, s)
		wait(10*time.Second + time.Second/2)
		before := len(w.executions())
		w.async(t, s, 2, 0)
		wait(time.Second / 4)
		began := w.executions()[before:]
		if len(began) != 1 || began[0].Environment.ID != 2 {
			t.Errorf("%d began before or beside it", len(began))
		}
		stop()
		if n := before; n > 8*12 {
			t.Errorf("%d of one environment in ten seconds: more than eight at a time", n)
		}
	})
}

// TestLongRunsLeaveRoom has environments hold every slot that they may.
func TestLongRunsLeaveRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		var underWay atomic.Int64
		w.execute = func(ctx context.Context, x *Execution) (Done, error) {
			underWay.Add(1)
			defer underWay.Add(-1)
			if x.Environment.ID == 12 {
				return Done{}, nil
			}
			<-ctx.Done()
			return Done{}, ctx.Err()
		}
		s := w.service("me")
		for range 20 {
			for env := range linkspan.EnvironmentID(11) {
				w.async(t, s, env+1, 0)
			}
		}
		stop := start(t, s)
		wait(time.Minute)
		if n := underWay.Load(); n < 32 || n > 32+11 || s.Running() != n {
			t.Errorf("%d are under way, %d are shown", n, s.Running())
		}
		r := w.async(t, s, 12, 0)
		wait(2 * time.Second)
		if got := w.row(r.ID); got.State != linkspan.RunSucceeded {
			t.Errorf("there was no room for another environment: %+v", got)
		}
		stop()
		if n, err := s.Waiting(t.Context()); n != 220 || err != nil {
			t.Errorf("%d wait after the stop, of 220: %v", n, err)
		}
		for _, x := range w.sorted() {
			if x.Attempts != 0 && x.State == linkspan.RunWaiting {
				t.Fatalf("an attempt that was broken off counts: %+v", x)
			}
		}
	})
}

// TestSlowDatabase has looks end by their time limit: what is too slow is not kept
// busy with more of them, whoever wakes the dispatcher.
func TestSlowDatabase(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		s := w.service("me")
		w.setStuck(true)
		r := w.async(t, s, 1, 0)
		stop := start(t, s)
		const minute = 60
		for range minute {
			s.RunsDue()
			wait(time.Second)
		}
		if most := minute/int(2*callTimeout/time.Second) + 1; w.looked() > most || w.looked() < 2 {
			t.Errorf("%d looks in a minute, %d at most", w.looked(), most)
		}
		w.setStuck(false)
		wait(2 * callTimeout)
		if got := w.row(r.ID); got.State != linkspan.RunSucceeded {
			t.Errorf("after the database is fast again: %+v", got)
		}
		before := w.looked()
		wait(10 * pollEvery)
		if n := w.looked() - before; n < 9 || n > 11 {
			t.Errorf("%d looks in ten seconds", n)
		}
		stop()
	})
}

// TestTakeover has processes die over a run.
func TestTakeover(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		retries, deaths int
		state           linkspan.RunState
		code            string
		runs            int
	}{
		"one attempt":        {0, 1, linkspan.RunFailed, "function_runtime_other", 0},
		"two attempts":       {1, 1, linkspan.RunSucceeded, "", 1},
		"two attempts, dead": {1, 2, linkspan.RunFailed, "function_runtime_other", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				s := w.service("healthy")
				r := w.async(t, s, 1, test.retries)
				for range test.deaths {
					claimed, err := w.ClaimRuns(t.Context(), nil, []linkspan.RunID{r.ID}, "dead", ttl)
					must(t, err)
					if len(claimed) != 1 {
						t.Fatal("not claimed")
					}
					wait(ttl)
				}
				stop := start(t, s)
				wait(2 * pollEvery)
				stop()
				got := w.row(r.ID)
				if got.State != test.state || len(w.began) != test.runs || got.Attempts > got.MaxAttempts || len(w.told()) != 1 {
					t.Fatalf("%d executions: %+v", len(w.began), got)
				}
				if test.code != "" && (got.Error.Code != test.code || !got.Error.Retryable) {
					t.Errorf("it failed with %+v", got.Error)
				}
			})
		})
	}
}

// TestFencing has a process finish late what another one took over.
func TestFencing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		release := make(chan struct{})
		w.execute = func(context.Context, *Execution) (Done, error) {
			<-release
			return Done{Output: json.RawMessage(`"late"`), Effects: true}, nil
		}
		s := w.service("slow")
		r := w.async(t, s, 1, 3)
		stop := start(t, s)
		wait(time.Second)
		// Its lease lapses unnoticed, and another process is faster.
		func() {
			defer w.lock(nil)()
			w.runs[r.ID].LeaseUntil = time.Now()
		}()
		claimed, err := w.ClaimRuns(t.Context(), nil, []linkspan.RunID{r.ID}, "fast", ttl)
		must(t, err)
		fast := claimed[0]
		fast.State, fast.Output = linkspan.RunSucceeded, linkspan.NewSecret(`"fast"`)
		if ok, err := w.FinishRun(t.Context(), nil, &fast, 0); !ok || err != nil {
			t.Fatal(ok, err)
		}
		close(release)
		wait(time.Minute)
		stop()
		if got := w.row(r.ID); got.Output.Reveal() != `"fast"` || len(w.told()) != 0 {
			t.Errorf("in the end: %s, told %+v", got.Output.Reveal(), w.told())
		}
	})
}

// TestLostLeaseEndsRun breaks off what another process took over.
func TestLostLeaseEndsRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		ended := make(chan error, 1)
		w.execute = func(ctx context.Context, _ *Execution) (Done, error) {
			<-ctx.Done()
			ended <- ctx.Err()
			return Done{}, ctx.Err()
		}
		ops := oplog.New(w, slog.New(slog.DiscardHandler), oplog.Options{})
		logging, logged := context.WithCancel(t.Context())
		defer logged()
		go func() { _ = ops.Run(logging) }()
		s := w.serviceWith(Config{Holder: "slow", Ops: ops})
		r := w.async(t, s, 1, 0)
		stop := start(t, s)
		wait(time.Second)
		func() {
			defer w.lock(nil)()
			w.runs[r.ID].Attempt++ // another holder's
			w.runs[r.ID].Holder = "fast"
		}()
		wait(renewEvery)
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("it ended with %v", err)
		}
		stop()
		if got := w.row(r.ID); got.State != linkspan.RunRunning || got.Holder != "fast" {
			t.Errorf("the new holder's row is %+v", got)
		}
		wait(time.Minute)
		defer w.lock(nil)()
		for _, m := range w.msgs {
			t.Errorf("the log of what another one executes says %q", m.Text)
		}
	})
}

// TestStop breaks off what takes too long when the process stops.
func TestStop(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		takes   time.Duration
		effects bool
		retries int
		state   linkspan.RunState
		tries   int
	}{
		"in time":                   {8 * time.Second, true, 0, linkspan.RunSucceeded, 1},
		"nothing done":              {time.Hour, false, 0, linkspan.RunWaiting, 0},
		"something done":            {time.Hour, true, 0, linkspan.RunFailed, 1},
		"something done, try again": {time.Hour, true, 1, linkspan.RunWaiting, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.execute = func(ctx context.Context, _ *Execution) (Done, error) {
					select {
					case <-time.After(test.takes):
						return Done{}, nil
					case <-ctx.Done():
						return Done{Effects: test.effects}, ctx.Err()
					}
				}
				s := w.service("me")
				r := w.async(t, s, 1, test.retries)
				stop := start(t, s)
				wait(time.Second)
				began := time.Now()
				stop()
				if took := time.Since(began); took > drainTimeout {
					t.Errorf("it stopped after %v", took)
				}
				if got := w.row(r.ID); got.State != test.state || got.Attempts != test.tries || got.Holder != "" {
					t.Errorf("left as %+v %+v", got, got.Error)
				}
			})
		})
	}
}

// TestLeaseLastsWhileStopping stops a process of which a run takes its time to end,
// just before its claim would be renewed: nobody takes it over before that.
func TestLeaseLastsWhileStopping(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		s := w.service("me")
		r := w.async(t, s, 1, 0)
		w.execute = func(context.Context, *Execution) (Done, error) {
			<-time.After(renewEvery + drainTimeout + ttl)
			if left := time.Until(w.row(r.ID).LeaseUntil); left <= 0 {
				t.Errorf("the claim lapsed %v before the end", -left)
			}
			return Done{}, nil
		}
		stop := start(t, s)
		wait(renewEvery - time.Millisecond)
		stop()
		if got := w.row(r.ID); got.State != linkspan.RunSucceeded || got.Attempt != 1 {
			t.Errorf("left as %+v", got)
		}
	})
}

// TestStopInTheMiddleOfAClaim stops a process while it claims: no attempt is spent
// on nothing.
func TestStopInTheMiddleOfAClaim(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		s := w.service("me")
		r := w.async(t, s, 1, 0)
		ctx, cancel := context.WithCancel(t.Context())
		w.claiming = cancel
		must(t, s.Run(ctx))
		if got := w.row(r.ID); got.State != linkspan.RunSucceeded || got.Attempts != 1 {
			t.Errorf("left as %+v", got)
		}
	})
}

// TestClaimWithoutAnAnswer has claims come to pass without the process hearing of
// it: they are given back, and don't count.
func TestClaimWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	for name, stopped := range map[string]bool{"and it goes on": false, "and it stops": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				s := w.service("me")
				r := w.async(t, s, 1, 0)
				w.mislays = 2
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if stopped {
					w.claiming = cancel
				}
				ended := make(chan error, 1)
				go func() { ended <- s.Run(ctx) }()
				wait(4 * pollEvery)
				if stopped {
					w.claiming = nil
					if got := w.row(r.ID); got.State != linkspan.RunWaiting || got.Attempts != 0 {
						t.Errorf("left as %+v", got)
					}
				} else if got := w.row(r.ID); got.State != linkspan.RunSucceeded || got.Attempts != 1 {
					t.Errorf("it ended as %+v", got)
				}
				cancel()
				must(t, <-ended)
			})
		})
	}
}

// TestOutage takes the database away while a run goes on and after it ended.
func TestOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.execute = func(context.Context, *Execution) (Done, error) {
			<-time.After(10 * time.Second)
			return Done{Output: json.RawMessage("1"), Effects: true}, nil
		}
		s := w.service("me")
		var rows []linkspan.Run
		for range 20 {
			rows = append(rows, w.async(t, s, linkspan.EnvironmentID(1+len(rows)%4), 0))
		}
		stop := start(t, s)
		wait(time.Second)
		w.setDown(true)
		wait(time.Minute) // far beyond the lease
		w.setDown(false)
		wait(time.Minute)
		stop()
		for i := range rows {
			if got := w.row(rows[i].ID); got.State != linkspan.RunSucceeded || got.Attempts != 1 {
				t.Errorf("run %d: %+v %+v", i, got, got.Error)
			}
		}
		if len(w.began) != len(rows) || len(w.told()) != len(rows) {
			t.Errorf("%d executions, %d webhooks", len(w.began), len(w.told()))
		}
	})
}

// TestReplicas has three processes share the work, one of which is killed.
func TestReplicas(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.execute = func(context.Context, *Execution) (Done, error) {
			<-time.After(time.Second)
			return Done{}, nil
		}
		services := []*Service{w.service("a"), w.service("b"), w.service("c")}
		for i := range 300 {
			w.async(t, services[i%3], linkspan.EnvironmentID(1+i%10), 0)
		}
		var stops []func()
		for _, s := range services {
			stops = append(stops, start(t, s))
		}
		wait(time.Minute)
		for _, stop := range stops {
			stop()
		}
		seen := make(map[string]int)
		for _, x := range w.began {
			seen[x.Owner]++
		}
		if len(w.began) != 300 || len(seen) != 300 || len(w.told()) != 300 {
			t.Errorf("%d executions of %d owners, %d webhooks", len(w.began), len(seen), len(w.told()))
		}
	})
}

// TestIdle counts how often a dispatcher without work asks.
func TestIdle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		stop := start(t, w.service("me"))
		wait(time.Minute)
		stop()
		if w.looks > 70 {
			t.Errorf("%d looks in a minute", w.looks)
		}
	})
}

func TestPurge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		s := w.service("me")
		for range 3 {
			w.async(t, s, 1, 0)
		}
		stop := start(t, s)
		wait(time.Minute)
		stop()
		waiting := w.async(t, s, 1, 0)
		for _, step := range []struct {
			after time.Duration
			want  int
		}{{0, 0}, {keepRuns - time.Hour, 0}, {2 * time.Hour, 2}, {0, 1}, {keepRuns, 0}} {
			wait(step.after)
			if n, err := s.Purge(t.Context(), 2); n != step.want || err != nil {
				t.Errorf("removed %d, want %d: %v", n, step.want, err)
			}
		}
		if w.row(waiting.ID).State != linkspan.RunWaiting || s.Succeeded() != 3 || s.Failed() != 0 {
			t.Error("what waits was touched")
		}
	})
}

// TestPauses checks that runs which fail together come back apart, whoever
// computes when.
func TestPauses(t *testing.T) {
	t.Parallel()
	var all []time.Duration
	for range 500 {
		uuid := linkspan.NewUUID()
		p := pause(uuid, 2)
		if p < 6*time.Second || p > 7200*time.Millisecond || p != pause(uuid, 2) {
			t.Fatalf("%v, then %v", p, pause(uuid, 2))
		}
		all = append(all, p)
	}
	if slices.Max(all)-slices.Min(all) < time.Second {
		t.Error("they come back together")
	}
	if p := pause("x", 100); p > 5*time.Minute {
		t.Error(fmt.Sprint("the longest is ", p))
	}
}
