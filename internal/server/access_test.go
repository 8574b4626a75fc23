package server_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/access"
	"github.com/linkspan/linkspan/internal/httpx"
)

// request fills the pattern of a route with the things of an environment.
func request(r *rig, route httpx.Route, env linkspan.Environment, op linkspan.OperationID, keyUUID string) (method, path string) {
	path = route.Pattern
	for name, value := range map[string]string{
		"provider": "test-key", "unique_key": "seeded", "connection_id": "c1", "environment_uuid": env.UUID, "environment": env.UUID,
		"operation_id": string(op), "key_uuid": keyUUID, "name": "test-key", "file": "test-key.svg",
		"provider_config_key": "seeded", "delivery_id": keyUUID, "id": keyUUID, "path...": "x", "variant": "eu",
	} {
		path = strings.ReplaceAll(path, "{"+name+"}", value)
	}
	if strings.Contains(path, "{") {
		r.t.Fatalf("the tests don't know how to fill %s", route.Pattern)
	}
	if route.Raw {
		path += "x"
	}
	method = route.Method
	if method == "" {
		method = http.MethodGet
	}
	return method, path
}

func TestEveryRouteAsksForAKey(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	// What needs no key, and what it answers to a caller with nothing to say.
	open := map[string]int{
		"/health": 200, "/ready": 200, "/openapi.json": 200, "/providers.json": 200,
		"/docs/providers": 200, "/docs/providers/{name}": 200, "/images/template-logos/{file}": 200,
		"/": 302, "/oauth/callback": 400, "/app-auth/connect": 400, "/connect/telemetry": 400, "/cli/telemetry": 204,
		"/oauth/client-metadata/{environment_uuid}/{provider_config_key}": 404,
	}
	for _, route := range r.server.Routes() {
		method, path := request(r, route, r.dev, "0123456789abcdefghijklmn", linkspan.NewUUID())
		got := r.call("", method, path, "")
		if want, ok := open[route.Pattern]; ok {
			if route.Pattern == "/oauth/callback" && method == http.MethodPost {
				want = http.StatusUnsupportedMediaType
			}
			if got.status != want || route.Auth != httpx.AuthNone {
				t.Errorf("%s %s without a key: %d, want %d", method, path, got.status, want)
			}
			continue
		}
		missing, unknown := "missing_auth_header", "unknown_account"
		switch route.Auth {
		case httpx.AuthSession:
			unknown = "invalid_connect_session_token_format"
		case httpx.AuthBrowser: // keys are for backends
			missing, unknown = "missing_public_key", "missing_public_key"
		default:
		}
		if got.status != http.StatusUnauthorized || got.code(t) != missing {
			t.Errorf("%s %s without a key: %d %s", method, path, got.status, got.body)
		}
		got = r.call(linkspan.NewUUID(), method, path, "")
		if got.status != http.StatusUnauthorized || got.code(t) != unknown {
			t.Errorf("%s %s with an unknown key: %d %s", method, path, got.status, got.body)
		}
	}
	if r.proxied.Load() != 0 {
		t.Error("the proxy was reached without a key")
	}
}

// Making environments is one thing, deciding what is production another.
func TestProductionAsksForItsScope(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	_, secret, err := r.access.CreateKey(t.Context(), nil, access.NewKey{
		AccountID: r.account.ID, DisplayName: "maker", Scopes: []string{linkspan.ScopeAccountEnvironmentsCreate, linkspan.ScopeAccountEnvironmentsUpdate},
	})
	check(t, err)
	maker := secret.Reveal()
	r.must(maker, "POST", "/environments", `{"name":"staging"}`)
	for _, refused := range []reply{
		r.call(maker, "POST", "/environments", `{"name":"live","is_production":true}`),
		r.call(maker, "POST", "/environments", `{"name":"prod"}`),
		r.call(maker, "PATCH", "/environments/"+r.dev.UUID+"/settings", `{"is_production":true}`),
	} {
		r.expect(refused, 403, "forbidden")
		if want := "Insufficient scope. Required: " + linkspan.ScopeAccountEnvironmentsSetProd; refused.err(t).Error.Message != want {
			t.Errorf("message %q, want %q", refused.err(t).Error.Message, want)
		}
	}
	r.must(accountKey, "POST", "/environments", `{"name":"live","is_production":true}`)
}

func TestEveryRouteAsksForItsScope(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	poor := r.key("environment:mcp")
	_, secret, err := r.access.CreateKey(t.Context(), nil, access.NewKey{
		AccountID: r.account.ID, DisplayName: "poor", Scopes: []string{linkspan.ScopeAccountEnvironmentsSetProd},
	})
	check(t, err)
	poorAccount := secret.Reveal()
	for _, route := range r.server.Routes() {
		if route.Auth == httpx.AuthNone {
			continue
		}
		method, path := request(r, route, r.dev, "0123456789abcdefghijklmn", linkspan.NewUUID())
		if route.Auth == httpx.AuthSession || route.Auth == httpx.AuthBrowser {
			if got := r.call(devKey, method, path, ""); got.status != http.StatusUnauthorized {
				t.Errorf("%s %s with an environment key: %d %s", method, path, got.status, got.body)
			}
			continue
		}
		environment := route.Auth != httpx.AuthAccount
		account := route.Auth == httpx.AuthAccount || route.Auth == httpx.AuthEnvironmentOrAccount
		if environment {
			want := "Insufficient scope. Required"
			if got := r.call(poor, method, path, ""); len(route.Scopes) > 0 && (got.status != http.StatusForbidden || !strings.HasPrefix(got.err(t).Error.Message, want)) {
				t.Errorf("%s %s without a scope: %d %s", method, path, got.status, got.body)
			}
		} else if got := r.call(devKey, method, path, ""); got.status != http.StatusForbidden {
			t.Errorf("%s %s with an environment key: %d %s", method, path, got.status, got.body)
		}
		if account {
			if got := r.call(poorAccount, method, path, ""); got.status != http.StatusForbidden {
				t.Errorf("%s %s with an account key without scope: %d %s", method, path, got.status, got.body)
			}
		} else if got := r.call(accountKey, method, path, ""); got.status != http.StatusForbidden || got.err(t).Error.Message != "API key is not authorized for an environment" {
			t.Errorf("%s %s with an account key: %d %s", method, path, got.status, got.body)
		}
	}
}

// Nothing of prod can be seen or changed with a key of dev.
func TestEnvironmentsAreIsolated(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	r.seed(prodKey)
	r.must(prodKey, "POST", "/sync/deploy", deployBody(strings.Replace(actionFlow, "createIssue", "test-key", 1), "[]", "all", deployTail))
	r.must(accountKey, "PUT", "/environments/"+r.prod.UUID+"/variables", `{"variables":[{"name":"A","value":"b"}]}`)
	op := r.operation(r.prod, time.Now(), nil)
	keys, err := r.access.Keys(t.Context(), r.account.ID, r.prod.ID, "")
	check(t, err)
	delivery := r.deliver(r.prod, nil)

	// What a key of dev gets for the things of prod.
	want := map[string]int{
		"GET /config/{unique_key}": 400, "GET /connections/{connection_id}": 400, "GET /connection/{connection_id}": 400,
		"PATCH /connections/{connection_id}": 400, "DELETE /connections/{connection_id}": 400, "DELETE /connection/{connection_id}": 400,
		"POST /sync/deploy": 400, "POST /sync/deploy/confirmation": 400,
		"POST /functions/deployments/bundle": 400, "POST /functions/deployments/bundle/preview": 400,
		"POST /connection": 400, "POST /connect/sessions": 400, "POST /connect/sessions/reconnect": 400,
		"POST /functions/compile": 200, // names nothing
		// See TestActionsAreIsolated.
		"POST /action/trigger": 400, " /v1/{path...}": 400,
		// See TestRefusedRecords, whose connection a key of prod asks for.
		"GET /records": 400, "PATCH /records/prune": 400,
		// Whose syncs these are is up to the service; see the end-to-end tests.
		"POST /sync/trigger": 400, "POST /sync/start": 400, "POST /sync/pause": 400, "POST /sync/cancel": 400, "GET /sync/status": 400,
		"PUT /sync/update-connection-frequency": 400, "POST /sync/{name}/variant/{variant}": 400, "DELETE /sync/{name}/variant/{variant}": 400,
	}
	bodies := map[string]string{
		"PATCH /integrations/{unique_key}":                `{"display_name":"x"}`,
		"POST /connections":                               `{"provider_config_key":"seeded","connection_id":"c1","credentials":{"type":"API_KEY","apiKey":"x"}}`,
		"POST /connection":                                `{"provider_config_key":"seeded","connection_id":"c1","api_key":"x"}`,
		"PATCH /connections/{connection_id}":              `{"tags":{"a":"b"}}`,
		"POST /connections/metadata":                      `{"provider_config_key":"seeded","connection_id":"c1","metadata":{"a":1}}`,
		"PATCH /connections/metadata":                     `{"provider_config_key":"seeded","connection_id":"c1","metadata":{"a":1}}`,
		"POST /connection/metadata":                       `{"provider_config_key":"seeded","connection_id":"c1","metadata":{"a":1}}`,
		"PATCH /connection/metadata":                      `{"provider_config_key":"seeded","connection_id":"c1","metadata":{"a":1}}`,
		"POST /connection/{connection_id}/metadata":       `{"a":1}`,
		"PATCH /connection/{connection_id}/metadata":      `{"a":1}`,
		"PATCH /environments/{environment_uuid}/settings": `{"hmac_enabled":true}`,
		"PUT /environments/{environment_uuid}/variables":  `{"variables":[]}`,
		"POST /connect/sessions":                          `{"tags":{},"allowed_integrations":["seeded"]}`,
		"POST /connect/sessions/reconnect":                `{"connection_id":"c1","integration_id":"seeded"}`,
		"POST /sync/deploy":                               deployBody(actionFlow, "[]", "all", deployTail),
		"POST /sync/deploy/confirmation":                  deployBody(actionFlow, "[]", "all", confirmTail),
		"POST /functions/deployments/bundle":              `{"reconciliationScope":{"kind":"integration","integrationId":"seeded"},"functions":[]}`,
		"POST /functions/deployments/bundle/preview":      `{"reconciliationScope":{"kind":"integration","integrationId":"seeded"},"functions":[]}`,

		"POST /functions/compile":     `{"code":"x"}`,
		"POST /functions/dryruns":     aDryRun + `}`,
		"POST /functions/deployments": `{"type":"template","integration_id":"seeded","template":"t"}`,
		"POST /functions/invocations": `{"integration_id":"seeded","connection_id":"c1","name":"echo","invocation_type":"wait"}`,

		"PATCH /integrations/{unique_key}/functions/{name}":         `{"enabled":false}`,
		"POST /integrations/{unique_key}/functions/{name}/rollback": `{"version":1}`,
	}
	// Routes that name nothing of an environment: what they show is checked
	// below, and what they make is made in dev.
	unnamed := map[string]bool{
		"GET /providers": true, "GET /providers/{provider}": true, "GET /providers/{provider}/templates": true, "GET /integrations": true,
		"POST /integrations": true, "POST /integrations/quickstart": true, "GET /scripts/config": true, "GET /connections": true,
		"GET /connection": true, "GET /environment-variables": true, "POST /environment/webhook-signing-key/rotate": true,
		"GET /logs/operations": true, " /proxy/": true, "GET /webhooks/deliveries": true,
	}
	before := r.dump(r.prod)
	for _, route := range r.server.Routes() {
		name := route.Method + " " + route.Pattern
		if route.Auth == httpx.AuthNone || route.Auth == httpx.AuthAccount || unnamed[name] {
			continue
		}
		if route.Auth == httpx.AuthSession || route.Auth == httpx.AuthBrowser {
			continue // see TestBrowsersAreIsolated
		}
		named := keys[0].UUID
		if strings.Contains(route.Pattern, "{delivery_id}") {
			named = delivery
		}
		method, path := request(r, route, r.prod, op, named)
		if strings.Contains(route.Pattern, "connection_id") {
			path += "?provider_config_key=seeded"
		}
		if name == "DELETE /integrations/{unique_key}/functions/{name}" {
			path += "?type=action"
		}
		status := http.StatusNotFound
		if s, ok := want[name]; ok {
			status = s
		}
		if got := r.call(devKey, method, path, bodies[name]); got.status != status {
			t.Errorf("%s on prod with a key of dev: %d %s, want %d", name, got.status, got.body, status)
		}
	}
	for path, empty := range map[string]string{
		"/integrations": `{"data":[]}`, "/connections": `{"connections":[]}`, "/connection?connectionId=c1": `{"connections":[]}`,
		"/environment-variables": `[]`, "/scripts/config": `[]`, "/logs/operations": `{"data":[],"next_cursor":null}`,
		"/webhooks/deliveries": `{"data":[],"next_cursor":null}`,
	} {
		if got := r.call(devKey, "GET", path, ""); got.body != empty {
			t.Errorf("GET %s shows %s, want %s", path, got.body, empty)
		}
	}
	if after := r.dump(r.prod); after != before {
		t.Errorf("prod changed:\nbefore %s\nafter  %s", before, after)
	}
}

func TestConnectSessionsSeeTheirIntegrations(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	for _, key := range []string{"one", "two"} {
		r.must(devKey, "POST", "/integrations", `{"provider":"test-oauth","unique_key":"`+key+`","credentials":{"type":"OAUTH2","client_id":"id","client_secret":"hush"}}`)
	}
	token, hash := access.NewSessionToken()
	check(t, r.store.InsertConnectSession(t.Context(), nil, &linkspan.ConnectSession{
		UUID: linkspan.NewUUID(), EnvironmentID: r.dev.ID, Hash: hash, AllowedIntegrations: []string{"two"}, ExpiresAt: time.Now().Add(time.Hour),
	}))
	list := r.must(token.Reveal(), "GET", "/integrations", "")
	items, _ := at(t, list, "data").([]any)
	if len(items) != 1 || at(t, items[0], "unique_key") != "two" {
		t.Errorf("the session sees %v, want only two", items)
	}
	if got := r.call(token.Reveal(), "GET", "/integrations", ""); strings.Contains(got.body, "credentials") || strings.Contains(got.body, "hush") {
		t.Errorf("the session sees credentials: %s", got.body)
	}
	r.must(token.Reveal(), "GET", "/providers/test-key", "")
	r.expect(r.call(token.Reveal(), "GET", "/connections", ""), http.StatusUnauthorized, "invalid_secret_key_format")
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{rateLimit: 2})
	first := r.call(devKey, "GET", "/integrations", "")
	if first.status != http.StatusOK || first.header.Get("X-Ratelimit-Limit") != "2" || first.header.Get("X-Ratelimit-Remaining") != "1" {
		t.Errorf("first call: %d %v", first.status, first.header)
	}
	var last reply
	for range 5 { // the window may turn once
		last = r.call(devKey, "GET", "/integrations", "")
	}
	if last.status != http.StatusTooManyRequests || last.header.Get("Retry-After") == "" {
		t.Errorf("after the budget: %d %v", last.status, last.header)
	}
	if want := `{"error":{"code":"too_many_request","method":"GET","path":"/integrations"}}`; last.body != want {
		t.Errorf("got %s, want %s", last.body, want)
	}
	if got := r.call("", "GET", "/health", ""); got.status != http.StatusOK {
		t.Errorf("health is limited: %d", got.status)
	}
}
