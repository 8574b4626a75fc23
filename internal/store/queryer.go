package store

import (
	"context"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/linkspan/linkspan"
)

// queryer runs SQL: on a pool or inside a transaction, on either database.
type queryer interface {
	// exec returns how many rows were affected.
	exec(ctx context.Context, query string, args ...any) (int64, error)
	query(ctx context.Context, query string, args ...any) (rows, error)
	// insert adds many rows at once.
	insert(ctx context.Context, b bulk, values []any) error
}

// scanner is one row.
type scanner interface{ Scan(dest ...any) error }

type rows interface {
	scanner
	Next() bool
	Err() error
	Close()
}

// driverTx is a transaction of either driver.
type driverTx interface {
	queryer
	commit(ctx context.Context) error
	rollback(ctx context.Context) error
	// unwrap returns what the driver calls the transaction.
	unwrap() any
}

// bulk describes an insert of many rows into a table.
type bulk struct {
	table   string
	columns []column
	// tail follows the rows, such as an "on conflict" clause.
	tail string
}

// column is a column of a bulk insert with its PostgreSQL type.
type column struct{ name, typ string }

func (b bulk) names() string {
	names := make([]string, len(b.columns))
	for i, c := range b.columns {
		names[i] = c.name
	}
	return strings.Join(names, ", ")
}

// unnest is the insert of rows for PostgreSQL, with one array for each column.
func (b bulk) unnest(values []any) (query string, args []any) {
	width := len(b.columns)
	height := len(values) / width
	args = make([]any, width)
	params := make([]string, width)
	for i, c := range b.columns {
		array := make([]any, height)
		for row := range height {
			array[row] = values[row*width+i]
		}
		args[i] = array
		params[i] = "cast($" + strconv.Itoa(i+1) + " as " + c.typ + "[])"
	}
	return "insert into " + b.table + " (" + b.names() + ") select * from unnest(" + strings.Join(params, ", ") + ") " + b.tail, args
}

// all runs a query and scans every row.
func all[T any](ctx context.Context, q queryer, scan func(scanner) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q.query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

// one runs a query and scans its first row; errNoRow when there is none.
func one[T any](ctx context.Context, q queryer, scan func(scanner) (T, error), query string, args ...any) (T, error) {
	var zero T
	rows, err := q.query(ctx, query, args...)
	if err != nil {
		return zero, err
	}
	defer rows.Close()
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return zero, err
		}
		return zero, errNoRow
	}
	v, err := scan(rows)
	if err != nil {
		return zero, err
	}
	rows.Close()
	return v, rows.Err()
}

// value scans a row of one column.
func value[T any](s scanner) (T, error) {
	var v T
	err := s.Scan(&v)
	return v, err
}

// checkText refuses text that PostgreSQL cannot store, on both databases alike.
func checkText(args []any) error {
	for _, a := range args {
		s, ok := a.(string)
		if ok && (strings.IndexByte(s, 0) >= 0 || !utf8.ValidString(s)) {
			return linkspan.E("store", linkspan.KindInvalid, "", nil, "Text must be valid UTF-8 without NUL characters.")
		}
	}
	return nil
}

// storable makes any text storable: what an upstream said may be anything.
func storable(s string) string {
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "\uFFFD")
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
