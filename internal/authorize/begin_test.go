package authorize_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/access"
	"github.com/linkspan/linkspan/internal/authorize"
	"github.com/linkspan/linkspan/internal/credential"
)

func TestBegin(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	st, err := w.Begin(t.Context(), w.session(authorize.SessionInput{}), acme())
	must(t, err)
	u, err := url.Parse(st.URL)
	must(t, err)
	q := u.Query()
	if u.Host != "shop.acme.example" || q.Get("client_id") != "client" || q.Get("scope") != "read write" || q.Get("prompt") != "consent" ||
		q.Get("code_challenge_method") != "S256" || len(q.Get("state")) != 64 {
		t.Errorf("sent to %s", st.URL)
	}
	hash := sha256.Sum256([]byte(q.Get("state")))
	want := &http.Cookie{
		Name: "oauth2-" + hex.EncodeToString(hash[:8]), Value: st.CookieValue, Path: "/", MaxAge: 3600,
		HttpOnly: true, Secure: true, SameSite: http.SameSiteNoneMode,
	}
	if diff := cmp.Diff(want, st.Cookie()); diff != "" {
		t.Errorf("cookie (-want +got):\n%s", diff)
	}
	st.Secure = false
	if c := st.Cookie(); c.Secure || c.SameSite != http.SameSiteLaxMode {
		t.Errorf("without https the cookie is %+v", c)
	}
	other, err := w.Begin(t.Context(), w.session(authorize.SessionInput{}), acme())
	must(t, err)
	if other.CookieName == st.CookieName || other.CookieValue == st.CookieValue {
		t.Error("two authorizations share a cookie")
	}
}

// Who decides what: wire contract §8.1.
func TestPrecedence(t *testing.T) {
	t.Parallel()
	request := func() authorize.Request {
		return authorize.Request{
			IntegrationKey: "acme", UserScope: "browser-user",
			Params: map[string]string{
				"subdomain": "shop", "team": "browser", "extra": "1", "oauth_scopes_override": "browser-scope", "user_scope": "browser-param",
				"webhook_url": "https://evil.example",
				// The provider says these, but for what people are asked for.
				"api_domain": "https://evil.example", "shard": "evil.example", "portal": "7", "site": "typed",
			},
			AuthorizationParams: map[string]string{
				"prompt": "login", "login_hint": "me", "redirect_uri": "https://evil.example", "state": "mine", "scope": "admin",
			},
		}
	}
	tests := map[string]struct {
		principal  func(w *world) *access.Principal
		change     func(*authorize.Request)
		query      map[string]string // "" means absent
		config     map[string]any
		webhookURL string
	}{
		"public key": {
			principal: func(w *world) *access.Principal { return w.publicKey() },
			query:     map[string]string{"scope": "admin", "prompt": "login", "login_hint": "me", "user_scope": "browser-user"},
			config: map[string]any{
				"subdomain": "shop", "region": "eu", "team": "said", "site": "typed", "extra": "1", "oauth_scopes_override": "browser-scope", "user_scope": "browser-user",
			},
		},
		"public key with scopes": {
			principal: func(w *world) *access.Principal { return w.publicKey() },
			change:    func(in *authorize.Request) { in.AuthorizationParams = nil },
			query:     map[string]string{"scope": "browser-scope", "prompt": "consent"},
			config: map[string]any{
				"subdomain": "shop", "region": "eu", "team": "said", "site": "typed", "extra": "1", "oauth_scopes_override": "browser-scope", "user_scope": "browser-user",
			},
		},
		"session": {
			principal: func(w *world) *access.Principal { return w.session(authorize.SessionInput{}) },
			query:     map[string]string{"scope": "read write", "prompt": "login", "login_hint": "me", "user_scope": ""},
			config:    map[string]any{"subdomain": "shop", "region": "eu", "team": "said", "site": "typed", "extra": "1"},
		},
		"session that decides": {
			principal: func(w *world) *access.Principal {
				return w.session(authorize.SessionInput{Defaults: map[string]linkspan.IntegrationDefaults{
					"acme": {
						UserScopes: "backend-user", AuthorizationParams: map[string]string{"prompt": "undefined", "audience": "a"},
						ConnectionConfig: map[string]any{
							"subdomain": "shop", "team": "backend", "oauth_scopes_override": "one,two", "n": 7.0, "webhook_url": "https://hooks.example.com/x",
						},
					},
					"keyed": {UserScopes: "not these"},
				}})
			},
			// The host that the backend decided gets the code and the client secret.
			change: func(in *authorize.Request) { in.Params["subdomain"] = "evil" },
			query:  map[string]string{"scope": "one two", "prompt": "", "audience": "a", "login_hint": "", "user_scope": "backend-user"},
			config: map[string]any{
				"subdomain": "shop", "region": "eu", "team": "backend", "site": "typed", "extra": "1", "oauth_scopes_override": "one,two", "n": jsonNumber("7"),
				"user_scope": "backend-user",
			},
			webhookURL: "https://hooks.example.com/x",
		},
		"renewal": {
			principal: func(w *world) *access.Principal {
				c := w.newConnection("acme", "mine", map[string]any{"subdomain": "shop", "kept": true, "team": "before"}, credential.NewNone())
				return w.reconnect(c, authorize.SessionInput{})
			},
			change: func(in *authorize.Request) { in.Params = map[string]string{"team": "", "extra": "2"} },
			query:  map[string]string{"scope": "read write"},
			config: map[string]any{"subdomain": "shop", "kept": true, "team": "said", "site": "redirected", "extra": "2", "region": "eu"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, in, b := newWorld(t), request(), browser{}
			w.grant.Captured = map[string]any{"team": "said", "site": "redirected"}
			if tt.change != nil {
				tt.change(&in)
			}
			page := w.begin(tt.principal(w), in, b)
			for param, want := range tt.query {
				if page.Get(param) != want || (want == "") && page.Get(param) != "" {
					t.Errorf("%s is %q, want %q", param, page.Get(param), want)
				}
			}
			// Nobody but us says where the code goes.
			if page.Get("redirect_uri") != "https://api.example.com/oauth/callback" || page.Get("state") == "mine" {
				t.Errorf("sent with %v", page)
			}
			if r := w.Callback(t.Context(), back(page), b.cookie); !r.Success {
				t.Fatalf("result %+v", r)
			}
			a := w.authorized[0]
			if diff := cmp.Diff(tt.config, a.ConnectionConfig); diff != "" {
				t.Errorf("settings (-want +got):\n%s", diff)
			}
			if got := deref(a.WebhookURLOverride); got != tt.webhookURL {
				t.Errorf("webhooks go to %q", got)
			}
			if name == "renewal" && (a.Name != "mine" || a.Reconnect == 0) {
				t.Errorf("renewed %q, %d", a.Name, a.Reconnect)
			}
		})
	}
}

// An OAuth client of the connection's own reaches the exchange and no setting.
func TestOwnClient(t *testing.T) {
	t.Parallel()
	secret := linkspan.NewSecret
	own := credential.Credentials{Type: credential.OAuth2, AccessToken: secret("t"), ClientID: "old", ClientSecret: secret("old-secret")}
	defaults := func(id, sec string) authorize.SessionInput {
		return authorize.SessionInput{Defaults: map[string]linkspan.IntegrationDefaults{"acme": {
			ConnectionConfig: map[string]any{"oauth_client_id_override": id, "oauth_client_secret_override": sec},
		}}}
	}
	tests := map[string]struct {
		principal      func(w *world) *access.Principal
		id, secret     string // of the browser
		wantID, wantBy string
	}{
		"none":             {func(w *world) *access.Principal { return w.session(authorize.SessionInput{}) }, "", "", "", ""},
		"of the browser":   {func(w *world) *access.Principal { return w.session(authorize.SessionInput{}) }, "mine", "my-secret", "mine", "my-secret"},
		"inputs asked for": {func(w *world) *access.Principal { return w.session(defaults("", "")) }, "mine", "my-secret", "mine", "my-secret"},
		"of the backend":   {func(w *world) *access.Principal { return w.session(defaults("b", "b-secret")) }, "mine", "my-secret", "b", "b-secret"},
		"of the connection before": {func(w *world) *access.Principal {
			return w.reconnect(w.newConnection("acme", "c", nil, own), authorize.SessionInput{})
		}, "", "", "old", "old-secret"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, in, b := newWorld(t), acme(), browser{}
			in.ClientIDOverride, in.ClientSecretOverride, in.RefreshTokenOverride = tt.id, secret(tt.secret), secret("own-refresh")
			page := w.begin(tt.principal(w), in, b)
			if want := cmpOr(tt.wantID, "client"); page.Get("client_id") != want {
				t.Errorf("sent as %q, want %q", page.Get("client_id"), want)
			}
			if r := w.Callback(t.Context(), back(page), b.cookie); !r.Success {
				t.Fatalf("result %+v", r)
			}
			x := w.exchanges[0]
			if x.ClientIDOverride != tt.wantID || x.ClientSecretOverride.Reveal() != tt.wantBy || x.RefreshTokenOverride.Reveal() != "own-refresh" {
				t.Errorf("exchanged by %q", x.ClientIDOverride)
			}
			if text := fmt.Sprint(x.ConnectionConfig, w.authorized[0].ConnectionConfig); strings.Contains(text, "override") || strings.Contains(text, "secret") {
				t.Errorf("the settings hold %s", text)
			}
		})
	}
}

func TestBeginRefuses(t *testing.T) {
	t.Parallel()
	key := linkspan.NewSecret("hmac-key")
	signWith := func(key linkspan.Secret, parts ...string) string {
		mac := hmac.New(sha256.New, []byte(key.Reveal()))
		mac.Write([]byte(strings.Join(parts, ":")))
		return hex.EncodeToString(mac.Sum(nil))
	}
	sign := func(parts ...string) string { return signWith(key, parts...) }
	session := func(w *world) *access.Principal { return w.session(authorize.SessionInput{}) }
	public := func(w *world) *access.Principal { return w.publicKey() }
	signed := func(w *world) *access.Principal {
		p := w.publicKey()
		p.Environment.Settings.HMACEnabled, p.Environment.Settings.HMACKey = true, key
		return p
	}
	tests := map[string]struct {
		principal func(w *world) *access.Principal
		change    func(in *authorize.Request)
		code      string
		path      []any
	}{
		"good":                       {session, func(*authorize.Request) {}, "", nil},
		"good with public key":       {public, func(in *authorize.Request) { in.ConnectionName = "mine" }, "", nil},
		"unknown integration":        {session, func(in *authorize.Request) { in.IntegrationKey = "nope" }, authorize.CodeProviderConfig, nil},
		"of another environment":     {session, func(in *authorize.Request) { in.IntegrationKey = "elsewhere" }, authorize.CodeProviderConfig, nil},
		"malformed integration":      {session, func(in *authorize.Request) { in.IntegrationKey = "a/../b" }, "invalid_uri_params", []any{"providerConfigKey"}},
		"name chosen with session":   {session, func(in *authorize.Request) { in.ConnectionName = "mine" }, "invalid_query_params", []any{"connection_id"}},
		"malformed name":             {public, func(in *authorize.Request) { in.ConnectionName = "a\x00" }, "invalid_query_params", []any{"connection_id"}},
		"long name":                  {public, func(in *authorize.Request) { in.ConnectionName = strings.Repeat("a", 256) }, "invalid_query_params", []any{"connection_id"}},
		"integration without client": {session, func(in *authorize.Request) { in.IntegrationKey = "bare" }, authorize.CodeProviderConfig, nil},
		"half a client":              {session, func(in *authorize.Request) { in.ClientIDOverride = "mine" }, authorize.CodeProviderConfig, nil},
		"no consent page":            {session, func(in *authorize.Request) { *in = authorize.Request{IntegrationKey: "open", PopupID: in.PopupID} }, authorize.CodeAuthMode, nil},
		"unsupported":                {session, func(in *authorize.Request) { in.IntegrationKey = "special" }, "unsupported_provider", nil},
		"missing field":              {session, func(in *authorize.Request) { in.Params = nil }, authorize.CodeURLParam, []any{"params", "subdomain"}},
		"host escape":                {session, func(in *authorize.Request) { in.Params["subdomain"] = "evil.example/" }, authorize.CodeURLParam, []any{"params", "subdomain"}},
		"no choice":                  {session, func(in *authorize.Request) { in.Params["region"] = "mars" }, authorize.CodeURLParam, []any{"params", "region"}},
		"field that nobody sees":     {session, func(in *authorize.Request) { in.Params["zone"] = "evil.example/" }, authorize.CodeURLParam, []any{"params", "zone"}},
		"field that became visible":  {session, func(in *authorize.Request) { in.Params["region"] = "us" }, authorize.CodeURLParam, []any{"params", "zone"}},
		"oversized parameter":        {session, func(in *authorize.Request) { in.Params["x"] = strings.Repeat("x", 8<<10+1) }, "invalid_query_params", []any{"params"}},
		"oversized authorization parameter": {
			session, func(in *authorize.Request) {
				in.AuthorizationParams = map[string]string{"x": strings.Repeat("x", 8<<10+1)}
			}, "invalid_query_params", []any{"authorization_params"},
		},
		"oversized together": {
			session, func(in *authorize.Request) {
				for i := range 9 {
					in.Params[fmt.Sprint("x", i)] = strings.Repeat("x", 8<<10)
				}
			}, "invalid_query_params", []any{"params"},
		},
		"too many": {
			session, func(in *authorize.Request) {
				for i := range 201 {
					in.Params[fmt.Sprint("x", i)] = ""
				}
			}, "invalid_query_params", []any{"params"},
		},
		"malformed parameter": {session, func(in *authorize.Request) { in.Params["a\nb"] = "x" }, "invalid_query_params", []any{"params"}},
		"oversized secret": {
			session, func(in *authorize.Request) { in.ClientSecretOverride = linkspan.NewSecret(strings.Repeat("x", 2049)) }, "invalid_query_params", []any{"oauth_client_secret_override"},
		},
		"not allowed": {
			func(w *world) *access.Principal {
				return w.session(authorize.SessionInput{AllowedIntegrations: []string{"keyed"}})
			},
			func(*authorize.Request) {}, "integration_not_allowed", nil,
		},
		"renewed connection gone": {
			func(w *world) *access.Principal {
				c := w.newConnection("acme", linkspan.NewUUID(), nil, credential.NewNone())
				p := w.reconnect(c, authorize.SessionInput{})
				must(w.t, w.store.DeleteConnection(w.t.Context(), nil, &c))
				return p
			}, func(*authorize.Request) {}, "invalid_connection", nil,
		},
		"renewed connection of another integration": {
			func(w *world) *access.Principal {
				return w.reconnect(w.newConnection("keyed", linkspan.NewUUID(), nil, credential.NewNone()), authorize.SessionInput{})
			}, func(*authorize.Request) {}, "integration_not_allowed", nil,
		},
		"renewed connection of another integration, allowed": {
			func(w *world) *access.Principal {
				p := w.reconnect(w.newConnection("keyed", linkspan.NewUUID(), nil, credential.NewNone()), authorize.SessionInput{})
				session := *p.Session
				session.AllowedIntegrations = nil
				p.Session = &session
				return p
			}, func(*authorize.Request) {}, "invalid_connection", nil,
		},
		"renewed connection of another environment": {
			func(w *world) *access.Principal {
				p := w.reconnect(w.newConnection("acme", linkspan.NewUUID(), nil, credential.NewNone()), authorize.SessionInput{})
				w.newIntegration(w.other, "acme", "acme")
				p.Environment = w.other
				return p
			}, func(*authorize.Request) {}, "invalid_connection", nil,
		},
		"no signature":    {signed, func(*authorize.Request) {}, "missing_hmac", nil},
		"wrong signature": {signed, func(in *authorize.Request) { in.HMAC = sign("acme", "mine") }, "invalid_hmac", nil},
		"signature":       {signed, func(in *authorize.Request) { in.HMAC = sign("acme") }, "", nil},
		"signature of a name": {
			signed, func(in *authorize.Request) { in.ConnectionName, in.HMAC = "mine", sign("acme", "mine") }, "", nil,
		},
		"signature without a key": {
			func(w *world) *access.Principal {
				p := w.publicKey()
				p.Environment.Settings.HMACEnabled = true
				return p
			}, func(in *authorize.Request) { in.HMAC = signWith(linkspan.Secret{}, "acme") }, "invalid_hmac", nil,
		},
	}
	w := newWorld(t)
	failed := make(map[string]int) // by code, in the environment of most
	for name, tt := range tests {
		w.logged.Reset()
		in, p := acme(), tt.principal(w)
		tt.change(&in)
		_, err := w.Begin(t.Context(), p, in)
		if linkspan.CodeOf(err) != tt.code || (err != nil) != (tt.code != "") {
			t.Errorf("%s: error %v, want code %q", name, err, tt.code)
			continue
		}
		if err == nil {
			continue
		}
		if tt.path != nil {
			e, _ := errors.AsType[*linkspan.Error](err)
			if len(e.Issues) == 0 || !cmp.Equal(e.Issues[0].Path, tt.path) || e.Msg == "" {
				t.Errorf("%s: issues %+v of %q, want path %v", name, e.Issues, e.Msg, tt.path)
			}
		}
		if message := w.popup(in.PopupID); !strings.Contains(message, `"error_type":"`+tt.code+`"`) {
			t.Errorf("%s: the waiting page is told %q", name, message)
		}
		if r := w.FailedStart(p, in, err); r.Code != tt.code || r.Status != http.StatusBadRequest && r.Status != http.StatusNotFound || r.Message == "" {
			t.Errorf("%s: page %+v", name, r)
		}
		if !strings.Contains(w.logged.String(), `"code":"`+tt.code+`"`) {
			t.Errorf("%s: not logged:\n%s", name, w.logged)
		}
		if p.Environment.ID == w.env.ID {
			failed[tt.code]++
		}
	}
	recorded := make(map[string]int)
	ops, _ := w.operations()
	for _, op := range ops {
		if op.State == linkspan.StateFailed {
			recorded[op.Error.Code]++
		}
	}
	if diff := cmp.Diff(failed, recorded); diff != "" {
		t.Errorf("operations by code (-want +got):\n%s", diff)
	}
}

// What is no id of ours is not written to.
func TestForeignPopup(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, id := range []string{"", "x", strings.Repeat("1", 36), linkspan.NewUUID() + "0"} {
		in := acme()
		in.IntegrationKey, in.PopupID = "nope", id
		if _, err := w.Begin(t.Context(), w.publicKey(), in); err == nil {
			t.Error("it began")
		}
		if got := w.popup(id); got != "" {
			t.Errorf("%q was told %s", id, got)
		}
	}
}

func TestFailedStartWithoutPrincipal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	err := &linkspan.Error{Kind: linkspan.KindUnauthenticated, Code: "unknown_connect_session_token", Msg: "Expired."}
	r := w.FailedStart(nil, authorize.Request{IntegrationKey: "<script>", Lang: "<b>"}, err)
	if r.Status != http.StatusUnauthorized || r.Code != err.Code || r.Message != "Expired." || r.IntegrationKey != "" || r.Lang != "" {
		t.Errorf("page %+v", r)
	}
	r = w.FailedStart(nil, acme(), errors.New("secret detail"))
	if r.Status != http.StatusInternalServerError || r.Code != authorize.CodeUnknown || strings.Contains(r.Message+r.Detail, "secret") {
		t.Errorf("page %+v", r)
	}
}
