package oauth

import (
	"context"
	"net/http"
	"net/url"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/catalog"
	"github.com/linkspan/linkspan/internal/credential"
	"github.com/linkspan/linkspan/internal/oplog"
)

// RefreshRequest says what to refresh.
type RefreshRequest struct {
	Provider *catalog.Provider
	// Integration holds the OAuth client, unless the credentials bring their own.
	Integration linkspan.IntegrationSecrets
	// ConnectionConfig fills the templates of URL and parameters.
	ConnectionConfig map[string]any
	// Credentials hold the refresh token.
	Credentials credential.Credentials
	// MayExtend says that a new access token is wanted only because the old one
	// is about to end. Where the provider tells that it lives on after all, the
	// same credentials are returned with their later end.
	MayExtend bool
	// Trace gets the HTTP exchanges as messages without secrets. Optional.
	Trace func(linkspan.Message)
}

// Refresh exchanges a refresh token for new credentials in one HTTP exchange
// (RFC 6749 §6). The new credentials keep the old refresh token when the
// provider sends none, and the connection's own OAuth client. Providers whose
// tokens end by introspection are asked for the end in others. Every error is a *Failure.
func (c *Client) Refresh(ctx context.Context, in RefreshRequest) (credential.Credentials, error) {
	if in.Credentials.RefreshToken.IsZero() {
		return credential.Credentials{}, misconfigured("There is no refresh token.", nil)
	}
	ask := introspection{
		provider: in.Provider, integration: in.Integration, config: in.ConnectionConfig, credentials: in.Credentials, trace: in.Trace,
	}
	if in.MayExtend {
		if extended, ok := c.extended(ctx, ask); ok {
			return extended, nil
		}
	}
	request, err := newRefresh(ctx, in)
	if err != nil {
		return credential.Credentials{}, err
	}
	redact := oplog.NewRedactor(append(in.Credentials.Secrets(), in.Integration.ClientSecret)...)
	format := responseFormat(in.Provider)
	raw, err := c.exchange(ctx, request, format, redact, in.Trace)
	if err != nil {
		return credential.Credentials{}, err
	}
	fresh, err := format.Parse(raw, c.now())
	if err != nil {
		return credential.Credentials{}, malformed(http.StatusOK, sentence(err))
	}
	if fresh.RefreshToken.IsZero() {
		fresh.RefreshToken = in.Credentials.RefreshToken
	}
	fresh.ClientID, fresh.ClientSecret = in.Credentials.ClientID, in.Credentials.ClientSecret
	ask.credentials = fresh
	return c.withExpiry(ctx, ask), nil
}

// newRefresh builds the request. Its error is a *Failure.
func newRefresh(ctx context.Context, in RefreshRequest) (*http.Request, error) {
	vars := templateVars(in.ConnectionConfig)
	target, err := refreshURL(in.Provider, vars)
	if err != nil {
		return nil, unfilledTokenURL(err)
	}
	params, err := refreshParams(in.Provider, vars)
	if err != nil {
		return nil, err
	}
	params["refresh_token"] = in.Credentials.RefreshToken.Reveal()
	if _, given := params["grant_type"]; !given {
		params["grant_type"] = "refresh_token"
	}
	headers := in.Provider.Auth.Refresh.Headers
	if len(headers) == 0 {
		headers = in.Provider.Auth.Token.Headers
	}
	id, secret := in.Credentials.Client(in.Integration)
	return tokenRequest{
		token: &in.Provider.Auth.Token, target: target, params: params,
		headers: headers, vars: vars, clientID: id, clientSecret: secret,
	}.build(ctx)
}

func refreshURL(p *catalog.Provider, vars catalog.Vars) (*url.URL, error) {
	if p.Auth.Refresh.URL != nil {
		return p.Auth.Refresh.URL.ExpandURL(vars)
	}
	return p.Auth.Token.URL.Expand(vars)
}

// refreshParams returns the provider's own parameters: those of a refresh, else
// those of the token request, whose grant_type is about another grant.
func refreshParams(p *catalog.Provider, vars catalog.Vars) (map[string]any, error) {
	if len(p.Auth.Refresh.Params) > 0 {
		return expandParams(p.Auth.Refresh.Params, vars)
	}
	params, err := expandParams(p.Auth.Token.Params, vars)
	delete(params, "grant_type")
	return params, err
}
