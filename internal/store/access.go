package store

import (
	"context"
	"encoding/hex"
	"time"

	"github.com/linkspan/linkspan"
)

const apiKeyColumns = `k.id, k.uuid, k.account_id, coalesce(k.environment_id, 0), k.display_name, k.scopes, k.hash, k.last_used_at, k.created_at`

func apiKeyDest(k *linkspan.APIKey) []any {
	return []any{
		&k.ID, &k.UUID, &k.AccountID, &k.EnvironmentID, &k.DisplayName,
		jsonInto{&k.Scopes},
		hashInto{&k.Hash},
		timeInto{&k.LastUsedAt},
		timeInto{&k.CreatedAt},
	}
}

func scanAPIKey(s scanner) (k linkspan.APIKey, err error) { return k, s.Scan(apiKeyDest(&k)...) }

// APIKeyByHash returns the key with the given hash and its environment, which
// is zero for an account key. Keys of deleted environments do not exist.
func (s *Store) APIKeyByHash(ctx context.Context, tx linkspan.Tx, hash [32]byte) (linkspan.APIKey, linkspan.Environment, error) {
	const op = "APIKeyByHash"
	k, err := one(ctx, s.read(tx), scanAPIKey, "select "+apiKeyColumns+" from api_keys k where k.hash = $1", hash[:])
	if err != nil || k.EnvironmentID == 0 {
		return k, linkspan.Environment{}, wrap(op, err)
	}
	e, err := s.environment(ctx, tx, op, "e.account_id = $1 and e.id = $2", int64(k.AccountID), int64(k.EnvironmentID))
	if err != nil {
		return linkspan.APIKey{}, e, err
	}
	return k, e, nil
}

// InsertAPIKey stores a new key and sets its ID and CreatedAt. A display name
// that the environment, or for account keys the account, uses already is a
// conflict.
func (s *Store) InsertAPIKey(ctx context.Context, tx linkspan.Tx, k *linkspan.APIKey) error {
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) (err error) {
		var env any
		if k.EnvironmentID != 0 {
			env = int64(k.EnvironmentID)
			if err := lockEnvironment(ctx, t, s.dialect.forShare, k.EnvironmentID); err != nil {
				return err
			}
		}
		scopes := k.Scopes
		if scopes == nil {
			scopes = []string{}
		}
		text, err := jsonText(scopes)
		if err != nil {
			return err
		}
		k.CreatedAt = t.now
		k.ID, err = one(ctx, t, value[linkspan.APIKeyID], `
			insert into api_keys (uuid, account_id, environment_id, display_name, scopes, hash, created_at)
			values ($1, $2, $3, $4, $5, $6, $7) returning id`,
			k.UUID, int64(k.AccountID), env, k.DisplayName, text, k.Hash[:], micros(t.now))
		t.changed(linkspan.ChangeAPIKey, k.EnvironmentID, hex.EncodeToString(k.Hash[:]))
		return err
	})
	return wrap("InsertAPIKey", err)
}

// apiKeysOf selects the keys of an environment, or the account's own when the
// environment is zero.
func apiKeysOf(account linkspan.AccountID, env linkspan.EnvironmentID) *conditions {
	c := &conditions{}
	c.add("k.account_id = " + c.arg(int64(account)))
	if env == 0 {
		c.add("k.environment_id is null")
		return c
	}
	c.add("k.environment_id = " + c.arg(int64(env)))
	c.add("exists (select 1 from environments e where e.id = k.environment_id and e.deleted_at is null)")
	return c
}

// APIKeys returns the keys of an environment, or the account's own when env is
// zero, oldest first; all of them or the one with the given display name.
func (s *Store) APIKeys(ctx context.Context, tx linkspan.Tx, account linkspan.AccountID, env linkspan.EnvironmentID, displayName string) ([]linkspan.APIKey, error) {
	c := apiKeysOf(account, env)
	if displayName != "" {
		c.add("k.display_name = " + c.arg(displayName))
	}
	keys, err := all(ctx, s.read(tx), scanAPIKey, "select "+apiKeyColumns+" from api_keys k where "+c.where()+" order by k.id", c.args...)
	return keys, wrap("APIKeys", err)
}

// APIKey returns a key of an environment, or an account key when env is zero.
func (s *Store) APIKey(ctx context.Context, tx linkspan.Tx, account linkspan.AccountID, env linkspan.EnvironmentID, uuid string) (linkspan.APIKey, error) {
	c := apiKeysOf(account, env)
	c.add("k.uuid = " + c.arg(uuid))
	k, err := one(ctx, s.read(tx), scanAPIKey, "select "+apiKeyColumns+" from api_keys k where "+c.where(), c.args...)
	return k, wrap("APIKey", err)
}

// APIKeyByID is APIKey by the database's id.
func (s *Store) APIKeyByID(ctx context.Context, tx linkspan.Tx, account linkspan.AccountID, env linkspan.EnvironmentID, id linkspan.APIKeyID) (linkspan.APIKey, error) {
	c := apiKeysOf(account, env)
	c.add("k.id = " + c.arg(int64(id)))
	k, err := one(ctx, s.read(tx), scanAPIKey, "select "+apiKeyColumns+" from api_keys k where "+c.where(), c.args...)
	return k, wrap("APIKeyByID", err)
}

// DeleteAPIKey removes a key for good.
func (s *Store) DeleteAPIKey(ctx context.Context, tx linkspan.Tx, k linkspan.APIKey) error {
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) error {
		t.changed(linkspan.ChangeAPIKey, k.EnvironmentID, hex.EncodeToString(k.Hash[:]))
		return affected(t.exec(ctx, "delete from api_keys where id = $1 and account_id = $2 and coalesce(environment_id, 0) = $3",
			int64(k.ID), int64(k.AccountID), int64(k.EnvironmentID)))
	})
	return wrap("DeleteAPIKey", err)
}

// TouchAPIKeys notes when keys were last used. A time never moves back.
func (s *Store) TouchAPIKeys(ctx context.Context, tx linkspan.Tx, used map[linkspan.APIKeyID]time.Time) error {
	if len(used) == 0 {
		return nil
	}
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) error {
		_, err := t.exec(ctx, "update api_keys set last_used_at = u.at from "+s.dialect.pairs("$1")+`
			where api_keys.id = u.id and (last_used_at is null or last_used_at < u.at)`, pairsJSON(used))
		return err
	})
	return wrap("TouchAPIKeys", err)
}

// EnvironmentByPublicKey returns the environment that has the public key.
func (s *Store) EnvironmentByPublicKey(ctx context.Context, tx linkspan.Tx, publicKey string) (linkspan.Environment, error) {
	return s.environment(ctx, tx, "EnvironmentByPublicKey", "e.public_key = $1", publicKey)
}

// purge runs one statement of housekeeping and counts the rows it touched.
func (s *Store) purge(ctx context.Context, tx linkspan.Tx, query string, args ...any) (int, error) {
	var n int64
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) (err error) {
		n, err = t.exec(ctx, query, args...)
		return err
	})
	return int(n), err
}
