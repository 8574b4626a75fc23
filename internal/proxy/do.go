package proxy

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/connect"
	"github.com/linkspan/linkspan/internal/oplog"
	"github.com/linkspan/linkspan/internal/upstream"
)

// Request is a call that the program itself makes on behalf of a connection.
type Request struct {
	Environment linkspan.Environment
	// IntegrationKey and ConnectionName name the connection.
	IntegrationKey, ConnectionName string
	// Target returns the connection. Nil: it is looked up by its names.
	Target func(ctx context.Context, o connect.FreshOptions) (*upstream.Target, error)
	// Method is the HTTP method, in upper case.
	Method string
	// Endpoint is the path with its query, or a whole URL below the base URL.
	Endpoint string
	// Header holds the headers for the upstream.
	Header http.Header
	// Body is the whole body, and ContentType describes it when Header does not.
	// The body is not changed; nil means none.
	Body        []byte
	ContentType string
	// Accept is sent when neither Header nor the provider says what answers are
	// understood. Empty: nothing is sent then.
	Accept string
	// Retries is how often the call is tried again, at most 100 times; RetryOn
	// are statuses that are tried again besides the usual ones.
	Retries int
	RetryOn []int
	// RetryAt and RetryAfter name headers of answers that hold the moment of the
	// next try or the seconds until then. They replace the provider's.
	RetryAt, RetryAfter []string
	// BaseURLOverride replaces the provider's base URL; empty means not.
	BaseURLOverride string
	// Decompress and KeepHeadersOnRedirect leave it to the provider when nil.
	Decompress, KeepHeadersOnRedirect *bool
	// Op is the operation that the call belongs to. It gets a message and is not
	// ended. Nil: the call has an operation of its own.
	Op *oplog.Op
	// Quiet records under Op only what did not go well.
	Quiet bool
	// Redact takes out of what is recorded under Op secrets that the connection
	// does not know of. Nil: there are none.
	Redact func(text string) string
}

// Response is an upstream's answer. Its body must be read to the end or closed,
// and closed in any case.
type Response struct {
	Status int
	// Header holds what is meant for the caller.
	Header http.Header
	Body   io.ReadCloser
	// Target is the connection as it was used, maybe with renewed credentials.
	Target *upstream.Target
}

// Do makes one call, as Serve does for callers that come by HTTP. Answers of any
// status are answers; errors are a [linkspan.Error] for what is refused, a
// *[NetworkError] when the upstream did not answer, and the context's own. The
// context bounds the reading of the body too.
func (s *Service) Do(ctx context.Context, r Request) (*Response, error) {
	if r.Method == http.MethodConnect {
		return nil, linkspan.E("proxy.Do", linkspan.KindInvalid, "invalid_method", nil, "The method CONNECT cannot be proxied.")
	}
	parent := ctx
	ctx, cancel := context.WithCancel(ctx)
	c := &call{
		s: s, ctx: ctx, cancel: cancel, env: r.Environment, method: r.Method, endpoint: r.Endpoint,
		params: params{
			connection: r.ConnectionName, integration: r.IntegrationKey, retries: min(max(r.Retries, 0), maxRetries), retryOn: r.RetryOn,
			retryAt: r.RetryAt, retryAfter: r.RetryAfter, baseURL: r.BaseURLOverride,
			decompress: r.Decompress, keepHeaders: r.KeepHeadersOnRedirect, header: r.Header,
		},
		get: r.Target, accept: r.Accept, content: r.Body, bodyType: r.ContentType,
		op: r.Op, shared: r.Op != nil, inner: true, quiet: r.Quiet, redact: r.Redact, begun: s.c.Now().UTC(),
	}
	if !strings.HasPrefix(c.endpoint, "/") {
		c.endpoint = "/" + c.endpoint
	}
	c.begin()
	res, err := c.answer(parent)
	if err != nil {
		c.finish(err)
		c.observe(ctx)
		cancel()
		return nil, err
	}
	return res, nil
}

// answer runs the call up to the head of the answer.
func (c *call) answer(parent context.Context) (*Response, error) {
	if err := c.prepare(); err != nil {
		return nil, err
	}
	res, err := c.attempts() //nolint:contextcheck // the call holds the context made by Do
	if err != nil {
		return nil, c.explain(err)
	}
	if res.StatusCode == http.StatusSwitchingProtocols {
		_ = res.Body.Close()
		return nil, c.explain(errSwitched)
	}
	body := &answerBody{c: c, parent: parent, src: c.decoded(res), res: res, idle: time.AfterFunc(c.s.c.IdleTimeout, c.cancel)}
	c.status = res.StatusCode
	c.logResponse(res)
	header := make(http.Header, len(res.Header))
	copyHeader(header, res.Header)
	return &Response{Status: res.StatusCode, Header: header, Body: body, Target: c.target}, nil
}

// answerBody ends its call when it is closed.
type answerBody struct {
	c *call
	// parent is the context of whoever called; the call's own also ends when the
	// body falls silent.
	parent context.Context //nolint:containedctx // the body lives within it
	src    io.Reader
	res    *http.Response
	idle   *time.Timer
	// failed is why the body broke off.
	failed error
	closed sync.Once
}

// Read implements io.Reader. Errors are those of Do.
func (b *answerBody) Read(p []byte) (int, error) {
	n, err := b.src.Read(p)
	if n > 0 {
		b.idle.Reset(b.c.s.c.IdleTimeout)
	}
	if err != nil && err != io.EOF {
		b.failed = b.broken(err)
		return n, b.failed
	}
	return n, err
}

// broken says why the body ended early.
func (b *answerBody) broken(err error) error {
	code, text := "ECONNRESET", "The upstream broke off in the middle of its answer."
	switch {
	case b.parent.Err() != nil:
		return b.parent.Err()
	case b.c.ctx.Err() != nil:
		code, text = "ETIMEDOUT", "The upstream stopped in the middle of its answer."
	case !errors.Is(err, io.ErrUnexpectedEOF):
		return b.c.explain(err)
	}
	b.c.failure = code
	return &NetworkError{Message: text, Code: code, Method: b.c.method}
}

// Close implements io.Closer.
func (b *answerBody) Close() error {
	b.closed.Do(func() {
		b.idle.Stop()
		_ = b.res.Body.Close()
		if b.failed != nil {
			b.c.finish(b.failed)
		} else {
			b.c.succeed(b.res)
		}
		b.c.observe(b.c.ctx)
		b.c.cancel()
	})
	return nil
}
