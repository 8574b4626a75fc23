package demo_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan/internal/demo"
)

// From the consent page to a call, and on through two renewals.
func TestAuthorizationCode(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	got := decode[tokens](t, f.redeem(t, f.code(t)).want(t, http.StatusOK, `"workspace":"lumen-books"`))
	if got.Expires != 300 || got.Scope != "tickets:read users:read" {
		t.Errorf("got %+v", got)
	}
	f.me(t, got.Access).want(t, http.StatusOK, "Jonas Weber", `"scopes":["tickets:read","users:read"]`)
	next := decode[tokens](t, f.renew(t, got.Refresh).want(t, http.StatusOK))
	f.me(t, got.Access).want(t, http.StatusUnauthorized)
	f.me(t, next.Access).want(t, http.StatusOK, "Jonas Weber")
	f.clock.advance(5 * time.Minute)
	f.me(t, next.Access).want(t, http.StatusUnauthorized)
	last := decode[tokens](t, f.renew(t, next.Refresh).want(t, http.StatusOK))
	f.me(t, last.Access).want(t, http.StatusOK)
}

// What can't be trusted to come from the client leads nowhere; the rest is told
// to the client.
func TestAuthorizeRefuses(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	for name, path := range map[string]string{
		"unknown client":                request("client_id", "other"),
		"other redirect URI":            request("redirect_uri", redirect+"/x"),
		"redirect URI with query added": request("redirect_uri", redirect+"?x=1"),
		"parameter twice":               request() + "&state=2",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := f.do(t, http.MethodGet, path, "").want(t, http.StatusBadRequest)
			if r.header.Get("Location") != "" {
				t.Error("redirected")
			}
		})
	}
	for name, tt := range map[string]struct{ path, code string }{
		"response type":    {request("response_type", "token"), "unsupported_response_type"},
		"no challenge":     {request("code_challenge", ""), "invalid_request"},
		"plain challenge":  {request("code_challenge_method", "plain"), "invalid_request"},
		"no method":        {request("code_challenge_method", ""), "invalid_request"},
		"short challenge":  {request("code_challenge", "short"), "invalid_request"},
		"unknown scope":    {request("scope", "tickets:read admin"), "invalid_scope"},
		"no scope is fine": {request("scope", ""), ""},
		"only URI implied": {request("redirect_uri", ""), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := f.do(t, http.MethodGet, tt.path, "")
			if tt.code == "" {
				r.want(t, http.StatusOK)
				return
			}
			q := answer(t, r)
			if q.Get("error") != tt.code || q.Get("state") != "a state & more" || q.Get("iss") != f.url || q.Has("code") {
				t.Errorf("the client is told %v", q)
			}
		})
	}
}

func TestConsent(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	page := f.do(t, http.MethodGet, request(), "").want(t, http.StatusOK, "Test &lt;app&gt;", "Read tickets and comments", "client.example", "Mira Novak")
	if strings.Contains(page.body, "Create, change") || strings.Contains(page.body, "Priya Nair") {
		t.Errorf("the page shows a scope that was not asked for, or an account that can't sign in:\n%s", page.body)
	}
	if csp := page.header.Get("Content-Security-Policy"); !strings.Contains(csp, "frame-ancestors 'none'") {
		t.Errorf("the page may be framed: %q", csp)
	}
	q := answer(t, f.form(t, "/oauth/authorize", "request", f.consent(t, request()), "decision", "deny"))
	if q.Get("error") != "access_denied" || q.Get("state") != "a state & more" || q.Get("iss") != f.url {
		t.Errorf("after a denial the client is told %v", q)
	}
	name := f.consent(t, request())
	f.form(t, "/oauth/authorize", "request", name, "decision", "approve", "account", "99").want(t, http.StatusBadRequest)
	f.form(t, "/oauth/authorize", "request", name, "decision", "approve").want(t, http.StatusBadRequest, "answered already")
	name = f.consent(t, request())
	f.clock.advance(10 * time.Minute)
	f.form(t, "/oauth/authorize", "request", name, "decision", "approve").want(t, http.StatusBadRequest)
	f.form(t, "/oauth/authorize", "decision", "approve").want(t, http.StatusBadRequest)
}

func TestTokenRefuses(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	code := f.code(t)
	for name, tt := range map[string]struct {
		fields []string
		code   string
	}{
		"no grant type":      {nil, "invalid_request"},
		"unknown grant type": {[]string{"grant_type", "password"}, "unsupported_grant_type"},
		"unknown code":       {[]string{"grant_type", "authorization_code", "code", "x", "redirect_uri", redirect, "code_verifier", verifier}, "invalid_grant"},
		"no verifier":        {[]string{"grant_type", "authorization_code", "code", code, "redirect_uri", redirect}, "invalid_grant"},
		"wrong verifier":     {[]string{"grant_type", "authorization_code", "code", code, "redirect_uri", redirect, "code_verifier", verifier + "x"}, "invalid_grant"},
		"no redirect URI":    {[]string{"grant_type", "authorization_code", "code", code, "code_verifier", verifier}, "invalid_grant"},
		"other redirect URI": {[]string{"grant_type", "authorization_code", "code", code, "redirect_uri", "http://x", "code_verifier", verifier}, "invalid_grant"},
		"unknown refresh":    {[]string{"grant_type", "refresh_token", "refresh_token", "tkr_x_y"}, "invalid_grant"},
		"parameter twice":    {[]string{"grant_type", "refresh_token", "grant_type", "refresh_token"}, "invalid_request"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f.exchange(t, tt.fields...).want(t, http.StatusBadRequest, `"error":"`+tt.code+`"`)
		})
	}
}

func TestClientAuthentication(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	basic := func(user, password, body string) reply {
		r, err := http.NewRequest(http.MethodGet, "/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.SetBasicAuth(user, password)
		return f.do(t, http.MethodPost, "/oauth/token", "grant_type=refresh_token&refresh_token="+f.Issue().Refresh+body,
			"Content-Type", "application/x-www-form-urlencoded", "Authorization", r.Header.Get("Authorization"))
	}
	basic("id", "s%26cret", "").want(t, http.StatusOK)
	basic("id", "s%26cret", "&client_id=id&client_secret=s%26cret").want(t, http.StatusOK)
	basic("id", "s%26cret", "&client_secret=other").want(t, http.StatusUnauthorized)
	basic("id", "wrong", "&client_id=id&client_secret=s%26cret").want(t, http.StatusUnauthorized)
	basic("id", "wrong", "").want(t, http.StatusUnauthorized, "invalid_client")
	f.form(t, "/oauth/token", "client_id", "id", "client_secret", "wrong", "grant_type", "refresh_token").want(t, http.StatusUnauthorized)
	if r := f.form(t, "/oauth/token"); r.header.Get("WWW-Authenticate") == "" {
		t.Error("a client without credentials is not told how to prove who it is")
	}
}

// A code or a refresh token that comes twice is in two hands: everything that
// came of it ends.
func TestReuseEndsTheGrant(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	code := f.code(t)
	first := decode[tokens](t, f.redeem(t, code).want(t, http.StatusOK))
	f.redeem(t, code).want(t, http.StatusBadRequest, "invalid_grant")
	f.me(t, first.Access).want(t, http.StatusUnauthorized)
	f.renew(t, first.Refresh).want(t, http.StatusBadRequest, "invalid_grant")

	issued := f.Issue()
	next := decode[tokens](t, f.renew(t, issued.Refresh).want(t, http.StatusOK))
	other := f.Issue()
	f.renew(t, issued.Refresh).want(t, http.StatusBadRequest, "invalid_grant")
	f.me(t, next.Access).want(t, http.StatusUnauthorized)
	f.renew(t, next.Refresh).want(t, http.StatusBadRequest, "invalid_grant")
	f.me(t, other.Access).want(t, http.StatusOK)
}

func TestCodeExpires(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	code := f.code(t)
	f.clock.advance(time.Minute)
	f.redeem(t, code).want(t, http.StatusBadRequest, "invalid_grant")
}

func TestNarrowerScopes(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	issued := f.Issue("tickets:read", "users:read")
	f.exchange(t, "grant_type", "refresh_token", "refresh_token", issued.Refresh, "scope", "tickets:write").want(t, http.StatusBadRequest, "invalid_scope")
	got := decode[tokens](t, f.exchange(t, "grant_type", "refresh_token", "refresh_token", issued.Refresh, "scope", "tickets:read").want(t, http.StatusOK))
	f.do(t, http.MethodGet, "/api/users", "", "Authorization", "Bearer "+got.Access).want(t, http.StatusForbidden, "users:read")
	wide := decode[tokens](t, f.renew(t, got.Refresh).want(t, http.StatusOK))
	f.do(t, http.MethodGet, "/api/users", "", "Authorization", "Bearer "+wide.Access).want(t, http.StatusOK)
	f.do(t, http.MethodPost, "/api/tickets", `{"subject":"x"}`, "Authorization", "Bearer "+wide.Access).want(t, http.StatusForbidden)
}

func TestRevoke(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	byAccess, byRefresh := f.Issue(), f.Issue()
	for _, token := range []string{byAccess.Access, byRefresh.Refresh, "unknown"} {
		f.form(t, "/oauth/revoke", "client_id", "id", "client_secret", "s&cret", "token", token).want(t, http.StatusOK)
	}
	for _, pair := range []demo.Tokens{byAccess, byRefresh} {
		f.me(t, pair.Access).want(t, http.StatusUnauthorized)
		f.renew(t, pair.Refresh).want(t, http.StatusBadRequest)
	}
	f.form(t, "/oauth/revoke", "token", "x").want(t, http.StatusUnauthorized)
}

func TestExpire(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	pair := f.Issue()
	f.Expire(pair.Access)
	f.me(t, pair.Access).want(t, http.StatusUnauthorized)
	f.renew(t, pair.Refresh).want(t, http.StatusOK)
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	f.do(t, http.MethodGet, "/.well-known/oauth-authorization-server", "").want(t, http.StatusOK,
		`"issuer":"`+f.url+`"`, `"authorization_response_iss_parameter_supported":true`, `"code_challenge_methods_supported":["S256"]`)
}

// The server keeps a bounded number of what strangers can make it keep.
func TestOpenConsentsAreBounded(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	first := f.consent(t, request())
	f.clock.advance(time.Second)
	for range 1000 {
		f.consent(t, request())
	}
	f.form(t, "/oauth/authorize", "request", first, "decision", "approve").want(t, http.StatusBadRequest)
}
