package app

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/cli"
	"github.com/linkspan/linkspan/internal/testfile"
	"github.com/linkspan/linkspan/internal/webhook"
)

// story is what a demo prints. It tells when a text has appeared.
type story struct {
	seen <-chan struct{}

	mu    sync.Mutex
	text  bytes.Buffer
	waits []wait
}

// wait is for a text to appear so many times. then is called once it has, while
// the demo still writes.
type wait struct {
	text  string
	times int
	then  func()
}

func newStory(wants string) *story {
	s := new(story)
	s.seen = s.also(wants, 1)
	return s
}

// also returns a channel that is closed when a text has appeared so many times.
func (s *story) also(text string, times int) <-chan struct{} {
	seen := make(chan struct{})
	s.when(text, times, func() { close(seen) })
	return seen
}

// when has something done when a text has appeared so many times.
func (s *story) when(text string, times int, then func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waits = append(s.waits, wait{text, times, then})
	s.check()
}

// check looks for what is waited for; s.mu is held.
func (s *story) check() {
	s.waits = slices.DeleteFunc(s.waits, func(w wait) bool {
		there := strings.Count(s.text.String(), w.text) >= w.times
		if there {
			w.then()
		}
		return there
	})
}

// Write implements io.Writer.
func (s *story) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.text.Write(p)
	s.check()
	return n, err
}

// String returns all of it.
func (s *story) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// program runs the program with a command line, as cmd/linkspan wires it, and
// returns its exit code.
func program(ctx context.Context, out, logs io.Writer, terminal bool, environ map[string]string, args ...string) int {
	return cli.Run(ctx, cli.System{
		Args: args, Environ: func(name string) string { return environ[name] }, Stdout: out, Stderr: logs,
		IsTerminal: func(stream any) bool { return terminal && stream == any(out) },
	}, cli.Server{
		Trials: trials, Demo: func(ctx context.Context, d cli.Demo) error { return Demo(ctx, DemoOptions(d)) },
	})
}

func trials(_ context.Context, o cli.TrialOptions) (cli.Trials, error) {
	return NewTrials(TrialOptions(o))
}

// TestMain lets the test binary be what the server starts to run functions in.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && (os.Args[1] == "runner" || os.Args[1] == "compiler") {
		os.Exit(cli.Run(context.Background(), cli.OS(), cli.Server{Runner: Runner, Compiler: Compiler}))
	}
	os.Exit(m.Run())
}

var update = flag.Bool("update", false, "write the golden files")

// The real program goes through everything by itself, without --once where there
// is no terminal: server, provider, consent, callback, functions, webhooks,
// records, actions. The second time it does so on the folder of the first.
func TestDemoOnce(t *testing.T) {
	t.Parallel()
	out, logs := newStory("All is well"), newStory("")
	args := []string{"demo", "--data", filepath.Join(t.TempDir(), "demo")}
	environ := map[string]string{"LINKSPAN_DATABASE": "postgres://nowhere.invalid", "DISPLAY": ":0"}
	if code := program(t.Context(), out, logs, false, environ, args...); code != 0 {
		t.Fatalf("the demo ended with code %d\n%s\n%s", code, out, logs)
	}
	if strings.Contains(logs.String(), "level=ERROR") {
		t.Errorf("it logs\n%s", logs)
	}
	got := leveled(out.String())
	testfile.Golden(t, *update, filepath.Join("testdata", "demo.golden"), got)
	if code := program(t.Context(), out, logs, true, environ, append(args, "--once")...); code != 0 {
		t.Fatalf("the second demo ended with code %d\n%s\n%s", code, out, logs)
	}
	if n := strings.Count(out.String(), "All is well"); n != 2 || strings.Contains(out.String(), "✗") || !strings.Contains(unwrapped(out.String()), "1 old connection deleted") {
		t.Errorf("the story is\n%s", out)
	}
}

// leveled takes out of a story what differs each time: ports and durations.
func leveled(story string) string {
	story = regexp.MustCompile(`(localhost|127\.0\.0\.1):[0-9]+`).ReplaceAllString(story, "$1:PORT")
	story = regexp.MustCompile(`Run (\S+|'.+') demo`).ReplaceAllString(story, "Run PROGRAM demo")
	return regexp.MustCompile(`[0-9.]+ m?s\b`).ReplaceAllString(story, "TIME")
}

// A person connects an account, sees the loop and what to do next, does it, and
// ends the demo, of which nothing stays.
func TestDemo(t *testing.T) {
	t.Parallel()
	out := newStory("Webhooks are shown as they come.")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var folder string
	ended := make(chan error, 1)
	d := options(t, out)
	d.Live, d.Colour, d.Width = true, true, func() int { return 80 }
	d.Open = func(ctx context.Context, link string) error {
		u, err := url.Parse(link)
		if err != nil {
			return err
		}
		return approve(ctx, "http://"+u.Host, u.Query().Get("session_token"))
	}
	go func() { ended <- Demo(ctx, d) }()
	select {
	case <-out.seen:
	case err := <-ended:
		t.Fatalf("ended before the loop was shown: %v\n%s", err, out)
	}
	told := plain(out.String())
	folder = folderOf(told)
	for _, part := range []string{
		"opening in your browser", "auth creation", "verified", "42 added, 0 updated, 0 deleted", "0 added, 1 updated, 1 deleted",
		"It is yours now", shellWord(d.Program) + " deploy dev --dir " + filepath.Join(folder, "functions"),
	} {
		if !strings.Contains(told, part) {
			t.Errorf("%q is not in\n%s", part, told)
		}
	}
	if strings.Contains(told, "✗") {
		t.Errorf("something failed in\n%s", told)
	}
	pasteAll(t, out)
	said := new(story)
	if code := program(ctx, said, said, false, nil, "deploy", "dev", "--dir", filepath.Join(folder, "functions")); code != 0 || !strings.Contains(said.String(), "dev is up to date: 6 functions unchanged.") {
		t.Errorf("deploying the folder as the story says: code %d, %s", code, said)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("ended with %v", err)
	}
	if !strings.Contains(out.String(), "Stopping.") || !strings.Contains(out.String(), "\x1b[32m") {
		t.Errorf("the story is\n%s", out)
	}
	if _, err := os.Stat(folder); folder == "" || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%q is still there, error %v", folder, err)
	}
}

// options are those of a demo that tells its story to out.
func options(t *testing.T, out io.Writer) DemoOptions {
	t.Helper()
	var o DemoOptions
	code := cli.Run(t.Context(), cli.System{
		Args: []string{"demo"}, Environ: func(string) string { return "" }, Stdout: out, Stderr: io.Discard,
	}, cli.Server{Trials: trials, Demo: func(_ context.Context, d cli.Demo) error {
		o = DemoOptions(d)
		return nil
	}})
	if code != 0 {
		t.Fatalf("the command line ended with code %d", code)
	}
	o.Once = false
	return o
}

// plain takes the escape sequences out of a story.
func plain(story string) string {
	return regexp.MustCompile(`\x1b\[[0-9;]*[a-zA-Z]`).ReplaceAllString(story, "")
}

// unwrapped is a story without colours, in one line.
func unwrapped(story string) string { return strings.Join(strings.Fields(plain(story)), " ") }

// pasteAll does what a person does who pastes the commands at the end into a
// shell, one after the other.
func pasteAll(t *testing.T, out *story) {
	t.Helper()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Log("there is no curl: the commands at the end were not tried")
		return
	}
	commands := regexp.MustCompile(`(?m)^    curl (.*\\\n)*.*$`).FindAllString(plain(out.String()), -1)
	wants := []string{`"status":"solved"`, `"success":true`, `"last_action":"UPDATED"`}
	if len(commands) != len(wants) {
		t.Fatalf("%d commands are in\n%s", len(commands), out)
	}
	for i, command := range commands {
		if i == 2 {
			<-out.also("0 added, 1 updated, 0 deleted", 2) // the first was of the loop
		}
		got, err := exec.CommandContext(t.Context(), "sh", "-c", strings.Replace(command, "curl", "curl -sS", 1)).CombinedOutput()
		if err != nil || !strings.Contains(string(got), wants[i]) {
			t.Errorf("%s\nprints %s, error %v", command, got, err)
		}
		if n := strings.Count(string(got), `"_nango_metadata"`); i == 2 && n != 1 {
			t.Errorf("%d records have changed, not 1: %s", n, got)
		}
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
	b, err := newBrowser()
	if err != nil {
		return err
	}
	consent, err := b.visit(ctx, http.MethodGet, base+"/oauth/connect/demo-tickets?connect_session_token="+token, nil)
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
	result, err := b.visit(ctx, http.MethodPost, target.String(), url.Values{"request": {request}, "decision": {"approve"}})
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
	d.DataDir = t.TempDir()
	release, err := claimDemoFolder(d.DataDir)
	if err != nil {
		t.Fatal(err)
	}
	if err := Demo(t.Context(), d); linkspan.KindOf(err) != linkspan.KindConflict || !strings.Contains(err.Error(), "Another demo is running in the folder "+d.DataDir) {
		t.Errorf("on the folder of another demo: %v", err)
	}
	if err := release(); err != nil {
		t.Error(err)
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

// errWriter fails.
type errWriter struct{}

// Write implements io.Writer.
func (errWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }
