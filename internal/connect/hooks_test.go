package connect_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/connect"
	"github.com/linkspan/linkspan/internal/credential"
	"github.com/linkspan/linkspan/internal/upstream"
)

const (
	hookedYAML = `
name: hooked
display_name: Hooked
categories: [dev-tools]
auth:
  mode: OAUTH2
  authorize:
    url: [https://hooked.example/authorize]
  token:
    url: [https://hooked.example/token]
api:
  base_url: [https://api.hooked.example]
hooks:
  post_connection: hookedPostConnection
  pre_deletion: hookedPreDeletion
`
	testedYAML = `
name: ownly
display_name: Tested in its own way
categories: [dev-tools]
auth:
  mode: API_KEY
api:
  base_url: [https://api.ownly.example]
  verify:
    paths: [/me]
hooks:
  verify_credentials: ownlyVerification
`
)

// hooked are the hooks of both providers.
type hooked struct {
	// calls are the hooks that were run, with what they had.
	calls []string
	// found is what the account says, fail what goes wrong, refuse what is said
	// of credentials.
	found        map[string]any
	fail, refuse error
	// during, if set, is called while a hook runs.
	during func(ctx context.Context)
}

func (h *hooked) run(ctx context.Context, what string, t *upstream.Target, trace func(linkspan.Message)) {
	h.calls = append(h.calls, what+" "+t.Credentials.AccessToken.Reveal()+t.Credentials.APIKey.Reveal())
	trace(linkspan.Message{Type: "http", Text: "called for " + what})
	if h.during != nil {
		h.during(ctx)
	}
}

func (h *hooked) PostConnection(ctx context.Context, t *upstream.Target, trace func(linkspan.Message)) (map[string]any, error) {
	h.run(ctx, "post", t, trace)
	return maps.Clone(h.found), h.fail
}

func (h *hooked) PreDeletion(ctx context.Context, t *upstream.Target, trace func(linkspan.Message)) error {
	h.run(ctx, "pre", t, trace)
	return h.fail
}

func (h *hooked) Verify(ctx context.Context, t *upstream.Target, trace func(linkspan.Message)) error {
	h.run(ctx, "verify", t, trace)
	return h.refuse
}

func failedHook() error {
	return linkspan.E("hook.Test", linkspan.KindUpstream, "hook_failed", errors.New("cause for the log"), "The provider could not be asked.")
}

func (w *world) wantHooks(want ...string) {
	w.t.Helper()
	if diff := cmp.Diff(want, w.hooks.calls); diff != "" {
		w.t.Errorf("hooks (-want +got):\n%s", diff)
	}
}

// wantConfig fails the test unless the connection "c" has these settings.
func (w *world) wantConfig(key string, want map[string]any) {
	w.t.Helper()
	target, err := w.replicas[0].Live(w.t.Context(), envID, key, "c")
	if err != nil {
		w.t.Fatal(err)
	}
	if diff := cmp.Diff(want, target.Connection.Config); diff != "" {
		w.t.Errorf("connection_config (-want +got):\n%s", diff)
	}
}

// wantMessages fails the test unless all operations together have these messages,
// with their level; whoever tries credentials out says so as well.
func (w *world) wantMessages(want ...string) {
	w.t.Helper()
	pass(time.Second)
	w.records.mu.Lock()
	defer w.records.mu.Unlock()
	var got []string
	for _, m := range w.records.messages {
		got = append(got, m.Level+": "+m.Text)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		w.t.Errorf("messages (-want +got):\n%s", diff)
	}
}

func token(text string) credential.Credentials {
	return credential.NewOAuth2(text, "refresh-0", time.Time{})
}

// TestHookBeforeActivation: when backend and page hear of a connection, its
// settings are complete. The hook runs in no transaction, in which asking what
// was told would wait for ever.
func TestHookBeforeActivation(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, func(t *testing.T, w *world) {
		w.hooks.found = map[string]any{"cloudId": "1", "region": "theirs", "empty": "filled", "captured": "new", "n": json.Number("5")}
		w.hooks.during = func(context.Context) { w.wantHeard(); w.wantPopup("") }
		in := granted("hooked", token("t"))
		in.ConnectionConfig = map[string]any{"region": "mine", "empty": "", "captured": "old", "kept": "k"}
		in.Given = map[string]any{"region": "mine", "empty": ""}
		if _, err := w.replicas[0].Authorize(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		want := map[string]any{"cloudId": "1", "region": "mine", "empty": "filled", "captured": "new", "kept": "k", "n": json.Number("5")}
		w.wantConfig("hooked", want)
		w.wantHeard("creation")
		if diff := cmp.Diff(want, w.db.data.told[0].connection.Config); diff != "" {
			t.Errorf("the backend was told of other settings:\n%s", diff)
		}
		w.wantHooks("post t")
		w.wantMessages("info: called for post")
		w.hooks.during = nil
		again := granted("hooked", token("u"))
		again.ConnectionConfig = map[string]any{"cloudId": "1"}
		w.hooks.found = map[string]any{"cloudId": "2"}
		if _, err := w.replicas[0].Authorize(t.Context(), again); err != nil {
			t.Fatal(err)
		}
		w.wantConfig("hooked", map[string]any{"cloudId": "2"})
		w.wantHooks("post t", "post u")
	})
}

// TestFailedHookHindersNothing: the connection is made, and the operation says
// what it lacks.
func TestFailedHookHindersNothing(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]error{"The provider could not be asked.": failedHook(), "an internal reason": errors.New("cause for the log")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, 1, func(t *testing.T, w *world) {
				w.hooks.fail, w.hooks.found = fail, map[string]any{"cloudId": "half"}
				in := granted("hooked", token("t"))
				in.ConnectionConfig = map[string]any{"kept": "k"}
				if _, err := w.replicas[0].Authorize(t.Context(), in); err != nil {
					t.Fatal(err)
				}
				w.wantConfig("hooked", map[string]any{"kept": "k"})
				w.wantHeard("creation")
				w.wantPopup(strings.ReplaceAll(popupSuccess, "acme", "hooked"))
				ops := w.records.of(linkspan.ActionCreateConnection)
				if len(ops) != 1 || ops[0].State != linkspan.StateSuccess {
					t.Errorf("operations %+v", ops)
				}
				m := w.records.messages
				if len(m) != 2 || m[1].Level != "warn" || !strings.Contains(m[1].Text, name) || strings.Contains(m[1].Text, "cause") || m[1].OperationID != ops[0].ID {
					t.Errorf("messages %+v", m)
				}
			})
		})
	}
}

// TestHookAfterACrash runs the hook again, which still knows what was given.
func TestHookAfterACrash(t *testing.T) {
	t.Parallel()
	inWorld(t, 2, func(t *testing.T, w *world) {
		a, b := w.replicas[1], w.replicas[0]
		w.hooks.found = map[string]any{"cloudId": "1", "region": "theirs"}
		w.hooks.during = func(context.Context) { a.node.dead.Store(true); w.hooks.during = nil }
		in := granted("hooked", token("t"))
		in.ConnectionConfig = map[string]any{"region": "mine"}
		in.Given = in.ConnectionConfig
		if _, err := a.Authorize(t.Context(), in); linkspan.CodeOf(err) != connect.CodePending {
			t.Fatalf("error = %v, want %s", err, connect.CodePending)
		}
		pass(20 * time.Second)
		w.finishAll(b)
		w.wantConfig("hooked", map[string]any{"cloudId": "1", "region": "mine"})
		w.wantHooks("post t", "post t")
		w.wantHeard("creation")
	})
}

// TestImportRunsHooks also on a connection whose settings are kept.
func TestImportRunsHooks(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, func(t *testing.T, w *world) {
		put := func(config map[string]any) {
			t.Helper()
			in := connect.ImportInput{IntegrationKey: "hooked", Name: "c", Credentials: token("t"), ConnectionConfig: config}
			if _, err := w.replicas[0].Import(t.Context(), environment(), in); err != nil {
				t.Fatal(err)
			}
		}
		w.hooks.found = map[string]any{"cloudId": "1", "region": "theirs"}
		given := map[string]any{"region": "mine", "other": "o"}
		put(given)
		w.wantConfig("hooked", map[string]any{"cloudId": "1", "region": "mine", "other": "o"})
		if diff := cmp.Diff(map[string]any{"region": "mine", "other": "o"}, given); diff != "" {
			t.Errorf("Import changed its input:\n%s", diff)
		}
		w.hooks.found = map[string]any{"cloudId": "2"}
		put(nil)
		w.wantConfig("hooked", map[string]any{"cloudId": "2", "region": "mine", "other": "o"})
		w.hooks.fail = failedHook()
		put(nil)
		w.wantConfig("hooked", map[string]any{"cloudId": "2", "region": "mine", "other": "o"})
		w.wantHooks("post t", "post t", "post t")
		w.wantMessages("info: called for post", "info: called for post", "info: called for post", "warn: The provider's hook failed. The provider could not be asked.")
	})
}

// TestVerificationOfItsOwn replaces the usual one.
func TestVerificationOfItsOwn(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, func(t *testing.T, w *world) {
		w.verifier.refuse = refusedKey() // nobody asks
		r := w.replicas[0]
		put := func() error {
			return second(r.Import(t.Context(), environment(), connect.ImportInput{IntegrationKey: "ownly", Name: "c", Credentials: credential.NewAPIKey("k")}))
		}
		if err := put(); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Authorize(t.Context(), granted("ownly", credential.NewAPIKey("l"))); err != nil {
			t.Fatal(err)
		}
		w.hooks.refuse = refusedKey()
		if err := put(); linkspan.CodeOf(err) != "connection_test_failed" {
			t.Errorf("error = %v, want connection_test_failed", err)
		}
		if _, err := r.Authorize(t.Context(), granted("ownly", credential.NewAPIKey("m"))); linkspan.CodeOf(err) != "connection_test_failed" {
			t.Errorf("error = %v, want connection_test_failed", err)
		}
		target, err := r.Live(t.Context(), envID, "ownly", "c")
		if err != nil || target.Credentials.APIKey.Reveal() != "l" {
			t.Errorf("stored %v, %v; want the credentials that were accepted last", target, err)
		}
		w.wantHooks("verify k", "verify l", "verify k", "verify m")
		w.wantHeard("override", "override!connection_test_failed")
	})
}

// TestHookBeforeDeletion hinders nothing, and runs before anything is gone.
func TestHookBeforeDeletion(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		fail     error
		during   func(ctx context.Context)
		messages []string
	}{
		"works":   {nil, nil, []string{"info: called for pre"}},
		"fails":   {failedHook(), nil, []string{"info: called for pre", "warn: The provider's hook failed. The provider could not be asked."}},
		"is slow": {nil, func(ctx context.Context) { <-ctx.Done() }, []string{"info: called for pre"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, 1, func(t *testing.T, w *world) {
				r := w.replicas[0]
				in := connect.ImportInput{IntegrationKey: "hooked", Name: "c", Credentials: credential.NewOAuth2("old", "refresh-0", w.db.now().Add(time.Minute))}
				if _, err := r.Import(t.Context(), environment(), in); err != nil {
					t.Fatal(err)
				}
				pass(time.Second)
				w.records.messages, w.hooks.calls = nil, nil
				w.hooks.fail = tt.fail
				w.hooks.during = func(ctx context.Context) {
					w.wantHeard()
					w.wantConfig("hooked", map[string]any{})
					if tt.during != nil {
						tt.during(ctx)
					}
				}
				if err := r.Delete(t.Context(), envID, "hooked", "c"); err != nil {
					t.Fatal(err)
				}
				w.wantHooks("pre at-1") // refreshed: the old one was about to expire
				w.wantHeard("deletion")
				ops := w.records.of(linkspan.ActionDeleteConnection)
				if len(ops) != 1 || ops[0].State != linkspan.StateSuccess {
					t.Errorf("operations %+v", ops)
				}
				var got []string
				for _, m := range w.records.messages {
					if m.OperationID == ops[0].ID {
						got = append(got, m.Level+": "+m.Text)
					}
				}
				if diff := cmp.Diff(tt.messages, got); diff != "" {
					t.Errorf("messages (-want +got):\n%s", diff)
				}
				if err := r.Delete(t.Context(), envID, "hooked", "c"); linkspan.CodeOf(err) != "unknown_connection" {
					t.Errorf("second Delete = %v, want unknown_connection", err)
				}
				w.wantHooks("pre at-1")
			})
		})
	}
}

// TestDeletionWithoutFreshCredentials still takes leave with those that are
// stored: the refresh token may be what has to be revoked.
func TestDeletionWithoutFreshCredentials(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, func(t *testing.T, w *world) {
		r := w.replicas[0]
		in := connect.ImportInput{IntegrationKey: "hooked", Name: "c", Credentials: credential.NewOAuth2("old", "refresh-of-before", w.db.now().Add(-time.Minute))}
		if _, err := r.Import(t.Context(), environment(), in); err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		w.hooks.calls = nil
		if err := r.Delete(t.Context(), envID, "hooked", "c"); err != nil {
			t.Fatal(err)
		}
		w.wantHooks("pre old")
	})
}
