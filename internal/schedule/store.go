package schedule

import (
	"context"
	"time"

	"github.com/linkspan/linkspan"
)

// Store keeps syncs. Methods report linkspan.KindNotFound where that is the case;
// a nil tx means that the method runs on its own. What belongs to a deleted
// integration or connection, or to a function that was removed, does not exist.
// Times are those of the database's clock.
type Store interface {
	// Clock returns the database's time.
	Clock(ctx context.Context, tx linkspan.Tx) (time.Time, error)

	// SyncIntegration returns an integration by ID, Key and Provider alone.
	SyncIntegration(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, key string) (linkspan.Integration, error)
	// SyncConnection returns a connection without what is sealed. In a transaction
	// nobody changes or deletes it until that ends.
	SyncConnection(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, integration linkspan.IntegrationID, name string) (linkspan.Connection, error)
	// SyncFunctions returns the integration's syncs, switched on or not. In a
	// transaction they stay as they are until it ends.
	SyncFunctions(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, integration linkspan.IntegrationID) ([]linkspan.Function, error)
	// AllSyncFunctions returns at most limit syncs of all environments in the order
	// of ids, from behind after.
	AllSyncFunctions(ctx context.Context, tx linkspan.Tx, after linkspan.FunctionID, limit int) ([]linkspan.Function, error)

	// ConnectionsWithoutSync returns at most limit connections of the integration
	// that have no row of the function's base variant, without what is sealed. With
	// an id, that connection alone is looked at. In a transaction they are not
	// deleted until it ends.
	ConnectionsWithoutSync(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, integration linkspan.IntegrationID, function linkspan.FunctionID, connection linkspan.ConnectionID, limit int) ([]linkspan.Connection, error)
	// InsertSyncs inserts syncs that are not there and returns how many.
	InsertSyncs(ctx context.Context, tx linkspan.Tx, syncs []linkspan.Sync) (int, error)
	// InsertSync inserts a sync and sets its ID and times. KindConflict: it is there.
	InsertSync(ctx context.Context, tx linkspan.Tx, sy *linkspan.Sync) error
	// CountSyncs counts the syncs of a connection.
	CountSyncs(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, connection linkspan.ConnectionID) (int, error)

	// SyncIDs returns at most limit ids, in their order, from behind after, of the
	// syncs of a function. An empty variant is any, and so is the connection 0.
	SyncIDs(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, function linkspan.FunctionID, variant string, connection linkspan.ConnectionID, after linkspan.SyncID, limit int) ([]linkspan.SyncID, error)
	// Syncs returns those of the syncs that exist, in the order of ids. In a
	// transaction nobody changes them until it ends.
	Syncs(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, ids []linkspan.SyncID) ([]linkspan.Sync, error)
	// DueSyncs returns at most limit syncs that are due, the first ones first.
	DueSyncs(ctx context.Context, tx linkspan.Tx, limit int) ([]linkspan.SyncID, error)
	// TakeDueSyncs is Syncs, in all environments, of those that are still due and
	// that no other transaction holds. Held but not returned are syncs whose
	// function or connection is gone: their ids are gone.
	TakeDueSyncs(ctx context.Context, tx linkspan.Tx, ids []linkspan.SyncID) (syncs []linkspan.Sync, gone []linkspan.SyncID, err error)
	// Connecting returns those of the connections for which functions that follow
	// their creation have not ended.
	Connecting(ctx context.Context, tx linkspan.Tx, ids []linkspan.ConnectionID) ([]linkspan.ConnectionID, error)

	// ScheduleSyncs sets when syncs run next; the zero time is never.
	ScheduleSyncs(ctx context.Context, tx linkspan.Tx, next map[linkspan.SyncID]time.Time) error
	// StartSyncs sets the state and anchors of syncs, and when they run next: at
	// next if that is not zero, and never otherwise.
	StartSyncs(ctx context.Context, tx linkspan.Tx, anchors map[linkspan.SyncID]time.Time, next time.Time) error
	// PauseSyncs sets the state of syncs; they have no next run.
	PauseSyncs(ctx context.Context, tx linkspan.Tx, ids []linkspan.SyncID) error
	// SetSyncsAgain sets whether another run follows the one under way.
	SetSyncsAgain(ctx context.Context, tx linkspan.Tx, ids []linkspan.SyncID, again bool) error
	// ResetSyncs forgets the checkpoints of syncs and when they succeeded last.
	ResetSyncs(ctx context.Context, tx linkspan.Tx, ids []linkspan.SyncID) error
	// SaveSync stores Frequency, Every, Cron, NextAt, Again, SucceededAt,
	// UnannouncedSince and Unannounced.
	SaveSync(ctx context.Context, tx linkspan.Tx, sy *linkspan.Sync) error
	// SetSyncFrequencies gives the syncs of a function that have no frequency of
	// their own another one. With every, those that have a next run and have begun
	// to run by their schedule get the step after now; with cron, tick and what
	// their anchors add to it within spread.
	SetSyncFrequencies(ctx context.Context, tx linkspan.Tx, function linkspan.FunctionID, every time.Duration, cron string, now, tick time.Time, spread time.Duration) error
	// DeleteSyncs deletes syncs with their checkpoints.
	DeleteSyncs(ctx context.Context, tx linkspan.Tx, ids []linkspan.SyncID) error
	// DeleteSyncsOf deletes the syncs of connections that were deleted together
	// with an integration, or for the id zero with their environment, and returns
	// at most limit ids of those it deleted. They go without their checkpoints.
	DeleteSyncsOf(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, integration linkspan.IntegrationID, limit int) ([]linkspan.SyncID, error)
	// SyncsOfConnection returns the ids of a connection's syncs, also when it was
	// deleted; nobody changes them until the transaction ends.
	SyncsOfConnection(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, connection linkspan.ConnectionID) ([]linkspan.SyncID, error)

	// InsertSyncRuns stores runs that are due at once, except those of syncs that
	// have one that has not ended, and returns the ids of what it stored.
	InsertSyncRuns(ctx context.Context, tx linkspan.Tx, runs []*linkspan.Run) ([]linkspan.RunID, error)
	// CancelRuns ends the runs of syncs that have not ended, and has those broken
	// off that are under way. It returns how many there were.
	CancelRuns(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, syncs []linkspan.SyncID) (int, error)
	// ActiveRuns returns the runs of syncs that have not ended: ID, State, NextAt and
	// StartedAt.
	ActiveRuns(ctx context.Context, tx linkspan.Tx, syncs []linkspan.SyncID) (map[linkspan.SyncID]linkspan.Run, error)
	// LastRuns returns the newest runs of syncs that have ended: ID, State,
	// StartedAt and EndedAt.
	LastRuns(ctx context.Context, tx linkspan.Tx, syncs []linkspan.SyncID) (map[linkspan.SyncID]linkspan.Run, error)
	// RunCounts returns what runs changed, by model.
	RunCounts(ctx context.Context, tx linkspan.Tx, runs []linkspan.RunID) (map[linkspan.RunID]map[string]linkspan.RecordCounts, error)
	// BackfillStart returns when the first of the runs of a sync began that were
	// interrupted since the last one that was not and succeeded, before the given
	// one. Zero: there was none.
	BackfillStart(ctx context.Context, tx linkspan.Tx, sync linkspan.SyncID, before linkspan.RunID) (time.Time, error)
	// SyncCheckpoints returns the checkpoints of syncs.
	SyncCheckpoints(ctx context.Context, tx linkspan.Tx, syncs []linkspan.SyncID) (map[linkspan.SyncID]linkspan.Checkpoint, error)
	// SyncPlaces returns the connections and variants of a function's syncs except
	// where another one of the others has a sync in the same variant. Only
	// EnvironmentID, ConnectionID and Variant are filled in.
	SyncPlaces(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, ids []linkspan.SyncID, others []linkspan.FunctionID) ([]linkspan.RecordStream, error)
}
