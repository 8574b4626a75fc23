package job

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
)

// Migrate brings the queue's own tables up to date. It is idempotent; callers
// make sure that only one process does it at a time.
func Migrate(ctx context.Context, pool any) error {
	switch pool := pool.(type) {
	case *pgxpool.Pool:
		return migrate(ctx, riverpgxv5.New(pool))
	case *sql.DB:
		return migrate(ctx, riversqlite.New(pool))
	default:
		return fmt.Errorf("a database of type %T can't hold jobs", pool)
	}
}

func migrate[T any](ctx context.Context, driver riverdriver.Driver[T]) error {
	m, err := rivermigrate.New(driver, nil)
	if err != nil {
		return fmt.Errorf("preparing the queue's migrations: %w", err)
	}
	if _, err := m.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("migrating the queue's tables: %w", err)
	}
	return nil
}
