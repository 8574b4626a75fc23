package upstream

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/catalog"
	"github.com/linkspan/linkspan/internal/credential"
)

// plan is what all requests of a target have in common.
type plan struct {
	base    *base
	baseErr *linkspan.Error

	// headers are fixed; dynamic ones are filled for each request.
	headers []header
	dynamic []catalog.Param
	// headerErr says that a configured header cannot be sent.
	headerErr *linkspan.Error
	// signsBody is set when a dynamic header reads the body.
	signsBody bool
	// userAgent is set when the provider's entry fixes the user agent, which
	// then wins over the caller's.
	userAgent bool

	query []queryParam
	body  map[string]any

	values map[string]any
}

type header struct {
	name   string
	values []string // of length one; shared between requests
}

type queryParam struct {
	name    string // decoded
	encoded string // name=value
}

// newPlan works out the plan of a target.
func newPlan(t *Target) *plan {
	p := &plan{values: targetValues(t)}
	p.base, p.baseErr = targetBase(t, p)
	p.addDefaultAuthorization(t)
	if api := t.Provider.API; api != nil {
		p.addHeaders(t, api.Headers)
		p.addQuery(t, api.Query)
		if api.Body != nil {
			p.body = expandMembers(api.Body, newScope(t, p.values))
		}
	}
	p.addGenericKey(t)
	return p
}

// customValue returns an integration's own setting.
func customValue(t *Target, name string) string { return t.Integration.Secrets.Custom[name].Reveal() }

// isGeneric reports whether the integration itself says where the key goes and
// where the API is.
func isGeneric(t *Target) bool {
	return len(t.Provider.Inputs.IntegrationConfig) > 0 && customValue(t, "keyName") != ""
}

// targetBase returns the integration's own base URL, or the provider's.
func targetBase(t *Target, p *plan) (*base, *linkspan.Error) {
	const op = "upstream.Build"
	if custom := customValue(t, "baseUrl"); custom != "" && isGeneric(t) {
		b, err := parseBase(custom)
		if err != nil {
			return nil, linkspan.E(op, linkspan.KindInvalid, "missing_api_url", err, "The base URL of the integration %q is not a valid URL.", t.Integration.Key)
		}
		return b, nil
	}
	if t.Provider.API == nil || len(t.Provider.API.BaseURL) == 0 {
		return nil, linkspan.E(op, linkspan.KindInvalid, "missing_api_url", nil, "The provider %q has no base URL.", t.Provider.Name).
			WithHint("Send the API's address in the header Base-Url-Override.")
	}
	u, err := t.Provider.API.BaseURL.ExpandBase(newScope(t, p.values))
	if err != nil {
		return nil, baseError(t, err)
	}
	return newBase(u), nil
}

// baseError says what is wrong with the values that the base URL is made of. The
// catalogue's errors name variables and never show values.
func baseError(t *Target, err error) *linkspan.Error {
	const op = "upstream.Build"
	if missing, ok := errors.AsType[*catalog.UnresolvedError](err); ok {
		return linkspan.E(op, linkspan.KindInvalid, "missing_api_url", err, "The base URL of the provider %q cannot be filled: there is %s.", t.Provider.Name, missing.Error()).
			WithHint("Set the connection_config values that the provider needs, or send the header Base-Url-Override.")
	}
	return linkspan.E(op, linkspan.KindInvalid, "missing_api_url", err, "The base URL of the provider %q is not usable with this connection: %v.", t.Provider.Name, err).
		WithHint("Correct the connection_config of the connection.")
}

// addDefaultAuthorization sets what the type of the credentials asks for. A
// configured authorization header replaces it.
func (p *plan) addDefaultAuthorization(t *Target) {
	c := t.Credentials
	switch c.Type {
	case credential.Basic:
		pair := c.Username.Reveal() + ":" + c.Password.Reveal()
		p.setHeader("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(pair)))
	case credential.OAuth2:
		if !c.AccessToken.IsZero() {
			p.setHeader("Authorization", "Bearer "+c.AccessToken.Reveal())
		}
	case credential.APIKey, credential.None:
	}
}

// addHeaders takes over the configured headers: those that depend on nothing but
// the target are filled now. A header whose placeholders have no value is left
// out, because a literal placeholder helps nobody; so is an empty one.
func (p *plan) addHeaders(t *Target, params catalog.Params) {
	for i := range params {
		param := params[i]
		look := &probe{scope: newScope(t, p.values)}
		text, ok := param.ExpandText(look)
		switch {
		case look.dynamic:
			p.dropHeader(param.Name)
			p.dynamic = append(p.dynamic, param)
			p.signsBody = p.signsBody || look.content
		case ok && text != "":
			p.setHeader(param.Name, text)
		default:
			continue
		}
		if strings.EqualFold(param.Name, "user-agent") {
			p.userAgent = true
		}
	}
}

func (p *plan) setHeader(name, value string) {
	name = textproto.CanonicalMIMEHeaderKey(name)
	if isForbidden(name) {
		return
	}
	if err := checkHeader(name, value); err != nil {
		p.headerErr = linkspan.E("upstream.Build", linkspan.KindInvalid, "invalid_credentials", err,
			"The header %q would hold a line break or another control character.", name).
			WithHint("Check the credentials and the connection_config of the connection for pasted line breaks.")
		return
	}
	p.dropHeader(name)
	p.headers = append(p.headers, header{name, []string{value}})
}

func (p *plan) dropHeader(name string) {
	for i := range p.headers {
		if strings.EqualFold(p.headers[i].name, name) {
			p.headers = append(p.headers[:i], p.headers[i+1:]...)
			return
		}
	}
}

// addQuery takes over the configured query parameters that have a value.
func (p *plan) addQuery(t *Target, params catalog.Params) {
	for i := range params {
		if text, ok := params[i].ExpandText(newScope(t, p.values)); ok {
			p.addQueryParam(params[i].Name, text)
		}
	}
}

func (p *plan) addQueryParam(name, value string) {
	p.query = append(p.query, queryParam{name, url.QueryEscape(name) + "=" + url.QueryEscape(value)})
}

// addGenericKey places the key where the integration's own settings say, for
// providers that leave it to them.
func (p *plan) addGenericKey(t *Target) {
	if !isGeneric(t) {
		return
	}
	text := customValue(t, "valueTemplate")
	if text == "" {
		text = "${apiKey}"
	}
	template, err := catalog.ParseTemplate(text)
	if err != nil {
		p.headerErr = linkspan.E("upstream.Build", linkspan.KindInvalid, "invalid_credentials", err,
			"The value template of the integration %q is not valid.", t.Integration.Key)
		return
	}
	name := customValue(t, "keyName")
	param := catalog.Param{Name: name, Value: catalog.TextValue(template)}
	if customValue(t, "keyPlacement") == "query" {
		p.addQuery(t, catalog.Params{param})
		return
	}
	if !isToken(name) {
		p.headerErr = linkspan.E("upstream.Build", linkspan.KindInvalid, "invalid_credentials", nil,
			"The key name of the integration %q is not a valid header name.", t.Integration.Key)
		return
	}
	p.addHeaders(t, catalog.Params{param})
}

// fill adds the headers of the plan to h. The request is complete but for its
// headers.
func (p *plan) fill(t *Target, h http.Header, r *catalog.Request) error {
	if p.headerErr != nil {
		return p.headerErr
	}
	for i := range p.headers {
		h[p.headers[i].name] = p.headers[i].values
	}
	if len(p.dynamic) == 0 {
		return nil
	}
	// One scope for all of them: a signature and the moment beside it agree.
	s := newScope(t, p.values)
	s.WithRequest(*r)
	for i := range p.dynamic {
		text, ok := p.dynamic[i].ExpandText(s)
		if !ok || text == "" {
			continue
		}
		name := textproto.CanonicalMIMEHeaderKey(p.dynamic[i].Name)
		if isForbidden(name) {
			continue
		}
		if err := checkHeader(name, text); err != nil {
			return linkspan.E("upstream.Build", linkspan.KindInvalid, "invalid_credentials", err,
				"The header %q would hold a line break or another control character.", name)
		}
		h[name] = []string{text}
	}
	return nil
}
