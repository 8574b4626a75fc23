package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
)

func openFolder(t *testing.T) *DB {
	t.Helper()
	db, err := Open(t.Context(), Config{DataDir: t.TempDir()}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

const counting = "with recursive n(i) as (select $1 union all select i + 1 from n where i < $2) select i from n"

// TestPreparedStatementsAreShared has many read with one statement: to the end, up
// to the first row, and until they are told to stop.
func TestPreparedStatementsAreShared(t *testing.T) {
	t.Parallel()
	db := openFolder(t)
	var readers sync.WaitGroup
	for reader := range 16 {
		readers.Go(func() {
			for round := range 50 {
				from := 1000 * (reader + round)
				switch round % 3 {
				case 0:
					got, err := all(t.Context(), db.read(nil), value[int], counting, from, from+99)
					if err != nil || len(got) != 100 || got[0] != from || got[99] != from+99 {
						t.Errorf("%v, %v", got, err)
					}
				case 1:
					if got, err := one(t.Context(), db.read(nil), value[int], counting, from, from+99); err != nil || got != from {
						t.Errorf("%d, %v", got, err)
					}
				case 2:
					if err := cutOff(t.Context(), db, from); !errors.Is(err, context.Canceled) {
						t.Errorf("a query that was cancelled ended with %v", err)
					}
				}
			}
		})
	}
	readers.Wait()
	if n := len(db.prepared.stmts); n != 1 {
		t.Errorf("%d statements of one text", n)
	}
}

// cutOff cancels a long query on its way.
func cutOff(ctx context.Context, db *DB, from int) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	rows, err := db.read(nil).query(ctx, counting, from, 1<<40)
	if err != nil {
		return err
	}
	defer rows.Close()
	for n := 0; rows.Next(); n++ {
		if n == 10 {
			cancel()
		}
	}
	return rows.Err()
}

func TestPreparedStatementsAreBounded(t *testing.T) {
	t.Parallel()
	db := openFolder(t)
	for i := range maxPrepared + 10 {
		if got, err := one(t.Context(), db.read(nil), value[int], fmt.Sprintf("select %d + $1", i), 1); err != nil || got != i+1 {
			t.Fatalf("%d, %v", got, err)
		}
	}
	if n := len(db.prepared.stmts); n != maxPrepared {
		t.Errorf("%d statements are kept, want %d", n, maxPrepared)
	}
}

// TestPreparedStatementsSeeNewTables changes what a statement reads.
func TestPreparedStatementsSeeNewTables(t *testing.T) {
	t.Parallel()
	db := openFolder(t)
	read := func() ([]int, error) { return all(t.Context(), db.read(nil), value[int], "select a from t order by a") }
	if _, err := read(); err == nil {
		t.Fatal("there is a table")
	}
	for i, change := range []string{"create table t (a integer)", "insert into t values (1), (2)", "create index t_a on t (a)", "alter table t add column b integer", "insert into t values (3, 3)"} {
		if _, err := db.writer.ExecContext(t.Context(), change); err != nil {
			t.Fatal(err)
		}
		got, err := read()
		if want := []int{0, 2, 2, 2, 3}[i]; err != nil || len(got) != want {
			t.Errorf("after %s: %v, %v", change, got, err)
		}
	}
}

// TestPollsStayPrepared: SQLite reads a statement anew each time a value is bound
// that stands alone as a limit, and these take longer to read than to run.
func TestPollsStayPrepared(t *testing.T) {
	t.Parallel()
	s := &Store{DB: &DB{dialect: sqliteDialect()}}
	for name, query := range map[string]string{"runs": s.dueRunsQuery(), "deliveries": s.dueQuery()} {
		if strings.Contains(query, "limit $") {
			t.Errorf("the query of due %s has a bare limit:\n%s", name, query)
		}
	}
}
