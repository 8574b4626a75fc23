package run

import (
	"context"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/store/storetest"
	"github.com/linkspan/linkspan/internal/webhook"
)

// doomed is a process that dies after a number of steps: nothing that it begins
// after that reaches the database. Its claims lapse at once.
type doomed struct {
	*stored
	*world

	left atomic.Int64
	dead chan struct{}
	once sync.Once
}

// step ends the goroutine when it is time, and every goroutine that comes later.
func (d *doomed) step() {
	if d.left.Add(-1) < 0 {
		d.once.Do(func() { close(d.dead) })
		runtime.Goexit()
	}
}

// gone ends the goroutine of a process that is dead. It is for what a dispatcher
// does any number of times.
func (d *doomed) gone() {
	if d.left.Load() < 0 {
		runtime.Goexit()
	}
}

func (d *doomed) InTx(ctx context.Context, f func(context.Context, linkspan.Tx) error) error {
	d.step()
	err := d.stored.InTx(ctx, func(ctx context.Context, tx linkspan.Tx) error {
		err := f(ctx, tx)
		d.step()
		return err
	})
	d.step()
	return err
}

func (d *doomed) InsertRuns(ctx context.Context, tx linkspan.Tx, runs []*linkspan.Run) error {
	d.step()
	err := d.stored.InsertRuns(ctx, tx, runs)
	d.step()
	return err
}

func (d *doomed) RunEnvironment(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID) (linkspan.Environment, error) {
	d.step()
	return d.stored.RunEnvironment(ctx, tx, env)
}

func (d *doomed) Run(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, uuid string) (linkspan.Run, error) {
	return d.stored.Run(ctx, tx, env, uuid)
}

func (d *doomed) DueRuns(ctx context.Context, tx linkspan.Tx, q linkspan.RunQuery) ([]linkspan.Run, linkspan.RunGroup, error) {
	d.gone()
	return d.stored.DueRuns(ctx, tx, q)
}

func (d *doomed) RunsOfOthers(ctx context.Context, tx linkspan.Tx, lane linkspan.RunLane, holder string) ([]linkspan.Run, error) {
	d.step()
	return d.stored.RunsOfOthers(ctx, tx, lane, holder)
}

func (d *doomed) HoldRun(ctx context.Context, tx linkspan.Tx, f linkspan.RunFence) error {
	d.step()
	return d.stored.HoldRun(ctx, tx, f)
}

func (d *doomed) Checkpoint(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, connection linkspan.ConnectionID, key string) (linkspan.Checkpoint, error) {
	d.step()
	return d.stored.Checkpoint(ctx, tx, env, connection, key)
}

func (d *doomed) ClaimRuns(ctx context.Context, tx linkspan.Tx, ids []linkspan.RunID, holder string, _ time.Duration) ([]linkspan.Run, error) {
	d.step()
	claimed, err := d.stored.ClaimRuns(ctx, tx, ids, holder, -time.Second)
	d.step()
	return claimed, err
}

func (d *doomed) RenewRuns(ctx context.Context, tx linkspan.Tx, held []linkspan.Run, _ time.Duration) ([]linkspan.RunID, error) {
	d.gone()
	return d.stored.RenewRuns(ctx, tx, held, -time.Second)
}

func (d *doomed) FinishRun(ctx context.Context, tx linkspan.Tx, r *linkspan.Run, retryIn time.Duration) (bool, error) {
	d.step()
	ok, err := d.stored.FinishRun(ctx, tx, r, retryIn)
	d.step()
	return ok, err
}

func (d *doomed) ReleaseRun(ctx context.Context, tx linkspan.Tx, r *linkspan.Run) (bool, error) {
	d.step()
	return d.stored.ReleaseRun(ctx, tx, r)
}

func (d *doomed) ReleaseClaims(ctx context.Context, tx linkspan.Tx, ids []linkspan.RunID, holder string) error {
	d.step()
	return d.stored.ReleaseClaims(ctx, tx, ids, holder)
}

func (d *doomed) WaitingRuns(ctx context.Context, tx linkspan.Tx, limit int) (int, error) {
	return d.stored.WaitingRuns(ctx, tx, limit)
}

func (d *doomed) PurgeRuns(ctx context.Context, tx linkspan.Tx, before time.Time, limit int) (int, error) {
	return d.stored.PurgeRuns(ctx, tx, before, limit)
}

func (d *doomed) AddAsyncAction(ctx context.Context, tx linkspan.Tx, e webhook.AsyncActionEvent) error {
	d.step()
	err := d.hooks.AddAsyncAction(ctx, tx, e)
	d.step()
	return err
}

func (d *doomed) Execute(ctx context.Context, x *Execution) (Done, error) {
	d.step()
	done, err := d.world.Execute(ctx, x)
	d.step()
	return done, err
}

// TestKilledAtEveryStep kills a process at every step of an asynchronous action,
// from the moment it is asked for. What was accepted ends once and is told once,
// by another process if need be; what was not may have been accepted or not.
func TestKilledAtEveryStep(t *testing.T) {
	t.Parallel()
	for name, config := range storetest.Databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, w := newStored(t, config(t)), newWorld()
			w.execute = func(_ context.Context, x *Execution) (Done, error) {
				return Done{Output: x.Input, Effects: true}, nil
			}
			background(t, s.feed.Run)
			const enough = 100
			told := 0
			for n := range enough {
				d := &doomed{stored: s, world: w, dead: make(chan struct{})}
				d.left.Store(int64(n))
				before := len(w.executions())
				uuid := d.live(t)
				survived := d.left.Load() >= 0
				if told = s.checkSettled(t, w, n, uuid, told); t.Failed() {
					return
				}
				if n := len(w.executions()) - before; n > 2 {
					t.Errorf("it was executed %d times, of two attempts", n)
				}
				if survived {
					return
				}
			}
			t.Errorf("an action takes more than %d steps", enough)
		})
	}
}

// live asks for an action and runs it until the process dies or the action has
// ended. It returns the action's id, "" if it was never told.
func (d *doomed) live(t *testing.T) (uuid string) {
	t.Helper()
	p := New(Config{
		Store: d, Tx: d, Functions: d.world, Connections: d.world, Engine: d, Webhooks: d, Log: slog.New(slog.DiscardHandler), Holder: "doomed",
	})
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		in := d.trigger(1, `"input"`)
		in.Environment = d.stored.envs[0]
		id, err := p.TriggerAsync(t.Context(), in, 1)
		if err == nil {
			uuid = id
		}
	}()
	<-asked
	if uuid == "" {
		return ""
	}
	ctx, stop := context.WithCancel(t.Context())
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		_ = p.Run(ctx)
	}()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			r, err := d.stored.Run(ctx, nil, d.stored.envs[0].ID, uuid)
			if err != nil || !r.EndedAt.IsZero() {
				return
			}
			<-time.After(5 * time.Millisecond)
		}
	}()
	select {
	case <-ended:
		stop()
		<-stopped
	case <-d.dead: // what is left of it waits for goroutines that are gone
		stop()
	}
	return uuid
}

// checkSettled has a healthy process finish what there is, and returns how many
// actions were told of.
func (s *stored) checkSettled(t *testing.T, w *world, n int, uuid string, before int) int {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = s.service(w, "healthy").Run(ctx) })
	if uuid != "" {
		if r := s.settled(t, s.envs[0].ID, uuid); r.State != linkspan.RunSucceeded || r.Output.Reveal() != `"input"` {
			t.Errorf("killed at step %d: it ended as %+v %+v", n, r, r.Error)
		}
	}
	for s.unsettled(t) {
		<-time.After(5 * time.Millisecond)
	}
	stop()
	running.Wait()
	list, err := s.hooks.Deliveries(t.Context(), linkspan.DeliveryFilter{EnvironmentID: s.envs[0].ID, Type: "async_action", Limit: 1000})
	must(t, err)
	if more := len(list) - before; more > 1 || uuid != "" && more != 1 {
		t.Errorf("killed at step %d: %d webhooks", n, more)
	}
	return len(list)
}

// unsettled reports whether anything waits, or was left behind.
func (s *stored) unsettled(t *testing.T) bool {
	t.Helper()
	due, _, err := s.DueRuns(t.Context(), nil, linkspan.RunQuery{PerGroup: 10, PerEnvironment: 10, Limit: 10})
	must(t, err)
	waiting, err := s.WaitingRuns(t.Context(), nil, 1)
	must(t, err)
	return len(due) > 0 || waiting > 0
}
