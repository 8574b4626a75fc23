package e2e

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/internal/apptest"
)

// publicRoutes need no key. A route that is not here must refuse to answer
// without one.
var publicRoutes = []string{
	"GET /health", "GET /ready", "GET /providers.json", "GET /openapi.json",
	"GET /docs/providers/{provider}", "GET /images/template-logos/{file}",
}

// keyOnlyRoutes need a key of an environment, and no scope.
var keyOnlyRoutes = []string{"GET /providers", "GET /providers/{provider}", "GET /providers/{provider}/templates"}

var placeholder = regexp.MustCompile(`\{[^}]+\}`)

// route is one route of the running program.
type route struct{ method, path string }

func (r route) String() string { return r.method + " " + r.path }

// target fills the path's placeholders with a value that has every shape.
func (r route) target() string {
	return placeholder.ReplaceAllString(r.path, "0f6a5e0c-3a4b-4c5d-8e6f-0123456789ab")
}

// routes asks the running program for its route table.
func routes(t *testing.T, i *apptest.Instance) []route {
	t.Helper()
	var document struct {
		Paths map[string]map[string]any `json:"paths"`
	}
	i.Anonymous(t).Do(t, http.MethodGet, "/openapi.json", nil).Want(t, http.StatusOK).Into(t, &document)
	var all []route
	for path, methods := range document.Paths {
		for method := range methods {
			if !slices.Contains([]string{"get", "post", "put", "patch", "delete"}, method) {
				continue // parameters and the like
			}
			all = append(all, route{strings.ToUpper(method), path})
		}
	}
	if len(all) < 30 {
		t.Fatalf("the route table has only %d routes", len(all))
	}
	return all
}

// TestEveryRouteNeedsItsKey walks the route table: 401 without a key, 403 with
// one that may something else, 403 with a key of the wrong kind.
func TestEveryRouteNeedsItsKey(t *testing.T) {
	t.Parallel()
	db := apptest.NewSQLite(t)
	i := apptest.Start(t, apptest.Options{Database: db})
	dev := i.DevUUID(t)
	logs := i.Anonymous(t).WithKey(makeKey(t, i, dev, "logs only", "environment:logs:read").Secret)
	variables := i.Anonymous(t).WithKey(makeKey(t, i, dev, "variables only", "environment:variables:read").Secret)
	before := db.State(t)

	for _, r := range routes(t, i) {
		if slices.Contains(publicRoutes, r.String()) {
			continue
		}
		call := func(c apptest.Client) apptest.Reply { return c.Do(t, r.method, r.target(), nil) }
		if code := r.sessionError(); code != "" {
			for _, c := range []apptest.Client{i.Anonymous(t), i.Dev(t), i.Account(t), i.Anonymous(t).WithKey("not-a-key")} {
				wantSessionError(t, call(c), c.Key, code)
			}
			continue
		}
		call(i.Anonymous(t)).WantError(t, http.StatusUnauthorized, "missing_auth_header")
		call(i.Anonymous(t).WithKey("not-a-key")).WantError(t, http.StatusUnauthorized, "invalid_secret_key_format")
		call(i.Anonymous(t).WithKey("0f6a5e0c-3a4b-4c5d-8e6f-0123456789ab")).WantError(t, http.StatusUnauthorized, "unknown_account")
		switch {
		case slices.Contains(keyOnlyRoutes, r.String()):
			continue
		case slices.Contains(sharedRoutes, r.String()):
			wantRefusedByOne(t, call(logs), call(variables))
		case isAccountRoute(r):
			call(i.Dev(t)).WantError(t, http.StatusForbidden, "forbidden")
		default:
			wantRefusedByOne(t, call(logs), call(variables))
			call(i.Account(t)).WantError(t, http.StatusForbidden, "forbidden")
		}
	}
	// The proxy is not a route of the document: it takes any path and method.
	for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "PROPFIND", "REPORT"} {
		i.Anonymous(t).Do(t, method, "/proxy/x", nil).Want(t, http.StatusUnauthorized)
		logs.Do(t, method, "/proxy/x", nil).Want(t, http.StatusForbidden)
		i.Account(t).Do(t, method, "/proxy/x", nil).Want(t, http.StatusForbidden)
	}
	if after := db.State(t); after != before {
		t.Errorf("refused calls changed the database:\n--- before\n%s\n--- after\n%s", before, after)
	}
}

// sessionError is the error of the routes for end users' browsers when they come
// without a connect session. Empty: the route is not for browsers.
func (r route) sessionError() string {
	switch {
	case r.path == "/connect/session":
		return "invalid_connect_session_token_format"
	case r.path == "/connect/telemetry":
		return "invalid_body" // the token is in the body
	case strings.HasPrefix(r.path, "/oauth/connect/"), strings.HasPrefix(r.path, "/api-auth/"), strings.HasPrefix(r.path, "/auth/"):
		return "missing_public_key"
	default:
		return ""
	}
}

// wantSessionError checks the answer to a call without a session, with an API key
// or none.
func wantSessionError(t *testing.T, r apptest.Reply, key, code string) {
	t.Helper()
	switch {
	case strings.HasPrefix(r.Header.Get("Content-Type"), "text/html"):
		wantRefusal(t, r, http.StatusUnauthorized, code)
	case key == "" && code == "invalid_connect_session_token_format":
		r.WantError(t, http.StatusUnauthorized, "missing_auth_header")
	case code == "invalid_body":
		r.WantError(t, http.StatusBadRequest, code)
	default:
		r.WantError(t, http.StatusUnauthorized, code)
	}
}

// sharedRoutes open to the account key, and to a key of their environment that
// has the scope.
var sharedRoutes = []string{
	"GET /environments/{environment_uuid}/settings", "PATCH /environments/{environment_uuid}/settings",
	"PUT /environments/{environment_uuid}/variables",
}

// isAccountRoute tells the routes that only the account key opens.
func isAccountRoute(r route) bool {
	return strings.HasPrefix(r.path, "/environments") || r.path == "/environment/api-keys"
}

// wantRefusedByOne takes the answers to two keys whose only scopes differ: a
// route that asks for a scope refuses at least one of them.
func wantRefusedByOne(t *testing.T, a, b apptest.Reply) {
	t.Helper()
	if a.Status == http.StatusForbidden {
		a.WantError(t, http.StatusForbidden, "forbidden")
		return
	}
	b.WantError(t, http.StatusForbidden, "forbidden")
}

// TestEnvironmentsAreIsolated asks from one environment, on every route that
// names a thing, for the things of another.
func TestEnvironmentsAreIsolated(t *testing.T) {
	t.Parallel()
	for name, open := range apptest.Databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := open(t)
			world := apptest.NewWorld(t)
			i := apptest.Start(t, apptest.Options{Database: db, ProvidersDir: world.ProvidersDir})
			dev, prod := i.Dev(t), apptest.NewClient(t, i.PublicURL(), i.Keys.Prod)
			sink := apptest.NewSink(t)
			i.SendTo(t, sink.URL)
			world.Integrate(t, dev, apptest.ProviderNone, "mine")
			world.Integrate(t, dev, apptest.ProviderNone, "shared")
			world.Integrate(t, prod, apptest.ProviderNone, "shared")
			apptest.Import(t, dev, "mine", "c", map[string]any{"type": "NONE"})
			apptest.Import(t, dev, "shared", "c", map[string]any{"type": "NONE"})
			apptest.Proxy(t, dev, http.MethodGet, "shared", "c", "/x", nil).Want(t, http.StatusOK)
			operation := anyOperation(t, dev)
			key := makeKey(t, i, i.DevUUID(t), "dev key")
			keyPath := func(environment string) string { return "/environments/" + environment + "/api-keys/" + key.UUID }
			mine := deliveryOf(t, dev)
			session := "?connect_session_token=" + sessionOf(t, prod)
			action := actionOf(t, i)
			cursor := cursorOf(t, i)
			tried, deployed := authoredOf(t, dev)
			before := db.State(t)

			covered := map[string]bool{}
			for _, c := range []struct {
				route, method, path string
				body                any
				status              int
			}{
				{"/integrations/{uniqueKey}", "GET", "/integrations/mine", nil, 404},
				{"/integrations/{uniqueKey}", "PATCH", "/integrations/mine", map[string]any{"display_name": "x"}, 404},
				{"/integrations/{uniqueKey}", "DELETE", "/integrations/mine", nil, 404},
				{"/integrations/{uniqueKey}/functions", "GET", "/integrations/mine/functions", nil, 404},
				{"/integrations/{uniqueKey}/functions/{name}", "GET", "/integrations/mine/functions/act", nil, 404},
				{"/integrations/{uniqueKey}/functions/{name}", "GET", "/integrations/shared/functions/act", nil, 404},
				{"/integrations/{uniqueKey}/functions/{name}", "PATCH", "/integrations/shared/functions/act", object{"enabled": false}, 404},
				{"/integrations/{uniqueKey}/functions/{name}", "DELETE", "/integrations/shared/functions/act?type=action", nil, 404},
				{"/integrations/{uniqueKey}/functions/{name}/code", "GET", "/integrations/shared/functions/act/code", nil, 404},
				{"/integrations/{uniqueKey}/functions/{name}/versions", "GET", "/integrations/shared/functions/act/versions", nil, 404},
				{"/integrations/{uniqueKey}/functions/{name}/rollback", "POST", "/integrations/shared/functions/act/rollback", object{"version": 1}, 404},
				{"/action/{id}", "GET", "/action/" + action, nil, 404},
				{"/v1/{path}", "POST", "/v1/act", object{}, 400},
				{"/sync/trigger", "POST", "/sync/trigger", object{"syncs": []string{"keep"}, "connection_id": "c"}, 404},
				{"/sync/trigger", "POST", "/sync/trigger", object{"syncs": []string{"keep"}, "provider_config_key": "mine"}, 400},
				{"/sync/trigger", "POST", "/sync/trigger", object{"syncs": []string{}, "opts": object{"reset": true, "emptyCache": true}}, 404},
				{"/sync/start", "POST", "/sync/start", syncsOf("shared", "c"), 404},
				{"/sync/start", "POST", "/sync/start", syncsOf("mine", "c"), 400},
				{"/sync/pause", "POST", "/sync/pause", syncsOf("shared", "c"), 404},
				{"/sync/cancel", "POST", "/sync/cancel", syncsOf("shared", "c"), 404},
				{"/sync/status", "GET", "/sync/status?syncs=*&provider_config_key=shared&connection_id=c", nil, 400},
				{"/sync/status", "GET", "/sync/status?syncs=*&provider_config_key=mine", nil, 400},
				{"/sync/update-connection-frequency", "PUT", "/sync/update-connection-frequency", frequencyOf("shared"), 400},
				{"/sync/{name}/variant/{variant}", "POST", "/sync/keep/variant/eu", ownerOf("shared"), 400},
				{"/sync/{name}/variant/{variant}", "DELETE", "/sync/keep/variant/us", ownerOf("shared"), 400},
				{"/sync/{name}/variant/{variant}", "DELETE", "/sync/keep/variant/us", ownerOf("mine"), 400},
				{"/records", "GET", "/records?model=Kept", nil, 400},
				{"/records/prune", "PATCH", "/records/prune", object{"model": "Kept", "until_cursor": cursor}, 400},
				{"/config/{providerConfigKey}", "GET", "/config/mine", nil, 400},
				{"/connections/{connectionId}", "GET", "/connections/c?provider_config_key=shared", nil, 404},
				{"/connections/{connectionId}", "GET", "/connections/c?provider_config_key=mine", nil, 400},
				{"/connections/{connectionId}", "PATCH", "/connections/c?provider_config_key=shared", map[string]any{"tags": map[string]any{}}, 404},
				{"/connections/{connectionId}", "DELETE", "/connections/c?provider_config_key=shared", nil, 400},
				{"/connections/metadata", "POST", "/connections/metadata", metadataOf("c", "shared"), 404},
				{"/connections/metadata", "PATCH", "/connections/metadata", metadataOf("c", "shared"), 404},
				{"/connection/{connectionId}", "GET", "/connection/c?provider_config_key=shared", nil, 404},
				{"/connection/{connectionId}", "DELETE", "/connection/c?provider_config_key=shared", nil, 400},
				{"/connection/{connectionId}/metadata", "POST", "/connection/c/metadata?provider_config_key=shared", map[string]any{"a": 1}, 404},
				{"/connection/{connectionId}/metadata", "PATCH", "/connection/c/metadata?provider_config_key=shared", map[string]any{"a": 1}, 404},
				{"/logs/operations/{operationId}", "GET", "/logs/operations/" + operation, nil, 404},
				{"/functions/dryruns/{id}", "GET", tried, nil, 404},
				{"/functions/deployments/{id}", "GET", deployed, nil, 404},
				{"/functions/invocations/{id}", "GET", "/functions/invocations/" + action, nil, 404},
				{"/webhooks/deliveries/{deliveryId}/replay", "POST", "/webhooks/deliveries/" + mine + "/replay", nil, 404},
				{"/connect/sessions", "POST", "/connect/sessions", object{"tags": object{"a": "b"}, "allowed_integrations": []string{"mine"}}, 400},
				{"/connect/sessions/reconnect", "POST", "/connect/sessions/reconnect", object{"connection_id": "c", "integration_id": "shared"}, 400},
				{"/oauth/connect/{providerConfigKey}", "GET", "/oauth/connect/mine" + session, nil, 400},
				{"/api-auth/api-key/{providerConfigKey}", "POST", "/api-auth/api-key/mine" + session, object{"apiKey": "k"}, 404},
				{"/api-auth/basic/{providerConfigKey}", "POST", "/api-auth/basic/mine" + session, object{"username": "u", "password": "p"}, 404},
				{"/auth/unauthenticated/{providerConfigKey}", "POST", "/auth/unauthenticated/mine" + session, nil, 404},
			} {
				covered[placeholder.ReplaceAllString(c.route, "{}")] = true
				prod.Do(t, c.method, c.path, c.body, "Provider-Config-Key", "shared", "Connection-Id", "c").Want(t, c.status)
			}
			for _, r := range routes(t, i) {
				name := placeholder.ReplaceAllString(r.path, "{}")
				named := name != r.path && !strings.HasPrefix(r.path, "/proxy/") && !strings.HasPrefix(r.path, "/providers/") && !slices.Contains(publicRoutes, r.String())
				if named && !isAccountRoute(r) && !covered[name] {
					t.Errorf("no case asks for another environment's thing on %s", r)
				}
			}
			for _, method := range []string{http.MethodGet, http.MethodDelete} {
				i.Account(t).Do(t, method, keyPath(i.ProdUUID(t)), nil).Want(t, http.StatusNotFound)
			}
			environment := "/environments/" + i.ProdUUID(t)
			dev.Do(t, http.MethodGet, environment+"/settings", nil).Want(t, http.StatusNotFound)
			dev.Do(t, http.MethodPatch, environment+"/settings", map[string]any{"hmac_enabled": true}).Want(t, http.StatusNotFound)
			dev.Do(t, http.MethodPut, environment+"/variables", map[string]any{"variables": []any{}}).Want(t, http.StatusNotFound)
			apptest.Proxy(t, prod, http.MethodGet, "shared", "c", "/stolen", nil).Want(t, http.StatusBadRequest)
			prod.Do(t, http.MethodPost, "/action/trigger", object{"action_name": "act"}, "Provider-Config-Key", "shared", "Connection-Id", "c").
				WantError(t, http.StatusBadRequest, "unknown_connection")
			apptest.Proxy(t, prod, http.MethodGet, "mine", "c", "/stolen", nil).Want(t, http.StatusNotFound)

			var list struct{ Connections, Data, Syncs []any }
			prod.Do(t, http.MethodGet, "/sync/status?syncs=*&provider_config_key=shared", nil).Want(t, http.StatusOK).Into(t, &list)
			prod.Do(t, http.MethodGet, "/connections", nil).Want(t, http.StatusOK).Into(t, &list)
			prod.Do(t, http.MethodGet, "/webhooks/deliveries?limit=100", nil).Want(t, http.StatusOK).Into(t, &list)
			if len(list.Connections) != 0 || len(list.Data) != 0 || len(list.Syncs) != 0 {
				t.Errorf("prod lists what is in dev: %v", list)
			}
			for _, r := range world.SaaS.Requests() {
				if r.Target == "/stolen" {
					t.Error("a call through another environment's connection reached the upstream")
				}
			}
			if after := db.State(t); after != before {
				t.Errorf("the calls changed the database:\n--- before\n%s\n--- after\n%s", before, after)
			}
		})
	}
}

// deliveryOf waits until the webhook of an environment is delivered, and returns
// the id of the delivery.
func deliveryOf(t *testing.T, c apptest.Client) string {
	t.Helper()
	c.Do(t, http.MethodDelete, "/connections/c?provider_config_key=mine", nil).Want(t, http.StatusOK)
	apptest.Import(t, c, "mine", "c", map[string]any{"type": "NONE"})
	var page struct{ Data []struct{ ID, State string } }
	apptest.Poll(t, "the webhook is delivered", func() bool {
		c.Do(t, http.MethodGet, "/webhooks/deliveries", nil).Want(t, http.StatusOK).Into(t, &page)
		return len(page.Data) > 0 && !slices.ContainsFunc(page.Data, func(d struct{ ID, State string }) bool { return d.State != "delivered" })
	})
	return page.Data[0].ID
}

// actionOf deploys an action to dev, runs it in the background, and returns the id
// of its result.
func actionOf(t *testing.T, i *apptest.Instance) string {
	t.Helper()
	dir := t.TempDir()
	code := "export default async function run() { return 1 }\n"
	writeFiles(t, dir, map[string]string{
		"index.ts":            "import './mine/actions/act';\nimport './shared/actions/act';\nimport './mine/syncs/keep';\nimport './shared/syncs/keep';\n",
		"mine/actions/act.ts": code, "shared/actions/act.ts": code, "mine/syncs/keep.ts": keepSync, "shared/syncs/keep.ts": keepSync,
	})
	mustLinkspan(t, i, "deploy", "dev", "--dir", dir)
	var accepted struct{ ID string }
	dev := i.Dev(t)
	dev.Do(t, http.MethodPost, "/action/trigger", object{"action_name": "act"}, "Provider-Config-Key", "shared", "Connection-Id", "c", "X-Async", "true").
		Want(t, http.StatusAccepted).Into(t, &accepted)
	apptest.Poll(t, "the action ends", func() bool {
		return dev.Do(t, http.MethodGet, "/action/"+accepted.ID, nil).Status == http.StatusOK
	})
	return accepted.ID
}

// authoredOf has a function tried and deployed, and returns where it says what came
// of it.
func authoredOf(t *testing.T, dev apptest.Client) (tried, deployed string) {
	t.Helper()
	code := action("\treturn 1;")
	tried = begin(t, dev, "/functions/dryruns", dryRunOf("action", code, map[string]any{"integration_id": "shared", "connection_id": "c"}))
	deployed = begin(t, dev, "/functions/deployments", object{
		"type": "function", "integration_id": "mine", "function_name": "authored", "function_type": "action", "code": code,
	})
	for _, url := range []string{tried, deployed} {
		if e := await(t, dev, url); e.Status != "success" {
			t.Fatalf("%s: %+v", url, e)
		}
	}
	return tried, deployed
}

// keepSync is a sync that saves one record when it is asked to.
const keepSync = `import { createSync } from "linkspan";
import * as z from "zod";
export default createSync({
	description: "Keeps a record",
	frequency: "every hour",
	autoStart: false,
	models: { Kept: z.object({ id: z.string() }) },
	exec: async (nango) => { await nango.batchSave([{ id: "secret" }], "Kept"); },
});
`

// cursorOf runs the sync of dev that actionOf has deployed, with a variant, and
// returns the cursor of its record.
func cursorOf(t *testing.T, i *apptest.Instance) string {
	t.Helper()
	dev := i.Dev(t)
	dev.Do(t, http.MethodPost, "/sync/keep/variant/us", ownerOf("shared")).Want(t, http.StatusOK)
	dev.Do(t, http.MethodPost, "/sync/trigger", syncsOf("shared", "c")).Want(t, http.StatusOK)
	var status struct{ Syncs []struct{ Status string } }
	var page struct {
		Records []struct {
			Metadata struct{ Cursor string } `json:"_nango_metadata"`
		}
	}
	apptest.Poll(t, "the sync ends", func() bool {
		dev.Do(t, http.MethodGet, "/sync/status?syncs=keep&provider_config_key=shared", nil).Want(t, http.StatusOK).Into(t, &status)
		dev.Do(t, http.MethodGet, "/records?model=Kept", nil, "Provider-Config-Key", "shared", "Connection-Id", "c").Want(t, http.StatusOK).Into(t, &page)
		return len(status.Syncs) == 1 && status.Syncs[0].Status != "RUNNING" && len(page.Records) == 1
	})
	return page.Records[0].Metadata.Cursor
}

func syncsOf(integration, connection string) object {
	return object{"syncs": []string{"keep"}, "provider_config_key": integration, "connection_id": connection}
}

func ownerOf(integration string) object {
	return object{"provider_config_key": integration, "connection_id": "c"}
}

func frequencyOf(integration string) object {
	return object{"sync_name": "keep", "provider_config_key": integration, "connection_id": "c", "frequency": "1h"}
}

// sessionOf makes a connect session and returns its token.
func sessionOf(t *testing.T, c apptest.Client) string {
	t.Helper()
	var reply struct{ Data struct{ Token string } }
	c.Do(t, http.MethodPost, "/connect/sessions", object{"tags": object{"team": "a"}}).Want(t, http.StatusCreated).Into(t, &reply)
	return reply.Data.Token
}

func metadataOf(connection, integration string) map[string]any {
	return map[string]any{"connection_id": connection, "provider_config_key": integration, "metadata": map[string]any{"a": 1}}
}

// anyOperation waits for the first stored operation and returns its id.
func anyOperation(t *testing.T, c apptest.Client) string {
	t.Helper()
	var page struct {
		Data []struct{ ID string }
	}
	apptest.Poll(t, "an operation is stored", func() bool {
		c.Do(t, http.MethodGet, "/logs/operations", nil).Want(t, http.StatusOK).Into(t, &page)
		return len(page.Data) > 0
	})
	return page.Data[0].ID
}
