package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/linkspan/linkspan"
)

// Checkpoint returns a function's checkpoint with a connection.
func (s *Store) Checkpoint(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, connection linkspan.ConnectionID, key string) (linkspan.Checkpoint, error) {
	c, err := one(ctx, s.read(tx), func(r scanner) (c linkspan.Checkpoint, err error) {
		var text string
		err = r.Scan(&c.Key, &text, &c.Version, timeInto{&c.UpdatedAt})
		c.Value = json.RawMessage(text)
		return c, err
	}, "select key, value, version, updated_at from checkpoints where environment_id = $1 and connection_id = $2 and key = $3",
		int64(env), int64(connection), key)
	return c, wrap("Checkpoint", err)
}

// SaveCheckpoint writes a checkpoint if the stored one still has c.Version, 0 for
// none, and sets Version and UpdatedAt: KindConflict otherwise, and KindNotFound
// when the environment has no such connection. Versions rise even over a removal,
// so that a writer from before it can't be taken for one that knows of it.
func (s *Store) SaveCheckpoint(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, connection linkspan.ConnectionID, c *linkspan.Checkpoint) error {
	const op = "SaveCheckpoint"
	next := *c
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) error {
		next.UpdatedAt, next.Version = t.now, max(micros(t.now), c.Version+1)
		if c.Version != 0 {
			n, err := t.exec(ctx, `update checkpoints set value = $1, version = $2, updated_at = $3
				where environment_id = $4 and connection_id = $5 and key = $6 and version = $7`,
				string(c.Value), next.Version, micros(t.now), int64(env), int64(connection), c.Key, c.Version)
			return unlessChanged(n, err)
		}
		if _, err := one(ctx, t, value[int64], "select id from connections where id = $1 and environment_id = $2 and deleted_at is null"+
			s.dialect.forShare, int64(connection), int64(env)); err != nil {
			return err
		}
		n, err := t.exec(ctx, `insert into checkpoints (environment_id, connection_id, key, value, version, updated_at)
			values ($1, $2, $3, $4, $5, $6) on conflict (connection_id, key) do nothing`,
			int64(env), int64(connection), c.Key, string(c.Value), next.Version, micros(t.now))
		return unlessChanged(n, err)
	})
	if err == nil {
		*c = next
	}
	return checkpointError(op, err)
}

// DeleteCheckpoint removes a checkpoint if it still has the version: KindConflict
// otherwise.
func (s *Store) DeleteCheckpoint(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, connection linkspan.ConnectionID, key string, version int64) error {
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) error {
		return unlessChanged(t.exec(ctx, "delete from checkpoints where environment_id = $1 and connection_id = $2 and key = $3 and version = $4",
			int64(env), int64(connection), key, version))
	})
	return checkpointError("DeleteCheckpoint", err)
}

// errChanged means that a row is not what the writer took it for.
var errChanged = errors.New("the checkpoint was changed by somebody else")

func unlessChanged(n int64, err error) error {
	if err == nil && n == 0 {
		return errChanged
	}
	return err
}

func checkpointError(op string, err error) error {
	if errors.Is(err, errChanged) {
		return linkspan.E("store."+op, linkspan.KindConflict, "", err, "The checkpoint was changed by somebody else.")
	}
	return wrap(op, err)
}

// AcquireFunctionLock gives an owner a named lock of the environment for ttl by
// the database's clock, unless somebody else has it: false. An owner that has it
// already gets it for ttl from now.
func (s *Store) AcquireFunctionLock(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, key, owner string, ttl time.Duration) (bool, error) {
	const op = "AcquireFunctionLock"
	if owner == "" {
		return false, errors.New("store.AcquireFunctionLock: a lock needs an owner")
	}
	var n int64
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) (err error) {
		if err := lockEnvironment(ctx, t, s.dialect.forShare, env); err != nil {
			return err
		}
		n, err = t.exec(ctx, `insert into function_locks (environment_id, key, owner, until) values ($1, $2, $3, `+s.dialect.now+` + $4)
			on conflict (environment_id, key) do update set owner = excluded.owner, until = excluded.until
			where function_locks.owner = excluded.owner or function_locks.until <= `+s.dialect.now, int64(env), key, owner, ttl.Microseconds())
		return err
	})
	return n > 0, wrap(op, err)
}

// ReleaseFunctionLock gives a lock back, and reports whether the owner had it.
func (s *Store) ReleaseFunctionLock(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, key, owner string) (bool, error) {
	n, err := s.releaseLocks(ctx, tx, "environment_id = $1 and owner = $2 and key = $3", int64(env), owner, key)
	return n > 0, wrap("ReleaseFunctionLock", err)
}

// ReleaseFunctionLocks gives all locks of an owner back.
func (s *Store) ReleaseFunctionLocks(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, owner string) error {
	_, err := s.releaseLocks(ctx, tx, "environment_id = $1 and owner = $2", int64(env), owner)
	return wrap("ReleaseFunctionLocks", err)
}

func (s *Store) releaseLocks(ctx context.Context, tx linkspan.Tx, where string, args ...any) (n int64, err error) {
	err = s.write(ctx, tx, func(ctx context.Context, t *txn) (err error) {
		n, err = t.exec(ctx, "delete from function_locks where "+where, args...)
		return err
	})
	return n, err
}

// PurgeFunctionLocks removes at most limit locks that lapsed before the given
// time, and returns how many it removed.
func (s *Store) PurgeFunctionLocks(ctx context.Context, tx linkspan.Tx, before time.Time, limit int) (int, error) {
	n, err := s.purge(ctx, tx, `delete from function_locks where (environment_id, key) in (
		select environment_id, key from function_locks where until < $1 order by until limit $2`+s.dialect.skipLocked+")", micros(before), limit)
	if err != nil {
		return n, wrap("PurgeFunctionLocks", fmt.Errorf("before %s: %w", before.UTC(), err))
	}
	return n, nil
}
