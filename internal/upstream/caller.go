package upstream

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/linkspan/linkspan/internal/egress"
)

const (
	// defaultHeaderTimeout bounds the wait for an upstream's first byte.
	defaultHeaderTimeout = 5 * time.Minute
)

// Config makes a Caller.
type Config struct {
	// Guard decides what may be called.
	Guard *egress.Guard
	// HeaderTimeout bounds the wait for the head of a response: 5 minutes.
	HeaderTimeout time.Duration
	// Transport replaces the guard's own; nil means a transport with defaults.
	Transport *http.Transport
}

// Caller sends requests to providers. It is safe for concurrent use.
type Caller struct {
	guard     *egress.Guard
	transport *http.Transport
	// dropping and keeping follow redirects without and with all headers.
	dropping, keeping func(*http.Request, []*http.Request) error
}

// New returns a caller with its own pool of connections.
func New(c Config) *Caller {
	transport := c.Transport
	if transport == nil {
		transport = c.Guard.Transport(egress.TransportOptions{ResponseHeaderTimeout: cmp.Or(c.HeaderTimeout, defaultHeaderTimeout)})
	}
	return &Caller{
		guard:     c.Guard,
		transport: transport,
		dropping:  c.Guard.Client(egress.ClientOptions{Transport: transport}).CheckRedirect,
		keeping:   c.Guard.Client(egress.ClientOptions{Transport: transport, KeepHeadersAcrossOrigins: true}).CheckRedirect,
	}
}

// CloseIdleConnections closes the connections that are not in use.
func (c *Caller) CloseIdleConnections() { c.transport.CloseIdleConnections() }

// CheckBaseURL says whether a base URL may be called, with an error that wraps
// [egress.BlockedError] if not.
func (c *Caller) CheckBaseURL(text string) error {
	b, err := parseBase(text)
	if err != nil {
		return err
	}
	return c.guard.CheckURL(&url.URL{Scheme: b.scheme, Host: b.host})
}

// Do sends a request and follows its redirects. keepHeaders lets all headers
// follow to other origins; otherwise only harmless ones do. The response's body
// is as the upstream encoded it and must be closed. Errors never hold a URL,
// which can hold keys; refusals wrap [egress.BlockedError], those of a redirect
// in an [egress.RedirectError].
func (c *Caller) Do(r *http.Request, keepHeaders bool) (*http.Response, error) {
	if err := c.guard.CheckURL(r.URL); err != nil {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, err
	}
	res, err := c.transport.RoundTrip(r)
	if err != nil || !isRedirect(res) {
		return res, err
	}
	return c.follow(r, res, keepHeaders)
}

func isRedirect(res *http.Response) bool {
	switch res.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return res.Header.Get("Location") != ""
	}
	return false
}

// follow hands a redirect to the standard client, which knows the rules of
// methods and bodies. Calls without redirects, nearly all, do without it.
func (c *Caller) follow(r *http.Request, res *http.Response, keepHeaders bool) (*http.Response, error) {
	policy := c.dropping
	if keepHeaders {
		policy = c.keeping
	}
	if r.Context().Value(secretBodyKey{}) != nil && !keepHeaders {
		policy = keepBodyHome(policy)
	}
	client := &http.Client{Transport: &resumed{first: res, next: c}, CheckRedirect: policy}
	res, err := client.Do(r)
	if err == nil {
		return res, nil
	}
	if res != nil {
		_ = res.Body.Close()
	}
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	return nil, err
}

// keepBodyHome does not follow redirects that would carry the body to another
// origin: it holds credentials. The redirect itself is then the answer.
func keepBodyHome(policy func(*http.Request, []*http.Request) error) func(*http.Request, []*http.Request) error {
	return func(next *http.Request, via []*http.Request) error {
		if next.ContentLength != 0 && !egress.SameOrigin(via[0].URL, next.URL) {
			return http.ErrUseLastResponse
		}
		return policy(next, via)
	}
}

// resumed answers the first request with a response that is already there.
type resumed struct {
	first *http.Response
	used  atomic.Bool
	next  *Caller
}

// RoundTrip implements http.RoundTripper.
func (t *resumed) RoundTrip(r *http.Request) (*http.Response, error) {
	if t.used.CompareAndSwap(false, true) {
		return t.first, nil
	}
	if err := t.next.guard.CheckURL(r.URL); err != nil {
		return nil, err
	}
	return t.next.transport.RoundTrip(r)
}

// Call builds a request and sends it.
func (c *Caller) Call(ctx context.Context, t *Target, r Request) (*http.Response, error) {
	req, err := Build(ctx, t, r)
	if err != nil {
		return nil, err
	}
	return c.Do(req, t.KeepHeadersOnRedirect())
}
