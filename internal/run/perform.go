package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/oplog"
	"github.com/linkspan/linkspan/internal/webhook"
)

const (
	// firstPause is how long to wait after the first failed attempt; it doubles
	// with every further one.
	firstPause = 3 * time.Second
	// awayPause is how long a run waits that could not be begun because the
	// database was away or this process had no room.
	awayPause = 5 * time.Second
)

// outcome is an attempt that has ended.
type outcome struct {
	// run is the row as it is to be stored.
	run     linkspan.Run
	retryIn time.Duration
	// queued means that another run of the function is under way, beside which this
	// one must not be: it was not begun.
	queued bool
	// released means that the attempt was broken off before it did anything and
	// does not count.
	released bool
	// event is what the customer's backend is told. Nil: nothing.
	event *webhook.AsyncActionEvent
	// job is what was executed. Nil: it did not come to that.
	job *job
	err error
	// cause says why a sync was broken off. Nil: it was not.
	cause error
	// again means that a sync began from the start although there was a checkpoint.
	again bool
	// cancelled means that somebody has cancelled the run.
	cancelled bool
	// stored means that the result was stored: nobody else was at it.
	stored bool
	// refused means that the database did not take it so far, which was logged.
	refused bool
}

// perform executes a claimed run.
func (d *dispatcher) perform(ctx context.Context, r linkspan.Run) (o outcome) {
	o.run = r
	var done Done
	defer func() {
		if p := recover(); p != nil {
			// It must not take down the process: nobody else's runs depend on it.
			d.log.ErrorContext(ctx, "running a function panicked", "panic", p, "stack", string(debug.Stack()), "run", r.UUID)
			o.err = &linkspan.RunError{Code: codeInternal, Message: "The function could not be executed for an internal reason."}
		}
		if o.err != nil && ctx.Err() == nil && linkspan.CodeOf(o.err) != codeLost {
			d.logInternal(ctx, o.err, r.Name)
		}
		if r.Sync != nil {
			d.decideSync(ctx, &o, done)
		} else {
			d.decide(ctx, &o, done)
		}
	}()
	if o.err = stillWanted(&o.run, d.now()); o.err != nil {
		return o
	}
	if o.job, o.err = d.load(ctx, &o.run); o.err != nil {
		return o
	}
	turn, release, free, err := d.tryTurn(ctx, o.job)
	if err != nil || !free {
		o.err, o.queued = err, err == nil
		return o
	}
	defer release()
	d.begin(o.job, r.Operation)
	if r.Sync != nil {
		done = d.runSync(ctx, &o)
		return o
	}
	done, o.err = d.execute(turn, o.job)
	return o
}

// stillWanted says why a run that was claimed must not be executed.
func stillWanted(r *linkspan.Run, now time.Time) error {
	switch {
	case r.Sync != nil:
		return nil // beginSync says it
	case r.Attempts > r.MaxAttempts:
		r.Attempts = r.MaxAttempts
		// What was done before is not known.
		return &linkspan.RunError{Code: codeRuntime, Message: "The process that executed the function died before it was done.", Retryable: true}
	case r.Error != nil:
		return r.Error
	case r.Attempts == 1 && now.After(r.ExpiresAt):
		return &linkspan.RunError{Code: codeTimeout, Message: "The function could not be begun in time; nothing was done.", Retryable: true}
	}
	return nil
}

// load finds what a row is about, as it is now.
func (d *dispatcher) load(ctx context.Context, r *linkspan.Run) (*job, error) {
	env, err := d.store.RunEnvironment(ctx, nil, r.EnvironmentID)
	if err != nil && linkspan.KindOf(err) == linkspan.KindNotFound {
		return nil, &linkspan.RunError{Code: codeNotFound, Message: "The environment was deleted."}
	}
	if err != nil {
		return nil, fmt.Errorf("reading the environment of run %s: %w", r.UUID, err)
	}
	t, err := d.connections.Live(ctx, env.ID, r.IntegrationKey, r.ConnectionName)
	if err != nil {
		return nil, connectionError(err)
	}
	if t.Connection.UUID != r.ConnectionUUID {
		return nil, &linkspan.RunError{Code: codeUnknown, Message: "The connection was deleted. There is another one of the same name."}
	}
	fn, err := d.functions.Find(ctx, env.ID, r.IntegrationKey, r.Kind, r.Name)
	if err := usable(&fn, err); err != nil {
		if r.Kind != linkspan.FunctionAction && linkspan.KindOf(err) == linkspan.KindNotFound {
			return nil, &linkspan.RunError{Code: linkspan.CodeOf(err), Message: "The function was removed or switched off before it ran."}
		}
		return nil, err
	}
	j := d.stored(env, fn, t)
	j.event = r.Event
	switch {
	case r.Sync != nil:
		return j, d.beginSync(ctx, j, r)
	case r.Event == linkspan.EventWebhook:
		return j, d.beginWebhook(ctx, j, r)
	}
	if text := r.Input.Reveal(); text != "" {
		j.input = json.RawMessage(text)
	}
	return j, nil
}

// decide says what becomes of a run after an attempt.
func (d *dispatcher) decide(ctx context.Context, o *outcome, done Done) {
	r := &o.run
	r.Error, r.Output = nil, linkspan.Secret{}
	if o.queued {
		r.State, r.Attempts, o.retryIn = linkspan.RunWaiting, r.Attempts-1, turnPause+jitter(r.UUID, int(r.Attempt), turnPause)
		return
	}
	if o.err == nil {
		r.State, r.Output = linkspan.RunSucceeded, linkspan.NewSecret(string(done.Output))
		o.tell()
		return
	}
	failed, ran := errors.AsType[*linkspan.RunError](o.err)
	switch {
	case ctx.Err() != nil && !done.Effects && (!ran || done.Lost || failed.Code == codeAborted):
		o.released = true // this process stops, or lost the row anyway
	case !ran && puttable(o.err):
		r.State, r.Attempts, o.retryIn = linkspan.RunWaiting, r.Attempts-1, awayPause+jitter(r.UUID, r.Attempts, awayPause)
		r.Error = runError(o.err)
	default:
		r.Error = runError(o.err)
		if r.Attempts < r.MaxAttempts && d.now().Before(r.ExpiresAt) && again(r, done.Lost) {
			r.State, o.retryIn = linkspan.RunWaiting, pause(r.UUID, r.Attempts)
			return
		}
		r.State = linkspan.RunFailed
		o.tell()
	}
}

// puttable reports whether a run that was not begun may be put off.
func puttable(err error) bool {
	kind := linkspan.KindOf(err)
	return kind == linkspan.KindUnavailable || kind == linkspan.KindTimeout
}

// again reports whether another attempt may help and is wanted. Callers of actions
// say how often; functions at events are tried again only when it was not they
// that failed.
func again(r *linkspan.Run, lost bool) bool {
	switch r.Error.Code {
	case codeInvalidInput, codeNotFound, codeDisabled, codeUnknown:
		return false
	}
	return r.Kind == linkspan.FunctionAction || r.Error.Retryable || lost
}

// pause is how long to wait after a failed attempt, counted from 1.
func pause(uuid string, attempt int) time.Duration {
	const doublings = 6
	p := firstPause << min(max(attempt-1, 0), doublings)
	return p + jitter(uuid, attempt, p/5)
}

// jitter is up to the given time, and the same whoever asks: runs that failed
// together don't all come back at once.
func jitter(uuid string, attempt int, most time.Duration) time.Duration {
	h := fnv.New32a()
	_, _ = h.Write([]byte(uuid + "/" + strconv.Itoa(attempt)))
	const steps = 1000
	return most * time.Duration(h.Sum32()%steps) / steps
}

// tell has the customer's backend told that an asynchronous action has ended.
func (o *outcome) tell() {
	r := &o.run
	if r.Kind != linkspan.FunctionAction || r.Event != "" {
		return
	}
	o.event = &webhook.AsyncActionEvent{
		EnvironmentID: r.EnvironmentID, ID: r.UUID, IntegrationKey: r.IntegrationKey, Provider: r.Provider,
		ConnectionName: r.ConnectionName, ConnectionUUID: r.ConnectionUUID,
	}
}

// ended shows in the log what was stored of an attempt.
func (d *dispatcher) ended(o *outcome) {
	if !o.stored {
		if o.cancelled && o.job != nil {
			o.job.op.End(linkspan.StateCancelled, "The run was cancelled.")
		}
		return // whoever took it over shows the rest
	}
	if o.queued {
		return // it shows nothing until it begins
	}
	if !o.released && o.run.State != linkspan.RunWaiting {
		j := o.job
		if j == nil || j.op == nil {
			j = &job{fn: linkspan.Function{Kind: o.run.Kind, Name: o.run.Name}, event: o.run.Event, op: d.operation(&o.run, linkspan.StateRunning)}
		}
		if o.run.Sync != nil {
			j.showCounts(&o.run)
		}
		j.end(o.err)
		return
	}
	text := "The process that executed the function stops. Another one goes on."
	if !o.released {
		text = fmt.Sprintf("The run failed: %s. It is tried again in %s.", o.run.Error.Code, o.retryIn.Round(time.Second))
	}
	if !o.released && o.run.Sync == nil {
		text = fmt.Sprintf("Attempt %d of %d failed: %s. It is tried again in %s.",
			o.run.Attempts, o.run.MaxAttempts, o.run.Error.Code, o.retryIn.Round(time.Second))
	}
	if o.job != nil {
		if o.run.Error != nil {
			o.job.note(o.run.Error)
		}
		o.job.op.Publish() // its messages
	}
	op := d.operation(&o.run, linkspan.StateWaiting)
	op.Message(linkspan.Message{Level: "warn", Text: text})
	op.Publish()
}

// operation goes on with the operation of a row.
func (s *Service) operation(r *linkspan.Run, state linkspan.OperationState) *oplog.Op {
	kind, action := operationOf(r.Kind, r.Event)
	variant := ""
	if r.Sync != nil {
		variant = r.Sync.Variant
	}
	return s.ops.Resume(linkspan.Operation{
		ID: r.Operation, EnvironmentID: r.EnvironmentID, Type: kind, Action: action, State: state,
		Message: "Running " + labelAt(r.Event, r.Kind, r.Name, variant) + ".", IntegrationKey: r.IntegrationKey, Provider: r.Provider,
		ConnectionName: r.ConnectionName, ConnectionUUID: r.ConnectionUUID, Meta: metaOf(r.Name, variant),
		ExpiresAt: s.now().Add(s.limits.Queue + s.limits.bounds(r.Kind, r.Event).Wall),
	})
}
