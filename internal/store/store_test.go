package store_test

import (
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
			storetest.Run(t, func(t *testing.T) *store.Store { return open(t, config(t)) })
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
func databases() map[string]func(t *testing.T) store.Config {
	configs := map[string]func(t *testing.T) store.Config{
		"sqlite": func(t *testing.T) store.Config {
			t.Helper()
			return store.Config{DataDir: t.TempDir()}
		},
	}
	if postgresURL() != "" {
		configs["postgres"] = func(t *testing.T) store.Config {
			t.Helper()
			return store.Config{DatabaseURL: newSchema(t), MaxConns: 8}
		}
		configs["postgres behind a pooler"] = func(t *testing.T) store.Config {
			t.Helper()
			return store.Config{DatabaseURL: newSchema(t), MaxConns: 8, PollOnly: true}
		}
	}
	return configs
}

// newSchema makes a schema for one test and returns the URL that leads to it.
func newSchema(t *testing.T) string {
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
		ctx := t.Context()
		_ = ctx // the test's own context has ended by now
		if _, err := conn.Exec(background(), "drop schema "+schema+" cascade"); err != nil {
			t.Error(err)
		}
		_ = conn.Close(background())
	})
	u, err := url.Parse(postgresURL())
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("search_path", schema)
	u.RawQuery = q.Encode()
	return u.String()
}
