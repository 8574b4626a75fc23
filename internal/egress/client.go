package egress

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Defaults of transports and clients.
const (
	defaultDialTimeout   = 10 * time.Second
	defaultTLSTimeout    = 10 * time.Second
	defaultIdleTimeout   = 90 * time.Second
	defaultIdlePerHost   = 128
	defaultIdleTotal     = 1024
	defaultHeaderBytes   = 1 << 20
	transportBufferBytes = 8 << 10
	// pingAfter is how long an HTTP/2 connection with calls in progress may be
	// silent before it is tested, pingTimeout how long the test may take.
	pingAfter   = 30 * time.Second
	pingTimeout = 15 * time.Second
	// MaxRedirects is how many redirects a client follows unless told otherwise.
	MaxRedirects = 5
)

// TransportOptions tune a transport. Zero values mean sensible defaults.
type TransportOptions struct {
	// DialTimeout bounds resolving and connecting each: 10 s.
	DialTimeout time.Duration
	// ResponseHeaderTimeout bounds the wait for the response's head once the
	// request is sent. Zero: only the request's context bounds it.
	ResponseHeaderTimeout time.Duration
	// IdleTimeout closes connections that were idle for so long: 90 s.
	IdleTimeout time.Duration
	// MaxIdlePerHost and MaxIdle bound the idle connections: 128 and 1024.
	MaxIdlePerHost, MaxIdle int
	// MaxPerHost bounds all connections to a host. Zero: no bound.
	MaxPerHost int
	// Compression lets the transport ask for gzip and decode it unseen. Off, a
	// response arrives as the upstream encoded it.
	Compression bool
	// TLS is the configuration of TLS, for example with client certificates.
	// Nil: the default one. TLS 1.2 is the least in any case.
	TLS *tls.Config
}

// Transport returns a transport whose connections are guarded. It speaks HTTP/2
// where TLS negotiates it and never uses a proxy from the environment. Each
// transport has its own pool of connections: make few and keep them.
func (g *Guard) Transport(o TransportOptions) *http.Transport {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.TLS != nil {
		config = o.TLS.Clone()
		config.MinVersion = max(config.MinVersion, tls.VersionTLS12)
	}
	return &http.Transport{
		Proxy:                  nil,
		DialContext:            g.dialContext(cmp.Or(o.DialTimeout, defaultDialTimeout)),
		TLSClientConfig:        config,
		TLSHandshakeTimeout:    defaultTLSTimeout,
		ResponseHeaderTimeout:  o.ResponseHeaderTimeout,
		ExpectContinueTimeout:  time.Second,
		IdleConnTimeout:        cmp.Or(o.IdleTimeout, defaultIdleTimeout),
		MaxIdleConns:           cmp.Or(o.MaxIdle, defaultIdleTotal),
		MaxIdleConnsPerHost:    cmp.Or(o.MaxIdlePerHost, defaultIdlePerHost),
		MaxConnsPerHost:        o.MaxPerHost,
		MaxResponseHeaderBytes: defaultHeaderBytes,
		WriteBufferSize:        transportBufferBytes,
		ReadBufferSize:         transportBufferBytes,
		DisableCompression:     !o.Compression,
		ForceAttemptHTTP2:      true,
		// A connection that died silently must not swallow call after call.
		HTTP2: &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
	}
}

// ClientOptions make a client.
type ClientOptions struct {
	// Transport carries the requests. Nil: a transport of its own with defaults.
	Transport *http.Transport
	// Timeout bounds a whole exchange, its redirects and body included. Zero:
	// the request's context bounds it, which must then have a deadline.
	Timeout time.Duration
	// MaxRedirects is how many redirects are followed: 0 means [MaxRedirects],
	// a negative number none, which hands the redirect response to the caller.
	MaxRedirects int
	// KeepHeadersAcrossOrigins sends all headers to wherever a redirect leads,
	// except from https to http. Only for targets that are trusted to redirect
	// to trusted targets.
	KeepHeadersAcrossOrigins bool
}

// Client returns a client that checks every URL, redirects included.
func (g *Guard) Client(o ClientOptions) *http.Client {
	transport := o.Transport
	if transport == nil {
		transport = g.Transport(TransportOptions{Compression: true})
	}
	return &http.Client{
		Transport:     &checkingTransport{guard: g, next: transport},
		CheckRedirect: g.redirectPolicy(cmp.Or(o.MaxRedirects, MaxRedirects), o.KeepHeadersAcrossOrigins),
		Timeout:       o.Timeout,
	}
}

// checkingTransport checks the URL of each request before it is sent.
type checkingTransport struct {
	guard *Guard
	next  *http.Transport
}

// RoundTrip implements http.RoundTripper.
func (t *checkingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := t.guard.CheckURL(r.URL); err != nil {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, err
	}
	return t.next.RoundTrip(r)
}

// CloseIdleConnections closes the pool's idle connections.
func (t *checkingTransport) CloseIdleConnections() { t.next.CloseIdleConnections() }

// RedirectError wraps the refusal of a redirect, so that callers can tell it
// from the refusal of the first target.
type RedirectError struct {
	// Err says why: a [BlockedError], or ErrTooManyRedirects.
	Err error
}

// Error implements error.
func (e *RedirectError) Error() string { return "following a redirect: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *RedirectError) Unwrap() error { return e.Err }

// ErrTooManyRedirects says that an upstream redirected too often.
var ErrTooManyRedirects = errors.New("the upstream redirected too often")

func (g *Guard) redirectPolicy(limit int, keepHeaders bool) func(*http.Request, []*http.Request) error {
	return func(next *http.Request, via []*http.Request) error {
		if limit < 0 {
			return http.ErrUseLastResponse
		}
		if len(via) > limit {
			return &RedirectError{fmt.Errorf("%w: more than %d times", ErrTooManyRedirects, limit)}
		}
		if err := g.CheckURL(next.URL); err != nil {
			return &RedirectError{err}
		}
		// The standard client would tell the next host where we come from; our
		// URLs can hold keys.
		next.Header.Del("Referer")
		switch first := via[0]; {
		case !leftOrigin(next.URL, via):
		case keepHeaders && (next.URL.Scheme == "https" || first.URL.Scheme == "http"):
			restoreCredentials(next.Header, first.Header)
		default: // also what was meant for TLS and would now go out in the clear
			dropSensitive(next.Header)
		}
		return nil
	}
}

// restoreCredentials puts back what the standard client removes for other hosts.
func restoreCredentials(next, first http.Header) {
	for _, name := range []string{"Authorization", "Cookie"} {
		if values := first[name]; len(values) > 0 {
			next[name] = values
		}
	}
}

// leftOrigin reports whether the way to next leads through another origin than
// the first one. Coming back does not restore trust: the other origin chose
// where to.
func leftOrigin(next *url.URL, via []*http.Request) bool {
	first := via[0].URL
	if !SameOrigin(first, next) {
		return true
	}
	for _, r := range via[1:] {
		if !SameOrigin(first, r.URL) {
			return true
		}
	}
	return false
}

// SameOrigin reports whether two URLs have the same scheme, host and port.
func SameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && portOf(a) == portOf(b)
}

func portOf(u *url.URL) string {
	if port := u.Port(); port != "" {
		return port
	}
	if u.Scheme == "https" {
		return "443"
	}
	return "80"
}

// dropSensitive removes every header but those that never carry a credential.
// APIs put keys into headers of any name, so a list of bad ones would miss some.
func dropSensitive(h http.Header) {
	for name := range h {
		if !harmless(name) {
			delete(h, name)
		}
	}
}

func harmless(name string) bool {
	switch name {
	case "Accept", "Accept-Charset", "Accept-Encoding", "Accept-Language", "Cache-Control", "Content-Encoding", "Content-Language",
		"Content-Type", "If-Match", "If-Modified-Since", "If-None-Match", "If-Range", "If-Unmodified-Since", "Pragma", "Range", "User-Agent":
		return true
	}
	return false
}
