package job

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
)

// migrateLock is the number of the lock that keeps replicas from migrating at
// the same time. Arbitrary, must not change.
const migrateLock = 720_310_003

// Migrate brings River's tables up to date. Several processes may call it at
// once.
func Migrate(ctx context.Context, pool any) error {
	var err error
	switch pool := pool.(type) {
	case *pgxpool.Pool:
		err = migrate(ctx, riverpgxv5.New(pool), func(ctx context.Context, f func(tx pgx.Tx) error) error {
			return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
				if _, err := tx.Exec(ctx, "select pg_advisory_xact_lock($1, hashtext(current_schema()))", int32(migrateLock)); err != nil {
					return fmt.Errorf("waiting for other processes: %w", err)
				}
				return f(tx)
			})
		})
	case *sql.DB:
		err = migrate(ctx, riversqlite.New(pool), func(ctx context.Context, f func(tx *sql.Tx) error) error {
			tx, err := pool.BeginTx(ctx, nil)
			if err != nil {
				return fmt.Errorf("beginning a transaction: %w", err)
			}
			if err := f(tx); err != nil {
				return errors.Join(err, tx.Rollback())
			}
			return tx.Commit()
		})
	default:
		err = fmt.Errorf("a pool of type %T is not known", pool)
	}
	if err != nil {
		return fmt.Errorf("migrating the tables of background jobs: %w", err)
	}
	return nil
}

// migrate takes one step at a time, each in a transaction of its own: some use
// what the one before has committed.
func migrate[TTx any](ctx context.Context, driver riverdriver.Driver[TTx], inTx func(context.Context, func(TTx) error) error) error {
	migrator, err := rivermigrate.New(driver, &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return fmt.Errorf("preparing: %w", err)
	}
	for done := false; !done; {
		err := inTx(ctx, func(tx TTx) error {
			//nolint:staticcheck // deprecated because steps must not share a transaction; these do not, and they need the lock
			res, err := migrator.MigrateTx(ctx, tx, rivermigrate.DirectionUp, &rivermigrate.MigrateOpts{MaxSteps: 1})
			if err != nil {
				return fmt.Errorf("taking a step: %w", err)
			}
			done = len(res.Versions) == 0
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
