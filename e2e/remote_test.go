package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/linkspan/linkspan/internal/apptest"
	"github.com/linkspan/linkspan/internal/cli"
)

// lines is what a command has printed so far.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// shown counts how often each operation was shown.
func (l *lines) shown(t *testing.T) map[string]int {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	count := make(map[string]int)
	for line := range strings.Lines(l.text.String()) {
		var op struct{ ID string }
		if err := json.Unmarshal([]byte(line), &op); err != nil {
			t.Fatalf("%v: %q", err, line)
		}
		count[op.ID]++
	}
	return count
}

// Whoever follows the log of a server sees each call once, and ends with ^C.
func TestFollowLogs(t *testing.T) {
	t.Parallel()
	world := apptest.NewWorld(t)
	i := apptest.Start(t, apptest.Options{Database: apptest.NewSQLite(t), ProvidersDir: world.ProvidersDir})
	c := i.Dev(t)
	world.Integrate(t, c, apptest.ProviderNone, "plain")
	apptest.Import(t, c, "plain", "octo", map[string]any{"type": "NONE"})

	ctx, interrupt := context.WithCancel(t.Context())
	var out, messages lines
	ended := make(chan int, 1)
	env := map[string]string{"LINKSPAN_HOST": i.URL, "LINKSPAN_SECRET_KEY_DEV": i.Keys.Dev}
	go func() {
		ended <- cli.Run(ctx, cli.System{
			Args:    []string{"logs", "--follow", "--json", "--type", "proxy", "--dir", t.TempDir()},
			Environ: func(name string) string { return env[name] }, Stdout: &out, Stderr: &messages,
		}, apptest.Server())
	}()
	const calls = 4 * 40
	for range 4 {
		for range calls / 4 {
			c.Do(t, http.MethodGet, "/proxy/echo", nil, "Provider-Config-Key", "plain", "Connection-Id", "octo").Want(t, http.StatusOK)
		}
		apptest.Pause(t)
	}
	apptest.Poll(t, "all calls were shown", func() bool { return len(out.shown(t)) >= calls })
	for range 60 { // further looks show nothing twice
		apptest.Pause(t)
	}
	interrupt()
	if code := <-ended; code != 0 {
		t.Errorf("it ended with %d: %s", code, &messages.text)
	}
	shown := out.shown(t)
	for id, n := range shown {
		if n != 1 {
			t.Errorf("%s was shown %d times", id, n)
		}
	}
	if len(shown) != calls {
		t.Errorf("%d calls were shown, not %d", len(shown), calls)
	}
}

// Whoever waits for an account to be connected gets the one of the link that was
// printed, although somebody else connects one meanwhile.
func TestWaitForConnection(t *testing.T) {
	t.Parallel()
	world := apptest.NewWorld(t)
	i := apptest.Start(t, apptest.Options{Database: apptest.NewSQLite(t), ProvidersDir: world.ProvidersDir})
	c := i.Dev(t)
	world.Integrate(t, c, apptest.ProviderNone, "plain")
	connect := func(token string) string {
		var made struct{ ConnectionID string }
		i.Anonymous(t).Do(t, http.MethodPost, "/auth/unauthenticated/plain?"+url.Values{"connect_session_token": {token}}.Encode(), nil).
			Want(t, http.StatusOK).Into(t, &made)
		return made.ConnectionID
	}

	var out, messages lines
	ended := make(chan int, 1)
	env := map[string]string{"LINKSPAN_HOST": i.URL, "LINKSPAN_SECRET_KEY_DEV": i.Keys.Dev}
	go func() {
		ended <- cli.Run(t.Context(), cli.System{
			Args:    []string{"connect", "plain", "--wait", "--json", "--end-user", "u1", "--timeout", "1m", "--dir", t.TempDir()},
			Environ: func(name string) string { return env[name] }, Stdout: &out, Stderr: &messages,
		}, apptest.Server())
	}()
	var link *url.URL
	apptest.Poll(t, "the link was printed", func() bool {
		line, _, whole := strings.Cut(messages.String(), "\n")
		parsed, err := url.Parse(line)
		link = parsed
		return whole && err == nil
	})
	var other struct{ Data struct{ Token string } }
	c.Do(t, http.MethodPost, "/connect/sessions", map[string]any{"end_user": map[string]any{"id": "u1"}}).Want(t, http.StatusCreated).Into(t, &other)
	connect(other.Data.Token)
	for range 20 { // it looks once in a second
		apptest.Pause(t)
	}
	mine := connect(link.Query().Get("session_token"))
	if code := <-ended; code != 0 {
		t.Errorf("it ended with %d: %s", code, messages.String())
	}
	var report struct {
		ConnectionID string `json:"connection_id"`
	}
	if err := json.Unmarshal([]byte(out.String()), &report); err != nil || report.ConnectionID != mine {
		t.Errorf("it waited for %q, not for %q (%v)", report.ConnectionID, mine, err)
	}
}
