package authorize_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/access"
	"github.com/linkspan/linkspan/internal/authorize"
	"github.com/linkspan/linkspan/internal/credential"
)

func TestCreateSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	in := authorize.SessionInput{
		EndUser: &linkspan.EndUser{ID: "u1", Email: "u@example.com"}, Tags: map[string]string{"Plan": "pro"},
		AllowedIntegrations: []string{"keyed", "acme"},
		Defaults:            map[string]linkspan.IntegrationDefaults{"acme": {UserScopes: "a", ConnectionConfig: map[string]any{"subdomain": "x"}}},
		Overrides:           map[string]linkspan.IntegrationOverrides{"acme": {DocsConnect: "https://example.com/help"}},
		WebhookURLOverride:  "https://hooks.example.com/x",
	}
	made, err := w.CreateSession(t.Context(), w.env, in)
	must(t, err)
	if want := w.now.Add(30 * time.Minute); !made.ExpiresAt.Equal(want) {
		t.Errorf("expires at %s, want %s", made.ExpiresAt, want)
	}
	if want := "https://connect.example.com/ui/?session_token=" + made.Token.Reveal() + "&apiURL=https%3A%2F%2Fapi.example.com"; made.ConnectLink != want {
		t.Errorf("link %s", made.ConnectLink)
	}
	p := w.principal(made)
	s := p.Session
	if p.Environment.ID != w.env.ID || s.EndUser.ID != "u1" || s.Reconnect != 0 || s.WebhookURLOverride != in.WebhookURLOverride || s.Operation == "" {
		t.Errorf("stored %+v", s)
	}
	if diff := cmp.Diff([]any{in.AllowedIntegrations, in.Defaults, in.Overrides, map[string]string{"plan": "pro"}},
		[]any{s.AllowedIntegrations, s.Defaults, s.Overrides, s.Tags}); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
	if ops, _ := w.operations(); ops[0].ID != s.Operation || ops[0].State != linkspan.StateWaiting {
		t.Errorf("operation %+v", ops[0])
	}
	must(t, w.EndSession(t.Context(), p))
	must(t, w.EndSession(t.Context(), p)) // ended twice is ended
	if _, _, err := w.store.ConnectSessionByHash(t.Context(), nil, s.Hash); linkspan.KindOf(err) != linkspan.KindNotFound {
		t.Errorf("the session goes on: %v", err)
	}
	if err := w.EndSession(t.Context(), w.publicKey()); linkspan.KindOf(err) != linkspan.KindForbidden {
		t.Errorf("a public key ends a session: %v", err)
	}
}

func TestCreateSessionRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	defaults := func(d linkspan.IntegrationDefaults) map[string]linkspan.IntegrationDefaults {
		return map[string]linkspan.IntegrationDefaults{"acme": d}
	}
	config := func(name string, v any) map[string]linkspan.IntegrationDefaults {
		return defaults(linkspan.IntegrationDefaults{ConnectionConfig: map[string]any{name: v}})
	}
	const missing = "Integration does not exist"
	for name, tt := range map[string]struct {
		in   authorize.SessionInput
		want linkspan.Issue // without a message: any
	}{
		"nobody":                {authorize.SessionInput{}, linkspan.Issue{Code: "custom", Path: []any{"end_user"}}},
		"unknown integration":   {authorize.SessionInput{AllowedIntegrations: []string{"acme", "nope"}}, linkspan.Issue{Code: "custom", Message: missing, Path: []any{"allowed_integrations", 1}}},
		"of another account":    {authorize.SessionInput{AllowedIntegrations: []string{"elsewhere"}}, linkspan.Issue{Code: "custom", Message: missing, Path: []any{"allowed_integrations", 0}}},
		"malformed integration": {authorize.SessionInput{AllowedIntegrations: []string{"\x00"}}, linkspan.Issue{Code: "custom", Message: missing, Path: []any{"allowed_integrations", 0}}},
		"defaults for unknown": {
			authorize.SessionInput{Defaults: map[string]linkspan.IntegrationDefaults{"nope": {}}},
			linkspan.Issue{Code: "custom", Message: missing, Path: []any{"integrations_config_defaults", "nope"}},
		},
		"overrides for unknown": {
			authorize.SessionInput{Overrides: map[string]linkspan.IntegrationOverrides{"nope": {}}},
			linkspan.Issue{Code: "custom", Message: missing, Path: []any{"overrides", "nope"}},
		},
		"too many integrations": {
			authorize.SessionInput{AllowedIntegrations: strings.Split(strings.Repeat("x,", 1000)+strings.Join(numbers(1001), ","), ",")},
			linkspan.Issue{Code: "too_big", Path: []any{"allowed_integrations"}},
		},
		"tag":                  {authorize.SessionInput{Tags: map[string]string{"1": "x"}}, linkspan.Issue{Code: "invalid_key", Path: []any{"tags", "1"}}},
		"end user without id":  {authorize.SessionInput{EndUser: &linkspan.EndUser{}}, linkspan.Issue{Code: "too_small", Path: []any{"end_user", "id"}}},
		"end user's email":     {authorize.SessionInput{EndUser: &linkspan.EndUser{ID: "u", Email: "a@b"}}, linkspan.Issue{Code: "too_small", Path: []any{"end_user", "email"}}},
		"organization":         {authorize.SessionInput{EndUser: &linkspan.EndUser{ID: "u", Organization: &linkspan.Organization{ID: strings.Repeat("o", 256)}}}, linkspan.Issue{Code: "too_big", Path: []any{"organization", "id"}}},
		"webhook":              {authorize.SessionInput{WebhookURLOverride: "ftp://x"}, linkspan.Issue{Code: "invalid_format", Path: []any{"webhook_url_override"}}},
		"webhook by policy":    {authorize.SessionInput{WebhookURLOverride: "http://10.0.0.1/"}, linkspan.Issue{Code: "custom", Path: []any{"webhook_url_override"}}},
		"webhook in settings":  {authorize.SessionInput{Defaults: config("webhook_url", "http://10.0.0.1/")}, linkspan.Issue{Code: "custom", Path: []any{"integrations_config_defaults", "acme", "connection_config", "webhook_url"}}},
		"two webhooks":         {authorize.SessionInput{WebhookURLOverride: "https://a.example", Defaults: config("webhook_url", "https://b.example")}, linkspan.Issue{Code: "custom", Path: []any{"webhook_url_override"}}},
		"object as a setting":  {authorize.SessionInput{Defaults: config("x", map[string]any{})}, linkspan.Issue{Code: "invalid_union", Path: []any{"integrations_config_defaults", "acme", "connection_config", "x"}}},
		"oversized setting":    {authorize.SessionInput{Defaults: config("x", strings.Repeat("x", 8<<10+1))}, linkspan.Issue{Code: "custom", Path: []any{"integrations_config_defaults", "acme", "connection_config", "x"}}},
		"oversized parameter":  {authorize.SessionInput{Defaults: defaults(linkspan.IntegrationDefaults{AuthorizationParams: map[string]string{"x": strings.Repeat("x", 8<<10+1)}})}, linkspan.Issue{Code: "custom", Path: []any{"integrations_config_defaults", "acme", "authorization_params", "x"}}},
		"oversized user scope": {authorize.SessionInput{Defaults: defaults(linkspan.IntegrationDefaults{UserScopes: strings.Repeat("x", 5000)})}, linkspan.Issue{Code: "too_big", Path: []any{"integrations_config_defaults", "acme", "user_scopes"}}},
		"script as docs":       {authorize.SessionInput{Overrides: map[string]linkspan.IntegrationOverrides{"acme": {DocsConnect: "javascript:alert(1)"}}}, linkspan.Issue{Code: "invalid_format", Path: []any{"overrides", "acme", "docs_connect"}}},
		"oversized": {
			authorize.SessionInput{EndUser: &linkspan.EndUser{ID: "u", Tags: map[string]string{"x": strings.Repeat("x", 64<<10)}}},
			linkspan.Issue{Code: "too_big", Path: []any{}},
		},
	} {
		in := tt.in
		if in.Tags == nil && in.EndUser == nil && name != "nobody" {
			in.Tags = map[string]string{}
		}
		_, err := w.CreateSession(t.Context(), w.env, in)
		e, ok := errors.AsType[*linkspan.Error](err)
		if !ok || e.Code != "invalid_body" || len(e.Issues) == 0 {
			t.Errorf("%s: error %v", name, err)
			continue
		}
		got := e.Issues[0]
		if tt.want.Message == "" {
			got.Message = ""
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func numbers(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = strings.Repeat("y", i%200+1) + strings.Repeat("z", i/200)
	}
	return out
}

func TestReconnectSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.newConnection("acme", "mine", nil, credential.NewNone())
	p := w.reconnect(c, authorize.SessionInput{AllowedIntegrations: []string{"keyed"}})
	if s := p.Session; s.Reconnect != c.ID || !cmp.Equal(s.AllowedIntegrations, []string{"acme"}) || s.Tags != nil || s.EndUser != nil {
		t.Errorf("session %+v", s)
	}
	for _, names := range [][2]string{{"mine", "keyed"}, {"nope", "acme"}, {"mine", "elsewhere"}} {
		_, err := w.CreateReconnectSession(t.Context(), w.env, names[0], names[1], authorize.SessionInput{})
		e, ok := errors.AsType[*linkspan.Error](err)
		if !ok || e.Code != "invalid_body" || e.Msg != "ConnectionID or IntegrationId does not exists" {
			t.Errorf("%v: error %v", names, err)
		}
	}
	if _, err := w.CreateReconnectSession(t.Context(), w.other, "mine", "acme", authorize.SessionInput{}); linkspan.CodeOf(err) != "invalid_body" {
		t.Errorf("from another environment: %v", err)
	}
}

// The end of a session does not take away what a user is in the middle of.
func TestSessionEndsDuringAuthorization(t *testing.T) {
	t.Parallel()
	w, b := newWorld(t), browser{}
	p := w.session(authorize.SessionInput{})
	page := w.begin(p, acme(), b)
	must(t, w.EndSession(t.Context(), p))
	if r := w.Callback(t.Context(), back(page), b.cookie); !r.Success {
		t.Errorf("result %+v", r)
	}
}

func TestHeadless(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	in := authorize.Request{IntegrationKey: "keyed", Params: map[string]string{"host": "h.example", "webhook_url": "https://evil.example"}}
	out, err := w.Headless(t.Context(), w.session(authorize.SessionInput{EndUser: &linkspan.EndUser{ID: "u1"}}), in, credential.NewAPIKey("key"))
	must(t, err)
	a := w.authorized[0]
	if !linkspan.IsUUIDv4(out.Name) || out.Name != a.Name || a.Credentials.APIKey.Reveal() != "key" || a.EndUser.ID != "u1" || a.Operation == "" {
		t.Errorf("authorized %+v", a)
	}
	if diff := cmp.Diff(map[string]any{"host": "h.example"}, a.ConnectionConfig); diff != "" || a.WebhookURLOverride != nil {
		t.Errorf("settings (-want +got):\n%s", diff)
	}

	in = authorize.Request{IntegrationKey: "open", ConnectionName: "mine"}
	if out, err = w.Headless(t.Context(), w.publicKey(), in, credential.NewNone()); err != nil || out.Name != "mine" {
		t.Errorf("%+v, %v", out, err)
	}
	c := w.newConnection("keyed", "old", map[string]any{"host": "h.example"}, credential.NewAPIKey("before"))
	if out, err = w.Headless(t.Context(), w.reconnect(c, authorize.SessionInput{}), authorize.Request{IntegrationKey: "keyed"}, credential.NewAPIKey("after")); err != nil || out.Name != "old" {
		t.Errorf("%+v, %v", out, err)
	}
	if got := w.authorized[0].Given; got["host"] != "h.example" {
		t.Errorf("given %v", got)
	}
	if a := w.authorized[2]; a.Reconnect != c.ID || a.ConnectionConfig["host"] != "h.example" || len(a.Given) != 0 {
		t.Errorf("renewed %+v", a)
	}
}

func TestHeadlessRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	limited := w.session(authorize.SessionInput{AllowedIntegrations: []string{"acme"}})
	signed := w.publicKey()
	signed.Environment.Settings.HMACEnabled = true
	good := authorize.Request{IntegrationKey: "keyed", Params: map[string]string{"host": "h.example"}}
	for name, tt := range map[string]struct {
		principal *access.Principal
		in        authorize.Request
		creds     credential.Credentials
		code      string
		kind      linkspan.Kind
	}{
		"wrong kind":      {w.session(authorize.SessionInput{}), good, credential.NewBasic("u", "p"), "invalid_auth_mode", linkspan.KindInvalid},
		"none for a key":  {w.session(authorize.SessionInput{}), good, credential.NewNone(), "invalid_auth_mode", linkspan.KindInvalid},
		"unknown":         {w.publicKey(), authorize.Request{IntegrationKey: "nope"}, credential.NewNone(), "unknown_provider_config", linkspan.KindNotFound},
		"elsewhere":       {w.publicKey(), authorize.Request{IntegrationKey: "elsewhere"}, credential.NewNone(), "unknown_provider_config", linkspan.KindNotFound},
		"missing setting": {w.publicKey(), authorize.Request{IntegrationKey: "keyed"}, credential.NewAPIKey("k"), "invalid_body", linkspan.KindInvalid},
		"not allowed":     {limited, good, credential.NewAPIKey("k"), "integration_not_allowed", linkspan.KindInvalid},
		"unsigned":        {signed, good, credential.NewAPIKey("k"), "missing_hmac", linkspan.KindInvalid},
		"unsupported":     {w.publicKey(), authorize.Request{IntegrationKey: "special"}, credential.NewNone(), "unsupported_provider", linkspan.KindInvalid},
	} {
		_, err := w.Headless(t.Context(), tt.principal, tt.in, tt.creds)
		if linkspan.CodeOf(err) != tt.code || linkspan.KindOf(err) != tt.kind {
			t.Errorf("%s: error %v, want %s", name, err, tt.code)
		}
	}
	if _, a := w.calls(); a > 0 {
		t.Errorf("%d connections", a)
	}
	w.authorizeErr = linkspan.E("x", linkspan.KindInvalid, "connection_test_failed", nil, "No.")
	if _, err := w.Headless(t.Context(), w.publicKey(), good, credential.NewAPIKey("k")); linkspan.CodeOf(err) != "connection_test_failed" {
		t.Errorf("error %v", err)
	}
}

func TestConnectLink(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"":                              "https://api.example.com/connect-ui/",
		"https://c.example.com":         "https://c.example.com/",
		"https://c.example.com/ui/?a=b": "https://c.example.com/ui/",
	} {
		w := newWorld(t)
		s := w.service(func(c *authorize.Config) { c.ConnectURL = given })
		made, err := s.CreateSession(t.Context(), w.env, authorize.SessionInput{Tags: map[string]string{}})
		must(t, err)
		u, err := url.Parse(made.ConnectLink)
		must(t, err)
		if u.Query().Get("session_token") != made.Token.Reveal() {
			t.Errorf("%s: link %s", given, made.ConnectLink)
		}
		elsewhere := !strings.HasPrefix(want, "https://api.example.com/")
		if api := u.Query().Get("apiURL"); u.Query().Has("apiURL") != elsewhere || elsewhere && api != "https://api.example.com" {
			t.Errorf("%s: link %s", given, made.ConnectLink)
		}
		if u.RawQuery = ""; u.String() != want {
			t.Errorf("%s: link to %s, want %s", given, u, want)
		}
	}
}
