package remote

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/api/client"
	"github.com/linkspan/linkspan/internal/function/call"
	"github.com/linkspan/linkspan/internal/oplog"
	"github.com/linkspan/linkspan/internal/proxy"
	"github.com/linkspan/linkspan/internal/sandbox"
)

// maxRetries is how often a call is tried again at most.
const maxRetries = 100

// http makes a call through the server's proxy.
func (w *World) http(ctx context.Context, c sandbox.Call) (sandbox.Reply, error) {
	var p call.HTTP
	if err := call.Decode(c.JSON, &p); err != nil {
		return sandbox.Reply{}, err
	}
	header, err := p.Check()
	if err != nil {
		return sandbox.Reply{}, err
	}
	if p.ContentType != "" && header.Get("Content-Type") == "" {
		header.Set("Content-Type", p.ContentType)
	}
	if err := w.accept(ctx, p.Which, header); err != nil {
		return sandbox.Reply{}, err
	}
	if len(p.RetryAt)+len(p.RetryAfter) > 0 {
		w.o.Say("retryHeader is not known to the server's proxy: the provider's own headers say when a call is tried again.")
	}
	key, name := w.names(p.Which)
	request := client.ProxyRequest{
		Method: p.Method, Endpoint: escaped(p.Endpoint), ProviderConfigKey: key, ConnectionID: name, Header: header,
		Retries: int(min(max(p.Retries, 0), maxRetries)), RetryOn: p.RetryOn, BaseURLOverride: p.BaseURLOverride,
		Decompress: p.Decompress, ForwardHeadersOnRedirect: p.ForwardHeadersOnRedirect,
	}
	if len(c.Body) > 0 {
		request.Body = bytes.NewReader(c.Body)
	}
	seen := Exchange{Method: p.Method, Target: p.Endpoint}
	if p.BaseURLOverride != "" {
		seen.Target = strings.TrimSuffix(p.BaseURLOverride, "/") + "/" + strings.TrimPrefix(p.Endpoint, "/")
	}
	reply, err := w.exchange(ctx, request, len(c.Body), p.Text, &seen)
	w.tell(seen, err)
	return reply, err
}

// exchange sends a request through the proxy and reads its answer.
func (w *World) exchange(ctx context.Context, request client.ProxyRequest, sent int, text bool, seen *Exchange) (sandbox.Reply, error) {
	w.count(sent)
	res, err := w.client.Proxy(ctx, request)
	if err != nil {
		return sandbox.Reply{}, err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := w.read(res.Body)
	if err != nil {
		return sandbox.Reply{}, err
	}
	if code := res.Header.Get(client.NetworkErrorHeader); code != "" {
		return sandbox.Reply{}, unanswered(code, request.Method, body)
	}
	seen.Status, seen.Received = res.StatusCode, len(body)
	if text {
		body = call.Text(body)
	}
	reply, err := call.Answer(call.Head{Status: res.StatusCode, StatusText: http.StatusText(res.StatusCode), Headers: call.Pairs(upstreams(res.Header))})
	reply.Body, reply.Text = body, text
	return reply, err
}

// tell tells of an exchange that has ended.
func (w *World) tell(x Exchange, err error) {
	if u, parseErr := url.Parse(x.Target); parseErr == nil {
		x.Target = (*oplog.Redactor)(nil).URL(u)
	}
	x.Target = w.Redact(x.Target)
	if err != nil {
		x.Problem = w.Redact(problem(err))
	}
	w.o.Seen(x)
}

// problem says in a few words why there was no answer.
func problem(err error) string {
	if refused, ok := client.AsError(err); ok {
		return cmp.Or(refused.Code, refused.Message)
	}
	if network, ok := errors.AsType[*proxy.NetworkError](err); ok {
		return network.Code
	}
	if e, ok := errors.AsType[*linkspan.Error](err); ok {
		return e.Code
	}
	return "no answer"
}

// accept asks for JSON unless the function or the provider says what is asked for,
// as runs on the server do.
func (w *World) accept(ctx context.Context, of call.Which, header http.Header) error {
	if header.Get("Accept") != "" {
		return nil
	}
	provider, err := w.provider(ctx, of)
	if err != nil {
		return err
	}
	if provider.Proxy != nil {
		for name := range provider.Proxy.Headers {
			if strings.EqualFold(name, "Accept") {
				return nil
			}
		}
	}
	header.Set("Accept", call.Accept)
	return nil
}

// unanswered reads what the server says of a call that did not reach the provider.
func unanswered(code, method string, body []byte) error {
	var told struct {
		Message string `json:"message"`
	}
	if call.Decode(body, &told) != nil || told.Message == "" {
		told.Message = "The upstream did not answer."
	}
	return &proxy.NetworkError{Code: code, Message: told.Message, Method: method}
}

// upstreams leaves out the headers that are the server's own.
func upstreams(h http.Header) http.Header {
	h = maps.Clone(h)
	maps.DeleteFunc(h, func(name string, _ []string) bool {
		return strings.HasPrefix(name, "Access-Control-") || strings.HasPrefix(name, "X-Linkspan-")
	})
	return h
}

// escaped writes what can't stand in a request as it is.
func escaped(endpoint string) string {
	if !strings.ContainsFunc(endpoint, unsafe) {
		return endpoint
	}
	var b strings.Builder
	for _, c := range []byte(endpoint) {
		if unsafe(rune(c)) {
			fmt.Fprintf(&b, "%%%02X", c)
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}

func unsafe(c rune) bool { return c <= ' ' || c >= 0x7f }

// plainFetch sends a request that carries no credentials but the function's own.
func (w *World) plainFetch(ctx context.Context, c sandbox.Call) (sandbox.Reply, error) {
	var p call.Fetch
	if err := call.Decode(c.JSON, &p); err != nil {
		return sandbox.Reply{}, err
	}
	req, err := p.Request(ctx, c.Body)
	if err != nil {
		return sandbox.Reply{}, err
	}
	seen := Exchange{Method: p.Method, Target: p.URL}
	reply, err := w.fetched(req, len(c.Body), &seen)
	w.tell(seen, err)
	return reply, err
}

// fetched sends a plain request and reads its answer.
func (w *World) fetched(req *http.Request, sent int, seen *Exchange) (sandbox.Reply, error) {
	w.count(sent)
	res, err := w.fetch.Do(req)
	if err != nil {
		return sandbox.Reply{}, call.FetchError(req, err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := w.read(res.Body)
	if err != nil {
		if _, ours := errors.AsType[*linkspan.Error](err); ours || req.Context().Err() != nil {
			return sandbox.Reply{}, err
		}
		return sandbox.Reply{}, proxy.NewNetworkError(req.Method, err)
	}
	seen.Status, seen.Received = res.StatusCode, len(body)
	reply, err := call.Answer(call.Fetched(req, res))
	reply.Body = body
	return reply, err
}

// read reads an answer's body as far as a function may have it.
func (w *World) read(r io.Reader) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, w.o.MaxBody+1))
	if err != nil {
		return nil, fmt.Errorf("reading an answer: %w", err)
	}
	if int64(len(body)) > w.o.MaxBody {
		return nil, call.TooLarge(w.o.MaxBody)
	}
	w.received.Add(int64(len(body)))
	return body, nil
}

func (w *World) count(sent int) {
	w.requests.Add(1)
	w.sent.Add(int64(sent))
}

// names returns whose connection is meant.
func (w *World) names(of call.Which) (key, name string) {
	key, name = of.IntegrationKey, of.Connection
	if key == "" {
		key = w.o.Integration
	}
	if name == "" {
		name = w.o.Connection
	}
	return key, name
}

// deduplicated lists texts once each, sorted.
func deduplicated(list []string) []string { return slices.Compact(slices.Sorted(slices.Values(list))) }
