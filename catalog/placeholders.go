package catalog

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// place says which variables the templates of one part of a file may use.
type place struct {
	namespaces []string
	names      []string
	// steps allows step1.x, step2.x and so on.
	steps bool
	// request allows functions that sign the request.
	request bool
}

func consentPlace() place { return place{namespaces: []string{"connectionConfig"}} }

func tokenPlace() place {
	return place{
		namespaces: []string{"connectionConfig", "credentials"},
		names:      []string{"token", "refresh_token"},
	}
}

func stepPlace() place {
	p := tokenPlace()
	p.steps = true
	return p
}

func signingPlace() place { return place{namespaces: []string{"connectionConfig", "credentials"}} }

func assertionPlace() place {
	return place{namespaces: []string{"connectionConfig", "credentials", "assertionOption"}}
}

// callPlace is the base URL, query and body of API calls.
func callPlace() place {
	return place{
		namespaces: []string{"connectionConfig", "credentials", "metadata"},
		names:      []string{"apiKey", "username", "password", "accessToken", "access_token", "token"},
	}
}

// headerPlace adds what is known once the rest of the request is built.
func headerPlace() place {
	p := callPlace()
	p.names = append(p.names, "clientId", "clientSecret", "method", "endpoint", "host", "path", "params",
		"urlCanonicalParams", "bodyCanonicalParams", "contentType")
	p.request = true
	return p
}

// placeholders checks that every template uses what its place offers.
func (c *checker) placeholders() {
	eachTemplate(c.provider, func(path string, where place, t *Template) {
		for _, name := range t.Refs() {
			if !where.offers(name) {
				c.add(path, "uses ${%s}, which has no value there; %s", name, where.describe())
			}
		}
		if !where.request && slices.Contains(t.Functions(), "awsSigV4") {
			c.add(path, "calls awsSigV4, which works in api.headers only")
		}
	})
}

func (w place) offers(name string) bool {
	if slices.Contains(w.names, name) {
		return true
	}
	namespace, rest, ok := strings.Cut(name, ".")
	if !ok || rest == "" {
		return false
	}
	if digits, isStep := strings.CutPrefix(namespace, "step"); isStep && w.steps {
		n, err := strconv.Atoi(digits)
		return err == nil && n > 0
	}
	return slices.Contains(w.namespaces, namespace)
}

func (w place) describe() string {
	known := make([]string, 0, len(w.namespaces)+len(w.names)+1)
	for _, namespace := range w.namespaces {
		known = append(known, namespace+".*")
	}
	known = append(known, w.names...)
	if w.steps {
		known = append(known, "step1.*")
	}
	return fmt.Sprintf("known are %s", strings.Join(known, ", "))
}

// eachTemplate visits every template of a provider with its path.
func eachTemplate(p *Provider, visit func(path string, where place, t *Template)) {
	v := templateVisitor(visit)
	a := &p.Auth
	v.urls("auth.authorize.url", consentPlace(), a.Authorize.URL)
	v.params("auth.authorize.params", consentPlace(), a.Authorize.Params)
	v.one("auth.authorize.issuer", consentPlace(), a.Authorize.Issuer)
	v.token(&a.Token)
	v.one("auth.refresh.url", tokenPlace(), a.Refresh.URL)
	v.one("auth.token.introspection_url", tokenPlace(), a.Token.IntrospectionURL)
	v.params("auth.refresh.params", tokenPlace(), a.Refresh.Params)
	v.params("auth.refresh.headers", tokenPlace(), a.Refresh.Headers)
	if s := a.Signing; s != nil {
		v.one("auth.signing.key", signingPlace(), s.Key)
		v.params("auth.signing.header", signingPlace(), s.Header)
		v.params("auth.signing.payload", signingPlace(), s.Payload)
	}
	if s := a.Assertion; s != nil {
		v.assertion(s)
	}
	if p.API != nil {
		v.api(p.API)
	}
}

type templateVisitor func(path string, where place, t *Template)

func (v templateVisitor) one(path string, where place, t *Template) {
	if t != nil {
		v(path, where, t)
	}
}

func (v templateVisitor) urls(path string, where place, urls []Template) {
	for i := range urls {
		v(path+"."+strconv.Itoa(i), where, &urls[i])
	}
}

func (v templateVisitor) params(path string, where place, params Params) {
	for i := range params {
		at := path + "." + strconv.Itoa(i)
		params[i].Value.Templates(func(t *Template) { v(at+".value", where, t) })
		if params[i].Fallback != nil {
			params[i].Fallback.Templates(func(t *Template) { v(at+".fallback", where, t) })
		}
	}
}

func (v templateVisitor) token(t *Token) {
	v.urls("auth.token.url", tokenPlace(), t.URL)
	v.one("auth.token.installation_url", consentPlace(), t.InstallationURL)
	v.params("auth.token.params", tokenPlace(), t.Params)
	v.params("auth.token.headers", tokenPlace(), t.Headers)
	for i := range t.NextSteps {
		step, path := &t.NextSteps[i], "auth.token.next_steps."+strconv.Itoa(i)
		v.one(path+".url", stepPlace(), step.URL)
		v.params(path+".params", stepPlace(), step.Params)
		v.params(path+".headers", stepPlace(), step.Headers)
	}
}

func (v templateVisitor) assertion(s *Assertion) {
	v.one("auth.assertion.key", assertionPlace(), s.Key)
	v.params("auth.assertion.header", assertionPlace(), s.Header)
	v.params("auth.assertion.payload", assertionPlace(), s.Payload)
	if saml := s.SAML; saml != nil {
		v.one("auth.assertion.saml.issuer", assertionPlace(), saml.Issuer)
		v.one("auth.assertion.saml.audience", assertionPlace(), saml.Audience)
		v.one("auth.assertion.saml.recipient", assertionPlace(), saml.Recipient)
		v.one("auth.assertion.saml.session_index", assertionPlace(), saml.SessionIndex)
		v.one("auth.assertion.saml.name_id", assertionPlace(), saml.NameID)
		v.params("auth.assertion.saml.attributes", assertionPlace(), saml.Attributes)
	}
}

func (v templateVisitor) api(api *API) {
	v.urls("api.base_url", callPlace(), api.BaseURL)
	v.params("api.headers", headerPlace(), api.Headers)
	v.params("api.query", callPlace(), api.Query)
	if api.Body != nil {
		api.Body.Templates(func(t *Template) { v("api.body", callPlace(), t) })
	}
	if api.Verify != nil {
		v.urls("api.verify.paths", callPlace(), api.Verify.Paths)
		v.one("api.verify.base_url", callPlace(), api.Verify.BaseURL)
		v.params("api.verify.headers", headerPlace(), api.Verify.Headers)
	}
}
