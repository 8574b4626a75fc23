package oauth

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

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
	// Trace gets the HTTP exchange as a message without secrets. Optional.
	Trace func(linkspan.Message)
}

// Refresh exchanges a refresh token for new credentials in one HTTP exchange
// (RFC 6749 §6). The new credentials keep the old refresh token when the
// provider sends none, and the connection's own OAuth client. Every error is a
// *Failure.
func (c *Client) Refresh(ctx context.Context, in RefreshRequest) (credential.Credentials, error) {
	if in.Credentials.RefreshToken.IsZero() {
		return credential.Credentials{}, misconfigured("There is no refresh token.", nil)
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
	return fresh, nil
}

// responseFormat says how the provider's token response differs from the usual.
func responseFormat(p *catalog.Provider) credential.TokenResponse {
	r := credential.TokenResponse{AlternatePath: p.Auth.Token.Response.AlternateTokenPath}
	if p.Auth.Token.Response.ExpiresInUnit == "milliseconds" {
		r.LifetimeUnit = time.Millisecond
	}
	return r
}

// newRefresh builds the request. Its error is a *Failure.
func newRefresh(ctx context.Context, in RefreshRequest) (*http.Request, error) {
	vars := templateVars(in.ConnectionConfig)
	target, err := refreshURL(in.Provider, vars)
	if err != nil {
		return nil, misconfigured("The address of the token endpoint can't be filled from the connection's connection_config: "+err.Error()+".", err)
	}
	params, err := refreshParams(in.Provider, vars)
	if err != nil {
		return nil, err
	}
	params["refresh_token"] = in.Credentials.RefreshToken.Reveal()
	if _, given := params["grant_type"]; !given {
		params["grant_type"] = "refresh_token"
	}
	header := http.Header{"Accept": {"application/json"}, "User-Agent": {userAgent}}
	if err := addClient(in, params, header); err != nil {
		return nil, err
	}
	if err := addHeaders(in.Provider, vars, header); err != nil {
		return nil, err
	}
	body, contentType, err := encodeBody(in.Provider.Auth.Token.BodyFormat, params)
	if err != nil {
		return nil, misconfigured("The request to the token endpoint can't be encoded.", err)
	}
	header.Set("Content-Type", contentType)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), body)
	if err != nil {
		return nil, misconfigured("The address of the token endpoint is not usable.", nil)
	}
	request.Header = header
	return request, nil
}

// templateVars are the variables of token URLs and parameters: the values of
// connection_config, with and without its name in front.
func templateVars(config map[string]any) *catalog.Scope {
	values := make(map[string]any, len(config)+1)
	maps.Copy(values, config)
	values["connectionConfig"] = config
	return catalog.NewScope(values)
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
	source, skipGrant := p.Auth.Refresh.Params, false
	if len(source) == 0 {
		source, skipGrant = p.Auth.Token.Params, true
	}
	params := make(map[string]any, len(source)+4)
	for i := range source {
		p := &source[i]
		if skipGrant && p.Name == "grant_type" {
			continue
		}
		v, ok := p.Expand(vars)
		if !ok {
			return nil, misconfigured(fmt.Sprintf("The parameter %q of the token request needs a value that the connection's connection_config lacks.", p.Name), nil)
		}
		params[p.Name] = v
	}
	return params, nil
}

// addClient adds what proves the OAuth client.
func addClient(in RefreshRequest, params map[string]any, header http.Header) error {
	id, secret := in.Credentials.Client(in.Integration)
	if id == "" {
		return misconfigured("The integration has no client_id.", nil)
	}
	switch method := in.Provider.Auth.Token.ClientAuth; method {
	case "", catalog.ClientAuthBody:
		inBody(params, id, secret)
	case catalog.ClientAuthBasic:
		// Providers of this kind were found to want the body's copy too.
		inBody(params, id, secret)
		header.Set("Authorization", basic(id, secret.Reveal()))
	case catalog.ClientAuthBasicURLEncoded:
		// RFC 6749 §2.3.1.
		header.Set("Authorization", basic(url.QueryEscape(id), url.QueryEscape(secret.Reveal())))
	default:
		return misconfigured(fmt.Sprintf("The client authentication %q is not available in this version.", method), nil)
	}
	return nil
}

// inBody adds the client to the body. A public client has no secret.
func inBody(params map[string]any, id string, secret linkspan.Secret) {
	params["client_id"] = id
	if !secret.IsZero() {
		params["client_secret"] = secret.Reveal()
	}
}

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

func addHeaders(p *catalog.Provider, vars catalog.Vars, header http.Header) error {
	source := p.Auth.Refresh.Headers
	if len(source) == 0 {
		source = p.Auth.Token.Headers
	}
	for i := range source {
		v, ok := source[i].ExpandText(vars)
		if !ok {
			return misconfigured(fmt.Sprintf("The header %q of the token request needs a value that the connection's connection_config lacks.", source[i].Name), nil)
		}
		header.Set(source[i].Name, v)
	}
	return nil
}

// encodeBody writes the parameters as JSON or, by default, as a form.
func encodeBody(format string, params map[string]any) (body io.Reader, contentType string, err error) {
	if format == "json" {
		text, err := json.Marshal(params)
		if err != nil {
			return nil, "", fmt.Errorf("encoding the parameters: %w", err)
		}
		return bytes.NewReader(text), "application/json", nil
	}
	form := make(url.Values, len(params))
	for name, v := range params {
		text, ok := v.(string)
		if !ok {
			encoded, err := json.Marshal(v)
			if err != nil {
				return nil, "", fmt.Errorf("encoding the parameter %q: %w", name, err)
			}
			text = string(encoded)
		}
		form.Set(name, text)
	}
	return strings.NewReader(form.Encode()), "application/x-www-form-urlencoded", nil
}

// misconfigured is the Failure of a request that can't be made.
func misconfigured(message string, err error) *Failure {
	return &Failure{Class: Permanent, Code: "misconfigured", Message: message, Err: err}
}

// sentence makes a message of a sentinel error of package credential.
func sentence(err error) string {
	switch {
	case errors.Is(err, credential.ErrNoAccessToken):
		return "The provider's token endpoint answered without an access token."
	case errors.Is(err, credential.ErrTokenTooLong):
		return fmt.Sprintf("The provider's token endpoint answered with a token of more than %d bytes.", credential.MaxTokenLength)
	default:
		return "The provider's token endpoint answered with something that is no token."
	}
}
