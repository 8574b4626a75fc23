package connect_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/connect"
	"github.com/linkspan/linkspan/internal/credential"
	"github.com/linkspan/linkspan/internal/webhook"
)

// granted is an authorization of the connection "c" whose page waits.
func granted(key string, c credential.Credentials) connect.Authorized {
	return connect.Authorized{Environment: environment(), IntegrationKey: key, Name: "c", Credentials: c, PopupID: "popup"}
}

func refusedKey() error {
	return linkspan.E("test", linkspan.KindInvalid, "connection_test_failed", nil, "The provider refused the key.")
}

// heard are the operations of the webhooks that were written, "!" for failures.
func (w *world) heard() (out []string) {
	w.db.busy <- struct{}{}
	defer func() { <-w.db.busy }()
	for _, e := range w.db.data.told {
		text := string(e.Operation)
		if e.Err != nil {
			text += "!" + e.Err.Type
		}
		out = append(out, text)
	}
	return out
}

func (w *world) wantHeard(want ...string) {
	w.t.Helper()
	if diff := cmp.Diff(want, w.heard()); diff != "" {
		w.t.Errorf("webhooks (-want +got):\n%s", diff)
	}
}

func (w *world) wantPopup(want string) {
	w.t.Helper()
	w.db.busy <- struct{}{}
	defer func() { <-w.db.busy }()
	if got := w.db.data.popups["popup"]; got != want {
		w.t.Errorf("the page was told %s, want %s", got, want)
	}
}

// wantNothingPending fails the test if a grant is still waiting.
func (w *world) wantNothingPending() {
	w.t.Helper()
	w.db.busy <- struct{}{}
	defer func() { <-w.db.busy }()
	if n := len(w.db.data.authorizations); n != 0 {
		w.t.Errorf("%d authorizations are still stored", n)
	}
}

// finishAll runs the jobs that were planned, as another replica would.
func (w *world) finishAll(r *replica) {
	w.t.Helper()
	w.db.busy <- struct{}{}
	jobs := w.db.data.jobs
	<-w.db.busy
	for _, j := range jobs {
		if err := r.FinishAuthorization(w.t.Context(), j.args.(connect.FinishAuthorization).UUID); err != nil {
			w.t.Errorf("FinishAuthorization: %v", err)
		}
	}
}

const popupSuccess = `{"message_type":"success","provider_config_key":"acme","connection_id":"c","is_pending":false}`

func TestAuthorizeCreates(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, func(t *testing.T, w *world) {
		in := granted("acme", credential.NewOAuth2("a", "r", w.db.now().Add(time.Hour)))
		in.ConnectionConfig = map[string]any{
			"subdomain": "x", "account": json.Number("12345678901234567890"), "nested": map[string]any{"captured": true},
			"webhook_url": "https://evil.example", "oauth_client_id_override": "own", "oauth_client_secret_override": "own secret",
		}
		in.Tags, in.EndUser = map[string]string{"Team": "T"}, &linkspan.EndUser{ID: "u1"}
		in.WebhookURLOverride, in.Operation = new("https://hooks.example/in"), linkspan.NewOperationID(w.db.now())
		given := maps.Clone(in.ConnectionConfig)
		out, err := w.replicas[0].Authorize(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		if want := (connect.Outcome{IntegrationKey: "acme", Name: "c", Created: true}); out != want {
			t.Errorf("Authorize = %+v, want %+v", out, want)
		}
		if diff := cmp.Diff(given, in.ConnectionConfig); diff != "" {
			t.Errorf("Authorize changed its input:\n%s", diff)
		}
		target, err := w.replicas[0].Live(t.Context(), envID, "acme", "c")
		if err != nil {
			t.Fatal(err)
		}
		c := target.Connection
		wantConfig := map[string]any{"subdomain": "x", "account": json.Number("12345678901234567890"), "nested": map[string]any{"captured": true}}
		if diff := cmp.Diff(wantConfig, c.Config); diff != "" {
			t.Errorf("connection_config (-want +got):\n%s", diff)
		}
		if target.Credentials.ClientID != "own" || target.Credentials.ClientSecret.Reveal() != "own secret" || c.WebhookURLOverride != "https://hooks.example/in" {
			t.Errorf("client %q, webhook %q: the connection's own are not stored", target.Credentials.ClientID, c.WebhookURLOverride)
		}
		if diff := cmp.Diff(map[string]string{"team": "T", "end_user_id": "u1"}, c.Tags); diff != "" {
			t.Errorf("tags (-want +got):\n%s", diff)
		}
		w.wantHeard("creation")
		if e := w.db.data.told[0]; e.AuthMode != "OAUTH2" || e.connection.UUID != c.UUID || e.connection.Provider != "acme" || e.EnvironmentID != envID {
			t.Errorf("webhook %+v is not about the connection", e)
		}
		w.wantPopup(popupSuccess)
		w.wantNothingPending()
		ops := w.records.of(linkspan.ActionCreateConnection)
		if len(ops) != 1 || ops[0].ID != in.Operation || ops[0].State != linkspan.StateSuccess || ops[0].ConnectionUUID != c.UUID || ops[0].Provider != "acme" {
			t.Errorf("operations %+v, want the one that was begun, ended well", ops)
		}
		if j := w.db.data.jobs; len(j) != 1 || j[0].args.Kind() != "finish_authorization" || j[0].at.Sub(c.CreatedAt) < 15*time.Second {
			t.Errorf("jobs %+v, want one for when a lease would have lapsed", j)
		}
		w.finishAll(w.replicas[0])
		w.wantHeard("creation")
	})
}

func TestAuthorizeMakesAName(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, func(t *testing.T, w *world) {
		in := granted("open", credential.NewNone())
		in.Name, in.PopupID = "", ""
		out, err := w.replicas[0].Authorize(t.Context(), in)
		if err != nil || !linkspan.IsUUIDv4(out.Name) || !out.Created {
			t.Errorf("Authorize = %+v, %v; want a connection with a UUID as its name", out, err)
		}
		if n := len(w.db.data.popups); n != 0 {
			t.Errorf("%d pages were told although none waits", n)
		}
	})
}

func TestAuthorizeRenews(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, func(t *testing.T, w *world) {
		r := w.replicas[0]
		imported, err := r.Import(t.Context(), environment(), connect.ImportInput{
			IntegrationKey: "acme", Name: "c", Credentials: credential.NewOAuth2("a", "stale", w.db.now().Add(-time.Minute)),
			ConnectionConfig: map[string]any{"old": "1"}, Metadata: map[string]any{"m": "kept"}, Tags: map[string]string{"t": "kept"},
		})
		if err != nil {
			t.Fatal(err)
		}
		w.wantHeard() // imports are the backend's own doing
		if err := second(r.get(t.Context(), asNeeded)); linkspan.CodeOf(err) != connect.CodeRefreshFailed {
			t.Fatalf("error = %v", err)
		}
		in := granted("acme", credential.NewOAuth2("new", "r", w.db.now().Add(time.Hour)))
		in.Reconnect, in.ConnectionConfig = imported.Connection.ID, map[string]any{"new": "2"}
		out, err := r.Authorize(t.Context(), in)
		if err != nil || out.Created {
			t.Fatalf("Authorize = %+v, %v; want a renewal", out, err)
		}
		target, err := r.Live(t.Context(), envID, "acme", "c")
		if err != nil {
			t.Fatal(err)
		}
		c := target.Connection
		if c.UUID != imported.Connection.UUID || c.Metadata["m"] != "kept" || c.Tags["t"] != "kept" || !cmp.Equal(c.Config, map[string]any{"new": "2"}) {
			t.Errorf("connection %+v: want metadata and tags of before, and the new connection_config", c)
		}
		if target.Credentials.AccessToken.Reveal() != "new" || len(connect.Errors(&c)) != 0 {
			t.Errorf("token %v, errors %v; want the new token and none", target.Credentials, connect.Errors(&c))
		}
		w.wantHeard("refresh!token_refresh_error", "override")
		if ops := w.records.of(linkspan.ActionUpdateConnection); len(ops) != 1 || ops[0].State != linkspan.StateSuccess {
			t.Errorf("operations %+v, want one update", ops)
		}
	})
}

// TestReconnectOfAnother has the connection that was to be renewed deleted, and
// another one made under its name.
func TestReconnectOfAnother(t *testing.T) {
	t.Parallel()
	for name, replaced := range map[string]bool{"deleted": false, "replaced": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, 1, func(t *testing.T, w *world) {
				r := w.replicas[0]
				id := w.importToken(time.Hour).Connection.ID
				if err := r.Delete(t.Context(), envID, "acme", "c"); err != nil {
					t.Fatal(err)
				}
				if replaced {
					w.importToken(time.Hour)
				}
				in := granted("acme", credential.NewOAuth2("new", "r", w.db.now().Add(time.Hour)))
				in.Reconnect = id
				if _, err := r.Authorize(t.Context(), in); linkspan.CodeOf(err) != "invalid_connection" {
					t.Errorf("error = %v, want invalid_connection", err)
				}
				w.wantHeard("deletion", "override!invalid_connection")
				if !strings.Contains(w.db.data.popups["popup"], `"error_type":"connection_not_found"`) {
					t.Errorf("the page was told %s", w.db.data.popups["popup"])
				}
				if replaced {
					w.want(r, asNeeded, "at-old")
				}
				w.wantNothingPending()
			})
		})
	}
}

func TestAuthorizeRefusesCredentials(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, func(t *testing.T, w *world) {
		r := w.replicas[0]
		w.verifier.refuse = refusedKey()
		if _, err := r.Authorize(t.Context(), granted("keyed", credential.NewAPIKey("bad"))); linkspan.CodeOf(err) != "connection_test_failed" {
			t.Fatalf("error = %v, want connection_test_failed", err)
		}
		w.wantPopup(`{"message_type":"error","provider_config_key":"keyed","connection_id":"c","error_type":"connection_validation_failed","error_desc":"The provider refused the key."}`)
		if _, err := r.Live(t.Context(), envID, "keyed", "c"); linkspan.CodeOf(err) != "unknown_connection" {
			t.Errorf("a refused connection is there: %v", err)
		}
		w.verifier.refuse = nil
		if _, err := r.Authorize(t.Context(), granted("keyed", credential.NewAPIKey("good"))); err != nil {
			t.Fatal(err)
		}
		w.verifier.refuse = errors.New("a bug with a secret in it")
		_, err := r.Authorize(t.Context(), granted("keyed", credential.NewAPIKey("bad")))
		if e, ok := errors.AsType[*linkspan.Error](err); !ok || e.Code != "connection_test_failed" || strings.Contains(e.Msg, "secret") {
			t.Fatalf("error = %v, want connection_test_failed without foreign text", err)
		}
		target, err := r.Live(t.Context(), envID, "keyed", "c")
		if err != nil || target.Credentials.APIKey.Reveal() != "good" {
			t.Errorf("stored %v, %v; want the credentials of before", target, err)
		}
		w.wantHeard("creation!connection_test_failed", "creation", "override!connection_test_failed")
		if e := w.db.data.told[0]; e.AuthMode != "API_KEY" || e.connection.Name != "c" || e.connection.Provider != "keyed" || e.connection.UUID == "" {
			t.Errorf("webhook %+v does not tell of the draft", e)
		}
		w.wantNothingPending()
		ops := w.records.of(linkspan.ActionCreateConnection)
		if len(ops) != 3 || ops[0].State != linkspan.StateFailed || ops[0].Error.Code != "connection_test_failed" {
			t.Errorf("operations %+v, want one for each authorization, the first one failed", ops)
		}
	})
}

// TestAuthorizeRefusesInput is about what no database is needed for.
func TestAuthorizeRefusesInput(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, func(t *testing.T, w *world) {
		in := granted("keyed", credential.NewAPIKey(""))
		in.Tags = map[string]string{"1": "x"}
		_, err := w.replicas[0].Authorize(t.Context(), in)
		if e, ok := errors.AsType[*linkspan.Error](err); !ok || e.Code != "invalid_body" || len(e.Issues) != 2 {
			t.Errorf("error = %v, want invalid_body with two issues", err)
		}
		w.wantHeard()
		if !strings.Contains(w.db.data.popups["popup"], `"error_desc":"Too small`) {
			t.Errorf("the page was told %s", w.db.data.popups["popup"])
		}
		if ops := w.records.of(linkspan.ActionCreateConnection); len(ops) != 1 || ops[0].State != linkspan.StateFailed {
			t.Errorf("operations %+v, want one failure", ops)
		}
	})
}

func TestAuthorizeRefusesProviders(t *testing.T) {
	t.Parallel()
	key := credential.NewAPIKey("k")
	for _, tt := range []struct{ name, key, code, popup, mode string }{
		{"unknown integration", "absent", "unknown_provider_config", "provider_config_err", ""},
		{"unknown provider", "orphan", "unknown_provider", "unknown_config_key", ""},
		{"unsupported provider", "later", "unsupported_provider", "auth_mode_err", "OAUTH2_CC"},
		{"other kind", "acme", "invalid_body", "unknown_err", "OAUTH2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, 1, func(t *testing.T, w *world) {
				w.db.data.integrations["orphan"] = linkspan.Integration{ID: 99, UUID: "orphan", EnvironmentID: envID, Key: "orphan", Provider: "gone"}
				if _, err := w.replicas[0].Authorize(t.Context(), granted(tt.key, key)); linkspan.CodeOf(err) != tt.code {
					t.Errorf("error = %v, want %s", err, tt.code)
				}
				w.wantHeard("creation!" + tt.code)
				if got := w.db.data.told[0].AuthMode; got != tt.mode {
					t.Errorf("auth mode %q, want %q", got, tt.mode)
				}
				if !strings.Contains(w.db.data.popups["popup"], `"error_type":"`+tt.popup+`"`) {
					t.Errorf("the page was told %s", w.db.data.popups["popup"])
				}
				w.wantNothingPending()
			})
		})
	}
}

// TestAuthorizationFailedBeforeTheGrant tells of a user who said no.
func TestAuthorizationFailedBeforeTheGrant(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, func(t *testing.T, w *world) {
		r := w.replicas[0]
		fail := func(change func(*connect.Authorized)) {
			t.Helper()
			in := connect.Authorized{Environment: environment(), IntegrationKey: "acme", Name: "c", PopupID: "popup", Tags: map[string]string{"t": "1"}}
			change(&in)
			if err := r.AuthorizationFailed(t.Context(), in, "callback_err", "The user said no."); err != nil {
				t.Fatal(err)
			}
		}
		fail(func(*connect.Authorized) {})
		w.wantHeard("creation!callback_err")
		if e := w.db.data.told[0]; e.AuthMode != "OAUTH2" || e.connection.Name != "c" || e.connection.Tags["t"] != "1" || e.Err.Description != "The user said no." {
			t.Errorf("webhook %+v", e)
		}
		w.wantPopup(`{"message_type":"error","provider_config_key":"acme","connection_id":"c","error_type":"callback_err","error_desc":"The user said no."}`)
		id := w.importToken(time.Hour).Connection.ID
		fail(func(*connect.Authorized) {})
		fail(func(in *connect.Authorized) { in.Reconnect = id + 1 })
		fail(func(in *connect.Authorized) { in.IntegrationKey = "absent" })
		w.wantHeard("creation!callback_err", "override!callback_err", "override!callback_err", "creation!callback_err")
		w.want(r, asNeeded, "at-old")
		if ops := w.records.of(linkspan.ActionCreateConnection); len(ops) != 1 { // of the import
			t.Errorf("operations %+v were ended here", ops)
		}
		r.node.dead.Store(true)
		if err := r.AuthorizationFailed(t.Context(), granted("acme", credential.NewNone()), "x", "y"); err == nil {
			t.Error("nobody was told, and nobody knows")
		}
	})
}

// TestIntegrationDeletedWhileTryingOut has nothing to put the connection into.
func TestIntegrationDeletedWhileTryingOut(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, func(t *testing.T, w *world) {
		w.verifier.during = func() { w.db.deleteIntegration("keyed") }
		if _, err := w.replicas[0].Authorize(t.Context(), granted("keyed", credential.NewAPIKey("k"))); linkspan.CodeOf(err) != "unknown_provider_config" {
			t.Errorf("error = %v, want unknown_provider_config", err)
		}
		w.wantHeard("creation!unknown_provider_config")
		w.wantNothingPending()
	})
}

// TestUserLeaves has the browser go away before the grant is stored.
func TestUserLeaves(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, func(t *testing.T, w *world) {
		ctx, leave := context.WithCancel(t.Context())
		leave()
		if _, err := w.replicas[0].Authorize(ctx, granted("open", credential.NewNone())); err != nil {
			t.Errorf("the grant was lost: %v", err)
		}
		w.wantHeard("creation")
	})
}

func TestDeletionIsTold(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, func(t *testing.T, w *world) {
		r := w.replicas[0]
		uuid := w.importToken(time.Hour).Connection.UUID
		broken := func() error { return errDead }
		r.node.tellFault.Store(&broken)
		if err := r.Delete(t.Context(), envID, "acme", "c"); !errors.Is(err, errDead) {
			t.Errorf("error = %v: a deletion was done that could not be told", err)
		}
		w.want(r, asNeeded, "at-old")
		r.node.tellFault.Store(nil)
		delete(w.providers, "acme") // the catalogue may have lost it
		if err := r.Delete(t.Context(), envID, "acme", "c"); err != nil {
			t.Fatal(err)
		}
		w.wantHeard("deletion")
		if e := w.db.data.told[0]; e.connection.UUID != uuid || e.AuthMode != "" || e.Operation != webhook.Deletion {
			t.Errorf("webhook %+v", e)
		}
	})
}

// TestOlderGrantDoesNotUndoNewer has a process die over a grant, and the user
// authorize again before the job looks at it.
func TestOlderGrantDoesNotUndoNewer(t *testing.T) {
	t.Parallel()
	inWorld(t, 2, func(t *testing.T, w *world) {
		a, b := w.replicas[0], w.replicas[1]
		w.verifier.during = func() { a.node.dead.Store(true); w.verifier.during = nil }
		if _, err := a.Authorize(t.Context(), granted("keyed", credential.NewAPIKey("older"))); linkspan.CodeOf(err) != connect.CodePending {
			t.Fatalf("error = %v, want %s", err, connect.CodePending)
		}
		if _, err := b.Authorize(t.Context(), granted("keyed", credential.NewAPIKey("newer"))); err != nil {
			t.Fatal(err)
		}
		pass(20 * time.Second)
		w.finishAll(b)
		target, err := b.Live(t.Context(), envID, "keyed", "c")
		if err != nil || target.Credentials.APIKey.Reveal() != "newer" {
			t.Errorf("stored %v, %v; want the newer grant", target, err)
		}
		w.wantHeard("creation")
		w.wantNothingPending()
	})
}

// TestNewerGrantOvertakes has the newer of two authorizations end first.
func TestNewerGrantOvertakes(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, func(t *testing.T, w *world) {
		r := w.replicas[0]
		w.verifier.during = func() {
			w.verifier.during = nil
			in := granted("keyed", credential.NewAPIKey("newer"))
			in.PopupID = "another"
			if _, err := r.Authorize(t.Context(), in); err != nil {
				t.Error(err)
			}
		}
		out, err := r.Authorize(t.Context(), granted("keyed", credential.NewAPIKey("older")))
		if err != nil || out.Name != "c" {
			t.Errorf("Authorize = %+v, %v; want the connection that is there", out, err)
		}
		synctest.Wait()
		target, err := r.Live(t.Context(), envID, "keyed", "c")
		if err != nil || target.Credentials.APIKey.Reveal() != "newer" {
			t.Errorf("stored %v, %v; want the newer grant", target, err)
		}
		w.wantHeard("creation")
		w.wantPopup(strings.ReplaceAll(popupSuccess, "acme", "keyed"))
	})
}

// TestNewerGrantOvertakesRefusedOne has the page of the older one told as well.
func TestNewerGrantOvertakesRefusedOne(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, func(t *testing.T, w *world) {
		r := w.replicas[0]
		w.verifier.during = func() {
			w.verifier.during = nil
			in := granted("keyed", credential.NewAPIKey("newer"))
			in.PopupID = "another"
			if _, err := r.Authorize(t.Context(), in); err != nil {
				t.Error(err)
			}
			w.verifier.refuse = refusedKey()
		}
		if _, err := r.Authorize(t.Context(), granted("keyed", credential.NewAPIKey("older"))); linkspan.CodeOf(err) != "connection_test_failed" {
			t.Errorf("error = %v, want connection_test_failed", err)
		}
		w.wantHeard("creation")
		w.wantPopup(connect.PopupError("keyed", "c", "connection_validation_failed", "The provider refused the key."))
	})
}
