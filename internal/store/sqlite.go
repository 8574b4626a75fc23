package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	_ "modernc.org/sqlite" // registers the driver "sqlite"
)

const (
	sqliteFile = "linkspan.db"
	minReaders = 4
)

// openSQLite opens the data folder's database twice: one connection that
// writes, so that writers queue in the process and heed their contexts, and
// several that can only read.
func openSQLite(ctx context.Context, dir string) (writer, reader *sql.DB, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("making the data folder: %w", err)
	}
	path, err := filepath.Abs(filepath.Join(dir, sqliteFile))
	if err != nil {
		return nil, nil, fmt.Errorf("finding the data folder: %w", err)
	}
	// SQLite gives its other files the mode of this one.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("opening the database file: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, nil, fmt.Errorf("closing the database file: %w", err)
	}
	writer, err = openSQLitePool(ctx, path, 1, "_txlock", "immediate")
	if err != nil {
		return nil, nil, err
	}
	reader, err = openSQLitePool(ctx, path, max(minReaders, runtime.GOMAXPROCS(0)), "_pragma", "query_only(1)")
	if err != nil {
		return nil, nil, errors.Join(err, writer.Close())
	}
	return writer, reader, nil
}

func openSQLitePool(ctx context.Context, path string, conns int, option, setting string) (*sql.DB, error) {
	query := url.Values{"_pragma": {
		"busy_timeout(5000)", // first: setting the others may have to wait
		"journal_mode(WAL)",
		// A commit is on the disk when it returns. With NORMAL a power failure
		// may take the last ones back: refresh tokens that providers accept once,
		// and data keys rewrapped before their old master key was forgotten.
		"synchronous(FULL)",
		"foreign_keys(1)",
		"journal_size_limit(67108864)",
	}}
	query.Add(option, setting)
	// In a file: URI the path is percent-encoded, which URL.String does.
	dsn := (&url.URL{Scheme: "file", Path: filepath.ToSlash(path), OmitHost: true, RawQuery: query.Encode()}).String()
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fmt.Errorf("opening the database: %w", err)
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	if err := db.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the database: %w", err), db.Close())
	}
	return db, nil
}

// sqlRunner is what *sql.DB and *sql.Tx have in common.
type sqlRunner interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}

type sqlQueryer struct{ run sqlRunner }

func (q sqlQueryer) exec(ctx context.Context, query string, args ...any) (int64, error) {
	if err := checkText(args); err != nil {
		return 0, err
	}
	res, err := q.run.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (q sqlQueryer) query(ctx context.Context, query string, args ...any) (rows, error) {
	if err := checkText(args); err != nil {
		return nil, err
	}
	r, err := q.run.QueryContext(ctx, query, args...) //nolint:rowserrcheck // all and one check it
	if err != nil {
		return nil, err
	}
	return sqlRows{r}, nil
}

// insert runs one prepared statement for each row: there is no round trip to
// save, and it beats one long statement, which has to be parsed.
func (q sqlQueryer) insert(ctx context.Context, b bulk, values []any) (err error) {
	width := len(b.columns)
	if len(values) == 0 {
		return nil
	}
	params := make([]string, width)
	for i := range params {
		params[i] = "$" + strconv.Itoa(i+1)
	}
	stmt, err := q.run.PrepareContext(ctx, "insert into "+b.table+" ("+b.names()+") values ("+strings.Join(params, ", ")+") "+b.tail)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stmt.Close()) }()
	for ; len(values) > 0; values = values[width:] {
		if _, err := stmt.ExecContext(ctx, values[:width]...); err != nil {
			return err
		}
	}
	return nil
}

// sqlRows closes without an error: Err has reported what there was.
type sqlRows struct{ *sql.Rows }

func (r sqlRows) Close() { _ = r.Rows.Close() }

type sqlTx struct {
	sqlQueryer
	tx *sql.Tx
}

func (t sqlTx) commit(context.Context) error   { return t.tx.Commit() }
func (t sqlTx) rollback(context.Context) error { return t.tx.Rollback() }
func (t sqlTx) unwrap() any                    { return t.tx }

func beginSQLite(ctx context.Context, db *sql.DB) (driverTx, error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	return sqlTx{sqlQueryer: sqlQueryer{run: tx}, tx: tx}, nil
}
