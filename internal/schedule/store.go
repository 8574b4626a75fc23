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
	// LastClock returns the latest time that the database's clock is known to have
	// shown, by the newest runs. Zero: there are none.
	LastClock(ctx context.Context, tx linkspan.Tx) (time.Time, error)
	// FollowClock has runs, deliveries and leases not wait for the database's clock,
	// which was put back, to be where it was.
	FollowClock(ctx context.Context, tx linkspan.Tx) error

	// SyncIntegration returns an integration by ID, Key and Provider alone.
	SyncIntegration(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, key string) (linkspan.Integration, error)
	// SyncConnection returns a connection without what is sealed. In a transaction
	// nobody changes or deletes it until that ends.
	SyncConnection(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, integration linkspan.IntegrationID, name string) (linkspan.Connection, error)
	// SyncFunctions returns the integration's syncs, switched on or not. In a
	// transaction they stay as they are until it ends.
	SyncFunctions(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, integration linkspan.IntegrationID) ([]linkspan.Function, error)
	// AllSyncFunctions returns at most limit syncs of all environments by ID,
	// EnvironmentID and IntegrationID alone, in the order of ids, from behind after.
	AllSyncFunctions(ctx context.Context, tx linkspan.Tx, after linkspan.FunctionID, limit int) ([]linkspan.Function, error)
	// ConnectionsWithoutSync returns at most limit connections of the integration,
	// in the order of ids, from behind after, that have no sync of the function in
	// its base variant, without what is sealed. In a transaction they are not
	// deleted until it ends.
	ConnectionsWithoutSync(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, integration linkspan.IntegrationID, function linkspan.FunctionID, after linkspan.ConnectionID, limit int) ([]linkspan.Connection, error)

	// InsertSyncs stores those of the syncs that are not there, and sets their IDs.
	InsertSyncs(ctx context.Context, tx linkspan.Tx, syncs []*linkspan.Sync) error
	// SyncIDs returns the ids of the syncs of a function, in their order. An empty
	// variant is any, and so is the connection 0.
	SyncIDs(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, function linkspan.FunctionID, variant string, connection linkspan.ConnectionID) ([]linkspan.SyncID, error)
	// Syncs returns those of the syncs that exist, in the order of ids. In a
	// transaction nobody changes them until it ends.
	Syncs(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, ids []linkspan.SyncID) ([]linkspan.Sync, error)
	// LockSyncs returns the ids of the syncs of functions, unless these are nil, or
	// of a connection, unless it is 0, whether these exist or not. Nobody changes
	// the syncs until the transaction ends.
	LockSyncs(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, functions []linkspan.FunctionID, connection linkspan.ConnectionID) ([]linkspan.SyncID, error)
	// LockOrphanedSyncs is LockSyncs for those whose connection was deleted, at an
	// integration or, for the id 0, in the whole environment.
	LockOrphanedSyncs(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, integration linkspan.IntegrationID) ([]linkspan.SyncID, error)
	// CountSyncs counts the syncs of a connection.
	CountSyncs(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, connection linkspan.ConnectionID) (int, error)
	// SyncPlaces returns the connections and variants of syncs, as streams without a
	// model, except where one of the other functions has a sync as well.
	SyncPlaces(ctx context.Context, tx linkspan.Tx, ids []linkspan.SyncID, others []linkspan.FunctionID) ([]linkspan.RecordStream, error)
	// SyncCheckpoints returns the checkpoints of syncs.
	SyncCheckpoints(ctx context.Context, tx linkspan.Tx, syncs []linkspan.SyncID) (map[linkspan.SyncID]linkspan.Checkpoint, error)

	// DueSyncs returns the ids of at most limit syncs that are due, those first that
	// are so longest; where there are more, environments take turns as well.
	DueSyncs(ctx context.Context, tx linkspan.Tx, limit int) ([]linkspan.SyncID, error)
	// TakeDueSyncs returns those of the syncs that are still due and that no other
	// transaction holds; nobody changes them until this one ends. The ids of those
	// whose function or connection does not exist any more are gone.
	TakeDueSyncs(ctx context.Context, tx linkspan.Tx, ids []linkspan.SyncID) (syncs []linkspan.Sync, gone []linkspan.SyncID, err error)
	// Connecting returns those of the connections whose functions of
	// post-connection-creation have not all ended.
	Connecting(ctx context.Context, tx linkspan.Tx, ids []linkspan.ConnectionID) ([]linkspan.ConnectionID, error)

	// ScheduleSyncs sets when syncs run next; the zero time is never.
	ScheduleSyncs(ctx context.Context, tx linkspan.Tx, next map[linkspan.SyncID]time.Time) error
	// StartSyncs has syncs run by their schedules, which are counted off from their
	// anchors; the next run of all is at next, never if that is zero.
	StartSyncs(ctx context.Context, tx linkspan.Tx, anchors map[linkspan.SyncID]time.Time, next time.Time) error
	// PauseSyncs keeps syncs from running by their schedules.
	PauseSyncs(ctx context.Context, tx linkspan.Tx, ids []linkspan.SyncID) error
	// StopSyncs takes the next runs of a function's syncs away, which stay started.
	StopSyncs(ctx context.Context, tx linkspan.Tx, function linkspan.FunctionID) error
	// SetSyncsAgain sets whether another run follows the one under way.
	SetSyncsAgain(ctx context.Context, tx linkspan.Tx, ids []linkspan.SyncID, again bool) error
	// ResetSyncs forgets when syncs last succeeded, and their checkpoints; with
	// unannounced, also the changes that were not announced yet.
	ResetSyncs(ctx context.Context, tx linkspan.Tx, ids []linkspan.SyncID, unannounced bool) error
	// SaveSync stores Frequency, Every, Cron, NextAt, Again, SucceededAt,
	// UnannouncedSince and Unannounced.
	SaveSync(ctx context.Context, tx linkspan.Tx, sy *linkspan.Sync) error
	// SetSyncFrequencies gives the syncs of a function that have no frequency of
	// their own another one.
	SetSyncFrequencies(ctx context.Context, tx linkspan.Tx, function linkspan.FunctionID, every time.Duration, cron string) error
	// SyncCrons returns the cron expressions of a function's syncs, each once.
	SyncCrons(ctx context.Context, tx linkspan.Tx, function linkspan.FunctionID) ([]string, error)
	// RescheduleSyncs works out anew when the started syncs of a function run next,
	// from their anchors and from when each cron expression comes next, zero for
	// never. A run that is due stays, and the first one, if it is yet to come, is due
	// now; with first, so are those that never succeeded and have no next run.
	RescheduleSyncs(ctx context.Context, tx linkspan.Tx, function linkspan.FunctionID, now time.Time, ticks map[string]time.Time, spread time.Duration, first bool) error
	// DeleteSyncs deletes syncs with their checkpoints.
	DeleteSyncs(ctx context.Context, tx linkspan.Tx, ids []linkspan.SyncID) error

	// InsertSyncRuns stores runs that are due at once, except those of syncs that
	// have one that has not ended, and returns the ids of what it stored.
	InsertSyncRuns(ctx context.Context, tx linkspan.Tx, runs []*linkspan.Run) ([]linkspan.RunID, error)
	// CancelRuns ends the runs of syncs that have not ended, has those broken off
	// that are under way, and returns them with what they changed.
	CancelRuns(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, syncs []linkspan.SyncID) ([]linkspan.Run, error)
	// CancelWebhookRuns does so with the runs in which syncs take webhooks; their Sync
	// says which one.
	CancelWebhookRuns(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, syncs []linkspan.SyncID) ([]linkspan.Run, error)
	// ActiveRuns returns the runs of syncs that have not ended: ID, State, NextAt and
	// StartedAt.
	ActiveRuns(ctx context.Context, tx linkspan.Tx, syncs []linkspan.SyncID) (map[linkspan.SyncID]linkspan.Run, error)
	// LastRuns returns the newest runs of syncs that have ended: ID, State,
	// StartedAt, EndedAt and, in Sync, what they changed.
	LastRuns(ctx context.Context, tx linkspan.Tx, syncs []linkspan.SyncID) (map[linkspan.SyncID]linkspan.Run, error)
	// BackfillStart returns when the first of a sync's runs began that were
	// interrupted before the given one, and after the last one that was not
	// interrupted and succeeded. Zero: there was none.
	BackfillStart(ctx context.Context, tx linkspan.Tx, sync linkspan.SyncID, before linkspan.RunID) (time.Time, error)
}
