package host

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/egress"
	"github.com/linkspan/linkspan/internal/oplog"
	"github.com/linkspan/linkspan/internal/proxy"
	"github.com/linkspan/linkspan/internal/sandbox"
)

// userAgent is sent when the function names none.
const userAgent = "Linkspan (+https://github.com/linkspan/linkspan)"

// fetchParams is what the prelude asks of "fetch": a request without credentials
// (features SDK-17).
type fetchParams struct {
	URL     string      `json:"url"`
	Method  string      `json:"method"`
	Headers [][2]string `json:"headers"`
}

// plainFetch sends a request that carries no credentials but the function's own,
// to where the policy lets it.
func (x *Session) plainFetch(ctx context.Context, c sandbox.Call) (sandbox.Reply, error) {
	var p fetchParams
	if err := decode(c.JSON, &p); err != nil {
		return sandbox.Reply{}, err
	}
	req, err := p.request(ctx, c.Body)
	if err != nil {
		return sandbox.Reply{}, err
	}
	if changes(p.Method) {
		x.effect()
	}
	begun := x.s.c.Now().UTC()
	note := linkspan.Message{Type: "http", CreatedAt: begun, Request: &linkspan.HTTPRequestSummary{
		Method: p.Method, URL: x.redact((*oplog.Redactor)(nil).URL(req.URL)), Headers: x.headers(req.Header),
	}}
	reply, err := x.exchange(req, &note)
	note.EndedAt = x.s.c.Now().UTC()
	if err != nil {
		note.Level, note.Text = "error", p.Method+" fetch failed"
		if e, ok := errors.AsType[*linkspan.Error](err); ok {
			note.Error = &linkspan.OperationError{Code: e.Code, Message: e.Msg}
		} else if e, ok := errors.AsType[*proxy.NetworkError](err); ok {
			note.Error = &linkspan.OperationError{Code: e.Code, Message: e.Message}
		}
	}
	if !x.quiet() || note.Level == "error" {
		x.info.Op.Message(note)
	}
	return reply, err
}

// request makes the request.
func (p *fetchParams) request(ctx context.Context, body []byte) (*http.Request, error) {
	const op = "host.fetch"
	u, err := url.Parse(p.URL)
	switch {
	case !isMethod(p.Method):
		return nil, linkspan.E(op, linkspan.KindInvalid, "invalid_method", nil, "The method of the request is not valid.")
	case len(p.URL) > maxEndpoint || err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return nil, linkspan.E(op, linkspan.KindInvalid, "url_not_allowed", nil, "The URL is not an absolute http or https URL.")
	}
	header, err := headerOf(p.Headers)
	if err != nil {
		return nil, err
	}
	if header.Get("User-Agent") == "" {
		header.Set("User-Agent", userAgent)
	}
	req, err := http.NewRequestWithContext(ctx, p.Method, p.URL, bytes.NewReader(body))
	if err != nil {
		return nil, linkspan.E(op, linkspan.KindInvalid, "url_not_allowed", err, "The URL is not usable.")
	}
	req.Header = header
	if len(body) == 0 {
		req.Body, req.GetBody, req.ContentLength = nil, nil, 0
	}
	return req, nil
}

// exchange sends a request and reads its answer.
func (x *Session) exchange(req *http.Request, note *linkspan.Message) (sandbox.Reply, error) {
	res, err := x.s.fetch.Do(req)
	if err != nil {
		return sandbox.Reply{}, fetchError(req, err)
	}
	defer func() { _ = res.Body.Close() }()
	note.Response = &linkspan.HTTPResponseSummary{Code: res.StatusCode, Headers: x.headers(res.Header)}
	note.Level, note.Text = "info", req.Method+" fetch: "+res.Status
	if res.StatusCode >= http.StatusBadRequest {
		note.Level = "error"
	}
	body, err := x.readBody(req.Context(), res.Body)
	if err != nil {
		if _, ours := errors.AsType[*linkspan.Error](err); ours || req.Context().Err() != nil {
			return sandbox.Reply{}, err
		}
		return sandbox.Reply{}, proxy.NewNetworkError(req.Method, err)
	}
	last := res.Request.URL
	reply, err := answer(httpReply{
		Status: res.StatusCode, StatusText: http.StatusText(res.StatusCode), Headers: pairs(res.Header),
		URL: last.String(), Redirected: last.String() != req.URL.String(),
	})
	reply.Body = body
	return reply, err
}

// fetchError puts what went wrong into the words of the contract (features
// SDK-17).
func fetchError(req *http.Request, err error) error {
	const op = "host.fetch"
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err // it holds the URL, which can hold keys
	}
	switch blocked, isBlocked := egress.IsBlocked(err); {
	case isBlocked:
		return linkspan.E(op, linkspan.KindInvalid, "url_not_allowed", err, "%s.", strings.ToUpper(blocked.Error()[:1])+blocked.Error()[1:])
	case errors.Is(err, egress.ErrTooManyRedirects):
		return linkspan.E(op, linkspan.KindInvalid, "too_many_redirects", err, "The server redirected more than %d times.", egress.MaxRedirects)
	case errors.Is(err, errInvalidRedirect):
		return linkspan.E(op, linkspan.KindInvalid, "invalid_redirect", err, "The server redirected to something that is no URL.")
	case req.Context().Err() != nil:
		return req.Context().Err()
	}
	return proxy.NewNetworkError(req.Method, err)
}

var errInvalidRedirect = errors.New("the redirect leads to no URL")

// checkedRedirects finds redirects that can't be followed, which the standard
// client reports without a name.
type checkedRedirects struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (c checkedRedirects) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := c.next.RoundTrip(r)
	if err != nil || res.StatusCode < 300 || res.StatusCode > 399 {
		return res, err
	}
	if location := res.Header.Get("Location"); location != "" {
		if _, err := r.URL.Parse(location); err != nil {
			_ = res.Body.Close()
			return nil, errInvalidRedirect
		}
	}
	return res, nil
}

// CloseIdleConnections closes the pool's idle connections.
func (c checkedRedirects) CloseIdleConnections() {
	if pool, ok := c.next.(interface{ CloseIdleConnections() }); ok {
		pool.CloseIdleConnections()
	}
}

// headers shows headers without the secrets in them.
func (x *Session) headers(h http.Header) map[string]string {
	shown := (*oplog.Redactor)(nil).Headers(h)
	for name, value := range shown {
		shown[name] = x.redact(value)
	}
	return shown
}

// pairs lists headers in lower case, sorted by name.
func pairs(h http.Header) [][2]string {
	list := make([][2]string, 0, len(h))
	for _, name := range slices.Sorted(maps.Keys(h)) {
		for _, value := range h[name] {
			list = append(list, [2]string{strings.ToLower(name), latin1(value)})
		}
	}
	return list
}

// latin1 makes a character of each byte: HTTP says no more of values, and so does
// Node, whatever the bytes are.
func latin1(value string) string {
	if !strings.ContainsFunc(value, func(c rune) bool { return c >= utf8.RuneSelf }) {
		return value
	}
	out := make([]rune, len(value))
	for i := range len(value) {
		out[i] = rune(value[i])
	}
	return string(out)
}
