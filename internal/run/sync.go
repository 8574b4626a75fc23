package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/function/host"
	"github.com/linkspan/linkspan/internal/schedule"
)

const (
	// mostStalls is how often in a row a sync may be taken up again without having
	// moved its checkpoint.
	mostStalls = 4
	// codeStalled is of syncs that get nowhere, codeLost of attempts that are not the
	// newest any more, codeGone of syncs that were deleted.
	codeStalled = "sync_stalled"
	codeLost    = "run_lost"
	codeGone    = "sync_deleted"
	// comparesRuns is the call for which it is noted what a run saves, although its
	// definition doesn't say so (features DEL-05).
	comparesRuns = "deleteRecordsFromPreviousExecutions"
)

// Why runs are broken off.
var (
	errCancelled   = errors.New("the run was cancelled")
	errLost        = errors.New("another process works on the run, or it was cancelled")
	errInterrupted = errors.New("the run was interrupted after saving a checkpoint")
	errSlice       = errors.New("the time of the run is over")
)

// Syncs knows what runs of syncs begin with and what follows them;
// *schedule.Service does.
type Syncs interface {
	// Begin returns what a run begins with. KindNotFound: the sync was deleted.
	Begin(ctx context.Context, r *linkspan.Run) (schedule.Begun, error)
	// Ended notes the end of a run in the transaction that stores it.
	Ended(ctx context.Context, tx linkspan.Tx, e schedule.End) error
	// Webhook returns the sync of a run that takes a webhook; in a transaction nobody
	// changes it. KindNotFound: it was deleted.
	Webhook(ctx context.Context, tx linkspan.Tx, r *linkspan.Run) (linkspan.Sync, error)
	// WebhookEnded notes the end of such a run in the transaction that stores it.
	WebhookEnded(ctx context.Context, tx linkspan.Tx, e schedule.End) error
	// Creating is like [Service.Creating].
	Creating(ctx context.Context, env linkspan.EnvironmentID, integrationKey string) (func(ctx context.Context, tx linkspan.Tx, c *linkspan.Connection) error, error)
}

// slice is how long a sync may take at a time.
func (l *Limits) slice(fn *linkspan.Function) time.Duration {
	if slices.Contains(fn.Version.Definition.Features, "checkpoints") {
		return min(l.SyncSlice, l.Sync)
	}
	return l.Sync // it would begin from the start again
}

// beginSync finds what a run of a sync begins with.
func (s *Service) beginSync(ctx context.Context, j *job, r *linkspan.Run) error {
	if s.syncs == nil {
		return &linkspan.RunError{Code: codeInternal, Message: "This server runs no syncs."}
	}
	// It may have been cancelled before this process listened for that.
	fence := linkspan.RunFence{Run: r.ID, Attempt: r.Attempt, StartedAt: r.StartedAt}
	if err := s.store.HoldRun(ctx, nil, fence); err != nil {
		return fmt.Errorf("beginning a sync: %w", err)
	}
	begun, err := s.syncs.Begin(ctx, r)
	if err != nil && linkspan.KindOf(err) == linkspan.KindNotFound {
		return &linkspan.RunError{Code: codeGone, Message: "The sync was deleted before it ran."}
	}
	if err != nil {
		return fmt.Errorf("beginning a sync: %w", err)
	}
	if err := stalled(r); err != nil {
		return err
	}
	definition := &j.fn.Version.Definition
	j.variant, j.checkpoint = r.Sync.Variant, begun.Checkpoint.Value
	j.sync = &host.Sync{
		UUID: begun.Sync.UUID, Run: fence, Models: definition.Models, LastSync: begun.LastSync, TrackDeletes: definition.TrackDeletes,
	}
	return nil
}

// runSync executes a sync in the time that it has.
func (d *dispatcher) runSync(ctx context.Context, o *outcome) (done Done) {
	ctx, interrupt := context.WithCancelCause(ctx)
	defer interrupt(nil)
	slice, began := d.limits.slice(&o.job.fn), d.now()
	ctx, cancel := context.WithTimeoutCause(ctx, slice, errSlice)
	defer cancel()
	// What began beside a checkpoint and never asks for it begins from the start each
	// time, however its checkpoint moves.
	var goesOn atomic.Bool
	goesOn.Store(len(o.job.checkpoint) == 0)
	sync := o.job.sync
	sync.Read = func() { goesOn.Store(true) }
	sync.InterruptDue = func() bool {
		return d.stopping.Load() || goesOn.Load() && d.now().Sub(began) >= slice/5*4
	}
	sync.Interrupt = func() { interrupt(errInterrupted) }
	sync.Lost = func() { interrupt(errLost) }
	d.syncsUnderWay.Add(1)
	defer d.syncsUnderWay.Add(-1)
	done, o.err = d.execute(ctx, o.job)
	o.cause, o.again = brokenOff(ctx, o.err), !goesOn.Load()
	return done
}

// brokenOff says why a run was broken off; nil: it ended by itself.
func brokenOff(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil {
		return nil
	}
	if e, ran := errors.AsType[*linkspan.RunError](err); ran && e.Code != codeAborted && e.Code != codeTimeout && e.Code != codeRuntime {
		return nil
	}
	return context.Cause(ctx)
}

// decideSync says what becomes of the run of a sync after an attempt.
func (d *dispatcher) decideSync(ctx context.Context, o *outcome, done Done) {
	r, cause := &o.run, o.cause
	if cause == nil {
		cause = brokenOff(ctx, o.err)
	}
	r.Error, r.Sync.Interrupted = nil, false
	failed, ran := errors.AsType[*linkspan.RunError](o.err)
	switch {
	case o.err == nil:
		r.State = linkspan.RunSucceeded
	case errors.Is(cause, errCancelled), errors.Is(cause, errLost), linkspan.CodeOf(o.err) == codeLost, ran && failed.Code == codeLost:
		o.cancelled = errors.Is(cause, errCancelled)
		o.released = true // nobody waits for what becomes of it
	case errors.Is(cause, errInterrupted) && !d.stopping.Load():
		d.interrupted(o)
	case errors.Is(cause, errSlice):
		d.sliceOver(ctx, o)
	case cause != nil:
		o.released = true // this process stops; another one goes on
	case !ran && puttable(o.err):
		r.State, r.Attempts, o.retryIn = linkspan.RunWaiting, r.Attempts-1, awayPause+jitter(r.UUID, r.Attempts, awayPause)
		r.Error = runError(o.err)
	case ran && failed.Code == codeGone:
		r.State, r.Error = linkspan.RunCancelled, runError(o.err)
	default:
		d.syncFailed(ctx, o, done.Lost)
	}
}

// interrupted ends a run at its time limit: it succeeded as far as it got.
func (*dispatcher) interrupted(o *outcome) {
	o.run.State, o.run.Sync.Interrupted, o.err = linkspan.RunSucceeded, true, nil
}

// sliceOver ends a run that used up its time without being interrupted.
func (d *dispatcher) sliceOver(ctx context.Context, o *outcome) {
	failing := "without completing or saving a checkpoint."
	switch moved := d.advanced(ctx, o); {
	case moved && !o.again:
		d.interrupted(o)
		return
	case moved:
		failing = "and would begin from the start again: it saves checkpoints, but never calls nango.getCheckpoint."
	}
	o.err = &linkspan.RunError{
		Code:    codeTimeout,
		Message: fmt.Sprintf("The sync took %s, which is all it may, %s", d.limits.slice(&o.job.fn), failing),
	}
	o.run.State, o.run.Error = linkspan.RunFailed, runError(o.err)
}

// syncFailed has a run tried again if that may help, unless it got nowhere too
// often.
func (d *dispatcher) syncFailed(ctx context.Context, o *outcome, lost bool) {
	r := &o.run
	r.Error, r.State = runError(o.err), linkspan.RunFailed
	if r.Error.Code == codeStalled || !r.Error.Retryable && !lost {
		return
	}
	if stalls := r.Sync.Stalls; stalls < mostStalls || d.advanced(ctx, o) {
		r.State, r.Sync.Stalls, o.retryIn = linkspan.RunWaiting, min(stalls+1, mostStalls), pause(r.UUID, stalls+1)
	}
}

// advanced reports whether there is a checkpoint other than the one that the
// attempt began with.
func (d *dispatcher) advanced(ctx context.Context, o *outcome) bool {
	if o.job == nil || o.job.target == nil {
		return false
	}
	r := &o.run
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	now, err := d.store.Checkpoint(ctx, nil, r.EnvironmentID, r.ConnectionID, linkspan.CheckpointKey(r.Kind, r.Name, r.Sync.Variant))
	if err != nil {
		if linkspan.KindOf(err) != linkspan.KindNotFound {
			d.log.WarnContext(ctx, "reading the checkpoint of a sync failed; it counts as one that got nowhere", "run", r.UUID, "error", err)
		}
		return false
	}
	return string(now.Value) != string(o.job.checkpoint)
}

// stalled says why a run of a sync that was claimed must not be executed.
func stalled(r *linkspan.Run) error {
	if r.Sync.Stalls <= mostStalls {
		return nil
	}
	return &linkspan.RunError{
		Code:    codeStalled,
		Message: fmt.Sprintf("The sync was cut off %d times in a row without saving a checkpoint in between: the processes that executed it died.", r.Sync.Stalls),
	}
}

// syncEnded has the schedule told of the end of a run, in the transaction that
// stores it.
func (d *dispatcher) syncEnded(ctx context.Context, tx linkspan.Tx, o *outcome) error {
	if d.syncs == nil {
		return nil
	}
	e := schedule.End{Run: &o.run, StartedAt: o.run.StartedAt}
	if o.job != nil {
		e.Function = o.job.fn
	}
	if err := d.syncs.Ended(ctx, tx, e); err != nil && linkspan.KindOf(err) != linkspan.KindNotFound {
		return fmt.Errorf("noting the end of a sync: %w", err)
	}
	return nil
}

// showCounts shows in the log what a run of a sync has changed.
func (j *job) showCounts(r *linkspan.Run) {
	if r.Sync == nil {
		return
	}
	models := make([]string, 0, len(r.Sync.Counts))
	for model := range r.Sync.Counts {
		models = append(models, model)
	}
	slices.Sort(models)
	for _, model := range models {
		c := r.Sync.Counts[model]
		meta, err := json.Marshal(map[string]any{"model": model, "added": c.Added, "updated": c.Updated, "deleted": c.Deleted, "unchanged": c.Unchanged})
		if err != nil {
			meta = nil
		}
		j.op.Message(linkspan.Message{Level: "info", Meta: meta, Text: fmt.Sprintf(
			"%s: %d added, %d updated, %d deleted, %d unchanged.", model, c.Added, c.Updated, c.Deleted, c.Unchanged)})
	}
}

// windowed reports whether it is noted what a sync saves.
func windowed(fn *linkspan.Function, code linkspan.FunctionCode) bool {
	return fn.Version.Definition.TrackDeletes || strings.Contains(code.Bundle, comparesRuns)
}
