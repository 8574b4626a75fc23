package storetest

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/linkspan/linkspan/internal/store"
	"github.com/linkspan/linkspan/internal/vault"
)

// PostgresVariable names the environment variable that holds the URL of a
// PostgreSQL server on which tests may create databases.
const PostgresVariable = "LINKSPAN_TEST_POSTGRES"

// Databases returns, by name, how to make a new, empty database of each kind.
func Databases() map[string]func(testing.TB) store.Config {
	return map[string]func(testing.TB) store.Config{
		"sqlite": func(tb testing.TB) store.Config { tb.Helper(); return store.Config{DataDir: tb.TempDir()} },
		"postgres": func(tb testing.TB) store.Config {
			tb.Helper()
			return store.Config{DatabaseURL: NewPostgres(tb), MaxConns: 8}
		},
		"postgres behind a pooler": func(tb testing.TB) store.Config {
			tb.Helper()
			return store.Config{DatabaseURL: NewPostgres(tb), MaxConns: 8, PollOnly: true}
		},
	}
}

// NewPostgres creates an empty PostgreSQL database that goes with the test, and
// returns its URL. It skips the test when no server is configured, and fails it
// on CI.
func NewPostgres(tb testing.TB) string {
	tb.Helper()
	server := os.Getenv(PostgresVariable)
	if server == "" {
		if os.Getenv("CI") == "true" {
			tb.Fatalf("%s is not set: on CI no PostgreSQL test may be skipped", PostgresVariable)
		}
		tb.Skipf("%s is not set: it names the PostgreSQL server to test on", PostgresVariable)
	}
	u, err := url.Parse(server)
	if err != nil {
		tb.Fatalf("reading %s: it is not a URL", PostgresVariable)
	}
	name := "linkspan_" + strings.ToLower(rand.Text())
	onServer(tb, server, "create database "+name)
	tb.Cleanup(func() { onServer(tb, server, "drop database if exists "+name+" with (force)") })
	u.Path = "/" + name
	return u.String()
}

// onServer runs one statement over a connection of its own. Clean-ups need it
// after the test's own context has ended.
func onServer(tb testing.TB, server, statement string) {
	tb.Helper()
	ctx := context.WithoutCancel(tb.Context())
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		tb.Fatalf("connecting to the PostgreSQL server of tests: %v", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, statement); err != nil {
		tb.Fatalf("%s: %v", statement, err)
	}
}

// Open opens a database and migrates it. It is closed when the test ends.
func Open(tb testing.TB, c store.Config, ring *vault.Ring) *store.Store {
	tb.Helper()
	db, err := store.Open(tb.Context(), c, slog.New(slog.DiscardHandler))
	must(tb, err)
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Error(err)
		}
	})
	_, err = db.Migrate(tb.Context())
	must(tb, err)
	return store.New(db, vault.New(ring, db))
}
