package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/linkspan/linkspan"
)

// Bounds on the WebSockets of pages that wait for the result of a popup. They
// come without credentials, so anybody can open one.
const (
	// maxSockets bounds the memory that they take: some 30 kB each.
	maxSockets = 10_000
	// maxSocketsPerHost is more than an office behind one address needs at a
	// time, and little enough that no single host uses up maxSockets.
	maxSocketsPerHost = 200
	// socketLife is longer than people take to log in and consent.
	socketLife = 15 * time.Minute
	// pingEvery keeps proxies from closing an idle connection: most wait a
	// minute. pongWithin is when a client that does not answer counts as gone.
	pingEvery  = 30 * time.Second
	pongWithin = 20 * time.Second
	// writeWithin is how long a client may take to receive a message.
	writeWithin = 10 * time.Second
	// Clients have nothing to say; what they send is thrown away, within limits.
	maxFrame  = 4 << 10
	maxFrames = 1000
)

// Why a socket ends before there is a result.
var (
	errSocketGone    = errors.New("the client is gone")
	errSocketClosing = errors.New("the server shuts down")
	errSocketResumed = errors.New("the client came back on another connection")
)

// sockets are the open WebSockets of one server.
type sockets struct {
	// wait blocks until there is a result for a popup, and returns its message.
	wait    func(ctx context.Context, popupID string) (string, error)
	log     *slog.Logger
	closing chan struct{}
	empty   chan struct{} // closed when the last one is gone after closing

	mu     sync.Mutex
	closed bool
	total  int
	hosts  map[netip.Prefix]int // open ones by host, of hosts that are counted
	pages  map[string]*page     // by the name of the page
}

func newSockets(wait func(context.Context, string) (string, error), log *slog.Logger) *sockets {
	return &sockets{
		wait: wait, log: log, closing: make(chan struct{}), empty: make(chan struct{}), hosts: make(map[netip.Prefix]int), pages: make(map[string]*page),
	}
}

// page is one that waits; stop ends its wait.
type page struct{ stop context.CancelCauseFunc }

// join notes that a page waits. A connection that it had before ends: a line
// that was cut without a word must not swallow the result.
func (s *sockets) join(popupID string, stop context.CancelCauseFunc) (leave func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if before := s.pages[popupID]; before != nil {
		before.stop(errSocketResumed)
	}
	now := &page{stop}
	s.pages[popupID] = now
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.pages[popupID] == now {
			delete(s.pages, popupID)
		}
	}
}

// wantsSocket reports whether a request asks for a WebSocket (RFC 6455 §4.1).
func wantsSocket(r *http.Request) bool {
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		return false
	}
	for _, header := range r.Header.Values("Connection") {
		for option := range strings.SplitSeq(header, ",") {
			if strings.EqualFold(strings.TrimSpace(option), "upgrade") {
				return true
			}
		}
	}
	return false
}

// serve answers one WebSocket: it tells the client its name, and later the one
// message that it waits for (wire contract §6.4). Pages of every origin may open
// one, since it carries no credentials and the name is a secret of its page.
func (s *sockets) serve(w http.ResponseWriter, r *http.Request) error {
	leave, err := s.enter(r)
	if err != nil {
		return err
	}
	defer leave()
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true, CompressionMode: websocket.CompressionDisabled})
	if err != nil {
		return nil // it has been answered; the request's log line has the status
	}
	conn.SetReadLimit(maxFrame)
	// A page that lost its connection, because we restarted or a line was cut,
	// comes back under the name that it had.
	popupID := strings.ToLower(r.URL.Query().Get("ws_client_id"))
	if !linkspan.IsUUIDv4(popupID) {
		popupID = linkspan.NewUUID()
	}
	s.talk(r.Context(), conn, popupID)
	return nil
}

// talk holds one conversation with a page and closes the connection.
func (s *sockets) talk(ctx context.Context, conn *websocket.Conn, popupID string) {
	// Reading and writing end with the connection, not with the conversation:
	// a context that ends closes it, without a word.
	alive := context.WithoutCancel(ctx)
	ctx, end := context.WithTimeout(ctx, socketLife)
	defer end()
	ctx, stop := context.WithCancelCause(ctx)
	var helpers sync.WaitGroup
	defer helpers.Wait()
	defer conn.CloseNow() //nolint:errcheck // there is nobody to tell
	defer stop(nil)
	defer s.join(popupID, stop)()
	helpers.Go(func() { stop(discard(alive, conn)) })
	helpers.Go(func() { stop(attend(ctx, conn)) })
	helpers.Go(func() {
		select {
		case <-s.closing:
			stop(errSocketClosing)
		case <-ctx.Done():
		}
	})

	if send(alive, conn, ack(popupID)) != nil {
		return
	}
	message, err := s.wait(ctx, popupID)
	if err == nil {
		err = send(alive, conn, message)
	}
	switch cause := context.Cause(ctx); {
	case err == nil:
		_ = conn.Close(websocket.StatusNormalClosure, "") // the client may be faster
	case errors.Is(cause, errSocketClosing):
		_ = conn.Close(websocket.StatusGoingAway, "The server shuts down.") // likewise
	case errors.Is(cause, context.DeadlineExceeded):
		_ = conn.Close(websocket.StatusNormalClosure, "There was no result in time.") // likewise
	case cause == nil:
		s.log.WarnContext(ctx, "waiting for the result of a popup failed", "error", err)
		_ = conn.Close(websocket.StatusInternalError, "The result can't be waited for.") // likewise
	}
}

// ack is the first message: the name under which the client is told the result.
func ack(popupID string) string {
	b, _ := json.Marshal(map[string]string{"message_type": "connection_ack", "ws_client_id": popupID}) // two strings can't fail
	return string(b)
}

func send(ctx context.Context, conn *websocket.Conn, message string) error {
	ctx, cancel := context.WithTimeout(ctx, writeWithin)
	defer cancel()
	if err := conn.Write(ctx, websocket.MessageText, []byte(message)); err != nil {
		return fmt.Errorf("writing to a WebSocket: %w", err)
	}
	return nil
}

// discard reads what the client sends, which the library needs to see pongs and
// the end, and throws it away. It returns when the connection is closed.
func discard(ctx context.Context, conn *websocket.Conn) error {
	for range maxFrames {
		_, message, err := conn.Reader(ctx)
		if err != nil {
			return errSocketGone
		}
		if _, err := io.Copy(io.Discard, message); err != nil {
			return errSocketGone
		}
	}
	return errSocketGone
}

// attend pings the client until the conversation ends or it does not answer.
func attend(ctx context.Context, conn *websocket.Conn) error {
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if !ping(context.WithoutCancel(ctx), conn) {
				return errSocketGone
			}
		}
	}
}

func ping(ctx context.Context, conn *websocket.Conn) bool {
	ctx, cancel := context.WithTimeout(ctx, pongWithin)
	defer cancel()
	return conn.Ping(ctx) == nil
}

// enter counts a new socket, unless there are too many.
func (s *sockets) enter(r *http.Request) (leave func(), err error) {
	host, counted := socketHost(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return nil, linkspan.E("server.socket", linkspan.KindUnavailable, "unavailable", nil, "The server shuts down. Try again.")
	case s.total >= maxSockets:
		return nil, linkspan.E("server.socket", linkspan.KindUnavailable, "unavailable", nil, "Too many pages wait for a result. Try again later.")
	case counted && s.hosts[host] >= maxSocketsPerHost:
		return nil, linkspan.E("server.socket", linkspan.KindRateLimited, "too_many_sockets", nil, "Too many pages at this address wait for a result.")
	}
	s.total++
	if counted {
		s.hosts[host]++
	}
	return func() { s.leave(host) }, nil
}

// leave is the end of a socket of a host, which may be one that is not counted.
func (s *sockets) leave(host netip.Prefix) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hosts[host] > 1 {
		s.hosts[host]--
	} else {
		delete(s.hosts, host)
	}
	if s.total--; s.closed && s.total == 0 {
		close(s.empty)
	}
}

// socketHost returns the network by which a client is counted: its address, or
// the 64 bits that one IPv6 host has. An address that is not public is that of a
// proxy, which says last in X-Forwarded-For who came to it; where it does not,
// nobody is counted, since everybody is behind it. A client that can forge the
// header through such a proxy is counted as somebody else, no worse.
func socketHost(r *http.Request) (host netip.Prefix, counted bool) {
	remote, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return host, false
	}
	ip := plainAddr(remote.Addr())
	if !isPublic(ip) {
		lists := r.Header.Values("X-Forwarded-For")
		if len(lists) == 0 {
			return host, false
		}
		last := lists[len(lists)-1]
		forwarded, err := netip.ParseAddr(strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:]))
		if ip = plainAddr(forwarded); err != nil || !isPublic(ip) {
			return host, false
		}
	}
	bits := 32
	if ip.Is6() {
		bits = 64
	}
	host, err = ip.Prefix(bits)
	return host, err == nil
}

func plainAddr(ip netip.Addr) netip.Addr { return ip.Unmap().WithZone("") }

func isPublic(ip netip.Addr) bool {
	shared := netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64}), 10) // RFC 6598; clusters use it inside too
	return !ip.IsLoopback() && !ip.IsPrivate() && !ip.IsLinkLocalUnicast() && !shared.Contains(ip)
}

// count returns how many are open.
func (s *sockets) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.total
}

// shutdown refuses new sockets, ends those there are with the status 1001, and
// waits until they are gone or ctx ends.
func (s *sockets) shutdown(ctx context.Context) error {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.closing)
		if s.total == 0 {
			close(s.empty)
		}
	}
	s.mu.Unlock()
	select {
	case <-s.empty:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for WebSockets to close: %w", ctx.Err())
	}
}
