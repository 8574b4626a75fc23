package store

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/vault"
)

const connectSessionColumns = `c.id, c.uuid, c.environment_id, c.hash, c.allowed_integrations, c.end_user, c.tags, coalesce(c.reconnect_id, 0),
	c.defaults, c.overrides, c.webhook_url_override, c.operation_id, c.expires_at, c.created_at, `

// connectSessionRow is a session as stored, with its environment.
type connectSessionRow struct {
	session  linkspan.ConnectSession
	defaults []byte
	env      environmentRow
}

func scanConnectSession(sc scanner) (r connectSessionRow, err error) {
	c := &r.session
	return r, sc.Scan(append([]any{
		&c.ID, &c.UUID, &c.EnvironmentID,
		hashInto{&c.Hash},
		jsonInto{&c.AllowedIntegrations},
		jsonInto{&c.EndUser},
		jsonInto{&c.Tags},
		&c.Reconnect, &r.defaults,
		jsonInto{&c.Overrides},
		&c.WebhookURLOverride, &c.Operation,
		timeInto{&c.ExpiresAt},
		timeInto{&c.CreatedAt},
	}, r.env.dest()...)...)
}

func sessionDefaultsAAD(uuid string) vault.AAD {
	return vault.AAD{Table: "connect_sessions", Column: "defaults", Row: uuid}
}

// InsertConnectSession stores a new session and sets its ID and CreatedAt.
func (s *Store) InsertConnectSession(ctx context.Context, tx linkspan.Tx, c *linkspan.ConnectSession) error {
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) error {
		if err := lockEnvironment(ctx, t, s.dialect.forShare, c.EnvironmentID); err != nil {
			return err
		}
		allowed, err := jsonText(c.AllowedIntegrations)
		if err != nil {
			return err
		}
		tags, err := jsonText(c.Tags)
		if err != nil {
			return err
		}
		endUser, err := endUserText(c.EndUser)
		if err != nil {
			return err
		}
		overrides, err := jsonText(c.Overrides)
		if err != nil {
			return err
		}
		defaults, err := s.sealDefaults(ctx, t, c)
		if err != nil {
			return err
		}
		var reconnect any
		if c.Reconnect != 0 {
			reconnect = int64(c.Reconnect)
		}
		c.CreatedAt = t.now
		// No change is noted: nothing can have cached what did not exist.
		c.ID, err = one(ctx, t, value[linkspan.ConnectSessionID], `
			insert into connect_sessions (uuid, environment_id, hash, allowed_integrations, end_user, tags, reconnect_id,
				defaults, overrides, webhook_url_override, operation_id, expires_at, created_at)
			values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) returning id`,
			c.UUID, int64(c.EnvironmentID), c.Hash[:], allowed, endUser, tags, reconnect,
			defaults, overrides, c.WebhookURLOverride, string(c.Operation), micros(c.ExpiresAt), micros(t.now))
		return err
	})
	return wrap("InsertConnectSession", err)
}

func (s *Store) sealDefaults(ctx context.Context, t *txn, c *linkspan.ConnectSession) ([]byte, error) {
	if len(c.Defaults) == 0 {
		return nil, nil
	}
	text, err := jsonText(c.Defaults)
	if err != nil {
		return nil, err
	}
	return s.sealText(ctx, t, c.EnvironmentID, sessionDefaultsAAD(c.UUID), text)
}

// ConnectSessionByHash returns the session with the given hash, expired or not,
// and its environment. Sessions of deleted environments do not exist.
func (s *Store) ConnectSessionByHash(ctx context.Context, tx linkspan.Tx, hash [32]byte) (linkspan.ConnectSession, linkspan.Environment, error) {
	const op = "ConnectSessionByHash"
	r, err := one(ctx, s.read(tx), scanConnectSession, "select "+connectSessionColumns+environmentColumns+`
		from connect_sessions c join environments e on e.id = c.environment_id
		where c.hash = $1 and e.deleted_at is null`, hash[:])
	if err != nil {
		return linkspan.ConnectSession{}, linkspan.Environment{}, wrap(op, err)
	}
	e, err := s.openEnvironment(ctx, tx, r.env)
	if err != nil {
		return linkspan.ConnectSession{}, linkspan.Environment{}, wrap(op, err)
	}
	defaults, err := s.openText(ctx, tx, e.ID, sessionDefaultsAAD(r.session.UUID), r.defaults)
	if err != nil {
		return linkspan.ConnectSession{}, linkspan.Environment{}, wrap(op, err)
	}
	if !defaults.IsZero() {
		if err := json.Unmarshal([]byte(defaults.Reveal()), &r.session.Defaults); err != nil {
			return linkspan.ConnectSession{}, linkspan.Environment{}, wrap(op, fmt.Errorf("decoding the defaults of a session: %w", err))
		}
	}
	return r.session, e, nil
}

// DeleteConnectSession ends a session: its token stops working at once here, and
// within a second on other replicas.
func (s *Store) DeleteConnectSession(ctx context.Context, tx linkspan.Tx, c linkspan.ConnectSession) error {
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) error {
		t.changed(linkspan.ChangeConnectSession, c.EnvironmentID, hex.EncodeToString(c.Hash[:]))
		return affected(t.exec(ctx, "delete from connect_sessions where id = $1 and environment_id = $2", int64(c.ID), int64(c.EnvironmentID)))
	})
	return wrap("DeleteConnectSession", err)
}

// PurgeConnectSessions removes at most limit sessions that expired before the
// given time and returns how many it removed.
func (s *Store) PurgeConnectSessions(ctx context.Context, tx linkspan.Tx, before time.Time, limit int) (int, error) {
	n, err := s.purge(ctx, tx, "delete from connect_sessions where id in (select id from connect_sessions where expires_at < $1 order by expires_at limit $2"+
		s.dialect.skipLocked+")", micros(before), limit)
	return n, wrap("PurgeConnectSessions", err)
}
