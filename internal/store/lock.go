package store

import (
	"context"

	"github.com/linkspan/linkspan"
)

// LockEnvironment is EnvironmentByUUID that keeps others from changing the
// environment until the transaction ends.
func (s *Store) LockEnvironment(ctx context.Context, tx linkspan.Tx, account linkspan.AccountID, uuid string) (linkspan.Environment, error) {
	return s.environment(ctx, tx, "LockEnvironment", "e.account_id = $1 and e.uuid = $2"+s.dialect.forUpdate, int64(account), uuid)
}

// LockIntegration is Integration that keeps others from changing it until the
// transaction ends.
func (s *Store) LockIntegration(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, key string) (linkspan.Integration, error) {
	r, err := one(ctx, s.read(tx), scanIntegration, selectIntegrations+
		"where i.environment_id = $1 and i.key = $2 and i.deleted_at is null"+s.dialect.forUpdate, int64(env), key)
	if err != nil {
		return linkspan.Integration{}, wrap("LockIntegration", err)
	}
	i, err := s.openIntegration(ctx, tx, r)
	return i, wrap("LockIntegration", err)
}
