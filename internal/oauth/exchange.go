package oauth

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/catalog"
	"github.com/linkspan/linkspan/internal/credential"
	"github.com/linkspan/linkspan/internal/oplog"
)

const (
	grantAuthorizationCode = "authorization_code"
	// maxCodeLength bounds an authorization code, in bytes. Some are tokens
	// themselves, of a few thousand bytes.
	maxCodeLength = 16 << 10
	// maxCaptured bounds a value that is taken over of a redirect, in bytes.
	maxCaptured = 2 << 10
)

// ExchangeRequest says which authorization code to exchange.
type ExchangeRequest struct {
	Provider *catalog.Provider
	// Integration holds the OAuth client, unless the caller brings its own.
	Integration linkspan.IntegrationSecrets
	// Code is what came with the redirect; see [CodeParam].
	Code string
	// RedirectURI and CodeVerifier are those of the [AuthorizeRequest].
	RedirectURI, CodeVerifier string
	// ConnectionConfig fills the templates of URL, parameters and headers.
	ConnectionConfig map[string]any
	// ClientIDOverride and ClientSecretOverride are an OAuth client of the
	// connection's own, which is kept with the credentials; see [ClientOf].
	ClientIDOverride     string
	ClientSecretOverride linkspan.Secret
	// RefreshTokenOverride is kept instead of the refresh token that the
	// provider gives. Optional.
	RefreshTokenOverride linkspan.Secret
	// Callback holds the parameters of the redirect. They come from the user's
	// browser and are not to be trusted.
	Callback url.Values
	// Trace gets the HTTP exchanges as messages without secrets. Optional.
	Trace func(linkspan.Message)
}

// Grant is what an authorization code brought.
type Grant struct {
	Credentials credential.Credentials
	// Captured are the settings of the connection that the token response and
	// the redirect brought; the latter win. Values that the caller gave itself
	// should stand above them.
	Captured map[string]any
}

// CodeParam returns the name of the redirect's parameter that holds the code.
func CodeParam(p *catalog.Provider) string {
	if name := p.Auth.Authorize.CodeParam; name != "" {
		return name
	}
	return "code"
}

// Exchange exchanges an authorization code for credentials in one HTTP exchange
// (RFC 6749 §4.1.3, RFC 7636 §4.5). Providers whose tokens end by introspection
// are asked for the end in another. Every error is a *Failure.
func (c *Client) Exchange(ctx context.Context, in ExchangeRequest) (Grant, error) {
	id, secret, err := ClientOf(in.Integration, in.ClientIDOverride, in.ClientSecretOverride)
	if err != nil {
		return Grant{}, misconfigured("An OAuth client of the connection's own needs both client ID and client secret.", nil)
	}
	if in.Code == "" || len(in.Code) > maxCodeLength || strings.ContainsFunc(in.Code, isControl) {
		return Grant{}, invalidCallback("The provider's redirect brought no usable authorization code.")
	}
	redirected, err := captureRedirect(in.Provider, in.Callback)
	if err != nil {
		return Grant{}, err
	}
	request, err := newExchange(ctx, in, withSettings(redirected, in.ConnectionConfig), id, secret)
	if err != nil {
		return Grant{}, err
	}
	redact := oplog.NewRedactor(secret, linkspan.NewSecret(in.Code), linkspan.NewSecret(in.CodeVerifier), in.RefreshTokenOverride)
	format := responseFormat(in.Provider)
	raw, err := c.exchange(ctx, request, format, redact, in.Trace)
	if err != nil {
		return Grant{}, err
	}
	fresh, err := format.Parse(raw, c.now())
	if err != nil {
		return Grant{}, malformed(http.StatusOK, sentence(err))
	}
	if !in.RefreshTokenOverride.IsZero() {
		fresh.RefreshToken = in.RefreshTokenOverride
	}
	fresh.ClientID, fresh.ClientSecret = in.ClientIDOverride, in.ClientSecretOverride
	captured := credential.Capture(raw, in.Provider.Auth.Capture.TokenResponse)
	maps.Copy(captured, redirected)
	fresh = c.withExpiry(ctx, introspection{
		provider: in.Provider, integration: in.Integration, config: withSettings(captured, in.ConnectionConfig), credentials: fresh, trace: in.Trace,
	})
	return Grant{Credentials: fresh, Captured: captured}, nil
}

// newExchange builds the request. Its error is a *Failure.
func newExchange(ctx context.Context, in ExchangeRequest, config map[string]any, id string, secret linkspan.Secret) (*http.Request, error) {
	vars := templateVars(config)
	token := &in.Provider.Auth.Token
	target, err := token.URL.Expand(vars)
	if err != nil {
		return nil, unfilledTokenURL(err)
	}
	params := map[string]any{"grant_type": grantAuthorizationCode, "code": in.Code}
	if in.RedirectURI != "" {
		params["redirect_uri"] = in.RedirectURI
	}
	own, err := expandParams(token.Params, vars)
	if err != nil {
		return nil, err
	}
	maps.Copy(params, own)
	if in.Provider.Auth.Authorize.UsesPKCE() {
		params["code_verifier"] = in.CodeVerifier
	}
	return tokenRequest{
		token: token, target: target, params: params, headers: token.Headers, vars: vars, clientID: id, clientSecret: secret,
	}.build(ctx)
}

// withSettings lays what the caller gave over what the redirect brought. An
// empty value counts as not given.
func withSettings(redirected, given map[string]any) map[string]any {
	config := maps.Clone(redirected)
	for name, value := range given {
		if _, brought := config[name]; !brought || value != "" {
			config[name] = value
		}
	}
	return config
}

// captureRedirect takes over the parameters of a redirect that the provider's
// file lists. They pass through the user's browser, and some become part of the
// token endpoint's address, so the rules of their fields hold. Its error is a
// *Failure.
func captureRedirect(p *catalog.Provider, callback url.Values) (map[string]any, error) {
	captured := map[string]any{}
	for _, name := range p.Auth.Capture.CallbackQuery {
		values := callback[name]
		if len(values) == 0 || values[0] == "" {
			continue
		}
		value := values[0]
		field := p.Inputs.ConnectionConfig.Lookup(name)
		switch {
		case len(values) > 1:
			return nil, invalidCallback(fmt.Sprintf("The redirect holds the parameter %q more than once.", name))
		case len(value) > maxCaptured, strings.ContainsFunc(value, isControl), field != nil && field.Validate(value) != nil:
			return nil, invalidCallback(fmt.Sprintf("The redirect's parameter %q is not what the provider sends.", name))
		}
		captured[name] = value
	}
	return captured, nil
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// invalidCallback is the Failure of a redirect that no provider sends.
func invalidCallback(message string) *Failure {
	return &Failure{Class: Permanent, Code: "invalid_callback", Message: message}
}
