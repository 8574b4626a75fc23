package store_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"net/url"
	"os"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/linkspan/linkspan/internal/store"
	"github.com/linkspan/linkspan/internal/store/storetest"
	"github.com/linkspan/linkspan/internal/vault"
)

// postgresURL is where the tests may make schemas. Empty: SQLite only.
func postgresURL() string { return os.Getenv("LINKSPAN_TEST_POSTGRES") }

func TestConformance(t *testing.T) {
	t.Parallel()
	for name, config := range databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Run(t, func(t *testing.T) *store.Store {
				t.Helper()
				return open(t, config(t))
			})
		})
	}
}

// TestPostgresRan fails where nobody would notice that half the tests did not
// run.
func TestPostgresRan(t *testing.T) {
	t.Parallel()
	if os.Getenv("CI") == "true" && postgresURL() == "" {
		t.Fatal("LINKSPAN_TEST_POSTGRES is not set: in CI the store must be tested on PostgreSQL too")
	}
}

// databases returns a function for each database that makes a new, empty one.
func databases() map[string]func(t testing.TB) store.Config {
	configs := map[string]func(t testing.TB) store.Config{
		"sqlite": func(t testing.TB) store.Config {
			t.Helper()
			return store.Config{DataDir: t.TempDir()}
		},
	}
	if postgresURL() != "" {
		configs["postgres"] = func(t testing.TB) store.Config {
			t.Helper()
			return store.Config{DatabaseURL: newSchema(t), MaxConns: 8}
		}
		configs["postgres behind a pooler"] = func(t testing.TB) store.Config {
			t.Helper()
			return store.Config{DatabaseURL: newSchema(t), MaxConns: 8, PollOnly: true}
		}
	}
	return configs
}

// newSchema makes a schema for one test and returns the URL that leads to it.
func newSchema(t testing.TB) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), postgresURL())
	if err != nil {
		t.Fatal(err)
	}
	var b [8]byte
	_, _ = rand.Read(b[:])
	schema := "t" + hex.EncodeToString(b[:])
	if _, err := conn.Exec(t.Context(), "create schema "+schema); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context()) // the test's own has ended by now
		if _, err := conn.Exec(ctx, "drop schema "+schema+" cascade"); err != nil {
			t.Error(err)
		}
		_ = conn.Close(ctx)
	})
	u, err := url.Parse(postgresURL())
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("search_path", schema)
	q.Set("application_name", schema)
	u.RawQuery = q.Encode()
	return u.String()
}

// open opens a database, migrated and with a vault.
func open(tb testing.TB, c store.Config) *store.Store {
	tb.Helper()
	db := openDB(tb, c)
	if _, err := db.Migrate(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	return store.New(db, vault.New(vault.NewRing(vault.NewMasterKey()), db))
}

func openDB(tb testing.TB, c store.Config) *store.DB {
	tb.Helper()
	db, err := store.Open(tb.Context(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Error(err)
		}
	})
	return db
}
