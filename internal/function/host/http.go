package host

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/connect"
	"github.com/linkspan/linkspan/internal/function/call"
	"github.com/linkspan/linkspan/internal/proxy"
	"github.com/linkspan/linkspan/internal/sandbox"
	"github.com/linkspan/linkspan/internal/upstream"
)

const (
	// maxRecorded is how many calls of a run are recorded whatever becomes of
	// them.
	maxRecorded = 500
	// smallBody is how much of an answer's body is read without waiting, and
	// largeBodies how many larger ones are read at the same time by one run.
	smallBody   = 1 << 20
	largeBodies = 2
)

// http makes a call through the proxy.
func (x *Session) http(ctx context.Context, c sandbox.Call) (sandbox.Reply, error) {
	var p call.HTTP
	if err := decode(c.JSON, &p); err != nil {
		return sandbox.Reply{}, err
	}
	header, err := p.Check()
	if err != nil {
		return sandbox.Reply{}, err
	}
	if call.Changes(p.Method) {
		x.effect()
	}
	if err := x.atHome(ctx, &p); err != nil {
		return sandbox.Reply{}, err
	}
	key, name := x.names(p.Which)
	res, err := x.s.c.Proxy.Do(ctx, proxy.Request{
		Environment: x.info.Environment, IntegrationKey: key, ConnectionName: name,
		Target: func(ctx context.Context, o connect.FreshOptions) (*upstream.Target, error) {
			return x.target(ctx, p.Which, o)
		},
		Method: p.Method, Endpoint: p.Endpoint, Header: header, Body: c.Body, ContentType: p.ContentType, Accept: call.Accept,
		Retries: int(min(max(p.Retries, 0), 100)), RetryOn: p.RetryOn, RetryAt: p.RetryAt, RetryAfter: p.RetryAfter,
		BaseURLOverride: p.BaseURLOverride, Decompress: p.Decompress, KeepHeadersOnRedirect: p.ForwardHeadersOnRedirect, Op: x.info.Op, Quiet: x.quiet(), Redact: x.redact,
	})
	if err != nil {
		return sandbox.Reply{}, err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := x.readBody(ctx, res.Body)
	if err != nil {
		return sandbox.Reply{}, err
	}
	if p.Text {
		body = call.Text(body)
	}
	reply, err := answer(call.Head{Status: res.Status, StatusText: http.StatusText(res.Status), Headers: call.Pairs(res.Header)})
	reply.Body, reply.Text = body, p.Text
	return reply, err
}

// atHome drops a base URL that is where the provider's own one is and an endpoint
// below that, as links to next pages have: an operator who forbids overrides does
// not mean those.
func (x *Session) atHome(ctx context.Context, p *call.HTTP) error {
	if p.BaseURLOverride == "" {
		return nil
	}
	t, err := x.target(ctx, p.Which, connect.FreshOptions{})
	if err != nil {
		return err
	}
	base, err := t.BaseURL()
	if err != nil {
		return nil //nolint:nilerr // a provider without a base URL has no home
	}
	whole := strings.TrimSuffix(p.BaseURLOverride, "/") + "/" + strings.TrimPrefix(p.Endpoint, "/")
	if rest, ok := strings.CutPrefix(whole, base); ok && (rest == "" || rest[0] == '/' || rest[0] == '?') {
		p.BaseURLOverride, p.Endpoint = "", whole
	}
	return nil
}

// quiet counts a call and reports whether its success is left out of the log:
// after so many there must be room for what the function says itself.
func (x *Session) quiet() bool {
	x.mu.Lock()
	x.calls++
	calls := x.calls
	x.mu.Unlock()
	if calls == maxRecorded+1 {
		x.info.Op.Message(linkspan.Message{Text: fmt.Sprintf("There were %d HTTP calls: from now on only those that fail are shown.", maxRecorded)})
	}
	return calls > maxRecorded
}

// readBody reads an answer's body as far as it fits. Large ones are read one after
// the other, so that many calls at once can't fill the server's memory.
func (x *Session) readBody(ctx context.Context, r io.Reader) ([]byte, error) {
	limit := x.s.c.MaxBody
	small := min(limit, smallBody)
	body, err := io.ReadAll(io.LimitReader(r, small+1))
	if err != nil {
		return nil, fmt.Errorf("reading an answer: %w", err)
	}
	if int64(len(body)) <= small {
		return body, nil
	}
	select {
	case x.large <- struct{}{}:
		defer func() { <-x.large }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	rest, err := io.ReadAll(io.LimitReader(r, limit+1-int64(len(body))))
	if err != nil {
		return nil, fmt.Errorf("reading an answer: %w", err)
	}
	if body = append(body, rest...); int64(len(body)) > limit {
		return nil, call.TooLarge(limit)
	}
	return body, nil
}
