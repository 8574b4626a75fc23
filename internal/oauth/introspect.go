package oauth

import (
	"context"
	"net/http"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/catalog"
	"github.com/linkspan/linkspan/internal/credential"
	"github.com/linkspan/linkspan/internal/oplog"
)

const (
	// lookAgain is how long a token counts as good whose end nobody could tell.
	lookAgain = 30 * time.Minute
	// introspectTimeout bounds a question: behind an exchange the only copy of
	// new tokens waits for it, and mostly a user.
	introspectTimeout = 10 * time.Second
)

// introspection asks a provider whose token responses do not say when a token
// ends (RFC 7662).
type introspection struct {
	provider    *catalog.Provider
	integration linkspan.IntegrationSecrets
	config      map[string]any
	credentials credential.Credentials
	trace       func(linkspan.Message)
}

// asks reports whether only introspection tells when the provider's tokens end.
func asks(p *catalog.Provider) bool {
	return p.Auth.Token.IntrospectionURL != nil
}

// withExpiry returns the credentials with the end of the access token: what the
// provider says, or a guess that makes somebody ask again soon.
func (c *Client) withExpiry(ctx context.Context, in introspection) credential.Credentials {
	out := in.credentials
	if !asks(in.provider) || !out.ExpiresAt.IsZero() {
		return out
	}
	if at, alive := c.introspect(ctx, in); alive {
		out.ExpiresAt = at
	} else {
		out.ExpiresAt = c.now().Add(lookAgain).UTC()
	}
	return out
}

// extended returns the credentials with a later end if the provider says that the
// access token lives on: use prolongs such tokens, and a refresh can wait. It is
// not a new token: IssuedAt stays, by which a rejected one is told from one that
// another refresh would not help.
func (c *Client) extended(ctx context.Context, in introspection) (credential.Credentials, bool) {
	if !asks(in.provider) {
		return credential.Credentials{}, false
	}
	at, alive := c.introspect(ctx, in)
	if !alive || !at.After(c.now().Add(in.provider.Auth.Token.RefreshMargin())) {
		return credential.Credentials{}, false
	}
	out := in.credentials
	out.ExpiresAt = at
	return out, true
}

// introspect asks when the access token ends. A token that is not alive, an
// answer without an end and a failure are one: it is not known to be good.
func (c *Client) introspect(ctx context.Context, in introspection) (time.Time, bool) {
	ctx, cancel := context.WithTimeout(ctx, introspectTimeout)
	defer cancel()
	request, redact, err := newIntrospection(ctx, in)
	if err != nil {
		return time.Time{}, false
	}
	raw, err := c.exchange(ctx, request, credential.TokenResponse{}, redact, func(m linkspan.Message) {
		if in.trace == nil {
			return
		}
		if m.Error == nil {
			m.Text = "Asked the provider how long the access token lives."
		}
		in.trace(m)
	})
	if err != nil {
		return time.Time{}, false
	}
	active, _ := raw["active"].(bool)
	end, ok := credential.ParseExpiry(raw["exp"], c.now())
	return end, ok && active
}

// newIntrospection builds the request. The address comes from settings, whose
// rules are held: the client's secret goes there.
func newIntrospection(ctx context.Context, in introspection) (*http.Request, *oplog.Redactor, error) {
	token := &in.provider.Auth.Token
	settings := newSettings(in.provider, in.config)
	if err := settings.checkRefs(token.IntrospectionURL.Refs()); err != nil {
		return nil, nil, err
	}
	target, err := token.IntrospectionURL.ExpandURL(settings.vars)
	if err != nil {
		return nil, nil, err
	}
	id, secret := in.credentials.Client(in.integration)
	request, err := tokenRequest{
		token: &catalog.Token{ClientAuth: token.ClientAuth}, target: target, vars: settings.vars, clientID: id, clientSecret: secret,
		params: map[string]any{"token": in.credentials.AccessToken.Reveal(), "token_type_hint": "access_token"},
	}.build(ctx)
	return request, oplog.NewRedactor(append(in.credentials.Secrets(), secret)...), err
}
