package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/vault"
)

const selectIntegrations = `select i.id, i.uuid, i.environment_id, i.key, i.provider, i.display_name, i.forward_webhooks, i.secrets,
	i.created_at, i.updated_at from integrations i `

type integrationRow struct {
	linkspan.Integration

	sealed []byte
}

func scanIntegration(s scanner) (r integrationRow, err error) {
	i := &r.Integration
	return r, s.Scan(&i.ID, &i.UUID, &i.EnvironmentID, &i.Key, &i.Provider, &i.DisplayName, &i.ForwardWebhooks, &r.sealed,
		timeInto{&i.CreatedAt}, timeInto{&i.UpdatedAt})
}

func integrationAAD(uuid string) vault.AAD {
	return vault.AAD{Table: "integrations", Column: "secrets", Row: uuid}
}

// integrationSecretsJSON is linkspan.IntegrationSecrets on its way to and from
// encryption.
type integrationSecretsJSON struct {
	ClientID      string            `json:"client_id,omitempty"`
	ClientSecret  string            `json:"client_secret,omitempty"`
	Scopes        string            `json:"scopes,omitempty"`
	WebhookSecret string            `json:"webhook_secret,omitempty"`
	AppID         string            `json:"app_id,omitempty"`
	AppLink       string            `json:"app_link,omitempty"`
	PrivateKey    string            `json:"private_key,omitempty"`
	Custom        map[string]string `json:"custom,omitempty"`
	Shared        bool              `json:"shared,omitempty"`
}

func (s *Store) sealIntegration(ctx context.Context, t *txn, i *linkspan.Integration) ([]byte, error) {
	plain := integrationSecretsJSON{
		ClientID: i.Secrets.ClientID, ClientSecret: i.Secrets.ClientSecret.Reveal(), Scopes: i.Secrets.Scopes,
		WebhookSecret: i.Secrets.WebhookSecret.Reveal(), AppID: i.Secrets.AppID, AppLink: i.Secrets.AppLink,
		PrivateKey: i.Secrets.PrivateKey.Reveal(), Shared: i.Secrets.Shared,
	}
	if len(i.Secrets.Custom) > 0 {
		plain.Custom = make(map[string]string, len(i.Secrets.Custom))
		for name, v := range i.Secrets.Custom {
			plain.Custom[name] = v.Reveal()
		}
	}
	text, err := json.Marshal(plain)
	if err != nil {
		return nil, fmt.Errorf("encoding the integration's secrets: %w", err)
	}
	return s.vault.Seal(ctx, t, i.EnvironmentID, integrationAAD(i.UUID), text)
}

func (s *Store) openIntegration(ctx context.Context, tx linkspan.Tx, r integrationRow) (linkspan.Integration, error) {
	i := r.Integration
	text, err := s.vault.Open(ctx, tx, i.EnvironmentID, integrationAAD(i.UUID), r.sealed)
	if err != nil {
		return i, err
	}
	var plain integrationSecretsJSON
	if err := json.Unmarshal(text, &plain); err != nil {
		return i, fmt.Errorf("decoding the integration's secrets: %w", err)
	}
	i.Secrets = linkspan.IntegrationSecrets{
		ClientID: plain.ClientID, ClientSecret: linkspan.NewSecret(plain.ClientSecret), Scopes: plain.Scopes,
		WebhookSecret: linkspan.NewSecret(plain.WebhookSecret), AppID: plain.AppID, AppLink: plain.AppLink,
		PrivateKey: linkspan.NewSecret(plain.PrivateKey), Shared: plain.Shared,
	}
	if len(plain.Custom) > 0 {
		i.Secrets.Custom = make(map[string]linkspan.Secret, len(plain.Custom))
		for name, v := range plain.Custom {
			i.Secrets.Custom[name] = linkspan.NewSecret(v)
		}
	}
	return i, nil
}

// Integrations returns an environment's integrations, oldest first.
func (s *Store) Integrations(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID) ([]linkspan.Integration, error) {
	found, err := all(ctx, s.read(tx), scanIntegration,
		selectIntegrations+"where i.environment_id = $1 and i.deleted_at is null order by i.id", int64(env))
	if err != nil {
		return nil, wrap("Integrations", err)
	}
	out := make([]linkspan.Integration, len(found))
	for n, r := range found {
		if out[n], err = s.openIntegration(ctx, tx, r); err != nil {
			return nil, wrap("Integrations", err)
		}
	}
	return out, nil
}

// Integration returns the environment's integration with the given key.
func (s *Store) Integration(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, key string) (linkspan.Integration, error) {
	r, err := one(ctx, s.read(tx), scanIntegration,
		selectIntegrations+"where i.environment_id = $1 and i.key = $2 and i.deleted_at is null", int64(env), key)
	if err != nil {
		return linkspan.Integration{}, wrap("Integration", err)
	}
	i, err := s.openIntegration(ctx, tx, r)
	return i, wrap("Integration", err)
}

// InsertIntegration stores a new integration and sets its ID and times. A key
// that the environment uses already is a conflict.
func (s *Store) InsertIntegration(ctx context.Context, tx linkspan.Tx, i *linkspan.Integration) error {
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) error {
		if err := lockEnvironment(ctx, t, s.dialect.forShare, i.EnvironmentID); err != nil {
			return err
		}
		sealed, err := s.sealIntegration(ctx, t, i)
		if err != nil {
			return err
		}
		i.CreatedAt, i.UpdatedAt = t.now, t.now
		t.changed(linkspan.ChangeIntegration, i.EnvironmentID, i.UUID)
		i.ID, err = one(ctx, t, value[linkspan.IntegrationID], `
			insert into integrations (uuid, environment_id, key, provider, display_name, forward_webhooks, secrets, created_at, updated_at)
			values ($1, $2, $3, $4, $5, $6, $7, $8, $8) returning id`,
			i.UUID, int64(i.EnvironmentID), i.Key, i.Provider, i.DisplayName, i.ForwardWebhooks, sealed, micros(t.now))
		return err
	})
	return wrap("InsertIntegration", err)
}

// UpdateIntegration stores everything of an integration but its ids and
// provider, and sets UpdatedAt. A key that is taken is a conflict.
func (s *Store) UpdateIntegration(ctx context.Context, tx linkspan.Tx, i *linkspan.Integration) error {
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) error {
		sealed, err := s.sealIntegration(ctx, t, i)
		if err != nil {
			return err
		}
		i.UpdatedAt = t.now
		t.changed(linkspan.ChangeIntegration, i.EnvironmentID, i.UUID)
		return affected(t.exec(ctx, `
			update integrations set key = $1, display_name = $2, forward_webhooks = $3, secrets = $4, updated_at = $5
			where id = $6 and uuid = $7 and environment_id = $8 and deleted_at is null`,
			i.Key, i.DisplayName, i.ForwardWebhooks, sealed, micros(t.now), int64(i.ID), i.UUID, int64(i.EnvironmentID)))
	})
	return wrap("UpdateIntegration", err)
}

// DeleteIntegration deletes an integration with its connections. The rows stay
// until PurgeDeleted.
func (s *Store) DeleteIntegration(ctx context.Context, tx linkspan.Tx, i *linkspan.Integration) error {
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) error {
		now := micros(t.now)
		if err := affected(t.exec(ctx, "update integrations set deleted_at = $1 where id = $2 and environment_id = $3 and deleted_at is null",
			now, int64(i.ID), int64(i.EnvironmentID))); err != nil {
			return err
		}
		if _, err := t.exec(ctx, "update connections set deleted_at = $1 where integration_id = $2 and deleted_at is null", now, int64(i.ID)); err != nil {
			return err
		}
		t.changed(linkspan.ChangeIntegration, i.EnvironmentID, i.UUID)
		return nil
	})
	return wrap("DeleteIntegration", err)
}

// CountConnections returns how many connections an integration has.
func (s *Store) CountConnections(ctx context.Context, tx linkspan.Tx, id linkspan.IntegrationID) (int, error) {
	n, err := one(ctx, s.read(tx), value[int64], "select count(*) from connections where integration_id = $1 and deleted_at is null", int64(id))
	return int(n), wrap("CountConnections", err)
}
