// Package proxy carries calls to third-party APIs with a connection's
// credentials: it checks the caller's control headers, has the request built,
// sends it, tries again where that was asked for, and streams the answer back
// as it comes (wire contract §5).
//
// Bodies pass through without being held, in both directions. A request body is
// kept in memory only when it may have to be sent again or has to be changed,
// and only up to a limit.
package proxy

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/connect"
	"github.com/linkspan/linkspan/internal/oplog"
	"github.com/linkspan/linkspan/internal/upstream"
)

const (
	// prefix is where the proxy sits in the URL space.
	prefix = "/proxy"

	// defaultMaxReplay is up to which size a request body is kept so that it
	// can be sent again; a larger one is sent once.
	defaultMaxReplay = 1 << 20
	// defaultMaxContent is up to which size a body can be changed.
	defaultMaxContent = 10 << 20
	// defaultIdleTimeout ends an answer whose body stopped arriving.
	defaultIdleTimeout = 10 * time.Minute

	copyBufferBytes = 32 << 10
)

// FreshFunc returns the connection of a name with credentials that can be used;
// the method Fresh of [connect.Service] is one.
type FreshFunc func(ctx context.Context, env linkspan.EnvironmentID, integrationKey, name string, o connect.FreshOptions) (*upstream.Target, error)

// OverridePolicy is what callers may do with the header Base-Url-Override. A call
// to an overridden base URL carries the connection's credentials like any other,
// so that whoever may use the proxy can send them anywhere.
type OverridePolicy string

// The policies, as the operator's settings name them.
const (
	// OverrideAnywhere lets callers name any host that may be called at all.
	OverrideAnywhere OverridePolicy = "anywhere"
	// OverrideProvider lets callers name the provider's own host and hosts
	// below it, with the provider's scheme and port.
	OverrideProvider OverridePolicy = "provider"
	// OverrideOff refuses the header.
	OverrideOff OverridePolicy = "off"
)

// Config makes a Service. Fresh and Upstream are required.
type Config struct {
	Fresh    FreshFunc
	Upstream *upstream.Caller
	// Ops records the calls; nil records nothing.
	Ops *oplog.Log
	// Log receives what no caller can be told any more; nil discards it.
	Log *slog.Logger
	// Observe is told of each call when it has ended; nil means nobody is.
	Observe func(ctx context.Context, o Outcome)
	// Override says what callers may do with Base-Url-Override; empty means
	// OverrideAnywhere.
	Override OverridePolicy
	// MaxReplay and MaxContent are the most bytes of a request body that are
	// kept to be sent again, 1 MiB, and to be changed, 10 MiB.
	MaxReplay, MaxContent int64
	// IdleTimeout ends an answer whose body stopped arriving: 10 minutes.
	IdleTimeout time.Duration
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Wait waits before another attempt; nil means a timer. It returns the
	// context's error when that ends first.
	Wait func(ctx context.Context, d time.Duration) error
}

// Outcome is what became of a call, for logs and metrics.
type Outcome struct {
	// Operation is where the call is recorded; empty when it is not.
	Operation linkspan.OperationID
	// Integration and Connection are the caller's names, Provider is empty when
	// the connection was not found.
	Integration, Connection, Provider string
	// Status is that of the upstream's last answer; 0 means there was none.
	Status int
	// Failure names what the network did when there was no answer, or no whole
	// one, such as ECONNREFUSED.
	Failure string
	// Attempts is how often the upstream was asked, Took how long it needed in
	// all to begin its answers.
	Attempts int
	Took     time.Duration
	// Inner means that Do made the call: the request that ctx may belong to is
	// another one, and makes more of them, perhaps at the same time.
	Inner bool
}

// Service is the proxy. It is safe for concurrent use.
type Service struct {
	c Config
	// buffers holds the copy buffers that are not in use.
	buffers sync.Pool
}

// New returns a proxy.
func New(c Config) *Service {
	c.MaxReplay = cmp.Or(c.MaxReplay, defaultMaxReplay)
	c.MaxContent = cmp.Or(c.MaxContent, defaultMaxContent)
	c.IdleTimeout = cmp.Or(c.IdleTimeout, defaultIdleTimeout)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Wait == nil {
		c.Wait = wait
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s := &Service{c: c}
	s.buffers.New = func() any { return new([copyBufferBytes]byte) }
	return s
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Serve answers one call in an environment. The request's target must be as the
// client sent it. An error means that nothing was answered yet; it is a
// [linkspan.Error] for the caller where the contract gives it a code. When an
// upstream breaks off in the middle of an answer, Serve panics with
// [http.ErrAbortHandler], as [httputil.ReverseProxy] does, because that is the
// only way to let the client see that the answer is not complete.
func (s *Service) Serve(w http.ResponseWriter, r *http.Request, env linkspan.Environment) error {
	p, err := parseParams(r.Header)
	if err != nil {
		return err
	}
	if r.Method == http.MethodConnect {
		return linkspan.E("proxy.Serve", linkspan.KindInvalid, "invalid_headers", nil, "The method CONNECT cannot be proxied.").
			WithStatus(http.StatusMethodNotAllowed)
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	e := &exchange{w: w, r: r, call: call{
		s: s, ctx: ctx, cancel: cancel, env: env, params: p, method: r.Method, endpoint: endpoint(r),
		body: r.Body, length: r.ContentLength, bodyType: r.Header.Get("Content-Type"),
	}}
	e.informer.w, e.informer.speaks = w, r.ProtoAtLeast(1, 1)
	e.begin()
	defer e.observe(r.Context())
	if r.Body != nil {
		// The transport may still be about to read the body when the handler
		// ends; a closed one is safe to read.
		defer func() { _ = r.Body.Close() }()
	}
	err = e.serve() //nolint:contextcheck // the call holds the context made above
	e.finish(err)
	return err
}

// endpoint returns what follows the prefix in the request's target, byte for
// byte.
func endpoint(r *http.Request) string {
	target := r.RequestURI
	if !strings.HasPrefix(target, prefix) {
		target = r.URL.RequestURI() // the absolute form of a target, or a request made in the process
	}
	return strings.TrimPrefix(target, prefix)
}
