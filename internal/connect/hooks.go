package connect

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/catalog"
	"github.com/linkspan/linkspan/internal/upstream"
)

// preDeletionDeadline bounds what a deletion waits for the provider, a refresh
// of the credentials included.
const preDeletionDeadline = 20 * time.Second

// Hooks are what single providers need around the life of a connection; a
// *hook.Hooks has them. None of them is run in a transaction, each may run more
// than once, and trace gets every exchange with the provider, without secrets.
// Errors are [linkspan.Error].
type Hooks interface {
	// PostConnection returns what to set in the connection_config of a new or
	// renewed connection.
	PostConnection(ctx context.Context, t *upstream.Target, trace func(linkspan.Message)) (map[string]any, error)
	// PreDeletion takes leave of a connection's provider.
	PreDeletion(ctx context.Context, t *upstream.Target, trace func(linkspan.Message)) error
	// Verify tries credentials out. Its error is safe to show.
	Verify(ctx context.Context, t *upstream.Target, trace func(linkspan.Message)) error
}

// verifiable reports whether it is known how to try the provider's credentials
// out.
func (s *Service) verifiable(p *catalog.Provider) bool {
	return p.Verifiable() && (p.Hooks.VerifyCredentials == "" || s.hooks != nil)
}

// try tries credentials out. The provider's own way replaces the usual one.
func (s *Service) try(ctx context.Context, t *upstream.Target, trace func(linkspan.Message)) error {
	if t.Provider.Hooks.VerifyCredentials != "" {
		return s.hooks.Verify(ctx, t, trace)
	}
	return s.verifier.Verify(ctx, t)
}

// findOut asks the provider what the connection_config lacks, and keeps it in the
// input. That it can't is noted and hinders nothing: the connection works, or
// the missing setting will be named when a call needs it.
func (s *Service) findOut(ctx context.Context, t *upstream.Target, in *ImportInput, trace func(linkspan.Message)) {
	if s.hooks == nil || t.Provider.Hooks.PostConnection == "" {
		return
	}
	found, err := s.hooks.PostConnection(ctx, t, trace)
	if err != nil {
		s.noteHook(ctx, t, t.Provider.Hooks.PostConnection, err, trace)
		return
	}
	maps.DeleteFunc(found, func(name string, _ any) bool { return slices.Contains(in.given, name) })
	in.found = found
}

// farewell lets the provider know that a connection is about to be deleted, as
// far as that is possible, and returns what to record of it.
func (s *Service) farewell(ctx context.Context, key cacheKey) (notes []linkspan.Message) {
	if s.hooks == nil {
		return nil
	}
	e, err := s.live(ctx, key)
	if err != nil || e.target.Load().Provider.Hooks.PreDeletion == "" {
		return nil // what can't be read is for the deletion to report
	}
	ctx, cancel := context.WithTimeout(ctx, preDeletionDeadline)
	defer cancel()
	t, err := s.Fresh(ctx, key.env, key.integration, key.name, FreshOptions{})
	if err != nil {
		t = e.target.Load() // the refresh token may still be worth revoking
	}
	trace := func(m linkspan.Message) { notes = append(notes, m) }
	if err := s.hooks.PreDeletion(ctx, t, trace); err != nil {
		s.noteHook(ctx, t, t.Provider.Hooks.PreDeletion, err, trace)
	}
	return notes
}

// noteHook logs a failed hook and records it as a warning.
func (s *Service) noteHook(ctx context.Context, t *upstream.Target, name string, err error, trace func(linkspan.Message)) {
	s.log.WarnContext(ctx, "a provider's hook failed", "error", err, "hook", name, "provider", t.Provider.Name, "connection", t.Connection.UUID)
	text := "The provider's hook failed for an internal reason; the server's log says more."
	if e, ok := errors.AsType[*linkspan.Error](err); ok {
		text = "The provider's hook failed. " + e.Msg
	}
	trace(linkspan.Message{Level: "warn", Text: text, CreatedAt: s.now().UTC()})
}

// givenNames are the names of the settings that are given and not empty.
func givenNames(config map[string]any) (names []string) {
	for name, v := range config {
		if v != nil && v != "" {
			names = append(names, name)
		}
	}
	return names
}
