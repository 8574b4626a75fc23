package server_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/authorize"
)

// provider is the world outside as an OAuth server and an API with keys.
func provider(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/token":
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"access_token":"at-1","token_type":"bearer","expires_in":3600,"refresh_token":"rt-1"}`))
	case r.URL.Path == "/verify" && r.Header.Get("Authorization") != "Bearer good":
		w.WriteHeader(http.StatusUnauthorized)
	default:
		_, _ = w.Write([]byte("{}"))
	}
}

// newFlowRig has the integrations oauth, key and basic in dev.
func newFlowRig(t testing.TB, o rigOptions) *rig {
	t.Helper()
	o.answer = provider
	r := newRig(t, o)
	r.must(devKey, "POST", "/integrations", `{"provider":"test-oauth","unique_key":"oauth","credentials":{"type":"OAUTH2","client_id":"id","client_secret":"hush"}}`)
	r.must(devKey, "POST", "/integrations", `{"provider":"test-key","unique_key":"key"}`)
	r.must(devKey, "POST", "/integrations", `{"provider":"test-basic","unique_key":"basic"}`)
	return r
}

// begun is an authorization whose user is at the provider.
type begun struct {
	at     url.Values // what the provider was told
	cookie *http.Cookie
}

func (r *rig) begin(path string) begun {
	r.t.Helper()
	got := r.call("", "GET", path, "")
	if got.status != http.StatusFound {
		r.t.Fatalf("GET %s: %d %s", path, got.status, got.body)
	}
	to, err := url.Parse(got.header.Get("Location"))
	check(r.t, err)
	if base := "http://" + to.Host; base != r.outside.URL || to.Path != "/authorize" {
		r.t.Errorf("the browser is sent to %s", to)
	}
	for name, want := range map[string]string{"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "Cross-Origin-Opener-Policy": ""} {
		if got.header.Get(name) != want {
			r.t.Errorf("%s: %q, want %q", name, got.header.Get(name), want)
		}
	}
	cookies := (&http.Response{Header: got.header}).Cookies()
	if len(cookies) != 1 {
		r.t.Fatalf("cookies: %v", cookies)
	}
	return begun{at: to.Query(), cookie: cookies[0]}
}

// comeBack is the browser's return from the provider.
func (r *rig) comeBack(b begun, query url.Values) reply {
	r.t.Helper()
	return r.call("", "GET", "/oauth/callback?"+query.Encode(), "", "Cookie", b.cookie.Name+"="+b.cookie.Value)
}

// page fails unless a page was answered with what pages of a popup need.
func (r *rig) page(got reply, status int, text string) {
	r.t.Helper()
	if got.status != status || !strings.HasPrefix(got.body, "page "+text) {
		r.t.Errorf("got %d %s, want a page %d %s", got.status, got.body, status, text)
	}
	for name, want := range map[string]string{
		"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "Cross-Origin-Opener-Policy": "", "X-Content-Type-Options": "nosniff",
		"Content-Type": "text/html; charset=utf-8",
	} {
		if got.header.Get(name) != want {
			r.t.Errorf("%s: %q, want %q", name, got.header.Get(name), want)
		}
	}
}

// told is what the page that waits is told.
func (r *rig) told(popupID string) map[string]any {
	r.t.Helper()
	message, err := r.authorize.Wait(r.t.Context(), popupID)
	check(r.t, err)
	var v map[string]any
	check(r.t, json.Unmarshal([]byte(message), &v))
	return v
}

func TestOAuthFlow(t *testing.T) {
	t.Parallel()
	for name, scheme := range map[string]string{"https": "https", "http": "http"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newFlowRig(t, rigOptions{publicURL: scheme + "://link.example"})
			token, popup := r.session(r.dev, nil), linkspan.NewUUID()
			b := r.begin("/oauth/connect/oauth?connect_session_token=" + token + "&params%5Bsub%5D=a+b&params[raw]=c&authorization_params[prompt]=consent&ws_client_id=" + popup + "&unknown=1")
			c := b.cookie
			if !strings.HasPrefix(c.Name, "oauth2-") || !c.HttpOnly || c.MaxAge != 3600 || c.Secure != (scheme == "https") ||
				(c.SameSite == http.SameSiteNoneMode) != (scheme == "https") || c.SameSite == 0 {
				t.Errorf("the cookie is %v", c)
			}
			if b.at.Get("redirect_uri") != scheme+"://link.example/oauth/callback" || b.at.Get("prompt") != "consent" || b.at.Get("code_challenge_method") != "S256" {
				t.Errorf("the provider is told %v", b.at)
			}
			// Scanners of links, and other browsers, change nothing.
			query := url.Values{"code": {"c-1"}, "state": {b.at.Get("state")}}
			if got := r.call("", "HEAD", "/oauth/callback?"+query.Encode(), "", "Cookie", c.Name+"="+c.Value); got.status != http.StatusMethodNotAllowed {
				t.Errorf("HEAD: %d", got.status)
			}
			other := r.call("", "GET", "/oauth/callback?"+query.Encode(), "")
			r.page(other, http.StatusBadRequest, "success=false code=state_cookie_err integration= connection= ")

			done := r.comeBack(b, query)
			r.page(done, http.StatusOK, "success=true")
			if cleared := (&http.Response{Header: done.header}).Cookies(); len(cleared) != 1 || cleared[0].Name != c.Name || cleared[0].MaxAge >= 0 || cleared[0].Path != c.Path {
				t.Errorf("cleared: %v", cleared)
			}
			told := r.told(popup)
			if told["message_type"] != "success" || told["provider_config_key"] != "oauth" || told["is_pending"] != false {
				t.Errorf("the page is told %v", told)
			}
			id, _ := told["connection_id"].(string)
			made := r.must(devKey, "GET", "/connections/"+id+"?provider_config_key=oauth", "")
			if at(t, made, "credentials", "access_token") != "at-1" || at(t, made, "connection_config", "sub") != "a b" ||
				at(t, made, "connection_config", "raw") != "c" || at(t, made, "tags", "user") != "u1" {
				t.Errorf("made %v", made)
			}
			r.page(r.comeBack(b, query), http.StatusBadRequest, "success=false code=state_err")
		})
	}
}

// Some providers post their answer as a form.
func TestCallbackByForm(t *testing.T) {
	t.Parallel()
	r := newFlowRig(t, rigOptions{})
	post := func(b begun, body, contentType string) reply {
		return r.call("", "POST", "/oauth/callback?code=injected", body, "Content-Type", contentType, "Cookie", b.cookie.Name+"="+b.cookie.Value)
	}
	b := r.begin("/oauth/connect/oauth?connect_session_token=" + r.session(r.dev, nil))
	form := url.Values{"code": {"c-1"}, "state": {b.at.Get("state")}}.Encode()
	r.page(post(b, form, "text/plain"), http.StatusUnsupportedMediaType, "success=false code=invalid_content_type")
	r.page(post(b, form+strings.Repeat("&x=y", 20_000), "application/x-www-form-urlencoded"), http.StatusRequestEntityTooLarge, "success=false code=request_too_large")
	r.page(post(b, "%zz", "application/x-www-form-urlencoded"), http.StatusBadRequest, "success=false code=state_err")
	r.page(post(b, form, "application/x-www-form-urlencoded; charset=utf-8"), http.StatusOK, "success=true")
}

// What is not encoded as it should be costs nobody a connection.
func TestSloppyQueries(t *testing.T) {
	t.Parallel()
	r := newFlowRig(t, rigOptions{})
	token := "connect_session_token=" + r.session(r.dev, nil)
	b := r.begin("/oauth/connect/oauth?" + token + "&params[sub]=50%&params[other]=a;b")
	sloppy := "code=c;1&error_note=100%&state=" + b.at.Get("state")
	r.page(r.call("", "GET", "/oauth/callback?"+sloppy, "", "Cookie", b.cookie.Name+"="+b.cookie.Value), http.StatusOK, "success=true")
	got := r.call("", "POST", "/api-auth/api-key/key?"+token+"&params[sub]=50%", `{"apiKey":"good"}`)
	if got.status != http.StatusOK {
		t.Errorf("headless: %d %s", got.status, got.body)
	}
}

// What a provider, or anybody else, sends to the callback never comes back as
// it was.
func TestCallbackReflectsNothing(t *testing.T) {
	t.Parallel()
	r := newFlowRig(t, rigOptions{})
	const script = `<script>alert(1)</script>`
	b := r.begin("/oauth/connect/oauth?connect_session_token=" + r.session(r.dev, nil))
	for name, got := range map[string]reply{
		"no state":      r.call("", "GET", "/oauth/callback", ""),
		"a state":       r.call("", "GET", "/oauth/callback?code=x&state="+url.QueryEscape(script), ""),
		"broken escape": r.call("", "GET", "/oauth/callback?state=%zz", ""),
		"too long":      r.call("", "GET", "/oauth/callback?state="+strings.Repeat("a", 65<<10), ""),
		"an error":      r.comeBack(b, url.Values{"state": {b.at.Get("state")}, "error": {script}, "error_description": {script}}),
		"start":         r.call("", "GET", "/oauth/connect/"+url.PathEscape(script)+"?connect_session_token="+r.session(r.dev, nil), ""),
		"without token": r.call("", "GET", "/oauth/connect/oauth?lang="+url.QueryEscape(script), ""),
	} {
		if got.status < 400 || strings.Contains(got.body, "<script") {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
		r.page(got, got.status, "success=false")
	}
}

// Why a flow can't begin is said on a page, and to the page that waits where
// one is known.
func TestStartsThatFail(t *testing.T) {
	t.Parallel()
	r := newFlowRig(t, rigOptions{})
	r.must(prodKey, "POST", "/integrations", `{"provider":"test-oauth","unique_key":"theirs","credentials":{"type":"OAUTH2","client_id":"id","client_secret":"s"}}`)
	token := r.session(r.dev, nil)
	only := r.session(r.dev, func(in *authorize.SessionInput) { in.AllowedIntegrations = []string{"key"} })
	ended := r.session(r.dev, nil)
	r.must(ended, "DELETE", "/connect/session", "")
	for _, c := range []struct {
		name, path string
		status     int
		page       string
		told       bool
	}{
		{"no token", "/oauth/connect/oauth?lang=de", 401, "code=missing_public_key integration=oauth connection= lang=de:", false},
		{"malformed token", "/oauth/connect/oauth?connect_session_token=x", 401, "code=invalid_connect_session_token_format", false},
		{"ended session", "/oauth/connect/oauth?connect_session_token=" + ended, 401, "code=unknown_connect_session_token", false},
		{"unknown public key", "/oauth/connect/oauth?public_key=" + linkspan.NewUUID(), 401, "code=unknown_account", false},
		{"malformed public key", "/oauth/connect/oauth?public_key=x", 401, "code=invalid_public_key", false},
		{"another environment's integration", "/oauth/connect/theirs?connect_session_token=" + token, 400, "code=provider_config_err", true},
		{"unknown integration", "/oauth/connect/nope?connect_session_token=" + token, 400, "code=provider_config_err", true},
		{"not allowed", "/oauth/connect/oauth?connect_session_token=" + only, 400, "code=integration_not_allowed", true},
		{"another mode", "/oauth/connect/key?connect_session_token=" + token, 400, "code=auth_mode_err", true},
		{"connection id with a session", "/oauth/connect/oauth?connection_id=mine&connect_session_token=" + token, 400, "code=invalid_query_params", true},
		{"bad connection id", "/oauth/connect/oauth?connection_id=%01&connect_session_token=" + token, 400, "code=invalid_query_params", false},
		{"params as text", "/oauth/connect/oauth?params=x&connect_session_token=" + token, 400, "code=invalid_query_params", false},
		{"nested params", "/oauth/connect/oauth?params[a][b]=x&connect_session_token=" + token, 400, "code=invalid_query_params", false},
		{"bad integration", "/oauth/connect/a%2Fb?connect_session_token=" + token, 400, "code=invalid_uri_params", false},
		{"huge parameter", "/oauth/connect/oauth?params[a]=" + strings.Repeat("x", 9000) + "&connect_session_token=" + token, 400, "code=invalid_query_params", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := &rig{t: t, server: r.server, authorize: r.authorize}
			popup := linkspan.NewUUID()
			r.page(r.call("", "GET", c.path+"&ws_client_id="+popup, ""), c.status, "success=false "+c.page)
			if !c.told {
				return
			}
			if told := r.told(popup); told["message_type"] != "error" || "code="+told["error_type"].(string) != c.page {
				t.Errorf("the page is told %v", told)
			}
		})
	}
	if got := r.call("", "HEAD", "/oauth/connect/oauth?connect_session_token="+token, ""); got.status != http.StatusMethodNotAllowed {
		t.Errorf("HEAD: %d", got.status)
	}
	r.page(r.call("", "GET", "/app-auth/connect?installation_id=1&state=x", ""), http.StatusBadRequest, "success=false code=auth_mode_err")
	r.expect(r.call("", "GET", "/oauth/client-metadata/"+r.dev.UUID+"/oauth", ""), http.StatusNotFound, "feature_disabled")
	r.expect(r.call("", "GET", "/oauth/client-metadata/dev/oauth", ""), http.StatusBadRequest, "invalid_uri_params")
}

// The headless routes answer exactly what the published client reads.
func TestHeadlessRoutes(t *testing.T) {
	t.Parallel()
	r := newFlowRig(t, rigOptions{})
	public := "?public_key=" + r.dev.PublicKey
	for _, c := range []struct{ path, body, want string }{
		{"/api-auth/api-key/key" + public + "&connection_id=k1&params[sub]=d%26e", `{"apiKey":"good"}`, `{"connectionId":"k1","providerConfigKey":"key"}`},
		{"/api-auth/api-key/key" + public + "&connection_id=k2&params%5Bsub%5D=d&hmac=&token_id=x", `{"apiKey":"good"}`, `{"connectionId":"k2","providerConfigKey":"key"}`},
		{"/api-auth/basic/basic/" + public + "&connection_id=b1", `{"username":"u","password":""}`, `{"connectionId":"b1","providerConfigKey":"basic"}`},
	} {
		got := r.call("", "POST", c.path, c.body)
		if got.status != http.StatusOK || got.body != c.want || got.header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("POST %s: %d %s, want %s", c.path, got.status, got.body, c.want)
		}
	}
	made := r.must(devKey, "GET", "/connections/k1?provider_config_key=key", "")
	if at(t, made, "credentials", "apiKey") != "good" || at(t, made, "connection_config", "sub") != "d&e" {
		t.Errorf("made %v", made)
	}
	// With a session the connection gets a name, tags and end user of the session.
	session := r.session(r.dev, func(in *authorize.SessionInput) { in.EndUser = &linkspan.EndUser{ID: "u7"} })
	got := r.must("", "POST", "/api-auth/api-key/key?connect_session_token="+session, `{"apiKey":"good"}`)
	id, _ := at(t, got, "connectionId").(string)
	made = r.must(devKey, "GET", "/connections/"+id+"?provider_config_key=key", "")
	if !linkspan.IsUUIDv4(id) || at(t, made, "end_user", "id") != "u7" || at(t, made, "tags", "user") != "u1" {
		t.Errorf("made %v", made)
	}
	// Browsers ask first, and the client names a type even without a body.
	if got := r.call("", "OPTIONS", "/api-auth/api-key/key", "", "Origin", "https://app.example", "Access-Control-Request-Method", "POST"); got.status != http.StatusNoContent {
		t.Errorf("preflight: %d", got.status)
	}
	r.expect(r.call("", "POST", "/auth/unauthenticated/key"+public, "", "Content-Type", "application/json"), http.StatusBadRequest, "invalid_auth_mode")
}

// A reconnect session gives its connection new credentials and no other.
func TestReconnect(t *testing.T) {
	t.Parallel()
	r := newFlowRig(t, rigOptions{})
	r.must(devKey, "POST", "/connections", `{"provider_config_key":"key","connection_id":"c1","credentials":{"type":"API_KEY","apiKey":"good"},"connection_config":{"kept":"yes"}}`)
	made := r.must(devKey, "POST", "/connect/sessions/reconnect", `{"connection_id":"c1","integration_id":"key","tags":{"plan":"pro"}}`)
	token, _ := at(t, made, "data", "token").(string)
	if shown := r.must(token, "GET", "/connect/session", ""); at(t, shown, "data", "isReconnecting") != true {
		t.Errorf("the session shows %v", shown)
	}
	got := r.call("", "POST", "/api-auth/api-key/key?connect_session_token="+token, `{"apiKey":"good"}`)
	if want := `{"connectionId":"c1","providerConfigKey":"key"}`; got.body != want {
		t.Errorf("got %s", got.body)
	}
	r.expect(r.call("", "POST", "/api-auth/basic/basic?connect_session_token="+token, `{"username":"u","password":"p"}`), http.StatusBadRequest, "integration_not_allowed")
	if c := r.must(devKey, "GET", "/connections/c1?provider_config_key=key", ""); at(t, c, "connection_config", "kept") != "yes" || at(t, c, "tags", "plan") != "pro" {
		t.Errorf("renewed %v", c)
	}
	r.must(devKey, "DELETE", "/connections/c1?provider_config_key=key", "")
	r.expect(r.call("", "POST", "/api-auth/api-key/key?connect_session_token="+token, `{"apiKey":"good"}`), http.StatusBadRequest, "invalid_connection")
}

// Browsers of one environment reach nothing of another, whatever they name.
func TestBrowsersAreIsolated(t *testing.T) {
	t.Parallel()
	r := newFlowRig(t, rigOptions{})
	before := r.dump(r.dev)
	token := r.session(r.prod, nil)
	for _, who := range []string{"connect_session_token=" + token, "public_key=" + r.prod.PublicKey} {
		for _, c := range []struct{ path, body string }{
			{"/api-auth/api-key/key", `{"apiKey":"good"}`},
			{"/api-auth/basic/basic", `{"username":"u","password":"p"}`},
			{"/auth/unauthenticated/key", ""},
			{"/auth/jwt/key", ""},
			{"/auth/two-step/key", ""},
			{"/auth/tba/key", ""},
			{"/auth/bill/key", ""},
			{"/auth/signature/key", ""},
			{"/auth/aws-sigv4/key", ""},
			{"/auth/oauth-outbound/key", ""},
			{"/oauth2/auth/key", ""},
			{"/oauth/connect/oauth", ""},
		} {
			method, status, code := "POST", http.StatusNotFound, "unknown_provider_config"
			switch {
			case strings.HasPrefix(who, "public_key") && !r.prod.Settings.PublicKeyEnabled:
				status, code = http.StatusUnauthorized, "deprecated_authentication"
			case strings.HasPrefix(c.path, "/oauth2"):
				status = http.StatusBadRequest
			}
			if c.path == "/oauth/connect/oauth" {
				method = "GET"
				if status != http.StatusUnauthorized {
					status, code = http.StatusBadRequest, "provider_config_err"
				}
			}
			if got := r.call("", method, c.path+"?"+who, c.body); got.status != status || got.code(t) != code {
				t.Errorf("%s with %s: %d %s, want %d %s", c.path, who[:12], got.status, got.body, status, code)
			}
		}
	}
	if shown := r.must(token, "GET", "/integrations", ""); len(at(t, shown, "data").([]any)) != 0 {
		t.Errorf("the session of prod sees %v", shown)
	}
	if after := r.dump(r.dev); after != before {
		t.Errorf("dev changed:\nbefore %s\nafter  %s", before, after)
	}
}

// What end users do does not use up what the customer's backend may.
func TestBrowsersHaveABudgetOfTheirOwn(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{rateLimit: 3})
	token := r.session(r.dev, nil)
	var last reply
	for range 8 { // the window may turn once
		last = r.call("", "GET", "/oauth/connect/nope?connect_session_token="+token, "")
	}
	if last.status != http.StatusTooManyRequests || last.code(t) != "too_many_request" || last.header.Get("Retry-After") == "" {
		t.Errorf("after the budget: %d %s", last.status, last.body)
	}
	if got := r.call(devKey, "GET", "/integrations", ""); got.status != http.StatusOK {
		t.Errorf("the backend is refused: %d", got.status)
	}
}

// Attempts to connect leave rows, so neither a session nor everybody who knows a
// public key can make them without end; and the one does not cost the other.
func TestAttemptsAreBounded(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	one, other := "connect_session_token="+r.session(r.dev, nil), "connect_session_token="+r.session(r.dev, nil)
	public := "public_key=" + r.dev.PublicKey
	try := func(who string) reply { return r.call("", "POST", "/auth/unauthenticated/nope?"+who, "") } // counts, whatever comes of it
	for who, most := range map[string]int{one: 200, public: 600} {
		for i := range most {
			if got := try(who); got.status != http.StatusNotFound {
				t.Fatalf("%s, attempt %d: %d %s", who[:12], i, got.status, got.body)
			}
		}
		if got := try(who); got.status != http.StatusTooManyRequests || got.code(t) != "too_many_request" {
			t.Errorf("%s: %d %s", who[:12], got.status, got.body)
		}
	}
	r.page(r.call("", "GET", "/oauth/connect/nope?"+public, ""), http.StatusTooManyRequests, "success=false code=too_many_request")
	if got := try(other); got.status != http.StatusNotFound {
		t.Errorf("another session: %d %s", got.status, got.body)
	}
	if got := r.call(strings.TrimPrefix(one, "connect_session_token="), "GET", "/connect/session", ""); got.status != http.StatusOK {
		t.Errorf("the session can't be looked at: %d", got.status)
	}
}

// What is done with the public key costs nobody who has a session.
func TestPublicKeysHaveABudgetOfTheirOwn(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{rateLimit: 3})
	token := r.session(r.dev, nil)
	for range 8 { // the window may turn once
		r.call("", "POST", "/auth/unauthenticated/nope?public_key="+r.dev.PublicKey, "")
	}
	if got := r.call(token, "GET", "/connect/session", ""); got.status != http.StatusOK {
		t.Errorf("the session is refused: %d %s", got.status, got.body)
	}
}

// The whole way over a real network: the frontend's WebSocket hears what became
// of the popup.
func TestPopupResultOverTheSocket(t *testing.T) {
	t.Parallel()
	r := newFlowRig(t, rigOptions{})
	web := httptest.NewServer(r.server)
	t.Cleanup(web.Close)
	conn := dialSocket(t, "ws"+strings.TrimPrefix(web.URL, "http")+"/")
	ack := readSocket(t, conn)
	popup, _ := ack["ws_client_id"].(string)
	b := r.begin("/oauth/connect/oauth?connect_session_token=" + r.session(r.dev, nil) + "&ws_client_id=" + popup)
	r.page(r.comeBack(b, url.Values{"state": {b.at.Get("state")}, "error": {"access_denied"}}), http.StatusBadRequest, "success=false code=callback_err")
	if told := readSocket(t, conn); told["message_type"] != "error" || told["error_type"] != "callback_err" || told["provider_config_key"] != "oauth" {
		t.Errorf("told %v", told)
	}
	ctx, cancel := contextWithin(t, 10*time.Second)
	defer cancel()
	check(t, r.server.Shutdown(ctx))
}

// Behind a path the proxy in front takes off, pages and sockets keep to it.
func TestBehindAPath(t *testing.T) {
	t.Parallel()
	r := newFlowRig(t, rigOptions{publicURL: "https://link.example/base"})
	inside := httptest.NewServer(r.server)
	t.Cleanup(inside.Close)
	home, err := url.Parse(inside.URL)
	check(t, err)
	front := httptest.NewServer(http.StripPrefix("/base", httputil.NewSingleHostReverseProxy(home)))
	t.Cleanup(front.Close)

	conn := dialSocket(t, "ws"+strings.TrimPrefix(front.URL, "http")+"/base/")
	popup, _ := readSocket(t, conn)["ws_client_id"].(string)
	b := r.begin("/oauth/connect/oauth?connect_session_token=" + r.session(r.dev, nil) + "&ws_client_id=" + popup)
	if got := b.at.Get("redirect_uri"); got != "https://link.example/base/oauth/callback" || b.cookie.Path != "/" {
		t.Errorf("the way back is %s, the cookie's path %s", got, b.cookie.Path)
	}
	r.page(r.comeBack(b, url.Values{"state": {b.at.Get("state")}, "code": {"c-1"}}), http.StatusOK, "success=true")
	if told := readSocket(t, conn); told["message_type"] != "success" {
		t.Errorf("told %v", told)
	}
	if got := r.call("", "GET", "/", ""); got.header.Get("Location") != "/base/docs/providers" {
		t.Errorf("people are led to %s", got.header.Get("Location"))
	}
}

// The routes of modes that this version does not have say which of the two is
// the case: the provider has another mode, or the mode is not available.
func TestModesThatAreNotThere(t *testing.T) {
	t.Parallel()
	r := newFlowRig(t, rigOptions{})
	query := "?connect_session_token=" + r.session(r.dev, nil)
	for route, provider := range map[string]string{
		"/auth/jwt/": "apple-app-store", "/auth/two-step/": "3cx", "/auth/tba/": "netsuite-tba", "/auth/bill/": "bill-sandbox", "/auth/signature/": "emarsys",
		"/auth/aws-sigv4/": "aws-sigv4", "/oauth2/auth/": "1password-users", "/auth/oauth-outbound/": "sentry-oauth",
	} {
		// Such integrations can't be made any more, but may be there from before.
		check(t, r.store.InsertIntegration(t.Context(), nil, &linkspan.Integration{
			UUID: linkspan.NewUUID(), EnvironmentID: r.dev.ID, Key: provider, Provider: provider,
		}))
		r.expect(r.call("", "POST", route+provider+query, `{"client_id":"x"}`), http.StatusBadRequest, "unsupported_provider")
		r.expect(r.call("", "POST", route+"key"+query, ""), http.StatusBadRequest, "invalid_auth_mode")
	}
}

// A session that is kept to some integrations learns nothing of others, not even
// whether they exist.
func TestSessionsAreKeptToTheirIntegrations(t *testing.T) {
	t.Parallel()
	r := newFlowRig(t, rigOptions{})
	query := "?connect_session_token=" + r.session(r.dev, func(in *authorize.SessionInput) { in.AllowedIntegrations = []string{"oauth"} })
	for _, key := range []string{"basic", "nope"} {
		for _, route := range []string{"/auth/unauthenticated/", "/auth/jwt/"} {
			r.expect(r.call("", "POST", route+key+query, ""), http.StatusBadRequest, "integration_not_allowed")
		}
		r.page(r.call("", "GET", "/oauth/connect/"+key+query, ""), http.StatusBadRequest, "success=false code=integration_not_allowed")
	}
}

// Whatever stands in a query, the answer is a redirect to the provider or a page
// that says what is wrong.
func FuzzBrowserQuery(f *testing.F) {
	for _, seed := range []string{
		"", "params[a]=b", "params%5Ba%5D=b", "params[]=x", "params[a][b][c][d][e][f]=x", "params=1&params[a]=2", "=&&=", "credentials[oauth_client_id_override]=",
		"connection_id=%ff", "user_scope=a,b", "ws_client_id=00000000-0000-4000-8000-000000000000", "lang=<script>", "authorization_params[prompt]=undefined",
		"params[\x00]=1", "params[a]=%", "state=x&code=y&error=<script>", "hmac=1&hmac=2",
	} {
		f.Add(seed)
	}
	r := newFlowRig(f, rigOptions{})
	known := []string{"connect_session_token=" + r.session(r.dev, nil) + "&", "public_key=" + r.dev.PublicKey + "&"}
	f.Fuzz(func(t *testing.T, query string) {
		for _, who := range known {
			req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/oauth/connect/oauth", nil)
			req.URL.RawQuery = who + query
			w := httptest.NewRecorder()
			r.server.ServeHTTP(w, req)
			to := w.Header().Get("Location")
			begins := w.Code == http.StatusFound && strings.HasPrefix(to, r.outside.URL+"/authorize?")
			refused := w.Code == http.StatusBadRequest && to == "" && strings.HasPrefix(w.Body.String(), "page success=false code=")
			if !begins && !refused || strings.Contains(w.Body.String(), "<script") {
				t.Errorf("%q: %d %q %s", query, w.Code, to, w.Body)
			}
		}
	})
}

// A browser that came by another name of this machine begins at the one that the
// callback has: the cookie would not come back otherwise.
func TestBeginsWhereTheCallbackIs(t *testing.T) {
	t.Parallel()
	r := newFlowRig(t, rigOptions{publicURL: "http://localhost:3003"})
	path := "/oauth/connect/oauth?connect_session_token=" + r.session(r.dev, nil) + "&params%5Bsub%5D=a+b"
	for host, home := range map[string]bool{
		"127.0.0.1:3003": true, "[::1]:3003": true, "localhost:3003": false, "127.0.0.1:3004": false, "evil.example:3003": false, "10.0.0.1:3003": false,
	} {
		got := r.call("", "GET", path, "", "Host", host)
		if location := got.header.Get("Location"); got.status != http.StatusFound || (location == "http://localhost:3003"+path) != home {
			t.Errorf("%s: %d %s", host, got.status, location)
		}
	}
}
