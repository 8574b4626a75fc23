package schedule_test

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"
)

// exec runs a statement that both databases know.
func (w *world) exec(statement string, args ...any) {
	w.tb.Helper()
	statement = fmt.Sprintf(statement, args...)
	var err error
	switch pool := w.Pool().(type) {
	case *pgxpool.Pool:
		_, err = pool.Exec(w.tb.Context(), statement)
	case *sql.DB:
		_, err = pool.ExecContext(w.tb.Context(), statement)
	}
	if err != nil {
		w.tb.Fatalf("%s: %v", statement, err)
	}
}

// query returns the rows of a query that both databases know.
func query[T any](w *world, statement string, scan func(func(...any) error) (T, error), args ...any) []T {
	w.tb.Helper()
	list, err := tryQuery(w.tb.Context(), w, fmt.Sprintf(statement, args...), scan)
	if err != nil {
		w.tb.Fatalf("%s: %v", statement, err)
	}
	return list
}

func tryQuery[T any](ctx context.Context, w *world, statement string, scan func(func(...any) error) (T, error)) (list []T, err error) {
	var rows interface {
		Next() bool
		Scan(dest ...any) error
		Err() error
	}
	switch pool := w.Pool().(type) {
	case *pgxpool.Pool:
		found, err := pool.Query(ctx, statement)
		if err != nil {
			return nil, err
		}
		defer found.Close()
		rows = found
	case *sql.DB:
		found, err := pool.QueryContext(ctx, statement)
		if err != nil {
			return nil, err
		}
		defer func() { _ = found.Close() }()
		rows = found
	}
	for rows.Next() {
		v, err := scan(rows.Scan)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, rows.Err()
}

// number returns the one number that a query finds.
func (w *world) number(statement string, args ...any) int64 {
	w.tb.Helper()
	return query(w, statement, func(scan func(...any) error) (n int64, err error) { return n, scan(&n) }, args...)[0]
}
