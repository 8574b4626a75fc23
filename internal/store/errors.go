package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/linkspan/linkspan"
)

// errNoRow means that a query that must return a row returned none.
var errNoRow = errors.New("no such row")

// class is what an error of a driver means to us.
type class int

const (
	classOther class = iota
	classConflict
	classReference
	classRetry
	classUnavailable
)

// classify knows the errors of both drivers, wherever they are in the chain.
func classify(err error) class {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return classifyPostgres(e.Code)
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return classifySQLite(e.Code())
	}
	if isDisconnect(err) {
		return classUnavailable
	}
	return classOther
}

// isDisconnect reports whether err is about the way to the database. The end of
// a caller's own context is not, although it is a net.Error.
func isDisconnect(err error) bool {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || pgconn.SafeToRetry(err)
}

// classifyPostgres follows PostgreSQL's appendix A, error codes.
func classifyPostgres(code string) class {
	switch code {
	case "23505": // unique_violation
		return classConflict
	case "23503": // foreign_key_violation
		return classReference
	case "40001", "40P01": // serialization_failure, deadlock_detected
		return classRetry
	case "53300", "57P01", "57P02", "57P03", "25P03": // too many connections; shutting down, crashed, starting; idle in a transaction
		return classUnavailable
	}
	if strings.HasPrefix(code, "08") { // connection exceptions
		return classUnavailable
	}
	return classOther
}

// classifySQLite follows sqlite.org/rescode.html; codes are extended ones.
func classifySQLite(code int) class {
	switch code {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
		return classConflict
	case sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
		return classReference
	}
	switch code & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return classRetry
	default:
		return classOther
	}
}

// wrap says what was being done and gives an error of a driver its kind. It
// returns nil for nil.
func wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	op = "store." + op
	if _, ok := errors.AsType[*linkspan.Error](err); ok {
		return fmt.Errorf("%s: %w", op, err)
	}
	if errors.Is(err, errNoRow) {
		return linkspan.E(op, linkspan.KindNotFound, "", nil, "It does not exist.")
	}
	switch classify(err) {
	case classConflict:
		return linkspan.E(op, linkspan.KindConflict, "", err, "It exists already.")
	case classReference:
		return linkspan.E(op, linkspan.KindConflict, "", err, "It refers to something that does not exist any more.")
	case classRetry, classUnavailable:
		return linkspan.E(op, linkspan.KindUnavailable, "", err, "The database is busy or not available.").
			WithHint("Try again in a few seconds.")
	case classOther:
	}
	return fmt.Errorf("%s: %w", op, err)
}

// stale is the error of a write that worked from an outdated version.
func stale(op string) error {
	return linkspan.E("store."+op, linkspan.KindConflict, "", nil, "It was changed by somebody else in the meantime.")
}

// isOver reports whether a transaction had ended before it was rolled back,
// which is what a cancelled context leads to.
func isOver(err error) bool {
	return errors.Is(err, sql.ErrTxDone) || errors.Is(err, pgx.ErrTxClosed) || errors.Is(err, context.Canceled)
}
