package author

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/connect"
	"github.com/linkspan/linkspan/internal/function/bundle"
	"github.com/linkspan/linkspan/internal/function/call"
	"github.com/linkspan/linkspan/internal/function/host"
	"github.com/linkspan/linkspan/internal/function/trial"
	"github.com/linkspan/linkspan/internal/oplog"
	"github.com/linkspan/linkspan/internal/runner"
	"github.com/linkspan/linkspan/internal/sandbox"
	"github.com/linkspan/linkspan/internal/upstream"
)

// DryRun is a function to try with a connection. Nothing that it saves is stored;
// what it asks of providers is real.
type DryRun struct {
	Kind           linkspan.FunctionKind // sync or action
	IntegrationKey string
	ConnectionName string
	Code           string
	// Input, Metadata and Checkpoint are JSON; nil for none. Metadata replaces that
	// of the connection.
	Input, Metadata, Checkpoint json.RawMessage
	// LastSync is when the last run is to have begun. Zero: there was none.
	LastSync time.Time
}

// dryRunRequest is how a dry run is stored.
type dryRunRequest struct {
	Code       string          `json:"code"`
	Connection string          `json:"connection"`
	Input      json.RawMessage `json:"input,omitempty"`
	Metadata   json.RawMessage `json:"metadata,omitempty"`
	Checkpoint json.RawMessage `json:"checkpoint,omitempty"`
	LastSync   time.Time       `json:"last_sync,omitzero"`
}

// functionName is the name of functions that are only tried.
const functionName = "dry-run"

// StartDryRun has a function tried in the background, and returns the job by which
// its outcome can be asked for. Codes: integration_not_found, connection_not_found,
// invalid_request, execution_environment_unavailable.
func (s *Service) StartDryRun(ctx context.Context, env linkspan.Environment, d DryRun) (linkspan.AuthorJob, error) {
	const op = "author.StartDryRun"
	var none linkspan.AuthorJob
	if len(d.Code) > MaxCode {
		return none, linkspan.E(op, linkspan.KindInvalid, codeInvalid, nil, "The code has %d bytes; at most %d are allowed.", len(d.Code), MaxCode)
	}
	if len(d.Checkpoint) > 0 {
		if _, err := call.Checkpoint(d.Checkpoint); err != nil {
			e, _ := errors.AsType[*linkspan.Error](err)
			return none, linkspan.E(op, linkspan.KindInvalid, codeInvalid, err, "The checkpoint can't be used: %s", messageOf(e))
		}
	}
	if _, err := s.integration(ctx, env.ID, d.IntegrationKey); err != nil {
		return none, err
	}
	target, err := s.connection(ctx, env.ID, d.IntegrationKey, d.ConnectionName)
	if err != nil {
		return none, err
	}
	request, err := json.Marshal(dryRunRequest{
		Code: d.Code, Connection: d.ConnectionName, Input: d.Input, Metadata: d.Metadata, Checkpoint: d.Checkpoint, LastSync: d.LastSync,
	})
	if err != nil {
		return none, fmt.Errorf("encoding a dry run: %w", err)
	}
	if len(request) > maxRequest {
		return none, linkspan.E(op, linkspan.KindInvalid, codeInvalid, nil, "The dry run has %d bytes with its code and input; at most %d are allowed.", len(request), maxRequest)
	}
	now := s.c.Now()
	j := linkspan.AuthorJob{
		UUID: linkspan.NewUUID(), EnvironmentID: env.ID, Kind: linkspan.AuthorDryRun, State: linkspan.RunWaiting,
		IntegrationKey: d.IntegrationKey, FunctionKind: d.Kind, Request: linkspan.NewSecret(string(request)), Operation: linkspan.NewOperationID(now),
	}
	if err := s.insert(ctx, &j); err != nil {
		return none, err
	}
	s.operation(&env, &j, target, linkspan.StateWaiting).Publish()
	return j, nil
}

// connection returns a connection. Codes: integration_not_found,
// connection_not_found.
func (s *Service) connection(ctx context.Context, env linkspan.EnvironmentID, integrationKey, name string) (*upstream.Target, error) {
	const op = "author.connection"
	target, err := s.c.Connections.Live(ctx, env, integrationKey, name)
	switch {
	case err == nil:
		return target, nil
	case linkspan.CodeOf(err) == "unknown_provider_config":
		return nil, linkspan.E(op, linkspan.KindNotFound, codeNoIntegration, err, "The integration %q does not exist.", integrationKey)
	case linkspan.KindOf(err) == linkspan.KindNotFound:
		return nil, linkspan.E(op, linkspan.KindNotFound, codeNoConnection, err, "The integration %q has no connection %q.", integrationKey, name)
	}
	return nil, err
}

func messageOf(e *linkspan.Error) string {
	if e == nil {
		return "it must be a flat object of texts, numbers and truth values."
	}
	return e.Msg
}

// operation begins the operation of a dry run, or goes on with it. A nil target: the
// connection can't be had any more.
func (s *Service) operation(env *linkspan.Environment, j *linkspan.AuthorJob, t *upstream.Target, state linkspan.OperationState) *oplog.Op {
	kind := linkspan.OperationActionRun
	if j.FunctionKind == linkspan.FunctionSync {
		kind = linkspan.OperationSync
	}
	op := linkspan.Operation{
		ID: j.Operation, AccountID: env.AccountID, EnvironmentID: env.ID, Type: kind, Action: linkspan.ActionDryRun, State: state,
		Message: "Trying a function of the type " + string(j.FunctionKind) + ".", IntegrationKey: j.IntegrationKey, ExpiresAt: s.c.Now().Add(keep),
	}
	if t != nil {
		op.Provider, op.ConnectionName, op.ConnectionUUID = t.Integration.Provider, t.Connection.Name, t.Connection.UUID
	}
	return s.c.Ops.Resume(op)
}

// dryRun tries the function of the job.
func (w *worked) dryRun(ctx context.Context) error {
	s, j := w.s, w.job
	var in dryRunRequest
	if err := json.Unmarshal([]byte(j.Request.Reveal()), &in); err != nil {
		return fmt.Errorf("reading a stored dry run: %w", err)
	}
	env, err := s.c.Store.RunEnvironment(ctx, nil, j.EnvironmentID)
	if err != nil {
		return fmt.Errorf("reading the environment of a dry run: %w", err)
	}
	target, err := s.connection(ctx, env.ID, j.IntegrationKey, in.Connection)
	op := s.operation(&env, j, target, linkspan.StateRunning)
	w.finish = func(failure *linkspan.RunError) { endOperation(op, failure) }
	switch {
	case err != nil:
		return err
	case w.refused != nil:
		return w.refused
	case !j.Output.IsZero() && j.FunctionKind == linkspan.FunctionAction:
		return interrupted()
	}
	f, err := s.compile(ctx, env.ID, &subject{code: in.Code, integration: j.IntegrationKey, name: functionName, kind: j.FunctionKind})
	if err != nil {
		return err
	}
	return w.try(ctx, &trying{env: env, in: in, target: target, function: f, op: op})
}

// interrupted is the failure of an action whose process died while it ran: once more
// it might do twice what is to be done once.
func interrupted() error {
	return linkspan.E("author.dryRun", linkspan.KindUnavailable, codeUnavailable, nil,
		"The server ended while it executed the action. What the action had done at the provider is done, so it was not executed again.").
		WithHint("Start the dry run again when that does no harm.")
}

func endOperation(op *oplog.Op, failure *linkspan.RunError) {
	if failure == nil {
		op.Succeed("The function came to its end.")
		return
	}
	message := failure.Message
	if message == "" {
		message = "The function failed."
	}
	op.Fail(failure.Code, message)
}

// trying is what a function is tried with.
type trying struct {
	env      linkspan.Environment
	in       dryRunRequest
	target   *upstream.Target
	function *bundle.Function
	op       *oplog.Op
}

// try executes the function.
func (w *worked) try(ctx context.Context, x *trying) error {
	s, j := w.s, w.job
	session := w.open(x)
	defer session.Close(ctx)
	o, err := w.options(x, session)
	if err != nil {
		return err
	}
	w.log.line(s.c.Now(), "info", fmt.Sprintf("The %s begins, with the connection %s of %s.", j.FunctionKind, x.in.Connection, j.IntegrationKey), nil)
	// From here on another process knows that it was begun.
	if ok, err := w.note(ctx); err != nil || !ok {
		return fmt.Errorf("noting that a dry run begins (still ours: %v): %w", ok, err)
	}
	w.effects = j.FunctionKind == linkspan.FunctionAction
	left := new(atomic.Int64)
	left.Store(s.limits.Records)
	ctx, cancel := context.WithTimeout(ctx, s.limits.DryRun+time.Minute) // for what does not stop by itself
	defer cancel()
	result, err := trial.Run(ctx, executor{pool: s.c.Executor, env: x.env.ID, wrap: func(h sandbox.Host) sandbox.Host { return bounded{h, left} }}, o)
	if err != nil {
		return tryError(ctx, err)
	}
	return w.report(result, session)
}

// tryError is about a dry run that did not come to an end for no fault of the
// function.
func tryError(ctx context.Context, err error) error {
	if ctx.Err() != nil && !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return linkspan.E("author.try", linkspan.KindUnavailable, codeUnavailable, nil, "The server was stopped while it executed the function.").
			WithHint("Start the dry run again.")
	}
	if ctx.Err() != nil {
		return linkspan.E("author.try", linkspan.KindTimeout, codeTimeout, err, "The function took longer than it may.")
	}
	if e, ok := errors.AsType[*linkspan.Error](err); ok && e.Kind == linkspan.KindInvalid {
		return linkspan.E("author.try", linkspan.KindInvalid, codeValidation, err, "%s", e.Msg)
	}
	message := "The server had no room for the function."
	if lost, ok := errors.AsType[*runner.LostError](err); ok {
		message = "The process that executed the function ended before the function did."
		if lost.Memory {
			message = "The function was stopped because all functions together needed more memory than the server gives them."
		}
	}
	return linkspan.E("author.try", linkspan.KindUnavailable, codeUnavailable, err, "%s", message).WithHint("Start the dry run again.")
}

// open makes what serves the function's calls to the outside.
func (w *worked) open(x *trying) *host.Session {
	s, j := w.s, w.job
	info := host.Info{
		Environment: x.env, Kind: x.function.Kind, Function: functionName, IntegrationKey: j.IntegrationKey, Provider: x.target.Integration.Provider,
		ConnectionName: x.in.Connection, ConnectionID: x.target.Connection.ID, Owner: j.UUID, Op: x.op, LogLevel: "debug", Input: x.in.Input, CLI: true,
		Target: func(ctx context.Context, o connect.FreshOptions) (*upstream.Target, error) {
			return s.c.Connections.Fresh(ctx, x.env.ID, j.IntegrationKey, x.in.Connection, o)
		},
	}
	if s.c.Trigger != nil {
		info.Trigger = func(ctx context.Context, integrationKey, connection, action string, input json.RawMessage) (json.RawMessage, error) {
			return s.c.Trigger(ctx, x.env, integrationKey, connection, action, input)
		}
	}
	return s.c.Host.Open(info)
}

func (w *worked) options(x *trying, session *host.Session) (trial.Options, error) {
	s := w.s
	metadata := x.in.Metadata
	if len(metadata) == 0 {
		metadata = json.RawMessage("{}")
		if x.target.Connection.Metadata != nil {
			var err error
			if metadata, err = json.Marshal(x.target.Connection.Metadata); err != nil {
				return trial.Options{}, fmt.Errorf("encoding the metadata of a connection: %w", err)
			}
		}
	}
	return trial.Options{
		Function: trial.Of(*x.function), Provider: x.target.Integration.Provider, Connection: x.in.Connection, ConnectionID: x.target.Connection.ID, Environment: x.env.Name,
		Input: x.in.Input, LastSync: x.in.LastSync, Checkpoint: x.in.Checkpoint, Metadata: metadata,
		// As it is when the function is deployed: only actions are checked.
		Validate: x.function.Kind == linkspan.FunctionAction,
		World:    world{session: session, say: func(text string) { w.log.line(s.c.Now(), "info", text, nil) }},
		Log: func(m trial.Message) {
			w.log.line(m.At, m.Level, session.Redact(m.Text), session.RedactJSON(m.Payload))
		},
		Limits: sandbox.Limits{Memory: s.limits.Memory, CPU: s.limits.CPU, Wall: s.limits.DryRun, Output: s.limits.Output, Notes: s.limits.Notes},
		Now:    s.c.Now,
	}, nil
}

// world is the outside of a dry run: the provider, the connection and what is set up
// on the server are real, and nothing is written.
type world struct {
	session *host.Session
	say     func(text string)
}

// Call implements sandbox.Host.
func (w world) Call(ctx context.Context, c sandbox.Call) (sandbox.Reply, error) {
	switch c.Name {
	case "http", "fetch", "connection", "integration", "pagination", "variables", "action":
		return w.session.Call(ctx, c)
	case "sync_trigger", "sync_start":
		w.say("Other syncs are not started by a dry run.")
		return sandbox.Reply{}, nil
	}
	return sandbox.Reply{}, trial.ErrUnserved
}

// Note implements sandbox.Host.
func (w world) Note(c sandbox.Call) { w.session.Note(c) }

// bounded refuses what a trial would have to keep in memory beyond a limit.
type bounded struct {
	sandbox.Host

	left *atomic.Int64
}

// keptCall is what a call takes that is kept, beside its text.
const keptCall = 256

// Call implements sandbox.Host.
func (b bounded) Call(ctx context.Context, c sandbox.Call) (sandbox.Reply, error) {
	kept := strings.HasPrefix(c.Name, "records_") || strings.HasPrefix(c.Name, "lock_") || strings.HasPrefix(c.Name, "track_")
	if n := int64(len(c.Body) + len(c.JSON) + keptCall); kept && b.left.Add(-n) < 0 {
		return sandbox.Reply{}, call.Refused(linkspan.E("author.bounded", linkspan.KindTooLarge, "records_too_large", nil,
			"The function saves more than a dry run on the server keeps. Try it with linkspan dryrun on your machine."))
	}
	return b.Host.Call(ctx, c)
}
