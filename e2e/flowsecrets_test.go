package e2e

import (
	"bytes"
	"net/http"
	"net/url"
	"testing"

	"github.com/linkspan/linkspan/internal/apptest"
)

// TestNoSecretOfAuthorizations connects accounts in every way, well and badly,
// leaves some half-way, and then looks for each secret that passed through, in
// every encoding, wherever it could have stayed.
func TestNoSecretOfAuthorizations(t *testing.T) {
	t.Parallel()
	for name, open := range apptest.Databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := open(t)
			w := newConnecting(t, db)
			for what, secret := range map[string]string{
				"API key of the instance": db.Keys.Dev, "signing key": db.Keys.SigningDev, "API key": w.desk.APIKey, "password": w.desk.Password,
			} {
				w.keep(what, secret)
			}
			w.connectEveryWay(t)
			w.failEveryWay(t)
			// These stay where they are: at the provider, and in front of it.
			w.started(t)
			w.begin(t, url.Values{"connect_session_token": {w.session(t, nil)}, "ws_client_id": {listen(t, w.Instance).id}})

			w.settled(t)
			w.keepTokens(t)
			for _, code := range []string{"token_err", "connection_test_failed", "invalid_hmac"} {
				wantInOperations(t, w.Dev(t), code) // so the log of operations has been written
			}
			places := w.places(t)
			places["the database"] = db.Bytes(t)
			for _, h := range w.sink.Hooks() {
				places["the webhooks"] = append(places["the webhooks"], h.Body...)
			}
			w.wantKept(t)
			w.wantNoSecret(t, places)
		})
	}
}

// wantKept fails unless every kind of secret was seen: otherwise the search for
// them proves nothing.
func (w *connecting) wantKept(t *testing.T) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := make(map[string]int)
	for _, what := range w.secrets {
		seen[what]++
	}
	for _, what := range []string{
		"client secret", "code", "code_verifier", "state", "cookie", "session token", "access token", "refresh token", "HMAC key", "signing key",
		"API key", "password", "refused API key", "client secret of the user's", "refresh token of the user's",
	} {
		if seen[what] == 0 {
			t.Errorf("no %s was seen", what)
		}
	}
}

// connectEveryWay connects accounts by OAuth, API key and password, with a
// session and with the public key, and renews one.
func (w *connecting) connectEveryWay(t *testing.T) {
	t.Helper()
	w.reconnect(t, w.connect(t, nil))
	// The customer's backend gives an end user's own OAuth client along.
	w.connect(t, object{
		"tags": object{"team": "a"},
		"integrations_config_defaults": object{"desk": object{"connection_config": object{
			"oauth_client_id_override": w.desk.ClientID, "oauth_client_secret_override": w.desk.ClientSecret,
		}}},
	})
	post := func(path string, body any) {
		t.Helper()
		query := url.Values{"connect_session_token": {w.session(t, nil)}}
		w.show(w.Anonymous(t).Do(t, http.MethodPost, path+"?"+query.Encode(), body)).Want(t, http.StatusOK)
	}
	post("/api-auth/api-key/desk-key", object{"apiKey": w.desk.APIKey})
	post("/api-auth/basic/desk-basic", object{"username": w.desk.Username, "password": w.desk.Password})
	post("/auth/unauthenticated/none", nil)

	const hmacKey = "hmac-key-0123456789-abcdefghijklmnopqrst"
	w.keep("HMAC key", hmacKey)
	key, _ := settings(t, w.Instance, object{"public_key_enabled": true, "hmac_key": hmacKey})["public_key"].(string)
	own := url.Values{
		"public_key": {key}, "connection_id": {"own-client"},
		"credentials[oauth_client_id_override]": {w.desk.ClientID}, "credentials[oauth_client_secret_override]": {w.desk.ClientSecret},
	}
	f := w.consent(t, w.begin(t, own))
	w.arrive(t, f, f.cookie).Want(t, http.StatusOK)
	settings(t, w.Instance, object{"hmac_enabled": true})
	w.open(t, "/oauth/connect/desk?public_key="+key+"&hmac=0123").Want(t, http.StatusBadRequest)

	var rotated struct {
		Data struct {
			Key string `json:"webhook_signing_key"`
		}
	}
	w.Dev(t).Do(t, http.MethodPost, "/environment/webhook-signing-key/rotate", nil).Want(t, http.StatusOK).Into(t, &rotated)
	w.keep("signing key", rotated.Data.Key)
}

// failEveryWay fails while secrets are at hand.
func (w *connecting) failEveryWay(t *testing.T) {
	t.Helper()
	const secret, refresh, wrongKey = "client-secret-of-an-end-user-0123456789", "refresh-token-of-an-end-user-0123456789", "tk_ffffffffffffffffffffffffffffffff"
	w.keep("client secret of the user's", secret)
	w.keep("refresh token of the user's", refresh)
	w.keep("refused API key", wrongKey)
	own := url.Values{
		"connect_session_token": {w.session(t, nil)}, "credentials[oauth_client_id_override]": {w.desk.ClientID},
		"credentials[oauth_client_secret_override]": {secret}, "credentials[oauth_refresh_token_override]": {refresh},
	}
	f := w.consent(t, w.begin(t, own))
	wantRefusal(t, w.arrive(t, f, f.cookie), http.StatusBadRequest, "token_err")
	own.Set("credentials[oauth_client_secret_override]", secret+"\x00")
	w.open(t, "/oauth/connect/desk?"+own.Encode()).Want(t, http.StatusBadRequest)

	query := url.Values{"connect_session_token": {w.session(t, nil)}}.Encode()
	for _, body := range []any{
		object{"apiKey": wrongKey}, object{"apiKey": wrongKey, "surplus": wrongKey}, `{"apiKey":"` + wrongKey, object{"apiKey": []string{wrongKey}},
	} {
		w.show(w.Anonymous(t).Do(t, http.MethodPost, "/api-auth/api-key/desk-key?"+query, body)).Want(t, http.StatusBadRequest)
	}
	for _, body := range []any{
		object{"tags": object{"a": "b"}, "integrations_config_defaults": object{"nope": object{"connection_config": object{"oauth_client_secret_override": secret}}}},
		object{"tags": object{"a": "b"}, "integrations_config_defaults": object{"desk": object{"connection_config": object{"oauth_client_secret_override": []string{secret}}}}},
		object{"tags": object{"a": "b"}, "integrations_config_defaults": object{"desk": object{"user_scopes": secret + "\n"}}, "secret": secret},
	} {
		w.show(w.Dev(t).Do(t, http.MethodPost, "/connect/sessions", body)).Want(t, http.StatusBadRequest)
	}
	// What a session may say of itself to the browser that holds it.
	token := w.session(t, object{"tags": object{"a": "b"}, "integrations_config_defaults": object{"desk": object{"connection_config": object{
		"oauth_client_secret_override": secret, "oauth_refresh_token_override": refresh,
	}}}})
	shown := w.show(w.Anonymous(t).WithKey(token).Do(t, http.MethodGet, "/connect/session", nil)).Want(t, http.StatusOK)
	if !bytes.Contains(shown.Body, []byte("oauth_client_secret_override")) {
		t.Errorf("the session does not say what is decided already: %s", shown.Body)
	}
	name := w.connect(t, nil)
	w.breakRefresh(t, name)
	w.remove(t, name)
}
