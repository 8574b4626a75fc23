package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/connect"
	"github.com/linkspan/linkspan/internal/function/host"
	"github.com/linkspan/linkspan/internal/oplog"
	"github.com/linkspan/linkspan/internal/upstream"
)

const (
	// publishAfter is when the log shows a run that has not ended, and
	// publishEvery how often it then shows more of it.
	publishAfter = time.Second
	publishEvery = 3 * time.Second
	// maxPayload bounds what an operation repeats of a failure's payload, in bytes.
	maxPayload = 10_000
)

// The codes of failures that are found here (wire contract §4.9).
const (
	codeInvalidInput  = "invalid_action_input"
	codeInvalidOutput = "invalid_action_output"
	codeTooLarge      = "script_output_too_large"
	codeAborted       = "script_aborted"
	codeTimeout       = "execution_timeout"
	codeRuntime       = "function_runtime_other"
	codeInternal      = "internal_server_error"
	codeActionError   = "action_script_runtime_error"
	codeUnknown       = "unknown_connection"
	codeNotFound      = "not_found"
	codeDisabled      = "disabled_resource"
	codeCircle        = "function_waits_for_itself"
)

// job is a function that is about to be executed.
type job struct {
	env    linkspan.Environment
	fn     linkspan.Function
	target *upstream.Target // as it is at the beginning
	fresh  func(ctx context.Context, o connect.FreshOptions) (*upstream.Target, error)
	// pending means that the connection is not stored yet.
	pending bool
	input   json.RawMessage
	op      *oplog.Op
	depth   int
	// event is what a function at events runs at, or EventWebhook.
	event linkspan.FunctionEvent
	// webhook is what the function takes. Nil: it runs by itself.
	webhook *webhookInput
	// holds are the functions, with their connections, that wait for this one and of
	// which no other run may be under way.
	holds []turnKey

	// sync is nil unless it is one. checkpoint is the one it begins with, nil: none.
	sync       *host.Sync
	variant    string
	checkpoint json.RawMessage
}

// stored makes a job of a function for a connection that is stored.
func (s *Service) stored(env linkspan.Environment, fn linkspan.Function, t *upstream.Target) *job {
	key, name := t.Integration.Key, t.Connection.Name
	return &job{env: env, fn: fn, target: t, fresh: func(ctx context.Context, o connect.FreshOptions) (*upstream.Target, error) {
		return s.connections.Fresh(ctx, env.ID, key, name, o)
	}}
}

// begin starts the operation of a job, or goes on with the one of the given id.
func (s *Service) begin(j *job, id linkspan.OperationID) {
	kind, action := operationOf(j.fn.Kind, j.event)
	j.op = s.ops.Resume(linkspan.Operation{
		ID: id, AccountID: j.env.AccountID, EnvironmentID: j.env.ID, Type: kind, Action: action,
		Message: "Running " + j.label() + ".", IntegrationKey: j.target.Integration.Key, Provider: j.target.Integration.Provider,
		ConnectionName: j.target.Connection.Name, ConnectionUUID: j.target.Connection.UUID, Meta: metaOf(j.fn.Name, j.variant),
		ExpiresAt: s.now().Add(s.limits.bounds(j.fn.Kind, j.event).Wall + 2*time.Minute),
	})
}

// metaOf says in an operation which function runs, so that its operations can be
// found.
func metaOf(function, variant string) json.RawMessage {
	text, err := json.Marshal(struct {
		Function string `json:"function"`
		Variant  string `json:"variant,omitempty"`
	}{function, variant})
	if err != nil {
		return nil // texts can be written always
	}
	return text
}

func operationOf(k linkspan.FunctionKind, e linkspan.FunctionEvent) (linkspan.OperationType, linkspan.OperationAction) {
	switch k {
	case linkspan.FunctionSync:
		return linkspan.OperationSync, linkspan.ActionRun
	case linkspan.FunctionAction:
		return linkspan.OperationActionRun, linkspan.ActionRun
	case linkspan.FunctionOnEvent:
	}
	switch e {
	case linkspan.EventValidateConnection:
		return linkspan.OperationEvents, linkspan.ActionValidateConnection
	case linkspan.EventPreConnectionDeletion:
		return linkspan.OperationEvents, linkspan.ActionPreConnectionDeletion
	case linkspan.EventPostConnectionCreation, linkspan.EventWebhook:
	}
	return linkspan.OperationEvents, linkspan.ActionPostConnectionCreation
}

// label names a function for people.
func label(k linkspan.FunctionKind, name, variant string) string {
	switch k {
	case linkspan.FunctionOnEvent:
		return "the function " + name
	case linkspan.FunctionSync:
		if variant != "" && variant != linkspan.BaseVariant {
			name += "::" + variant
		}
		return "the sync " + name
	case linkspan.FunctionAction:
	}
	return "the action " + name
}

func (j *job) label() string { return labelAt(j.event, j.fn.Kind, j.fn.Name, j.variant) }

// labelAt names a function for people, and that it takes a webhook if it does.
func labelAt(e linkspan.FunctionEvent, k linkspan.FunctionKind, name, variant string) string {
	if e == linkspan.EventWebhook {
		return label(k, name, variant) + " at a webhook"
	}
	return label(k, name, variant)
}

// execute runs a job to its end and ends its operation. Errors are those of
// attempt.
func (s *Service) execute(ctx context.Context, j *job) (Done, error) {
	stop := publishLate(j.op)
	defer stop()
	done, err := s.attempt(ctx, j)
	if err != nil {
		s.failed.Add(1)
	} else {
		s.succeeded.Add(1)
	}
	return done, err
}

// attempt executes a job: once, or twice when the process that did it died before
// anything was changed. Errors are *linkspan.RunError; a linkspan.Error when it
// was not begun; anything else is an internal failure.
func (s *Service) attempt(ctx context.Context, j *job) (Done, error) {
	code, err := s.functions.VersionCode(ctx, j.env.ID, j.fn.Version)
	if err != nil {
		return Done{}, fmt.Errorf("reading the code of %s: %w", j.fn.Name, err)
	}
	if err := s.checkInput(j); err != nil {
		return Done{}, err
	}
	s.underWay.Add(1)
	defer s.underWay.Add(-1)
	done, err := s.once(ctx, j, code)
	if err != nil && done.Lost && !done.Effects && ctx.Err() == nil {
		j.op.Message(linkspan.Message{Level: "warn", Text: "The process that executed the function died before anything was changed. It is executed again."})
		done, err = s.once(ctx, j, code)
	}
	if err != nil {
		return done, s.failure(ctx, err)
	}
	return done, s.checkOutput(j, done.Output)
}

func (s *Service) once(ctx context.Context, j *job, code linkspan.FunctionCode) (Done, error) {
	var nested atomic.Bool
	if j.sync != nil {
		j.sync.Window = windowed(&j.fn, code)
	}
	x := &Execution{
		Environment: j.env, Function: j.fn, Code: code, ConnectionName: j.target.Connection.Name, ConnectionID: j.target.Connection.ID, Target: j.fresh, Pending: j.pending,
		Input: j.input, Owner: linkspan.NewUUID(), Op: j.op, Nested: j.depth > 0, Limits: s.limits.bounds(j.fn.Kind, j.event), Event: j.event,
		Sync: j.sync, Variant: j.variant,
		Trigger: func(ctx context.Context, integrationKey, connectionName, action string, input json.RawMessage) (json.RawMessage, error) {
			nested.Store(true)
			return s.Trigger(ctx, Trigger{
				Environment: j.env, IntegrationKey: integrationKey, ConnectionName: connectionName, Action: action, Input: input, depth: j.depth + 1,
				holds: j.holds,
			})
		},
	}
	j.webhook.give(x)
	done, err := s.engine.Execute(ctx, x)
	done.Effects = done.Effects || nested.Load()
	return done, err
}

// failure gives errors of the engine their final form.
func (s *Service) failure(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	if errors.Is(context.Cause(ctx), errTurnLost) && brokenOff(ctx, err) != nil {
		return &linkspan.RunError{
			Code: codeRuntime, Retryable: true,
			Message: "The function was broken off: the server lost its database for so long that another run may have begun beside this one, which limits.concurrency.perConnection forbids.",
		}
	}
	if _, ok := errors.AsType[*linkspan.RunError](err); ok && !errors.Is(err, context.Canceled) {
		return err // it ended by itself
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return &linkspan.RunError{Code: codeTimeout, Message: "The function took longer than it may."}
	}
	return &linkspan.RunError{Code: codeAborted, Message: "The run was broken off because nobody waits for its result any more."}
}

// checkInput refuses input that the action does not take.
func (s *Service) checkInput(j *job) error {
	if j.fn.Kind != linkspan.FunctionAction {
		return nil
	}
	c := s.schemas.of(&j.fn.Version)
	if c.Problem != nil {
		j.op.Message(linkspan.Message{Level: "warn", Text: "Input and output are not checked: " + c.Problem.Error()})
	}
	return c.Input.Refuse(j.input, codeInvalidInput, "The input is not what the action takes.")
}

// checkOutput refuses output that the action must not return.
func (s *Service) checkOutput(j *job, output json.RawMessage) error {
	if j.fn.Kind != linkspan.FunctionAction {
		return nil
	}
	if int64(len(output)) > s.limits.Output {
		return &linkspan.RunError{
			Code:    codeTooLarge,
			Message: fmt.Sprintf("The output of the action is %d bytes long; at most %d are allowed.", len(output), s.limits.Output),
		}
	}
	return s.schemas.of(&j.fn.Version).Output.Refuse(output, codeInvalidOutput, "The output is not what the action says it returns.")
}

// runError is what a failed run is stored and shown with. What has no words for
// callers gets some that say nothing.
func runError(err error) *linkspan.RunError {
	if e, ok := errors.AsType[*linkspan.RunError](err); ok {
		return e
	}
	if e, ok := errors.AsType[*linkspan.Error](err); ok && (e.Code != "" || e.Kind != linkspan.KindInternal) {
		out := &linkspan.RunError{Code: e.Code, Message: e.Msg, Retryable: e.Kind == linkspan.KindUnavailable}
		if out.Code == "" {
			out.Code = string(e.Kind)
		}
		return out
	}
	return &linkspan.RunError{Code: codeInternal, Message: "The function could not be executed for an internal reason.", Retryable: true}
}

// logInternal logs a failure that nobody else will hear the cause of.
func (s *Service) logInternal(ctx context.Context, err error, function string) {
	if _, ran := errors.AsType[*linkspan.RunError](err); !ran && linkspan.KindOf(err) == linkspan.KindInternal {
		s.log.ErrorContext(ctx, "a function could not be executed", "error", err, "function", function)
	}
}

// end ends the operation of a job.
func (j *job) end(err error) {
	what := j.label()
	if err == nil {
		j.op.Succeed("Executed " + what + ".")
		return
	}
	e := runError(err)
	j.note(e)
	if e.Code == codeAborted {
		j.op.End(linkspan.StateCancelled, j.redact(e.Message))
		return
	}
	text := j.redact(e.Message)
	if text == "" {
		text = "Executing " + what + " failed."
	}
	j.op.Fail(e.Code, text)
}

// note shows a failure's payload under the operation.
func (j *job) note(e *linkspan.RunError) {
	if len(e.Payload) == 0 {
		return
	}
	shown := &linkspan.OperationError{Code: e.Code, Message: j.redact(e.Message)}
	if text := j.redact(string(e.Payload)); len(text) <= maxPayload && json.Valid([]byte(text)) {
		shown.Payload = json.RawMessage(text)
	}
	j.op.Message(linkspan.Message{Level: "error", Text: "The function failed: " + e.Code, Error: shown})
}

func (j *job) redact(text string) string {
	if j.target == nil {
		return text
	}
	return j.target.Redactor().Text(text)
}

// publishLate lets an operation be seen while it goes on, if it does for long.
// The returned function ends that.
func publishLate(op *oplog.Op) func() {
	if op == nil {
		return func() {}
	}
	var stopped atomic.Bool
	var timer *time.Timer
	ready := make(chan struct{})
	timer = time.AfterFunc(publishAfter, func() {
		<-ready
		if stopped.Load() {
			return
		}
		op.Publish()
		timer.Reset(publishEvery)
	})
	close(ready)
	return func() {
		stopped.Store(true)
		timer.Stop()
	}
}
