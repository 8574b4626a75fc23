package app

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/config"
	"github.com/linkspan/linkspan/internal/environment"
	"github.com/linkspan/linkspan/internal/vault"
)

// load returns the settings of a server in a folder, on free ports.
func load(t *testing.T, dir string, flags map[string]string, env map[string]string) config.Config {
	t.Helper()
	all := map[string]string{"data": dir, "listen": "127.0.0.1:0", "admin-listen": "127.0.0.1:0"}
	maps.Copy(all, flags)
	c, err := config.Load(all, func(name string) string { return env[name] }, "")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// newApp makes an app that is closed when the test ends.
func newApp(t *testing.T, c config.Config, out io.Writer) *App {
	t.Helper()
	a, err := New(t.Context(), Options{Config: c, Log: slog.New(slog.DiscardHandler), Stdout: out})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

// run runs an app until stop is called, and waits until it serves.
func runApp(t *testing.T, a *App) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	serving := awaitLog(a, "serving")
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	select {
	case <-serving:
	case err := <-ended:
		t.Fatalf("ended before it served: %v", err)
	}
	stopped := false
	stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return <-ended
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return stop
}

// awaitLog returns a channel that is closed when the app logs a message.
func awaitLog(a *App, text string) <-chan struct{} {
	seen := make(chan struct{})
	a.log = slog.New(&awaitMessage{Handler: a.log.Handler(), text: text, seen: seen})
	return seen
}

// awaitMessage closes a channel when a message is logged.
type awaitMessage struct {
	slog.Handler
	text string
	seen chan struct{}
}

// Enabled implements slog.Handler.
func (*awaitMessage) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements slog.Handler.
func (h *awaitMessage) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == h.text {
		close(h.seen)
	}
	return h.Handler.Handle(ctx, r)
}

func get(t *testing.T, url, key string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	res, err := new(http.Client).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

func TestOneServerPerDataFolder(t *testing.T) {
	t.Parallel()
	c := load(t, t.TempDir(), nil, nil)
	first := newApp(t, c, io.Discard)
	_, err := New(t.Context(), Options{Config: c, Log: slog.New(slog.DiscardHandler), Stdout: io.Discard})
	if linkspan.CodeOf(err) != "data_folder_in_use" || !strings.Contains(err.Error(), c.DataDir) {
		t.Fatalf("a second server on the folder: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	newApp(t, c, io.Discard)
}

func TestFirstStartShowsKeysOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var out strings.Builder
	a := newApp(t, load(t, dir, nil, nil), &out)
	var keys []string
	for word := range strings.FieldsSeq(out.String()) {
		if linkspan.IsUUIDv4(word) {
			keys = append(keys, word)
		}
	}
	if len(keys) != 3 {
		t.Fatalf("%d keys are shown, want those of dev, prod and the account:\n%s", len(keys), out.String())
	}
	if want := "curl -H 'Authorization: Bearer " + keys[0] + "' http://localhost:"; !strings.Contains(out.String(), want) {
		t.Errorf("no example call with the key of dev:\n%s", out.String())
	}
	stop := runApp(t, a)
	if code, body := get(t, "http://"+a.Addr()+"/integrations", keys[0]); code != http.StatusOK {
		t.Errorf("the key of dev does not work: %d %s", code, body)
	}
	if code, body := get(t, "http://"+a.Addr()+"/ready", ""); code != http.StatusOK || !strings.Contains(body, `"ok"`) {
		t.Errorf("/ready: %d %s", code, body)
	}
	code, body := get(t, "http://"+a.AdminAddr()+"/metrics", "")
	for _, line := range []string{"linkspan_caches_fresh 1", "linkspan_webhooks_pending 0", "linkspan_webhooks_delivered_total 0", "linkspan_webhooks_failed_total 0"} {
		if code != http.StatusOK || !strings.Contains(body, line) {
			t.Errorf("/metrics has no line %s: %d\n%s", line, code, body)
		}
	}
	if err := errors.Join(stop(), a.Close()); err != nil {
		t.Fatal(err)
	}

	out.Reset()
	newApp(t, load(t, dir, nil, nil), &out)
	if out.String() != "" {
		t.Errorf("the second start shows\n%s", out.String())
	}
}

func TestGivenKeysAreUsedAndNotShown(t *testing.T) {
	t.Parallel()
	env := map[string]string{
		"LINKSPAN_SECRET_KEY_DEV":  linkspan.NewUUID(),
		"LINKSPAN_SECRET_KEY_PROD": linkspan.NewUUID(),
		"LINKSPAN_ACCOUNT_KEY":     linkspan.NewUUID(),
	}
	var out strings.Builder
	a := newApp(t, load(t, t.TempDir(), nil, env), &out)
	if out.String() != "" {
		t.Errorf("shown although they were given:\n%s", out.String())
	}
	runApp(t, a)
	if code, body := get(t, "http://"+a.Addr()+"/integrations", env["LINKSPAN_SECRET_KEY_PROD"]); code != http.StatusOK {
		t.Errorf("the key of prod does not work: %d %s", code, body)
	}
}

func TestRequestsFinishBeforeTheEnd(t *testing.T) {
	t.Parallel()
	a := newApp(t, load(t, t.TempDir(), nil, nil), io.Discard)
	begun, finish := make(chan struct{}), make(chan struct{})
	api := a.parts.handler
	a.parts.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/slow" {
			api.ServeHTTP(w, r)
			return
		}
		close(begun)
		<-finish
		if r.Context().Err() != nil {
			t.Error("the request was cancelled")
		}
		_, _ = io.WriteString(w, "whole")
	})
	stopping := awaitLog(a, "stopping")
	stop := runApp(t, a)
	answer := make(chan string, 1)
	go func() {
		_, body := get(t, "http://"+a.Addr()+"/slow", "")
		answer <- body
	}()
	<-begun
	ended := make(chan error, 1)
	go func() { ended <- stop() }()
	<-stopping
	if code, _ := get(t, "http://"+a.AdminAddr()+"/ready", ""); code != http.StatusServiceUnavailable {
		t.Errorf("/ready while stopping: %d", code)
	}
	close(finish)
	if body := <-answer; body != "whole" {
		t.Errorf("the answer was cut: %q", body)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestWorkersServeOnlyTheirHealth(t *testing.T) {
	t.Parallel()
	a := newApp(t, load(t, t.TempDir(), map[string]string{"role": "worker"}, nil), io.Discard)
	runApp(t, a)
	if code, _ := get(t, "http://"+a.Addr()+"/health", ""); code != http.StatusOK {
		t.Errorf("/health: %d", code)
	}
	if code, _ := get(t, "http://"+a.Addr()+"/ready", ""); code != http.StatusOK {
		t.Errorf("/ready: %d", code)
	}
	if code, _ := get(t, "http://"+a.Addr()+"/providers", ""); code != http.StatusNotFound {
		t.Errorf("/providers: %d", code)
	}
}

func TestKeysRotateUnderARunningServer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := load(t, dir, nil, nil)
	a := newApp(t, c, io.Discard)
	stop := runApp(t, a)
	account := accountOf(t, a)
	before, err := vault.LoadRingFile(filepath.Join(dir, keyFile))
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := RotateKeys(t.Context(), c, slog.New(slog.DiscardHandler), &out); err != nil {
		t.Fatal(err)
	}
	after, err := vault.LoadRingFile(filepath.Join(dir, keyFile))
	if err != nil {
		t.Fatal(err)
	}
	if ids := after.IDs(); len(ids) != 1 || ids[0] == before.Active().ID() {
		t.Errorf("keys %v after the rotation, %v before\n%s", ids, before.IDs(), out.String())
	}

	// What the server makes from now on is under the new key.
	made, err := a.parts.environments.Create(t.Context(), account, environment.CreateInput{Name: "staging"})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(stop(), a.Close()); err != nil {
		t.Fatal(err)
	}
	again := newApp(t, c, io.Discard)
	got, err := again.parts.environments.ByUUID(t.Context(), account, made.UUID)
	if err != nil {
		t.Fatal(err)
	}
	if got.WebhookSigningKey.IsZero() {
		t.Error("the signing key of the new environment is lost")
	}
}

func accountOf(t *testing.T, a *App) linkspan.AccountID {
	t.Helper()
	accounts, err := a.parts.store.Accounts(t.Context(), nil)
	if err != nil || len(accounts) != 1 {
		t.Fatalf("accounts %v, %v", accounts, err)
	}
	return accounts[0].ID
}

func TestStopBeforeTheStart(t *testing.T) {
	t.Parallel()
	a := newApp(t, load(t, t.TempDir(), nil, nil), io.Discard)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := a.Run(ctx); err != nil {
		t.Error(err)
	}
}

func TestWebhooksToThisServerAreRefused(t *testing.T) {
	t.Parallel()
	for public, targets := range map[string]map[string]bool{
		"https://link.example.com/api": {
			"https://link.example.com/hook": false, "http://LINK.example.com.:8080/": false,
			"https://hooks.example.com": true, "http://10.0.0.1/": true, "http://169.254.169.254/": false,
		},
		"http://localhost:3003": {"http://localhost:3003/x": false, "http://localhost:8080/x": true},
		"http://[::1]:3003":     {"http://[::1]:3003/x": false, "http://[::1]:8080/x": true},
	} {
		key := linkspan.NewUUID()
		a := newApp(t, load(t, t.TempDir(), map[string]string{"public-url": public, "allow-private-network": "true"},
			map[string]string{"LINKSPAN_SECRET_KEY_DEV": key}), io.Discard)
		runApp(t, a)
		post(t, a, key, "/integrations", `{"unique_key":"one","provider":"unauthenticated"}`, http.StatusOK)
		for target, allowed := range targets {
			want := http.StatusBadRequest
			if allowed {
				want = http.StatusCreated
			}
			post(t, a, key, "/connections", `{"provider_config_key":"one","credentials":{"type":"NONE"},"webhook_url_override":"`+target+`"}`, want)
		}
	}
}

func post(t *testing.T, a *App, key, path, body string, want int) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+a.Addr()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+key)
	r.Header.Set("Content-Type", "application/json")
	res, err := new(http.Client).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != want {
		t.Errorf("POST %s %s: %d %s, want %d; %v", path, body, res.StatusCode, answer, want, err)
	}
}

func TestTakenAddress(t *testing.T) {
	t.Parallel()
	first := newApp(t, load(t, t.TempDir(), nil, nil), io.Discard)
	_, err := New(t.Context(), Options{
		Config: load(t, t.TempDir(), map[string]string{"listen": first.Addr()}, nil),
		Log:    slog.New(slog.DiscardHandler), Stdout: io.Discard,
	})
	e, ok := errors.AsType[*linkspan.Error](err)
	if !ok || !strings.Contains(e.Msg, first.Addr()) || !strings.Contains(e.Hint, "--listen") || e.Err == nil {
		t.Errorf("error %v does not say what to do", err)
	}
}

// Whoever chose a port keeps it: let go for a moment, it may be somebody else's.
func TestGivenListener(t *testing.T) {
	t.Parallel()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(t.Context(), Options{
		Config: load(t, t.TempDir(), map[string]string{"listen": l.Addr().String()}, nil),
		Log:    slog.New(slog.DiscardHandler), Public: l, Stdout: io.Discard,
	})
	if err != nil {
		t.Fatal(err)
	}
	if a.Addr() != l.Addr().String() {
		t.Errorf("it listens on %s, not on %s", a.Addr(), l.Addr())
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	if err := l.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("it is still open: %v", err)
	}
}

// TestTakesOverWhatAnEarlierServerLeft has a server die with a run and start again
// on the same folder: nobody else can be at it, so it is taken up at once.
func TestTakesOverWhatAnEarlierServerLeft(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := newApp(t, load(t, dir, nil, nil), io.Discard)
	environments, err := first.parts.store.Environments(t.Context(), nil, accountOf(t, first), "")
	if err != nil {
		t.Fatal(err)
	}
	r := &linkspan.Run{
		UUID: linkspan.NewUUID(), EnvironmentID: environments[0].ID, Kind: linkspan.FunctionAction, MaxAttempts: 2,
		Operation: linkspan.NewOperationID(time.Now()), ExpiresAt: time.Now().Add(time.Hour),
	}
	if err := first.parts.store.InsertRuns(t.Context(), nil, []*linkspan.Run{r}); err != nil {
		t.Fatal(err)
	}
	claim := func(a *App, holder string) int {
		t.Helper()
		claimed, err := a.parts.store.ClaimRuns(t.Context(), nil, []linkspan.RunID{r.ID}, holder, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return len(claimed)
	}
	if claim(first, "dead") != 1 || claim(first, "somebody else") != 0 {
		t.Fatal("the run was not claimed, or twice")
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if claim(newApp(t, load(t, dir, nil, nil), io.Discard), "new") != 1 {
		t.Error("the run waits for a server that is dead")
	}
}
