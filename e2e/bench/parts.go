package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// serveUpstream is the third-party API: it answers with a small JSON document, but
// for what functions ask for.
func serveUpstream(ctx context.Context, stdin io.Reader, stdout io.Writer) error {
	answer := answer()
	length := strconv.Itoa(len(answer))
	functions := newAPI()
	return servePart(ctx, stdin, stdout, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		switch r.URL.Path {
		case "/items":
			functions.page(w, r)
			return
		case "/rows":
			rows(w, r)
			return
		case "/items/all":
			functions.all(w, r)
			return
		case "/slow":
			slow(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", length)
		_, _ = w.Write(answer)
	}))
}

func answer() []byte {
	return []byte(`{"id":"1","name":"Ada","email":"ada@example.com","tags":["a","b"],"padding":"` + strings.Repeat("x", 400) + `"}`)
}

// serveReverseProxy is the standard library's proxy, the yardstick: as it comes,
// or with the pool of buffers that somebody would give it who wants it fast.
func serveReverseProxy(ctx context.Context, stdin io.Reader, stdout io.Writer, target string, pooled bool) error {
	to, err := url.Parse(target)
	if err != nil {
		return fmt.Errorf("reading the target: %w", err)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(to) },
		Transport: &http.Transport{MaxIdleConns: 1024, MaxIdleConnsPerHost: 1024, IdleConnTimeout: time.Minute, DisableCompression: true},
	}
	if pooled {
		proxy.BufferPool = &buffers{sync.Pool{New: func() any { return new([32 << 10]byte) }}}
	}
	return servePart(ctx, stdin, stdout, proxy)
}

// servePart listens on a free port, prints its address and serves until
// standard input ends, so that no part survives its parent.
func servePart(ctx context.Context, stdin io.Reader, stdout io.Writer, h http.Handler) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	if _, err := fmt.Fprintln(stdout, listener.Addr()); err != nil {
		return fmt.Errorf("printing the address: %w", err)
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, stdin)
	}()
	select {
	case err := <-failed:
		return fmt.Errorf("serving: %w", err)
	case <-ended:
		return server.Close()
	}
}

// buffers implements httputil.BufferPool.
type buffers struct{ pool sync.Pool }

// Get implements httputil.BufferPool.
func (b *buffers) Get() []byte {
	if buffer, ok := b.pool.Get().(*[32 << 10]byte); ok {
		return buffer[:]
	}
	return make([]byte, 32<<10)
}

// Put implements httputil.BufferPool.
func (b *buffers) Put(buffer []byte) { b.pool.Put((*[32 << 10]byte)(buffer)) }
