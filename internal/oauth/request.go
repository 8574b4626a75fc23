package oauth

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/catalog"
	"github.com/linkspan/linkspan/internal/credential"
)

// tokenRequest is a request to a token endpoint before it is written down.
type tokenRequest struct {
	token  *catalog.Token
	target *url.URL
	// params make the body; the client's are added to them.
	params       map[string]any
	headers      catalog.Params
	vars         catalog.Vars
	clientID     string
	clientSecret linkspan.Secret
}

// build writes the request. Its error is a *Failure.
func (t tokenRequest) build(ctx context.Context) (*http.Request, error) {
	header := http.Header{"Accept": {"application/json"}, "User-Agent": {userAgent}}
	if err := t.addClient(header); err != nil {
		return nil, err
	}
	for i := range t.headers {
		v, ok := t.headers[i].ExpandText(t.vars)
		if !ok {
			return nil, misconfigured(fmt.Sprintf("The header %q of the token request needs a value that the connection's connection_config lacks.", t.headers[i].Name), nil)
		}
		header.Set(t.headers[i].Name, v)
	}
	body, contentType, err := encodeBody(t.token.BodyFormat, t.params)
	if err != nil {
		return nil, misconfigured("The request to the token endpoint can't be encoded.", err)
	}
	header.Set("Content-Type", contentType)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, t.target.String(), body)
	if err != nil {
		return nil, misconfigured("The address of the token endpoint is not usable.", nil)
	}
	request.Header = header
	return request, nil
}

// addClient adds what proves the OAuth client.
func (t tokenRequest) addClient(header http.Header) error {
	if t.clientID == "" {
		return misconfigured("The integration has no client_id.", nil)
	}
	id, secret := t.clientID, t.clientSecret
	switch method := t.token.ClientAuth; method {
	case "", catalog.ClientAuthBody:
		inBody(t.params, id, secret)
	case catalog.ClientAuthBasic:
		// Providers of this kind were found to want the body's copy too.
		inBody(t.params, id, secret)
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

// expandParams fills parameters of a provider. Its error is a *Failure.
func expandParams(source catalog.Params, vars catalog.Vars) (map[string]any, error) {
	params := make(map[string]any, len(source)+6)
	for i := range source {
		p := &source[i]
		v, ok := p.Expand(vars)
		if !ok {
			return nil, misconfigured(fmt.Sprintf("The parameter %q of the token request needs a value that the connection's connection_config lacks.", p.Name), nil)
		}
		params[p.Name] = v
	}
	return params, nil
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

// responseFormat says how the provider's token response differs from the usual.
func responseFormat(p *catalog.Provider) credential.TokenResponse {
	r := credential.TokenResponse{AlternatePath: p.Auth.Token.Response.AlternateTokenPath}
	if p.Auth.Token.Response.ExpiresInUnit == "milliseconds" {
		r.LifetimeUnit = time.Millisecond
	}
	return r
}

// misconfigured is the Failure of a request that can't be made.
func misconfigured(message string, err error) *Failure {
	return &Failure{Class: Permanent, Code: "misconfigured", Message: message, Err: err}
}

// unfilledTokenURL is the Failure of a token endpoint whose address lacks values.
func unfilledTokenURL(err error) *Failure {
	return misconfigured("The address of the token endpoint can't be filled from the connection's connection_config: "+err.Error()+".", err)
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
