// Package client is the Go SDK: a typed client of the public HTTP API.
//
// A Client speaks for one API key: an environment's key for integrations,
// connections and the proxy, an account key for environments and keys. It is
// safe for concurrent use. Every call takes a context first and reports what the
// server refused as an *Error. Calls that are safe to repeat are repeated when
// the server asks to be called later (429 and 503).
//
// The deprecated routes have no methods: each has a current twin here.
package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	"github.com/linkspan/linkspan/api"
)

const (
	// defaultRetries is how often a call that may be repeated is repeated.
	defaultRetries = 3
	// maxWait bounds the wait before one repetition, whatever the server says.
	maxWait = time.Minute
	// maxReply bounds a reply that is decoded, in bytes.
	maxReply = 256 << 20
)

// Client calls the API of one server with one key. Make it with New.
type Client struct {
	base      string // no trailing slash
	key       api.Secret
	http      *http.Client
	userAgent string
	header    http.Header
	retries   int
}

// Option changes how a Client works.
type Option func(*Client)

// WithHTTPClient sends requests through c: for a proxy, a private certificate
// authority or a test. It decides about redirects; the Client's own follows none.
func WithHTTPClient(c *http.Client) Option { return func(cl *Client) { cl.http = c } }

// WithUserAgent adds text to the User-Agent header, to tell programs apart.
func WithUserAgent(text string) Option {
	return func(cl *Client) { cl.userAgent += " " + text }
}

// WithHeader sends a header with every request.
func WithHeader(name, value string) Option {
	return func(cl *Client) { cl.header.Set(name, value) }
}

// WithRetries sets how often a call is repeated when the server asks to be
// called later. Zero means never.
func WithRetries(n int) Option { return func(cl *Client) { cl.retries = max(n, 0) } }

// New returns a client of the server at baseURL, such as
// "http://localhost:3003". The key may be empty for the routes that need none.
func New(baseURL string, key api.Secret, options ...Option) (*Client, error) {
	u, err := url.Parse(baseURL)
	if err != nil {
		return nil, errors.New("the base URL can't be parsed: it must look like https://host or http://host:port")
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, fmt.Errorf("the base URL %q must be http or https with a host, and have no query, fragment or password", u.Redacted())
	}
	c := &Client{
		base:      strings.TrimRight(baseURL, "/"),
		key:       key,
		http:      &http.Client{CheckRedirect: stay},
		userAgent: "linkspan-go/" + version(),
		header:    make(http.Header),
		retries:   defaultRetries,
	}
	for _, o := range options {
		o(c)
	}
	return c, nil
}

// stay follows no redirect. The server itself sends none; one that a provider
// sends is the caller's to follow, without the headers that are for the server.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// version is the SDK's own version, as the build recorded it.
func version() string {
	const path = "github.com/linkspan/linkspan"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if info.Main.Path == path && info.Main.Version != "" {
		return info.Main.Version
	}
	for _, m := range info.Deps {
		if m.Path == path {
			return m.Version
		}
	}
	return "unknown"
}

// Health reports whether the server runs.
func (c *Client) Health(ctx context.Context) error {
	return c.do(ctx, call{method: http.MethodGet, path: "/health"}, nil)
}

// Ready reports whether the server is ready for work: it has not begun to shut
// down, and its database answers.
func (c *Client) Ready(ctx context.Context) error {
	return c.do(ctx, call{method: http.MethodGet, path: "/ready", once: true}, nil)
}
