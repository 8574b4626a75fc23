package host

import (
	"context"
	"errors"
	"net/http"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/function/call"
	"github.com/linkspan/linkspan/internal/oplog"
	"github.com/linkspan/linkspan/internal/proxy"
	"github.com/linkspan/linkspan/internal/sandbox"
)

// plainFetch sends a request that carries no credentials but the function's own,
// to where the policy lets it.
func (x *Session) plainFetch(ctx context.Context, c sandbox.Call) (sandbox.Reply, error) {
	var p call.Fetch
	if err := decode(c.JSON, &p); err != nil {
		return sandbox.Reply{}, err
	}
	req, err := p.Request(ctx, c.Body)
	if err != nil {
		return sandbox.Reply{}, err
	}
	if call.Changes(p.Method) {
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

// exchange sends a request and reads its answer.
func (x *Session) exchange(req *http.Request, note *linkspan.Message) (sandbox.Reply, error) {
	res, err := x.s.fetch.Do(req)
	if err != nil {
		return sandbox.Reply{}, call.FetchError(req, err)
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
	reply, err := answer(call.Fetched(req, res))
	reply.Body = body
	return reply, err
}

// headers shows headers without the secrets in them.
func (x *Session) headers(h http.Header) map[string]string {
	shown := (*oplog.Redactor)(nil).Headers(h)
	for name, value := range shown {
		shown[name] = x.redact(value)
	}
	return shown
}
