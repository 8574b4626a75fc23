package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/server"
)

// pipes is a network in memory, so that whole conversations run on the clock of
// a synctest bubble.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

// Accept implements net.Listener.
func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (p *pipes) Close() error { close(p.closed); return nil }

// Addr implements net.Listener.
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// pipeEnd is the server's end of a connection from an address.
type pipeEnd struct {
	net.Conn
	from net.Addr
}

// RemoteAddr implements net.Conn.
func (p pipeEnd) RemoteAddr() net.Addr { return p.from }

// results is a server.Authorize that only waits for results.
type results struct {
	server.Authorize
	ready chan string   // what there is to tell
	left  chan error    // why a wait ended without
	ids   chan string   // who waits
	fail  chan struct{} // closed: waiting fails
}

// Wait implements server.Authorize.
func (f *results) Wait(ctx context.Context, popupID string) (string, error) {
	f.ids <- popupID
	select {
	case message := <-f.ready:
		return message, nil
	case <-f.fail:
		return "", errors.New("no database")
	case <-ctx.Done():
		f.left <- context.Cause(ctx)
		return "", ctx.Err()
	}
}

// socketRig is a server with nothing but its WebSockets.
type socketRig struct {
	*results
	t      *testing.T
	server *server.Server
	net    *pipes
}

func newSocketRig(t *testing.T) *socketRig {
	t.Helper()
	r := &socketRig{t: t, net: &pipes{make(chan net.Conn), make(chan struct{})}, results: &results{
		ready: make(chan string), left: make(chan error, 1000), ids: make(chan string, 1000), fail: make(chan struct{}),
	}}
	r.server = server.New(server.Config{Log: slog.New(slog.DiscardHandler), PublicURL: publicURL, Authorize: r.results})
	web := &http.Server{Handler: r.server, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	go func() { _ = web.Serve(r.net) }()
	t.Cleanup(func() {
		check(t, r.server.Shutdown(context.Background()))
		_ = web.Close()
		synctest.Wait()
	})
	return r
}

// dial opens a WebSocket from an address. status is that of the answer.
func (r *socketRig) dial(from string, forwarded ...string) (conn *websocket.Conn, status int, err error) {
	return r.dialPath(from, "/", forwarded...)
}

func (r *socketRig) dialPath(from, path string, forwarded ...string) (conn *websocket.Conn, status int, err error) {
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(context.Context, string, string) (net.Conn, error) {
		here, there := net.Pipe()
		r.net.conns <- pipeEnd{there, net.TCPAddrFromAddrPort(addrPort(r.t, from))}
		return here, nil
	}}
	defer transport.CloseIdleConnections()
	conn, res, err := websocket.Dial(r.t.Context(), "ws://x"+path, &websocket.DialOptions{ //nolint:bodyclose // the library does
		HTTPClient: &http.Client{Transport: transport}, HTTPHeader: http.Header{"Origin": {"https://elsewhere.example"}, "X-Forwarded-For": forwarded},
	})
	if res != nil {
		status = res.StatusCode
	}
	return conn, status, err
}

// open opens a WebSocket and returns the name that the server gave it.
func (r *socketRig) open(from string) (conn *websocket.Conn, popupID string) {
	r.t.Helper()
	conn, _, err := r.dial(from)
	check(r.t, err)
	if got := conn.Subprotocol(); got != "" {
		r.t.Errorf("the server chose the sub-protocol %q", got)
	}
	_, text, err := conn.Read(r.t.Context())
	check(r.t, err)
	var ack struct {
		Type string `json:"message_type"`
		ID   string `json:"ws_client_id"`
	}
	check(r.t, json.Unmarshal(text, &ack))
	if waiting := <-r.ids; ack.Type != "connection_ack" || !linkspan.IsUUIDv4(ack.ID) || ack.ID != waiting {
		r.t.Errorf("the server greets with %s and waits for %s", text, waiting)
	}
	return conn, ack.ID
}

// ended reads until the connection ends, answering pings, and returns the status
// that the server closed it with.
func (r *socketRig) ended(conn *websocket.Conn) websocket.StatusCode {
	r.t.Helper()
	_, text, err := conn.Read(r.t.Context())
	if err == nil {
		r.t.Errorf("the server says %s", text)
	}
	return websocket.CloseStatus(err)
}

const anAddress = "203.0.113.7:1234"

// bubble runs a test on a clock of its own.
func bubble(t *testing.T, f func(t *testing.T, r *socketRig)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { f(t, newSocketRig(t)) })
}

func TestSocketTellsTheResult(t *testing.T) {
	bubble(t, func(t *testing.T, r *socketRig) {
		conn, _ := r.open(anAddress)
		read := make(chan string)
		go func() {
			_, text, _ := conn.Read(t.Context())
			read <- string(text)
		}()
		// Minutes pass at the provider; the connection is kept open by pings.
		<-time.After(10 * time.Minute)
		const message = `{"message_type":"success","provider_config_key":"gh","connection_id":"c1","is_pending":false}`
		r.ready <- message
		if got := <-read; got != message {
			t.Errorf("got %q", got)
		}
		if got := r.ended(conn); got != websocket.StatusNormalClosure {
			t.Errorf("closed with %v", got)
		}
	})
}

// TestSocketResumes comes back under the name that a page had, and under a new
// one when the name is none of ours.
func TestSocketResumes(t *testing.T) {
	bubble(t, func(t *testing.T, r *socketRig) {
		const had = "6f1c2a34-9a0b-4c7d-8e21-0123456789ab"
		for path, kept := range map[string]bool{"/?ws_client_id=" + had: true, "/?ws_client_id=mine": false, "/?ws_client_id=": false} {
			conn, _, err := r.dialPath(anAddress, path)
			check(t, err)
			_, text, err := conn.Read(t.Context())
			check(t, err)
			waiting := <-r.ids
			if !strings.Contains(string(text), waiting) || (waiting == had) != kept || !linkspan.IsUUIDv4(waiting) {
				t.Errorf("%s: the server greets with %s and waits for %s", path, text, waiting)
			}
			check(t, conn.CloseNow())
		}
	})
}

// TestSocketResumesAfterACut takes the wait away from a connection of which
// nobody said that it ended.
func TestSocketResumesAfterACut(t *testing.T) {
	bubble(t, func(t *testing.T, r *socketRig) {
		cut, id := r.open(anAddress)
		conn, _, err := r.dialPath(anAddress, "/?ws_client_id="+id)
		check(t, err)
		_, text, err := conn.Read(t.Context())
		check(t, err)
		<-r.left // the first wait ends
		if waiting := <-r.ids; waiting != id || !strings.Contains(string(text), id) {
			t.Errorf("%s waits, after the greeting %s", waiting, text)
		}
		const message = `{"message_type":"success"}`
		read := make(chan string)
		go func() {
			_, text, _ := conn.Read(t.Context())
			read <- string(text)
		}()
		r.ready <- message
		if got := <-read; got != message {
			t.Errorf("the page reads %q", got)
		}
		_ = cut.CloseNow() // the server did already
		r.ended(conn)
	})
}

func TestSocketEndsWithoutResult(t *testing.T) {
	bubble(t, func(t *testing.T, r *socketRig) {
		conn, _ := r.open(anAddress)
		start := time.Now()
		status := r.ended(conn)
		if took := time.Since(start); status != websocket.StatusNormalClosure || took != 15*time.Minute {
			t.Errorf("closed with %v after %v", status, took)
		}
		if cause := <-r.left; !errors.Is(cause, context.DeadlineExceeded) {
			t.Errorf("the wait ended because of %v", cause)
		}
	})
}

// A client that is gone without a word, and one that hangs, are noticed by pings.
func TestSocketNoticesThatTheClientIsGone(t *testing.T) {
	bubble(t, func(t *testing.T, r *socketRig) {
		here, there := net.Pipe()
		r.net.conns <- pipeEnd{there, net.TCPAddrFromAddrPort(addrPort(t, anAddress))}
		go func() { _, _ = io.Copy(io.Discard, here) }()
		_, err := io.WriteString(here, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
		check(t, err)
		<-r.ids
		start := time.Now()
		<-r.left
		if took := time.Since(start); took != 50*time.Second {
			t.Errorf("a client that does not answer was given up after %v", took)
		}
		leaving, _ := r.open(anAddress)
		start = time.Now()
		_ = leaving.CloseNow()
		<-r.left
		if took := time.Since(start); took != 0 {
			t.Errorf("a client that left was noticed after %v", took)
		}
	})
}

func TestSocketWhenWaitingFails(t *testing.T) {
	bubble(t, func(t *testing.T, r *socketRig) {
		close(r.fail)
		conn, _ := r.open(anAddress)
		if got := r.ended(conn); got != websocket.StatusInternalError {
			t.Errorf("closed with %v", got)
		}
	})
}

func TestSocketsEndWithTheServer(t *testing.T) {
	bubble(t, func(t *testing.T, r *socketRig) {
		var conns []*websocket.Conn
		for range 3 {
			conn, _ := r.open(anAddress)
			conns = append(conns, conn)
		}
		if got := r.server.Sockets(); got != 3 {
			t.Errorf("%d sockets are counted", got)
		}
		done := make(chan error)
		go func() { done <- r.server.Shutdown(t.Context()) }()
		for _, conn := range conns {
			if got := r.ended(conn); got != websocket.StatusGoingAway {
				t.Errorf("closed with %v", got)
			}
		}
		check(t, <-done)
		if got := r.server.Sockets(); got != 0 {
			t.Errorf("%d sockets are left", got)
		}
		_, status, err := r.dial(anAddress)
		if err == nil || status != http.StatusServiceUnavailable {
			t.Errorf("a new one after the end: %v", err)
		}
	})
}

// Shutdown does not wait for ever: a client may be slow to say goodbye.
func TestShutdownGivesUp(t *testing.T) {
	bubble(t, func(t *testing.T, r *socketRig) {
		conn, _ := r.open(anAddress)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := r.server.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		_ = conn.CloseNow()
		check(t, r.server.Shutdown(t.Context()))
	})
}

// What clients send is read and forgotten, within limits.
func TestSocketIgnoresWhatClientsSay(t *testing.T) {
	bubble(t, func(t *testing.T, r *socketRig) {
		for _, c := range []struct {
			size, count int
			status      websocket.StatusCode
		}{{4096, 10, websocket.StatusNormalClosure}, {5000, 1, websocket.StatusMessageTooBig}, {1, 1001, -1}} {
			conn, _ := r.open(anAddress)
			sent := make(chan struct{})
			go func() {
				defer close(sent)
				for range c.count {
					if conn.Write(t.Context(), websocket.MessageText, []byte(strings.Repeat("x", c.size))) != nil {
						return
					}
				}
			}()
			if got := r.ended(conn); got != c.status {
				t.Errorf("%d messages of %d bytes: closed with %v", c.count, c.size, got)
			}
			<-sent
			<-r.left
		}
	})
}

// One host can't take all there are. Where a proxy stands in front, its address
// says nothing about the client.
func TestSocketsOfOneHostAreLimited(t *testing.T) {
	const most = 200
	bubble(t, func(t *testing.T, r *socketRig) {
		for i := range most {
			r.open(fmt.Sprintf("[2001:db8:1:2::%x]:443", i+1))
			r.open("10.1.2.3:5000")
		}
		for from, refused := range map[string]bool{
			"[2001:db8:1:2:ffff::1]:1": true, "[2001:db8:1:3::1]:1": false, "10.1.2.3:1": false, "127.0.0.1:1": false, anAddress: false,
		} {
			conn, status, err := r.dial(from)
			if refused != (err != nil) || refused && status != http.StatusTooManyRequests {
				t.Errorf("%s: %v", from, err)
			}
			if err == nil {
				_ = conn.CloseNow()
			}
		}
	})
}

// Behind a proxy it is the proxy that says who comes, last of all.
func TestSocketsBehindAProxyAreLimited(t *testing.T) {
	const most, proxy = 200, "10.1.2.3:5000"
	bubble(t, func(t *testing.T, r *socketRig) {
		for range most {
			conn, _, err := r.dial(proxy, "198.51.100.1, 203.0.113.7")
			check(t, err)
			_, _, err = conn.Read(t.Context())
			check(t, err)
			<-r.ids
		}
		for _, c := range []struct {
			from      string
			forwarded []string
			refused   bool
		}{
			{proxy, []string{"198.51.100.2", "1.2.3.4,203.0.113.7"}, true},
			{proxy, []string{"203.0.113.7", "198.51.100.1"}, false},
			{proxy, []string{"203.0.113.7, 10.0.0.1"}, false},
			{proxy, []string{"203.0.113.7, what"}, false},
			{proxy, nil, false},
			{"100.64.3.4:5000", []string{"203.0.113.7"}, true}, // a proxy inside a cluster
			{"100.128.0.1:443", []string{"203.0.113.7"}, false},
			{"203.0.113.7:443", nil, true},
			{"203.0.113.8:443", []string{"203.0.113.7"}, false}, // no proxy of ours: it may say what it likes
		} {
			conn, status, err := r.dial(c.from, c.forwarded...)
			if c.refused != (err != nil) || c.refused && status != http.StatusTooManyRequests {
				t.Errorf("%+v: %v", c, err)
			}
			if err == nil {
				_ = conn.CloseNow()
			}
		}
	})
}

func TestRootIsNoPage(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	for _, method := range []string{"GET", "HEAD"} {
		if got := r.call("", method, "/", ""); got.status != http.StatusFound || got.header.Get("Location") != "/docs/providers" {
			t.Errorf("%s /: %d %v", method, got.status, got.header)
		}
	}
	// Half an upgrade is none, and a broken one is refused.
	if got := r.call("", "GET", "/", "", "Upgrade", "websocket"); got.status != http.StatusFound {
		t.Errorf("without Connection: %d", got.status)
	}
	if got := r.call("", "GET", "/", "", "Upgrade", "websocket", "Connection", "keep-alive, Upgrade"); got.status != http.StatusBadRequest {
		t.Errorf("without a version: %d %s", got.status, got.body)
	}
	r.expect(r.call("", "POST", "/", ""), http.StatusMethodNotAllowed, "method_not_allowed")
}

func addrPort(t *testing.T, text string) netip.AddrPort {
	t.Helper()
	a, err := netip.ParseAddrPort(text)
	check(t, err)
	return a
}

func dialSocket(t *testing.T, address string) *websocket.Conn {
	t.Helper()
	conn, _, err := websocket.Dial(t.Context(), address, nil) //nolint:bodyclose // the library does
	check(t, err)
	t.Cleanup(func() { _ = conn.CloseNow() })
	return conn
}

func readSocket(t *testing.T, conn *websocket.Conn) map[string]any {
	t.Helper()
	_, text, err := conn.Read(t.Context())
	check(t, err)
	var v map[string]any
	check(t, json.Unmarshal(text, &v))
	return v
}

func contextWithin(t *testing.T, d time.Duration) (context.Context, context.CancelFunc) {
	t.Helper()
	return context.WithTimeout(t.Context(), d)
}
