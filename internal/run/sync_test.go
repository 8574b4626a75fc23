package run

import (
	"cmp"
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
	"github.com/linkspan/linkspan/internal/change"
	"github.com/linkspan/linkspan/internal/oplog"
	"github.com/linkspan/linkspan/internal/schedule"
)

// fakeSyncs is what a world knows of schedules.
type fakeSyncs struct {
	w *world
	// gone are those that were deleted; begin, if set, fails.
	gone  map[linkspan.SyncID]bool
	begin error
	// follow, if set, is called in the transaction that ends a run.
	follow func(ctx context.Context, tx linkspan.Tx, e schedule.End) error
	// ended are the ends that were noted, in transactions that were committed.
	ended []schedule.End
	// created are the connections that it was told of.
	created []string
	// webhooks are the ends of runs that took webhooks. noWebhook means that there are
	// no syncs for them.
	webhooks  []schedule.End
	noWebhook bool
}

var errGone = linkspan.E("world", linkspan.KindNotFound, "", nil, "The sync was deleted.")

// Begin implements Syncs.
func (f *fakeSyncs) Begin(_ context.Context, r *linkspan.Run) (schedule.Begun, error) {
	defer f.w.lock(nil)()
	if f.gone[r.Sync.ID] {
		return schedule.Begun{}, errGone
	}
	begun := schedule.Begun{Sync: linkspan.Sync{ID: r.Sync.ID, UUID: fmt.Sprintf("sync-%d", r.Sync.ID)}, LastSync: time.Unix(1, 0)}
	begun.Checkpoint = f.w.checkpoints[linkspan.CheckpointKey(r.Kind, r.Name, r.Sync.Variant)]
	return begun, f.begin
}

// Ended implements Syncs.
func (f *fakeSyncs) Ended(ctx context.Context, tx linkspan.Tx, e schedule.End) error {
	if tx == nil {
		return errors.New("the end of a run outside of the transaction")
	}
	e.Run = new(*e.Run)
	tx.OnCommit(func() {
		defer f.w.lock(nil)()
		f.ended = append(f.ended, e)
	})
	if f.gone[e.Run.Sync.ID] {
		return errGone
	}
	if f.follow != nil {
		return f.follow(ctx, tx, e)
	}
	return nil
}

// Webhook implements Syncs.
func (f *fakeSyncs) Webhook(_ context.Context, _ linkspan.Tx, r *linkspan.Run) (linkspan.Sync, error) {
	if f.noWebhook {
		return linkspan.Sync{}, errGone
	}
	return linkspan.Sync{ID: 70, UUID: "sync-of-" + r.ConnectionName, SucceededAt: time.Unix(2, 0)}, nil
}

// WebhookEnded implements Syncs.
func (f *fakeSyncs) WebhookEnded(_ context.Context, tx linkspan.Tx, e schedule.End) error {
	if tx == nil {
		return errors.New("the end of a webhook outside of the transaction")
	}
	e.Run = new(*e.Run)
	tx.OnCommit(func() {
		defer f.w.lock(nil)()
		f.webhooks = append(f.webhooks, e)
	})
	return nil
}

// Creating implements Syncs.
func (f *fakeSyncs) Creating(context.Context, linkspan.EnvironmentID, string) (func(ctx context.Context, tx linkspan.Tx, c *linkspan.Connection) error, error) {
	return func(_ context.Context, _ linkspan.Tx, c *linkspan.Connection) error {
		f.created = append(f.created, c.Name)
		return nil
	}, nil
}

func cloneSync(s *linkspan.RunSync) *linkspan.RunSync {
	if s == nil {
		return nil
	}
	return new(*s)
}

// claimSync does what claims do to runs of syncs.
func (w *world) claimSync(r *linkspan.Run) {
	if r.Sync == nil {
		return
	}
	c := w.checkpoints[linkspan.CheckpointKey(r.Kind, r.Name, r.Sync.Variant)]
	if r.StartedAt.IsZero() {
		r.Sync.From = c.Value
	}
	switch {
	case r.Sync.Progress != c.Version:
		r.Sync.Stalls = 0
	case r.State == linkspan.RunRunning:
		r.Sync.Stalls++
	}
	r.Sync.Progress = c.Version
}

// save stores a checkpoint of the sync "issues".
func (w *world) save(value string) {
	defer w.lock(nil)()
	key := linkspan.CheckpointKey(linkspan.FunctionSync, "issues", "base")
	w.checkpoints[key] = linkspan.Checkpoint{Key: key, Value: json.RawMessage(value), Version: w.checkpoints[key].Version + 1}
}

// newSyncWorld has the syncs "issues", which keeps checkpoints, and "whole", which
// does not.
func newSyncWorld() *world {
	w := newWorld()
	w.syncs = &fakeSyncs{w: w, gone: make(map[linkspan.SyncID]bool)}
	w.add(linkspan.Function{ID: 1, Kind: linkspan.FunctionSync, Name: "issues", Enabled: true, Version: linkspan.FunctionVersion{
		Definition: linkspan.FunctionDefinition{Models: []string{"Issue"}, Features: []string{"checkpoints"}, TrackDeletes: true},
	}})
	w.add(linkspan.Function{ID: 2, Kind: linkspan.FunctionSync, Name: "whole", Enabled: true})
	return w
}

// sync stores a run of a sync that is due.
func (w *world) sync(name string, change func(r *linkspan.Run)) linkspan.Run {
	defer w.lock(nil)()
	r := &linkspan.Run{
		ID: linkspan.RunID(len(w.runs) + 1), UUID: linkspan.NewUUID(), EnvironmentID: 1, FunctionID: w.functions[name].ID, ConnectionID: 9,
		Kind: linkspan.FunctionSync, Name: name, IntegrationKey: "github", Provider: "github", ConnectionName: "c1", ConnectionUUID: "uuid-of-c1",
		State: linkspan.RunWaiting, Lane: linkspan.LaneSync, CreatedAt: time.Now(), NextAt: time.Now(), Operation: linkspan.NewOperationID(time.Now()),
		Sync: &linkspan.RunSync{ID: linkspan.SyncID(len(w.runs) + 1), Variant: linkspan.BaseVariant, Cause: linkspan.CauseSchedule},
	}
	if change != nil {
		change(r)
	}
	w.runs[r.ID] = r
	return *r
}

func (w *world) endings() []schedule.End {
	defer w.lock(nil)()
	return slices.Clone(w.syncs.ended)
}

// until waits for a time, or for the end of ctx.
func until(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// pages is a sync that saves a checkpoint every so often, as sessions do it.
func (w *world) pages(each, whole time.Duration) func(context.Context, *Execution) (Done, error) {
	return func(ctx context.Context, x *Execution) (Done, error) {
		for page := 1; time.Duration(page)*each <= whole; page++ {
			if err := until(ctx, each); err != nil {
				return Done{Effects: true}, err
			}
			w.save(fmt.Sprintf(`{"page":%d}`, page))
			if x.Sync.InterruptDue() {
				x.Sync.Interrupt()
				<-ctx.Done()
				return Done{Effects: true}, &linkspan.RunError{Code: codeAborted}
			}
		}
		return Done{Effects: true}, until(ctx, whole%each)
	}
}

func retryable(times int) func(context.Context, *Execution) (Done, error) {
	return failing(times, &linkspan.RunError{Code: "script_network_error", Retryable: true})
}

// TestSync looks at how runs of syncs end.
func TestSync(t *testing.T) {
	t.Parallel()
	thrown := &linkspan.RunError{Code: "script_http_error", Message: "no"}
	for name, test := range map[string]struct {
		sync    string // "issues"
		execute func(w *world) func(context.Context, *Execution) (Done, error)
		change  func(w *world, r *linkspan.Run)
		state   linkspan.RunState
		code    string
		runs    int
		took    time.Duration // at most a second longer
		cut     bool          // it was interrupted
	}{
		"success":       {state: linkspan.RunSucceeded, runs: 1},
		"failure":       {execute: of(fail(thrown)), state: linkspan.RunFailed, code: "script_http_error", runs: 1},
		"a retry helps": {execute: of(retryable(3)), state: linkspan.RunSucceeded, runs: 4, took: 21 * time.Second},
		"no retry does": {execute: of(retryable(99)), state: linkspan.RunFailed, code: "script_network_error", runs: 5, took: 45 * time.Second},
		"retries with progress": {execute: func(w *world) func(context.Context, *Execution) (Done, error) {
			next := retryable(12)
			return func(ctx context.Context, x *Execution) (Done, error) {
				w.save(`{"page":` + fmt.Sprint(len(w.began)) + `}`)
				return next(ctx, x)
			}
		}, state: linkspan.RunSucceeded, runs: 13, took: 45 * time.Second},
		"progress at last": {execute: func(w *world) func(context.Context, *Execution) (Done, error) {
			next, tries := retryable(5), 0
			return func(ctx context.Context, x *Execution) (Done, error) {
				if tries++; tries == 5 {
					w.save(`{"page":1}`)
				}
				return next(ctx, x)
			}
		}, state: linkspan.RunSucceeded, runs: 6, took: 93 * time.Second},
		"lost":       {execute: of(lost(true, 2)), state: linkspan.RunSucceeded, runs: 3, took: 9 * time.Second},
		"our fault":  {execute: of(failing(1, errDown)), state: linkspan.RunSucceeded, runs: 2, took: 3 * time.Second},
		"no room":    {execute: of(failing(1, linkspan.E("x", linkspan.KindUnavailable, "", nil, "No room."))), state: linkspan.RunSucceeded, runs: 2, took: 5 * time.Second},
		"a panic":    {execute: of(func(context.Context, *Execution) (Done, error) { panic("oops") }), state: linkspan.RunFailed, code: "internal_server_error", runs: 1},
		"late":       {change: func(_ *world, r *linkspan.Run) { r.ExpiresAt = time.Now().Add(-time.Hour) }, state: linkspan.RunSucceeded, runs: 1},
		"removed":    {change: func(w *world, _ *linkspan.Run) { delete(w.functions, "issues") }, state: linkspan.RunFailed, code: "not_found"},
		"disabled":   {change: func(w *world, _ *linkspan.Run) { w.functions["issues"] = linkspan.Function{Kind: "sync"} }, state: linkspan.RunFailed, code: "disabled_resource"},
		"deleted":    {change: func(w *world, r *linkspan.Run) { w.syncs.gone[r.Sync.ID] = true }, state: linkspan.RunCancelled, code: "sync_deleted"},
		"connection": {change: func(w *world, _ *linkspan.Run) { delete(w.connections, "c1") }, state: linkspan.RunFailed, code: "unknown_connection"},
		"stalled":    {change: func(_ *world, r *linkspan.Run) { r.Sync.Stalls = 5 }, state: linkspan.RunFailed, code: "sync_stalled"},
		"not quite":  {change: func(_ *world, r *linkspan.Run) { r.Sync.Stalls = 4 }, state: linkspan.RunSucceeded, runs: 1},

		"interrupted": {
			execute: func(w *world) func(context.Context, *Execution) (Done, error) {
				return w.pages(5*time.Second, 3*time.Minute)
			},
			state: linkspan.RunSucceeded, runs: 1, took: 50 * time.Second, cut: true,
		},
		"interrupted where it would go on": {
			change: func(w *world, _ *linkspan.Run) { w.save(`{"page":99}`) },
			execute: func(w *world) func(context.Context, *Execution) (Done, error) {
				pages := w.pages(5*time.Second, 3*time.Minute)
				return func(ctx context.Context, x *Execution) (Done, error) {
					x.Sync.Read()
					return pages(ctx, x)
				}
			},
			state: linkspan.RunSucceeded, runs: 1, took: 50 * time.Second, cut: true,
		},
		"from the start again": {
			change: func(w *world, _ *linkspan.Run) { w.save(`{"page":99}`) },
			execute: func(w *world) func(context.Context, *Execution) (Done, error) {
				return w.pages(5*time.Second, 3*time.Minute)
			},
			state: linkspan.RunFailed, code: "execution_timeout", runs: 1, took: time.Minute,
		},
		"cut off after a checkpoint": {
			execute: func(w *world) func(context.Context, *Execution) (Done, error) {
				return w.pages(45*time.Second, 3*time.Minute)
			},
			state: linkspan.RunSucceeded, runs: 1, took: time.Minute, cut: true,
		},
		"cut off without one": {
			execute: func(w *world) func(context.Context, *Execution) (Done, error) {
				return w.pages(2*time.Minute, 3*time.Minute)
			},
			state: linkspan.RunFailed, code: "execution_timeout", runs: 1, took: time.Minute,
		},
		"done in time": {
			execute: func(w *world) func(context.Context, *Execution) (Done, error) {
				return w.pages(2*time.Minute, 59*time.Second)
			},
			state: linkspan.RunSucceeded, runs: 1, took: 59 * time.Second,
		},
		"long without checkpoints": {
			sync: "whole", execute: func(w *world) func(context.Context, *Execution) (Done, error) {
				return w.pages(time.Hour, 9*time.Minute)
			},
			state: linkspan.RunSucceeded, runs: 1, took: 9 * time.Minute,
		},
		"too long without checkpoints": {
			sync: "whole", execute: func(w *world) func(context.Context, *Execution) (Done, error) {
				return w.pages(time.Hour, 11*time.Minute)
			},
			state: linkspan.RunFailed, code: "execution_timeout", runs: 1, took: 10 * time.Minute,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newSyncWorld()
				w.limits = Limits{Sync: 10 * time.Minute, SyncSlice: time.Minute}
				if test.execute != nil {
					w.execute = test.execute(w)
				}
				r := w.sync(map[bool]string{true: test.sync, false: "issues"}[test.sync != ""], nil)
				if test.change != nil {
					test.change(w, w.runs[r.ID])
				}
				s := w.service("me")
				stop := start(t, s)
				wait(15 * time.Minute)
				stop()
				got := w.row(r.ID)
				if got.State != test.state || len(w.began) != test.runs || got.Holder != "" || got.Sync.Interrupted != test.cut || codeOf2(got.Error) != test.code || !got.Output.IsZero() {
					t.Fatalf("%d executions: %+v %+v %+v", len(w.began), got, got.Sync, got.Error)
				}
				if took := got.EndedAt.Sub(got.CreatedAt); took < test.took || took > test.took*12/10+10*time.Second {
					t.Errorf("it took %v", took)
				} else if slice := w.limits.SyncSlice; test.took < slice && test.cut && took >= slice {
					t.Errorf("it was cut off after %v, not interrupted at a checkpoint", took)
				}
				ended := w.endings()
				if len(ended) != 1 || ended[0].Run.State != test.state || !ended[0].StartedAt.Equal(got.StartedAt) {
					t.Fatalf("noted: %+v", ended)
				}
				// Who is told needs its models, also of what was not begun.
				if (test.runs > 0 || test.code == codeStalled) && ended[0].Function.Name != got.Name {
					t.Errorf("noted: %+v", ended[0])
				}
				if s.RunningSyncs() != 0 || len(w.told()) != 0 || len(s.cancels) != 0 {
					t.Error("something is left")
				}
			})
		})
	}
}

func of(f func(context.Context, *Execution) (Done, error)) func(*world) func(context.Context, *Execution) (Done, error) {
	return func(*world) func(context.Context, *Execution) (Done, error) { return f }
}

func codeOf2(e *linkspan.RunError) string {
	if e == nil {
		return ""
	}
	return e.Code
}

// TestWhatSyncsAreGiven looks at one execution.
func TestWhatSyncsAreGiven(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newSyncWorld()
		r := w.sync("issues", func(r *linkspan.Run) { r.Sync.Variant = "eu" })
		stop := start(t, w.service("me"))
		wait(time.Minute)
		stop()
		x := w.began[0]
		if x.Variant != "eu" || x.Sync.UUID != "sync-1" || x.Sync.Run != (linkspan.RunFence{Run: r.ID, Attempt: 1, StartedAt: w.runs[r.ID].StartedAt}) || !slices.Equal(x.Sync.Models, []string{"Issue"}) ||
			!x.Sync.LastSync.Equal(time.Unix(1, 0)) || !x.Sync.TrackDeletes || !x.Sync.Window {
			t.Errorf("%+v %+v", x, x.Sync)
		}
	})
}

// TestSyncIsShown looks at what the log says of a run: how it ended, how long it took
// and what it changed.
func TestSyncIsShown(t *testing.T) {
	t.Parallel()
	for name, failure := range map[string]error{"success": nil, "failure": &linkspan.RunError{Code: "script_http_error", Message: "It broke."}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newSyncWorld()
				ops := oplog.New(w, slog.New(slog.DiscardHandler), oplog.Options{})
				logging, logged := context.WithCancel(t.Context())
				defer logged()
				go func() { _ = ops.Run(logging) }()
				r := w.sync("issues", nil)
				w.execute = func(ctx context.Context, _ *Execution) (Done, error) {
					unlock := w.lock(nil)
					w.runs[r.ID].Sync.Counts = map[string]linkspan.RecordCounts{"Issue": {Added: 3, Updated: 2, Deleted: 1, Unchanged: 4}, "User": {Added: 1}}
					unlock()
					return Done{Effects: true}, cmp.Or(until(ctx, 3*time.Second), failure)
				}
				stop := start(t, w.serviceWith(Config{Holder: "me", Ops: ops}))
				wait(time.Minute)
				stop()
				wait(time.Minute)
				defer w.lock(nil)()
				op, state := w.ops[r.Operation], linkspan.StateSuccess
				if failure != nil {
					state = linkspan.StateFailed
				}
				if took := op.EndedAt.Sub(op.StartedAt); op.State != state || took != 3*time.Second || op.Type != linkspan.OperationSync || (op.Error != nil) != (failure != nil) {
					t.Errorf("after %v: %+v", took, op)
				}
				var lines []string
				for _, m := range w.msgs {
					if m.Level == "info" && m.OperationID == r.Operation {
						lines = append(lines, m.Text+" "+string(m.Meta))
					}
				}
				want := []string{
					`Issue: 3 added, 2 updated, 1 deleted, 4 unchanged. {"added":3,"deleted":1,"model":"Issue","unchanged":4,"updated":2}`,
					`User: 1 added, 0 updated, 0 deleted, 0 unchanged. {"added":1,"deleted":0,"model":"User","unchanged":0,"updated":0}`,
				}
				if !slices.Equal(lines, want) {
					t.Errorf("said: %q", lines)
				}
			})
		})
	}
}

// TestSyncResumes has processes die over a sync again and again.
func TestSyncResumes(t *testing.T) {
	t.Parallel()
	for name, progress := range map[string]bool{"with progress": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newSyncWorld()
				r := w.sync("issues", nil)
				const deaths = 10
				for i := range deaths {
					claimed, err := w.ClaimRuns(t.Context(), nil, []linkspan.RunID{r.ID}, "dead", ttl)
					must(t, err)
					if len(claimed) != 1 {
						t.Fatal("not claimed")
					}
					if progress {
						w.save(fmt.Sprintf(`{"page":%d}`, i))
					}
					wait(ttl)
				}
				stop := start(t, w.service("healthy"))
				wait(time.Minute)
				stop()
				got := w.row(r.ID)
				if progress && (got.State != linkspan.RunSucceeded || len(w.began) != 1) || !progress && (got.State != linkspan.RunFailed || got.Error.Code != "sync_stalled" || len(w.began) != 0) {
					t.Errorf("%d executions: %+v %+v", len(w.began), got, got.Error)
				}
			})
		})
	}
}

// TestCancelledElsewhere cancels a run that this process works on, by the feed that
// all replicas follow.
func TestCancelledElsewhere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newSyncWorld()
		w.feed = change.NewFeed(nil, slog.New(slog.DiscardHandler))
		ended := make(chan error, 1)
		w.execute = func(ctx context.Context, _ *Execution) (Done, error) {
			<-ctx.Done()
			ended <- context.Cause(ctx)
			return Done{Effects: true}, ctx.Err()
		}
		ops := oplog.New(w, slog.New(slog.DiscardHandler), oplog.Options{})
		logging, logged := context.WithCancel(t.Context())
		defer logged()
		go func() { _ = ops.Run(logging) }()
		s := w.serviceWith(Config{Holder: "me", Ops: ops})
		r := w.sync("issues", nil)
		stop := start(t, s)
		wait(time.Second)
		if s.RunningSyncs() != 1 {
			t.Error("it does not run")
		}
		func() {
			defer w.lock(nil)()
			row := w.runs[r.ID]
			row.State, row.LeaseUntil, row.EndedAt = linkspan.RunCancelled, time.Time{}, time.Now()
			row.Attempt++
		}()
		w.feed.Local(linkspan.Change{Kind: linkspan.ChangeRunCancelled, Key: linkspan.NewUUID()})
		w.feed.Local(linkspan.Change{Kind: linkspan.ChangeRunCancelled, Key: r.UUID})
		synctest.Wait()
		select {
		case err := <-ended:
			if !errors.Is(err, errCancelled) {
				t.Errorf("it ended for %v", err)
			}
		default:
			t.Error("it goes on")
		}
		wait(10 * time.Second)
		stop()
		if got := w.row(r.ID); got.State != linkspan.RunCancelled || len(w.endings()) != 0 {
			t.Errorf("left as %+v, noted %+v", got, w.endings())
		}
		defer w.lock(nil)()
		if op := w.ops[r.Operation]; op.State != linkspan.StateCancelled || op.Type != linkspan.OperationSync || op.Action != linkspan.ActionRun {
			t.Errorf("its operation is %+v", op)
		}
	})
}

// TestCancelledUnheard cancels a run while this process hears of no changes: it looks
// at once when it is told that it has missed some.
func TestCancelledUnheard(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newSyncWorld()
		w.feed = change.NewFeed(nil, slog.New(slog.DiscardHandler))
		var cancelled, kept atomic.Int32
		w.execute = func(ctx context.Context, x *Execution) (Done, error) {
			<-ctx.Done()
			if errors.Is(context.Cause(ctx), errLost) && x.Function.Name == "issues" {
				cancelled.Add(1)
			} else {
				kept.Add(1)
			}
			return Done{Effects: true}, ctx.Err()
		}
		r := w.sync("issues", nil)
		w.sync("whole", nil)
		s := w.service("me")
		defer start(t, s)()
		wait(renewEvery + time.Second)
		if s.RunningSyncs() != 2 {
			t.Error("they don't run")
		}
		func() {
			defer w.lock(nil)()
			row := w.runs[r.ID]
			row.State, row.LeaseUntil, row.EndedAt = linkspan.RunCancelled, time.Time{}, time.Now()
			row.Attempt++
		}()
		w.feed.Local(linkspan.Change{Kind: linkspan.ChangeLost})
		synctest.Wait()
		if cancelled.Load() != 1 || kept.Load() != 0 {
			t.Errorf("%d broken off, %d others", cancelled.Load(), kept.Load())
		}
	})
}

// TestCancelledBeforeItIsKnown cancels a run between its claim and the moment from
// which this process would hear of it.
func TestCancelledBeforeItIsKnown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newSyncWorld()
		s := w.service("me")
		r := w.sync("issues", nil)
		claimed, err := w.ClaimRuns(t.Context(), nil, []linkspan.RunID{r.ID}, "me", ttl)
		must(t, err)
		w.runs[r.ID].Attempt++
		w.runs[r.ID].LeaseUntil = time.Time{}
		d := &dispatcher{Service: s}
		o := d.perform(t.Context(), claimed[0])
		if len(w.began) != 0 || !o.released {
			t.Errorf("%d executions: %+v", len(w.began), o)
		}
	})
}

// TestStopInterruptsSyncs stops a process: its syncs stop at their next checkpoint
// or are broken off, and another process goes on.
func TestStopInterruptsSyncs(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		page time.Duration
		took time.Duration
	}{
		"at a checkpoint": {2 * time.Second, 2 * time.Second},
		"broken off":      {time.Hour, drainTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newSyncWorld()
				w.execute = w.pages(test.page, 20*time.Hour)
				r := w.sync("issues", nil)
				stop := start(t, w.service("me"))
				wait(time.Second)
				began := time.Now()
				stop()
				if took := time.Since(began); took > test.took {
					t.Errorf("it stopped after %v", took)
				}
				got := w.row(r.ID)
				if got.State != linkspan.RunWaiting || got.Attempts != 0 || got.Holder != "" || got.Sync.Stalls != 0 || len(w.endings()) != 0 {
					t.Fatalf("left as %+v %+v", got, got.Sync)
				}
				w.execute = answer("")
				stop = start(t, w.service("you"))
				wait(time.Minute)
				stop()
				if got := w.row(r.ID); got.State != linkspan.RunSucceeded || got.Sync.Interrupted || len(w.endings()) != 1 {
					t.Errorf("it ended as %+v", got)
				}
			})
		})
	}
}

// TestCreatingTellsSyncs has syncs follow a connection, with and without functions.
func TestCreatingTellsSyncs(t *testing.T) {
	t.Parallel()
	w := newSyncWorld()
	s := w.service("me")
	for range 2 {
		made, err := s.Creating(t.Context(), 1, "github")
		must(t, err)
		must(t, w.InTx(t.Context(), func(ctx context.Context, tx linkspan.Tx) error {
			return made(ctx, tx, &w.connections["c1"].Connection)
		}))
		w.add(event("created", linkspan.EventPostConnectionCreation))
	}
	if len(w.syncs.created) != 2 || len(w.runs) != 1 {
		t.Errorf("told of %v, %d rows", w.syncs.created, len(w.runs))
	}
}
