package server_test

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/httpx"
	"github.com/linkspan/linkspan/internal/server"
	"github.com/linkspan/linkspan/internal/testfile"
)

var update = flag.Bool("update", false, "write the golden files anew")

var (
	zulu   = regexp.MustCompile(`"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"`)
	offset = regexp.MustCompile(`"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00"`)
	uuid   = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`)
)

// same compares an answer with JSON in which <Z> and <+00:00> stand for moments
// in the two spellings and <uuid> for UUIDs.
func (r *rig) same(got reply, status int, want string) {
	r.t.Helper()
	body := zulu.ReplaceAllString(got.body, `"<Z>"`)
	body = offset.ReplaceAllString(body, `"<+00:00>"`)
	body = uuid.ReplaceAllString(body, "<uuid>")
	if got.status != status {
		r.t.Errorf("status %d, want %d: %s", got.status, status, got.body)
		return
	}
	var g, w any
	if err := json.Unmarshal([]byte(body), &g); err != nil {
		r.t.Errorf("not JSON: %q", got.body)
		return
	}
	check(r.t, json.Unmarshal([]byte(want), &w))
	if diff := cmp.Diff(w, g); diff != "" {
		r.t.Errorf("answer differs (-want +got):\n%s", diff)
	}
}

func TestIntegrations(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	r.same(r.call(devKey, "GET", "/integrations", ""), 200, `{"data":[]}`)
	r.same(r.call(devKey, "POST", "/integrations", `{"provider":"test-oauth","unique_key":"oauth 1","credentials":{"type":"OAUTH2","client_id":"id","client_secret":"hush"}}`), 200,
		`{"data":{"unique_key":"oauth 1","provider":"test-oauth","display_name":"Test OAuth","logo":"https://link.example/images/template-logos/test-oauth.svg",
		"forward_webhooks":true,"created_at":"<Z>","updated_at":"<Z>"}}`)
	r.same(r.call(devKey, "GET", "/integrations/oauth%201?include=webhook&include=credentials", ""), 200,
		`{"data":{"unique_key":"oauth 1","provider":"test-oauth","display_name":"Test OAuth","logo":"https://link.example/images/template-logos/test-oauth.svg",
		"forward_webhooks":true,"created_at":"<Z>","updated_at":"<Z>","webhook_url":null,
		"credentials":{"type":"OAUTH2","client_id":"id","client_secret":"hush","scopes":"read,write","webhook_secret":null}}}`)
	// Scopes that are not given stay; null removes them.
	r.must(devKey, "PATCH", "/integrations/oauth%201", `{"display_name":"Mine","forward_webhooks":false,"credentials":{"type":"OAUTH2","client_id":"id2","client_secret":"hush2","webhook_secret":"wh"}}`)
	r.same(r.call(devKey, "GET", "/integrations/oauth%201?include=credentials", "", "Content-Type", "application/json"), 200,
		`{"data":{"unique_key":"oauth 1","provider":"test-oauth","display_name":"Mine","logo":"https://link.example/images/template-logos/test-oauth.svg",
		"forward_webhooks":false,"created_at":"<Z>","updated_at":"<Z>",
		"credentials":{"type":"OAUTH2","client_id":"id2","client_secret":"hush2","scopes":"read,write","webhook_secret":"wh"}}}`)
	r.must(devKey, "PATCH", "/integrations/oauth%201", `{"unique_key":"oauth-2","credentials":{"type":"OAUTH2","client_id":"id2","client_secret":"hush2","scopes":null}}`)
	got := r.must(devKey, "GET", "/integrations/oauth-2?include=credentials", "")
	if s := at(t, got, "data", "credentials", "scopes"); s != "" {
		t.Errorf("scopes after null: %v", s)
	}
	r.expect(r.call(devKey, "GET", "/integrations/oauth%201", ""), 404, "not_found")
	// A key that may read but not see credentials.
	if got := r.call(r.key(linkspan.ScopeIntegrationsRead), "GET", "/integrations/oauth-2?include=credentials", ""); got.status != 200 || strings.Contains(got.body, "credentials") {
		t.Errorf("credentials without the scope: %d %s", got.status, got.body)
	}
	if got := r.call(r.key(linkspan.ScopeIntegrationsList), "GET", "/integrations", ""); got.status != 200 || strings.Contains(got.body, "hush") {
		t.Errorf("list without the scope: %d %s", got.status, got.body)
	}
	r.same(r.call(devKey, "DELETE", "/integrations/oauth-2", "", "Content-Type", "application/json"), 200, `{"success":true}`)
	r.same(r.call(devKey, "GET", "/integrations/", ""), 200, `{"data":[]}`)
}

func TestIntegrationConfiguration(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	r.must(devKey, "POST", "/integrations", `{"provider":"test-key","unique_key":"k","integration_config":{"seed":"s3cret"}}`)
	legacy := func(query string) reply { return r.call(devKey, "GET", "/config/k"+query, "") }
	r.same(legacy(""), 200, `{"config":{"unique_key":"k","provider":"test-key","syncs":[],"actions":[]}}`)
	// The webhook URL of the older route ends in the provider's name.
	full := func(custom string) string {
		return `{"config":{"unique_key":"k","provider":"test-key","syncs":[],"actions":[],"client_id":null,"client_secret":null,"scopes":null,"auth_mode":"API_KEY",
		"created_at":"<Z>","has_webhook":true,"webhook_secret":null,"webhook_url":"https://link.example/webhook/<uuid>/test-key","custom":` + custom + `}}`
	}
	r.same(legacy("?include_creds=true"), 200, full(`{"region":"eu","seed":"***"}`))
	// A mask written back keeps the secret, other keys stay, "" removes.
	r.must(devKey, "PATCH", "/integrations/k", `{"integration_config":{"seed":"***","region":"us"},"custom":{"baseUrl":"https://x.example"}}`)
	r.same(legacy("?include_creds=true"), 200, full(`{"region":"us","seed":"***","baseUrl":"https://x.example"}`))
	i, err := r.store.Integration(t.Context(), nil, r.dev.ID, "k")
	check(t, err)
	if s := i.Secrets.Custom["seed"].Reveal(); s != "s3cret" {
		t.Errorf("the masked secret became %q", s)
	}
	r.must(devKey, "PATCH", "/integrations/k", `{"custom":{"baseUrl":""},"integration_config":{"seed":""}}`)
	r.same(legacy("?include_creds=true"), 200, full(`{"region":"us"}`))
	r.expect(r.call(devKey, "PATCH", "/integrations/k", `{"integration_config":{"region":"mars"}}`), 400, "invalid_body", "Region must be one of")
	poor := r.key(linkspan.ScopeIntegrationsRead)
	r.expect(r.call(poor, "GET", "/config/k?include_creds=true", ""), 403, "forbidden")
	if got := r.must(devKey, "GET", "/integrations/k?include=webhook", ""); at(t, got, "data", "webhook_url") != "https://link.example/webhook/"+r.dev.UUID+"/k" {
		t.Errorf("webhook URL: %v", got)
	}
}

// A generic provider's integration says what its key is called.
func TestCredentialsLabel(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	integration := func(label string) string {
		return `{"data":{"unique_key":"g","provider":"private-api-generic","display_name":"Private API (Generic)",
		"logo":"https://link.example/images/template-logos/private-api-generic.svg","forward_webhooks":true,"created_at":"<Z>","updated_at":"<Z>",
		"credentials_label":{"apiKey":"` + label + `"}}}`
	}
	r.same(r.call(devKey, "POST", "/integrations", `{"provider":"private-api-generic","unique_key":"g","integration_config":{"keyName":"x-key","baseUrl":"https://x.example"}}`), 200,
		integration("API Key"))
	r.must(devKey, "PATCH", "/integrations/g", `{"integration_config":{"keyLabel":"Workspace token"}}`)
	r.same(r.call(devKey, "GET", "/integrations/g", ""), 200, integration("Workspace token"))
}

func TestConnections(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	r.must(devKey, "POST", "/integrations", `{"provider":"test-oauth","unique_key":"oauth","credentials":{"type":"OAUTH2","client_id":"id","client_secret":"s"}}`)
	r.must(devKey, "POST", "/integrations", `{"provider":"test-key","unique_key":"key"}`)
	r.same(r.call(devKey, "POST", "/connections", `{"provider_config_key":"oauth","connection_id":"c1","credentials":{"type":"OAUTH2","access_token":"at","refresh_token":"rt","expires_at":"2999-01-01T00:00:00Z"},
		"metadata":{"n":9007199254740993},"connection_config":{"sub":"x","webhook_url":"https://hooks.example/1"},"end_user":{"id":"u1","email":"u@x.io","tags":{"Team":"a"}},"tags":{"Plan":"pro"}}`), 201,
		`{"id":1,"connection_id":"c1","provider_config_key":"oauth","provider":"test-oauth","errors":[],
		"end_user":{"id":"u1","display_name":null,"email":"u@x.io","tags":{"Team":"a"},"organization":null},
		"tags":{"plan":"pro","team":"a","end_user_id":"u1","end_user_email":"u@x.io"},"metadata":{"n":9007199254740993},
		"connection_config":{"sub":"x"},"webhook_url_override":"https://hooks.example/1","created_at":"<Z>","updated_at":"<Z>","last_fetched_at":null,
		"credentials":{"type":"OAUTH2","access_token":"at","expires_at":"<Z>","raw":{}}}`)
	full := `{"id":1,"connection_id":"c1","provider_config_key":"oauth","provider":"test-oauth","errors":[],
		"end_user":{"id":"u1","display_name":null,"email":"u@x.io","tags":{"Team":"a"},"organization":null},
		"tags":{"plan":"pro","team":"a","end_user_id":"u1","end_user_email":"u@x.io"},"metadata":{"n":9007199254740993},
		"connection_config":{"sub":"x"},"webhook_url_override":"https://hooks.example/1","created_at":"<+00:00>","updated_at":"<+00:00>","last_fetched_at":"<+00:00>",
		"credentials":`
	query := "?provider_config_key=oauth&force_refresh=false&refresh_github_app_jwt_token=false&refresh_token="
	for _, path := range []string{"/connections/c1", "/connection/c1"} {
		r.same(r.call(devKey, "GET", path+query+"false", "", "Content-Type", "application/json"), 200, full+`{"type":"OAUTH2","access_token":"at","expires_at":"<Z>","raw":{}}}`)
		r.same(r.call(devKey, "GET", path+query+"true", ""), 200, full+`{"type":"OAUTH2","access_token":"at","refresh_token":"rt","expires_at":"<Z>","raw":{}}}`)
	}
	poor := r.key(linkspan.ScopeConnectionsRead)
	r.same(r.call(poor, "GET", "/connections/c1"+query+"false", ""), 200, full+`{}}`)
	if exact := r.call(devKey, "GET", "/connections/c1"+query+"false", ""); !strings.Contains(exact.body, `{"n":9007199254740993}`) {
		t.Errorf("a large number lost digits: %s", exact.body)
	}
	got := r.call(poor, "GET", "/connections/c1"+query+"true", "")
	r.expect(got, 403, "forbidden")
	if want := "Credential and refresh options require the environment:connections:read_credentials scope"; got.err(t).Error.Message != want {
		t.Errorf("message %q, want %q", got.err(t).Error.Message, want)
	}

	r.must(devKey, "POST", "/connections", `{"provider_config_key":"key","connection_id":"c2","credentials":{"type":"API_KEY","apiKey":"k"}}`)
	if first := r.must(poor, "GET", "/connections/c2?provider_config_key=key", ""); at(t, first, "last_fetched_at") == nil {
		t.Errorf("fetched without its credentials, the connection was never fetched: %v", first)
	}
	item := func(id, key, provider, rest string) string {
		return `{"id":` + id + `,"connection_id":"c` + id + `","provider_config_key":"` + key + `","provider":"` + provider + `","errors":[],"created":"<+00:00>",` + rest + `}`
	}
	one := item("1", "oauth", "test-oauth", `"end_user":{"id":"u1","display_name":null,"email":"u@x.io","tags":{"Team":"a"},"organization":null},
		"tags":{"plan":"pro","team":"a","end_user_id":"u1","end_user_email":"u@x.io"},"metadata":{"n":9007199254740993}`)
	two := item("2", "key", "test-key", `"end_user":null,"tags":{},"metadata":null`)
	for path, want := range map[string]string{
		"/connections": two + "," + one, "/connection": two + "," + one, "/connections?limit=1": two, "/connections?limit=1&page=1": one, "/connections?limit=1&page=2": "", "/connections?limit=2000&page=9007199254740991": "",
		"/connections?connectionId=c1": one, "/connections?search=U@X": one, "/connections?endUserId=u1": one, "/connections?integrationId=key%2Cnope": two,
		"/connections?integrationId=key,oauth": two + "," + one, "/connections?tags%5BPLAN%5D=pro&tags%5Bteam%5D=a": one, "/connections?tags[plan]=free": "",
	} {
		r.same(r.call(devKey, "GET", path, "", "Content-Type", "application/json"), 200, `{"connections":[`+want+`]}`)
	}

	r.same(r.call(devKey, "PATCH", "/connections/c1?provider_config_key=oauth", `{"tags":{"A":"b"},"webhook_url_override":""}`), 200, `{"success":true}`)
	after := r.must(devKey, "GET", "/connections/c1?provider_config_key=oauth", "")
	if diff := cmp.Diff(map[string]any{"a": "b"}, at(t, after, "tags")); diff != "" || at(t, after, "webhook_url_override") != nil {
		t.Errorf("after the patch: %v", after)
	}
	r.same(r.call(devKey, "DELETE", "/connection/c2?provider_config_key=key", ""), 200, `{"success":true}`)
	r.expect(r.call(devKey, "GET", "/connections/c2?provider_config_key=key", ""), 404, "not_found")
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	r.seed(devKey)
	metadata := func() any {
		return at(t, r.must(devKey, "GET", "/connections/c1?provider_config_key=seeded", ""), "metadata")
	}
	for _, tt := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"POST", "/connections/metadata", `{"connection_id":"c1","provider_config_key":"seeded","metadata":{"a":1,"b":{"c":2}}}`, 201, `{"a":1,"b":{"c":2}}`},
		{"PATCH", "/connections/metadata", `{"connection_id":["c1"],"provider_config_key":"seeded","metadata":{"b":3}}`, 200, `{"a":1,"b":3}`},
		{"POST", "/connection/metadata", `{"connection_id":"c1","provider_config_key":"seeded","metadata":{"x":1}}`, 201, `{"x":1}`},
		{"PATCH", "/connection/metadata", `{"connection_id":"c1","provider_config_key":"seeded","metadata":{"y":2}}`, 200, `{"x":1,"y":2}`},
		{"POST", "/connection/c1/metadata?provider_config_key=seeded", `{"z":1}`, 201, `{"z":1}`},
		{"PATCH", "/connection/c1/metadata?provider_config_key=seeded", `{"w":[]}`, 200, `{"z":1,"w":[]}`},
	} {
		r.same(r.call(devKey, tt.method, tt.path, tt.body), tt.status, tt.body)
		var want any
		check(t, json.Unmarshal([]byte(tt.want), &want))
		if diff := cmp.Diff(want, metadata()); diff != "" {
			t.Errorf("after %s %s (-want +got):\n%s", tt.method, tt.path, diff)
		}
	}
	r.same(r.call(devKey, "PATCH", "/connection/c1/metadata", `{"h":1}`, "Provider-Config-Key", "seeded"), 200, `{"h":1}`)
	// A connection that is called like a route can still be read.
	r.must(devKey, "POST", "/connections", `{"provider_config_key":"seeded","connection_id":"metadata","credentials":{"type":"API_KEY","apiKey":"k"}}`)
	r.must(devKey, "GET", "/connections/metadata?provider_config_key=seeded", "")
}

func TestLegacyImport(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	for _, p := range []string{"key", "basic"} {
		r.must(devKey, "POST", "/integrations", `{"provider":"test-`+p+`","unique_key":"`+p+`"}`)
	}
	r.must(devKey, "POST", "/integrations", `{"provider":"test-oauth","unique_key":"oauth","credentials":{"type":"OAUTH2","client_id":"id","client_secret":"s"}}`)
	for _, tt := range []struct{ body, key, want string }{
		{`{"provider_config_key":"key","connection_id":"l1","api_key":"k","metadata":{"a":1}}`, "key", `{"type":"API_KEY","apiKey":"k"}`},
		{`{"provider_config_key":"basic","connection_id":"l1","username":"","password":"p"}`, "basic", `{"type":"BASIC","username":"","password":"p"}`},
		{`{"provider_config_key":"oauth","connection_id":"l1","access_token":"a","no_expiration":true,"oauth_client_id_override":"x","oauth_client_secret_override":"y"}`, "oauth", `{"type":"OAUTH2","access_token":"a","raw":{},"config_override":{"client_id":"x","client_secret":"y"}}`},
		{`{"provider_config_key":"oauth","connection_id":"l1","access_token":"b","refresh_token":"r","expires_in":7200}`, "oauth", `{"type":"OAUTH2","access_token":"b","raw":{},"expires_at":"<Z>"}`},
	} {
		r.same(r.call(devKey, "POST", "/connection", tt.body), 201, tt.body)
		got := r.call(devKey, "GET", "/connection/l1?provider_config_key="+tt.key, "")
		var full struct{ Credentials json.RawMessage }
		check(t, json.Unmarshal([]byte(got.body), &full))
		r.same(reply{status: got.status, body: string(full.Credentials)}, 200, tt.want)
	}
}

// A refused key is not stored, and a failed refresh says what the contract asks.
func TestConnectionFailures(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{answer: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"error":"invalid_grant"}`)
	}})
	r.must(devKey, "POST", "/integrations", `{"provider":"test-key","unique_key":"key"}`)
	r.must(devKey, "POST", "/integrations", `{"provider":"test-oauth","unique_key":"oauth","credentials":{"type":"OAUTH2","client_id":"id","client_secret":"s"}}`)
	r.expect(r.call(devKey, "POST", "/connections", `{"provider_config_key":"key","connection_id":"c1","credentials":{"type":"API_KEY","apiKey":"k"}}`), 400, "connection_test_failed")
	r.same(r.call(devKey, "GET", "/connections", ""), 200, `{"connections":[]}`)

	r.must(devKey, "POST", "/connections", `{"provider_config_key":"oauth","connection_id":"c2","credentials":{"type":"OAUTH2","access_token":"at-secret","refresh_token":"rt-secret","expires_at":"2020-01-01T00:00:00Z"}}`)
	for i, want := range []int{400, 424} { // the second within the cooldown
		got := r.call(devKey, "GET", "/connections/c2?provider_config_key=oauth", "")
		b := got.err(t)
		var payload struct {
			Connection struct {
				ConnectionID string            `json:"connection_id"`
				Credentials  map[string]any    `json:"credentials"`
				Errors       []json.RawMessage `json:"errors"`
			} `json:"connection"`
		}
		check(t, json.Unmarshal(b.Error.Payload, &payload))
		if got.status != want || b.Error.Code != "invalid_credentials" || payload.Connection.ConnectionID != "c2" || len(payload.Connection.Credentials) != 0 || payload.Connection.Credentials == nil || len(payload.Connection.Errors) != 1 {
			t.Errorf("read %d: %d %s", i, got.status, got.body)
		}
		if strings.Contains(got.body, "-secret") {
			t.Errorf("the error holds a secret: %s", got.body)
		}
	}
	list := r.must(devKey, "GET", "/connections", "")
	items, _ := at(t, list, "connections").([]any)
	if errs, _ := at(t, items[0], "errors").([]any); len(errs) != 1 || at(t, errs[0], "type") != "auth" {
		t.Errorf("errors of the connection: %v", items)
	}
}

func TestEnvironments(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	r.same(r.call(accountKey, "GET", "/environments", ""), 200, `{"data":[{"id":1,"uuid":"<uuid>","name":"dev","is_production":false},{"id":2,"uuid":"<uuid>","name":"prod","is_production":true}]}`)
	r.same(r.call(accountKey, "GET", "/environments?name=prod", ""), 200, `{"data":[{"id":2,"uuid":"<uuid>","name":"prod","is_production":true}]}`)
	r.same(r.call(accountKey, "POST", "/environments", `{"name":"staging","callback_url":"https://cb.example/x","hmac_key":"hk","hmac_enabled":true,"slack_notifications":true,"otlp_endpoint":"","otlp_headers":[{"name":"h","value":"v"}]}`), 200,
		`{"data":{"id":3,"uuid":"<uuid>","name":"staging"}}`)
	staging, err := r.store.EnvironmentByID(t.Context(), nil, r.account.ID, 3)
	check(t, err)
	path := "/environments/" + staging.UUID

	// Keys, both forms.
	r.same(r.call(accountKey, "POST", path+"/api-keys", `{"display_name":"k1","scopes":["environment:proxy"]}`), 200,
		`{"data":{"id":5,"uuid":"<uuid>","display_name":"k1","scopes":["environment:proxy"],"secret":"<uuid>","created_at":"<Z>"}}`)
	made := r.must(accountKey, "POST", "/environment/api-keys", `{"environment_id":3,"display_name":"k2"}`)
	secret, _ := at(t, made, "data", "secret").(string)
	r.must(secret, "GET", "/integrations", "")
	r.same(r.call(accountKey, "GET", path+"/api-keys?display_name=k1", ""), 200, `{"data":[{"id":5,"uuid":"<uuid>","display_name":"k1","scopes":["environment:proxy"],"last_used_at":null,"created_at":"<Z>"}]}`)
	keys, _ := at(t, r.must(accountKey, "GET", path+"/api-keys", ""), "data").([]any)
	if len(keys) != 3 {
		t.Errorf("%d keys, want the default one and two more", len(keys))
	}
	keyUUID, _ := at(t, made, "data", "uuid").(string)
	r.same(r.call(accountKey, "GET", path+"/api-keys/"+keyUUID, ""), 200, `{"data":{"id":6,"uuid":"<uuid>","display_name":"k2","scopes":["environment:*"],"last_used_at":null,"created_at":"<Z>"}}`)
	r.same(r.call(accountKey, "DELETE", path+"/api-keys/"+keyUUID, ""), 200, `{"success":true}`)
	r.expect(r.call(secret, "GET", "/integrations", ""), 401, "unknown_account")
	r.same(r.call(accountKey, "DELETE", "/environment/api-keys", `{"environment_id":3,"key_id":5}`), 200, `{"success":true}`)

	if got := r.call(accountKey, "DELETE", path, ""); got.status != 204 || got.body != "" {
		t.Errorf("delete: %d %q", got.status, got.body)
	}
	r.must(accountKey, "POST", "/environments", `{"name":"staging"}`)
	if got := r.call(accountKey, "DELETE", "/environments/4", ""); got.status != 204 {
		t.Errorf("delete by number: %d %s", got.status, got.body)
	}
}

func TestVariablesAndSigningKey(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	r.same(r.call(devKey, "GET", "/environment-variables", "", "Content-Type", "application/json"), 200, `[]`)
	r.same(r.call(accountKey, "PUT", "/environments/"+r.dev.UUID+"/variables", `{"variables":[{"name":"B","value":""},{"name":"A","value":"1"}]}`), 200, `{"success":true}`)
	r.same(r.call(devKey, "GET", "/environment-variables", ""), 200, `[{"name":"A","value":"1"},{"name":"B","value":""}]`)
	r.same(r.call(r.key(linkspan.ScopeVariablesWrite), "PUT", "/environments/"+r.dev.UUID+"/variables", `{"variables":[]}`), 200, `{"success":true}`)
	r.same(r.call(devKey, "GET", "/environment-variables", ""), 200, `[]`)

	r.same(r.call(devKey, "POST", "/environment/webhook-signing-key/rotate", ""), 200, `{"data":{"webhook_signing_key":"<uuid>"}}`)
	env, err := r.store.EnvironmentByUUID(t.Context(), nil, r.account.ID, r.dev.UUID)
	check(t, err)
	if env.WebhookSigningKey.Equal(r.dev.WebhookSigningKey) {
		t.Error("the signing key did not change")
	}
}

func TestOperations(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var ids []string
	for i := range 3 {
		ids = append(ids, string(r.operation(r.dev, start.Add(time.Duration(i)*time.Minute), func(op *linkspan.Operation) {
			if i == 1 {
				op.State, op.Type, op.Action = linkspan.StateFailed, linkspan.OperationAuth, linkspan.ActionRefreshToken
				op.Error = &linkspan.OperationError{Code: "x", Message: "y"}
			}
		})))
	}
	page := r.must(devKey, "GET", "/logs/operations?limit=2", "")
	if at(t, page, "next_cursor") != ids[1] {
		t.Errorf("cursor %v, want %s", at(t, page, "next_cursor"), ids[1])
	}
	for query, want := range map[string][]string{
		"": {ids[2], ids[1], ids[0]}, "?before=" + ids[1]: {ids[0]}, "?type=auth": {ids[1]}, "?type=auth,proxy&status=success": {ids[2], ids[0]},
		"?integration=nope": nil, "?connection=c1&from=2026-01-02T03:05:05Z&to=2026-01-02T03:06:05.000Z": {ids[1]},
	} {
		list, _ := at(t, r.must(devKey, "GET", "/logs/operations"+query, ""), "data").([]any)
		var got []string
		for _, op := range list {
			id, _ := at(t, op, "id").(string)
			got = append(got, id)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("operations%s (-want +got):\n%s", query, diff)
		}
	}
	r.same(r.call(devKey, "GET", "/logs/operations/"+ids[1], ""), 200, `{"data":{"id":"`+ids[1]+`","type":"auth","action":"refresh_token","status":"failed","message":"GET /x",
		"integration":"seeded","provider":"test-key","connection":"c1","error":{"code":"x","message":"y"},"request":null,"response":null,"meta":null,
		"created_at":"<Z>","started_at":"<Z>","ended_at":"<Z>","expires_at":"<Z>","duration_ms":1500,
		"messages":[{"id":2,"type":"http","source":"internal","level":"warn","message":"again","request":null,"response":null,"error":null,
		"retry":{"attempt":1,"max":2,"waited":5},"meta":null,"created_at":"<Z>","ended_at":null}]},"next_cursor":null}`)
}

func TestProviders(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	got := r.must(devKey, "GET", "/providers/test-oauth", "")
	if at(t, got, "data", "name") != "test-oauth" || at(t, got, "data", "auth_mode") != "OAUTH2" || at(t, got, "data", "docs") != publicURL+"/docs/providers/test-oauth" {
		t.Errorf("provider: %v", got)
	}
	found, _ := at(t, r.must(devKey, "GET", "/providers?search=TEST%20O", ""), "data").([]any)
	if len(found) != 1 || at(t, found[0], "name") != "test-oauth" {
		t.Errorf("found %v", found)
	}
	all, _ := at(t, r.must(devKey, "GET", "/providers?search=", ""), "data").([]any)
	if len(all) < 980 {
		t.Errorf("%d providers", len(all))
	}

	plain := r.call("", "GET", "/providers.json", "", "Accept-Encoding", "application/json")
	packed := r.call("", "GET", "/providers.json", "", "Accept-Encoding", "br, gzip;q=0.8")
	if plain.header.Get("Content-Encoding") != "" || packed.header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("encodings: %v and %v", plain.header, packed.header)
	}
	z, err := gzip.NewReader(strings.NewReader(packed.body))
	check(t, err)
	unpacked, err := io.ReadAll(z)
	check(t, err)
	if string(unpacked) != plain.body {
		t.Error("the two encodings differ")
	}
	var byName map[string]map[string]any
	check(t, json.Unmarshal(unpacked, &byName))
	if byName["test-key"]["display_name"] != "Test Key" {
		t.Errorf("entry: %v", byName["test-key"])
	}
	tags := map[string]string{"identity": plain.header.Get("Etag"), "gzip": packed.header.Get("Etag")}
	if tags["identity"] == tags["gzip"] {
		t.Errorf("both encodings have the entity tag %s", tags["gzip"])
	}
	for encoding := range tags {
		for of, tag := range tags {
			want := http.StatusOK
			if of == encoding {
				want = http.StatusNotModified
			}
			again := r.call("", "GET", "/providers.json", "", "Accept-Encoding", encoding, "If-None-Match", tag)
			if again.status != want || again.header.Get("Etag") != tags[encoding] || again.status == http.StatusNotModified && again.body != "" {
				t.Errorf("%s, asked with the tag of %s: %d, %s, %d bytes", encoding, of, again.status, again.header.Get("Etag"), len(again.body))
			}
		}
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	down := false
	r := newRig(t, rigOptions{ready: func(context.Context) error {
		if down {
			return io.ErrUnexpectedEOF
		}
		return nil
	}})
	r.same(r.call("", "GET", "/health", ""), 200, `{"result":"ok"}`)
	r.same(r.call("", "GET", "/ready", ""), 200, `{"result":"ok"}`)
	down = true
	r.same(r.call("", "GET", "/ready", ""), 503, `{"result":"not ready"}`)
}

// The proxy gets the path as it was sent, whatever it holds.
func TestProxyDispatch(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	for _, path := range []string{"/proxy/a//b", "/proxy/a/../b", "/proxy/a%2Fb", "/proxy/https://x.example/y", "/proxy/"} {
		for _, method := range []string{"GET", "POST", "PROPFIND", "REPORT", "OPTIONS"} {
			got := r.call(devKey, method, path, "")
			if want := method + " " + path + " dev"; got.status != http.StatusAccepted || got.body != want {
				t.Errorf("%s %s: %d %q", method, path, got.status, got.body)
			}
		}
	}
}

func TestOpenAPI(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	doc, err := server.OpenAPI(r.server.Routes())
	check(t, err)
	if got := r.call("", "GET", "/openapi.json", ""); got.body != string(doc) {
		t.Error("GET /openapi.json answers something else")
	}
	testfile.Golden(t, *update, "../../api/openapi.json", string(doc))
	for _, route := range r.server.Routes() {
		if !unlisted(route) && (route.Summary == "" || route.Tag == "") {
			t.Errorf("%s %s is not described", route.Method, route.Pattern)
		}
	}
}

// unlisted reports whether a route is none that programs call: pages and
// pictures, where providers send browsers, and what is always refused.
func unlisted(route httpx.Route) bool {
	switch first, _, _ := strings.Cut(strings.TrimPrefix(route.Pattern, "/"), "/"); first {
	case "", "docs", "images", "app-auth", "oauth2", "cli":
		return true
	case "oauth":
		return !strings.HasPrefix(route.Pattern, "/oauth/connect/")
	case "auth":
		return !strings.HasPrefix(route.Pattern, "/auth/unauthenticated/")
	default:
		return false
	}
}
