package proxy_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/egress"
	"github.com/linkspan/linkspan/internal/proxy"
	"github.com/linkspan/linkspan/internal/upstream"
)

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
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, b.proxy.URL+"/proxy/x", reader)
		req.Header.Set("Connection-Id", "c1")
		req.Header.Set("Provider-Config-Key", "acme")
		res, err := rawClient().Do(req) //nolint:bodyclose // the receiver closes it
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
	req, _ := http.NewRequestWithContext(ctx, http.MethodGet, b.proxy.URL+"/proxy/x", nil)
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
	req, _ := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), http.MethodGet, b.proxy.URL+"/proxy/x", nil)
	req.Header.Set("Connection-Id", "c1")
	req.Header.Set("Provider-Config-Key", "acme")
	res, err := rawClient().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if body, err := io.ReadAll(res.Body); err != nil || string(body) != "body" || res.Trailer.Get("X-Sum") != "42" || res.Trailer.Get("X-Late") != "43" || res.Header.Get("Link") != "" {
		t.Errorf("trailer %v header %v", res.Trailer, res.Header)
	}
	if diff := cmp.Diff([]string{"103 </a.css>; rel=preload"}, hints); diff != "" {
		t.Error(diff)
	}
}

func TestFloodOfInformationalResponses(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(w http.ResponseWriter, _ *http.Request) {
		for range 1000 {
			w.WriteHeader(http.StatusEarlyHints)
		}
		_, _ = io.WriteString(w, "late")
	}, "")
	if res := b.do(t, "GET", "/proxy/x", nil); res.StatusCode != http.StatusInternalServerError {
		t.Errorf("status %d", res.StatusCode)
	}
}

// TestEarlyAnswerOfAnUpstream answers before the caller has sent its body: the
// caller gets the answer without sending the rest.
func TestEarlyAnswerOfAnUpstream(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
		_, _ = io.Copy(io.Discard, conn)
		_ = conn.Close()
	}, "")
	var dialer net.Dialer
	conn, err := dialer.DialContext(t.Context(), "tcp", b.proxy.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, _ = io.WriteString(conn, "POST /proxy/x HTTP/1.1\r\nHost: x\r\nConnection-Id: c1\r\nProvider-Config-Key: acme\r\nContent-Length: 1000\r\n\r\nbegin")
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || res.StatusCode != http.StatusForbidden {
		t.Fatalf("%+v, %v", res, err)
	}
	_ = res.Body.Close()
}

// TestBodyBeyondTheLimit sends more than the limit without saying so before: the
// caller gets 413, and the upstream never sees a complete request.
func TestBodyBeyondTheLimit(t *testing.T) {
	t.Parallel()
	seen := make(chan error, 1)
	b := newBench(t, func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		seen <- err
	}, "")
	inner := b.proxy.Config.Handler
	b.proxy.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
		inner.ServeHTTP(w, r)
	})
	res := b.do(t, "POST", "/proxy/x", &pattern{2 << 20}, "Content-Type", "application/octet-stream")
	if res.StatusCode != 599 || res.Header.Get("X-Code") != "request_too_large" {
		t.Errorf("%d %s", res.StatusCode, res.Header.Get("X-Code"))
	}
	if err := <-seen; err == nil {
		t.Error("the upstream took a part for the whole")
	}
}

// TestHTTP2Upstream speaks HTTP/2 with the upstream: calls, trailers, and an
// upload that the upstream resets.
func TestHTTP2Upstream(t *testing.T) {
	t.Parallel()
	saas := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/reset" {
			_, _ = io.CopyN(io.Discard, r.Body, 1<<10)
			panic(http.ErrAbortHandler)
		}
		n, _ := io.Copy(io.Discard, r.Body)
		w.Header().Set("Trailer", "X-Sum")
		_, _ = fmt.Fprint(w, r.Proto, " ", n)
		w.Header().Set("X-Sum", "42")
	}))
	saas.EnableHTTP2 = true
	saas.StartTLS()
	t.Cleanup(saas.Close)
	roots := x509.NewCertPool()
	roots.AddCert(saas.Certificate())
	guard := egress.New(egress.Policy{AllowPrivateNetwork: true}, nil)
	b := newBench(t, nil, "", func(c *proxy.Config) {
		c.Upstream = upstream.New(upstream.Config{Guard: guard, Transport: guard.Transport(egress.TransportOptions{TLS: &tls.Config{RootCAs: roots}})})
	})
	b.target = newTarget(t, saas.URL, "", "token-1")
	res := b.do(t, "POST", "/proxy/x", &pattern{3 << 20}, "Content-Type", "application/octet-stream")
	if got := text(t, res); res.StatusCode != http.StatusOK || got != "HTTP/2.0 3145728" {
		t.Errorf("%d %q", res.StatusCode, got)
	}
	res = b.do(t, "POST", "/proxy/reset", &pattern{8 << 20}, "Content-Type", "application/octet-stream")
	if got := text(t, res); res.StatusCode != http.StatusInternalServerError || !strings.Contains(got, `"UND_ERR_SOCKET"`) {
		t.Errorf("%d %s", res.StatusCode, got)
	}
}

func TestHeadersThatStayHere(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Linkspan-Error", "true")
		if r.URL.Path == "/limited" {
			w.Header().Set("X-Ratelimit-Remaining", "7")
		}
	}, "")
	inner := b.proxy.Config.Handler
	b.proxy.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Ratelimit-Limit", "200")
		w.Header().Set("X-Ratelimit-Remaining", "199")
		inner.ServeHTTP(w, r)
	})
	for path, want := range map[string][2]string{"/proxy/x": {"200", "199"}, "/proxy/limited": {"", "7"}} {
		h := b.do(t, "GET", path, nil).Header
		if h.Get("X-Linkspan-Error") != "" || h.Get("X-Ratelimit-Limit") != want[0] || h.Get("X-Ratelimit-Remaining") != want[1] {
			t.Errorf("%s: %v", path, h)
		}
	}
}

func TestUpgrades(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" || r.Header.Get("Connection") != "" {
			t.Errorf("the upstream was asked to upgrade: %v", r.Header)
		}
	}, "")
	if res := b.do(t, "GET", "/proxy/x", nil, "Connection", "Upgrade", "Upgrade", "websocket"); res.Header.Get("X-Code") != "invalid_headers" {
		t.Errorf("websocket: %d", res.StatusCode)
	}
	if res := b.do(t, "GET", "/proxy/x", nil, "Nango-Proxy-Upgrade", "WebSocket"); res.Header.Get("X-Code") != "invalid_headers" {
		t.Errorf("websocket for the upstream: %d", res.StatusCode)
	}
	if res := b.do(t, "GET", "/proxy/x", nil, "Connection", "Upgrade, HTTP2-Settings", "Upgrade", "h2c"); res.StatusCode != http.StatusOK {
		t.Errorf("h2c, which may be ignored: %d", res.StatusCode)
	}
}
