package server_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/linkspan/linkspan"
)

// dump is all that callers can change in an environment, as text.
func (r *rig) dump(env linkspan.Environment) string {
	r.t.Helper()
	ctx := context.WithoutCancel(r.t.Context()) // also used when the test has ended
	integrations, err := r.store.Integrations(ctx, nil, env.ID)
	check(r.t, err)
	connections, err := r.store.Connections(ctx, nil, linkspan.ConnectionFilter{EnvironmentID: env.ID, Limit: 100})
	check(r.t, err)
	vars, err := r.store.Variables(ctx, nil, env.ID)
	check(r.t, err)
	keys, err := r.access.Keys(ctx, r.account.ID, env.ID, "")
	check(r.t, err)
	for i := range keys {
		keys[i].LastUsedAt = keys[i].CreatedAt // written behind, on its own time
	}
	envs, err := r.store.Environments(ctx, nil, r.account.ID, "")
	check(r.t, err)
	for i := range connections {
		connections[i].LastFetchedAt = connections[i].CreatedAt
	}
	deliveries, err := r.webhooks.Deliveries(ctx, linkspan.DeliveryFilter{EnvironmentID: env.ID})
	check(r.t, err)
	functions, err := r.functions.All(ctx, env.ID)
	check(r.t, err)
	text, err := json.Marshal([]any{integrations, connections, vars, keys, envs, deliveries, functions})
	check(r.t, err)
	return string(text)
}

func TestBadInputChangesNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	r.seed(devKey)
	r.must(devKey, "POST", "/integrations", `{"provider":"test-oauth","unique_key":"oauth","credentials":{"type":"OAUTH2","client_id":"id","client_secret":"s"}}`)
	before := r.dump(r.dev)
	env := "/environments/" + r.dev.UUID
	tests := []struct {
		name, key, method, path, body string
		status                        int
		code                          string
		issue                         string
	}{
		{"malformed JSON", devKey, "POST", "/integrations", `{"provider":`, 400, "invalid_json", ""},
		{"trailing text", devKey, "POST", "/integrations", `{"provider":"test-key","unique_key":"x"} x`, 400, "invalid_json", ""},
		{"no body", devKey, "POST", "/integrations", "", 400, "invalid_body", "invalid_type Invalid input: expected object, received undefined"},
		{"an array", devKey, "POST", "/integrations", `[]`, 400, "invalid_body", "expected object, received array"},
		{"unknown key", devKey, "POST", "/integrations", `{"provider":"test-key","unique_key":"x","zzz":1}`, 400, "invalid_body", `unrecognized_keys Unrecognized key: "zzz"`},
		{"missing keys", devKey, "POST", "/integrations", `{}`, 400, "invalid_body", "Invalid input: expected string, received undefined"},
		{"wrong type", devKey, "POST", "/integrations", `{"provider":1,"unique_key":"x"}`, 400, "invalid_body", "expected string, received number"},
		{"wrong characters", devKey, "POST", "/integrations", `{"provider":"test-key","unique_key":"a/b"}`, 400, "invalid_body", "invalid_format Invalid string: must match pattern"},
		{"too long", devKey, "POST", "/integrations", `{"provider":"test-key","unique_key":"` + strings.Repeat("a", 256) + `"}`, 400, "invalid_body", "too_big"},
		{"unknown provider", devKey, "POST", "/integrations", `{"provider":"nothing-like-it","unique_key":"x"}`, 400, "invalid_body", "invalid_string Invalid provider"},
		{"unsupported provider", devKey, "POST", "/integrations", `{"provider":"netsuite-tba","unique_key":"x"}`, 400, "unsupported_provider", ""},
		{"taken key", devKey, "POST", "/integrations", `{"provider":"test-key","unique_key":"seeded"}`, 400, "invalid_body", "invalid_string Unique key already exists"},
		{"unknown type of credentials", devKey, "POST", "/integrations", `{"provider":"test-oauth","unique_key":"x","credentials":{"type":"WHAT"}}`, 400, "invalid_body", "invalid_union invalid credentials object"},
		{"missing credentials", devKey, "POST", "/integrations", `{"provider":"test-oauth","unique_key":"x"}`, 400, "invalid_body", ""},
		{"credentials of another mode", devKey, "POST", "/integrations", `{"provider":"test-key","unique_key":"x","credentials":{"type":"OAUTH2","client_id":"a","client_secret":"b"}}`, 400, "invalid_body", ""},
		{"spaces in scopes", devKey, "POST", "/integrations", `{"provider":"test-oauth","unique_key":"x","credentials":{"type":"OAUTH2","client_id":"a","client_secret":"b","scopes":"a b"}}`, 400, "invalid_body", "invalid_format"},
		{"private key that is none", devKey, "POST", "/integrations", `{"provider":"test-oauth","unique_key":"x","credentials":{"type":"APP","app_id":"a","app_link":"b","private_key":"c"}}`, 400, "invalid_body", "invalid_format"},
		{"configuration value out of its choices", devKey, "POST", "/integrations", `{"provider":"test-key","unique_key":"x","integration_config":{"region":"mars"}}`, 400, "invalid_body", "custom Region must be one of eu, us"},
		{"unknown configuration", devKey, "POST", "/integrations", `{"provider":"test-key","unique_key":"x","integration_config":{"zone":"eu"}}`, 400, "invalid_body", `unrecognized_keys Unrecognized key: "zone"`},
		{"configuration where there is none", devKey, "POST", "/integrations", `{"provider":"test-basic","unique_key":"x","integration_config":{"zone":"eu"}}`, 400, "invalid_body", "custom The provider has no integration configuration"},
		{"query where there is none", devKey, "POST", "/integrations?x=1", `{"provider":"test-key","unique_key":"x"}`, 400, "invalid_query_params", `unrecognized_keys Unrecognized key: "x"`},
		{"quickstart", devKey, "POST", "/integrations/quickstart", `{"provider":"test-oauth","unique_key":"x"}`, 400, "invalid_body", ""},
		{"rename with connections", devKey, "PATCH", "/integrations/seeded", `{"unique_key":"other"}`, 400, "invalid_body", ""},
		{"rename to a taken key", devKey, "PATCH", "/integrations/oauth", `{"unique_key":"seeded"}`, 400, "invalid_body", ""},
		{"update of nothing there", devKey, "PATCH", "/integrations/nope", `{"display_name":"x"}`, 404, "not_found", ""},
		{"update with null", devKey, "PATCH", "/integrations/seeded", `{"display_name":null}`, 400, "invalid_body", "expected string, received null"},
		{"bad path value", devKey, "GET", "/integrations/a%2Fb", "", 400, "invalid_uri_params", ""},
		{"bad include", devKey, "GET", "/integrations/seeded?include=everything", "", 400, "invalid_query_params", ""},
		{"body on delete", devKey, "DELETE", "/integrations/seeded", `{"a":1}`, 400, "invalid_body", ""},
		{"unknown legacy integration", devKey, "GET", "/config/nope", "", 400, "unknown_provider_config", ""},

		{"import without credentials", devKey, "POST", "/connections", `{"provider_config_key":"seeded"}`, 400, "invalid_body", "invalid_type"},
		{"import of an unknown type", devKey, "POST", "/connections", `{"provider_config_key":"seeded","credentials":{"type":"X"}}`, 400, "invalid_body", "invalid_union"},
		{"import of another mode", devKey, "POST", "/connections", `{"provider_config_key":"seeded","credentials":{"type":"OAUTH1","oauth_token":"a","oauth_token_secret":"b"}}`, 400, "invalid_body", ""},
		{"import without integration", devKey, "POST", "/connections", `{"provider_config_key":"nope","credentials":{"type":"API_KEY","apiKey":"k"}}`, 404, "not_found", ""},
		{"import with a bad id", devKey, "POST", "/connections", `{"provider_config_key":"seeded","connection_id":"a\u0001","credentials":{"type":"API_KEY","apiKey":"k"}}`, 400, "invalid_body", "invalid_union Invalid input"},
		{"import with nested config", devKey, "POST", "/connections", `{"provider_config_key":"seeded","connection_config":{"a":{}},"credentials":{"type":"API_KEY","apiKey":"k"}}`, 400, "invalid_body", ""},
		{"import with eleven tags", devKey, "POST", "/connections", `{"provider_config_key":"seeded","tags":{"a":"1","b":"1","c":"1","d":"1","e":"1","f":"1","g":"1","h":"1","i":"1","j":"1","k":"1"},"credentials":{"type":"API_KEY","apiKey":"k"}}`, 400, "invalid_body", ""},
		{"import with a bad end user", devKey, "POST", "/connections", `{"provider_config_key":"seeded","end_user":{"id":"u","what":1},"credentials":{"type":"API_KEY","apiKey":"k"}}`, 400, "invalid_body", `Unrecognized key: "what"`},
		{"key too long", devKey, "POST", "/connections", `{"provider_config_key":"seeded","credentials":{"type":"API_KEY","apiKey":"` + strings.Repeat("k", 1025) + `"}}`, 400, "invalid_body", "too_big"},
		{"bad moment", devKey, "POST", "/connections", `{"provider_config_key":"oauth","credentials":{"type":"OAUTH2","access_token":"a","expires_at":"tomorrow"}}`, 400, "invalid_body", "invalid_format Invalid ISO datetime"},
		{"no integration in the query", devKey, "GET", "/connections/c1", "", 400, "invalid_query_params", "received undefined"},
		{"unknown integration", devKey, "GET", "/connections/c1?provider_config_key=nope", "", 400, "unknown_provider_config", ""},
		{"unknown connection", devKey, "GET", "/connections/nope?provider_config_key=seeded", "", 404, "not_found", ""},
		{"bad boolean", devKey, "GET", "/connections/c1?provider_config_key=seeded&force_refresh=maybe", "", 400, "invalid_query_params", "invalid_value"},
		{"limit too large", devKey, "GET", "/connections?limit=2001", "", 400, "invalid_query_params", "too_big"},
		{"negative page", devKey, "GET", "/connections?page=-1", "", 400, "invalid_query_params", "too_small"},
		{"unknown filter", devKey, "GET", "/connections?foo=1", "", 400, "invalid_query_params", "unrecognized_keys"},
		{"patch with a bad tag", devKey, "PATCH", "/connections/c1?provider_config_key=seeded", `{"tags":{"1":"x"}}`, 400, "invalid_body", ""},
		{"patch with a long URL", devKey, "PATCH", "/connections/c1?provider_config_key=seeded", `{"webhook_url_override":"https://x.example/` + strings.Repeat("x", 2048) + `"}`, 400, "invalid_body", "too_big"},
		{"patch with a bad URL", devKey, "PATCH", "/connections/c1?provider_config_key=seeded", `{"webhook_url_override":"ftp://x"}`, 400, "invalid_body", "invalid_format"},
		{"patch of nothing there", devKey, "PATCH", "/connections/nope?provider_config_key=seeded", `{}`, 404, "not_found", ""},
		{"delete of nothing there", devKey, "DELETE", "/connections/nope?provider_config_key=seeded", "", 400, "unknown_connection", ""},
		{"delete without integration", devKey, "DELETE", "/connections/c1?provider_config_key=nope", "", 400, "unknown_provider_config", ""},
		{"metadata of one that is missing", devKey, "POST", "/connections/metadata", `{"provider_config_key":"seeded","connection_id":["c1","nope"],"metadata":{"a":1}}`, 404, "unknown_connection", ""},
		{"metadata that is no object", devKey, "PATCH", "/connections/metadata", `{"provider_config_key":"seeded","connection_id":"c1","metadata":[]}`, 400, "invalid_body", "invalid_type"},
		{"metadata for no ids", devKey, "PATCH", "/connections/metadata", `{"provider_config_key":"seeded","connection_id":[],"metadata":{}}`, 400, "invalid_body", "invalid_union"},
		{"metadata for a number", devKey, "PATCH", "/connections/metadata", `{"provider_config_key":"seeded","connection_id":5,"metadata":{}}`, 400, "invalid_body", "invalid_union"},
		{"legacy metadata without integration", devKey, "POST", "/connection/c1/metadata", `{"a":1}`, 400, "missing_provider_config", ""},
		{"legacy metadata of nothing there", devKey, "POST", "/connection/nope/metadata?provider_config_key=seeded", `{"a":1}`, 404, "unknown_connection", ""},
		{"legacy import without integration", devKey, "POST", "/connection", `{"connection_id":"x"}`, 400, "missing_provider_config", ""},
		{"legacy import of an unknown one", devKey, "POST", "/connection", `{"provider_config_key":"nope"}`, 400, "unknown_provider_config", ""},
		{"legacy import without key", devKey, "POST", "/connection", `{"provider_config_key":"seeded"}`, 400, "missing_api_key", ""},
		{"legacy import without token", devKey, "POST", "/connection", `{"provider_config_key":"oauth"}`, 400, "missing_access_token", ""},
		{"legacy import without expiry", devKey, "POST", "/connection", `{"provider_config_key":"oauth","access_token":"a"}`, 400, "missing_expires_at", ""},
		{"legacy import with a bad expiry", devKey, "POST", "/connection", `{"provider_config_key":"oauth","access_token":"a","expires_at":"soon"}`, 400, "invalid_expires_at", ""},
		{"legacy import with a bad lifetime", devKey, "POST", "/connection", `{"provider_config_key":"oauth","access_token":"a","expires_in":1e300}`, 400, "invalid_expires_at", ""},

		{"environment without a name", accountKey, "POST", "/environments", `{}`, 400, "invalid_body", "received undefined"},
		{"environment with a bad name", accountKey, "POST", "/environments", `{"name":"Dev"}`, 400, "invalid_body", "invalid_format"},
		{"environment that is there", accountKey, "POST", "/environments", `{"name":"dev"}`, 409, "conflict", ""},
		{"prod that is not production", accountKey, "POST", "/environments", `{"name":"prod","is_production":false}`, 400, "invalid_is_prod_flag", ""},
		{"delete of prod", accountKey, "DELETE", "/environments/" + r.prod.UUID, "", 400, "cannot_delete_prod_environment", ""},
		{"delete of an unknown one", accountKey, "DELETE", "/environments/" + linkspan.NewUUID(), "", 404, "not_found", ""},
		{"delete by a bad number", accountKey, "DELETE", "/environments/999999", "", 404, "not_found", ""},
		{"delete by nonsense", accountKey, "DELETE", "/environments/nonsense", "", 400, "invalid_uri_params", ""},
		{"bad callback URL", accountKey, "PATCH", env + "/settings", `{"callback_url":"javascript:alert(1)"}`, 400, "invalid_body", "invalid_format Invalid URL"},
		{"prod made not production", accountKey, "PATCH", "/environments/" + r.prod.UUID + "/settings", `{"is_production":false}`, 400, "invalid_is_prod_flag", ""},
		{"environment key decides production", devKey, "PATCH", env + "/settings", `{"is_production":true}`, 403, "forbidden", ""},
		{"variable given twice", devKey, "PUT", env + "/variables", `{"variables":[{"name":"A","value":"1"},{"name":"A","value":"2"}]}`, 400, "invalid_body", "custom The variable"},
		{"key without a name", accountKey, "POST", env + "/api-keys", `{}`, 400, "invalid_body", "received undefined"},
		{"key with an unknown scope", accountKey, "POST", env + "/api-keys", `{"display_name":"k","scopes":["environment:everything"]}`, 400, "invalid_body", "Unknown scope"},
		{"key with a scope of the account", accountKey, "POST", env + "/api-keys", `{"display_name":"k","scopes":["account:*"]}`, 400, "invalid_body", "Unknown scope"},
		{"key with a taken name", accountKey, "POST", env + "/api-keys", `{"display_name":"Default - Full access"}`, 409, "conflict", ""},
		{"key of an unknown environment", accountKey, "POST", "/environment/api-keys", `{"environment_id":99999,"display_name":"k"}`, 404, "not_found", ""},
		{"unknown key", accountKey, "DELETE", env + "/api-keys/" + linkspan.NewUUID(), "", 404, "not_found", ""},
		{"unknown key by number", accountKey, "DELETE", "/environment/api-keys", `{"environment_id":1,"key_id":99999}`, 404, "not_found", ""},
		{"unknown provider in the path", devKey, "GET", "/providers/nothing-like-it", "", 404, "not_found", ""},
		{"operation with a bad id", devKey, "GET", "/logs/operations/UPPER", "", 400, "invalid_uri_params", ""},
		{"unknown operation", devKey, "GET", "/logs/operations/0123456789abcdefghijklmn", "", 404, "not_found", ""},
		{"operations with a bad status", devKey, "GET", "/logs/operations?status=fine", "", 400, "invalid_query_params", "invalid_value"},
		{"operations with a bad moment", devKey, "GET", "/logs/operations?from=yesterday", "", 400, "invalid_query_params", "invalid_format"},

		{"oversize", devKey, "POST", "/connections/metadata", `{"metadata":{"a":"` + strings.Repeat("x", 1<<20) + `"}}`, 413, "request_too_large", ""},
		{"double slash", devKey, "GET", "//integrations", "", 404, "not_found", ""},
		{"dots", devKey, "GET", "/connections/../integrations", "", 404, "not_found", ""},
		{"encoded dots", devKey, "GET", "/connections/%2e%2e/integrations", "", 404, "not_found", ""},
		{"unknown route", devKey, "GET", "/nothing", "", 404, "not_found", ""},
		{"route of a later version", devKey, "POST", "/mcp", `{}`, 404, "not_found", ""},
		{"wrong method", devKey, "PUT", "/integrations", `{}`, 405, "method_not_allowed", ""},
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
	r.expect(r.call(devKey, "POST", "/integrations", "", "Content-Type", "text/plain"), http.StatusUnsupportedMediaType, "invalid_content_type")
}

// The messages that the contract spells out.
func TestContractMessages(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	r.seed(devKey)
	for _, tt := range []struct{ method, path, body, want string }{
		{"POST", "/integrations", `{"provider":"test-key","unique_key":"x","credentials":{"type":"APP","app_id":"a","app_link":"b","private_key":"-----BEGIN RSA PRIVATE KEY-----\nx\n-----END RSA PRIVATE KEY-----"}}`, "incompatible credentials auth type and provider auth"},
		{"POST", "/integrations", `{"provider":"test-oauth","unique_key":"x"}`, "Missing credentials"},
		{"GET", "/integrations/nope", "", `Integration "nope" does not exist`},
		{"GET", "/providers/nope", "", "Unknown provider nope"},
		{"GET", "/connections/c1?provider_config_key=nope", "", "Provider does not exists"},
		{"GET", "/connections/c2?provider_config_key=seeded", "", "Failed to find connection"},
		{"POST", "/connections", `{"provider_config_key":"nope","credentials":{"type":"NONE"}}`, "Integration does not exist"},
		{"POST", "/connections", `{"provider_config_key":"seeded","credentials":{"type":"BASIC","username":"","password":""}}`, "Provider API_KEY does not support BASIC auth"},
	} {
		if got := r.call(devKey, tt.method, tt.path, tt.body).err(t).Error.Message; got != tt.want {
			t.Errorf("%s %s: message %q, want %q", tt.method, tt.path, got, tt.want)
		}
	}
	// Older routes carry an empty payload.
	if got := r.call(devKey, "GET", "/config/nope", "").err(t); string(got.Error.Payload) != "{}" {
		t.Errorf("payload of an older route: %s", got.Error.Payload)
	}
}
