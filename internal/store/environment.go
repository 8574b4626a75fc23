package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/vault"
)

// LockBootstrap lets one process at a time set up a new database: it waits for
// the others and holds them off until the transaction ends.
func (s *Store) LockBootstrap(ctx context.Context, tx linkspan.Tx) error {
	return wrap("LockBootstrap", s.lockNamed(ctx, asTxn(tx), lockBootstrap))
}

// Accounts returns all accounts, oldest first.
func (s *Store) Accounts(ctx context.Context, tx linkspan.Tx) ([]linkspan.Account, error) {
	accounts, err := all(ctx, s.read(tx), func(r scanner) (a linkspan.Account, err error) {
		return a, r.Scan(&a.ID, &a.UUID, &a.Name, timeInto{&a.CreatedAt})
	}, "select id, uuid, name, created_at from accounts order by id")
	return accounts, wrap("Accounts", err)
}

// InsertAccount stores a new account and sets its ID and CreatedAt.
func (s *Store) InsertAccount(ctx context.Context, tx linkspan.Tx, a *linkspan.Account) error {
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) (err error) {
		a.CreatedAt = t.now
		a.ID, err = one(ctx, t, value[linkspan.AccountID], "insert into accounts (uuid, name, created_at) values ($1, $2, $3) returning id",
			a.UUID, a.Name, micros(t.now))
		return err
	})
	return wrap("InsertAccount", err)
}

// environmentColumns are read by environmentRow.scan; e is the table.
const environmentColumns = `e.id, e.uuid, e.account_id, e.name, e.is_production, e.public_key, e.webhook_signing_key,
	e.previous_signing_key, e.previous_signing_key_until, e.callback_url, e.public_key_enabled, e.hmac_enabled, e.hmac_key,
	e.slack_notifications, e.otlp_endpoint, e.otlp_headers, e.webhook_settings, e.connect_ui, e.created_at, e.updated_at`

// environmentRow is an environment as stored.
type environmentRow struct {
	linkspan.Environment

	signingKey, previousKey, hmacKey, otlpHeaders []byte
}

func (r *environmentRow) dest() []any {
	e := &r.Environment
	return []any{
		&e.ID, &e.UUID, &e.AccountID, &e.Name, &e.IsProduction, &e.PublicKey, &r.signingKey,
		&r.previousKey,
		timeInto{&e.PreviousSigningKeyUntil},
		&e.Settings.CallbackURL, &e.Settings.PublicKeyEnabled, &e.Settings.HMACEnabled, &r.hmacKey,
		&e.Settings.SlackNotifications, &e.Settings.OTLPEndpoint, &r.otlpHeaders,
		jsonInto{&e.Settings.Webhooks},
		jsonInto{&e.Settings.ConnectUI},
		timeInto{&e.CreatedAt},
		timeInto{&e.UpdatedAt},
	}
}

func scanEnvironment(s scanner) (r environmentRow, err error) { return r, s.Scan(r.dest()...) }

func environmentAAD(column, uuid string) vault.AAD {
	return vault.AAD{Table: "environments", Column: column, Row: uuid}
}

// openEnvironment decrypts the secrets of a row.
func (s *Store) openEnvironment(ctx context.Context, tx linkspan.Tx, r environmentRow) (e linkspan.Environment, err error) {
	e = r.Environment
	var headers linkspan.Secret
	for _, c := range [4]struct {
		column string
		sealed []byte
		to     *linkspan.Secret
	}{
		{"webhook_signing_key", r.signingKey, &e.WebhookSigningKey},
		{"previous_signing_key", r.previousKey, &e.PreviousSigningKey},
		{"hmac_key", r.hmacKey, &e.Settings.HMACKey},
		{"otlp_headers", r.otlpHeaders, &headers},
	} {
		if *c.to, err = s.openText(ctx, tx, e.ID, environmentAAD(c.column, e.UUID), c.sealed); err != nil {
			return e, err
		}
	}
	if headers.IsZero() {
		return e, err
	}
	e.Settings.OTLPHeaders, err = decodePairs(headers)
	return e, err
}

// pairJSON is a linkspan.SecretPair on its way to and from encryption.
type pairJSON struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func encodePairs(pairs []linkspan.SecretPair) (string, error) {
	if len(pairs) == 0 {
		return "", nil
	}
	plain := make([]pairJSON, len(pairs))
	for i, p := range pairs {
		plain[i] = pairJSON{Name: p.Name, Value: p.Value.Reveal()}
	}
	return jsonText(plain)
}

func decodePairs(text linkspan.Secret) ([]linkspan.SecretPair, error) {
	var plain []pairJSON
	if err := json.Unmarshal([]byte(text.Reveal()), &plain); err != nil {
		return nil, fmt.Errorf("decoding stored pairs: %w", err)
	}
	pairs := make([]linkspan.SecretPair, len(plain))
	for i, p := range plain {
		pairs[i] = linkspan.SecretPair{Name: p.Name, Value: linkspan.NewSecret(p.Value)}
	}
	return pairs, nil
}

// InsertEnvironment stores a new environment with a data key of its own and
// sets its ID and times. A name that the account uses already is a conflict.
func (s *Store) InsertEnvironment(ctx context.Context, tx linkspan.Tx, e *linkspan.Environment) error {
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) (err error) {
		e.CreatedAt, e.UpdatedAt = t.now, t.now
		// Its secrets follow: they are sealed with a key that needs the row.
		e.ID, err = one(ctx, t, value[linkspan.EnvironmentID], `
			insert into environments (uuid, account_id, name, is_production, public_key, callback_url, hmac_enabled,
				slack_notifications, otlp_endpoint, created_at, updated_at)
			values ($1, $2, $3, $4, $5, '', false, false, '', $6, $6) returning id`,
			e.UUID, int64(e.AccountID), e.Name, e.IsProduction, e.PublicKey, micros(t.now))
		if err != nil {
			return err
		}
		key, err := s.vault.NewDataKey(e.ID, e.UUID)
		if err != nil {
			return fmt.Errorf("making the data key: %w", err)
		}
		if err := s.InsertDataKey(ctx, t, key); err != nil {
			return err
		}
		return s.updateEnvironment(ctx, t, e)
	})
	return wrap("InsertEnvironment", err)
}

// Environments returns an account's environments, oldest first; all of them or
// the one with the given name.
func (s *Store) Environments(ctx context.Context, tx linkspan.Tx, account linkspan.AccountID, name string) ([]linkspan.Environment, error) {
	found, err := all(ctx, s.read(tx), scanEnvironment, "select "+environmentColumns+` from environments e
		where e.account_id = $1 and e.deleted_at is null and ($2 = '' or e.name = $2) order by e.id`, int64(account), name)
	if err != nil {
		return nil, wrap("Environments", err)
	}
	out := make([]linkspan.Environment, len(found))
	for i, r := range found {
		if out[i], err = s.openEnvironment(ctx, tx, r); err != nil {
			return nil, wrap("Environments", err)
		}
	}
	return out, nil
}

// EnvironmentByUUID returns an environment of an account.
func (s *Store) EnvironmentByUUID(ctx context.Context, tx linkspan.Tx, account linkspan.AccountID, uuid string) (linkspan.Environment, error) {
	return s.environment(ctx, tx, "EnvironmentByUUID", "e.account_id = $1 and e.uuid = $2", int64(account), uuid)
}

// EnvironmentByID returns an environment of an account.
func (s *Store) EnvironmentByID(ctx context.Context, tx linkspan.Tx, account linkspan.AccountID, id linkspan.EnvironmentID) (linkspan.Environment, error) {
	return s.environment(ctx, tx, "EnvironmentByID", "e.account_id = $1 and e.id = $2", int64(account), int64(id))
}

func (s *Store) environment(ctx context.Context, tx linkspan.Tx, op, where string, args ...any) (linkspan.Environment, error) {
	r, err := one(ctx, s.read(tx), scanEnvironment,
		"select "+environmentColumns+" from environments e where e.deleted_at is null and "+where, args...)
	if err != nil {
		return linkspan.Environment{}, wrap(op, err)
	}
	e, err := s.openEnvironment(ctx, tx, r)
	return e, wrap(op, err)
}

// UpdateEnvironment stores everything of an environment but its ids, and sets
// UpdatedAt.
func (s *Store) UpdateEnvironment(ctx context.Context, tx linkspan.Tx, e *linkspan.Environment) error {
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) error { return s.updateEnvironment(ctx, t, e) })
	return wrap("UpdateEnvironment", err)
}

func (s *Store) updateEnvironment(ctx context.Context, t *txn, e *linkspan.Environment) error {
	sealed, err := s.sealEnvironment(ctx, t, e)
	if err != nil {
		return err
	}
	webhooks, err := jsonText(e.Settings.Webhooks)
	if err != nil {
		return err
	}
	look, err := jsonText(e.Settings.ConnectUI)
	if err != nil {
		return err
	}
	e.UpdatedAt = t.now
	t.changed(linkspan.ChangeEnvironment, e.ID, e.UUID)
	return affected(t.exec(ctx, `
		update environments set name = $1, is_production = $2, public_key = $3, webhook_signing_key = $4, previous_signing_key = $5,
			previous_signing_key_until = $6, callback_url = $7, public_key_enabled = $8, hmac_enabled = $9, hmac_key = $10,
			slack_notifications = $11, otlp_endpoint = $12, otlp_headers = $13, webhook_settings = $14, connect_ui = $15, updated_at = $16
		where id = $17 and uuid = $18 and account_id = $19 and deleted_at is null`,
		e.Name, e.IsProduction, e.PublicKey, sealed.signingKey, sealed.previousKey,
		nullMicros(e.PreviousSigningKeyUntil), e.Settings.CallbackURL, e.Settings.PublicKeyEnabled, e.Settings.HMACEnabled, sealed.hmacKey,
		e.Settings.SlackNotifications, e.Settings.OTLPEndpoint, sealed.otlpHeaders, webhooks, look, micros(e.UpdatedAt),
		int64(e.ID), e.UUID, int64(e.AccountID)))
}

// sealEnvironment is the inverse of openEnvironment.
func (s *Store) sealEnvironment(ctx context.Context, t *txn, e *linkspan.Environment) (r environmentRow, err error) {
	headers, err := encodePairs(e.Settings.OTLPHeaders)
	if err != nil {
		return r, err
	}
	for _, c := range [4]struct {
		column, text string
		to           *[]byte
	}{
		{"webhook_signing_key", e.WebhookSigningKey.Reveal(), &r.signingKey},
		{"previous_signing_key", e.PreviousSigningKey.Reveal(), &r.previousKey},
		{"hmac_key", e.Settings.HMACKey.Reveal(), &r.hmacKey},
		{"otlp_headers", headers, &r.otlpHeaders},
	} {
		if *c.to, err = s.sealText(ctx, t, e.ID, environmentAAD(c.column, e.UUID), c.text); err != nil {
			return r, err
		}
	}
	return r, nil
}

// DeleteEnvironment deletes an environment with everything in it. Its keys and
// sessions stop working at once; the rows stay until PurgeDeleted.
func (s *Store) DeleteEnvironment(ctx context.Context, tx linkspan.Tx, e *linkspan.Environment) error {
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) error {
		now := micros(t.now)
		if err := affected(t.exec(ctx, `update environments set deleted_at = $1
			where id = $2 and account_id = $3 and deleted_at is null`, now, int64(e.ID), int64(e.AccountID))); err != nil {
			return err
		}
		integrations, err := all(ctx, t, value[string], `update integrations set deleted_at = $1
			where environment_id = $2 and deleted_at is null returning uuid`, now, int64(e.ID))
		if err != nil {
			return err
		}
		if _, err := t.exec(ctx, "update connections set deleted_at = $1 where environment_id = $2 and deleted_at is null", now, int64(e.ID)); err != nil {
			return err
		}
		t.changed(linkspan.ChangeEnvironment, e.ID, e.UUID)
		for _, uuid := range integrations { // cached connections hang on these
			t.changed(linkspan.ChangeIntegration, e.ID, uuid)
		}
		return nil
	})
	return wrap("DeleteEnvironment", err)
}

// variableAAD binds a variable's value to its environment and name.
func variableAAD(envUUID, name string) vault.AAD {
	return vault.AAD{Table: "environment_variables", Column: "value", Row: envUUID + "/" + name}
}

// Variables returns an environment's variables, ordered by name.
func (s *Store) Variables(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID) ([]linkspan.SecretPair, error) {
	type row struct {
		name, envUUID string
		sealed        []byte
	}
	found, err := all(ctx, s.read(tx), func(sc scanner) (r row, err error) {
		return r, sc.Scan(&r.name, &r.envUUID, &r.sealed)
	}, `select v.name, e.uuid, v.value from environment_variables v join environments e on e.id = v.environment_id
		where v.environment_id = $1 and e.deleted_at is null order by v.name`, int64(env))
	if err != nil {
		return nil, wrap("Variables", err)
	}
	out := make([]linkspan.SecretPair, len(found))
	for i, r := range found {
		out[i].Name = r.name
		text, err := s.vault.Open(ctx, tx, env, variableAAD(r.envUUID, r.name), r.sealed)
		if err != nil {
			return nil, wrap("Variables", err)
		}
		out[i].Value = linkspan.NewSecret(string(text))
	}
	return out, nil
}

// ReplaceVariables makes the given variables the environment's only ones. A
// name given twice is a conflict.
func (s *Store) ReplaceVariables(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, envUUID string, variables []linkspan.SecretPair) error {
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) error {
		if err := lockEnvironment(ctx, t, s.dialect.forNoKeyUpdate, env); err != nil {
			return err
		}
		if _, err := t.exec(ctx, "delete from environment_variables where environment_id = $1", int64(env)); err != nil {
			return err
		}
		for _, v := range variables {
			sealed, err := s.vault.Seal(ctx, t, env, variableAAD(envUUID, v.Name), []byte(v.Value.Reveal()))
			if err != nil {
				return err
			}
			if _, err := t.exec(ctx, "insert into environment_variables (environment_id, name, value) values ($1, $2, $3)",
				int64(env), v.Name, sealed); err != nil {
				return err
			}
		}
		t.changed(linkspan.ChangeEnvironment, env, envUUID)
		return nil
	})
	return wrap("ReplaceVariables", err)
}
