package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/config"
	"github.com/linkspan/linkspan/internal/job"
	"github.com/linkspan/linkspan/internal/store"
	"github.com/linkspan/linkspan/internal/vault"
)

// keyFile is the name of the key file in the data folder.
const keyFile = "encryption.key"

// openDatabase opens the database without migrating it. An SQLite file that is
// absent is made.
func openDatabase(ctx context.Context, c config.Config, log *slog.Logger) (*store.DB, error) {
	return store.Open(ctx, storeConfig(c), log)
}

// storeConfig says where the data is.
func storeConfig(c config.Config) store.Config {
	sc := store.Config{MaxConns: c.MaxConns, PollOnly: c.PollOnly}
	if c.DatabaseURL.IsZero() {
		sc.DataDir = c.DataDir
	} else {
		sc.DatabaseURL = c.DatabaseURL.Reveal()
	}
	return sc
}

// migrate brings the database and the queue's tables to this version and
// returns the names of the migrations applied.
func migrate(ctx context.Context, db *store.DB) ([]string, error) {
	applied, err := db.Migrate(ctx)
	if err != nil {
		return applied, fmt.Errorf("migrating the database: %w", err)
	}
	if err := job.Migrate(ctx, db.Pool()); err != nil {
		return applied, fmt.Errorf("migrating the tables of the queue: %w", err)
	}
	return applied, nil
}

// requireKey refuses to run on PostgreSQL without a key: replicas have no folder
// in common to keep one in.
func requireKey(c config.Config) error {
	if c.DatabaseURL.IsZero() || !c.EncryptionKey.IsZero() {
		return nil
	}
	return linkspan.E("app.requireKey", linkspan.KindInvalid, "missing_encryption_key", nil,
		"--database needs an encryption key, the same on every replica.").
		WithHint("Make one with\n\n    linkspan keys generate\n\nkeep it safe, and give it as --encryption-key or LINKSPAN_ENCRYPTION_KEY.")
}

// openVault opens the vault over the database and checks that its keys are
// those of the data.
func openVault(ctx context.Context, c config.Config, db *store.DB) (*vault.Vault, error) {
	ring, err := openRing(ctx, c, db)
	if err != nil {
		return nil, err
	}
	v := vault.New(ring, db)
	if err := v.Verify(ctx); err != nil {
		return nil, err
	}
	return v, nil
}

// openRing finds the encryption keys: those that were given, or those of the
// data folder, where a first key is made if there is no data yet.
func openRing(ctx context.Context, c config.Config, db *store.DB) (*vault.Ring, error) {
	const op = "app.openRing"
	if !c.EncryptionKey.IsZero() {
		return vault.ParseRing(c.EncryptionKey, c.OldEncryptionKeys)
	}
	path := keyPath(c)
	ring, err := vault.LoadRingFile(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return ring, err
	}
	// A new key can't open data that is there already, and would hide what is
	// really wrong.
	used, err := db.DataKeySamples(ctx)
	if err != nil {
		return nil, fmt.Errorf("looking for encrypted data: %w", err)
	}
	if len(used) > 0 {
		return nil, linkspan.E(op, linkspan.KindInvalid, vault.CodeWrongKey, nil,
			"The key file %s is missing, and the data was encrypted with its key %s.", path, used[0].MasterID).
			WithHint("Restore the file from a backup, or give the key as --encryption-key.")
	}
	return vault.CreateRingFile(path)
}

func keyPath(c config.Config) string { return filepath.Join(c.DataDir, keyFile) }
