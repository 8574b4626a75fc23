package e2e

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"testing"

	"github.com/linkspan/linkspan/internal/apptest"
)

// outageRounds is how many looks, 50 ms apart, a replica may take to notice
// that its database is gone, or back: the promised five seconds and room for a
// busy machine.
const outageRounds = 400

// TestDatabaseOutageClosesTheCaches cuts a replica off from its database. What
// it has cached must stop being good after five seconds, and work again when
// the database is back.
func TestDatabaseOutageClosesTheCaches(t *testing.T) {
	t.Parallel()
	db := apptest.NewPostgres(t)
	link := newLink(t, db.URL)
	db.URL = link.url
	world := apptest.NewWorld(t)
	i := apptest.Start(t, apptest.Options{Database: db, ProvidersDir: world.ProvidersDir})
	world.Integrate(t, i.Dev(t), apptest.ProviderNone, "open")
	apptest.Import(t, i.Dev(t), "open", "c", map[string]any{"type": "NONE"})
	call := func() apptest.Reply {
		return apptest.Proxy(t, i.Dev(t), http.MethodGet, "open", "c", "/x", nil)
	}
	call().Want(t, http.StatusOK)

	link.cut()
	var refused apptest.Reply
	apptest.PollWithin(t, outageRounds, "calls are refused", func() bool {
		refused = call()
		return refused.Status != http.StatusOK
	})
	refused.WantError(t, http.StatusServiceUnavailable, "unavailable")
	i.Anonymous(t).Do(t, http.MethodGet, "/health", nil).Want(t, http.StatusOK)
	apptest.PollWithin(t, outageRounds, "the replica is not ready", func() bool {
		return i.Anonymous(t).Do(t, http.MethodGet, "/ready", nil).Status == http.StatusServiceUnavailable
	})

	link.mend()
	apptest.PollWithin(t, outageRounds, "calls work again", func() bool { return call().Status == http.StatusOK })
	apptest.PollWithin(t, outageRounds, "the replica is ready again", func() bool {
		return i.Anonymous(t).Do(t, http.MethodGet, "/ready", nil).Status == http.StatusOK
	})
}

// TestRateLimitIsSharedByReplicas uses up an account's minute on one replica and
// expects the other to know.
func TestRateLimitIsSharedByReplicas(t *testing.T) {
	t.Parallel()
	const limit = 200
	db := apptest.NewPostgres(t)
	o := apptest.Options{Database: db, Flags: map[string]string{"rate-limit": strconv.Itoa(limit)}}
	a, b := apptest.Start(t, o), apptest.Start(t, o)
	look := func(i *apptest.Instance) (r apptest.Reply, remaining int) {
		r = i.Dev(t).Do(t, http.MethodGet, "/integrations", nil)
		remaining, err := strconv.Atoi(r.Header.Get("X-RateLimit-Remaining"))
		if err != nil {
			t.Fatalf("X-RateLimit-Remaining = %q", r.Header.Get("X-RateLimit-Remaining"))
		}
		return r, remaining
	}
	exhaust := func() {
		for range limit + 1 {
			if r, _ := look(a); r.Status == http.StatusTooManyRequests {
				return
			}
		}
	}
	// A minute may end in between; then the next one is used up as well. The
	// calls that look cost something too, so this ends.
	apptest.PollWithin(t, revokeRounds, "the other replica refuses", func() bool {
		exhaust()
		r, remaining := look(b)
		if r.Status != http.StatusTooManyRequests {
			return false
		}
		if remaining != 0 || r.Header.Get("Retry-After") == "" {
			t.Errorf("refused with %d remaining and Retry-After %q", remaining, r.Header.Get("Retry-After"))
		}
		return true
	})
}

// link is a TCP relay to a database server, which can be cut.
type link struct {
	url      string
	server   string
	listener net.Listener

	mu    sync.Mutex
	down  bool
	conns map[net.Conn]struct{}
	wg    sync.WaitGroup
}

// newLink relays to the server of a PostgreSQL URL.
func newLink(t *testing.T, databaseURL string) *link {
	t.Helper()
	u, err := url.Parse(databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &link{server: u.Host, listener: listener, conns: make(map[net.Conn]struct{})}
	u.Host = listener.Addr().String()
	l.url = u.String()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	l.wg.Go(func() { l.accept(ctx, t) })
	t.Cleanup(func() {
		cancel()
		_ = listener.Close()
		l.cut()
		l.wg.Wait()
	})
	return l
}

func (l *link) accept(ctx context.Context, t *testing.T) {
	for {
		client, err := l.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			t.Errorf("accepting: %v", err)
			return
		}
		server, err := new(net.Dialer).DialContext(ctx, "tcp", l.server)
		if err != nil || !l.keep(client, server) {
			_ = client.Close()
			if server != nil {
				_ = server.Close()
			}
			continue
		}
		l.wg.Go(func() { l.relay(client, server) })
		l.wg.Go(func() { l.relay(server, client) })
	}
}

// keep remembers both ends, unless the link is cut.
func (l *link) keep(conns ...net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down {
		return false
	}
	for _, c := range conns {
		l.conns[c] = struct{}{}
	}
	return true
}

func (l *link) relay(to, from net.Conn) {
	_, _ = io.Copy(to, from) // ends when either end is closed
	_ = to.Close()
	_ = from.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, to)
	delete(l.conns, from)
}

// cut closes every connection and refuses new ones.
func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = true
	for c := range l.conns {
		_ = c.Close()
	}
}

// mend lets new connections through.
func (l *link) mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = false
}
