package oauth_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/catalog"
	"github.com/linkspan/linkspan/internal/credential"
	"github.com/linkspan/linkspan/internal/oauth"
)

func exchangeRequest(p *catalog.Provider) oauth.ExchangeRequest {
	return oauth.ExchangeRequest{
		Provider:    p,
		Integration: linkspan.IntegrationSecrets{ClientID: "the id", ClientSecret: linkspan.NewSecret("the secret+/")},
		Code:        "the-code", RedirectURI: "https://connect.example/oauth/callback", CodeVerifier: "the-verifier",
		ConnectionConfig: map[string]any{"subdomain": "a b", "team.id": "T1"},
	}
}

func TestExchangeRequests(t *testing.T) {
	t.Parallel()
	form := func(pairs ...string) string {
		v := url.Values{
			"grant_type": {"authorization_code"}, "code": {"the-code"}, "redirect_uri": {"https://connect.example/oauth/callback"},
			"code_verifier": {"the-verifier"}, "client_id": {"the id"}, "client_secret": {"the secret+/"},
		}
		for i := 0; i < len(pairs); i += 2 {
			v.Set(pairs[i], pairs[i+1])
			if pairs[i+1] == "" {
				v.Del(pairs[i])
			}
		}
		return v.Encode()
	}
	tests := []struct {
		name, auth        string
		change            func(*oauth.ExchangeRequest)
		path, query, body string
	}{
		{name: "plain", auth: plain, body: form()},
		{name: "without PKCE", auth: "    pkce: false\n" + plain, body: form("code_verifier", "")},
		{name: "without a redirect URI", auth: plain, change: func(r *oauth.ExchangeRequest) { r.RedirectURI = "" }, body: form("redirect_uri", "")},
		{
			name: "the provider's parameters win", body: form("team", "T1", "redirect_uri", "none", "expiring", "1"),
			auth: plain + "    params: [{name: team, value: '${connectionConfig.team.id}'}, {name: redirect_uri, value: none}, {name: expiring, value: 1}]\n",
		},
		{name: "public client", auth: plain, change: func(r *oauth.ExchangeRequest) { r.Integration.ClientSecret = linkspan.Secret{} }, body: form("client_secret", "")},
		{
			name: "a client of its own", auth: plain, body: form("client_id", "own", "client_secret", "own secret"),
			change: func(r *oauth.ExchangeRequest) {
				r.ClientIDOverride, r.ClientSecretOverride = "own", linkspan.NewSecret("own secret")
			},
		},
		{
			name: "query of the token url", auth: "  token:\n    url: ['%URL%/token?key=${connectionConfig.subdomain}']\n",
			query: "key=a%20b", body: form(),
		},
		{
			name: "what the redirect brings completes the url", auth: "  token:\n    url: ['%URL%/${connectionConfig.tenant}/token']\n  capture: {callback_query: [tenant]}\n",
			change: func(r *oauth.ExchangeRequest) { r.Callback = url.Values{"tenant": {"t/1"}} }, path: "/t/1/token", body: form(),
		},
		{
			name: "what the caller gives stands above it", auth: "  token:\n    url: ['%URL%/${connectionConfig.tenant}/token']\n  capture: {callback_query: [tenant]}\n",
			change: func(r *oauth.ExchangeRequest) {
				r.Callback, r.ConnectionConfig = url.Values{"tenant": {"t1"}}, map[string]any{"tenant": "t2"}
			}, path: "/t2/token", body: form(),
		},
		{
			name: "unless it is empty", auth: "  token:\n    url: ['%URL%/${connectionConfig.tenant}/token']\n  capture: {callback_query: [tenant]}\n",
			change: func(r *oauth.ExchangeRequest) {
				r.Callback, r.ConnectionConfig = url.Values{"tenant": {"t1"}}, map[string]any{"tenant": ""}
			}, path: "/t1/token", body: form(),
		},
		{
			name: "a code that would break a request apart", auth: plain,
			change: func(r *oauth.ExchangeRequest) { r.Code = "a&client_id=x#é%0d" }, body: form("code", "a&client_id=x#é%0d"),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := newEndpoint(t, 200, "application/json", `{"access_token":"new"}`)
			in := exchangeRequest(provider(t, tt.auth, e.url))
			if tt.change != nil {
				tt.change(&in)
			}
			if _, err := newClient(t).Exchange(t.Context(), in); err != nil {
				t.Fatal(explain(err))
			}
			want := request{
				method: "POST", path: or(tt.path, "/token"), query: tt.query, contentType: "application/x-www-form-urlencoded",
				accept: "application/json", userAgent: "Linkspan (https://github.com/linkspan/linkspan)", body: tt.body,
			}
			if diff := cmp.Diff(want, <-e.got, cmp.AllowUnexported(request{})); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
		})
	}
}

func TestExchangeGrant(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t, 200, "application/json", `{"access_token":"a","refresh_token":"r","expires_in":60,
		"api_domain":"https://api.acme.example","installation":{"endPoint":"https://x.example"},"account":9007199254740993,
		"sandbox":true,"region":"token","empty":"","list":[1],"nothing":null}`)
	p := provider(t, plain+"  capture:\n    token_response: [api_domain, installation.endPoint, account, sandbox, region, empty, list, nothing, absent]\n"+
		"    callback_query: [region, realm, absent]\n", e.url)
	in := exchangeRequest(p)
	in.Callback = url.Values{"region": {"redirect"}, "realm": {"R1"}, "other": {"x"}, "code": {"the-code"}}
	in.ClientIDOverride, in.ClientSecretOverride = "own", linkspan.NewSecret("own secret")
	grant, err := newClient(t).Exchange(t.Context(), in)
	if err != nil {
		t.Fatal(explain(err))
	}
	want := map[string]any{
		"api_domain": "https://api.acme.example", "installation.endPoint": "https://x.example", "account": "9007199254740993",
		"sandbox": true, "region": "redirect", "realm": "R1",
	}
	if diff := cmp.Diff(want, grant.Captured); diff != "" {
		t.Errorf("captured (-want +got):\n%s", diff)
	}
	c := grant.Credentials
	if c.Type != credential.OAuth2 || c.AccessToken.Reveal() != "a" || c.RefreshToken.Reveal() != "r" || !c.ExpiresAt.Equal(now().Add(60e9)) ||
		c.ClientID != "own" || c.ClientSecret.Reveal() != "own secret" || len(c.Raw) == 0 {
		t.Errorf("credentials %s", c.Encode().Reveal())
	}
	in.RefreshTokenOverride = linkspan.NewSecret("given")
	if grant, err = newClient(t).Exchange(t.Context(), in); err != nil || grant.Credentials.RefreshToken.Reveal() != "given" {
		t.Errorf("the refresh token of the caller's is lost: %v", err)
	}
}

func TestExchangeFailures(t *testing.T) {
	t.Parallel()
	const captures = plain + "  capture: {callback_query: [realm]}\ninputs:\n  connection_config: [{name: realm, system: true, pattern: '^[0-9]+$'}]\n"
	tests := []struct {
		name, auth string
		status     int
		body       string
		change     func(*oauth.ExchangeRequest)
		class      oauth.Class
		code       string
		calls      int
	}{
		{name: "refused", status: 400, body: `{"error":"invalid_grant","error_description":"the-code, the-verifier and the secret+/ are wrong"}`, class: oauth.Permanent, code: "invalid_grant", calls: 1},
		{name: "out of order", status: 502, body: "<html>", class: oauth.Transient, code: "http_502", calls: 1},
		{name: "redirect", status: 302, class: oauth.Malformed, code: "http_302", calls: 1},
		{name: "page", status: 200, body: "<html>", class: oauth.Malformed, code: "malformed_response", calls: 1},
		{name: "no token", status: 200, body: `{}`, class: oauth.Malformed, code: "malformed_response", calls: 1},
		{name: "too large", status: 200, body: `{"access_token":"a","x":"` + strings.Repeat("x", 1<<20) + `"}`, class: oauth.Malformed, code: "malformed_response", calls: 1},
		{name: "no code", change: func(r *oauth.ExchangeRequest) { r.Code = "" }, class: oauth.Permanent, code: "invalid_callback"},
		{name: "code with a newline", change: func(r *oauth.ExchangeRequest) { r.Code = "a\r\nX: y" }, class: oauth.Permanent, code: "invalid_callback"},
		{name: "endless code", change: func(r *oauth.ExchangeRequest) { r.Code = strings.Repeat("x", 16<<10+1) }, class: oauth.Permanent, code: "invalid_callback"},
		{name: "half a client", change: func(r *oauth.ExchangeRequest) { r.ClientIDOverride = "own" }, class: oauth.Permanent, code: "misconfigured"},
		{name: "no client", change: func(r *oauth.ExchangeRequest) { r.Integration.ClientID = "" }, class: oauth.Permanent, code: "misconfigured"},
		{name: "unfilled", auth: "  token:\n    url: ['%URL%/${connectionConfig.tenant}']\n  capture: {callback_query: [tenant]}\n", class: oauth.Permanent, code: "misconfigured"},
		{
			name: "value of the redirect against its pattern", auth: captures,
			change: func(r *oauth.ExchangeRequest) { r.Callback = url.Values{"realm": {"evil"}} }, class: oauth.Permanent, code: "invalid_callback",
		},
		{
			name: "two values in the redirect", auth: captures,
			change: func(r *oauth.ExchangeRequest) { r.Callback = url.Values{"realm": {"1", "2"}} }, class: oauth.Permanent, code: "invalid_callback",
		},
		{
			name: "endless value in the redirect", auth: captures,
			change: func(r *oauth.ExchangeRequest) { r.Callback = url.Values{"realm": {strings.Repeat("1", 10<<10)}} }, class: oauth.Permanent, code: "invalid_callback",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := newEndpoint(t, max(tt.status, 200), "application/json", tt.body)
			in := exchangeRequest(provider(t, or(tt.auth, plain), e.url))
			if tt.change != nil {
				tt.change(&in)
			}
			var traced []linkspan.Message
			in.Trace = func(m linkspan.Message) { traced = append(traced, m) }
			_, err := newClient(t).Exchange(t.Context(), in)
			f, ok := errors.AsType[*oauth.Failure](err)
			if !ok || f.Class != tt.class || f.Code != tt.code || f.Message == "" {
				t.Fatalf("error = %#v; want a %s failure %s", err, tt.class, tt.code)
			}
			if len(e.got) != tt.calls || len(traced) != tt.calls {
				t.Errorf("%d calls, %d messages; want %d", len(e.got), len(traced), tt.calls)
			}
			log, err := json.Marshal(traced)
			if err != nil {
				t.Fatal(err)
			}
			for _, secret := range []string{"the-code", "the-verifier", "the secret"} {
				if all := fmt.Sprint(f.Error(), f.Description, string(log)); strings.Contains(all, secret) {
					t.Errorf("%q shows in %s", secret, all)
				}
			}
		})
	}
}

// TestRedirectCannotMoveTheTokenRequest plays the browser that changes where the
// redirect says the token endpoint is.
func TestRedirectCannotMoveTheTokenRequest(t *testing.T) {
	t.Parallel()
	cat, err := catalog.Open(catalog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := cat.Provider("zoho-crm")
	if err != nil {
		t.Fatal(err)
	}
	c := oauth.New(oauth.Config{HTTP: &http.Client{Transport: refuse{t}}, Now: now})
	for _, server := range []string{"https://evil.example", "https://accounts.zoho.com.evil.example", "https://accounts.zoho.com@evil.example", "http://accounts.zoho.com", "https://accounts.zoho.com/../x", "https://accounts.zoho.com\n.evil.example"} {
		in := exchangeRequest(p)
		in.ConnectionConfig, in.Callback = nil, url.Values{"accounts-server": {server}}
		if _, err := c.Exchange(t.Context(), in); err == nil || !strings.Contains(err.Error(), "accounts-server") {
			t.Errorf("%s: error = %v", server, err)
		}
		// Nor can whoever makes the link.
		a := authorizeRequest(p)
		a.ConnectionConfig = map[string]any{"accounts-server": server}
		if got, err := oauth.AuthorizeURL(a); linkspan.CodeOf(err) != "url_param_err" {
			t.Errorf("%s: %q, %v", server, got, err)
		}
	}
}

func TestClientOf(t *testing.T) {
	t.Parallel()
	integration := linkspan.IntegrationSecrets{ClientID: "id", ClientSecret: linkspan.NewSecret("secret")}
	for _, tt := range []struct{ id, secret, wantID, wantSecret, code string }{
		{"", "", "id", "secret", ""},
		{"own", "own secret", "own", "own secret", ""},
		{"own", "", "", "", "provider_config_err"},
		{"", "own secret", "", "", "provider_config_err"},
	} {
		id, secret, err := oauth.ClientOf(integration, tt.id, linkspan.NewSecret(tt.secret))
		if id != tt.wantID || secret.Reveal() != tt.wantSecret || linkspan.CodeOf(err) != tt.code {
			t.Errorf("ClientOf(%q, %q) = %q, %q, %v", tt.id, tt.secret, id, secret.Reveal(), err)
		}
	}
}
