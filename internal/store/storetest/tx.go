package storetest

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/linkspan/linkspan"
)

func testTransactions(t *testing.T, w *world) {
	ctx := t.Context()
	accounts := func() int {
		t.Helper()
		list, err := w.Accounts(ctx, nil)
		must(t, err)
		return len(list)
	}
	add := func(ctx context.Context, tx linkspan.Tx) error {
		return w.InsertAccount(ctx, tx, &linkspan.Account{UUID: linkspan.NewUUID(), Name: "x"})
	}
	hooked := 0
	refused := errors.New("refused")
	err := w.InTx(ctx, func(ctx context.Context, tx linkspan.Tx) error {
		tx.OnCommit(func() { hooked++ })
		must(t, add(ctx, tx))
		return refused
	})
	if !errors.Is(err, refused) || accounts() != 1 || hooked != 0 {
		t.Fatalf("after an error: %v, %d accounts, %d hooks", err, accounts(), hooked)
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_ = w.InTx(ctx, func(ctx context.Context, tx linkspan.Tx) error {
			must(t, add(ctx, tx))
			panic("on purpose")
		})
	}()
	if accounts() != 1 {
		t.Fatal("a transaction that panicked was committed")
	}
	w.inTx(t, func(ctx context.Context, tx linkspan.Tx) {
		tx.OnCommit(func() { hooked++ })
		must(t, add(ctx, tx))
		if now := tx.Now(); !now.Equal(now.Truncate(time.Microsecond)) || now.Location() != time.UTC || !now.Equal(tx.Now()) {
			t.Errorf("Now is %v", now)
		}
		switch raw := tx.Unwrap().(type) {
		case pgx.Tx, *sql.Tx:
		default:
			t.Errorf("Unwrap returns %T", raw)
		}
		if hooked != 0 {
			t.Error("a hook ran before the commit")
		}
		// A second transaction inside would wait for the first forever.
		if w.InTx(ctx, func(context.Context, linkspan.Tx) error { return nil }) == nil || add(ctx, nil) == nil {
			t.Error("a nested transaction was not refused")
		}
	})
	if accounts() != 2 || hooked != 1 {
		t.Fatalf("after a commit: %d accounts, %d hooks", accounts(), hooked)
	}
	testGivenUp(t, w)
	testImpatientWriter(t, w)
}

// testGivenUp checks that a transaction goes no further than its first error,
// also where the database would let it.
func testGivenUp(t *testing.T, w *world) {
	t.Helper()
	err := w.InTx(t.Context(), func(ctx context.Context, tx linkspan.Tx) error {
		wantKind(t, w.InsertAccount(ctx, tx, &linkspan.Account{UUID: w.account.UUID}), linkspan.KindConflict)
		if _, err := w.Accounts(ctx, tx); err == nil {
			t.Error("reading goes on after an error")
		}
		if err := w.InsertAccount(ctx, tx, &linkspan.Account{UUID: linkspan.NewUUID()}); err == nil {
			t.Error("writing goes on after an error")
		}
		return nil
	})
	wantKind(t, err, linkspan.KindConflict)
}

// testImpatientWriter checks that who waits for a writer heeds its context.
func testImpatientWriter(t *testing.T, w *world) {
	t.Helper()
	w.inTx(t, func(_ context.Context, tx linkspan.Tx) {
		must(t, w.LockBootstrap(t.Context(), tx))
		impatient, cancel := context.WithCancel(t.Context())
		cancel()
		err := w.InTx(impatient, func(ctx context.Context, tx linkspan.Tx) error { return w.LockBootstrap(ctx, tx) })
		if !errors.Is(err, context.Canceled) {
			t.Errorf("a cancelled writer got %v", err)
		}
	})
}

func testRetry(t *testing.T, w *world) {
	ctx := t.Context()
	tries := 0
	must(t, w.InTx(ctx, func(ctx context.Context, tx linkspan.Tx) error {
		tries++
		must(t, w.InsertAccount(ctx, tx, &linkspan.Account{UUID: linkspan.NewUUID(), Name: "x"}))
		if tries < 3 {
			return &pgconn.PgError{Code: "40001"}
		}
		return nil
	}))
	if list, err := w.Accounts(ctx, nil); err != nil || len(list) != 2 || tries != 3 {
		t.Fatalf("%d tries left %d accounts, %v", tries, len(list), err)
	}
	tries = 0
	err := w.InTx(ctx, func(context.Context, linkspan.Tx) error {
		tries++
		return &pgconn.PgError{Code: "40P01"}
	})
	if err == nil || tries < 3 || tries > 20 {
		t.Fatalf("gave up after %d tries with %v", tries, err)
	}
	if _, ok := w.Pool().(*pgxpool.Pool); ok {
		testDeadlock(t, w)
	}
}

// testDeadlock has two transactions wait for each other. The database breaks
// the circle and InTx tries the victim again: both commit.
func testDeadlock(t *testing.T, w *world) {
	t.Helper()
	other := w.newEnvironment(t, "other")
	var met sync.WaitGroup
	met.Add(2)
	var done sync.WaitGroup
	for _, order := range [][2]linkspan.Environment{{w.env, other}, {other, w.env}} {
		done.Go(func() {
			var once sync.Once
			err := w.InTx(t.Context(), func(ctx context.Context, tx linkspan.Tx) error {
				if err := w.UpdateEnvironment(ctx, tx, &order[0]); err != nil {
					return err
				}
				once.Do(func() {
					met.Done()
					met.Wait()
				})
				return w.UpdateEnvironment(ctx, tx, &order[1])
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	done.Wait()
}

func testBootstrap(t *testing.T, w *world) {
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			err := w.InTx(t.Context(), func(ctx context.Context, tx linkspan.Tx) error {
				if err := w.LockBootstrap(ctx, tx); err != nil {
					return err
				}
				list, err := w.Accounts(ctx, tx)
				if err != nil || len(list) > 1 {
					return err
				}
				return w.InsertAccount(ctx, tx, &linkspan.Account{UUID: linkspan.NewUUID(), Name: "only one"})
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	list, err := w.Accounts(t.Context(), nil)
	must(t, err)
	if len(list) != 2 {
		t.Fatalf("%d accounts: the lock let several through", len(list))
	}
	wantEqual(t, "account", list[0], w.account)
	wantKind(t, w.InsertAccount(t.Context(), nil, &linkspan.Account{UUID: w.account.UUID}), linkspan.KindConflict)
}
