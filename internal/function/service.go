// Package function keeps the functions that customers deploy: what they say of
// themselves, their code in all its versions, and which version runs.
//
// A deploy is one transaction: all of it happens or nothing. It is fenced by a
// lease of the environment, so that of two deploys at once one is refused. A
// function whose definition and code are what they were keeps its version. What
// is removed keeps its row and its versions for a time, and goes on with its
// numbers when it is deployed again. Code is stored before the transaction under
// the hash of its text; what no version refers to in the end is purged.
//
// Find, ByEvent, ByWebhook, ByEndpoint and VersionCode are for whoever runs functions: they answer from
// caches that follow the feed of changes.
package function

import (
	"context"
	"log/slog"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/change"
	"github.com/linkspan/linkspan/internal/lease"
	"github.com/linkspan/linkspan/internal/oplog"
)

// Store keeps functions. Methods report linkspan.KindNotFound where that is the
// case; a nil tx means that the method runs on its own. What belongs to a
// deleted integration does not exist.
type Store interface {
	// FunctionIntegrations returns the environment's integrations by ID, Key and
	// Provider alone. In a transaction nobody deletes them, or adds connections to
	// them, until it ends.
	FunctionIntegrations(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID) ([]linkspan.Integration, error)
	// FunctionConnections counts connections by integration.
	FunctionConnections(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID) (map[linkspan.IntegrationID]int, error)

	// Functions returns an environment's functions; in a transaction nobody
	// changes them until it ends.
	Functions(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID) ([]linkspan.Function, error)
	// RemovedFunctions returns those that were removed.
	RemovedFunctions(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID) ([]linkspan.Function, error)
	// LastFunctionVersions returns ID, FunctionID, Number and Label of the newest
	// version of each function, removed ones included.
	LastFunctionVersions(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID) ([]linkspan.FunctionVersion, error)
	// SaveFunctions inserts functions without an ID and versions without an ID,
	// and makes Version the active one, also of functions that were removed. It
	// sets the ids and times.
	SaveFunctions(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, list []linkspan.Function) error
	RemoveFunctions(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, ids []linkspan.FunctionID) error

	// FunctionPage returns at most limit functions of an integration by name,
	// whose name contains search, and how many there are. An empty kind is any.
	FunctionPage(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, integration linkspan.IntegrationID, kind linkspan.FunctionKind, search string, limit, offset int) ([]linkspan.Function, int, error)
	// FunctionsNamed returns the functions of an integration with a name, of all
	// kinds; in a transaction nobody changes them until it ends.
	FunctionsNamed(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, integrationKey, name string) ([]linkspan.Function, error)
	// FunctionsOfKind returns the functions of an integration of one kind.
	FunctionsOfKind(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, integrationKey string, kind linkspan.FunctionKind) ([]linkspan.Function, error)
	SetFunctionEnabled(ctx context.Context, tx linkspan.Tx, f *linkspan.Function, enabled bool) error
	// SetFunctionVersion makes v the active version.
	SetFunctionVersion(ctx context.Context, tx linkspan.Tx, f *linkspan.Function, v *linkspan.FunctionVersion) error
	// FunctionVersions returns versions of a function, newest first, and how many
	// there are.
	FunctionVersions(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, id linkspan.FunctionID, limit, offset int) ([]linkspan.FunctionVersion, int, error)
	FunctionVersion(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, id linkspan.FunctionID, number int64) (linkspan.FunctionVersion, error)

	// StoreFunctionCode keeps texts by their hash.
	StoreFunctionCode(ctx context.Context, env linkspan.EnvironmentID, texts map[string]string) error
	FunctionCode(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, hash string) (string, error)
	// TrimFunctionVersions removes the versions of functions except the newest keep
	// and the active one, of at most limit functions, and returns of how many.
	TrimFunctionVersions(ctx context.Context, keep, limit int) (int, error)
	// PurgeFunctions removes at most limit functions for good, with their versions,
	// that were removed before the time, and returns how many.
	PurgeFunctions(ctx context.Context, tx linkspan.Tx, before time.Time, limit int) (int, error)
	// PurgeFunctionCode removes texts that no version refers to and that were
	// stored before the time, and returns how many.
	PurgeFunctionCode(ctx context.Context, tx linkspan.Tx, before time.Time, limit int) (int, error)
}

// Syncs keeps what functions of the kind sync do for connections;
// *schedule.Service does.
type Syncs interface {
	// FunctionsChanged follows a change of functions in the transaction that makes
	// it: changed are those that are new, have another version or were switched on or
	// off, as they are now, removed those that are gone, and before has those that
	// were there, as they were.
	FunctionsChanged(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, changed, removed, before []linkspan.Function) error
}

// Config holds what a Service needs.
type Config struct {
	Store  Store
	Tx     linkspan.Transactor
	Feed   *change.Feed
	Leases *lease.Keeper
	// Syncs follows what happens to syncs. Nil: nobody does.
	Syncs Syncs
	// Ops records operations. Nil records nothing.
	Ops *oplog.Log
	Log *slog.Logger
	// CodeCache is how many bytes of code are kept at hand; zero means 64 MiB.
	CodeCache int64
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Service keeps functions. It is safe for concurrent use.
type Service struct {
	store  Store
	tx     linkspan.Transactor
	feed   *change.Feed
	leases *lease.Keeper
	syncs  Syncs
	ops    *oplog.Log
	log    *slog.Logger
	now    func() time.Time

	found *change.Cache[findKey, found]
	code  *codeCache
}

// New returns a service whose caches follow the feed.
func New(cfg Config) *Service {
	s := &Service{
		store: cfg.Store, tx: cfg.Tx, feed: cfg.Feed, leases: cfg.Leases, syncs: cfg.Syncs, ops: cfg.Ops, log: cfg.Log, now: cfg.Now,
		found: change.NewCache[findKey](findSize, found.tags),
		code:  newCodeCache(cfg.CodeCache),
	}
	if s.now == nil {
		s.now = time.Now
	}
	s.follow()
	return s
}

// changed has the syncs follow a change of functions in its transaction.
func (s *Service) changed(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, changed, removed, before []linkspan.Function) error {
	if s.syncs == nil || len(changed)+len(removed) == 0 {
		return nil
	}
	return s.syncs.FunctionsChanged(ctx, tx, env, changed, removed, before)
}
