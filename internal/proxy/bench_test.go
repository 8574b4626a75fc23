package proxy_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/connect"
	"github.com/linkspan/linkspan/internal/egress"
	"github.com/linkspan/linkspan/internal/proxy"
	"github.com/linkspan/linkspan/internal/upstream"
)

// BenchmarkProxy compares the proxy with httputil.ReverseProxy in the same run:
// the same upstream, the same clients, an answer of 1 KB.
func BenchmarkProxy(b *testing.B) {
	answer := strings.Repeat("x", 1024)
	saas := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, answer)
	}
	for _, connections := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("reverseproxy/%d", connections), func(b *testing.B) {
			server := httptest.NewServer(http.HandlerFunc(saas))
			defer server.Close()
			target, _ := url.Parse(server.URL)
			front := httptest.NewServer(&httputil.ReverseProxy{
				Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target) },
				Transport: egress.New(egress.Policy{AllowPrivateNetwork: true}, nil).Transport(egress.TransportOptions{}),
			})
			defer front.Close()
			load(b, front.URL+"/users/1?x=y", connections)
		})
		b.Run(fmt.Sprintf("linkspan/%d", connections), func(b *testing.B) {
			bench := newBench(b, saas, "", func(c *proxy.Config) {
				c.Now = time.Now
				c.Fresh = quick(c.Fresh)
				c.Upstream = upstream.New(upstream.Config{Guard: egress.New(egress.Policy{AllowPrivateNetwork: true}, nil)})
			})
			ctx, cancel := context.WithCancel(b.Context())
			written := make(chan error, 1)
			go func() { written <- bench.ops.Run(ctx) }()
			load(b, bench.proxy.URL+"/proxy/users/1?x=y", connections)
			cancel()
			if err := <-written; err != nil || bench.ops.Dropped() > 0 {
				b.Errorf("%d operations were dropped, %v", bench.ops.Dropped(), err)
			}
		})
	}
}

// quick answers from memory, as the connection cache does.
func quick(f proxy.FreshFunc) proxy.FreshFunc {
	target, err := f(context.Background(), 7, "acme", "c1", connect.FreshOptions{})
	return func(context.Context, linkspan.EnvironmentID, string, string, connect.FreshOptions) (*upstream.Target, error) {
		return target, err
	}
}

// load sends b.N requests over a number of connections.
func load(b *testing.B, target string, connections int) {
	b.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: connections, DisableCompression: true}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	var wg sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for i := range connections {
		share := b.N / connections
		if i < b.N%connections {
			share++
		}
		wg.Go(func() {
			for range share {
				req, _ := http.NewRequest(http.MethodGet, target, nil)
				req.Header.Set("Connection-Id", "c1")
				req.Header.Set("Provider-Config-Key", "acme")
				res, err := client.Do(req)
				if err != nil {
					b.Error(err)
					return
				}
				n, _ := io.Copy(io.Discard, res.Body)
				_ = res.Body.Close()
				if res.StatusCode != http.StatusOK || n != 1024 {
					b.Errorf("status %d, %d bytes", res.StatusCode, n)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "req/s")
}
