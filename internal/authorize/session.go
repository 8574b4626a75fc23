package authorize

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/access"
	"github.com/linkspan/linkspan/internal/connect"
)

// SessionInput is what a connect session is made of.
type SessionInput struct {
	// EndUser is the older description of whose accounts are connected, Tags
	// the present one. A new session needs one of them.
	EndUser *linkspan.EndUser
	Tags    map[string]string
	// AllowedIntegrations limits the session; empty means all. It does not apply
	// to the renewal of a connection.
	AllowedIntegrations []string
	// Defaults and Overrides are by the key of the integration.
	Defaults           map[string]linkspan.IntegrationDefaults
	Overrides          map[string]linkspan.IntegrationOverrides
	WebhookURLOverride string
}

// Session is a new connect session.
type Session struct {
	// Token is not kept: this is the only time it can be read.
	Token linkspan.Secret
	// ConnectLink opens Connect UI with the token. It is as secret as that.
	ConnectLink string
	ExpiresAt   time.Time
}

// CreateSession makes a session with which an end user's browser may connect
// accounts for half an hour. The error is invalid_body with an issue for each
// problem.
func (s *Service) CreateSession(ctx context.Context, env linkspan.Environment, in SessionInput) (Session, error) {
	if in.EndUser == nil && in.Tags == nil {
		return Session{}, invalid("authorize.CreateSession", "invalid_body", "", issue("custom", "Either tags or end_user is required", "end_user"))
	}
	return s.create(ctx, env, in, linkspan.Connection{})
}

// CreateReconnectSession makes a session that gives a connection new
// credentials. The error is invalid_body when there is no such connection, or
// with an issue for each other problem.
func (s *Service) CreateReconnectSession(ctx context.Context, env linkspan.Environment, connectionName, integrationKey string, in SessionInput) (Session, error) {
	c, err := s.store.Connection(ctx, nil, env.ID, integrationKey, connectionName)
	if linkspan.KindOf(err) == linkspan.KindNotFound {
		return Session{}, invalid("authorize.CreateReconnectSession", "invalid_body", "ConnectionID or IntegrationId does not exists")
	}
	if err != nil {
		return Session{}, fmt.Errorf("reading the connection to renew: %w", err)
	}
	in.AllowedIntegrations = []string{integrationKey}
	return s.create(ctx, env, in, c)
}

func (s *Service) create(ctx context.Context, env linkspan.Environment, in SessionInput, renewed linkspan.Connection) (Session, error) {
	if err := s.checkSession(ctx, env, &in); err != nil {
		return Session{}, err
	}
	token, hash := access.NewSessionToken()
	link, err := s.connectLink(token)
	if err != nil {
		return Session{}, err
	}
	now := s.now().UTC().Truncate(time.Millisecond)
	row := linkspan.ConnectSession{
		UUID: linkspan.NewUUID(), EnvironmentID: env.ID, Hash: hash, AllowedIntegrations: in.AllowedIntegrations,
		EndUser: in.EndUser, Tags: in.Tags, Reconnect: renewed.ID, Defaults: in.Defaults, Overrides: in.Overrides,
		WebhookURLOverride: in.WebhookURLOverride, ExpiresAt: now.Add(sessionLifetime),
	}
	op := s.ops.Start(linkspan.Operation{
		AccountID: env.AccountID, EnvironmentID: env.ID, Type: linkspan.OperationAuth, Action: actionOf(renewed.ID),
		State: linkspan.StateWaiting, Message: "A connect session was made. Waiting for the user.",
		IntegrationKey: renewed.IntegrationKey, Provider: renewed.Provider, ConnectionName: renewed.Name, ConnectionUUID: renewed.UUID,
		ExpiresAt: row.ExpiresAt.Add(flowLifetime),
	})
	row.Operation = op.ID()
	if err := s.store.InsertConnectSession(ctx, nil, &row); err != nil {
		return Session{}, fmt.Errorf("storing a connect session: %w", err)
	}
	op.Publish()
	return Session{Token: token, ConnectLink: link, ExpiresAt: row.ExpiresAt}, nil
}

// connectLink is the address of Connect UI with a token. The path ends with a
// slash, as clients expect. A Connect UI that is served elsewhere is told where
// this server is: others made for the contract would take the token to the
// address they have built in (wire contract §9.1).
func (s *Service) connectLink(token linkspan.Secret) (string, error) {
	u, err := url.Parse(s.connectURL)
	if err != nil {
		return "", fmt.Errorf("reading the URL of Connect UI: %w", err)
	}
	if !strings.HasSuffix(u.Path, "/") {
		u.Path, u.RawPath = u.Path+"/", ""
	}
	u.RawQuery = url.Values{"session_token": {token.Reveal()}}.Encode()
	if !strings.HasPrefix(s.connectURL, s.publicURL+"/") {
		u.RawQuery += "&" + url.Values{"apiURL": {s.publicURL}}.Encode()
	}
	return u.String(), nil
}

// EndSession ends the session of a principal: its token is worth nothing from
// now on. What a user is in the middle of goes on.
func (s *Service) EndSession(ctx context.Context, p *access.Principal) error {
	if p.Session == nil {
		return linkspan.E("authorize.EndSession", linkspan.KindForbidden, "forbidden", nil, "There is no connect session to end.")
	}
	err := s.store.DeleteConnectSession(ctx, nil, *p.Session)
	if err != nil && linkspan.KindOf(err) != linkspan.KindNotFound { // gone: ended twice
		return fmt.Errorf("ending a connect session: %w", err)
	}
	return nil
}

// Limits of what a session is made of (wire contract §3), in characters, and of
// all of it as JSON, in bytes.
const (
	maxEndUser     = 255
	minEmail       = 5
	maxUserScopes  = 4096
	maxURL         = 2048
	maxSessionSize = 64 << 10
	// maxIntegrations is how many integrations a session may name.
	maxIntegrations = 1000
)

// checkSession checks the input and puts its parts where they belong. It may
// change in, but not what the caller's maps hold.
func (s *Service) checkSession(ctx context.Context, env linkspan.Environment, in *SessionInput) error {
	var p problems
	p.endUser(in.EndUser)
	tags, issues := connect.Tags(in.Tags, "tags")
	in.Tags, p = tags, append(p, issues...)
	p = append(p, connect.WebhookURL(in.WebhookURLOverride, s.checkURL, "webhook_url_override")...)
	if err := s.checkIntegrations(ctx, env, in, &p); err != nil {
		return err
	}
	s.checkDefaults(in, &p)
	for _, key := range slices.Sorted(maps.Keys(in.Overrides)) {
		if docs := in.Overrides[key].DocsConnect; docs != "" && !isWebURL(docs) {
			p.add("invalid_format", "Invalid URL", "overrides", key, "docs_connect")
		}
	}
	if text, err := json.Marshal(in); err != nil || len(text) > maxSessionSize {
		p.add("too_big", fmt.Sprintf("Too big: expected the session to take at most %d bytes", maxSessionSize))
	}
	return p.err("authorize.CreateSession", "invalid_body")
}

// checkIntegrations refuses the names of integrations that do not exist.
func (s *Service) checkIntegrations(ctx context.Context, env linkspan.Environment, in *SessionInput, p *problems) error {
	named := slices.Concat(in.AllowedIntegrations, slices.Collect(maps.Keys(in.Defaults)), slices.Collect(maps.Keys(in.Overrides)))
	slices.Sort(named)
	named = slices.Compact(named)
	if len(named) > maxIntegrations {
		p.add("too_big", fmt.Sprintf("Too big: expected at most %d integrations", maxIntegrations), "allowed_integrations")
		return nil
	}
	found, err := s.store.IntegrationKeys(ctx, nil, env.ID, slices.DeleteFunc(named, func(key string) bool { return !isKey(key) }))
	if err != nil {
		return fmt.Errorf("looking up the integrations of a connect session: %w", err)
	}
	const missing = "Integration does not exist"
	for i, key := range in.AllowedIntegrations {
		if !slices.Contains(found, key) {
			p.add("custom", missing, "allowed_integrations", i)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(in.Defaults)) {
		if !slices.Contains(found, key) {
			p.add("custom", missing, "integrations_config_defaults", key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(in.Overrides)) {
		if !slices.Contains(found, key) {
			p.add("custom", missing, "overrides", key)
		}
	}
	return nil
}

// checkDefaults checks what the backend decides for connections.
func (s *Service) checkDefaults(in *SessionInput, p *problems) {
	for _, key := range slices.Sorted(maps.Keys(in.Defaults)) {
		d, path := in.Defaults[key], []any{"integrations_config_defaults", key}
		if len(d.UserScopes) > maxUserScopes || hasControl(d.UserScopes) {
			p.add("too_big", fmt.Sprintf("Too big: expected string to have <=%d characters", maxUserScopes), append(path, "user_scopes")...)
		}
		for _, name := range slices.Sorted(maps.Keys(d.AuthorizationParams)) {
			if !fits(name, d.AuthorizationParams[name]) {
				p.add("custom", "Invalid name or too long value", append(path, "authorization_params", name)...)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(d.ConnectionConfig)) {
			at := append(slices.Clone(path), "connection_config", name)
			text, scalar := scalarText(d.ConnectionConfig[name])
			switch {
			case !scalar:
				p.add("invalid_union", "Invalid input", at...)
			case !fits(name, text):
				p.add("custom", "Invalid name or too long value", at...)
			case name == keyWebhookURL && in.WebhookURLOverride != "" && text != in.WebhookURLOverride:
				p.add("custom", "connection_config.webhook_url and webhook_url_override are both given and differ", "webhook_url_override")
			case name == keyWebhookURL:
				*p = append(*p, connect.WebhookURL(text, s.checkURL, at...)...)
			}
		}
	}
}

// endUser checks the older description of an end user.
func (p *problems) endUser(u *linkspan.EndUser) {
	if u == nil {
		return
	}
	p.text(u.ID, 1, "end_user", "id")
	p.text(u.DisplayName, 0, "end_user", "display_name")
	if u.Email != "" {
		p.text(u.Email, minEmail, "end_user", "email")
	}
	if o := u.Organization; o != nil {
		p.text(o.ID, 0, "organization", "id")
		p.text(o.DisplayName, 0, "organization", "display_name")
	}
}

// isWebURL reports whether s is an address that a browser may be sent to.
func isWebURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && len(s) <= maxURL && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}
