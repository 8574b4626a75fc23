package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/linkspan/linkspan/internal/egress"
)

const (
	// lookupTimeout bounds the lookup of one server's metadata: a user waits.
	lookupTimeout = 4 * time.Second
	// maxMetadata bounds a metadata document, in bytes.
	maxMetadata = 256 << 10
	// maxOrigins bounds how many servers are remembered, maxPreparing how many
	// are looked up ahead of need at a time.
	maxOrigins   = 1024
	maxPreparing = 32
	// A server's metadata are believed for knownFor, that it has none for
	// unknownFor: it may have been out of order.
	knownFor   = time.Hour
	unknownFor = 5 * time.Minute
)

// serverMetadata is what matters here of an authorization server's description
// of itself (RFC 8414 §2, RFC 9207 §3).
type serverMetadata struct {
	Issuer                string `json:"issuer"`
	AuthorizationEndpoint string `json:"authorization_endpoint"`
	IssuerParameter       bool   `json:"authorization_response_iss_parameter_supported"`
}

// announced returns the issuer that redirects from a consent page must name, or
// "" when they need not. One origin may hold many servers; metadata of another
// than the consent page's say nothing.
func (m serverMetadata) announced(page *url.URL) string {
	if !m.IssuerParameter {
		return ""
	}
	if m.AuthorizationEndpoint != "" {
		endpoint, err := url.Parse(m.AuthorizationEndpoint)
		if err != nil || !egress.SameOrigin(endpoint, page) || strings.Trim(endpoint.Path, "/") != strings.Trim(page.Path, "/") {
			return ""
		}
	}
	return m.Issuer
}

// issuers looks up metadata and remembers them, by origin.
type issuers struct {
	http *http.Client
	now  func() time.Time
	// ctx is the life of the lookups, which outlive the requests that start them.
	ctx    context.Context
	stop   context.CancelFunc
	flight sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	inFlight int
	known    map[string]*lookup
}

// lookup is one server's metadata, or that they are on their way.
type lookup struct {
	done chan struct{}
	// The rest may be read once done is closed.
	metadata serverMetadata
	until    time.Time
}

func newIssuers(hc *http.Client, now func() time.Time) *issuers {
	ctx, cancel := context.WithCancel(context.Background())
	return &issuers{http: hc, now: now, ctx: ctx, stop: cancel, known: map[string]*lookup{}}
}

func (i *issuers) close() {
	i.mu.Lock()
	i.closed = true
	i.mu.Unlock()
	i.stop()
	i.flight.Wait()
}

// prepare starts a lookup unless there is one, or too many.
func (i *issuers) prepare(origin string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.inFlight < maxPreparing {
		i.join(origin)
	}
}

// find returns the metadata of an origin; the zero value when there are none. It
// fails only with ctx.
func (i *issuers) find(ctx context.Context, origin string) (serverMetadata, error) {
	i.mu.Lock()
	l := i.join(origin) //nolint:contextcheck // a lookup outlives the request that starts it: others wait for it too
	i.mu.Unlock()
	if l == nil {
		return serverMetadata{}, nil
	}
	select {
	case <-l.done:
		return l.metadata, nil
	case <-ctx.Done():
		return serverMetadata{}, fmt.Errorf("waiting for the metadata of an authorization server: %w", ctx.Err())
	}
}

// join returns the lookup of an origin and starts it when there is none that is
// still good. It returns nil when nothing can be started. i.mu is held.
func (i *issuers) join(origin string) *lookup {
	if l, ok := i.known[origin]; ok && l.good(i.now()) {
		return l
	}
	if i.closed || origin == "" {
		return nil
	}
	i.makeRoom()
	l := &lookup{done: make(chan struct{})}
	i.known[origin] = l
	i.inFlight++
	i.flight.Go(func() {
		m, ok := i.fetch(origin)
		i.mu.Lock()
		defer i.mu.Unlock()
		i.inFlight--
		l.metadata, l.until = m, i.now().Add(unknownFor)
		if ok {
			l.until = i.now().Add(knownFor)
		}
		close(l.done)
	})
	return l
}

func (l *lookup) good(now time.Time) bool {
	select {
	case <-l.done:
		return now.Before(l.until)
	default:
		return true
	}
}

// makeRoom forgets what is past its time, else anything. i.mu is held.
func (i *issuers) makeRoom() {
	if len(i.known) < maxOrigins {
		return
	}
	now := i.now()
	for origin, l := range i.known {
		if !l.good(now) {
			delete(i.known, origin)
		}
	}
	for origin := range i.known {
		if len(i.known) < maxOrigins {
			return
		}
		delete(i.known, origin) // whoever waits for it keeps it
	}
}

// fetch asks an origin for its metadata, first as OAuth then as OpenID has it.
func (i *issuers) fetch(origin string) (serverMetadata, bool) {
	ctx, cancel := context.WithTimeout(i.ctx, lookupTimeout)
	defer cancel()
	for _, document := range []string{"/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"} {
		if m, err := i.read(ctx, origin, document); err == nil {
			return m, true
		}
	}
	return serverMetadata{}, false
}

var errNoMetadata = errors.New("there are no metadata of this authorization server")

// read reads one document. It must describe the origin it was read from (RFC
// 8414 §3.3).
func (i *issuers) read(ctx context.Context, origin, document string) (serverMetadata, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, origin+document, http.NoBody)
	if err != nil {
		return serverMetadata{}, fmt.Errorf("asking for metadata: %w", err)
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", userAgent)
	res, err := i.http.Do(r)
	if err != nil {
		return serverMetadata{}, fmt.Errorf("asking for metadata: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return serverMetadata{}, errNoMetadata
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxMetadata+1))
	if err != nil || len(body) > maxMetadata {
		return serverMetadata{}, errNoMetadata
	}
	var m serverMetadata
	if err := json.Unmarshal(body, &m); err != nil {
		return serverMetadata{}, errNoMetadata
	}
	issuer, err := url.Parse(m.Issuer)
	if err != nil || originOf(issuer) != origin {
		return serverMetadata{}, errNoMetadata
	}
	return m, nil
}

// originOf returns scheme, host and port of an http or https URL, or "".
func originOf(u *url.URL) string {
	if u == nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return ""
	}
	return u.Scheme + "://" + strings.ToLower(u.Host)
}
