package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/linkspan/linkspan"
)

// Trigger says which action to run.
type Trigger struct {
	Environment linkspan.Environment
	// IntegrationKey and ConnectionName are whose action it is and for whom.
	IntegrationKey, ConnectionName string
	// Action is the name of the function.
	Action string
	// Input is JSON. Nil: none.
	Input json.RawMessage

	// depth counts the actions that wait for this one, and holds are those of which
	// no other run may be under way.
	depth int
	holds []turnKey
}

// Trigger runs an action at once, in this process, and returns its output: JSON,
// or nil when it returned nothing. It stops when ctx ends. Errors: what prepare
// refuses, *linkspan.RunError for a run that failed, and of KindUnavailable when
// there is no room for it.
func (s *Service) Trigger(ctx context.Context, t Trigger) (json.RawMessage, error) {
	if t.depth > maxDepth {
		return nil, linkspan.E("run.Trigger", linkspan.KindInvalid, "action_nesting_too_deep", nil,
			"Actions that trigger actions may be nested %d deep; %q would be one deeper.", maxDepth, t.Action).
			WithHint("Look for actions that trigger each other in a circle.")
	}
	j, err := s.prepare(ctx, t)
	if err != nil {
		return nil, err
	}
	ctx, release, err := s.takeTurn(ctx, j)
	if err != nil {
		return nil, err
	}
	defer release()
	s.begin(j, "")
	done, err := s.execute(ctx, j)
	j.end(err)
	if err != nil {
		return nil, fmt.Errorf("running action %q: %w", t.Action, err)
	}
	return done.Output, nil
}

// prepare finds connection and action. Errors: unknown_connection,
// unknown_provider, not_found, disabled_resource.
func (s *Service) prepare(ctx context.Context, t Trigger) (*job, error) {
	target, err := s.connections.Live(ctx, t.Environment.ID, t.IntegrationKey, t.ConnectionName)
	if err != nil {
		return nil, connectionError(err)
	}
	fn, err := s.functions.Find(ctx, t.Environment.ID, t.IntegrationKey, linkspan.FunctionAction, t.Action)
	if err := usable(&fn, err); err != nil {
		return nil, err
	}
	j := s.stored(t.Environment, fn, target)
	j.input, j.depth, j.holds = t.Input, t.depth, t.holds
	return j, nil
}

// connectionError gives errors about the connection the statuses that actions
// have for them (wire contract §4.9).
func connectionError(err error) error {
	e, ok := errors.AsType[*linkspan.Error](err)
	if !ok {
		return fmt.Errorf("finding the connection of an action: %w", err)
	}
	switch e.Code {
	case codeUnknown, "unknown_provider_config":
		return linkspan.E("run.Connection", linkspan.KindNotFound, codeUnknown, err, "%s", e.Msg).WithStatus(http.StatusBadRequest)
	case "unknown_provider":
		return e.WithStatus(http.StatusBadRequest)
	default:
		return err
	}
}

// usable refuses what was not found or is switched off.
func usable(fn *linkspan.Function, err error) error {
	if err != nil && linkspan.KindOf(err) == linkspan.KindNotFound {
		return linkspan.E("run.Action", linkspan.KindNotFound, codeNotFound, err, "Action not found")
	}
	if err != nil {
		return fmt.Errorf("finding an action: %w", err)
	}
	if !fn.Enabled {
		return linkspan.E("run.Action", linkspan.KindNotFound, codeDisabled, nil, "The action is disabled")
	}
	return nil
}

// TriggerAsync has an action run in the background, and again after failures, at
// most maxRetries times. It returns the id that the result can be asked for with.
// Errors are those of prepare, and of KindTooLarge for an input that is too long
// to be kept.
func (s *Service) TriggerAsync(ctx context.Context, t Trigger, maxRetries int) (string, error) {
	if int64(len(t.Input)) > s.limits.Input {
		return "", linkspan.E("run.TriggerAsync", linkspan.KindTooLarge, "", nil,
			"The input of an asynchronous action may be %d bytes long; this one has %d.", s.limits.Input, len(t.Input)).
			WithHint("Give the action a link to the data, or run it without X-Async.")
	}
	j, err := s.prepare(ctx, t)
	if err != nil {
		return "", err
	}
	r := s.newRun(&j.fn, &j.target.Connection, "")
	r.Input, r.MaxAttempts = linkspan.NewSecret(string(t.Input)), 1+max(0, maxRetries)
	if err := s.store.InsertRuns(ctx, nil, []*linkspan.Run{r}); err != nil {
		return "", fmt.Errorf("storing the run of action %q: %w", t.Action, err)
	}
	s.operation(r, linkspan.StateWaiting).Publish()
	s.RunsDue()
	return r.UUID, nil
}

// newRun makes a row of a function for a connection, which waits in the queue
// from now on.
func (s *Service) newRun(fn *linkspan.Function, c *linkspan.Connection, e linkspan.FunctionEvent) *linkspan.Run {
	now := s.now()
	return &linkspan.Run{
		UUID: linkspan.NewUUID(), EnvironmentID: c.EnvironmentID, FunctionID: fn.ID, ConnectionID: c.ID,
		Kind: fn.Kind, Name: fn.Name, Event: e, IntegrationKey: c.IntegrationKey, Provider: c.Provider,
		ConnectionName: c.Name, ConnectionUUID: c.UUID, MaxAttempts: 1,
		Operation: linkspan.NewOperationID(now), ExpiresAt: now.Add(s.limits.Queue),
	}
}

// Result returns the output of an asynchronous action. KindNotFound: there is no
// such run, it has not ended, or it returned nothing. A failed one is its
// *linkspan.RunError.
func (s *Service) Result(ctx context.Context, env linkspan.EnvironmentID, uuid string) (json.RawMessage, error) {
	missing := func(cause error) error {
		return linkspan.E("run.Result", linkspan.KindNotFound, codeNotFound, cause, "No action '%s' found", uuid)
	}
	uuid = strings.ToLower(uuid)
	r, err := s.store.Run(ctx, nil, env, uuid)
	if err != nil && linkspan.KindOf(err) == linkspan.KindNotFound {
		return nil, missing(err)
	}
	if err != nil {
		return nil, fmt.Errorf("reading run %s: %w", uuid, err)
	}
	if r.Kind != linkspan.FunctionAction || r.Event != "" {
		return nil, missing(nil)
	}
	switch r.State {
	case linkspan.RunSucceeded:
		if text := r.Output.Reveal(); text != "" && text != "null" {
			return json.RawMessage(text), nil
		}
	case linkspan.RunFailed, linkspan.RunCancelled:
		if r.Error != nil {
			return nil, r.Error
		}
		return nil, &linkspan.RunError{Code: codeInternal, Message: "The action failed."}
	case linkspan.RunWaiting, linkspan.RunRunning:
	}
	return nil, missing(nil)
}

// Endpoint returns the function that older clients call by a method and a path
// that begins with a slash. Errors: unknown_connection,
// unknown_provider, and of KindNotFound when there is none.
func (s *Service) Endpoint(ctx context.Context, env linkspan.EnvironmentID, integrationKey, connectionName, method, path string) (linkspan.Function, error) {
	if _, err := s.connections.Live(ctx, env, integrationKey, connectionName); err != nil {
		return linkspan.Function{}, connectionError(err)
	}
	fn, err := s.functions.ByEndpoint(ctx, env, integrationKey, method, path)
	if err != nil && linkspan.KindOf(err) == linkspan.KindNotFound {
		return linkspan.Function{}, linkspan.E("run.Endpoint", linkspan.KindNotFound, codeNotFound, err, "No function of %q answers %s %s.", integrationKey, method, path)
	}
	if err != nil {
		return linkspan.Function{}, fmt.Errorf("finding the function of %s %s: %w", method, path, err)
	}
	return fn, nil
}
