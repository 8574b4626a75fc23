package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/linkspan/linkspan/internal/config"
)

// Migrate brings the database to this version and says on out what it did. With
// dryRun it only lists what it would do.
func Migrate(ctx context.Context, c config.Config, log *slog.Logger, dryRun bool, out io.Writer) (err error) {
	db, err := openDatabase(ctx, c, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	verb, work := "applied", func(ctx context.Context) ([]string, error) { return migrate(ctx, db) }
	if dryRun {
		verb, work = "pending", db.Pending
	}
	names, err := work(ctx)
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
