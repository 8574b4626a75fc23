package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/linkspan/linkspan"
)

const (
	// maxTries is how often InTx runs a transaction that the database refuses
	// because of others.
	maxTries = 6
	// firstPause doubles with every try; what is waited is between half of it
	// and all of it.
	firstPause = 5 * time.Millisecond
	// rollbackTimeout bounds a rollback, which must work after the caller's
	// context has ended.
	rollbackTimeout = 5 * time.Second
)

// txn implements linkspan.Tx.
type txn struct {
	driverTx

	db      *DB
	now     time.Time
	changes []linkspan.Change
	hooks   []func()
	// failed is the first error of a statement. PostgreSQL gives a transaction
	// up then; so that nothing works on SQLite that does not work there, we do
	// the same.
	failed error
}

// exec implements queryer.
func (t *txn) exec(ctx context.Context, query string, args ...any) (int64, error) {
	if t.failed != nil {
		return 0, t.givenUp()
	}
	n, err := t.driverTx.exec(ctx, query, args...)
	return n, t.note(err)
}

// query implements queryer.
func (t *txn) query(ctx context.Context, query string, args ...any) (rows, error) {
	if t.failed != nil {
		return nil, t.givenUp()
	}
	r, err := t.driverTx.query(ctx, query, args...)
	if err != nil {
		return nil, t.note(err)
	}
	return txnRows{r, t}, nil
}

// insert implements queryer.
func (t *txn) insert(ctx context.Context, b bulk, values []any) error {
	if t.failed != nil {
		return t.givenUp()
	}
	return t.note(t.driverTx.insert(ctx, b, values))
}

// note remembers that a statement failed. Arguments that were refused before
// the database saw them do not count.
func (t *txn) note(err error) error {
	if _, refused := errors.AsType[*linkspan.Error](err); err != nil && !refused && t.failed == nil {
		t.failed = err
	}
	return err
}

func (t *txn) givenUp() error {
	return fmt.Errorf("an earlier statement of the transaction has failed: %w", t.failed)
}

// txnRows notes errors that show only while rows are read.
type txnRows struct {
	rows

	t *txn
}

// Err implements rows.
func (r txnRows) Err() error { return r.t.note(r.rows.Err()) }

// Now implements linkspan.Tx.
func (t *txn) Now() time.Time { return t.now }

// OnCommit implements linkspan.Tx.
func (t *txn) OnCommit(f func()) { t.hooks = append(t.hooks, f) }

// Unwrap implements linkspan.Tx: a pgx.Tx or a *sql.Tx.
func (t *txn) Unwrap() any { return t.unwrap() }

// changed notes what caches must drop; it is written before the commit.
func (t *txn) changed(kind linkspan.ChangeKind, env linkspan.EnvironmentID, key string) {
	t.changes = append(t.changes, linkspan.Change{Kind: kind, Environment: env, Key: key})
}

// inTx marks a context as belonging to a transaction.
type inTx struct{ db *DB }

// InTx implements linkspan.Transactor. Errors of f are returned as they are.
func (db *DB) InTx(ctx context.Context, f func(ctx context.Context, tx linkspan.Tx) error) error {
	if ctx.Value(inTx{db}) != nil {
		return errors.New("store.InTx: a transaction was begun inside another one; pass the outer one on")
	}
	for try := 1; ; try++ {
		err := db.tryTx(ctx, f)
		if err == nil || try == maxTries || classify(err) != classRetry || ctx.Err() != nil {
			return err
		}
		if err := pause(ctx, try); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context, try int) error {
	longest := firstPause << (try - 1)
	timer := time.NewTimer(longest/2 + rand.N(longest/2+1)) //nolint:gosec // spreads retries; nothing depends on its secrecy
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting to retry a transaction: %w", context.Cause(ctx))
	}
}

func (db *DB) tryTx(ctx context.Context, f func(ctx context.Context, tx linkspan.Tx) error) error {
	t, err := db.begin(ctx)
	if err != nil {
		return wrap("InTx", fmt.Errorf("beginning a transaction: %w", err))
	}
	committed := false
	defer func() {
		if !committed { // an error, or a panic of f on its way up
			t.abandon(ctx)
		}
	}()
	if err := f(context.WithValue(ctx, inTx{db}, true), t); err != nil {
		return err
	}
	if t.failed != nil {
		return wrap("InTx", t.givenUp())
	}
	if err := t.recordChanges(ctx); err != nil {
		return wrap("InTx", fmt.Errorf("recording changes: %w", err))
	}
	if err := t.commit(ctx); err != nil {
		return wrap("InTx", fmt.Errorf("committing: %w", err))
	}
	committed = true
	t.after()
	return nil
}

func (db *DB) begin(ctx context.Context) (*txn, error) {
	var (
		d   driverTx
		err error
	)
	if db.pg != nil {
		d, err = beginPostgres(ctx, db.pg)
	} else {
		d, err = beginSQLite(ctx, db.writer)
	}
	if err != nil {
		return nil, err
	}
	// Taken once the transaction is under way: on SQLite that may be long
	// after it was asked for.
	return &txn{driverTx: d, db: db, now: time.Now().UTC().Truncate(time.Microsecond)}, nil
}

func (t *txn) abandon(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
	defer cancel()
	if err := t.rollback(ctx); err != nil && !isOver(err) {
		t.db.log.WarnContext(ctx, "rolling back a transaction failed", "error", err)
	}
}

// after tells the process what was committed.
func (t *txn) after() {
	if len(t.changes) > 0 {
		t.db.mu.Lock()
		listeners := t.db.onLocal
		t.db.mu.Unlock()
		for _, c := range t.changes {
			for _, f := range listeners {
				f(c)
			}
		}
		t.db.wake()
	}
	for _, f := range t.hooks {
		f()
	}
}
