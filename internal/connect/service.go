// Package connect keeps connections: it makes them of grants and imports, hands
// them out with working credentials, refreshes what expires, and has the
// customer's backend told of it.
//
// Four promises hold on any number of replicas. A connection is never refreshed
// twice at the same time: whoever refreshes holds a lease that the database
// grants. New credentials are stored before anybody sees them. And a process
// that dies between a provider's answer and the store leaves a note behind, so
// that the next one can tell a lost token from a revoked one.
package connect

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/catalog"
	"github.com/linkspan/linkspan/internal/change"
	"github.com/linkspan/linkspan/internal/credential"
	"github.com/linkspan/linkspan/internal/lease"
	"github.com/linkspan/linkspan/internal/oauth"
	"github.com/linkspan/linkspan/internal/oplog"
	"github.com/linkspan/linkspan/internal/upstream"
)

// cacheSize is how many connections a replica keeps at hand.
const cacheSize = 20_000

// Store keeps integrations and connections. Methods report linkspan.KindNotFound
// and linkspan.KindConflict where that is the case; a nil tx means that the
// method runs on its own.
type Store interface {
	Integration(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, key string) (linkspan.Integration, error)
	Connection(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, integrationKey, name string) (linkspan.Connection, error)
	// LockConnection is Connection that keeps others from changing the row
	// until tx ends.
	LockConnection(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, integrationKey, name string) (linkspan.Connection, error)
	// Connections returns connections without their credentials.
	Connections(ctx context.Context, tx linkspan.Tx, f linkspan.ConnectionFilter) ([]linkspan.Connection, error)
	InsertConnection(ctx context.Context, tx linkspan.Tx, c *linkspan.Connection) error
	// UpdateConnection writes everything but the credentials and what
	// SaveCredentials alone writes.
	UpdateConnection(ctx context.Context, tx linkspan.Tx, c *linkspan.Connection) error
	// SaveCredentials writes Credentials, Config, ExpiresAt and Refresh if the
	// row's version is still c.CredentialsVersion, and raises both.
	SaveCredentials(ctx context.Context, tx linkspan.Tx, c *linkspan.Connection) error
	// SaveRefreshState writes the state if the row has this version of the
	// credentials.
	SaveRefreshState(ctx context.Context, tx linkspan.Tx, id linkspan.ConnectionID, uuid string, version int64, s linkspan.RefreshState) error
	DeleteConnection(ctx context.Context, tx linkspan.Tx, c *linkspan.Connection) error
	// TouchConnections notes when connections were last fetched, never moving
	// a time back.
	TouchConnections(ctx context.Context, tx linkspan.Tx, at map[linkspan.ConnectionID]time.Time) error
	// ConnectionsToRefresh returns connections that can expire, are not
	// exhausted and whose credentials were written before refreshedBefore, by
	// id, from behind after.
	ConnectionsToRefresh(ctx context.Context, tx linkspan.Tx, refreshedBefore time.Time, after linkspan.ConnectionID, limit int) ([]linkspan.Connection, error)
	// InsertAuthorization keeps a grant until it is a connection.
	InsertAuthorization(ctx context.Context, tx linkspan.Tx, a *linkspan.Authorization) error
	Authorization(ctx context.Context, tx linkspan.Tx, uuid string) (linkspan.Authorization, error)
	// DeleteAuthorization reports whether the row was still there.
	DeleteAuthorization(ctx context.Context, tx linkspan.Tx, id linkspan.AuthorizationID) (bool, error)
	// DeleteOlderAuthorizations removes those of the same connection that came
	// before a.
	DeleteOlderAuthorizations(ctx context.Context, tx linkspan.Tx, a *linkspan.Authorization) (int, error)
	// InsertPopupResult has the page told that waits for an authorization. The
	// first result counts.
	InsertPopupResult(ctx context.Context, tx linkspan.Tx, r linkspan.PopupResult) error
	// PurgeDeleted removes rows that were deleted before the time for good.
	PurgeDeleted(ctx context.Context, tx linkspan.Tx, before time.Time, limit int) (int, error)
}

// Providers looks providers up; *catalog.Catalog does.
type Providers interface {
	Provider(name string) (*catalog.Provider, error)
}

// Verifier tries credentials out; *upstream.Caller does. Its error is safe to
// show.
type Verifier interface {
	Verify(ctx context.Context, t *upstream.Target) error
}

// Refresher exchanges a refresh token; *oauth.Client does. Its errors are
// *oauth.Failure.
type Refresher interface {
	Refresh(ctx context.Context, in oauth.RefreshRequest) (credential.Credentials, error)
}

// Config holds what a Service needs.
type Config struct {
	Store     Store
	Tx        linkspan.Transactor
	Providers Providers
	Feed      *change.Feed
	Leases    *lease.Keeper
	Upstream  Verifier
	OAuth     Refresher
	// Hooks are the providers' own. Nil: none is run.
	Hooks Hooks
	// Functions are the customer's at events of connections. Nil: there are none.
	Functions Functions
	// Syncs ends with connections. Nil: there are none.
	Syncs Syncs
	// Webhooks tells the customer's backend what happened. Nil tells nobody.
	Webhooks Webhooks
	// Jobs finishes authorizations whose process died. Nil: nobody does.
	Jobs Jobs
	// Ops records operations. Nil records nothing.
	Ops *oplog.Log
	Log *slog.Logger
	// CheckURL says whether webhooks may be sent to a URL; nil checks its form
	// only.
	CheckURL func(*url.URL) error
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Service keeps connections. It is safe for concurrent use.
type Service struct {
	store     Store
	tx        linkspan.Transactor
	providers Providers
	feed      *change.Feed
	leases    *lease.Keeper
	verifier  Verifier
	refresher Refresher
	hooks     Hooks
	functions Functions
	syncs     Syncs
	webhooks  Webhooks
	jobs      Jobs
	ops       *oplog.Log
	log       *slog.Logger
	checkURL  func(*url.URL) error
	now       func() time.Time

	cache   *change.Cache[cacheKey, *entry]
	touched touches
	flights flights
}

// cacheKey names a connection the way callers do.
type cacheKey struct {
	env               linkspan.EnvironmentID
	integration, name string
}

// entry is a cached connection.
type entry struct {
	// target is replaced when a use is noted; what it points to never changes.
	target atomic.Pointer[upstream.Target]
	// dueAt is when the credentials want a refresh. Zero: never.
	dueAt time.Time
}

// New returns a service. Run must run for uses to be noted.
func New(c Config) *Service {
	s := &Service{
		store: c.Store, tx: c.Tx, providers: c.Providers, feed: c.Feed, leases: c.Leases,
		verifier: c.Upstream, refresher: c.OAuth, hooks: c.Hooks, functions: c.Functions, syncs: c.Syncs, webhooks: c.Webhooks, jobs: c.Jobs, ops: c.Ops, log: c.Log, checkURL: c.CheckURL, now: c.Now,
	}
	if s.now == nil {
		s.now = time.Now
	}
	s.touched.pending = make(map[linkspan.ConnectionID]time.Time)
	s.flights.running = make(map[flightKey]*flight)
	s.cache = change.NewCache[cacheKey](cacheSize, tags)
	s.cache.Follow(s.feed)
	return s
}

// tags names what a cached connection was made from.
func tags(e *entry) []string {
	t := e.target.Load()
	return []string{
		change.Tag(linkspan.ChangeConnection, t.Connection.UUID),
		change.Tag(linkspan.ChangeIntegration, t.Integration.UUID),
		providerTag(t.Provider.Name),
	}
}

// providerTag cannot collide with the tag of a change: no kind has this name.
func providerTag(name string) string { return "provider:" + name }

// ProvidersChanged drops what was made from the named providers. Register it
// with catalog.Catalog.OnChange.
func (s *Service) ProvidersChanged(names []string) {
	for _, n := range names {
		s.cache.Invalidate(providerTag(n))
	}
}

// Live returns the connection as it is stored, without refreshing it, and notes
// that it was fetched. It asks the database only for what is not cached, and
// fails with KindUnavailable when the caches can't be trusted. Missing things are KindNotFound, with the code
// unknown_provider_config for the integration and unknown_connection for the
// connection.
func (s *Service) Live(ctx context.Context, env linkspan.EnvironmentID, integrationKey, name string) (*upstream.Target, error) {
	e, err := s.live(ctx, cacheKey{env, integrationKey, name})
	if err != nil {
		return nil, err
	}
	s.touch(e, s.now())
	return e.target.Load(), nil
}

func (s *Service) live(ctx context.Context, key cacheKey) (*entry, error) {
	if err := s.feed.Check(); err != nil {
		return nil, err
	}
	if e, ok := s.cache.Peek(key); ok { // spares the hot path Load's closure
		return e, nil
	}
	return s.cache.Load(ctx, key, func(ctx context.Context) (*entry, error) { return s.read(ctx, key) })
}

// read loads a connection and its integration from the database.
func (s *Service) read(ctx context.Context, key cacheKey) (*entry, error) {
	integration, err := s.integration(ctx, key.env, key.integration)
	if err != nil {
		return nil, err
	}
	connection, err := s.store.Connection(ctx, nil, key.env, key.integration, key.name)
	if err != nil {
		return nil, noConnection("connect.Live", key, err)
	}
	return s.newEntry(integration, connection)
}

func (s *Service) integration(ctx context.Context, env linkspan.EnvironmentID, key string) (linkspan.Integration, error) {
	i, err := s.store.Integration(ctx, nil, env, key)
	if linkspan.KindOf(err) == linkspan.KindNotFound {
		return i, noIntegration(key, err)
	}
	if err != nil {
		return i, fmt.Errorf("reading integration %q: %w", key, err)
	}
	return i, nil
}

func noIntegration(key string, err error) error {
	return linkspan.E("connect.Integration", linkspan.KindNotFound, "unknown_provider_config", err,
		"There is no integration %q in this environment.", key)
}

func noConnection(op string, key cacheKey, err error) error {
	if linkspan.KindOf(err) != linkspan.KindNotFound {
		return fmt.Errorf("reading connection %q of %q: %w", key.name, key.integration, err)
	}
	return linkspan.E(op, linkspan.KindNotFound, "unknown_connection", err,
		"Connection with connection id %s and provider config key %s not found. Please make sure the connection exists in the dashboard", key.name, key.integration)
}

// newEntry parses the credentials and works out when they want a refresh.
func (s *Service) newEntry(i linkspan.Integration, c linkspan.Connection) (*entry, error) {
	provider, err := s.provider(i.Provider)
	if err != nil {
		return nil, err
	}
	parsed, err := credential.Parse(c.Credentials)
	if err != nil {
		return nil, fmt.Errorf("reading the credentials of connection %q of %q: %w", c.Name, i.Key, err)
	}
	e := new(entry)
	e.target.Store(&upstream.Target{Provider: provider, Integration: i, Connection: c, Credentials: parsed})
	if parsed.Refreshable() && !provider.CodeFacts.RefreshOnlyWhenForced {
		e.dueAt = parsed.DueAt(provider.Auth.Token.RefreshMargin())
	}
	return e, nil
}

func (s *Service) provider(name string) (*catalog.Provider, error) {
	p, err := s.providers.Provider(name)
	if err != nil {
		return nil, linkspan.E("connect.Provider", linkspan.KindNotFound, "unknown_provider", err,
			"The provider %q of the integration does not exist or its file has mistakes.", name).
			WithHint("If it is one of your own, check the files in the directory given with --providers.")
	}
	return p, nil
}

// due reports whether the credentials want a refresh.
func (e *entry) due(now time.Time) bool { return !e.dueAt.IsZero() && now.After(e.dueAt) }

// usable reports whether the credentials can still be used for a call that
// starts now. Some seconds are kept back for the way to the provider.
func (e *entry) usable(now time.Time) bool {
	at := e.target.Load().Credentials.ExpiresAt
	return at.IsZero() || now.Before(at.Add(-callTime))
}

func (e *entry) key() cacheKey {
	t := e.target.Load()
	return cacheKey{t.Connection.EnvironmentID, t.Integration.Key, t.Connection.Name}
}

// List returns connections without their credentials, newest first.
func (s *Service) List(ctx context.Context, f linkspan.ConnectionFilter) ([]linkspan.Connection, error) {
	list, err := s.store.Connections(ctx, nil, f)
	if err != nil {
		return nil, fmt.Errorf("listing connections: %w", err)
	}
	return list, nil
}

// Run notes when connections were used until ctx ends, then writes the rest and
// waits for refreshes in progress, whose tokens would be lost otherwise.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(touchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			final, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
			defer cancel()
			s.flights.drain(final)
			s.flushTouches(final)
			return nil
		case <-tick.C:
			s.flushTouches(ctx)
		}
	}
}
