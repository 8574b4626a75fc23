package host

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/http/httpguts"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/connect"
	"github.com/linkspan/linkspan/internal/proxy"
	"github.com/linkspan/linkspan/internal/sandbox"
	"github.com/linkspan/linkspan/internal/upstream"
)

const (
	// accept is what axios asks for: some APIs answer with XML otherwise.
	accept      = "application/json, text/plain, */*"
	maxEndpoint = 64 << 10
	maxHeaders  = 200
	// maxRecorded is how many calls of a run are recorded whatever becomes of
	// them.
	maxRecorded = 500
	// smallBody is how much of an answer's body is read without waiting, and
	// largeBodies how many larger ones are read at the same time by one run.
	smallBody   = 1 << 20
	largeBodies = 2
	maxRetryOn  = 600
)

// httpParams is what the prelude asks of "http": one proxied call.
type httpParams struct {
	which

	Method   string `json:"method"`
	Endpoint string `json:"endpoint"`
	// Headers are pairs of a name and a value.
	Headers [][2]string `json:"headers"`
	// ContentType describes the body unless Headers do.
	ContentType              string   `json:"contentType"`
	Retries                  float64  `json:"retries"`
	RetryOn                  []int    `json:"retryOn"`
	RetryAt                  []string `json:"retryAt"`
	RetryAfter               []string `json:"retryAfter"`
	BaseURLOverride          string   `json:"baseUrlOverride"`
	Decompress               *bool    `json:"decompress"`
	ForwardHeadersOnRedirect *bool    `json:"forwardHeadersOnRedirect"`
	// Text asks for the answer's body as a string.
	Text bool `json:"text"`
}

// httpReply is the head of an answer.
type httpReply struct {
	Status     int    `json:"status"`
	StatusText string `json:"statusText"`
	// Headers are pairs of a name in lower case and a value, sorted by name.
	Headers    [][2]string `json:"headers"`
	URL        string      `json:"url,omitempty"`
	Redirected bool        `json:"redirected,omitempty"`
}

// http makes a call through the proxy.
func (x *Session) http(ctx context.Context, c sandbox.Call) (sandbox.Reply, error) {
	var p httpParams
	if err := decode(c.JSON, &p); err != nil {
		return sandbox.Reply{}, err
	}
	header, err := p.check()
	if err != nil {
		return sandbox.Reply{}, err
	}
	if changes(p.Method) {
		x.effect()
	}
	if err := x.atHome(ctx, &p); err != nil {
		return sandbox.Reply{}, err
	}
	key, name := x.names(p.which)
	res, err := x.s.c.Proxy.Do(ctx, proxy.Request{
		Environment: x.info.Environment, IntegrationKey: key, ConnectionName: name,
		Target: func(ctx context.Context, o connect.FreshOptions) (*upstream.Target, error) {
			return x.target(ctx, p.which, o)
		},
		Method: p.Method, Endpoint: p.Endpoint, Header: header, Body: c.Body, ContentType: p.ContentType, Accept: accept,
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
		body = text(body)
	}
	reply, err := answer(httpReply{Status: res.Status, StatusText: http.StatusText(res.Status), Headers: pairs(res.Header)})
	reply.Body, reply.Text = body, p.Text
	return reply, err
}

// atHome drops a base URL that is where the provider's own one is and an endpoint
// below that, as links to next pages have: an operator who forbids overrides does
// not mean those.
func (x *Session) atHome(ctx context.Context, p *httpParams) error {
	if p.BaseURLOverride == "" {
		return nil
	}
	t, err := x.target(ctx, p.which, connect.FreshOptions{})
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

// check refuses what no call can be made of and returns the headers.
func (p *httpParams) check() (http.Header, error) {
	const op = "host.http"
	switch {
	case !isMethod(p.Method):
		return nil, linkspan.E(op, linkspan.KindInvalid, "invalid_method", nil, "The method of the call is not valid.")
	case len(p.Endpoint) > maxEndpoint:
		return nil, linkspan.E(op, linkspan.KindInvalid, "invalid_endpoint", nil, "The endpoint is longer than %d bytes.", maxEndpoint)
	case len(p.RetryOn) > maxRetryOn:
		return nil, linkspan.E(op, linkspan.KindInvalid, "invalid_parameters", nil, "There are more statuses in retryOn than exist.")
	case p.BaseURLOverride != "" && upstream.CheckBase(p.BaseURLOverride) != nil:
		return nil, linkspan.E(op, linkspan.KindInvalid, "base_url_override_not_allowed", nil, "The baseUrlOverride is not an absolute http or https URL.")
	}
	return headerOf(p.Headers)
}

// isMethod reports whether a method may be used: that of a request which is
// answered by one response.
func isMethod(method string) bool {
	if len(method) == 0 || len(method) > 20 || method == http.MethodConnect || method == http.MethodTrace {
		return false
	}
	return strings.Trim(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-") == ""
}

// changes reports whether a method may change something where it is sent.
func changes(method string) bool {
	return method != http.MethodGet && method != http.MethodHead && method != http.MethodOptions
}

// headerOf makes headers of pairs. What can't be a header is refused by name.
func headerOf(list [][2]string) (http.Header, error) {
	if len(list) > maxHeaders {
		return nil, linkspan.E("host.http", linkspan.KindInvalid, "invalid_headers", nil, "A call takes at most %d headers.", maxHeaders)
	}
	h := make(http.Header, len(list))
	for _, pair := range list {
		if !httpguts.ValidHeaderFieldName(pair[0]) {
			return nil, linkspan.E("host.http", linkspan.KindInvalid, "invalid_headers", nil, "%.100q is not the name of a header.", pair[0])
		}
		if !httpguts.ValidHeaderFieldValue(pair[1]) {
			return nil, linkspan.E("host.http", linkspan.KindInvalid, "invalid_headers", nil, "The value of the header %.100q holds a control character.", pair[0])
		}
		h.Add(pair[0], pair[1])
	}
	return h, nil
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
		return nil, linkspan.E("host.http", linkspan.KindTooLarge, "response_too_large", nil,
			"The answer is larger than the %d bytes that a function can be given.", limit).
			WithHint("Ask for smaller pages, or for a part of the file with the header Range.")
	}
	return body, nil
}

// text makes a body a string: without a byte order mark, and with U+FFFD for
// what is not UTF-8.
func text(body []byte) []byte {
	body = bytes.TrimPrefix(body, []byte("\xEF\xBB\xBF"))
	if utf8.Valid(body) {
		return body
	}
	out := make([]byte, 0, len(body)+len(body)/8)
	for len(body) > 0 {
		r, n := utf8.DecodeRune(body)
		if r == utf8.RuneError && n == 1 {
			n = malformed(body)
		}
		out = utf8.AppendRune(out, r)
		body = body[n:]
	}
	return out
}

// malformed is how many bytes one U+FFFD stands for: the longest beginning of a
// character, as the Encoding Standard has it, or a single byte.
func malformed(b []byte) int {
	for n := min(len(b), utf8.UTFMax-1); n > 1; n-- {
		if !utf8.FullRune(b[:n]) {
			return n
		}
	}
	return 1
}
