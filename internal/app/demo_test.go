package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/cli"
	"github.com/linkspan/linkspan/internal/webhook"
)

// story is what a demo prints. It tells when a text has appeared.
type story struct {
	mu    sync.Mutex
	text  bytes.Buffer
	wants string
	seen  chan struct{}
}

func newStory(wants string) *story { return &story{wants: wants, seen: make(chan struct{})} }

// Write implements io.Writer.
func (s *story) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := strings.Contains(s.text.String(), s.wants)
	n, err := s.text.Write(p)
	if !before && strings.Contains(s.text.String(), s.wants) {
		close(s.seen)
	}
	return n, err
}

// String returns all of it.
func (s *story) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// The real program goes through everything by itself: server, provider, consent,
// callback, webhooks, calls.
func TestDemoOnce(t *testing.T) {
	t.Parallel()
	out, logs := newStory("All is well."), newStory("")
	dir := filepath.Join(t.TempDir(), "demo")
	for range 2 { // the second time on the folder of the first
		code := cli.Run(t.Context(), cli.System{
			Args: []string{"demo", "--once", "--data", dir},
			Environ: func(name string) string {
				return map[string]string{"LINKSPAN_DATABASE": "postgres://nowhere.invalid"}[name]
			},
			Stdout: out, Stderr: logs,
		}, cli.Server{Demo: func(ctx context.Context, d cli.Demo) error { return Demo(ctx, DemoOptions(d)) }})
		if code != 0 {
			t.Fatalf("the demo ended with code %d\n%s\n%s", code, out, logs)
		}
	}
	if n := strings.Count(out.String(), "All is well."); n != 2 || strings.Contains(out.String(), "✗") || strings.Contains(out.String(), "\x1b") {
		t.Errorf("the story is\n%s", out)
	}
}

// A person connects an account, sees the webhook and what to do next, and ends
// the demo, of which nothing stays.
func TestDemo(t *testing.T) {
	t.Parallel()
	out := newStory("To go on by hand:")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var folder string
	ended := make(chan error, 1)
	d := DemoOptions{
		Colour: true, Out: out, Log: slog.New(slog.DiscardHandler),
		Open: func(ctx context.Context, link string) error {
			u, err := url.Parse(link)
			if err != nil {
				return err
			}
			folder = folderOf(out.String())
			return approve(ctx, "http://"+u.Host, u.Query().Get("session_token"))
		},
	}
	go func() { ended <- Demo(ctx, d) }()
	select {
	case <-out.seen:
	case err := <-ended:
		t.Fatalf("ended before an account was connected: %v\n%s", err, out)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("ended with %v", err)
	}
	for _, part := range []string{"opening in your browser", "auth creation", "signature verified", "curl 'http", "Stopping.", "\x1b["} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("%q is not in\n%s", part, out)
		}
	}
	if folder == "" {
		t.Error("the demo had no folder")
	} else if _, err := os.Stat(folder); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there, error %v", folder, err)
	}
}

// Who leaves while the demo starts gets no error; who waits for its verdict does.
func TestDemoLeftAtTheStart(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	stop()
	for _, once := range []bool{false, true} {
		err := Demo(ctx, DemoOptions{Once: once, Out: io.Discard, Log: slog.New(slog.DiscardHandler)})
		if (err != nil) != once {
			t.Errorf("once %v: error %v", once, err)
		}
	}
}

// folderOf finds the folder of the demo whose keys are in a story; others may
// be running.
func folderOf(story string) string {
	found, err := filepath.Glob(filepath.Join(os.TempDir(), "linkspan-demo-*", demoSecretsFile))
	if err != nil {
		return ""
	}
	for _, path := range found {
		if s, err := readDemoSecrets(path); err == nil && strings.Contains(story, s.DevKey.Reveal()) {
			return filepath.Dir(path)
		}
	}
	return ""
}

// approve does what a person does in a browser.
func approve(ctx context.Context, base, token string) error {
	w, err := newWalker()
	if err != nil {
		return err
	}
	consent, err := w.visit(ctx, http.MethodGet, base+"/oauth/connect/demo-tickets?connect_session_token="+token, nil)
	if err != nil {
		return err
	}
	request, ok := consent.hidden("request")
	if !ok {
		return fmt.Errorf("no consent page: %s", consent.status())
	}
	target, err := url.Parse(consent.url)
	if err != nil {
		return err
	}
	target.RawQuery = ""
	result, err := w.visit(ctx, http.MethodPost, target.String(), url.Values{"request": {request}, "decision": {"approve"}})
	if err == nil && result.code != http.StatusOK {
		err = errors.New(result.status())
	}
	return err
}

func TestDemoRefuses(t *testing.T) {
	t.Parallel()
	d := DemoOptions{DataDir: t.TempDir(), Once: true, Out: io.Discard, Log: slog.New(slog.DiscardHandler)}
	if err := os.WriteFile(filepath.Join(d.DataDir, keyFile), []byte("a server's"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Demo(t.Context(), d); err == nil || !strings.Contains(err.Error(), "not of a demo") {
		t.Errorf("on the folder of a server: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d.DataDir = ""
	if err := Demo(ctx, d); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled before it was through: %v", err)
	}
}

// What the sender signs is what the receiver of the demo accepts, and nothing
// else.
func TestDemoReceiver(t *testing.T) {
	t.Parallel()
	const body = `{"type":"auth","operation":"creation","success":true,"connectionId":"c1","providerConfigKey":"demo-tickets"}`
	now := time.Now()
	signed := func(id string, at time.Time, key string) http.Header {
		return webhook.Sign(id, at, body, linkspan.NewSecret(key))
	}
	v := newReceiver("key")
	for _, tt := range []struct {
		name   string
		header http.Header
		body   string
		status int
		came   int
	}{
		{"genuine", signed("1", now, "key"), body, http.StatusNoContent, 1},
		{"again", signed("1", now, "key"), body, http.StatusNoContent, 0},
		{"another one", signed("2", now, "key"), body, http.StatusNoContent, 1},
		{"other key", signed("3", now, "other"), body, http.StatusUnauthorized, 0},
		{"other body", signed("3", now, "key"), body + " ", http.StatusUnauthorized, 0},
		{"old", signed("3", now.Add(-time.Hour), "key"), body, http.StatusUnauthorized, 0},
		{"no id", signed("", now, "key"), body, http.StatusUnauthorized, 0},
		{"no signature", http.Header{}, body, http.StatusUnauthorized, 0},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/webhooks", strings.NewReader(tt.body))
		r.Header = tt.header
		w := httptest.NewRecorder()
		v.ServeHTTP(w, r)
		if w.Code != tt.status || len(v.arrivals) != tt.came {
			t.Errorf("%s: status %d and %d arrivals, not %d and %d", tt.name, w.Code, len(v.arrivals), tt.status, tt.came)
		}
		for len(v.arrivals) > 0 {
			if a := <-v.arrivals; !a.connected() || a.ConnectionID != "c1" {
				t.Errorf("%s: read as %+v", tt.name, a)
			}
		}
	}
	for i := range 2 * maxArrivals { // more than it keeps
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/webhooks", strings.NewReader(body))
		r.Header = signed("n"+strconv.Itoa(i), now, "key")
		v.ServeHTTP(httptest.NewRecorder(), r)
	}
	if len(v.arrivals) != maxArrivals || len(v.seen) > maxArrivals {
		t.Errorf("it keeps %d arrivals and %d ids", len(v.arrivals), len(v.seen))
	}
}

func TestScreen(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	s := newScreen(&b, false)
	s.arrival(arrival{Type: "auth", Operation: "refresh", Success: new(false), Error: &arrivalError{"said \x1b[2J no"}, ProviderConfigKey: "k", ConnectionID: "c"})
	if got := b.String(); strings.Contains(got, "\x1b") || !strings.Contains(got, "auth refresh failed: said  [2J no") {
		t.Errorf("printed %q", got)
	}
	broken := newScreen(errWriter{}, false)
	broken.title("x")
	if broken.err() == nil {
		t.Error("a failed write is not reported")
	}
}

// errWriter fails.
type errWriter struct{}

// Write implements io.Writer.
func (errWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }
