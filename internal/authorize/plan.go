package authorize

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/catalog"
	"github.com/linkspan/linkspan/internal/access"
	"github.com/linkspan/linkspan/internal/connect"
	"github.com/linkspan/linkspan/internal/credential"
)

// Names in connection_config with a meaning of their own (features TAG-07, TAG-08).
const (
	keyWebhookURL   = "webhook_url"
	keyScopes       = "oauth_scopes_override"
	keyUserScope    = "user_scope"
	keyClientID     = "oauth_client_id_override"
	keyClientSecret = "oauth_client_secret_override"
	keyRefreshToken = "oauth_refresh_token_override"
)

// Request is what a browser asks for: wire contract §7 and §8.1.
type Request struct {
	IntegrationKey string
	// ConnectionName may be chosen with the public key only. Empty: a random one.
	ConnectionName string
	// HMAC signs integration and connection where the environment asks for it.
	HMAC string
	// UserScope holds scopes of the user's own, separated by commas (Slack).
	UserScope string
	// Params are the settings of the connection, AuthorizationParams are passed
	// on to the provider's consent page.
	Params, AuthorizationParams map[string]string
	// The overrides replace the integration's OAuth client, and the refresh
	// token that the provider gives.
	ClientIDOverride                           string
	ClientSecretOverride, RefreshTokenOverride linkspan.Secret
	// PopupID names the page that waits for the result; what has not the shape
	// that we gave it is ignored.
	PopupID string
	// Lang is the language of the pages. Empty: the browser's.
	Lang string
}

// plan is a request that has been checked, with what the customer's backend
// decides put over it.
//
// With a connect session the backend decides: the scopes, the parameters of the
// consent page if it gives any, every setting that it gives, and where webhooks
// go. The browser may add settings. With the public key, which nobody has to
// prove anything for, the browser decides all of that but the webhooks. What the
// provider says of an account, such as the address of its API, no browser says
// instead. The connection of a reconnect session keeps its name and its settings
// as a base.
type plan struct {
	principal   *access.Principal
	integration linkspan.Integration
	provider    *catalog.Provider
	name        string
	reconnect   linkspan.ConnectionID
	// base are the settings of the connection before, given those that the
	// request brings.
	base, given map[string]any
	// webhookURL is nil when nobody decided it.
	webhookURL   *string
	params       map[string]string // of the consent page
	clientID     string
	clientSecret linkspan.Secret
	refreshToken linkspan.Secret
	popupID      string
	lang         string
}

func (pl *plan) env() linkspan.EnvironmentID { return pl.principal.Environment.ID }

// newPlan checks a request. Errors have the codes of wire contract §7; the plan
// comes with them as far as it got.
func (s *Service) newPlan(ctx context.Context, p *access.Principal, in Request) (*plan, error) {
	const op = "authorize.Plan"
	pl := &plan{principal: p, popupID: popupOf(in.PopupID), lang: langOf(in.Lang)}
	if err := checkRequest(p, in); err != nil {
		return pl, err
	}
	// Whether there are others is nothing for a session that is kept to some.
	if p.Session != nil && len(p.Session.AllowedIntegrations) > 0 && !slices.Contains(p.Session.AllowedIntegrations, in.IntegrationKey) {
		return pl, invalid(op, "integration_not_allowed", "The connect session does not allow integration \""+in.IntegrationKey+"\".")
	}
	var err error
	if pl.integration, err = s.store.Integration(ctx, nil, pl.env(), in.IntegrationKey); err != nil {
		if linkspan.KindOf(err) != linkspan.KindNotFound {
			return pl, fmt.Errorf("reading integration %q: %w", in.IntegrationKey, err)
		}
		return pl, linkspan.E(op, linkspan.KindNotFound, "unknown_provider_config", err, "There is no integration %q in this environment.", in.IntegrationKey)
	}
	if pl.provider, err = s.providers.Provider(pl.integration.Provider); err != nil {
		return pl, linkspan.E(op, linkspan.KindNotFound, "unknown_provider_template", err, "The provider %q of the integration does not exist.", pl.integration.Provider)
	}
	if reason, unsupported := pl.provider.Unsupported(); unsupported {
		return pl, invalid(op, "unsupported_provider", reason)
	}
	if err := s.planConnection(ctx, pl, in); err != nil {
		return pl, err
	}
	pl.decide(in)
	return pl, pl.checkFields()
}

// checkRequest checks what can be checked without the database.
func checkRequest(p *access.Principal, in Request) error {
	const op = "authorize.Plan"
	if !isKey(in.IntegrationKey) {
		return invalid(op, "invalid_uri_params", "The key of the integration is malformed.",
			issue("invalid_format", "Invalid string: must match pattern /^[a-zA-Z0-9~:.@ _-]+$/", "providerConfigKey"))
	}
	var issues problems
	switch {
	case in.ConnectionName == "":
	case p.Kind == access.Session:
		issues.add("custom", "connection_id can't be chosen with a connect session", "connection_id")
	case !connect.IsName(in.ConnectionName):
		issues.add("invalid_union", "Invalid input", "connection_id")
	}
	issues.sizes(in)
	if len(issues) > 0 {
		return invalid(op, "invalid_query_params", issues[0].Message, issues...)
	}
	return checkHMAC(p, in)
}

// sizes bounds what a browser sends.
func (p *problems) sizes(in Request) {
	total, n := 0, 0
	for what, params := range map[string]map[string]string{"params": in.Params, "authorization_params": in.AuthorizationParams} {
		for name, value := range params {
			if n++; !fits(name, value) {
				p.add("too_big", fmt.Sprintf("A parameter's name is malformed, or its value is longer than %d bytes", maxParam), what)
			}
			total += len(name) + len(value)
		}
	}
	for what, text := range map[string]string{
		"user_scope": in.UserScope, keyClientID: in.ClientIDOverride,
		keyClientSecret: in.ClientSecretOverride.Reveal(), keyRefreshToken: in.RefreshTokenOverride.Reveal(),
	} {
		if most := maxOverride(what); len(text) > most || hasControl(text) {
			p.add("too_big", fmt.Sprintf("Too big: expected string to have <=%d characters", most), what)
		}
		total += len(text)
	}
	if total > maxParams || n > maxParamsN {
		p.add("too_big", fmt.Sprintf("Too big: expected at most %d parameters of %d bytes together", maxParamsN, maxParams), "params")
	}
}

func maxOverride(what string) int {
	switch what {
	case keyClientID:
		return 255
	case keyClientSecret:
		return 2048
	case keyRefreshToken:
		return credential.MaxTokenLength
	default:
		return maxUserScopes
	}
}

// checkHMAC checks the signature that environments may ask of browsers with the
// public key (wire contract §2.4).
func checkHMAC(p *access.Principal, in Request) error {
	if p.Kind != access.PublicKey || !p.Environment.Settings.HMACEnabled {
		return nil
	}
	if in.HMAC == "" {
		return invalid("authorize.HMAC", "missing_hmac", "This environment wants the parameter hmac, a signature of integration and connection.")
	}
	signed := in.IntegrationKey
	if in.ConnectionName != "" {
		signed += ":" + in.ConnectionName
	}
	key := p.Environment.Settings.HMACKey
	mac := hmac.New(sha256.New, []byte(key.Reveal()))
	mac.Write([]byte(signed))
	// Without a key nobody can sign, so nobody has signed.
	if key.IsZero() || !hmac.Equal([]byte(hex.EncodeToString(mac.Sum(nil))), []byte(in.HMAC)) {
		return invalid("authorize.HMAC", "invalid_hmac", "The parameter hmac is not the signature of this integration and connection.")
	}
	return nil
}

// planConnection finds out which connection it will be.
func (s *Service) planConnection(ctx context.Context, pl *plan, in Request) error {
	session := pl.principal.Session
	if session == nil || session.Reconnect == 0 {
		pl.name = in.ConnectionName
		if pl.name == "" {
			pl.name = linkspan.NewUUID()
		}
		return nil
	}
	c, err := s.store.ConnectionByID(ctx, nil, pl.env(), session.Reconnect)
	if err != nil && linkspan.KindOf(err) != linkspan.KindNotFound {
		return fmt.Errorf("reading the connection to renew: %w", err)
	}
	if err != nil || c.IntegrationID != pl.integration.ID {
		return linkspan.E("authorize.Plan", linkspan.KindInvalid, "invalid_connection", err, "The connection that the session renews does not exist any more.")
	}
	pl.name, pl.reconnect, pl.base = c.Name, c.ID, c.Config
	// A client of the connection's own stays its client.
	if old, err := credential.Parse(c.Credentials); err == nil {
		pl.clientID, pl.clientSecret = old.ClientID, old.ClientSecret
	}
	return nil
}

// decide puts together what the browser and what the backend give.
func (pl *plan) decide(in Request) {
	browser := make(map[string]any, len(in.Params)+1)
	for name, value := range in.Params {
		browser[name] = value
	}
	delete(browser, keyWebhookURL)
	maps.DeleteFunc(browser, func(name string, _ any) bool { return pl.saidByProvider(name) })
	session := pl.principal.Session
	if session == nil {
		if in.UserScope != "" {
			browser[keyUserScope] = in.UserScope
		}
		pl.params = in.AuthorizationParams
	} else {
		delete(browser, keyScopes)
		delete(browser, keyUserScope)
		pl.params = without(in.AuthorizationParams, "scope", "user_scope")
	}
	setClient := func(id string, secret, refresh linkspan.Secret) {
		if id != "" || !secret.IsZero() {
			pl.clientID, pl.clientSecret = id, secret
		}
		if !refresh.IsZero() {
			pl.refreshToken = refresh
		}
	}
	setClient(takeClient(browser))
	setClient(in.ClientIDOverride, in.ClientSecretOverride, in.RefreshTokenOverride)
	pl.given = browser
	if session != nil {
		pl.applySession(session, setClient)
	}
}

// applySession puts what the backend decided over what the browser gave.
func (pl *plan) applySession(session *linkspan.ConnectSession, setClient func(id string, secret, refresh linkspan.Secret)) {
	d := session.Defaults[pl.integration.Key]
	config := maps.Clone(d.ConnectionConfig)
	if config == nil {
		config = make(map[string]any)
	}
	if session.WebhookURLOverride != "" {
		pl.webhookURL = &session.WebhookURLOverride
	} else if text, ok := config[keyWebhookURL].(string); ok && text != "" {
		pl.webhookURL = &text
	}
	delete(config, keyWebhookURL)
	if d.UserScopes != "" {
		config[keyUserScope] = d.UserScopes
	}
	// An empty client asks Connect UI to show inputs for one, and decides nothing.
	setClient(takeClient(config))
	maps.Copy(pl.given, config)
	if len(d.AuthorizationParams) > 0 {
		pl.params = d.AuthorizationParams
	}
}

// takeClient removes an OAuth client from settings and returns it: its secret
// must not be readable there.
func takeClient(config map[string]any) (id string, secret, refresh linkspan.Secret) {
	text := func(key string) string {
		v, _ := config[key].(string)
		delete(config, key)
		return v
	}
	return text(keyClientID), linkspan.NewSecret(text(keyClientSecret)), linkspan.NewSecret(text(keyRefreshToken))
}

func without(params map[string]string, names ...string) map[string]string {
	out := maps.Clone(params)
	maps.DeleteFunc(out, func(name, _ string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
	})
	return out
}

// config are the settings of the connection as far as they are known now. A
// value that is given but empty leaves what was there before.
func (pl *plan) config() map[string]any { return overlay(pl.base, pl.given) }

// overlay puts the settings that are given over others. An empty one yields to
// what is there (provider semantics §1.7).
func overlay(under, given map[string]any) map[string]any {
	out := make(map[string]any, len(under)+len(given))
	maps.Copy(out, under)
	for name, v := range given {
		if _, there := out[name]; !there || v != "" && v != nil {
			out[name] = v
		}
	}
	return out
}

// scopes are the OAuth scopes to ask for: the connection's own, or those of the
// integration.
func (pl *plan) scopes() []string {
	text, _ := pl.config()[keyScopes].(string)
	if text == "" {
		text = pl.integration.Secrets.Scopes
	}
	var out []string
	for scope := range strings.SplitSeq(text, ",") {
		if scope = strings.TrimSpace(scope); scope != "" {
			out = append(out, scope)
		}
	}
	return out
}

func (pl *plan) userScope() string {
	text, _ := pl.config()[keyUserScope].(string)
	return text
}

// checkFields holds the settings against the fields of the provider, fills in
// what has a default, and names each field that something is wrong with. What
// was in the connection before has been good enough then.
func (pl *plan) checkFields() error {
	fields := pl.provider.Inputs.ConnectionConfig
	config := pl.config()
	values := make(map[string]string, len(config))
	for name, v := range config {
		values[name], _ = scalarText(v)
	}
	var issues problems
	for i := range fields {
		f := &fields[i]
		value := values[f.Name]
		if value == "" && !fields.Visible(f.Name, values) {
			continue
		}
		if value == "" && f.Default != nil && *f.Default != "" {
			value = *f.Default
			pl.given[f.Name], values[f.Name] = value, value
		}
		if value == "" && pl.brought(f.Name) || value != "" && pl.unchanged(f.Name) {
			continue
		}
		err := f.Validate(value)
		if err == nil {
			continue
		}
		fe, ok := errors.AsType[*catalog.FieldError](err)
		if !ok {
			return fmt.Errorf("checking the settings of a connection: %w", err)
		}
		issues.add(issueCode(fe.Rule), fe.Message, "params", f.Name)
	}
	if len(issues) == 0 {
		return nil
	}
	return invalid("authorize.Plan", "invalid_body", issues[0].Message, issues...)
}

// brought reports whether a setting comes with the redirect or the token.
func (pl *plan) brought(name string) bool {
	c := &pl.provider.Auth.Capture
	return slices.Contains(c.CallbackQuery, name) || slices.Contains(c.TokenResponse, name)
}

// saidByProvider reports whether a setting is the provider's to say: it comes
// with the token, or no person is asked for it and it comes with the redirect or
// is looked up afterwards. Calls go to the address in some of these, so a link
// that brings one would lead the token of whoever follows it to the link's author;
// others say whose account it is.
func (pl *plan) saidByProvider(name string) bool {
	c := &pl.provider.Auth.Capture
	if slices.Contains(c.TokenResponse, name) {
		return true
	}
	f := pl.provider.Inputs.ConnectionConfig.Lookup(name)
	return (slices.Contains(c.CallbackQuery, name) || slices.Contains(c.PostConnection, name)) && (f == nil || !f.Asked())
}

// unchanged reports whether a setting is one of before.
func (pl *plan) unchanged(name string) bool {
	v, given := pl.given[name]
	_, before := pl.base[name]
	return before && (!given || v == "" || v == nil)
}

func issueCode(rule string) string {
	switch rule {
	case "required":
		return "too_small"
	case "choices":
		return "invalid_value"
	default:
		return "invalid_format"
	}
}
