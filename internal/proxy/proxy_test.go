package proxy_test

import (
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
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/egress"
	"github.com/linkspan/linkspan/internal/proxy"
	"github.com/linkspan/linkspan/internal/upstream"
)

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

// TestRedirectsToOtherHosts leaves the host, not just the port.
func TestRedirectsToOtherHosts(t *testing.T) {
	t.Parallel()
	var auth, body string
	reached := false
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		content, _ := io.ReadAll(r.Body)
		auth, body, reached = r.Header.Get("Authorization"), string(content), true
	}))
	t.Cleanup(other.Close)
	to := strings.Replace(other.URL, "127.0.0.1", "other.example", 1)
	for _, c := range []struct {
		name, extra, keep string
		status            int
		wantAuth, want    string
	}{
		{"harmless headers only", "", "false", http.StatusOK, "", `{"a":1}`},
		{"all headers", "", "true", http.StatusOK, "Bearer token-1", `{"a":1}`},
		{"a body with credentials", "  body:\n    key: ${accessToken}\n", "false", http.StatusTemporaryRedirect, "", ""},
		{"a body with credentials, all headers", "  body:\n    key: ${accessToken}\n", "true", http.StatusOK, "Bearer token-1", `{"a":1,"key":"token-1"}`},
	} {
		b := newBench(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusTemporaryRedirect) }, c.extra, func(config *proxy.Config) {
			config.Upstream = upstream.New(upstream.Config{Guard: egress.New(egress.Policy{AllowPrivateNetwork: true}, loopback{})})
		})
		auth, body, reached = "", "", false
		res := b.do(t, "POST", "/proxy/x", strings.NewReader(`{"a":1}`), "Content-Type", "application/json", "Retries", "1", "Forward-Headers-On-Redirect", c.keep)
		if res.StatusCode != c.status || auth != c.wantAuth || body != c.want || reached != (c.status == http.StatusOK) {
			t.Errorf("%s: %d %q %q", c.name, res.StatusCode, auth, body)
		}
	}
}

func TestBaseURLOverride(t *testing.T) {
	t.Parallel()
	handler := func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Host+r.RequestURI) }
	other := httptest.NewServer(http.HandlerFunc(handler))
	t.Cleanup(other.Close)
	cases := []struct {
		name     string
		policy   proxy.OverridePolicy
		base     string // the provider's own; empty is the fake API
		override string
		want     string
	}{
		{"allowed", proxy.OverrideAnywhere, "", other.URL + "/v2", ""},
		{"disabled", proxy.OverrideOff, "", other.URL, "base_url_override_disabled"},
		{"metadata", proxy.OverrideAnywhere, "", "http://169.254.169.254", "base_url_override_not_allowed"},
		{"odd notation", proxy.OverrideAnywhere, "", "http://2852039166", "base_url_override_not_allowed"},
		{"denied", proxy.OverrideAnywhere, "", "http://api.denied.example", "base_url_override_not_allowed"},
		{"own host", proxy.OverrideProvider, other.URL, other.URL + "/v2", ""},
		{"other port", proxy.OverrideProvider, "", other.URL, "base_url_override_not_allowed"},
		{"in the clear", proxy.OverrideProvider, "https://api.example", "http://api.example:443", "base_url_override_not_allowed"},
		{"other host", proxy.OverrideProvider, "", "https://evil.example", "base_url_override_not_allowed"},
		{"ends like the host", proxy.OverrideProvider, "https://api.example", "https://evilapi.example", "base_url_override_not_allowed"},
		{"lent app, own host", proxy.OverrideAnywhere, other.URL, other.URL + "/v2", ""},
		{"lent app, other host", proxy.OverrideAnywhere, "", "https://evil.example", "base_url_override_not_allowed"},
		{"below", proxy.OverrideProvider, strings.Replace(other.URL, "127.0.0.1", "localhost", 1), strings.Replace(other.URL, "127.0.0.1", "eu.localhost", 1), ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			guard := egress.New(egress.Policy{AllowPrivateNetwork: true, DeniedHosts: []string{".denied.example"}}, loopback{})
			b := newBench(t, handler, "", func(config *proxy.Config) {
				config.Override, config.Upstream = c.policy, upstream.New(upstream.Config{Guard: guard})
			})
			if c.base != "" {
				b.target = newTarget(t, c.base, "", "token-1")
			}
			// Tokens of an app that the operator lends go to nobody else.
			b.target.Integration.Secrets.Shared = strings.HasPrefix(c.name, "lent app")
			res := b.do(t, "GET", "/proxy/x?y=1", nil, "Base-Url-Override", c.override)
			if res.Header.Get("X-Code") != c.want {
				t.Fatalf("got %q %v", res.Header.Get("X-Code"), b.errs)
			}
			if got := text(t, res); c.want == "" && got != strings.TrimPrefix(c.override, "http://")+"/x?y=1" {
				t.Errorf("reached %q", got)
			}
		})
	}
}

// loopback resolves every name to this machine.
type loopback struct{}

func (loopback) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})}, nil
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
		tick := clock
		c.Now = func() time.Time { tick++; return time.Unix(int64(tick), 0) }
		c.Observe = func(_ context.Context, o proxy.Outcome) { got = append(got, o) }
	})
	b.do(t, "GET", "/proxy/x", nil, "Retries", "1")
	b.do(t, "GET", "/proxy/x", nil, "Connection-Id", "other")
	b.saas.Close()
	b.do(t, "GET", "/proxy/x", nil)
	b.proxy.Close()
	if len(got) != 3 {
		t.Fatalf("%+v", got)
	}
	want := []proxy.Outcome{
		{Integration: "acme", Connection: "c1", Provider: "acme", Status: 200, Attempts: 2, Took: got[0].Took},
		{Integration: "acme", Connection: "other"},
		{Integration: "acme", Connection: "c1", Provider: "acme", Failure: "ECONNREFUSED", Attempts: 1, Took: time.Second},
	}
	if diff := cmp.Diff(want, got); diff != "" || got[0].Took < 2*time.Second {
		t.Error(diff)
	}
}

func TestNoContentTypeIsGuessed(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Type"] = nil
		_, _ = io.WriteString(w, "<html>")
	}, "")
	if res := b.do(t, "GET", "/proxy/x", nil); res.Header["Content-Type"] != nil {
		t.Errorf("got %q", res.Header["Content-Type"])
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
	if got := text(t, res); res.StatusCode != http.StatusUnprocessableEntity || got != body || res.Header.Get("Content-Type") != "application/problem+json" || res.Header.Get("X-Request-Id") != "r1" {
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
		if res.StatusCode != http.StatusInternalServerError || got["code"] != code || got["method"] != "DELETE" || !slices.Equal(keys, []string{"code", "message", "method", "status"}) {
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
