package proxy_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/catalog"
	"github.com/linkspan/linkspan/internal/connect"
	"github.com/linkspan/linkspan/internal/credential"
	"github.com/linkspan/linkspan/internal/egress"
	"github.com/linkspan/linkspan/internal/oplog"
	"github.com/linkspan/linkspan/internal/proxy"
	"github.com/linkspan/linkspan/internal/upstream"
)

// bench is a proxy in front of a fake API, with one connection, c1 of acme.
type bench struct {
	proxy  *httptest.Server
	saas   *httptest.Server
	store  *memory
	ops    *oplog.Log
	caller *upstream.Caller
	// errs are the errors that Serve returned.
	mu     sync.Mutex
	errs   []error
	target *upstream.Target
	// renewed is what a refresh yields; nil means that it fails.
	renewed *upstream.Target
	fresh   []connect.FreshOptions
	waits   []time.Duration
	fail    error
}

// memory keeps operations.
type memory struct {
	mu   sync.Mutex
	ops  []linkspan.Operation
	msgs []linkspan.Message
}

func (m *memory) SaveOperations(_ context.Context, _ linkspan.Tx, ops []linkspan.Operation, msgs []linkspan.Message) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ops = append(m.ops, ops...)
	m.msgs = append(m.msgs, msgs...)
	return nil
}

const clock = 1_700_000_000

func newBench(tb testing.TB, saas http.HandlerFunc, apiExtra string, change ...func(*proxy.Config)) *bench {
	tb.Helper()
	b := &bench{store: &memory{}}
	b.saas = httptest.NewServer(saas)
	tb.Cleanup(b.saas.Close)
	b.target = newTarget(tb, b.saas.URL, apiExtra, "token-1")
	b.ops = oplog.New(b.store, nil, oplog.Options{})
	caller := upstream.New(upstream.Config{Guard: egress.New(egress.Policy{AllowPrivateNetwork: true}, nil)})
	tb.Cleanup(caller.CloseIdleConnections)
	b.caller = caller
	config := proxy.Config{
		Upstream: caller, Ops: b.ops, Fresh: b.freshTarget,
		Now: func() time.Time { return time.Unix(clock, 0) },
		Wait: func(ctx context.Context, d time.Duration) error {
			b.waits = append(b.waits, d)
			return ctx.Err()
		},
	}
	for _, f := range change {
		f(&config)
	}
	service := proxy.New(config)
	b.proxy = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := service.Serve(w, r, linkspan.Environment{ID: 7, AccountID: 3}); err != nil {
			b.mu.Lock()
			b.errs = append(b.errs, err)
			b.mu.Unlock()
			w.Header().Set("X-Code", linkspan.CodeOf(err))
			w.WriteHeader(599)
		}
	}))
	tb.Cleanup(b.proxy.Close)
	return b
}

func newTarget(tb testing.TB, base, apiExtra, token string) *upstream.Target {
	tb.Helper()
	text := "name: acme\ndisplay_name: Acme\ncategories:\n  - other\nauth:\n  mode: OAUTH2\n  authorize:\n    url:\n      - https://acme.example/a\n" +
		"  token:\n    url:\n      - https://acme.example/t\napi:\n  base_url:\n    - ${connectionConfig.url}\n" + apiExtra
	p, err := catalog.ParseProvider("acme.yaml", "acme", []byte(text))
	if err != nil {
		tb.Fatal(err)
	}
	return &upstream.Target{
		Provider:    p,
		Integration: linkspan.Integration{Key: "acme"},
		Connection:  linkspan.Connection{Name: "c1", UUID: "u1", Config: map[string]any{"url": base}, CredentialsVersion: 1},
		Credentials: credential.NewOAuth2(token, "refresh-1", time.Time{}),
	}
}

func (b *bench) freshTarget(_ context.Context, env linkspan.EnvironmentID, key, name string, o connect.FreshOptions) (*upstream.Target, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fresh = append(b.fresh, o)
	switch {
	case b.fail != nil:
		return nil, b.fail
	case env != 7 || key != "acme":
		return nil, linkspan.E("test", linkspan.KindNotFound, "unknown_provider_config", nil, "There is no such integration.")
	case name != "c1":
		return nil, linkspan.E("test", linkspan.KindNotFound, "unknown_connection", nil, "There is no such connection.")
	case !o.Rejected:
		return b.target, nil
	case b.renewed == nil:
		return nil, linkspan.E("test", linkspan.KindUpstream, "refresh_token_external_error", nil, "Refused.")
	}
	return b.renewed, nil
}

// do sends a request through the proxy; headers come in pairs.
func (b *bench) do(tb testing.TB, method, path string, body io.Reader, headers ...string) *reply {
	tb.Helper()
	req, err := http.NewRequestWithContext(tb.Context(), method, b.proxy.URL+path, body)
	if err != nil {
		tb.Fatal(err)
	}
	req.Header.Set("Connection-Id", "c1")
	req.Header.Set("Provider-Config-Key", "acme")
	req.Header.Set("Authorization", "Bearer our-own-key")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
		if headers[i+1] == "" && strings.HasPrefix(headers[i], "-") {
			req.Header.Del(headers[i][1:])
			req.Header.Del(headers[i])
		}
	}
	res, err := rawClient().Do(req)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = res.Body.Close() })
	return &reply{res.StatusCode, res.Header, res.Body}
}

// reply is an answer whose body is closed when the test ends.
type reply struct {
	StatusCode int
	Header     http.Header
	Body       io.Reader
}

// rawClient shows answers as they are: no redirects, no decompression.
func rawClient() *http.Client {
	return &http.Client{
		Transport:     &http.Transport{DisableCompression: true, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func text(tb testing.TB, res *reply) string {
	tb.Helper()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return string(body)
}

// flush writes the operations and returns them.
func (b *bench) flush(tb testing.TB) ([]linkspan.Operation, []linkspan.Message) {
	tb.Helper()
	b.proxy.Close() // waits for the handlers
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := b.ops.Run(ctx); err != nil {
		tb.Fatal(err)
	}
	return b.store.ops, b.store.msgs
}
