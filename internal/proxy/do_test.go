package proxy_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/connect"
	"github.com/linkspan/linkspan/internal/proxy"
	"github.com/linkspan/linkspan/internal/upstream"
)

// service makes the same proxy again, to be called from within.
func (b *bench) service(tb testing.TB, change ...func(*proxy.Config)) *proxy.Service {
	tb.Helper()
	config := proxy.Config{
		Upstream: b.caller, Ops: b.ops, Fresh: b.freshTarget,
		Now:  func() time.Time { return time.Unix(clock, 0) },
		Wait: func(ctx context.Context, d time.Duration) error { b.waits = append(b.waits, d); return ctx.Err() },
	}
	for _, f := range change {
		f(&config)
	}
	return proxy.New(config)
}

func ask(method, endpoint string) proxy.Request {
	return proxy.Request{
		Environment: linkspan.Environment{ID: 7, AccountID: 3}, IntegrationKey: "acme", ConnectionName: "c1",
		Method: method, Endpoint: endpoint, Header: http.Header{},
	}
}

func TestDo(t *testing.T) {
	t.Parallel()
	tries := 0
	b := newBench(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch r.URL.Path {
		case "/later":
			if tries++; tries < 3 {
				w.Header().Set("X-Again", "7")
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
		case "/cut":
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "part")
			return
		case "/expired":
			if r.Header.Get("Authorization") == "Bearer token-1" {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
		}
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("X-Auth", r.Header.Get("Authorization"))
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, r.Method+" "+r.URL.RequestURI()+" "+r.Header.Get("Content-Type")+" "+string(body))
	}, "")
	b.renewed = newTarget(t, b.saas.URL, "", "token-2")
	service := b.service(t)
	op := b.ops.Start(linkspan.Operation{EnvironmentID: 7, Type: linkspan.OperationActionRun, Action: linkspan.ActionRun})

	post := ask(http.MethodPost, "users?a=1")
	post.Body, post.ContentType, post.Op = []byte(`{"a":1}`), "application/json", op
	res, err := service.Do(t.Context(), post)
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, res); got != `POST /users?a=1 application/json {"a":1}` || res.Status != http.StatusCreated {
		t.Errorf("answer = %d %q", res.Status, got)
	}
	if res.Header.Get("X-Auth") != "Bearer token-1" || res.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("headers = %v", res.Header)
	}

	again := ask(http.MethodPut, "/later")
	again.Body, again.Retries, again.RetryAfter, again.Op = []byte("x"), 5, []string{"X-Again"}, op
	res, err = service.Do(t.Context(), again)
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, res); got != "PUT /later  x" {
		t.Errorf("answer = %q", got)
	}
	if diff := cmp.Diff([]time.Duration{7 * time.Second, 7 * time.Second}, b.waits); diff != "" {
		t.Errorf("waits (-want +got):\n%s", diff)
	}

	expired := ask(http.MethodGet, "/expired")
	expired.Retries, expired.Op = 1, op
	expired.Target = func(ctx context.Context, o connect.FreshOptions) (*upstream.Target, error) {
		return b.freshTarget(ctx, 7, "acme", "c1", o)
	}
	res, err = service.Do(t.Context(), expired)
	if err != nil {
		t.Fatal(err)
	}
	if read(t, res); res.Header.Get("X-Auth") != "Bearer token-2" || res.Target != b.renewed {
		t.Errorf("the credentials were not renewed: %v", res.Header)
	}

	cut := ask(http.MethodGet, "/cut")
	cut.Op = op
	res, err = service.Do(t.Context(), cut)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.ReadAll(res.Body)
	if network, ok := errors.AsType[*proxy.NetworkError](err); !ok || network.Code != "ECONNRESET" {
		t.Errorf("error of a cut answer = %v", err)
	}
	_ = res.Body.Close()

	op.Succeed("done")
	ops, msgs := b.flush(t)
	if len(ops) != 1 || ops[0].State != linkspan.StateSuccess || ops[0].Request != nil {
		t.Errorf("operations = %+v", ops)
	}
	var texts []string
	for _, m := range msgs {
		texts = append(texts, m.Level+" "+m.Text)
		if m.Retry == nil && (m.Type != "http" || m.Request == nil || m.Response == nil && m.Error == nil) {
			t.Errorf("message = %+v", m)
		}
		if m.Request != nil && strings.Contains(m.Request.Headers["authorization"], "token") {
			t.Errorf("a message holds the token: %+v", m.Request)
		}
	}
	if diff := cmp.Diff([]string{
		"info POST proxy call: 201",
		"warn The upstream answered with status 503. The call is tried again in 7s.",
		"warn The upstream answered with status 503. The call is tried again in 7s.",
		"info PUT proxy call: 201",
		"warn The upstream answered with status 401. The call is tried again in 0s.",
		"info GET proxy call: 201",
		"error GET proxy call failed",
	}, texts); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
}

func TestDoRefuses(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(http.ResponseWriter, *http.Request) {}, "")
	service := b.service(t, func(c *proxy.Config) { c.Override = proxy.OverrideOff })
	for name, tt := range map[string]struct {
		change func(*proxy.Request)
		want   string
	}{
		"connection": {func(r *proxy.Request) { r.ConnectionName = "nobody" }, "server_error"},
		"override":   {func(r *proxy.Request) { r.BaseURLOverride = "https://elsewhere.example" }, "base_url_override_disabled"},
		"method":     {func(r *proxy.Request) { r.Method = http.MethodConnect }, "invalid_method"},
		"header":     {func(r *proxy.Request) { r.Header.Set("X-A", "a\r\nb") }, "invalid_headers"},
	} {
		r := ask(http.MethodGet, "/")
		tt.change(&r)
		res, err := service.Do(t.Context(), r)
		if err == nil {
			_ = res.Body.Close()
		}
		if got := linkspan.CodeOf(err); got != tt.want {
			t.Errorf("%s: code %q, want %q", name, got, tt.want)
		}
	}
	b.saas.Close()
	res, err := service.Do(t.Context(), ask(http.MethodGet, "/"))
	if err == nil {
		_ = res.Body.Close()
	}
	if network, ok := errors.AsType[*proxy.NetworkError](err); !ok || network.Code != "ECONNREFUSED" {
		t.Errorf("error = %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if res, err = service.Do(ctx, ask(http.MethodGet, "/")); !errors.Is(err, context.Canceled) {
		if err == nil {
			_ = res.Body.Close()
		}
		t.Errorf("error = %v, want the context's", err)
	}
}

func read(t *testing.T, res *proxy.Response) string {
	t.Helper()
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
