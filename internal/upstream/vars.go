package upstream

import (
	"net/url"
	"time"

	"github.com/linkspan/linkspan/catalog"
	"github.com/linkspan/linkspan/internal/credential"
)

// scope is what the templates of one request can see. The embedded scope holds
// the connection's values, one moment and one random value.
type scope struct {
	*catalog.Scope
	credentials  credential.Vars
	clientID     string
	clientSecret string
}

// Lookup implements catalog.Vars.
func (s *scope) Lookup(name string) (string, bool) {
	switch name {
	case "clientId":
		return s.clientID, s.clientID != ""
	case "clientSecret":
		return s.clientSecret, s.clientSecret != ""
	}
	if value, ok := s.credentials.Lookup(name); ok {
		return value, true
	}
	return s.Scope.Lookup(name)
}

// newScope makes a scope for one request of the target.
func newScope(t *Target, values map[string]any) *scope {
	id, secret := t.Credentials.Client(t.Integration.Secrets)
	return &scope{
		Scope:        catalog.NewScope(values),
		credentials:  t.Credentials.Vars(),
		clientID:     id,
		clientSecret: secret.Reveal(),
	}
}

// targetValues are the connection's own values that templates can name.
func targetValues(t *Target) map[string]any {
	c := &t.Connection
	return map[string]any{
		"connectionConfig":    c.Config,
		"connection_config":   c.Config,
		"metadata":            c.Metadata,
		"connection_id":       c.Name,
		"provider_config_key": c.IntegrationKey,
	}
}

// probe is a scope that notes whether a template depends on the request, on the
// moment or on chance, so that its text cannot be kept for the next request.
type probe struct {
	*scope
	dynamic bool
	// content is set when the template reads the body.
	content bool
}

// Lookup implements catalog.Vars. Request variables resolve to a stand-in.
func (p *probe) Lookup(name string) (string, bool) {
	if value, ok := p.scope.Lookup(name); ok {
		return value, true
	}
	stand := catalog.Request{URL: &url.URL{Scheme: "https", Host: "x", Path: "/"}}
	value, ok := stand.Lookup(name)
	if ok {
		p.dynamic = true
		p.content = p.content || name == "bodyCanonicalParams" || name == "params"
	}
	return value, ok
}

// Now implements the optional part of catalog.Vars.
func (p *probe) Now() time.Time {
	p.dynamic = true
	return p.scope.Now()
}

// Random implements the optional part of catalog.Vars.
func (p *probe) Random() string {
	p.dynamic = true
	return p.scope.Random()
}

// RequestFacts implements the optional part of catalog.Vars.
func (p *probe) RequestFacts() (catalog.Request, bool) {
	p.dynamic, p.content = true, true
	return catalog.Request{Method: "GET", URL: &url.URL{Scheme: "https", Host: "x", Path: "/"}}, true
}
