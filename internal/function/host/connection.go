package host

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"strings"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/connect"
	"github.com/linkspan/linkspan/internal/function/call"
)

// shownConnection is a connection as GET /connections/{id} answers it (wire
// contract §4.4).
type shownConnection struct {
	ID                 int64                     `json:"id"`
	ConnectionID       string                    `json:"connection_id"`
	ProviderConfigKey  string                    `json:"provider_config_key"`
	Provider           string                    `json:"provider"`
	Errors             []connect.ConnectionError `json:"errors"`
	EndUser            *shownEndUser             `json:"end_user"`
	Tags               map[string]string         `json:"tags"`
	Metadata           map[string]any            `json:"metadata"`
	ConnectionConfig   map[string]any            `json:"connection_config"`
	WebhookURLOverride *string                   `json:"webhook_url_override"`
	CreatedAt          string                    `json:"created_at"`
	UpdatedAt          string                    `json:"updated_at"`
	LastFetchedAt      *string                   `json:"last_fetched_at"`
	Credentials        map[string]any            `json:"credentials"`
}

type shownEndUser struct {
	ID           string             `json:"id"`
	DisplayName  *string            `json:"display_name"`
	Email        *string            `json:"email"`
	Tags         map[string]string  `json:"tags"`
	Organization *shownOrganization `json:"organization"`
}

type shownOrganization struct {
	ID          string  `json:"id"`
	DisplayName *string `json:"display_name"`
}

// offsetTime is how the public API writes times of connections.
const offsetTime = "2006-01-02T15:04:05.000-07:00"

// connection returns a connection with its credentials.
func (x *Session) connection(ctx context.Context, p call.Connection) (any, error) {
	t, err := x.target(ctx, p.Which, connect.FreshOptions{Force: p.ForceRefresh})
	if err != nil {
		return nil, err
	}
	c := &t.Connection
	shown := shownConnection{
		ID: int64(c.ID), ConnectionID: c.Name, ProviderConfigKey: t.Integration.Key, Provider: t.Integration.Provider,
		Errors: connect.Errors(c), EndUser: showEndUser(c.EndUser), Tags: orEmpty(c.Tags), Metadata: c.Metadata,
		ConnectionConfig: orEmpty(c.Config), WebhookURLOverride: orNull(c.WebhookURLOverride),
		CreatedAt: c.CreatedAt.UTC().Format(offsetTime), UpdatedAt: c.UpdatedAt.UTC().Format(offsetTime),
		Credentials: map[string]any{},
	}
	// Tokens of an app that the operator lends stay here, and functions return what
	// they like (features INT-08).
	if !t.Integration.Secrets.Shared {
		shown.Credentials = t.Credentials.Wire(p.RefreshToken)
	}
	if !c.LastFetchedAt.IsZero() {
		shown.LastFetchedAt = new(c.LastFetchedAt.UTC().Format(offsetTime))
	}
	if md, ok := x.Metadata(); ok && x.own(p.Which) {
		shown.Metadata = md
	}
	return shown, nil
}

func showEndUser(u *linkspan.EndUser) *shownEndUser {
	if u == nil {
		return nil
	}
	shown := &shownEndUser{ID: u.ID, DisplayName: orNull(u.DisplayName), Email: orNull(u.Email), Tags: orEmpty(u.Tags)}
	if u.Organization != nil {
		shown.Organization = &shownOrganization{ID: u.Organization.ID, DisplayName: orNull(u.Organization.DisplayName)}
	}
	return shown
}

func orEmpty[V any](m map[string]V) map[string]V {
	if m == nil {
		return map[string]V{}
	}
	return m
}

func orNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

const (
	// maxMetadata bounds the metadata of a connection as functions write it, in
	// bytes of its JSON.
	maxMetadata = 1 << 20
	// minRandom is from which length a value may look like a key.
	minRandom = 16
)

// writeMetadata replaces the metadata of the run's connection, or merges into it.
func (x *Session) writeMetadata(ctx context.Context, p call.Metadata) (any, error) {
	if p.Metadata == nil {
		return nil, linkspan.E("host.metadata", linkspan.KindInvalid, "invalid_metadata", nil, "Metadata must be an object.")
	}
	x.writing.Lock()
	defer x.writing.Unlock()
	next, err := x.nextMetadata(ctx, p)
	if err != nil {
		return nil, err
	}
	if x.info.Pending { // nothing is written: it can be done again
		x.mu.Lock()
		x.metadata, x.metadataOK = next, true
		x.mu.Unlock()
		return nil, nil //nolint:nilnil // there is nothing to answer
	}
	x.effect()
	write := x.s.c.Connections.SetMetadata
	if p.Merge {
		write = x.s.c.Connections.MergeMetadata
	}
	return nil, write(ctx, x.info.Environment.ID, x.info.IntegrationKey, []string{x.info.ConnectionName}, p.Metadata)
}

// nextMetadata is what the metadata will be, within its limit. Of a connection that
// is stored and can't be used now only what is written is known.
func (x *Session) nextMetadata(ctx context.Context, p call.Metadata) (map[string]any, error) {
	next := make(map[string]any, len(p.Metadata))
	if before, ok := x.Metadata(); p.Merge && ok {
		maps.Copy(next, before)
	} else if p.Merge {
		t, err := x.target(ctx, which{}, connect.FreshOptions{})
		switch {
		case err == nil:
			maps.Copy(next, t.Connection.Metadata)
		case x.info.Pending:
			return nil, err
		}
	}
	maps.Copy(next, p.Metadata)
	text, err := encode(next)
	if err != nil {
		return nil, err
	}
	if len(text) > maxMetadata {
		return nil, linkspan.E("host.metadata", linkspan.KindTooLarge, "metadata_too_large", nil,
			"The metadata of the connection would have %d bytes; at most %d are kept.", len(text), maxMetadata).
			WithHint("Metadata is for settings: keep data in your own database.")
	}
	return next, nil
}

// variables returns the environment's variables.
func (x *Session) variables(ctx context.Context, _ none) (any, error) {
	found, err := x.s.c.Variables.Variables(ctx, x.info.Environment.ID)
	if err != nil {
		return nil, fmt.Errorf("reading the variables: %w", err)
	}
	list := make([]call.Variable, len(found))
	var secrets []linkspan.Secret
	for i, v := range found {
		list[i] = call.Variable{Name: v.Name, Value: v.Value.Reveal()}
		if soundsSecret(v.Name) || looksSecret(v.Value.Reveal()) {
			secrets = append(secrets, v.Value)
		}
	}
	x.know(secrets...)
	return list, nil
}

// soundsSecret reports whether a variable is kept out of logs by its name. The
// values of others, such as "production", are ordinary words.
func soundsSecret(name string) bool {
	name = strings.ToUpper(name)
	for _, word := range []string{"KEY", "SECRET", "TOKEN", "PASS", "PWD", "PRIVATE", "CREDENTIAL", "AUTH", "SIGN", "DSN"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}

// looksSecret reports whether a variable is kept out of logs by its value: it is
// long and made of letters and digits in no order that words have, or it is an
// address with a password in it.
func looksSecret(value string) bool {
	if u, err := url.Parse(value); err == nil && u.Scheme != "" && u.Host != "" {
		_, has := u.User.Password()
		return has
	}
	if strings.HasPrefix(value, "-----BEGIN") {
		return true
	}
	if len(value) < minRandom || strings.ContainsAny(value, " \t") {
		return false
	}
	longest, run, digits := 0, 0, 0
	for _, c := range value {
		switch {
		case c >= 'a' && c <= 'z':
			run++
		case c >= '0' && c <= '9':
			digits++
			run = 0
		default:
			run = 0
		}
		longest = max(longest, run)
	}
	return digits >= 2 && longest < minRandom/2
}

// action runs another action.
func (x *Session) action(ctx context.Context, p call.Action) (any, error) {
	const op = "host.action"
	if x.info.Trigger == nil {
		return nil, linkspan.E(op, linkspan.KindInvalid, "action_not_available", nil, "There are no other actions here.")
	}
	if p.Action == "" || len(p.Action) > 255 {
		return nil, linkspan.E(op, linkspan.KindInvalid, "invalid_body", nil, "triggerAction needs the name of an action.")
	}
	x.effect()
	key, name := x.names(p.Which)
	output, err := x.info.Trigger(ctx, key, name, p.Action, p.Input)
	if err != nil {
		return nil, err
	}
	return json.RawMessage(cmp.Or(string(output), "null")), nil
}

// writtenAt is how the public API writes times of integrations.
func writtenAt(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z07:00") }
