package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/linkspan/linkspan/internal/config"
	"github.com/linkspan/linkspan/internal/store"
)

// Migrate brings the database to this version and says on out what it did. With
// dryRun it only lists what it would do.
func Migrate(ctx context.Context, c config.Config, log *slog.Logger, dryRun bool, out io.Writer) error {
	verb, work := "applied", migrateOnce
	if dryRun {
		verb, work = "pending", func(ctx context.Context, c config.Config, log *slog.Logger) ([]string, error) {
			return store.Pending(ctx, storeConfig(c), log)
		}
	}
	names, err := work(ctx, c, log)
	if err != nil {
		return err
	}
	p := printer{w: out}
	for _, name := range names {
		p.line("%s  %s", verb, name)
	}
	if len(names) == 0 {
		p.line("The database is up to date.")
	}
	return p.err
}

// migrateOnce opens the database for a migration only.
func migrateOnce(ctx context.Context, c config.Config, log *slog.Logger) (applied []string, err error) {
	db, err := openDatabase(ctx, c, log)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return migrate(ctx, db)
}

// printer writes lines and keeps the first error.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) line(format string, args ...any) {
	if p.err != nil {
		return
	}
	if _, err := fmt.Fprintf(p.w, format+"\n", args...); err != nil {
		p.err = fmt.Errorf("writing the result: %w", err)
	}
}
