package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/linkspan/linkspan"
)

// Config says where the data is. Exactly one of DataDir and DatabaseURL is set.
type Config struct {
	// DataDir is the folder of the SQLite database; it is created if absent.
	DataDir string
	// DatabaseURL is a PostgreSQL URL or keyword/value string.
	DatabaseURL string
	// MaxConns bounds the PostgreSQL pool. Zero means 20.
	MaxConns int
	// PollOnly promises that nothing needs a connection of its own: no LISTEN,
	// no prepared statements. Set it behind a transaction-pooling proxy.
	PollOnly bool
}

// DB is an open database. It is safe for concurrent use.
type DB struct {
	dialect  dialect
	log      *slog.Logger
	pollOnly bool

	pg             *pgxpool.Pool // PostgreSQL
	writer, reader *sql.DB       // SQLite
	prepared       *preparer     // of reader

	mu      sync.Mutex
	onLocal []func(linkspan.Change)
	wakers  map[chan struct{}]struct{}

	lastPurge atomic.Int64 // of change rows, unix microseconds
	done      chan struct{}
	closing   sync.Once
	wg        sync.WaitGroup
}

// Open opens the database without migrating it.
func Open(ctx context.Context, c Config, log *slog.Logger) (*DB, error) {
	db := &DB{log: log, pollOnly: c.PollOnly, done: make(chan struct{}), wakers: make(map[chan struct{}]struct{})}
	var err error
	switch {
	case (c.DataDir == "") == (c.DatabaseURL == ""):
		return nil, errors.New("either a data folder or a database URL is needed, and not both")
	case c.DatabaseURL != "":
		db.dialect = postgresDialect()
		db.pg, err = openPostgres(ctx, c)
	default:
		db.dialect = sqliteDialect()
		db.writer, db.reader, err = openSQLite(ctx, c.DataDir)
		db.prepared = newPreparer(db.reader)
	}
	if err != nil {
		return nil, fmt.Errorf("opening the database: %w", err)
	}
	return db, nil
}

// Close ends what the database runs in the background and closes it. Calls
// after the first do nothing.
func (db *DB) Close() error {
	var err error
	db.closing.Do(func() {
		close(db.done)
		db.wg.Wait()
		if db.pg != nil {
			db.pg.Close()
			return
		}
		err = errors.Join(db.prepared.close(), db.reader.Close(), db.writer.Close())
	})
	return err
}

// Ping asks the database for a sign of life.
func (db *DB) Ping(ctx context.Context) error {
	_, err := one(ctx, db.read(nil), value[int64], "select 1")
	return wrap("Ping", err)
}

// Dialect returns "sqlite" or "postgres".
func (db *DB) Dialect() string { return db.dialect.name }

// Pool returns the driver's pool: *pgxpool.Pool, or the *sql.DB with SQLite's
// one writing connection.
func (db *DB) Pool() any {
	if db.pg != nil {
		return db.pg
	}
	return db.writer
}

// OnLocalChange registers f for the changes that this process commits. It is
// called after each commit, before InTx returns, and must not block.
func (db *DB) OnLocalChange(f func(linkspan.Change)) {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.onLocal = append(db.onLocal, f)
}

// read returns what a reading method queries.
func (db *DB) read(tx linkspan.Tx) queryer {
	switch {
	case tx != nil:
		return asTxn(tx)
	case db.pg != nil:
		return pgQueryer{run: db.pg}
	default:
		return sqlQueryer{run: db.prepared}
	}
}

// write runs a writing method: inside tx, or in a transaction of its own.
func (db *DB) write(ctx context.Context, tx linkspan.Tx, f func(ctx context.Context, t *txn) error) error {
	if tx != nil {
		return f(ctx, asTxn(tx))
	}
	return db.InTx(ctx, func(ctx context.Context, tx linkspan.Tx) error { return f(ctx, asTxn(tx)) })
}

func asTxn(tx linkspan.Tx) *txn {
	t, ok := tx.(*txn)
	if !ok {
		panic("store: the transaction was begun by something else")
	}
	return t
}
