package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/vault"
)

// connectionColumns are read by scanConnection, followed by the three sealed
// columns, or nulls in their place; c is the connection and i its integration.
const connectionColumns = `c.id, c.uuid, c.environment_id, c.integration_id, i.key, i.provider, c.name, c.tags,
	c.end_user, c.webhook_url_override, c.expires_at, c.refresh_failed_at, c.refresh_failed_days, c.refresh_exhausted,
	c.refresh_reason, c.refresh_message, c.refresh_operation, c.credentials_version, c.last_fetched_at, c.created_at, c.updated_at, `

const fromConnections = " from connections c join integrations i on i.id = c.integration_id "

type connectionRow struct {
	linkspan.Connection

	config, metadata, credentials []byte
}

func scanConnection(s scanner) (r connectionRow, err error) {
	c := &r.Connection
	return r, s.Scan(&c.ID, &c.UUID, &c.EnvironmentID, &c.IntegrationID, &c.IntegrationKey, &c.Provider, &c.Name,
		jsonInto{&c.Tags}, jsonInto{&c.EndUser}, &c.WebhookURLOverride, timeInto{&c.ExpiresAt},
		timeInto{&c.Refresh.FailedAt}, &c.Refresh.FailedDays, &c.Refresh.Exhausted, &c.Refresh.Reason, &c.Refresh.Message,
		&c.Refresh.Operation, &c.CredentialsVersion, timeInto{&c.LastFetchedAt}, timeInto{&c.CreatedAt}, timeInto{&c.UpdatedAt},
		&r.config, &r.metadata, &r.credentials)
}

func connectionAAD(column, uuid string) vault.AAD {
	return vault.AAD{Table: "connections", Column: column, Row: uuid}
}

// sealObject seals a JSON object; nil is stored as null.
func (s *Store) sealObject(ctx context.Context, t *txn, c *linkspan.Connection, column string, object map[string]any) ([]byte, error) {
	if object == nil {
		return nil, nil
	}
	text, err := json.Marshal(object)
	if err != nil {
		return nil, fmt.Errorf("encoding a connection's %s: %w", column, err)
	}
	return s.vault.Seal(ctx, t, c.EnvironmentID, connectionAAD(column, c.UUID), text)
}

// sealDetails seals what a connection has besides its credentials.
func (s *Store) sealDetails(ctx context.Context, t *txn, c *linkspan.Connection) (config, metadata []byte, err error) {
	if config, err = s.sealObject(ctx, t, c, "config", c.Config); err != nil {
		return nil, nil, err
	}
	metadata, err = s.sealObject(ctx, t, c, "metadata", c.Metadata)
	return config, metadata, err
}

func (s *Store) openObject(ctx context.Context, tx linkspan.Tx, c *linkspan.Connection, column string, sealed []byte) (map[string]any, error) {
	if len(sealed) == 0 {
		return nil, nil
	}
	text, err := s.vault.Open(ctx, tx, c.EnvironmentID, connectionAAD(column, c.UUID), sealed)
	if err != nil {
		return nil, err
	}
	return decodeObject(text)
}

func (s *Store) openConnection(ctx context.Context, tx linkspan.Tx, r connectionRow) (linkspan.Connection, error) {
	c := r.Connection
	var err error
	if c.Config, err = s.openObject(ctx, tx, &c, "config", r.config); err != nil {
		return c, err
	}
	if c.Metadata, err = s.openObject(ctx, tx, &c, "metadata", r.metadata); err != nil {
		return c, err
	}
	c.Credentials, err = s.openText(ctx, tx, c.EnvironmentID, connectionAAD("credentials", c.UUID), r.credentials)
	return c, err
}

// Connection returns the connection with the given name at an integration of
// the environment.
func (s *Store) Connection(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, integrationKey, name string) (linkspan.Connection, error) {
	return s.connection(ctx, tx, "Connection", "", env, integrationKey, name)
}

// LockConnection is Connection that keeps others from changing it until the
// transaction ends.
func (s *Store) LockConnection(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, integrationKey, name string) (linkspan.Connection, error) {
	return s.connection(ctx, tx, "LockConnection", s.dialect.of(s.dialect.forNoKeyUpdate, "c"), env, integrationKey, name)
}

func (s *Store) connection(ctx context.Context, tx linkspan.Tx, op, lock string, env linkspan.EnvironmentID, integrationKey, name string) (linkspan.Connection, error) {
	r, err := one(ctx, s.read(tx), scanConnection, "select "+connectionColumns+"c.config, c.metadata, c.credentials"+fromConnections+`
		where c.environment_id = $1 and c.name = $2 and c.deleted_at is null
			and i.environment_id = $1 and i.key = $3 and i.deleted_at is null`+lock, int64(env), name, integrationKey)
	if err != nil {
		return linkspan.Connection{}, wrap(op, err)
	}
	c, err := s.openConnection(ctx, tx, r)
	return c, wrap(op, err)
}

// Connections returns the selected connections without their credentials,
// newest first.
func (s *Store) Connections(ctx context.Context, tx linkspan.Tx, f linkspan.ConnectionFilter) ([]linkspan.Connection, error) {
	c, err := s.connectionConditions(f)
	if err != nil {
		return nil, wrap("Connections", err)
	}
	query := "select " + connectionColumns + "c.config, c.metadata, null" + fromConnections + "where " + c.where() +
		" order by c.id desc limit " + c.arg(f.Limit) + " offset " + c.arg(f.Offset)
	found, err := all(ctx, s.read(tx), scanConnection, query, c.args...)
	if err != nil {
		return nil, wrap("Connections", err)
	}
	out := make([]linkspan.Connection, len(found))
	for n, r := range found {
		if out[n], err = s.openConnection(ctx, tx, r); err != nil {
			return nil, wrap("Connections", err)
		}
	}
	return out, nil
}

func (s *Store) connectionConditions(f linkspan.ConnectionFilter) (*conditions, error) {
	c := &conditions{}
	env := c.arg(int64(f.EnvironmentID))
	c.add("c.environment_id = " + env)
	c.add("c.deleted_at is null")
	c.add("i.deleted_at is null")
	if f.Name != "" {
		c.add("c.name = " + c.arg(f.Name))
	}
	if f.Search != "" {
		c.add("c.search like " + c.arg("%"+escapeLike(strings.ToLower(f.Search))+"%") + ` escape '\'`)
	}
	if len(f.IntegrationKeys) > 0 {
		if err := c.in(s.dialect, "i.key", f.IntegrationKeys); err != nil {
			return nil, err
		}
	}
	if f.EndUserID != "" {
		c.add("c.end_user_id <> ''") // lets the partial index serve
		c.add("c.end_user_id = " + c.arg(f.EndUserID))
	}
	if f.OrganizationID != "" {
		c.add("c.organization_id <> ''")
		c.add("c.organization_id = " + c.arg(f.OrganizationID))
	}
	for key, value := range f.Tags {
		c.add("exists (select 1 from connection_tags g where g.connection_id = c.id and g.environment_id = " + env +
			" and g.key = " + c.arg(key) + " and g.value = " + c.arg(value) + ")")
	}
	return c, nil
}

// escapeLike makes the wildcards of like ordinary characters.
func escapeLike(s string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(s)
}

// profile is what lists select connections by, taken from the end user and the
// tags that stand for one (features TAG-05).
type profile struct{ tags, endUserID, organizationID, search string }

func profileOf(c *linkspan.Connection) (p profile, endUser any, err error) {
	tags := c.Tags
	if tags == nil {
		tags = map[string]string{}
	}
	if p.tags, err = jsonText(tags); err != nil {
		return p, nil, err
	}
	p.endUserID, p.organizationID = tags["end_user_id"], tags["organization_id"]
	found := []string{c.Name, tags["end_user_display_name"], tags["end_user_email"]}
	if u := c.EndUser; u != nil {
		p.endUserID = u.ID
		if u.Organization != nil {
			p.organizationID = u.Organization.ID
		}
		found = append(found, u.DisplayName, u.Email)
	}
	p.search = strings.ToLower(strings.Join(found, "\n"))
	endUser, err = endUserText(c.EndUser)
	return p, endUser, err
}

// endUserText is an end user as stored; nil is null.
func endUserText(u *linkspan.EndUser) (any, error) {
	if u == nil {
		return nil, nil
	}
	return jsonText(u)
}

// InsertConnection stores a new connection, its credentials at version 1, and
// sets its ID, version and times. A name taken at the integration is a
// conflict.
func (s *Store) InsertConnection(ctx context.Context, tx linkspan.Tx, c *linkspan.Connection) error {
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) error {
		if _, err := one(ctx, t, value[int64], "select id from integrations where id = $1 and environment_id = $2 and deleted_at is null"+
			s.dialect.forShare, int64(c.IntegrationID), int64(c.EnvironmentID)); err != nil {
			return err
		}
		c.CreatedAt, c.UpdatedAt, c.CredentialsVersion = t.now, t.now, 1
		t.changed(linkspan.ChangeConnection, c.EnvironmentID, c.UUID)
		if err := s.insertConnectionRow(ctx, t, c); err != nil {
			return err
		}
		return insertTags(ctx, t, c)
	})
	return wrap("InsertConnection", err)
}

func (s *Store) insertConnectionRow(ctx context.Context, t *txn, c *linkspan.Connection) error {
	p, endUser, err := profileOf(c)
	if err != nil {
		return err
	}
	credentials, err := s.vault.Seal(ctx, t, c.EnvironmentID, connectionAAD("credentials", c.UUID), []byte(c.Credentials.Reveal()))
	if err != nil {
		return err
	}
	config, metadata, err := s.sealDetails(ctx, t, c)
	if err != nil {
		return err
	}
	c.ID, err = one(ctx, t, value[linkspan.ConnectionID], `
		insert into connections (uuid, environment_id, integration_id, name, credentials, credentials_version, credentials_at,
			config, metadata, tags, end_user, end_user_id, organization_id, search, webhook_url_override, expires_at,
			refresh_failed_at, refresh_failed_days, refresh_exhausted, refresh_reason, refresh_message, refresh_operation,
			last_fetched_at, created_at, updated_at)
		values ($1, $2, $3, $4, $5, 1, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $6, $6)
		returning id`,
		c.UUID, int64(c.EnvironmentID), int64(c.IntegrationID), c.Name, credentials, micros(t.now),
		config, metadata, p.tags, endUser, p.endUserID, p.organizationID, p.search, c.WebhookURLOverride, nullMicros(c.ExpiresAt),
		nullMicros(c.Refresh.FailedAt), c.Refresh.FailedDays, c.Refresh.Exhausted, c.Refresh.Reason, storable(c.Refresh.Message),
		string(c.Refresh.Operation), nullMicros(c.LastFetchedAt))
	return err
}

func insertTags(ctx context.Context, t *txn, c *linkspan.Connection) error {
	for key, value := range c.Tags {
		if _, err := t.exec(ctx, "insert into connection_tags (environment_id, connection_id, key, value) values ($1, $2, $3, $4)",
			int64(c.EnvironmentID), int64(c.ID), key, value); err != nil {
			return err
		}
	}
	return nil
}

// UpdateConnection stores what the customer may change of a connection: config,
// metadata, tags, end user and webhook override. It sets UpdatedAt.
func (s *Store) UpdateConnection(ctx context.Context, tx linkspan.Tx, c *linkspan.Connection) error {
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) error {
		p, endUser, err := profileOf(c)
		if err != nil {
			return err
		}
		config, metadata, err := s.sealDetails(ctx, t, c)
		if err != nil {
			return err
		}
		c.UpdatedAt = t.now
		t.changed(linkspan.ChangeConnection, c.EnvironmentID, c.UUID)
		if err := affected(t.exec(ctx, `
			update connections set config = $1, metadata = $2, tags = $3, end_user = $4, end_user_id = $5, organization_id = $6,
				search = $7, webhook_url_override = $8, updated_at = $9
			where id = $10 and uuid = $11 and environment_id = $12 and deleted_at is null`,
			config, metadata, p.tags, endUser, p.endUserID, p.organizationID, p.search, c.WebhookURLOverride, micros(t.now),
			int64(c.ID), c.UUID, int64(c.EnvironmentID))); err != nil {
			return err
		}
		if _, err := t.exec(ctx, "delete from connection_tags where connection_id = $1", int64(c.ID)); err != nil {
			return err
		}
		return insertTags(ctx, t, c)
	})
	return wrap("UpdateConnection", err)
}

// SaveCredentials stores new credentials with what belongs to them: config,
// expiry and the state of refreshing. When the stored version is not
// c.CredentialsVersion any more the error is a conflict and nothing is stored;
// otherwise the version rises by one. On success UpdatedAt is set.
func (s *Store) SaveCredentials(ctx context.Context, tx linkspan.Tx, c *linkspan.Connection) error {
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) error {
		credentials, err := s.vault.Seal(ctx, t, c.EnvironmentID, connectionAAD("credentials", c.UUID), []byte(c.Credentials.Reveal()))
		if err != nil {
			return err
		}
		config, err := s.sealObject(ctx, t, c, "config", c.Config)
		if err != nil {
			return err
		}
		now := t.now
		n, err := t.exec(ctx, `
			update connections set credentials = $1, credentials_version = credentials_version + 1, credentials_at = $2, updated_at = $2,
				config = $3, expires_at = $4, refresh_failed_at = $5, refresh_failed_days = $6, refresh_exhausted = $7,
				refresh_reason = $8, refresh_message = $9, refresh_operation = $10
			where id = $11 and uuid = $12 and environment_id = $13 and credentials_version = $14 and deleted_at is null`,
			credentials, micros(now), config, nullMicros(c.ExpiresAt), nullMicros(c.Refresh.FailedAt), c.Refresh.FailedDays,
			c.Refresh.Exhausted, c.Refresh.Reason, storable(c.Refresh.Message), string(c.Refresh.Operation),
			int64(c.ID), c.UUID, int64(c.EnvironmentID), c.CredentialsVersion)
		if err != nil {
			return err
		}
		if n == 0 {
			return staleConnection(ctx, t, "SaveCredentials", c.ID, c.UUID)
		}
		t.changed(linkspan.ChangeConnection, c.EnvironmentID, c.UUID)
		// The caller's copy moves on with the database, not before it.
		t.OnCommit(func() {
			c.CredentialsVersion++
			c.UpdatedAt = now
		})
		return nil
	})
	return wrap("SaveCredentials", err)
}

// staleConnection tells a connection that was changed from one that is gone.
func staleConnection(ctx context.Context, t *txn, op string, id linkspan.ConnectionID, uuid string) error {
	_, err := one(ctx, t, value[int64], "select id from connections where id = $1 and uuid = $2 and deleted_at is null", int64(id), uuid)
	if err != nil {
		return err
	}
	return stale(op)
}

// SaveRefreshState stores what is remembered of failed refreshes, if the
// credentials are still those of the given version; otherwise the error is a
// conflict.
func (s *Store) SaveRefreshState(ctx context.Context, tx linkspan.Tx, id linkspan.ConnectionID, uuid string, version int64, r linkspan.RefreshState) error {
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) error {
		env, err := one(ctx, t, value[linkspan.EnvironmentID], `
			update connections set refresh_failed_at = $1, refresh_failed_days = $2, refresh_exhausted = $3,
				refresh_reason = $4, refresh_message = $5, refresh_operation = $6
			where id = $7 and uuid = $8 and credentials_version = $9 and deleted_at is null
			returning environment_id`,
			nullMicros(r.FailedAt), r.FailedDays, r.Exhausted, r.Reason, storable(r.Message), string(r.Operation), int64(id), uuid, version)
		if errors.Is(err, errNoRow) {
			return staleConnection(ctx, t, "SaveRefreshState", id, uuid)
		}
		if err != nil {
			return err
		}
		t.changed(linkspan.ChangeConnection, env, uuid)
		return nil
	})
	return wrap("SaveRefreshState", err)
}

// DeleteConnection deletes a connection. The row stays until PurgeDeleted.
func (s *Store) DeleteConnection(ctx context.Context, tx linkspan.Tx, c *linkspan.Connection) error {
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) error {
		t.changed(linkspan.ChangeConnection, c.EnvironmentID, c.UUID)
		return affected(t.exec(ctx, `update connections set deleted_at = $1
			where id = $2 and uuid = $3 and environment_id = $4 and deleted_at is null`,
			micros(t.now), int64(c.ID), c.UUID, int64(c.EnvironmentID)))
	})
	return wrap("DeleteConnection", err)
}

// ConnectionsDeletedWith returns at most limit connections after the given id, in
// the order of ids, that were deleted together with an integration, or for the
// id zero with their environment: not those that were deleted before. Nothing
// sealed is read.
func (s *Store) ConnectionsDeletedWith(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, integration linkspan.IntegrationID, after linkspan.ConnectionID, limit int) ([]linkspan.Connection, error) {
	owner := "c.environment_id = $1 and c.deleted_at = (select deleted_at from environments where id = $1)"
	args := []any{int64(env), int64(after), limit}
	if integration != 0 {
		owner = "c.environment_id = $1 and c.integration_id = $4 and c.deleted_at = i.deleted_at"
		args = append(args, int64(integration))
	}
	found, err := all(ctx, s.read(tx), scanConnection, "select "+connectionColumns+"null, null, null"+fromConnections+
		"where "+owner+" and c.id > $2 order by c.id limit $3", args...)
	if err != nil {
		return nil, wrap("ConnectionsDeletedWith", err)
	}
	return unsealed(found), nil
}

// unsealed returns the connections of rows that were read without what is
// sealed.
func unsealed(rows []connectionRow) []linkspan.Connection {
	out := make([]linkspan.Connection, len(rows))
	for n, r := range rows {
		out[n] = r.Connection
	}
	return out
}

// TouchConnections notes when connections were last fetched. A time never moves
// back.
func (s *Store) TouchConnections(ctx context.Context, tx linkspan.Tx, fetched map[linkspan.ConnectionID]time.Time) error {
	if len(fetched) == 0 {
		return nil
	}
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) error {
		_, err := t.exec(ctx, "update connections set last_fetched_at = u.at from "+s.dialect.pairs("$1")+`
			where connections.id = u.id and (last_fetched_at is null or last_fetched_at < u.at)`, pairsJSON(fetched))
		return err
	})
	return wrap("TouchConnections", err)
}

// ConnectionsToRefresh returns at most limit connections after the given id, in
// the order of ids, whose credentials expire, were stored before the given time
// and may still be refreshed. Nothing sealed is read: Credentials, Config and
// Metadata are empty, and one damaged row does not keep the others from being
// refreshed.
func (s *Store) ConnectionsToRefresh(ctx context.Context, tx linkspan.Tx, refreshedBefore time.Time, after linkspan.ConnectionID, limit int) ([]linkspan.Connection, error) {
	found, err := all(ctx, s.read(tx), scanConnection, "select "+connectionColumns+"null, null, null"+fromConnections+`
		where c.id > $1 and c.credentials_at < $2 and c.expires_at is not null and c.deleted_at is null and not c.refresh_exhausted
			and i.deleted_at is null
		order by c.id limit $3`, int64(after), micros(refreshedBefore), limit)
	if err != nil {
		return nil, wrap("ConnectionsToRefresh", err)
	}
	return unsealed(found), nil
}
