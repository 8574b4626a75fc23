// Package upstream turns a connection and a caller's wish into a request that a
// third-party API accepts: base URL, path, query, headers, credentials and body,
// as the provider's catalogue entry says. It also sends requests, follows
// redirects and tries out new credentials.
//
// What does not change between two calls of a connection is worked out once and
// kept on its [Target].
package upstream

import (
	"sync"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/catalog"
	"github.com/linkspan/linkspan/internal/credential"
	"github.com/linkspan/linkspan/internal/oplog"
)

// Target is a connection with everything that is needed to call its provider. It
// is an immutable snapshot, shared between goroutines: pass it by pointer and
// never change its fields once it is.
type Target struct {
	Provider    *catalog.Provider
	Integration linkspan.Integration
	Connection  linkspan.Connection
	Credentials credential.Credentials

	planOnce sync.Once
	plan     *plan

	redactorOnce sync.Once
	redactor     *oplog.Redactor
}

// prepared returns what was worked out once for all calls.
func (t *Target) prepared() *plan {
	t.planOnce.Do(func() { t.plan = newPlan(t) })
	return t.plan
}

// Redactor returns the redactor that knows the secrets of the connection and of
// its integration.
func (t *Target) Redactor() *oplog.Redactor {
	t.redactorOnce.Do(func() {
		t.redactor = oplog.NewRedactor(t.Secrets()...)
	})
	return t.redactor
}

// Secrets returns those of the connection and of its integration that calls carry.
func (t *Target) Secrets() []linkspan.Secret {
	return append(t.Credentials.Secrets(), t.Integration.Secrets.ClientSecret, t.Integration.Secrets.PrivateKey)
}

// NeedsContent reports whether a request of this method can only be built from
// the whole body: something is merged into it, or a header signs it.
func (t *Target) NeedsContent(method string) bool {
	p := t.prepared()
	return HasBody(method) && (p.signsBody || p.body != nil && mergesBody(method))
}

// BaseURL returns where the connection's API is, without a trailing slash. The
// error is a [linkspan.Error] with the code missing_api_url.
func (t *Target) BaseURL() (string, error) {
	p := t.prepared()
	if p.baseErr != nil {
		return "", p.baseErr
	}
	return p.base.text, nil
}

// Decompress reports whether the provider's answers are to be decompressed
// unless the caller says otherwise.
func (t *Target) Decompress() bool { return t.Provider.API != nil && t.Provider.API.Decompress }

// KeepHeadersOnRedirect reports whether all headers follow a redirect to another
// origin unless the caller says otherwise.
func (t *Target) KeepHeadersOnRedirect() bool {
	return t.Provider.API != nil && t.Provider.API.KeepHeadersOnRedirect
}

// Retry returns the provider's hints about trying again.
func (t *Target) Retry() catalog.Retry {
	if t.Provider.API == nil {
		return catalog.Retry{}
	}
	return t.Provider.API.Retry
}
