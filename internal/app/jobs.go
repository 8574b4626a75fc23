package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/connect"
	"github.com/linkspan/linkspan/internal/job"
)

const (
	// keepOperations is how long customers can look operations up.
	keepOperations = 15 * 24 * time.Hour
	// keepRateCounts is far more than the one minute they count.
	keepRateCounts = time.Hour

	// purgeBatch bounds one statement of a purge, so that on SQLite other
	// writers get their turn.
	purgeBatch   = 500
	purgeTimeout = 10 * time.Minute
	// refreshTimeout bounds one round of background refreshes.
	refreshTimeout = 30 * time.Minute
	// finishTimeout bounds the trying out of one connection's credentials.
	finishTimeout = 2 * time.Minute
	// finishAttempts, at most ten minutes apart, go on for two days: a grant is
	// worth waiting until somebody has mended what is broken.
	finishAttempts = 300
	// keepLocks is how long locks of functions stay that lapsed.
	keepLocks = time.Hour
	// keepGrants is how long a grant stays that could not be finished.
	keepGrants = 7 * 24 * time.Hour
)

// The jobs' arguments. Their kinds are stored in the queue: renaming one orphans
// what is queued.
type (
	purgeSessions    struct{}
	purgeOperations  struct{}
	expireOperations struct{}
	purgeDeleted     struct{}
	purgeRateCounts  struct{}
	refreshDue       struct{}
	purgeFlows       struct{}
	purgeWebhooks    struct{}
	purgeRuns        struct{}
	purgeRecords     struct{}
	purgeAuthorJobs  struct{}
)

// Kind implements job.Args.
func (purgeSessions) Kind() string { return "purge_connect_sessions" }

// Kind implements job.Args.
func (purgeOperations) Kind() string { return "purge_operations" }

// Kind implements job.Args.
func (expireOperations) Kind() string { return "expire_operations" }

// Kind implements job.Args.
func (purgeDeleted) Kind() string { return "purge_deleted" }

// Kind implements job.Args.
func (purgeRateCounts) Kind() string { return "purge_rate_counts" }

// Kind implements job.Args.
func (refreshDue) Kind() string { return "refresh_due_connections" }

// Kind implements job.Args.
func (purgeFlows) Kind() string { return "purge_flows" }

// Kind implements job.Args.
func (purgeWebhooks) Kind() string { return "purge_webhooks" }

// Kind implements job.Args.
func (purgeRuns) Kind() string { return "purge_runs" }

// Kind implements job.Args.
func (purgeRecords) Kind() string { return "purge_records" }

// Kind implements job.Args.
func (purgeAuthorJobs) Kind() string { return "purge_author_jobs" }

// purger is the storage's side of the housekeeping.
type purger interface {
	PurgeOperations(ctx context.Context, tx linkspan.Tx, before time.Time, limit int) (int, error)
	ExpireOperations(ctx context.Context, tx linkspan.Tx, now time.Time, limit int) (int, error)
	PurgeRateCounts(ctx context.Context, tx linkspan.Tx, before time.Time) error
	PurgeAuthorizations(ctx context.Context, tx linkspan.Tx, before time.Time, limit int) (int, error)
	PurgeFunctionLocks(ctx context.Context, tx linkspan.Tx, before time.Time, limit int) (int, error)
}

// registerJobs says what works in the background and when. The features in p may
// be made later: they are needed once jobs run.
func registerJobs(a *App, db purger, p *parts) *job.Registry {
	r := job.NewRegistry()
	purge := job.HandlerOptions{Timeout: purgeTimeout, MaxAttempts: 1} // the next round tries again

	job.Handle(r, purge, func(ctx context.Context, _ purgeSessions) error {
		return inBatches(ctx, "purging connect sessions", func(ctx context.Context) (int, error) {
			return p.access.PurgeSessions(ctx, purgeBatch)
		})
	})
	job.Every(r, time.Minute, purgeSessions{})

	job.Handle(r, purge, func(ctx context.Context, _ expireOperations) error {
		return inBatches(ctx, "expiring operations", func(ctx context.Context) (int, error) {
			return db.ExpireOperations(ctx, nil, time.Now(), purgeBatch)
		})
	})
	job.Every(r, time.Minute, expireOperations{})

	job.Handle(r, purge, func(ctx context.Context, _ purgeOperations) error {
		return inBatches(ctx, "purging operations", func(ctx context.Context) (int, error) {
			return db.PurgeOperations(ctx, nil, time.Now().Add(-keepOperations), purgeBatch)
		})
	})
	job.Every(r, 15*time.Minute, purgeOperations{})

	job.Handle(r, purge, func(ctx context.Context, _ purgeDeleted) error {
		return p.connections.PurgeDeleted(ctx)
	})
	job.Every(r, time.Hour, purgeDeleted{})

	job.Handle(r, purge, func(ctx context.Context, _ purgeRateCounts) error {
		return db.PurgeRateCounts(ctx, nil, time.Now().Add(-keepRateCounts))
	})
	job.Every(r, time.Hour, purgeRateCounts{})

	job.Handle(r, job.HandlerOptions{Timeout: refreshTimeout, MaxAttempts: 1}, func(ctx context.Context, _ refreshDue) error {
		return p.connections.RefreshDue(ctx)
	})
	job.Every(r, 10*time.Minute, refreshDue{})

	registerConnecting(r, db, p)
	registerFunctions(r, db, p)
	registerRecords(r, a, p)
	return r
}

// registerConnecting says what works in the background around the connecting of
// accounts.
func registerConnecting(r *job.Registry, db purger, p *parts) {
	purge := job.HandlerOptions{Timeout: purgeTimeout, MaxAttempts: 1}
	job.Handle(r, job.HandlerOptions{Timeout: finishTimeout, MaxAttempts: finishAttempts}, func(ctx context.Context, a connect.FinishAuthorization) error {
		return p.connections.FinishAuthorization(ctx, a.UUID)
	})
	job.Handle(r, purge, func(ctx context.Context, _ purgeFlows) error {
		if err := inBatches(ctx, "purging authorizations", func(ctx context.Context) (int, error) {
			return p.authorize.PurgeFlows(ctx, purgeBatch)
		}); err != nil {
			return err
		}
		if err := inBatches(ctx, "purging grants that could not be finished", func(ctx context.Context) (int, error) {
			return db.PurgeAuthorizations(ctx, nil, time.Now().Add(-keepGrants), purgeBatch)
		}); err != nil {
			return err
		}
		return inBatches(ctx, "purging results for waiting pages", func(ctx context.Context) (int, error) {
			return p.authorize.PurgePopupResults(ctx, purgeBatch)
		})
	})
	job.Every(r, 15*time.Minute, purgeFlows{})

	job.Handle(r, purge, func(ctx context.Context, _ purgeWebhooks) error {
		return inBatches(ctx, "purging webhooks", func(ctx context.Context) (int, error) {
			return p.webhooks.Purge(ctx, purgeBatch)
		})
	})
	job.Every(r, 15*time.Minute, purgeWebhooks{})
}

// registerFunctions says what works in the background around functions.
func registerFunctions(r *job.Registry, db purger, p *parts) {
	job.Handle(r, job.HandlerOptions{Timeout: purgeTimeout, MaxAttempts: 1}, func(ctx context.Context, _ purgeRuns) error {
		if err := inBatches(ctx, "purging runs", func(ctx context.Context) (int, error) {
			return p.runs.Purge(ctx, purgeBatch)
		}); err != nil {
			return err
		}
		if err := inBatches(ctx, "purging the code of versions that are gone", func(ctx context.Context) (int, error) {
			return p.functions.Purge(ctx, purgeBatch)
		}); err != nil {
			return err
		}
		return inBatches(ctx, "purging locks that lapsed", func(ctx context.Context) (int, error) {
			return db.PurgeFunctionLocks(ctx, nil, time.Now().Add(-keepLocks), purgeBatch)
		})
	})
	job.Every(r, 15*time.Minute, purgeRuns{})

	job.Handle(r, job.HandlerOptions{Timeout: purgeTimeout, MaxAttempts: 1}, func(ctx context.Context, _ purgeAuthorJobs) error {
		return inBatches(ctx, "purging dry runs and deployments", func(ctx context.Context) (int, error) {
			return p.author.Purge(ctx, purgeBatch)
		})
	})
	job.Every(r, 15*time.Minute, purgeAuthorJobs{})
}

// registerRecords says what works in the background around records.
func registerRecords(r *job.Registry, a *App, p *parts) {
	job.Handle(r, job.HandlerOptions{Timeout: purgeTimeout, MaxAttempts: 1}, func(ctx context.Context, _ purgeRecords) error {
		return tidyRecords(ctx, p.records, a.cfg.DeleteRecordsAfter, a.cfg.PruneRecordsAfter)
	})
	job.Every(r, 5*time.Minute, purgeRecords{})
}

// recordKeeper keeps records; [record.Service] does.
type recordKeeper interface {
	PurgeDropped(ctx context.Context, limit int) (int, error)
	DropIdle(ctx context.Context, idleFor time.Duration, limit int) (int, error)
	PruneOld(ctx context.Context, olderThan time.Duration, limit int) (int, error)
}

// tidyRecords removes what nobody can reach, and deletes and prunes what is older
// than the operator wants it; zero: never. That one of them fails, or takes all the
// time there is, does not keep the others from making progress.
func tidyRecords(ctx context.Context, k recordKeeper, deleteAfter, pruneAfter time.Duration) error {
	work := func(doing string, batch func(context.Context) (int, error)) error {
		ctx, cancel := context.WithTimeout(ctx, purgeTimeout/3)
		defer cancel()
		return inBatches(ctx, doing, batch)
	}
	var errs []error
	if deleteAfter > 0 {
		errs = append(errs, work("removing records of syncs that do not run", func(ctx context.Context) (int, error) {
			return k.DropIdle(ctx, deleteAfter, purgeBatch)
		}))
	}
	if pruneAfter > 0 {
		errs = append(errs, work("emptying old records", func(ctx context.Context) (int, error) {
			return k.PruneOld(ctx, pruneAfter, purgeBatch)
		}))
	}
	return errors.Join(append(errs, work("purging records that were dropped", func(ctx context.Context) (int, error) {
		return k.PurgeDropped(ctx, purgeBatch)
	}))...)
}

// inBatches repeats work until a batch is not full.
func inBatches(ctx context.Context, doing string, work func(context.Context) (int, error)) error {
	for {
		n, err := work(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", doing, err)
		}
		if n < purgeBatch {
			return nil
		}
	}
}
