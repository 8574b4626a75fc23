package store

import (
	"context"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/vault"
)

func oauthPayloadAAD(uuid string) vault.AAD {
	return vault.AAD{Table: "oauth_sessions", Column: "payload", Row: uuid}
}

// InsertOAuthSession stores an authorization that begins, and sets its ID and
// CreatedAt.
func (s *Store) InsertOAuthSession(ctx context.Context, tx linkspan.Tx, o *linkspan.OAuthSession) error {
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) error {
		if err := lockEnvironment(ctx, t, s.dialect.forShare, o.EnvironmentID); err != nil {
			return err
		}
		payload, err := s.sealText(ctx, t, o.EnvironmentID, oauthPayloadAAD(o.UUID), o.Payload.Reveal())
		if err != nil {
			return err
		}
		var session any
		if o.ConnectSessionID != 0 {
			session = int64(o.ConnectSessionID)
		}
		o.CreatedAt = t.now
		o.ID, err = one(ctx, t, value[linkspan.OAuthSessionID], `
			insert into oauth_sessions (uuid, environment_id, state_hash, browser_hash, connect_session_id, integration_key,
				connection_name, popup_id, operation_id, payload, expires_at, created_at)
			values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) returning id`,
			o.UUID, int64(o.EnvironmentID), o.StateHash[:], o.BrowserHash[:], session, o.IntegrationKey,
			o.ConnectionName, o.PopupID, string(o.Operation), payload, micros(o.ExpiresAt), micros(t.now))
		return err
	})
	return wrap("InsertOAuthSession", err)
}

// oauthSessionRow is an authorization as stored.
type oauthSessionRow struct {
	linkspan.OAuthSession

	payload []byte
}

func scanOAuthSession(sc scanner) (r oauthSessionRow, err error) {
	o := &r.OAuthSession
	return r, sc.Scan(&o.ID, &o.UUID, &o.EnvironmentID, hashInto{&o.StateHash}, hashInto{&o.BrowserHash}, &o.ConnectSessionID,
		&o.IntegrationKey, &o.ConnectionName, &o.PopupID, &o.Operation, &r.payload,
		timeInto{&o.ExpiresAt}, timeInto{&o.UsedAt}, timeInto{&o.CreatedAt})
}

// TakeOAuthSession finds the authorization with the state and takes it: once,
// for the browser that began it, before it expires. A taken one is marked as
// used and its payload is wiped; one that is not taken comes without its payload
// and unchanged, for the caller to see why. Authorizations of deleted
// environments do not exist. A state that is unknown costs a look: anybody may
// make one up, and should not hold up those who write.
func (s *Store) TakeOAuthSession(ctx context.Context, tx linkspan.Tx, state, browser [32]byte, now time.Time) (o linkspan.OAuthSession, taken bool, err error) {
	if _, err := one(ctx, s.read(tx), value[int64], "select 1 from oauth_sessions where state_hash = $1", state[:]); err != nil {
		return linkspan.OAuthSession{}, false, wrap("TakeOAuthSession", err)
	}
	err = s.write(ctx, tx, func(ctx context.Context, t *txn) error {
		o, taken = linkspan.OAuthSession{}, false
		r, err := one(ctx, t, scanOAuthSession, `
			select o.id, o.uuid, o.environment_id, o.state_hash, o.browser_hash, coalesce(o.connect_session_id, 0),
				o.integration_key, o.connection_name, o.popup_id, o.operation_id, o.payload, o.expires_at, o.used_at, o.created_at
			from oauth_sessions o join environments e on e.id = o.environment_id
			where o.state_hash = $1 and e.deleted_at is null`+s.dialect.of(s.dialect.forUpdate, "o"), state[:])
		if err != nil {
			return err
		}
		o = r.OAuthSession
		if !o.UsedAt.IsZero() || o.BrowserHash != browser || !now.Before(o.ExpiresAt) {
			return nil
		}
		if o.Payload, err = s.openText(ctx, t, o.EnvironmentID, oauthPayloadAAD(o.UUID), r.payload); err != nil {
			return err
		}
		_, err = t.exec(ctx, "update oauth_sessions set used_at = $1, payload = null where id = $2", micros(now), int64(o.ID))
		o.UsedAt, taken = time.UnixMicro(micros(now)).UTC(), true
		return err
	})
	if err != nil {
		return linkspan.OAuthSession{}, false, wrap("TakeOAuthSession", err)
	}
	return o, taken, nil
}

// PurgeOAuthSessions removes at most limit authorizations that expired before
// the given time and returns how many it removed.
func (s *Store) PurgeOAuthSessions(ctx context.Context, tx linkspan.Tx, before time.Time, limit int) (int, error) {
	n, err := s.purge(ctx, tx, "delete from oauth_sessions where id in (select id from oauth_sessions where expires_at < $1 order by expires_at limit $2"+
		s.dialect.skipLocked+")", micros(before), limit)
	return n, wrap("PurgeOAuthSessions", err)
}

// ConnectionByID returns a connection of the environment by the database's id.
func (s *Store) ConnectionByID(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, id linkspan.ConnectionID) (linkspan.Connection, error) {
	r, err := one(ctx, s.read(tx), scanConnection, "select "+connectionColumns+"c.config, c.metadata, c.credentials"+fromConnections+`
		where c.id = $1 and c.environment_id = $2 and c.deleted_at is null and i.deleted_at is null`, int64(id), int64(env))
	if err != nil {
		return linkspan.Connection{}, wrap("ConnectionByID", err)
	}
	c, err := s.openConnection(ctx, tx, r)
	return c, wrap("ConnectionByID", err)
}

// IntegrationKeys returns those of the keys that name integrations of the
// environment.
func (s *Store) IntegrationKeys(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, keys []string) ([]string, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	c := &conditions{}
	c.add("environment_id = " + c.arg(int64(env)))
	c.add("deleted_at is null")
	if err := c.in(s.dialect, "key", keys); err != nil {
		return nil, wrap("IntegrationKeys", err)
	}
	found, err := all(ctx, s.read(tx), value[string], "select key from integrations where "+c.where()+" order by key", c.args...)
	return found, wrap("IntegrationKeys", err)
}
