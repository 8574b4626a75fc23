package store

import (
	"context"

	"github.com/linkspan/linkspan"
)

// LockEnvironment is EnvironmentByUUID that keeps others from changing the
// environment until the transaction ends. They may write rows that refer to it, which
// PostgreSQL has them lock it for: who ends a run of a sync does, and holds the sync
// for which the deletion of an environment waits.
func (s *Store) LockEnvironment(ctx context.Context, tx linkspan.Tx, account linkspan.AccountID, uuid string) (linkspan.Environment, error) {
	return s.environment(ctx, tx, "LockEnvironment", "e.account_id = $1 and e.uuid = $2"+s.dialect.forNoKeyUpdate, int64(account), uuid)
}

// LockIntegration is Integration that keeps others from changing it until the
// transaction ends, as LockEnvironment does.
func (s *Store) LockIntegration(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, key string) (linkspan.Integration, error) {
	r, err := one(ctx, s.read(tx), scanIntegration, selectIntegrations+
		"where i.environment_id = $1 and i.key = $2 and i.deleted_at is null"+s.dialect.forNoKeyUpdate, int64(env), key)
	if err != nil {
		return linkspan.Integration{}, wrap("LockIntegration", err)
	}
	i, err := s.openIntegration(ctx, tx, r)
	return i, wrap("LockIntegration", err)
}
