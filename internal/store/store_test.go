package store_test

import (
	"log/slog"
	"testing"

	"github.com/linkspan/linkspan/internal/store"
	"github.com/linkspan/linkspan/internal/store/storetest"
	"github.com/linkspan/linkspan/internal/vault"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	for name, config := range storetest.Databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Run(t, func(t *testing.T) *store.Store {
				t.Helper()
				return open(t, config(t))
			})
		})
	}
}

// open opens a database, migrated and with a vault.
func open(tb testing.TB, c store.Config) *store.Store {
	tb.Helper()
	return storetest.Open(tb, c, vault.NewRing(vault.NewMasterKey()))
}

func openDB(tb testing.TB, c store.Config) *store.DB {
	tb.Helper()
	db, err := store.Open(tb.Context(), c, discard())
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

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }
