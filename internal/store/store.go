package store

import (
	"context"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/change"
	"github.com/linkspan/linkspan/internal/vault"
)

var (
	_ linkspan.Transactor = (*DB)(nil)
	_ linkspan.Tx         = (*txn)(nil)
	_ vault.KeyStore      = (*DB)(nil)
	_ change.Store        = (*DB)(nil)
)

// Store is the database with its secrets readable. It is safe for concurrent
// use.
//
// Methods return a linkspan.Error of KindNotFound for what does not exist, and
// of KindConflict for what exists already or was changed in the meantime.
type Store struct {
	*DB

	vault *vault.Vault
}

// New returns a store over an open database whose secrets the vault seals.
func New(db *DB, v *vault.Vault) *Store { return &Store{DB: db, vault: v} }

// lockEnvironment waits for others that change an environment, and keeps them
// out until the transaction ends. It must exist and not be deleted.
func lockEnvironment(ctx context.Context, t *txn, lock string, env linkspan.EnvironmentID) error {
	_, err := one(ctx, t, value[int64], "select id from environments where id = $1 and deleted_at is null"+lock, int64(env))
	return err
}

// affected turns "no row was changed" into errNoRow.
func affected(n int64, err error) error {
	if err == nil && n == 0 {
		return errNoRow
	}
	return err
}
