package run

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/connect"
	"github.com/linkspan/linkspan/internal/upstream"
)

const (
	// eventAttempts is how often a function at an event is begun when processes
	// die over it. A function that fails is not tried again.
	eventAttempts = 3
	// validationReserve is what validation leaves of its caller's time, to store
	// what came of it.
	validationReserve = 5 * time.Second
	// codeValidation is why an authorization is refused, and textValidation says
	// so when the function does not.
	codeValidation = "connection_validation_failed"
	textValidation = "Connection failed validation"
)

var _ connect.Functions = (*Service)(nil)

// Validate asks the functions of validate-connection whether a connection may be
// made, one after the other; the first that fails refuses it. t is the connection
// as it would be stored, and is neither changed nor stored. It returns the
// metadata that the functions set, nil when they set none. Errors:
// connection_validation_failed, and of KindUnavailable or KindTimeout when they
// could not be asked.
func (s *Service) Validate(ctx context.Context, t *upstream.Target) (map[string]any, error) {
	found, err := s.functions.ByEvent(ctx, t.Integration.EnvironmentID, t.Integration.Key, linkspan.EventValidateConnection)
	if err != nil {
		return nil, fmt.Errorf("finding the functions that validate connections: %w", err)
	}
	if len(found) == 0 {
		return nil, nil
	}
	limit := s.limits.Validation
	if at, ok := ctx.Deadline(); ok {
		limit = min(limit, time.Until(at)-validationReserve)
	}
	if limit <= 0 {
		return nil, linkspan.E("run.Validate", linkspan.KindUnavailable, "", nil, "There is no time left to validate the connection.")
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	env, err := s.store.RunEnvironment(ctx, nil, t.Integration.EnvironmentID)
	if err != nil {
		return nil, fmt.Errorf("reading the environment of a connection: %w", err)
	}
	var metadata map[string]any
	for i := range found {
		set, err := s.validate(ctx, env, found[i], t)
		if err != nil {
			return nil, err
		}
		if set != nil {
			metadata, t = set, withMetadata(t, set)
		}
	}
	return metadata, nil
}

// validate asks one function.
func (s *Service) validate(ctx context.Context, env linkspan.Environment, fn linkspan.Function, t *upstream.Target) (map[string]any, error) {
	j := &job{
		env: env, fn: fn, target: t, pending: true, event: linkspan.EventValidateConnection,
		// There is nothing to refresh before it is stored.
		fresh: func(context.Context, connect.FreshOptions) (*upstream.Target, error) { return t, nil },
	}
	s.begin(j, "")
	done, err := s.execute(ctx, j)
	j.end(err)
	if err == nil {
		return done.Metadata, nil
	}
	return nil, validationError(err)
}

// validationError is a refusal unless the function could not be asked.
func validationError(err error) error {
	failed, ok := errors.AsType[*linkspan.RunError](err)
	if !ok {
		if kind := linkspan.KindOf(err); kind == linkspan.KindUnavailable || kind == linkspan.KindTimeout {
			return fmt.Errorf("validating a connection: %w", err)
		}
		failed = &linkspan.RunError{}
	}
	return linkspan.E("run.Validate", linkspan.KindInvalid, codeValidation, err, "%s", refusalText(failed))
}

// refusalText is what the function tells the user: the message or the error of
// what it has thrown (features EVT-03).
func refusalText(e *linkspan.RunError) string {
	if e.Code != codeActionError {
		return textValidation
	}
	var said struct {
		Message any `json:"message"`
		Error   any `json:"error"`
	}
	if json.Unmarshal(e.Payload, &said) != nil {
		return textValidation
	}
	text, _ := said.Message.(string)
	other, _ := said.Error.(string)
	return cmp.Or(text, other, textValidation)
}

// withMetadata is the connection with other metadata.
func withMetadata(t *upstream.Target, metadata map[string]any) *upstream.Target {
	out := &upstream.Target{Provider: t.Provider, Integration: t.Integration, Connection: t.Connection, Credentials: t.Credentials}
	out.Connection.Metadata = metadata
	return out
}

// Creating looks up what runs after a connection of the integration is stored: the
// functions at that event, then its syncs. The function it returns writes that down
// in the transaction which stores it; nil: nothing does.
func (s *Service) Creating(ctx context.Context, env linkspan.EnvironmentID, integrationKey string) (func(ctx context.Context, tx linkspan.Tx, c *linkspan.Connection) error, error) {
	found, err := s.functions.ByEvent(ctx, env, integrationKey, linkspan.EventPostConnectionCreation)
	if err != nil {
		return nil, fmt.Errorf("finding the functions that follow a connection: %w", err)
	}
	var syncs func(ctx context.Context, tx linkspan.Tx, c *linkspan.Connection) error
	if s.syncs != nil {
		if syncs, err = s.syncs.Creating(ctx, env, integrationKey); err != nil {
			return nil, fmt.Errorf("finding the syncs that follow a connection: %w", err)
		}
	}
	if len(found) == 0 {
		return syncs, nil
	}
	return func(ctx context.Context, tx linkspan.Tx, c *linkspan.Connection) error {
		rows := make([]*linkspan.Run, len(found))
		for i := range found {
			rows[i] = s.newRun(&found[i], c, linkspan.EventPostConnectionCreation)
			rows[i].MaxAttempts = eventAttempts
		}
		if err := s.store.InsertRuns(ctx, tx, rows); err != nil {
			return fmt.Errorf("storing what follows connection %q of %q: %w", c.Name, c.IntegrationKey, err)
		}
		tx.OnCommit(s.RunsDue)
		if syncs == nil {
			return nil
		}
		return syncs(ctx, tx, c)
	}, nil
}

// Deleting runs the functions of pre-connection-deletion, one after the other and
// all together no longer than a minute. Their failures are recorded and hinder
// nothing.
func (s *Service) Deleting(ctx context.Context, envID linkspan.EnvironmentID, integrationKey, name string) {
	found, err := s.functions.ByEvent(ctx, envID, integrationKey, linkspan.EventPreConnectionDeletion)
	if err != nil {
		s.log.WarnContext(ctx, "finding the functions before a deletion failed; it goes on without them", "error", err)
		return
	}
	if len(found) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, s.limits.Deletion)
	defer cancel()
	t, err := s.connections.Live(ctx, envID, integrationKey, name)
	if err != nil {
		return // what can't be read is for the deletion to report
	}
	env, err := s.store.RunEnvironment(ctx, nil, envID)
	if err != nil {
		s.log.WarnContext(ctx, "reading the environment before a deletion failed; it goes on without its functions", "error", err)
		return
	}
	for i := range found {
		j := s.stored(env, found[i], t)
		j.event = linkspan.EventPreConnectionDeletion
		s.begin(j, "")
		err := s.executeInTurn(ctx, j)
		if err != nil {
			s.logInternal(ctx, err, j.fn.Name)
		}
		j.end(err)
	}
}

// executeInTurn executes a job when no other run of it is under way that must not be
// beside it.
func (s *Service) executeInTurn(ctx context.Context, j *job) error {
	ctx, release, err := s.takeTurn(ctx, j)
	if err != nil {
		return err
	}
	defer release()
	_, err = s.execute(ctx, j)
	return err
}
