package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/access"
	"github.com/linkspan/linkspan/internal/authorize"
)

// The shapes that clients and Connect UI read, to the letter.
func TestConnectSessionShapes(t *testing.T) {
	t.Parallel()
	r := newFlowRig(t, rigOptions{})
	got := r.call(devKey, "POST", "/connect/sessions", `{
		"end_user":{"id":"u1","email":"a@b.co","display_name":"A","tags":{"plan":"pro"}},"organization":{"id":"o1"},
		"allowed_integrations":["oauth","key"],
		"integrations_config_defaults":{"oauth":{"user_scopes":"a,b","authorization_params":{"k":"v"},
			"connection_config":{"subdomain":"x","oauth_client_id_override":"own","oauth_client_secret_override":"hush","oauth_refresh_token_override":"hush"}},"key":{}},
		"overrides":{"oauth":{"docs_connect":"https://docs.example/x"}},
		"webhook_url_override":"https://hooks.example","tags":{"A":"b"}}`)
	var made struct {
		Data struct {
			Token, ConnectLink string
			Link               string    `json:"connect_link"`
			ExpiresAt          time.Time `json:"expires_at"`
		}
	}
	check(t, json.Unmarshal([]byte(got.body), &made))
	d := made.Data
	if got.status != http.StatusCreated || !regexp.MustCompile(`^nango_connect_session_[0-9a-f]{64}$`).MatchString(d.Token) ||
		d.Link != connectURL+"?session_token="+d.Token+"&apiURL="+url.QueryEscape(publicURL) || time.Until(d.ExpiresAt).Round(time.Minute) != 30*time.Minute || got.header.Get("Cache-Control") != "no-store" {
		t.Errorf("got %d %s", got.status, got.body)
	}
	want := `{"data":{"endUser":{"id":"u1","display_name":"A","email":"a@b.co","tags":{"plan":"pro"},"organization":{"id":"o1","display_name":null}},` +
		`"connectUISettings":{"theme":{"light":{"primary":"#00B2E3"},"dark":{"primary":"#00B2E3"}},"defaultTheme":"system","showWatermark":true},` +
		`"allowed_integrations":["oauth","key"],"integrations_config_defaults":{"key":{"connection_config":{},"authorization_params":{}},` +
		`"oauth":{"connection_config":{"oauth_client_id_override":"own","oauth_client_secret_override":"***","oauth_refresh_token_override":"***","subdomain":"x"},"authorization_params":{"k":"v"}}},` +
		`"overrides":{"oauth":{"docs_connect":"https://docs.example/x"}},"tags":`
	shown := r.call(d.Token, "GET", "/connect/session", "")
	if shown.status != http.StatusOK || !strings.HasPrefix(shown.body, want) || !strings.HasSuffix(shown.body, `,"websocketsPath":"/"}}`) {
		t.Errorf("got %d %s\nwant %s", shown.status, shown.body, want)
	}
	if strings.Contains(shown.body, "hush") {
		t.Error("a client secret is shown")
	}
	if gone := r.call(d.Token, "DELETE", "/connect/session", ""); gone.status != http.StatusNoContent || gone.body != "" {
		t.Errorf("deleted: %d %s", gone.status, gone.body)
	}
	r.expect(r.call(d.Token, "GET", "/connect/session", ""), http.StatusUnauthorized, "unknown_connect_session_token")
	r.expect(r.call("", "POST", "/api-auth/api-key/key?connect_session_token="+d.Token, `{"apiKey":"good"}`), http.StatusUnauthorized, "unknown_connect_session_token")
}

// A session of tags alone, in an environment with a look of its own.
func TestPlainConnectSession(t *testing.T) {
	t.Parallel()
	r := newFlowRig(t, rigOptions{})
	r.must(devKey, "PATCH", "/environments/"+r.dev.UUID+"/settings", `{"connect_ui":{"theme":{"light":{"primary":"#112233"},"dark":{"primary":"#445566"}},"default_theme":"dark","show_watermark":false}}`)
	made := r.must(devKey, "POST", "/connect/sessions", `{"tags":{"plan":"pro"},"organization":{"id":"o1","display_name":"Org"},"webhook_url_override":""}`)
	token, _ := at(t, made, "data", "token").(string)
	want := `{"data":{"endUser":null,"connectUISettings":{"theme":{"light":{"primary":"#112233"},"dark":{"primary":"#445566"}},"defaultTheme":"dark","showWatermark":false},` +
		`"tags":{"organization_display_name":"Org","organization_id":"o1","plan":"pro"},"websocketsPath":"/"}}`
	if got := r.call(token, "GET", "/connect/session", ""); got.body != want {
		t.Errorf("got %s\nwant %s", got.body, want)
	}
}

func TestTelemetry(t *testing.T) {
	t.Parallel()
	r := newFlowRig(t, rigOptions{})
	token, hash := access.NewSessionToken()
	op := linkspan.NewOperationID(time.Now())
	check(t, r.store.InsertConnectSession(t.Context(), nil, &linkspan.ConnectSession{
		UUID: linkspan.NewUUID(), EnvironmentID: r.dev.ID, Hash: hash, Operation: op, Tags: map[string]string{"a": "b"}, ExpiresAt: time.Now().Add(time.Hour),
	}))
	event := func(token, name string, off time.Duration, more string) string {
		return fmt.Sprintf(`{"token":%q,"event":%q,"timestamp":%q%s}`, token, name, time.Now().Add(off).UTC().Format(time.RFC3339Nano), more)
	}
	got := r.call("", "POST", "/connect/telemetry", event(token.Reveal(), "view:credentials_error", -time.Hour, `,"dimensions":{"integration":"oauth"}`), "Origin", "https://connect.example")
	h := got.header
	if got.status != http.StatusNoContent || h.Get("Access-Control-Allow-Origin") != "https://connect.example" || h.Get("Access-Control-Allow-Credentials") != "true" {
		t.Errorf("got %d %s %v", got.status, got.body, h)
	}
	want := linkspan.Message{
		OperationID: op, EnvironmentID: r.dev.ID, Type: "log", Source: "user", Level: "warn",
		Text: "The user saw that the credentials were refused.", Meta: json.RawMessage(`{"event":"view:credentials_error","integration":"oauth"}`),
	}
	if diff := cmp.Diff(want, <-r.notes); diff != "" {
		t.Errorf("noted (-want +got):\n%s", diff)
	}
	r.expect(r.call("", "POST", "/connect/telemetry", event("nango_connect_session_"+strings.Repeat("0", 64), "open", 0, "")), http.StatusUnauthorized, "unknown_connect_session_token")
	r.expect(r.call("", "POST", "/connect/telemetry", event("x", "open", 0, "")), http.StatusUnauthorized, "invalid_connect_session_token_format")
	for _, off := range []time.Duration{-2*time.Hour - time.Minute, 2*time.Hour + time.Minute} {
		r.expect(r.call("", "POST", "/connect/telemetry", event(token.Reveal(), "open", off, "")), http.StatusBadRequest, "invalid_body", "custom The timestamp")
	}
	preflight := r.call("", "OPTIONS", "/connect/telemetry", "", "Origin", "https://connect.example", "Access-Control-Request-Method", "POST").header
	if preflight.Get("Access-Control-Allow-Methods") != "POST" || preflight.Get("Access-Control-Allow-Headers") != "Authorization, Content-type" ||
		preflight.Get("Access-Control-Expose-Headers") != "content-type" || preflight.Get("Access-Control-Max-Age") != "36000" {
		t.Errorf("preflight: %v", preflight)
	}
	// All events have words of their own, and a session has no more than its share.
	texts := map[string]bool{}
	events := strings.Split("open|view:list|view:integration|view:unknown_error|view:success|click:integration|click:doc|click:doc_section|click:connect|click:close|click:finish|click:outside|popup:blocked_by_browser|popup:closed_early", "|")
	for i := range 199 {
		if got := r.call("", "POST", "/connect/telemetry", event(token.Reveal(), events[i%len(events)], 0, "")); got.status != http.StatusNoContent {
			t.Fatalf("event %d: %d %s", i, got.status, got.body)
		}
		texts[(<-r.notes).Text] = true
	}
	if len(texts) != len(events) {
		t.Errorf("%d texts for %d events", len(texts), len(events))
	}
	r.expect(r.call("", "POST", "/connect/telemetry", event(token.Reveal(), "open", 0, "")), http.StatusTooManyRequests, "too_many_request")
	if other := r.session(r.dev, nil); r.call("", "POST", "/connect/telemetry", event(other, "open", 0, "")).status != http.StatusNoContent {
		t.Error("another session has no share")
	}
}

func TestWebhookDeliveries(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	var ids []string
	for i, operation := range []string{"creation", "override", "deletion"} {
		ids = append(ids, r.deliver(r.dev, func(e *linkspan.WebhookEvent, _ *linkspan.WebhookDelivery) {
			e.Operation, e.ConnectionName = operation, fmt.Sprintf("c%d", i)
		}))
	}
	r.deliver(r.prod, nil)
	list := func(query string) string {
		t.Helper()
		got := r.must(devKey, "GET", "/webhooks/deliveries"+query, "")
		var seen []string
		for _, d := range at(t, got, "data").([]any) {
			seen = append(seen, at(t, d, "operation").(string))
		}
		return strings.Join(seen, " ")
	}
	for query, want := range map[string]string{
		"": "deletion override creation", "?state=pending": "deletion override creation", "?state=delivered,gone": "", "?connection_id=c1": "override",
		"?integration_id=other": "", "?type=sync": "", "?type=auth&limit=2": "deletion override",
	} {
		if got := list(query); got != want {
			t.Errorf("%s: got %q, want %q", query, got, want)
		}
	}
	first := r.must(devKey, "GET", "/webhooks/deliveries?limit=2", "")
	cursor, _ := at(t, first, "next_cursor").(string)
	if got := list("?limit=2&cursor=" + cursor); got != "creation" {
		t.Errorf("the second page has %q", got)
	}
	newest, _ := at(t, first, "data").([]any)[0].(map[string]any)
	for field, want := range map[string]any{
		"id": ids[2], "type": "auth", "url": "https://hooks.example/in?***", "state": "pending", "attempts": 0.0, "last_status": nil, "last_error": nil,
		"integration_id": "seeded", "connection_id": "c2", "ended_at": nil, "log_id": nil,
	} {
		if newest[field] != want {
			t.Errorf("%s is %v, want %v", field, newest[field], want)
		}
	}
	if len(newest) != 15 || newest["next_attempt_at"] == nil || !linkspan.IsUUID(fmt.Sprint(newest["event_id"])) {
		t.Errorf("shown: %v", newest)
	}
	if got := r.call(devKey, "POST", "/webhooks/deliveries/"+ids[0]+"/replay", ""); got.status != http.StatusAccepted || !strings.Contains(got.body, `"operation":"creation"`) {
		t.Errorf("replay: %d %s", got.status, got.body)
	}
	reader, player := r.key(linkspan.ScopeWebhooksRead), r.key(linkspan.ScopeWebhooksReplay)
	r.expect(r.call(reader, "POST", "/webhooks/deliveries/"+ids[0]+"/replay", ""), http.StatusForbidden, "forbidden")
	r.expect(r.call(player, "GET", "/webhooks/deliveries", ""), http.StatusForbidden, "forbidden")
}

// What is refused changes nothing. The messages say where to look.
func TestBadInputOfConnecting(t *testing.T) {
	t.Parallel()
	r := newFlowRig(t, rigOptions{})
	r.must(devKey, "POST", "/connections", `{"provider_config_key":"key","connection_id":"c1","credentials":{"type":"API_KEY","apiKey":"good"}}`)
	before := r.dump(r.dev)
	const sessions, again = "/connect/sessions", "/connect/sessions/reconnect"
	token := r.session(r.dev, nil)
	only := r.session(r.dev, func(in *authorize.SessionInput) { in.AllowedIntegrations = []string{"oauth"} })
	session, limited, public := "?connect_session_token="+token, "?connect_session_token="+only, "?public_key="+r.dev.PublicKey
	apiKey, basic := "/api-auth/api-key/key", "/api-auth/basic/basic"
	now := time.Now().UTC().Format(time.RFC3339)
	tests := []struct {
		name, key, method, path, body string
		status                        int
		code, issue                   string
	}{
		{"session without user or tags", devKey, "POST", sessions, `{}`, 400, "invalid_body", "custom"},
		{"session without body", devKey, "POST", sessions, "", 400, "invalid_body", "invalid_type"},
		{"unknown key", devKey, "POST", sessions, `{"tags":{},"what":1}`, 400, "invalid_body", `Unrecognized key: "what"`},
		{"unknown key of a user", devKey, "POST", sessions, `{"end_user":{"id":"u","what":1}}`, 400, "invalid_body", `Unrecognized key: "what"`},
		{"user without id", devKey, "POST", sessions, `{"end_user":{}}`, 400, "invalid_body", "invalid_type"},
		{"bad e-mail", devKey, "POST", sessions, `{"end_user":{"id":"u","email":"nobody"}}`, 400, "invalid_body", "invalid_format"},
		{"organization without id", devKey, "POST", sessions, `{"end_user":{"id":"u"},"organization":{}}`, 400, "invalid_body", "invalid_type"},
		{"unknown integration", devKey, "POST", sessions, `{"tags":{},"allowed_integrations":["oauth","nope"]}`, 400, "invalid_body", "custom Integration does not exist"},
		{"defaults of an unknown one", devKey, "POST", sessions, `{"tags":{},"integrations_config_defaults":{"nope":{}}}`, 400, "invalid_body", "custom Integration does not exist"},
		{"overrides of an unknown one", devKey, "POST", sessions, `{"tags":{},"overrides":{"nope":{}}}`, 400, "invalid_body", "custom Integration does not exist"},
		{"guide that is no URL", devKey, "POST", sessions, `{"tags":{},"overrides":{"oauth":{"docs_connect":"javascript:alert(1)"}}}`, 400, "invalid_body", "Invalid URL"},
		{"unknown override", devKey, "POST", sessions, `{"tags":{},"overrides":{"oauth":{"x":1}}}`, 400, "invalid_body", "unrecognized_keys"},
		{"nested default", devKey, "POST", sessions, `{"tags":{},"integrations_config_defaults":{"oauth":{"connection_config":{"a":{}}}}}`, 400, "invalid_body", ""},
		{"default parameter that is a number", devKey, "POST", sessions, `{"tags":{},"integrations_config_defaults":{"oauth":{"authorization_params":{"a":1}}}}`, 400, "invalid_body", "invalid_type"},
		{"bad webhook URL", devKey, "POST", sessions, `{"tags":{},"webhook_url_override":"ftp://x"}`, 400, "invalid_body", "Invalid URL"},
		{"eleven tags", devKey, "POST", sessions, `{"tags":{"a":"1","b":"1","c":"1","d":"1","e":"1","f":"1","g":"1","h":"1","i":"1","j":"1","k":"1"}}`, 400, "invalid_body", ""},
		{"bad tag", devKey, "POST", sessions, `{"tags":{"1":"x"}}`, 400, "invalid_body", ""},
		{"query of a session", devKey, "POST", sessions + "?a=1", `{"tags":{}}`, 400, "invalid_query_params", "unrecognized_keys"},
		{"account key", accountKey, "POST", sessions, `{"tags":{}}`, 403, "forbidden", ""},
		{"form", devKey, "POST", sessions, `tags=1`, 400, "invalid_json", ""},
		{"reconnect without names", devKey, "POST", again, `{}`, 400, "invalid_body", "received undefined"},
		{"reconnect of nothing there", devKey, "POST", again, `{"connection_id":"nope","integration_id":"key"}`, 400, "invalid_body", ""},
		{"reconnect at another integration", devKey, "POST", again, `{"connection_id":"c1","integration_id":"oauth"}`, 400, "invalid_body", ""},
		{"reconnect with allowed integrations", devKey, "POST", again, `{"connection_id":"c1","integration_id":"key","allowed_integrations":["key"]}`, 400, "invalid_body", "unrecognized_keys"},
		{"reconnect with a bad id", devKey, "POST", again, `{"connection_id":"\u0001","integration_id":"key"}`, 400, "invalid_body", "invalid_union"},
		{"session by an API key", devKey, "GET", "/connect/session", "", 401, "invalid_connect_session_token_format", ""},
		{"session with a query", token, "GET", "/connect/session?a=1", "", 400, "invalid_query_params", ""},
		{"end with a query", token, "DELETE", "/connect/session?a=1", "", 400, "invalid_query_params", ""},
		{"end with a body", token, "DELETE", "/connect/session", `{"a":1}`, 400, "invalid_body", ""},
		{"session token for sessions", token, "POST", sessions, `{"tags":{}}`, 401, "invalid_secret_key_format", ""},

		{"telemetry without body", "", "POST", "/connect/telemetry", "", 400, "invalid_body", ""},
		{"telemetry of an unknown event", "", "POST", "/connect/telemetry", `{"token":"` + token + `","event":"x","timestamp":"` + now + `"}`, 400, "invalid_body", "invalid_value"},
		{"telemetry without a time", "", "POST", "/connect/telemetry", `{"token":"` + token + `","event":"open"}`, 400, "invalid_body", "invalid_type"},
		{"telemetry with a bad integration", "", "POST", "/connect/telemetry", `{"token":"` + token + `","event":"open","timestamp":"` + now + `","dimensions":{"integration":"a/b"}}`, 400, "invalid_body", "invalid_format"},
		{"huge telemetry", "", "POST", "/connect/telemetry", `{"token":"` + strings.Repeat("x", 70<<10) + `"}`, 413, "request_too_large", ""},

		{"neither token nor key", "", "POST", apiKey, `{"apiKey":"good"}`, 401, "missing_public_key", ""},
		{"API key in the header", devKey, "POST", apiKey, `{"apiKey":"good"}`, 401, "missing_public_key", ""},
		{"no body", "", "POST", apiKey + session, "", 400, "invalid_body", "invalid_type"},
		{"empty key", "", "POST", apiKey + session, `{"apiKey":""}`, 400, "invalid_body", "too_small"},
		{"long key", "", "POST", apiKey + session, `{"apiKey":"` + strings.Repeat("k", 1025) + `"}`, 400, "invalid_body", "too_big"},
		{"more than a key", "", "POST", apiKey + session, `{"apiKey":"good","type":"API_KEY"}`, 400, "invalid_body", "unrecognized_keys"},
		{"key that does not work", "", "POST", apiKey + session, `{"apiKey":"bad"}`, 400, "connection_test_failed", ""},
		{"connection id with a session", "", "POST", apiKey + session + "&connection_id=c1", `{"apiKey":"good"}`, 400, "invalid_query_params", "custom"},
		{"bad connection id", "", "POST", apiKey + public + "&connection_id=%01", `{"apiKey":"good"}`, 400, "invalid_query_params", "invalid_union"},
		{"params as text", "", "POST", apiKey + session + "&params=x", `{"apiKey":"good"}`, 400, "invalid_query_params", "expected record"},
		{"params as list", "", "POST", apiKey + session + "&params[]=x", `{"apiKey":"good"}`, 400, "invalid_query_params", "expected record"},
		{"params twice", "", "POST", apiKey + session + "&params[a]=x&params[a]=y", `{"apiKey":"good"}`, 400, "invalid_query_params", "expected string"},
		{"credentials as text", "", "POST", apiKey + session + "&credentials=x", `{"apiKey":"good"}`, 400, "invalid_query_params", "expected object"},
		{"bad integration", "", "POST", "/api-auth/api-key/a%2Fb" + session, `{"apiKey":"good"}`, 400, "invalid_uri_params", ""},
		{"integration that is not there", "", "POST", "/api-auth/api-key/nope" + session, `{"apiKey":"good"}`, 404, "unknown_provider_config", ""},
		{"integration that is not allowed", "", "POST", apiKey + limited, `{"apiKey":"good"}`, 400, "integration_not_allowed", ""},
		{"key for a provider with passwords", "", "POST", "/api-auth/api-key/basic" + session, `{"apiKey":"good"}`, 400, "invalid_auth_mode", ""},
		{"password left out", "", "POST", basic + session, `{"username":"u"}`, 400, "invalid_body", "invalid_type"},
		{"password for a provider with keys", "", "POST", "/api-auth/basic/key" + session, `{"username":"u","password":"p"}`, 400, "invalid_auth_mode", ""},
		{"body where there is none", "", "POST", "/auth/unauthenticated/key" + session, `{"a":1}`, 400, "invalid_body", ""},
		{"nothing for a provider with keys", "", "POST", "/auth/unauthenticated/key" + session, "", 400, "invalid_auth_mode", ""},
		{"another mode", "", "POST", "/auth/jwt/key" + session, `{"privateKey":"x"}`, 400, "invalid_auth_mode", ""},
		{"another mode not allowed", "", "POST", "/auth/tba/key" + limited, `{}`, 400, "integration_not_allowed", ""},
		{"another mode not there", "", "POST", "/auth/bill/nope" + session, `{}`, 404, "unknown_provider_config", ""},
		{"client credentials not there", "", "POST", "/oauth2/auth/nope" + session, `{}`, 400, "unknown_provider_config", ""},
		{"outbound", "", "POST", "/auth/oauth-outbound/key" + session, "", 400, "invalid_auth_mode", ""},

		{"deliveries of an unknown state", devKey, "GET", "/webhooks/deliveries?state=lost", "", 400, "invalid_query_params", "invalid_value"},
		{"too many deliveries", devKey, "GET", "/webhooks/deliveries?limit=101", "", 400, "invalid_query_params", "too_big"},
		{"deliveries from nowhere", devKey, "GET", "/webhooks/deliveries?cursor=x", "", 400, "invalid_query_params", "invalid_format"},
		{"deliveries from zero", devKey, "GET", "/webhooks/deliveries?cursor=0", "", 400, "invalid_query_params", "custom The cursor"},
		{"unknown filter", devKey, "GET", "/webhooks/deliveries?what=1", "", 400, "invalid_query_params", "unrecognized_keys"},
		{"replay of nonsense", devKey, "POST", "/webhooks/deliveries/x/replay", "", 400, "invalid_uri_params", ""},
		{"replay of nothing there", devKey, "POST", "/webhooks/deliveries/" + linkspan.NewUUID() + "/replay", "", 404, "not_found", ""},
		{"replay with a body", devKey, "POST", "/webhooks/deliveries/" + linkspan.NewUUID() + "/replay", `{"a":1}`, 400, "invalid_body", ""},
	}
	t.Cleanup(func() { // runs when all subtests have ended
		if after := r.dump(r.dev); after != before {
			t.Errorf("something changed:\nbefore %s\nafter  %s", before, after)
		}
	})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := &rig{t: t, server: r.server}
			var issues []string
			if tt.issue != "" {
				issues = append(issues, tt.issue)
			}
			r.expect(r.call(tt.key, tt.method, tt.path, tt.body), tt.status, tt.code, issues...)
		})
	}
}
