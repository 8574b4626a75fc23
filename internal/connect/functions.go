package connect

import (
	"context"
	"maps"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/upstream"
)

// Functions are the customer's own functions at events in the life of
// connections; a *run.Service executes them.
type Functions interface {
	// Validate asks whether the connection may be made, before anything of it is
	// stored, and returns the metadata that the functions have set for it; nil:
	// none. It may be asked more than once. Errors: connection_validation_failed,
	// and of KindUnavailable or KindTimeout when they could not be asked.
	Validate(ctx context.Context, t *upstream.Target) (metadata map[string]any, err error)
	// Creating looks up what is to run after a connection of the integration is
	// stored, and returns what writes that down in the transaction which stores
	// it. Nil: nothing is to run.
	Creating(ctx context.Context, env linkspan.EnvironmentID, integrationKey string) (func(ctx context.Context, tx linkspan.Tx, c *linkspan.Connection) error, error)
	// Deleting runs what is to run before a connection is deleted. It takes no
	// longer than a minute, and hinders nothing.
	Deleting(ctx context.Context, env linkspan.EnvironmentID, integrationKey, name string)
}

// Syncs keeps what is copied from connections on a schedule; *schedule.Service does.
type Syncs interface {
	// ConnectionDeleted ends the syncs of a connection in the transaction that
	// deletes it.
	ConnectionDeleted(ctx context.Context, tx linkspan.Tx, c *linkspan.Connection) error
}

// followUp writes down, in the transaction that stores a connection, what is to
// run after it. Nil: nothing is.
type followUp func(ctx context.Context, tx linkspan.Tx, c *linkspan.Connection) error

// write is followUp that may be nil.
func (f followUp) write(ctx context.Context, tx linkspan.Tx, c *linkspan.Connection) error {
	if f == nil {
		return nil
	}
	return f(ctx, tx, c)
}

// validate has the customer's functions judge the connection as it would be
// stored. Metadata that they set are kept in the input.
func (s *Service) validate(ctx context.Context, t *upstream.Target, in *ImportInput) error {
	if s.functions == nil {
		return nil
	}
	metadata, err := s.functions.Validate(ctx, withFound(t, in))
	if err != nil {
		return err
	}
	if metadata != nil {
		in.Metadata = metadata
	}
	return nil
}

// withFound is the candidate with what the provider's hook has found out.
func withFound(t *upstream.Target, in *ImportInput) *upstream.Target {
	if len(in.found) == 0 {
		return t
	}
	out := &upstream.Target{Provider: t.Provider, Integration: t.Integration, Connection: t.Connection, Credentials: t.Credentials}
	out.Connection.Config = make(map[string]any, len(t.Connection.Config)+len(in.found))
	maps.Copy(out.Connection.Config, t.Connection.Config)
	maps.Copy(out.Connection.Config, in.found)
	return out
}

// following looks up what is to run after a connection of the integration is
// stored.
func (s *Service) following(ctx context.Context, i *linkspan.Integration) (followUp, error) {
	if s.functions == nil {
		return nil, nil
	}
	return s.functions.Creating(ctx, i.EnvironmentID, i.Key)
}

// UseFunctions gives the service the customer's functions, which themselves need
// the service. It must be called before anything else is.
func (s *Service) UseFunctions(f Functions) { s.functions = f }
