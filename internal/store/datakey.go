package store

import (
	"context"
	"fmt"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/vault"
)

const selectDataKeys = `
	select k.key_id, k.environment_id, e.uuid, k.master_id, k.wrapped, k.active, k.created_at
	from data_keys k join environments e on e.id = k.environment_id `

func scanDataKey(s scanner) (k vault.WrappedKey, err error) {
	var id []byte
	if err := s.Scan(&id, &k.EnvironmentID, &k.EnvironmentUUID, &k.MasterID, &k.Wrapped, &k.Active, timeInto{&k.CreatedAt}); err != nil {
		return k, err
	}
	if len(id) != len(k.ID) {
		return k, fmt.Errorf("a data key's id has %d bytes", len(id))
	}
	copy(k.ID[:], id)
	return k, nil
}

// DataKeys returns all data keys of an environment.
func (db *DB) DataKeys(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID) ([]vault.WrappedKey, error) {
	keys, err := all(ctx, db.read(tx), scanDataKey, selectDataKeys+"where k.environment_id = $1 order by k.key_id", int64(env))
	return keys, wrap("DataKeys", err)
}

// InsertDataKey stores a new data key. CreatedAt is set if it is zero.
func (db *DB) InsertDataKey(ctx context.Context, tx linkspan.Tx, k vault.WrappedKey) error {
	err := db.write(ctx, tx, func(ctx context.Context, t *txn) error {
		if k.CreatedAt.IsZero() {
			k.CreatedAt = t.now
		}
		_, err := t.exec(ctx, `insert into data_keys (environment_id, key_id, master_id, wrapped, active, created_at)
			values ($1, $2, $3, $4, $5, $6)`, int64(k.EnvironmentID), k.ID[:], k.MasterID, k.Wrapped, k.Active, micros(k.CreatedAt))
		return err
	})
	return wrap("InsertDataKey", err)
}

// DataKeySamples returns one data key for each master key in use.
func (db *DB) DataKeySamples(ctx context.Context) ([]vault.WrappedKey, error) {
	keys, err := all(ctx, db.read(nil), scanDataKey, selectDataKeys+`
		join (select master_id, min(environment_id) as environment_id from data_keys group by master_id) as f
		on f.master_id = k.master_id and f.environment_id = k.environment_id
		order by k.master_id, k.key_id`)
	if err != nil {
		return nil, wrap("DataKeySamples", err)
	}
	samples := keys[:0]
	for _, k := range keys {
		if len(samples) == 0 || samples[len(samples)-1].MasterID != k.MasterID {
			samples = append(samples, k)
		}
	}
	return samples, nil
}

// DataKeysByMaster returns the data keys that another master key than notMaster
// wraps, of at most limit environments after afterEnv, ordered by environment.
func (db *DB) DataKeysByMaster(ctx context.Context, notMaster string, afterEnv linkspan.EnvironmentID, limit int) ([]vault.WrappedKey, error) {
	keys, err := all(ctx, db.read(nil), scanDataKey, selectDataKeys+`
		where k.master_id <> $1 and k.environment_id in (
			select distinct environment_id from data_keys where master_id <> $1 and environment_id > $2
			order by environment_id limit $3
		) order by k.environment_id, k.key_id`, notMaster, int64(afterEnv), limit)
	return keys, wrap("DataKeysByMaster", err)
}

// RewrapDataKey stores k.Wrapped and k.MasterID if the key is still wrapped by
// oldMaster, and reports whether it was.
func (db *DB) RewrapDataKey(ctx context.Context, tx linkspan.Tx, k vault.WrappedKey, oldMaster string) (bool, error) {
	var n int64
	err := db.write(ctx, tx, func(ctx context.Context, t *txn) (err error) {
		n, err = t.exec(ctx, `update data_keys set master_id = $1, wrapped = $2
			where environment_id = $3 and key_id = $4 and master_id = $5`,
			k.MasterID, k.Wrapped, int64(k.EnvironmentID), k.ID[:], oldMaster)
		return err
	})
	return n > 0, wrap("RewrapDataKey", err)
}

// CountDataKeys returns how many data keys there are, and how many of them
// another master key than the given one wraps.
func (db *DB) CountDataKeys(ctx context.Context, tx linkspan.Tx, master string) (total, byOthers int, err error) {
	_, err = one(ctx, db.read(tx), func(s scanner) (struct{}, error) {
		return struct{}{}, s.Scan(&total, &byOthers)
	}, "select count(*), count(*) filter (where master_id <> $1) from data_keys", master)
	return total, byOthers, wrap("CountDataKeys", err)
}
