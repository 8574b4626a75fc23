package oauth_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/catalog"
	"github.com/linkspan/linkspan/internal/credential"
	"github.com/linkspan/linkspan/internal/egress"
	"github.com/linkspan/linkspan/internal/oauth"
)

// request is what the token endpoint got.
type request struct {
	method, path, query, contentType, authorization, accept, userAgent, body string
}

// endpoint is a token endpoint that answers with what the test says.
type endpoint struct {
	url string
	got chan request
}

func newEndpoint(t *testing.T, status int, contentType, body string) *endpoint {
	t.Helper()
	e := &endpoint{got: make(chan request, 10)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		e.got <- request{
			r.Method, r.URL.Path, r.URL.RawQuery, r.Header.Get("Content-Type"),
			r.Header.Get("Authorization"), r.Header.Get("Accept"), r.Header.Get("User-Agent"), string(text),
		}
		w.Header().Set("Content-Type", contentType)
		if status >= 300 && status < 400 {
			w.Header().Set("Location", "/elsewhere")
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	e.url = server.URL
	return e
}

// provider parses a provider whose auth section is given, with %URL% standing
// for the token endpoint.
func provider(t *testing.T, auth, endpoint string) *catalog.Provider {
	t.Helper()
	text := "name: acme\ndisplay_name: Acme\ncategories: [dev-tools]\nauth:\n  mode: OAUTH2\n  authorize:\n    url: [https://acme.example/authorize]\n" +
		strings.ReplaceAll(auth, "%URL%", endpoint) + "api:\n  base_url: [https://api.acme.example]\n"
	p, err := catalog.ParseProvider("acme.yaml", "acme", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const plain = "  token:\n    url: [%URL%/token]\n"

func now() time.Time { return time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC) }

func newClient(t *testing.T) *oauth.Client {
	t.Helper()
	guard := egress.New(egress.Policy{AllowPrivateNetwork: true}, nil)
	return oauth.New(oauth.Config{HTTP: guard.Client(egress.ClientOptions{}), Now: now})
}

func refreshRequest(p *catalog.Provider) oauth.RefreshRequest {
	c := credential.NewOAuth2("old-access-token", "old-refresh-token", now().Add(-time.Minute))
	return oauth.RefreshRequest{
		Provider:         p,
		Integration:      linkspan.IntegrationSecrets{ClientID: "the id", ClientSecret: linkspan.NewSecret("the secret+/")},
		ConnectionConfig: map[string]any{"subdomain": "a b", "team.id": "T1", "environmentUrl": "env.example"},
		Credentials:      c,
	}
}

func TestRefreshRequests(t *testing.T) {
	t.Parallel()
	rawBasic := "Basic " + base64.StdEncoding.EncodeToString([]byte("the id:the secret+/"))
	encodedBasic := "Basic " + base64.StdEncoding.EncodeToString([]byte("the+id:the+secret%2B%2F"))
	form := func(pairs ...string) string {
		v := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"old-refresh-token"}}
		for i := 0; i < len(pairs); i += 2 {
			v.Set(pairs[i], pairs[i+1])
		}
		return v.Encode()
	}
	withClient := func(pairs ...string) string {
		return form(append(pairs, "client_id", "the id", "client_secret", "the secret+/")...)
	}
	tests := []struct {
		name, auth          string
		change              func(*oauth.RefreshRequest)
		path, query         string
		contentType         string
		authorization, body string
	}{
		{name: "plain", auth: plain, body: withClient()},
		{name: "basic", auth: plain + "    client_auth: basic\n", authorization: rawBasic, body: withClient()},
		{name: "basic with encoded parts", auth: plain + "    client_auth: basic_urlencoded\n", authorization: encodedBasic, body: form()},
		{
			name: "json", auth: plain + "    body_format: json\n", contentType: "application/json",
			body: `{"client_id":"the id","client_secret":"the secret+/","grant_type":"refresh_token","refresh_token":"old-refresh-token"}`,
		},
		{
			name: "token parameters without their grant type",
			auth: plain + "    params:\n      - {name: grant_type, value: authorization_code}\n      - {name: expiring, value: 1}\n",
			body: withClient("expiring", "1"),
		},
		{
			name: "refresh parameters instead of token parameters",
			auth: plain + "    params:\n      - {name: expiring, value: 1}\n  refresh:\n    params:\n      - {name: resource, value: 'https://${connectionConfig.environmentUrl}'}\n",
			body: withClient("resource", "https://env.example"),
		},
		{
			name: "refresh url and headers",
			auth: plain + "  refresh:\n    url: '%URL%/renew?refresh'\n    headers:\n      - {name: X-Team, value: '${connectionConfig.team.id}'}\n",
			path: "/renew", query: "refresh", body: withClient(),
		},
		{
			name: "query of the token url is kept, values are encoded",
			auth: "  token:\n    url: ['%URL%/token?key=${connectionConfig.subdomain}']\n",
			path: "/token", query: "key=a%20b", body: withClient(),
		},
		{
			name: "first url that can be filled",
			auth: "  token:\n    url: ['%URL%/${connectionConfig.absent}', '%URL%/other']\n",
			path: "/other", body: withClient(),
		},
		{
			name: "the connection's own client", auth: plain,
			change: func(r *oauth.RefreshRequest) {
				r.Credentials.ClientID, r.Credentials.ClientSecret = "own", linkspan.NewSecret("own secret")
			},
			body: form("client_id", "own", "client_secret", "own secret"),
		},
		{
			name: "half a client of its own is not used", auth: plain,
			change: func(r *oauth.RefreshRequest) { r.Credentials.ClientID = "own" },
			body:   withClient(),
		},
		{
			name: "public client", auth: plain,
			change: func(r *oauth.RefreshRequest) { r.Integration.ClientSecret = linkspan.Secret{} },
			body:   form("client_id", "the id"),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := newEndpoint(t, 200, "application/json", `{"access_token":"new"}`)
			in := refreshRequest(provider(t, tt.auth, e.url))
			if tt.change != nil {
				tt.change(&in)
			}
			if _, err := newClient(t).Refresh(t.Context(), in); err != nil {
				t.Fatal(err)
			}
			want := request{
				method: "POST", path: or(tt.path, "/token"), query: tt.query,
				contentType:   or(tt.contentType, "application/x-www-form-urlencoded"),
				authorization: tt.authorization, accept: "application/json",
				userAgent: "Linkspan (https://github.com/linkspan/linkspan)", body: tt.body,
			}
			if diff := cmp.Diff(want, <-e.got, cmp.AllowUnexported(request{})); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRefreshAnswers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, auth, contentType, body string
		access, refresh               string
		expires                       time.Time
	}{
		{name: "rotation", body: `{"access_token":"a","refresh_token":"r","expires_in":3600}`, access: "a", refresh: "r", expires: now().Add(time.Hour)},
		{name: "no new refresh token", body: `{"access_token":"a","expires_in":"60"}`, access: "a", refresh: "old-refresh-token", expires: now().Add(time.Minute)},
		{name: "no lifetime", body: `{"access_token":"a"}`, access: "a", refresh: "old-refresh-token"},
		{name: "moment", body: `{"access_token":"a","expires_at":1780318800}`, access: "a", refresh: "old-refresh-token", expires: now().Add(time.Hour)},
		{
			name: "alternate path", auth: plain + "    response:\n      alternate_token_path: authed_user\n",
			body: `{"ok":true,"authed_user":{"access_token":"u","refresh_token":"ur"}}`, access: "u", refresh: "ur",
		},
		{
			name: "alternate path beside a code of success", auth: plain + "    response:\n      alternate_token_path: data\n",
			body: `{"code":0,"message":"ok","data":{"access_token":"u","refresh_token":"ur"}}`, access: "u", refresh: "ur",
		},
		{
			name: "milliseconds", auth: plain + "    response:\n      expires_in_unit: milliseconds\n",
			body: `{"access_token":"a","expires_in":60000}`, access: "a", refresh: "old-refresh-token", expires: now().Add(time.Minute),
		},
		{name: "form", contentType: "application/x-www-form-urlencoded; charset=utf-8", body: "access_token=a&expires_in=60", access: "a", refresh: "old-refresh-token", expires: now().Add(time.Minute)},
		{name: "json under another name", contentType: "text/html", body: `{"access_token":"a"}`, access: "a", refresh: "old-refresh-token"},
		{name: "null error", body: `{"access_token":"a","error":null}`, access: "a", refresh: "old-refresh-token"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := newEndpoint(t, 200, or(tt.contentType, "application/json"), tt.body)
			in := refreshRequest(provider(t, or(tt.auth, plain), e.url))
			in.Credentials.ClientID, in.Credentials.ClientSecret = "own", linkspan.NewSecret("own secret")
			got, err := newClient(t).Refresh(t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			if got.AccessToken.Reveal() != tt.access || got.RefreshToken.Reveal() != tt.refresh || !got.ExpiresAt.Equal(tt.expires) {
				t.Errorf("got %q, %q, %v; want %q, %q, %v", got.AccessToken.Reveal(), got.RefreshToken.Reveal(), got.ExpiresAt, tt.access, tt.refresh, tt.expires)
			}
			if got.ClientID != "own" || got.ClientSecret.Reveal() != "own secret" {
				t.Error("the connection's own client is lost")
			}
			if len(got.Raw) == 0 {
				t.Error("the raw answer is lost")
			}
		})
	}
}

func TestRefreshFailures(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name        string
		status      int
		contentType string
		body        string
		want        oauth.Failure
	}{
		{
			name: "invalid grant", status: 400, body: `{"error":"invalid_grant","error_description":"Token has been revoked."}`,
			want: oauth.Failure{Class: oauth.Permanent, Code: "invalid_grant", Status: 400, Description: "Token has been revoked."},
		},
		{name: "invalid client", status: 401, body: `{"error":"invalid_client"}`, want: oauth.Failure{Class: oauth.Permanent, Code: "invalid_client", Status: 401}},
		{
			name: "error in a 200", status: 200, body: `{"error":"bad_refresh_token","error_description":"used"}`,
			want: oauth.Failure{Class: oauth.Permanent, Code: "bad_refresh_token", Status: 200, Description: "used"},
		},
		{name: "ok false", status: 200, body: `{"ok":false,"error":"invalid_refresh_token"}`, want: oauth.Failure{Class: oauth.Permanent, Code: "invalid_refresh_token", Status: 200}},
		{
			name: "error object", status: 403, body: `{"error":{"code":403,"message":"no access"}}`,
			want: oauth.Failure{Class: oauth.Permanent, Code: "403", Status: 403, Description: "no access"},
		},
		{name: "later", status: 400, body: `{"error":"temporarily_unavailable"}`, want: oauth.Failure{Class: oauth.Transient, Code: "temporarily_unavailable", Status: 400}},
		{name: "rate limited", status: 429, body: `slow down`, contentType: "text/plain", want: oauth.Failure{Class: oauth.Transient, Code: "http_429", Status: 429}},
		{name: "server error", status: 503, body: `<html>`, contentType: "text/html", want: oauth.Failure{Class: oauth.Transient, Code: "http_503", Status: 503}},
		{name: "server error with an OAuth error", status: 500, body: `{"error":"invalid_grant"}`, want: oauth.Failure{Class: oauth.Transient, Code: "invalid_grant", Status: 500}},
		{name: "page instead of a token", status: 200, body: `<html>Log in</html>`, contentType: "text/html", want: oauth.Failure{Class: oauth.Malformed, Code: "malformed_response", Status: 200}},
		{name: "no token", status: 200, body: `{"token_type":"bearer"}`, want: oauth.Failure{Class: oauth.Malformed, Code: "malformed_response", Status: 200}},
		{name: "empty", status: 200, body: ``, want: oauth.Failure{Class: oauth.Malformed, Code: "malformed_response", Status: 200}},
		{name: "list", status: 200, body: `[]`, want: oauth.Failure{Class: oauth.Malformed, Code: "malformed_response", Status: 200}},
		{name: "two values", status: 200, body: `{"access_token":"a"}{}`, want: oauth.Failure{Class: oauth.Malformed, Code: "malformed_response", Status: 200}},
		{name: "too large", status: 200, body: `{"access_token":"a","x":"` + strings.Repeat("x", 1<<20) + `"}`, want: oauth.Failure{Class: oauth.Malformed, Code: "malformed_response", Status: 200}},
		{name: "token too long", status: 200, body: `{"access_token":"` + strings.Repeat("x", 16<<10+1) + `"}`, want: oauth.Failure{Class: oauth.Malformed, Code: "malformed_response", Status: 200}},
		{name: "page instead of a reason", status: 400, body: `<html>Bad request</html>`, contentType: "text/html", want: oauth.Failure{Class: oauth.Malformed, Code: "http_400", Status: 400}},
		{name: "redirect", status: 307, body: ``, want: oauth.Failure{Class: oauth.Malformed, Code: "http_307", Status: 307}},
		{
			name: "error that repeats our secrets", status: 400, body: `{"error":"invalid_grant","error_description":"old-refresh-token of the secret+/ is\u0000 unknown"}`,
			want: oauth.Failure{Class: oauth.Permanent, Code: "invalid_grant", Status: 400, Description: "[redacted] of [redacted] is  unknown"},
		},
		{
			name: "secret as the code", status: 400, body: `{"error":"old-refresh-token"}`,
			want: oauth.Failure{Class: oauth.Permanent, Code: "[redacted]", Status: 400},
		},
		{
			name: "prose as the code", status: 400, body: `{"error":"Something went wrong"}`,
			want: oauth.Failure{Class: oauth.Malformed, Code: "http_400", Status: 400},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := newEndpoint(t, tt.status, or(tt.contentType, "application/json"), tt.body)
			in := refreshRequest(provider(t, plain, e.url))
			var traced []linkspan.Message
			in.Trace = func(m linkspan.Message) { traced = append(traced, m) }
			_, err := newClient(t).Refresh(t.Context(), in)
			got, ok := errors.AsType[*oauth.Failure](err)
			if !ok {
				t.Fatalf("error = %v, want a Failure", err)
			}
			flat := *got
			flat.Message, flat.Err = "", nil
			if diff := cmp.Diff(tt.want, flat); diff != "" {
				t.Errorf("failure (-want +got):\n%s", diff)
			}
			if got.Message == "" {
				t.Error("the failure has no message")
			}
			assertSafe(t, got, traced)
			if len(e.got) != 1 {
				t.Errorf("the endpoint was called %d times, want once", len(e.got))
			}
		})
	}
}

func assertSafe(t *testing.T, f *oauth.Failure, traced []linkspan.Message) {
	t.Helper()
	log, err := json.Marshal(traced)
	if err != nil {
		t.Fatal(err)
	}
	if len(traced) != 1 || traced[0].Type != "http" {
		t.Errorf("traced %s, want one exchange", log)
	}
	all := fmt.Sprint(f.Error(), f.Code, f.Message, f.Description) + string(log)
	for _, secret := range []string{"old-access-token", "old-refresh-token", "the secret"} {
		if strings.Contains(all, secret) {
			t.Errorf("%q shows in %s", secret, all)
		}
	}
}

func TestNetworkFailures(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	stalled := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-stalled:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(slow.Close)
	t.Cleanup(func() { close(stalled) })
	open := egress.New(egress.Policy{AllowPrivateNetwork: true}, nil).Client(egress.ClientOptions{})
	closed := egress.New(egress.Policy{}, nil).Client(egress.ClientOptions{})
	tests := []struct {
		name, url string
		http      *http.Client
		timeout   time.Duration
		code      string
	}{
		{"connection refused", gone.URL, open, 0, "network_error"},
		{"no answer in time", slow.URL, open, 1, "timeout"},
		{"forbidden target", slow.URL, closed, 0, "blocked"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := oauth.New(oauth.Config{HTTP: tt.http, Now: now, Timeout: tt.timeout})
			in := refreshRequest(provider(t, "  token:\n    url: ['%URL%/token?key=${connectionConfig.subdomain}']\n", tt.url))
			_, err := c.Refresh(t.Context(), in)
			f, ok := errors.AsType[*oauth.Failure](err)
			if !ok || f.Class != oauth.Transient || f.Code != tt.code || f.Answered() {
				t.Fatalf("error = %#v, want a transient %s without an answer", err, tt.code)
			}
			if strings.Contains(err.Error(), "key=") {
				t.Errorf("the error shows the query of the URL: %v", err)
			}
		})
	}
}

func TestMisconfigured(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, auth string
		change     func(*oauth.RefreshRequest)
		says       string
	}{
		{"no refresh token", plain, func(r *oauth.RefreshRequest) { r.Credentials.RefreshToken = linkspan.Secret{} }, "no refresh token"},
		{"no client", plain, func(r *oauth.RefreshRequest) { r.Integration.ClientID = "" }, "client_id"},
		{"url lacks a value", "  token:\n    url: ['https://${connectionConfig.absent}/token']\n", nil, "connectionConfig.absent"},
		{"parameter lacks a value", plain + "    params:\n      - {name: tenant, value: '${connectionConfig.absent}'}\n", nil, `"tenant"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			in := refreshRequest(provider(t, tt.auth, "https://acme.example"))
			if tt.change != nil {
				tt.change(&in)
			}
			// Nothing may be called: the client has no way to.
			c := oauth.New(oauth.Config{HTTP: &http.Client{Transport: refuse{t}}, Now: now})
			_, err := c.Refresh(t.Context(), in)
			f, ok := errors.AsType[*oauth.Failure](err)
			if !ok || f.Class != oauth.Permanent || f.Code != "misconfigured" || !strings.Contains(f.Message, tt.says) {
				t.Errorf("error = %v, want a permanent failure that mentions %s", err, tt.says)
			}
		})
	}
}

type refuse struct{ t *testing.T }

func (r refuse) RoundTrip(*http.Request) (*http.Response, error) {
	r.t.Error("the network was used")
	return nil, context.Canceled
}

func or(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}
