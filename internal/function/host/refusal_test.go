package host_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/connect"
	"github.com/linkspan/linkspan/internal/environment"
	"github.com/linkspan/linkspan/internal/function/host"
	"github.com/linkspan/linkspan/internal/sandbox"
	"github.com/linkspan/linkspan/internal/upstream"
)

// TestEffects tells runs that may be repeated from those that may not.
func TestEffects(t *testing.T) {
	t.Parallel()
	w := newWorld(t, echo)
	for body, effects := range map[string]bool{
		`await nango.get({endpoint: "/a"})`:                                                         false,
		`await nango.proxy({endpoint: "/a", method: "OPTIONS"})`:                                    false,
		`await nango.post({endpoint: "/a"})`:                                                        true,
		`await nango.delete({endpoint: "/a"})`:                                                      true,
		`await nango.uncontrolledFetch({url: ` + shown(w.saas.URL) + `})`:                           false,
		`await nango.uncontrolledFetch({url: ` + shown(w.saas.URL) + `, method: "PUT", body: "x"})`: true,
		`await nango.setMetadata({a: 1})`:                                                           true,
		`await nango.getConnection()`:                                                               false,
	} {
		r := w.run(t, body)
		r.value(t)
		if got := r.session.Effects(); got != effects {
			t.Errorf("%s: effects %v", body, got)
		}
	}
}

// TestRefusals are about what only a sandbox gone wrong asks for.
func TestRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t, echo)
	x := w.host.Open(w.info("acme", "c1"))
	defer x.Close(t.Context())
	for _, tt := range []struct{ call, params, want string }{
		{"http", `{"method":"GET","endpoint":"/","headers":[["a","b\r\nc: d"]]}`, "invalid_headers"},
		{"http", `{"method":"GET","endpoint":"/","headers":[["a b","c"]]}`, "invalid_headers"},
		{"fetch", `{"method":"GET","url":"http://h/","headers":[["a","b\u0000"]]}`, "invalid_headers"},
		{"checkpoint_save", `{"checkpoint":{"a":["` + strings.Repeat("x", 1<<20) + `"],"a":1}}`, "invalid_checkpoint_format"},
		{"checkpoint_save", `{"checkpoint":{"a":` + strings.Repeat("1", 1<<20) + `}}`, "invalid_checkpoint_format"},
		{"nothing", `{}`, "unknown_call"},
	} {
		_, err := x.Call(t.Context(), sandbox.Call{Name: tt.call, JSON: []byte(tt.params)})
		refused, ok := errors.AsType[*sandbox.CallError](err)
		if !ok || !strings.Contains(string(refused.JSON), tt.want) {
			t.Errorf("%s %.80s: %v", tt.call, tt.params, err)
		}
	}
}

// TestInternalErrors keeps to itself what went wrong inside.
func TestInternalErrors(t *testing.T) {
	t.Parallel()
	w := newWorld(t, echo)
	for _, inside := range []error{errors.New("disk /var/x is broken"), linkspan.E("store.X", linkspan.KindInternal, "", nil, "disk /var/x is broken")} {
		got := w.run(t, `try { await nango.getConnection() } catch (e) { return [e.code, e.message, e.stack] }`, func(r *trial) {
			r.info.Target = func(context.Context, connect.FreshOptions) (*upstream.Target, error) { return nil, inside }
		}).text(t)
		if !strings.Contains(got, "internal_error") || strings.Contains(got, "disk") {
			t.Errorf("the function sees %s", got)
		}
	}
}

// TestLongMeta keeps the beginning of what is too long to log.
func TestLongMeta(t *testing.T) {
	t.Parallel()
	w := newWorld(t, echo)
	r := w.run(t, `await nango.log("long", { text: "y".repeat(100000) }, { level: "error" })`)
	r.value(t)
	messages := w.messages(t, r)
	if len(messages) != 1 || len(messages[0].Meta) > 32<<10 || !strings.Contains(string(messages[0].Meta), `"truncated":true`) {
		t.Errorf("meta of %d bytes: %.100s", len(messages[0].Meta), messages[0].Meta)
	}
}

// TestLevelIsReadAgain lets an operator change the level while functions run.
func TestLevelIsReadAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, echo)
	now := time.Now()
	s := host.New(host.Config{
		Store: w.store, Connections: w.conns, Proxy: w.proxy, Variables: environment.New(w.store, w.store), Guard: w.guard, Now: func() time.Time { return now },
	})
	t.Cleanup(s.Close)
	level := func() string {
		t.Helper()
		start, err := s.Open(w.info("acme", "c1")).Start(t.Context())
		must(t, err)
		_, rest, _ := strings.Cut(string(start), `"level":"`)
		text, _, _ := strings.Cut(rest, `"`)
		return text
	}
	before := level()
	must(t, w.store.ReplaceVariables(t.Context(), nil, w.env.ID, w.env.UUID, []linkspan.SecretPair{{Name: "NANGO_LOGGER_LEVEL", Value: linkspan.NewSecret("debug")}}))
	soon := level()
	now = now.Add(time.Minute)
	if after := level(); before != "warn" || soon != "warn" || after != "debug" {
		t.Errorf("levels: %s, %s, %s", before, soon, after)
	}
}
