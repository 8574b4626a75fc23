package store

import (
	"context"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/vault"
)

func authorizationAAD(uuid string) vault.AAD {
	return vault.AAD{Table: "authorizations", Column: "payload", Row: uuid}
}

// InsertAuthorization stores a grant that is not yet a connection and sets its
// ID and CreatedAt. A UUID that is taken is a conflict.
func (s *Store) InsertAuthorization(ctx context.Context, tx linkspan.Tx, a *linkspan.Authorization) error {
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) error {
		sealed, err := s.vault.Seal(ctx, t, a.EnvironmentID, authorizationAAD(a.UUID), []byte(a.Payload.Reveal()))
		if err != nil {
			return err
		}
		a.CreatedAt = t.now
		a.ID, err = one(ctx, t, value[linkspan.AuthorizationID], `
			insert into authorizations (uuid, environment_id, integration_key, connection_name, payload, created_at)
			values ($1, $2, $3, $4, $5, $6) returning id`,
			a.UUID, int64(a.EnvironmentID), a.IntegrationKey, a.ConnectionName, sealed, micros(t.now))
		return err
	})
	return wrap("InsertAuthorization", err)
}

// Authorization returns the authorization with the given UUID. It is known to
// its job only, which knows nothing else.
func (s *Store) Authorization(ctx context.Context, tx linkspan.Tx, uuid string) (linkspan.Authorization, error) {
	const op = "Authorization"
	type row struct {
		linkspan.Authorization

		payload []byte
	}
	r, err := one(ctx, s.read(tx), func(sc scanner) (r row, err error) {
		return r, sc.Scan(&r.ID, &r.UUID, &r.EnvironmentID, &r.IntegrationKey, &r.ConnectionName, &r.payload, timeInto{&r.CreatedAt})
	}, "select id, uuid, environment_id, integration_key, connection_name, payload, created_at from authorizations where uuid = $1", uuid)
	if err != nil {
		return linkspan.Authorization{}, wrap(op, err)
	}
	a := r.Authorization
	a.Payload, err = s.openText(ctx, tx, a.EnvironmentID, authorizationAAD(a.UUID), r.payload)
	return a, wrap(op, err)
}

// DeleteAuthorization removes an authorization, which has become a connection or
// was refused, and reports whether it was still there.
func (s *Store) DeleteAuthorization(ctx context.Context, tx linkspan.Tx, id linkspan.AuthorizationID) (bool, error) {
	n, err := s.purge(ctx, tx, "delete from authorizations where id = $1", int64(id))
	return n > 0, wrap("DeleteAuthorization", err)
}

// DeleteOlderAuthorizations removes those of the same connection that came
// before a, and returns how many there were.
func (s *Store) DeleteOlderAuthorizations(ctx context.Context, tx linkspan.Tx, a *linkspan.Authorization) (int, error) {
	n, err := s.purge(ctx, tx, "delete from authorizations where environment_id = $1 and integration_key = $2 and connection_name = $3 and id < $4",
		int64(a.EnvironmentID), a.IntegrationKey, a.ConnectionName, int64(a.ID))
	return n, wrap("DeleteOlderAuthorizations", err)
}

// PurgeAuthorizations removes at most limit authorizations from before the given
// time, which nobody could finish, and returns how many it removed.
func (s *Store) PurgeAuthorizations(ctx context.Context, tx linkspan.Tx, before time.Time, limit int) (int, error) {
	n, err := s.purge(ctx, tx, "delete from authorizations where id in (select id from authorizations where created_at < $1 order by id limit $2"+
		s.dialect.skipLocked+")", micros(before), limit)
	return n, wrap("PurgeAuthorizations", err)
}
