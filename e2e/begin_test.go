package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/internal/apptest"
)

// door is a way in for browsers: the page of OAuth, or the credentials of a form.
type door struct{ method, path string }

func doors() []door {
	return []door{{http.MethodGet, "/oauth/connect/desk"}, {http.MethodPost, "/api-auth/api-key/desk-key"}}
}

// knock tries a door with a query.
func (w *connecting) knock(t *testing.T, d door, query url.Values) apptest.Reply {
	t.Helper()
	if d.method == http.MethodGet {
		return w.open(t, d.path+"?"+query.Encode())
	}
	return w.show(w.Anonymous(t).Do(t, d.method, d.path+"?"+query.Encode(), object{"apiKey": w.desk.APIKey}))
}

// wantShut checks that a door stays shut, for a reason.
func wantShut(t *testing.T, d door, r apptest.Reply, status int, code string) {
	t.Helper()
	if d.method == http.MethodGet {
		wantRefusal(t, r, status, code)
		if r.Header.Get("Set-Cookie") != "" {
			t.Errorf("%s: refused with a cookie", r.What)
		}
		return
	}
	r.WantError(t, status, code)
}

// TestWhoMayConnect tries to connect accounts without the right to.
//
//nolint:tparallel // the cases share one log, which each reads from where it begins
func TestWhoMayConnect(t *testing.T) {
	t.Parallel()
	w := newConnecting(t, apptest.NewSQLite(t))
	session := func(c apptest.Client, body object) url.Values {
		var reply struct{ Data struct{ Token string } }
		c.Do(t, http.MethodPost, "/connect/sessions", body).Want(t, http.StatusCreated).Into(t, &reply)
		w.keep("session token", reply.Data.Token)
		return url.Values{"connect_session_token": {reply.Data.Token}}
	}
	with := func(query url.Values, more ...string) url.Values {
		all := maps.Clone(query)
		for i := 0; i+1 < len(more); i += 2 {
			all.Set(more[i], more[i+1])
		}
		return all
	}
	anybody := object{"tags": object{"team": "a"}}
	good := session(w.Dev(t), anybody)
	ended := session(w.Dev(t), anybody)
	bearer := w.Anonymous(t).WithKey(ended.Get("connect_session_token"))
	bearer.Do(t, http.MethodDelete, "/connect/session", nil).Want(t, http.StatusNoContent)
	bearer.Do(t, http.MethodGet, "/connect/session", nil).WantError(t, http.StatusUnauthorized, "unknown_connect_session_token")
	many := with(good)
	for n := range 101 {
		many.Set("params[p"+strings.Repeat("x", n)+"]", "1")
	}

	cases := []struct {
		name   string
		query  url.Values
		status int
		code   string
		known  bool // the environment is
	}{
		{"nobody", url.Values{}, 401, "missing_public_key", false},
		{"an ended session", ended, 401, "unknown_connect_session_token", false},
		{"an unknown session", url.Values{"connect_session_token": {"nango_connect_session_" + strings.Repeat("5e", 32)}}, 401, "unknown_connect_session_token", false},
		{"a malformed session", url.Values{"connect_session_token": {"nango_connect_session_x"}}, 401, "invalid_connect_session_token_format", false},
		{"an API key as a session", url.Values{"connect_session_token": {w.Keys.Dev}}, 401, "invalid_connect_session_token_format", false},
		{"an API key as a public key", url.Values{"public_key": {w.Keys.Dev}}, 401, "unknown_account", false},
		{"a malformed public key", url.Values{"public_key": {"x"}}, 401, "invalid_public_key", false},
		{"a name with a session", with(good, "connection_id", "mine"), 400, "invalid_query_params", true},
		{"an integration that is not allowed", session(w.Dev(t), object{"tags": object{"team": "a"}, "allowed_integrations": []string{"none"}}), 400, "integration_not_allowed", true},
		{"a parameter of 9 kB", with(good, "params[x]", strings.Repeat("a", 9<<10)), 400, "invalid_query_params", true},
		{"a name of 300 bytes", with(good, "params["+strings.Repeat("a", 300)+"]", "x"), 400, "invalid_query_params", false},
		{"a hundred parameters and one", many, 400, "invalid_query_params", false},
		{"a popup of 9 kB", with(good, "ws_client_id", strings.Repeat("a", 9<<10)), 400, "invalid_query_params", false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			for _, d := range doors() {
				said := len(w.Logs())
				wantShut(t, d, w.knock(t, d, c.query), c.status, c.code)
				// The line of a request follows its answer.
				apptest.Poll(t, "the log tells of "+c.code, func() bool { return strings.Contains(w.Logs()[said:], c.code) })
			}
			if c.known {
				wantInOperations(t, w.Dev(t), c.code)
			}
		})
	}
	t.Run("another environment's session", func(t *testing.T) {
		foreign := session(w.Prod(t), anybody)
		wantRefusal(t, w.knock(t, doors()[0], foreign), 400, "provider_config_err")
		wantInOperations(t, w.Prod(t), "provider_config_err") // until that is written, the next attempt goes on with the same operation
		w.knock(t, doors()[1], foreign).WantError(t, 404, "unknown_provider_config")
		wantInOperations(t, w.Prod(t), "unknown_provider_config")
		w.Dev(t).Do(t, http.MethodPost, "/connect/sessions/reconnect", object{"connection_id": "x", "integration_id": "desk"}).WantError(t, 400, "invalid_body")
	})
	t.Run("a session is no key", func(t *testing.T) {
		c := w.Anonymous(t).WithKey(good.Get("connect_session_token"))
		for _, path := range []string{"/connections", "/connections/x?provider_config_key=desk", "/proxy/me", "/logs/operations", "/webhooks/deliveries", "/environments/current/settings"} {
			w.show(c.Do(t, http.MethodGet, path, nil)).WantStatusIn(t, http.StatusUnauthorized, http.StatusForbidden)
		}
		w.show(c.Do(t, http.MethodPost, "/connect/sessions", anybody)).WantStatusIn(t, http.StatusUnauthorized, http.StatusForbidden)
	})
	t.Run("a line too long", func(t *testing.T) {
		r := w.Anonymous(t).Do(t, http.MethodGet, "/oauth/connect/desk?x="+strings.Repeat("a", 1<<20), nil)
		r.WantStatusIn(t, http.StatusRequestHeaderFieldsTooLarge, http.StatusRequestURITooLong)
	})
	if all := names(t, w.Dev(t)); len(all) != 0 {
		t.Errorf("there are connections %v", all)
	}
	// The session that so much was tried with still works.
	w.knock(t, doors()[1], good).Want(t, http.StatusOK)
	if successes := w.settled(t); len(successes) != 1 {
		t.Errorf("webhooks tell of %+v, not of one success", successes)
	}
	places := w.places(t)
	places["the operations of prod"] = []byte(operations(t, w.Prod(t)))
	w.keep("API key", w.desk.APIKey)
	w.wantNoSecret(t, places)
}

// TestPublicKey connects accounts with the public key alone, as older pages do,
// and switches it off, and asks for a signature.
func TestPublicKey(t *testing.T) {
	t.Parallel()
	w := newConnecting(t, apptest.NewSQLite(t))
	const hmacKey = "key-of-the-signature-0123456789"
	w.keep("HMAC key", hmacKey)
	settings := func(body object) map[string]any {
		return w.Dev(t).Do(t, http.MethodPatch, "/environments/current/settings", body).Want(t, http.StatusOK).Map(t)["data"].(map[string]any)
	}
	key, _ := settings(object{"public_key_enabled": true})["public_key"].(string)
	query := func(name, signature string) url.Values {
		q := url.Values{"public_key": {key}, "connection_id": {name}}
		if signature != "" {
			q.Set("hmac", signature)
		}
		return q
	}
	sign := func(text string) string {
		mac := hmac.New(sha256.New, []byte(hmacKey))
		mac.Write([]byte(text))
		return hex.EncodeToString(mac.Sum(nil))
	}
	connect := func(name string, signature func(integration string) string) {
		t.Helper()
		f := w.consent(t, w.begin(t, query(name+"-oauth", signature("desk:"+name+"-oauth"))))
		w.arrive(t, f, f.cookie).Want(t, http.StatusOK)
		w.knock(t, doors()[1], query(name+"-key", signature("desk-key:"+name+"-key"))).Want(t, http.StatusOK)
	}
	connect("open", func(string) string { return "" })
	wantShut(t, doors()[0], w.knock(t, doors()[0], query("ünïcode", "")), 400, "invalid_query_params")

	settings(object{"hmac_enabled": true, "hmac_key": hmacKey})
	for _, d := range doors() {
		integration := d.path[strings.LastIndex(d.path, "/")+1:]
		wantShut(t, d, w.knock(t, d, query("stolen", "")), 400, "missing_hmac")
		for _, wrong := range []string{
			sign(integration + ":other"), sign(integration), sign("none:stolen"), sign("stolen"), strings.Repeat("0", 64), "x",
			strings.ToUpper(sign(integration + ":stolen")), sign(integration + ":stolen")[:32],
		} {
			wantShut(t, d, w.knock(t, d, query("stolen", wrong)), 400, "invalid_hmac")
		}
	}
	connect("signed", sign)
	// A session needs no signature: the customer's backend made it.
	f := w.started(t)
	w.arrive(t, f, f.cookie).Want(t, http.StatusOK)

	begun := w.consent(t, w.begin(t, query("begun", sign("desk:begun"))))
	settings(object{"public_key_enabled": false})
	for _, d := range doors() {
		integration := d.path[strings.LastIndex(d.path, "/")+1:]
		wantShut(t, d, w.knock(t, d, query("late", sign(integration+":late"))), 401, "deprecated_authentication")
	}
	// Who had begun before may finish.
	w.arrive(t, begun, begun.cookie).Want(t, http.StatusOK)

	for _, code := range []string{"missing_hmac", "invalid_hmac"} {
		wantInOperations(t, w.Dev(t), code)
	}
	all := names(t, w.Dev(t))
	for _, name := range []string{"stolen", "late"} {
		if slices.Contains(all, name) {
			t.Errorf("there is a connection %q", name)
		}
	}
	if successes := w.settled(t); len(all) != 6 || len(successes) != 6 {
		t.Errorf("%d connections and %d webhooks of success came of six authorizations: %v", len(all), len(successes), all)
	}
	w.keepTokens(t)
	w.wantNoSecret(t, w.places(t))
}
