package proxy_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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
	proxy *httptest.Server
	saas  *httptest.Server
	store *memory
	ops   *oplog.Log
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

func newBench(t testing.TB, saas http.HandlerFunc, apiExtra string, change ...func(*proxy.Config)) *bench {
	t.Helper()
	b := &bench{store: &memory{}}
	b.saas = httptest.NewServer(saas)
	t.Cleanup(b.saas.Close)
	b.target = newTarget(t, b.saas.URL, apiExtra, "token-1")
	b.ops = oplog.New(b.store, nil, oplog.Options{})
	caller := upstream.New(upstream.Config{Guard: egress.New(egress.Policy{AllowPrivateNetwork: true}, nil)})
	t.Cleanup(caller.CloseIdleConnections)
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
	t.Cleanup(b.proxy.Close)
	return b
}

func newTarget(t testing.TB, base, apiExtra, token string) *upstream.Target {
	t.Helper()
	text := "name: acme\ndisplay_name: Acme\ncategories:\n  - other\nauth:\n  mode: OAUTH2\n  authorize:\n    url:\n      - https://acme.example/a\n" +
		"  token:\n    url:\n      - https://acme.example/t\napi:\n  base_url:\n    - ${connectionConfig.url}\n" + apiExtra
	p, err := catalog.ParseProvider("acme.yaml", "acme", []byte(text))
	if err != nil {
		t.Fatal(err)
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
func (b *bench) do(t testing.TB, method, path string, body io.Reader, headers ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, b.proxy.URL+path, body)
	if err != nil {
		t.Fatal(err)
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
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	return res
}

// rawClient shows answers as they are: no redirects, no decompression.
func rawClient() *http.Client {
	return &http.Client{
		Transport:     &http.Transport{DisableCompression: true, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func text(t testing.TB, res *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// flush writes the operations and returns them.
func (b *bench) flush(t testing.TB) ([]linkspan.Operation, []linkspan.Message) {
	t.Helper()
	b.proxy.Close() // waits for the handlers
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := b.ops.Run(ctx); err != nil {
		t.Fatal(err)
	}
	return b.store.ops, b.store.msgs
}

func TestMethodsPathsAndHeaders(t *testing.T) {
	t.Parallel()
	type seen struct {
		Method, URI, Body string
		Header            http.Header
	}
	var got seen
	b := newBench(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = seen{r.Method, r.RequestURI, string(body), r.Header.Clone()}
		w.Header().Set("X-Answer", "yes")
		w.Header().Add("Set-Cookie", "a=1")
		w.Header().Set("Access-Control-Allow-Origin", "https://acme.example")
		w.Header().Set("Keep-Alive", "timeout=5")
		w.Header().Set("Connection", "X-Hop")
		w.Header().Set("X-Hop", "1")
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, "ok")
	}, "")
	const path = "/a//b/../c%2Fd/%25?x=%20y&z[]=1&&"
	for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "PROPFIND", "REPORT", "SEARCH"} {
		var body io.Reader
		wantBody := `{"b":1,  "a":1e999}`
		if upstream.HasBody(method) {
			body = strings.NewReader(wantBody)
		} else {
			wantBody = ""
		}
		res := b.do(t, method, "/proxy"+path, body,
			"Content-Type", "application/json", "Cookie", "session=secret", "User-Agent", "curl", "Accept", "x/y", "X-Forwarded-For", "1.2.3.4",
			"Nango-Proxy-X-Foo", "bar", "Nango-Proxy-Accept", "application/json", "Nango-Proxy-Host", "evil", "Nango-Proxy-Authorization", "Bearer our-own-key",
			"Nango-Proxy-Connection", "X-Foo-Hop", "Nango-Proxy-X-Foo-Hop", "1")
		if res.StatusCode != http.StatusCreated || res.Header.Get("X-Answer") != "yes" || res.Header.Get("Set-Cookie") != "a=1" {
			t.Errorf("%s: %d %v", method, res.StatusCode, res.Header)
		}
		for _, name := range []string{"Access-Control-Allow-Origin", "Keep-Alive", "X-Hop"} {
			if res.Header.Get(name) != "" {
				t.Errorf("%s: %s came through", method, name)
			}
		}
		if body := text(t, res); body != "ok" && method != "HEAD" {
			t.Errorf("%s: body %q", method, body)
		}
		got.Header.Del("Content-Length")
		want := seen{method, path, wantBody, http.Header{
			"Authorization": {"Bearer token-1"}, "X-Foo": {"bar"}, "Accept": {"application/json"},
			"User-Agent": {"Linkspan (+https://github.com/linkspan/linkspan)"}, "Content-Type": {"application/json"},
		}}
		if wantBody == "" {
			want.Header.Del("Content-Type")
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -want +got\n%s", method, diff)
		}
	}
}

func TestInvalidHeaders(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(http.ResponseWriter, *http.Request) { t.Error("the upstream was called") }, "")
	cases := []struct{ name, value, path, code string }{
		{"-Connection-Id", "", "connection-id", "invalid_type"},
		{"Connection-Id", "a<b", "connection-id", "invalid_union"},
		{"Connection-Id", strings.Repeat("a", 256), "connection-id", "too_big"},
		{"-Provider-Config-Key", "", "provider-config-key", "invalid_type"},
		{"Provider-Config-Key", "a/b", "provider-config-key", "invalid_format"},
		{"Retries", "x", "retries", "invalid_type"},
		{"Retries", "-1", "retries", "too_small"},
		{"Retry-On", "404,", "retry-on", "invalid_format"},
		{"Base-Url-Override", "nonsense", "base-url-override", "invalid_format"},
		{"Base-Url-Override", "ftp://x.example", "base-url-override", "invalid_format"},
		{"Decompress", "yes", "decompress", "invalid_value"},
		{"Forward-Headers-On-Redirect", "1", "forward-headers-on-redirect", "invalid_value"},
		{"Nango-Is-Sync", "1", "nango-is-sync", "invalid_value"},
		{"Nango-Is-Dry-Run", "1", "nango-is-dry-run", "invalid_value"},
		{"Nango-Activity-Log-Id", strings.Repeat("a", 256), "nango-activity-log-id", "too_big"},
	}
	for _, c := range cases {
		res := b.do(t, "GET", "/proxy/x", nil, c.name, c.value)
		if res.Header.Get("X-Code") != "invalid_headers" {
			t.Errorf("%s: %d", c.name, res.StatusCode)
			continue
		}
		e, _ := errors.AsType[*linkspan.Error](b.errs[len(b.errs)-1])
		if e.Kind != linkspan.KindInvalid || len(e.Issues) != 1 || e.Issues[0].Code != c.code || e.Issues[0].Path[0] != c.path {
			t.Errorf("%s: %+v", c.name, e)
		}
	}
	// What the public clients send when nothing is set.
	ok := newBench(t, func(http.ResponseWriter, *http.Request) {}, "")
	if res := ok.do(t, "GET", "/proxy/x", nil, "Base-Url-Override", "", "Nango-Activity-Log-Id", "", "Retries", "0", "Nango-Is-Sync", "false"); res.StatusCode != 200 {
		t.Errorf("empty headers: %d %v", res.StatusCode, ok.errs)
	}
}

func TestConnectionErrors(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(http.ResponseWriter, *http.Request) { t.Error("the upstream was called") }, "")
	inner := func(kind linkspan.Kind, code string, status int) error {
		return fmt.Errorf("refreshing: %w", linkspan.E("x", kind, code, nil, "Because.").WithStatus(status))
	}
	cases := []struct {
		name, key, conn string
		fail            error
		code            string
		kind            linkspan.Kind
		status          int
	}{
		{"integration", "other", "c1", nil, "unknown_provider_config", linkspan.KindNotFound, 404},
		{"connection", "acme", "other", nil, "server_error", linkspan.KindInvalid, 0},
		{"backoff", "acme", "c1", inner(linkspan.KindUpstream, "connection_refresh_backoff", 424), "connection_refresh_backoff", linkspan.KindUpstream, 424},
		{"refresh", "acme", "c1", inner(linkspan.KindUpstream, "refresh_interrupted", 424), "server_error", linkspan.KindUpstream, 424},
		{"unsupported", "acme", "c1", inner(linkspan.KindInvalid, "unsupported_provider", 0), "unsupported_provider", linkspan.KindInvalid, 0},
		{"internal", "acme", "c1", errors.New("disk"), "", linkspan.KindInternal, 0},
	}
	for _, c := range cases {
		b.fail = c.fail
		b.do(t, "GET", "/proxy/x", nil, "Provider-Config-Key", c.key, "Connection-Id", c.conn)
		err := b.errs[len(b.errs)-1]
		if linkspan.CodeOf(err) != c.code || linkspan.KindOf(err) != c.kind {
			t.Errorf("%s: %v", c.name, err)
		}
		if e, ok := errors.AsType[*linkspan.Error](err); ok && e.Status != c.status {
			t.Errorf("%s: status %d, want %d", c.name, e.Status, c.status)
		}
	}
}

func TestRetries(t *testing.T) {
	t.Parallel()
	now := clock
	cases := []struct {
		name, api, retries, retryOn string
		// answers are "status header=value body"; the last one repeats.
		answers []string
		want    int
		calls   int
		waits   []time.Duration
	}{
		{"none asked", "", "0", "", []string{"500"}, 500, 1, nil},
		{"5xx", "", "2", "", []string{"500", "503", "200"}, 200, 3, []time.Duration{3 * time.Second, 6 * time.Second}},
		{"exhausted", "", "2", "", []string{"500"}, 500, 3, []time.Duration{3 * time.Second, 6 * time.Second}},
		{"429 with Retry-After", "", "1", "", []string{"429 Retry-After=7", "200"}, 200, 2, []time.Duration{7 * time.Second}},
		{"404 is final", "", "3", "", []string{"404"}, 404, 1, nil},
		{"retry-on", "", "3", "404,409", []string{"404", "409", "200"}, 200, 3, []time.Duration{3 * time.Second, 6 * time.Second}},
		{"provider status replaces the set", "  retry:\n    status:\n      - '403'\n", "1", "", []string{"500"}, 500, 1, nil},
		{"provider status", "  retry:\n    status:\n      - 4xx\n", "1", "", []string{"403", "200"}, 200, 2, []time.Duration{3 * time.Second}},
		{"provider at, seconds", "  retry:\n    at:\n      - x-reset\n", "1", "", []string{fmt.Sprintf("429 X-Reset=%d", now+20), "200"}, 200, 2, []time.Duration{20 * time.Second}},
		{"provider at, milliseconds", "  retry:\n    at:\n      - x-reset\n", "1", "", []string{fmt.Sprintf("429 X-Reset=%d", (now+20)*1000), "200"}, 200, 2, []time.Duration{20 * time.Second}},
		{"provider at, past", "  retry:\n    at:\n      - x-reset\n", "1", "", []string{"429 X-Reset=5", "200"}, 200, 2, []time.Duration{3 * time.Second}},
		{"longest wins", "  retry:\n    after:\n      - x-a\n      - x-b\n", "1", "", []string{"429 X-A=5 X-B=9", "200"}, 200, 2, []time.Duration{9 * time.Second}},
		{"after, no number", "  retry:\n    after:\n      - x-a\n", "1", "", []string{"429 X-A=6m0s", "200"}, 200, 2, []time.Duration{3 * time.Second}},
		{"cap", "  retry:\n    after:\n      - x-a\n", "1", "", []string{"429 X-A=99999999", "200"}, 200, 2, []time.Duration{10 * time.Minute}},
		{"remaining", "  retry:\n    remaining: x-left\n", "1", "", []string{"403 X-Left=0", "200"}, 200, 2, []time.Duration{3 * time.Second}},
		{"remaining, more left", "  retry:\n    remaining: x-left\n", "1", "", []string{"403 X-Left=1"}, 403, 1, nil},
		{
			"in body", "  retry:\n    body:\n      path: error.message\n      pattern: Retry after (.+)\n      kind: at\n", "1", "",
			[]string{`429 {"error":{"message":"Retry_after_2023-11-14T22:14:00Z"}}`, "200"}, 200, 2, []time.Duration{40 * time.Second},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			calls := 0
			b := newBench(t, func(w http.ResponseWriter, r *http.Request) {
				answer := c.answers[min(calls, len(c.answers)-1)]
				calls++
				if body, _ := io.ReadAll(r.Body); string(body) != "payload" {
					t.Errorf("attempt %d: body %q", calls, body)
				}
				scripted(w, answer)
			}, c.api)
			res := b.do(t, "POST", "/proxy/x", strings.NewReader("payload"), "Retries", c.retries, "Retry-On", cmpOr(c.retryOn, "999"))
			if res.StatusCode != c.want || calls != c.calls {
				t.Errorf("status %d after %d calls, want %d after %d", res.StatusCode, calls, c.want, c.calls)
			}
			if diff := cmp.Diff(c.waits, b.waits); diff != "" {
				t.Errorf("waits: %s", diff)
			}
			ops, msgs := b.flush(t)
			if len(ops) != 1 || ops[0].State.Final() == false || len(msgs) != c.calls-1 {
				t.Errorf("%d operations, %d messages", len(ops), len(msgs))
			}
		})
	}
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// scripted writes an answer like "429 Retry-After=7 body".
func scripted(w http.ResponseWriter, answer string) {
	fields := strings.Fields(answer)
	status, body := 0, ""
	_, _ = fmt.Sscan(fields[0], &status)
	for _, field := range fields[1:] {
		if name, value, ok := strings.Cut(field, "="); ok && !strings.HasPrefix(field, "{") {
			w.Header().Set(name, value)
		} else {
			body = strings.ReplaceAll(field, "_", " ")
		}
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

func TestRefreshAfter401(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name    string
		retries string
		renewed string // the token after a refresh; empty: the refresh fails
		want    int
		calls   int
		fresh   int
	}{
		{"renewed", "1", "token-2", 200, 2, 3},
		{"no retries", "0", "token-2", 401, 1, 1},
		{"unchanged", "3", "token-1", 401, 1, 3},
		{"fails", "3", "", 401, 1, 3},
		{"renewed in vain", "5", "token-3", 401, 2, 3},
		{"renewed by somebody else", "1", "-", 200, 2, 2},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			calls := 0
			var b *bench
			b = newBench(t, func(w http.ResponseWriter, r *http.Request) {
				calls++
				if r.Header.Get("Authorization") != "Bearer token-2" {
					w.WriteHeader(http.StatusUnauthorized)
					if c.renewed == "-" {
						b.mu.Lock()
						defer b.mu.Unlock()
						b.target = newTarget(t, b.saas.URL, "", "token-2")
					}
				}
			}, "")
			if c.renewed != "" {
				b.renewed = newTarget(t, b.saas.URL, "", c.renewed)
			}
			res := b.do(t, "PUT", "/proxy/x", strings.NewReader("payload"), "Retries", c.retries)
			if res.StatusCode != c.want || calls != c.calls || len(b.fresh) != c.fresh || len(b.waits) != 0 {
				t.Errorf("status %d, %d calls, %d fetches, waits %v", res.StatusCode, calls, len(b.fresh), b.waits)
			}
			if len(b.fresh) > 2 && !b.fresh[2].Rejected {
				t.Errorf("a refresh was not asked for: %+v", b.fresh)
			}
		})
	}
}

func TestWaitsNeverOutliveTheRequest(t *testing.T) {
	t.Parallel()
	calls := 0
	b := newBench(t, func(w http.ResponseWriter, _ *http.Request) {
		calls++
		w.Header().Set("Retry-After", "60")
		w.WriteHeader(http.StatusTooManyRequests)
	}, "", func(c *proxy.Config) { c.Now = time.Now })
	service := b.proxy.Config.Handler
	b.proxy.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 30*time.Second)
		defer cancel()
		service.ServeHTTP(w, r.WithContext(ctx))
	})
	if res := b.do(t, "GET", "/proxy/x", nil, "Retries", "3"); res.StatusCode != http.StatusTooManyRequests || calls != 1 || len(b.waits) != 0 {
		t.Errorf("status %d, %d calls, waits %v", res.StatusCode, calls, b.waits)
	}
}

func TestStreamingBothWays(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		w.Header().Set("Content-Type", "text/event-stream")
		in := bufio.NewReader(r.Body)
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				return
			}
			_, _ = io.WriteString(w, "data: "+line+"\n")
			_ = http.NewResponseController(w).Flush()
		}
	}, "")
	reader, writer := io.Pipe()
	sent := make(chan *http.Response, 1)
	go func() {
		req, _ := http.NewRequestWithContext(t.Context(), "POST", b.proxy.URL+"/proxy/x", reader)
		req.Header.Set("Connection-Id", "c1")
		req.Header.Set("Provider-Config-Key", "acme")
		res, err := rawClient().Do(req)
		if err != nil {
			t.Error(err)
		}
		sent <- res
	}()
	_, _ = io.WriteString(writer, "first\n")
	res := <-sent
	if res == nil {
		return
	}
	defer func() { _ = res.Body.Close() }()
	events := bufio.NewReader(res.Body)
	for _, word := range []string{"first", "second", "third"} {
		// Each event arrives before the next line is even sent.
		if word != "first" {
			_, _ = io.WriteString(writer, word+"\n")
		}
		line, err := events.ReadString('\n')
		if err != nil || line != "data: "+word+"\n" {
			t.Fatalf("got %q, %v", line, err)
		}
		_, _ = events.ReadString('\n')
	}
	_ = writer.Close()
	if rest, err := io.ReadAll(events); err != nil || len(rest) != 0 {
		t.Errorf("rest %q, %v", rest, err)
	}
}

// pattern yields n bytes without holding them.
type pattern struct{ left int64 }

func (p *pattern) Read(b []byte) (int, error) {
	if p.left == 0 {
		return 0, io.EOF
	}
	n := int(min(int64(len(b)), p.left))
	for i := range b[:n] {
		b[i] = byte(i)
	}
	p.left -= int64(n)
	return n, nil
}

// TestHugeBodiesAreNotHeld runs alone, because it looks at what the whole process
// allocates: far less than passes through.
func TestHugeBodiesAreNotHeld(t *testing.T) { //nolint:paralleltest // measures the process
	const size = 64 << 20
	var got int64
	b := newBench(t, func(w http.ResponseWriter, r *http.Request) {
		got, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Length", strconv.Itoa(size))
		_, _ = io.Copy(w, &pattern{size})
	}, "", func(c *proxy.Config) { c.MaxReplay = 1 << 10 })
	for _, retries := range []string{"0", "2"} { // with retries the body is too large to be kept
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		res := b.do(t, "POST", "/proxy/x", &pattern{size}, "Retries", retries, "Content-Type", "application/octet-stream")
		n, err := io.Copy(io.Discard, res.Body)
		if err != nil || n != size || got != size {
			t.Errorf("retries %s: %d up, %d down, %v", retries, got, n, err)
		}
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > size/16 {
			t.Errorf("retries %s: %d bytes were allocated for %d that passed", retries, used, 2*size)
		}
	}
}

func TestLargeBodiesAreSentOnce(t *testing.T) {
	t.Parallel()
	calls := 0
	b := newBench(t, func(w http.ResponseWriter, r *http.Request) {
		calls++
		body, _ := io.ReadAll(r.Body)
		if len(body) != 2000 {
			t.Errorf("body of %d bytes", len(body))
		}
		w.WriteHeader(http.StatusBadGateway)
	}, "", func(c *proxy.Config) { c.MaxReplay = 1000 })
	if res := b.do(t, "POST", "/proxy/x", strings.NewReader(strings.Repeat("x", 2000)), "Retries", "3"); res.StatusCode != 502 || calls != 1 {
		t.Errorf("status %d after %d calls", res.StatusCode, calls)
	}
}

func TestChangedBodiesAreLimited(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(http.ResponseWriter, *http.Request) { t.Error("called") }, "  body:\n    key: ${accessToken}\n", func(c *proxy.Config) { c.MaxContent = 10 })
	if res := b.do(t, "POST", "/proxy/x", strings.NewReader(`{"a":"0123456789"}`), "Content-Type", "application/json"); res.Header.Get("X-Code") != "request_too_large" {
		t.Errorf("status %d", res.StatusCode)
	}
}

func TestContentTypes(t *testing.T) {
	t.Parallel()
	var kind, body string
	b := newBench(t, func(_ http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		kind, body = r.Header.Get("Content-Type"), string(raw)
	}, "")
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	_ = w.WriteField("a", "1")
	_ = w.Close()
	cases := []struct{ name, in, wanted, body, wantKind, wantBody string }{
		{"json byte for byte", "application/json", "", `{"b":1,"a":12345678901234567890}`, "application/json", `{"b":1,"a":12345678901234567890}`},
		{"json as another type", "application/json", "application/vnd.api+json", `{}`, "application/vnd.api+json", `{}`},
		{"json as form", "application/json", "application/x-www-form-urlencoded", `{"b":[1,2],"a":{"x":"y z"},"n":12345678901234567890}`, "application/x-www-form-urlencoded", "a%5Bx%5D=y+z&b%5B%5D=1&b%5B%5D=2&n=12345678901234567890"},
		{"form", "application/x-www-form-urlencoded", "application/x-www-form-urlencoded", "a=1&b=%20", "application/x-www-form-urlencoded", "a=1&b=%20"},
		{"xml", "text/xml", "", "<a/>", "text/xml", "<a/>"},
		{"binary", "application/octet-stream", "", "\x00\xff", "application/octet-stream", "\x00\xff"},
		{"multipart", w.FormDataContentType(), "multipart/form-data", form.String(), w.FormDataContentType(), form.String()},
	}
	for _, c := range cases {
		headers := []string{"Content-Type", c.in}
		if c.wanted != "" {
			headers = append(headers, "Nango-Proxy-Content-Type", c.wanted)
		}
		b.do(t, "POST", "/proxy/x", strings.NewReader(c.body), headers...)
		if kind != c.wantKind || body != c.wantBody {
			t.Errorf("%s: %s %q", c.name, kind, body)
		}
	}
	if _, _, err := mime.ParseMediaType(kind); err != nil {
		t.Error(err)
	}
	kind = "unset"
	b.do(t, "GET", "/proxy/x", nil, "Content-Type", "application/json")
	if kind != "" {
		t.Errorf("a GET without body got the content type %q", kind)
	}
}

func TestCompression(t *testing.T) {
	t.Parallel()
	var asked string
	b := newBench(t, func(w http.ResponseWriter, r *http.Request) {
		asked = r.Header.Get("Accept-Encoding")
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = io.WriteString(z, "hello")
		_ = z.Close()
	}, "")
	res := b.do(t, "GET", "/proxy/x", nil)
	if raw := text(t, res); res.Header.Get("Content-Encoding") != "gzip" || !strings.HasPrefix(raw, "\x1f\x8b") || asked != "" {
		t.Errorf("not as it came: %v %q %q", res.Header, raw, asked)
	}
	res = b.do(t, "GET", "/proxy/x", nil, "Decompress", "true")
	if body := text(t, res); res.Header.Get("Content-Encoding") != "" || body != "hello" || asked != "gzip" {
		t.Errorf("not decompressed: %v %q %q", res.Header, body, asked)
	}
}

func TestRedirects(t *testing.T) {
	t.Parallel()
	var auth, custom string
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		auth, custom = r.Header.Get("Authorization"), r.Header.Get("X-Key")
	}))
	defer other.Close()
	b := newBench(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/same":
			http.Redirect(w, r, "/end", http.StatusFound)
		case "/end":
			auth, custom = r.Header.Get("Authorization"), r.Header.Get("X-Key")
		case "/cross":
			http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
		case "/metadata":
			http.Redirect(w, r, "http://169.254.169.254/", http.StatusFound)
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		}
	}, "")
	cases := []struct{ path, keep, wantAuth, wantKey string }{
		{"/same", "", "Bearer token-1", "k"},
		{"/cross", "", "", ""},
		{"/cross", "true", "Bearer token-1", "k"},
	}
	for _, c := range cases {
		headers := []string{"Nango-Proxy-X-Key", "k"}
		if c.keep != "" {
			headers = append(headers, "Forward-Headers-On-Redirect", c.keep)
		}
		if res := b.do(t, "GET", "/proxy"+c.path, nil, headers...); res.StatusCode != 200 || auth != c.wantAuth || custom != c.wantKey {
			t.Errorf("%s: %d %q %q", c.path, res.StatusCode, auth, custom)
		}
	}
	if res := b.do(t, "GET", "/proxy/metadata", nil); res.Header.Get("X-Code") != "proxy_redirect_to_denied_host" {
		t.Errorf("metadata: %d %v", res.StatusCode, b.errs)
	}
	if res := b.do(t, "GET", "/proxy/loop", nil); res.StatusCode != 500 || !strings.Contains(text(t, res), "ERR_FR_TOO_MANY_REDIRECTS") {
		t.Errorf("loop: %d", res.StatusCode)
	}
}

func TestBaseURLOverride(t *testing.T) {
	t.Parallel()
	var host string
	handler := func(_ http.ResponseWriter, r *http.Request) { host = r.Host + r.RequestURI }
	other := httptest.NewServer(http.HandlerFunc(handler))
	defer other.Close()
	cases := []struct {
		name     string
		policy   proxy.OverridePolicy
		denied   []string
		override string
		want     string
	}{
		{"allowed", proxy.OverrideAnywhere, nil, other.URL + "/v2", ""},
		{"disabled", proxy.OverrideNowhere, nil, other.URL, "base_url_override_disabled"},
		{"denied", proxy.OverrideAnywhere, []string{"127.0.0.1"}, other.URL, "base_url_override_not_allowed"},
		{"metadata", proxy.OverrideAnywhere, nil, "http://169.254.169.254", "base_url_override_not_allowed"},
		{"odd notation", proxy.OverrideAnywhere, nil, "http://2852039166", "base_url_override_not_allowed"},
		{"same host", proxy.OverrideSameHost, nil, other.URL, ""},
		{"other host", proxy.OverrideSameHost, nil, "https://evil.example", "base_url_override_not_allowed"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, handler, "", func(config *proxy.Config) { config.Override, config.DeniedHosts = c.policy, c.denied })
			host = ""
			res := b.do(t, "GET", "/proxy/x?y=1", nil, "Base-Url-Override", c.override)
			if res.Header.Get("X-Code") != c.want {
				t.Fatalf("got %q %v", res.Header.Get("X-Code"), b.errs)
			}
			if c.want == "" && host != strings.TrimPrefix(c.override, "http://")+"/x?y=1" {
				t.Errorf("reached %q", host)
			}
		})
	}
}

func TestStrictGuardRefusesPrivateUpstreams(t *testing.T) {
	t.Parallel()
	caller := upstream.New(upstream.Config{Guard: egress.New(egress.Policy{}, nil)})
	b := newBench(t, func(http.ResponseWriter, *http.Request) { t.Error("loopback was reached") }, "", func(c *proxy.Config) { c.Upstream = caller })
	if res := b.do(t, "GET", "/proxy/x", nil); res.Header.Get("X-Code") != "base_url_override_not_allowed" {
		t.Errorf("%d %v", res.StatusCode, b.errs)
	}
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	calls := 0
	var got []proxy.Outcome
	b := newBench(t, func(w http.ResponseWriter, _ *http.Request) {
		if calls++; calls == 1 {
			w.WriteHeader(http.StatusBadGateway)
		}
	}, "", func(c *proxy.Config) {
		c.Ops = nil
		c.Observe = func(_ context.Context, o proxy.Outcome) { got = append(got, o) }
	})
	b.do(t, "GET", "/proxy/x", nil, "Retries", "1")
	b.do(t, "GET", "/proxy/x", nil, "Connection-Id", "other")
	want := []proxy.Outcome{
		{Integration: "acme", Connection: "c1", Provider: "acme", Status: 200, Retries: 1},
		{Integration: "acme", Connection: "other"},
	}
	b.proxy.Close()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestUpstreamErrorsAreVerbatim(t *testing.T) {
	t.Parallel()
	const body = `{"error":"nope",  "x":1}`
	b := newBench(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.Header().Set("X-Request-Id", "r1")
		w.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = io.WriteString(w, body)
	}, "")
	res := b.do(t, "GET", "/proxy/x", nil)
	if got := text(t, res); res.StatusCode != 422 || got != body || res.Header.Get("Content-Type") != "application/problem+json" || res.Header.Get("X-Request-Id") != "r1" {
		t.Errorf("%d %v %s", res.StatusCode, res.Header, got)
	}
}

func TestNetworkErrors(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_ = conn.(*net.TCPConn).SetLinger(0)
			_ = conn.Close()
		}
	}, "")
	check := func(code string, waits int) {
		t.Helper()
		res := b.do(t, "DELETE", "/proxy/x", nil, "Retries", "2")
		var got map[string]any
		if err := json.Unmarshal([]byte(text(t, res)), &got); err != nil {
			t.Fatal(err)
		}
		keys := slices.Sorted(maps.Keys(got))
		if res.StatusCode != 500 || got["code"] != code || got["method"] != "DELETE" || !slices.Equal(keys, []string{"code", "message", "method", "status"}) {
			t.Errorf("%d %v", res.StatusCode, got)
		}
		if len(b.waits) != waits {
			t.Errorf("%s: waits %v", code, b.waits)
		}
		if strings.Contains(fmt.Sprint(got), "127.0.0.1") {
			t.Errorf("the answer reveals an address: %v", got)
		}
		b.waits = nil
	}
	check("ECONNRESET", 2)
	b.saas.Close()
	check("ECONNREFUSED", 2)
}

func TestUpstreamBreaksOff(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}, "")
	res := b.do(t, "GET", "/proxy/x", nil)
	if _, err := io.ReadAll(res.Body); err == nil {
		t.Error("a part looks like the whole")
	}
	ops, _ := b.flush(t)
	if len(ops) != 1 || ops[0].State != linkspan.StateFailed || ops[0].Error.Code != "upstream_aborted" {
		t.Errorf("%+v", ops)
	}
}

func TestCallerGoesAway(t *testing.T) {
	t.Parallel()
	begun, gone := make(chan struct{}), make(chan struct{})
	b := newBench(t, func(_ http.ResponseWriter, r *http.Request) {
		close(begun)
		<-r.Context().Done()
		close(gone)
	}, "")
	ctx, cancel := context.WithCancel(t.Context())
	req, _ := http.NewRequestWithContext(ctx, "GET", b.proxy.URL+"/proxy/x", nil)
	req.Header.Set("Connection-Id", "c1")
	req.Header.Set("Provider-Config-Key", "acme")
	done := make(chan struct{})
	go func() {
		defer close(done)
		if res, err := rawClient().Do(req); err == nil {
			_ = res.Body.Close()
		}
	}()
	<-begun
	cancel()
	<-gone // the upstream call ends with the caller's
	<-done
	ops, _ := b.flush(t)
	if len(ops) != 1 || ops[0].State != linkspan.StateCancelled {
		t.Errorf("%+v", ops)
	}
}

func TestTrailersAndInformationalResponses(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</a.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Link")
		w.Header().Set("Trailer", "X-Sum")
		_, _ = io.WriteString(w, "body")
		w.Header().Set("X-Sum", "42")
		w.Header().Set(http.TrailerPrefix+"X-Late", "43")
	}, "")
	var hints []string
	trace := &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
		hints = append(hints, fmt.Sprint(code, " ", h.Get("Link")))
		return nil
	}}
	req, _ := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), "GET", b.proxy.URL+"/proxy/x", nil)
	req.Header.Set("Connection-Id", "c1")
	req.Header.Set("Provider-Config-Key", "acme")
	res, err := rawClient().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if text(t, res) != "body" || res.Trailer.Get("X-Sum") != "42" || res.Trailer.Get("X-Late") != "43" || res.Header.Get("Link") != "" {
		t.Errorf("trailer %v header %v", res.Trailer, res.Header)
	}
	if diff := cmp.Diff([]string{"103 </a.css>; rel=preload"}, hints); diff != "" {
		t.Error(diff)
	}
}

func TestOperationsHoldNoSecrets(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Echo", r.Header.Get("Authorization"))
		w.Header().Set("Set-Cookie", "session=cookie-secret")
		w.WriteHeader(http.StatusTeapot)
	}, "  query:\n    - name: api\n      value: ${accessToken}\n")
	b.do(t, "GET", "/proxy/x?password=hunter22&q=1", nil, "Nango-Proxy-X-Api-Key", "caller-secret")
	attached := linkspan.NewOperationID(time.Now())
	b.do(t, "GET", "/proxy/x", nil, "Nango-Activity-Log-Id", string(attached))
	ops, msgs := b.flush(t)
	if len(ops) != 1 || len(msgs) != 1 {
		t.Fatalf("%d operations, %d messages", len(ops), len(msgs))
	}
	op := ops[0]
	if op.Type != linkspan.OperationProxy || op.Action != linkspan.ActionCall || op.State != linkspan.StateFailed || op.EnvironmentID != 7 || op.AccountID != 3 ||
		op.IntegrationKey != "acme" || op.ConnectionName != "c1" || op.Provider != "acme" || op.ConnectionUUID != "u1" || op.Response.Code != 418 {
		t.Errorf("%+v", op)
	}
	if msgs[0].OperationID != attached || msgs[0].EnvironmentID != 7 {
		t.Errorf("%+v", msgs[0])
	}
	dump, _ := json.Marshal(ops)
	for _, secret := range []string{"token-1", "hunter22", "caller-secret", "cookie-secret", "our-own-key"} {
		if bytes.Contains(dump, []byte(secret)) {
			t.Errorf("the operation holds %q: %s", secret, dump)
		}
	}
	if !strings.Contains(op.Request.URL, "q=1") {
		t.Errorf("the URL lost its harmless part: %s", op.Request.URL)
	}
}
