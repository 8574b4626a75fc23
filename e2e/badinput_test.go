package e2e

import (
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/internal/apptest"
)

// badCall is a call that must be refused.
type badCall struct {
	name         string
	account      bool // call with the account key
	method, path string
	body         any
	headers      []string
	status       int
	code         string
}

// TestBadInputChangesNothing makes every kind of bad call, checks the
// contract's error, and compares the database before and after.
func TestBadInputChangesNothing(t *testing.T) {
	t.Parallel()
	for name, open := range apptest.Databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := open(t)
			world := apptest.NewWorld(t)
			i := apptest.Start(t, apptest.Options{Database: db, ProvidersDir: world.ProvidersDir})
			dev, account := i.Dev(t), i.Account(t)
			world.Integrate(t, dev, apptest.ProviderKey, "keyed")
			world.Integrate(t, dev, apptest.ProviderOAuth, "crm")
			world.Integrate(t, dev, apptest.ProviderVerified, "verified")
			apptest.Import(t, dev, "keyed", "c", map[string]any{"type": "API_KEY", "apiKey": "k"})
			environment := "/environments/" + i.DevUUID(t)
			before := db.State(t)
			upstream := len(world.SaaS.Requests())

			calls := append(badIntegrations(), badConnections()...)
			calls = append(calls, badEnvironments(environment)...)
			calls = append(calls, badProxy()...)
			for _, c := range calls {
				client := dev
				if c.account {
					client = account
				}
				r := client.Do(t, c.method, c.path, c.body, c.headers...)
				if r.Status != c.status || r.Code() != c.code {
					t.Errorf("%s: %s: status %d code %q, not %d %q\n%s", c.name, r.What, r.Status, r.Code(), c.status, c.code, r.Body)
				}
			}
			hostilePaths(t, dev)
			if after := db.State(t); after != before {
				t.Errorf("bad calls changed the database:\n--- before\n%s\n--- after\n%s", before, after)
			}
			if got := world.SaaS.Requests()[upstream:]; len(got) != 1 || got[0].Target != "/private/verify" {
				t.Errorf("the upstream got %v, and only the verification of one key was due", got)
			}
		})
	}
}

// object is a JSON object.
type object = map[string]any

func badIntegrations() []badCall {
	long := strings.Repeat("x", 256)
	integration := func(changes object) object {
		body := object{"provider": apptest.ProviderKey, "unique_key": "new"}
		maps.Copy(body, changes)
		return body
	}
	client := func(changes object) object {
		credentials := object{"type": "OAUTH2", "client_id": "a", "client_secret": "b"}
		maps.Copy(credentials, changes)
		return object{"provider": apptest.ProviderOAuth, "unique_key": "new", "credentials": credentials}
	}
	return []badCall{
		{"malformed JSON", false, "POST", "/integrations", `{"provider":`, nil, 400, "invalid_json"},
		{"data after the JSON", false, "POST", "/integrations", `{} {}`, nil, 400, "invalid_json"},
		{"not an object", false, "POST", "/integrations", []any{1}, nil, 400, "invalid_body"},
		{"no body", false, "POST", "/integrations", nil, nil, 400, "invalid_body"},
		{"not JSON", false, "POST", "/integrations", "a=1", []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, "invalid_content_type"},
		{"unknown field", false, "POST", "/integrations", integration(object{"surprise": 1}), nil, 400, "invalid_body"},
		{"wrong type", false, "POST", "/integrations", integration(object{"unique_key": 7}), nil, 400, "invalid_body"},
		{"too long", false, "POST", "/integrations", integration(object{"unique_key": long}), nil, 400, "invalid_body"},
		{"empty", false, "POST", "/integrations", integration(object{"unique_key": ""}), nil, 400, "invalid_body"},
		{"forbidden characters", false, "POST", "/integrations", integration(object{"unique_key": "a/../b"}), nil, 400, "invalid_body"},
		{"unknown provider", false, "POST", "/integrations", integration(object{"provider": "no-such"}), nil, 400, "invalid_body"},
		{"provider of a later version", false, "POST", "/integrations", object{"provider": "aws-sigv4", "unique_key": "new"}, nil, 400, "unsupported_provider"},
		{"taken key", false, "POST", "/integrations", integration(object{"unique_key": "keyed"}), nil, 400, "invalid_body"},
		{"credentials of another mode", false, "POST", "/integrations", integration(object{"credentials": object{"type": "OAUTH2", "client_id": "a", "client_secret": "b"}}), nil, 400, "invalid_body"},
		{"unknown credentials", false, "POST", "/integrations", client(object{"type": "MAGIC"}), nil, 400, "invalid_body"},
		{"incomplete credentials", false, "POST", "/integrations", client(object{"client_secret": ""}), nil, 400, "invalid_body"},
		{"scopes with blanks", false, "POST", "/integrations", client(object{"scopes": "a b"}), nil, 400, "invalid_body"},
		{"query where none belongs", false, "POST", "/integrations?x=1", integration(nil), nil, 400, "invalid_query_params"},
		{"unknown include", false, "GET", "/integrations/keyed?include=everything", nil, nil, 400, "invalid_query_params"},
		{"absent", false, "GET", "/integrations/nope", nil, nil, 404, "not_found"},
		{"change of the absent", false, "PATCH", "/integrations/nope", object{"display_name": "x"}, nil, 404, "not_found"},
		{"change to a taken key", false, "PATCH", "/integrations/crm", object{"unique_key": "keyed"}, nil, 400, "invalid_body"},
		{"rename with connections", false, "PATCH", "/integrations/keyed", object{"unique_key": "other"}, nil, 400, "invalid_body"},
		{"deletion of the absent", false, "DELETE", "/integrations/nope", nil, nil, 404, "not_found"},
		{"no such route", false, "GET", "/integration", nil, nil, 404, "not_found"},
	}
}

func badConnections() []badCall {
	connection := func(changes object) object {
		body := object{"provider_config_key": "keyed", "connection_id": "new", "credentials": object{"type": "API_KEY", "apiKey": "k"}}
		maps.Copy(body, changes)
		return body
	}
	tags := object{}
	for _, letter := range "abcdefghijk" {
		tags[string(letter)] = "1"
	}
	return []badCall{
		{"nothing given", false, "POST", "/connections", object{}, nil, 400, "invalid_body"},
		{"unknown integration", false, "POST", "/connections", connection(object{"provider_config_key": "nope"}), nil, 404, "not_found"},
		{"forbidden characters", false, "POST", "/connections", connection(object{"connection_id": "a`b"}), nil, 400, "invalid_body"},
		{"unknown field", false, "POST", "/connections", connection(object{"surprise": 1}), nil, 400, "invalid_body"},
		{"key of the wrong type", false, "POST", "/connections", connection(object{"credentials": object{"type": "API_KEY", "apiKey": 5}}), nil, 400, "invalid_body"},
		{"another mode's credentials", false, "POST", "/connections", connection(object{"credentials": object{"type": "BASIC", "username": "u", "password": "p"}}), nil, 400, "invalid_body"},
		{"unknown kind", false, "POST", "/connections", connection(object{"credentials": object{"type": "MAGIC"}}), nil, 400, "invalid_body"},
		{"metadata that is no object", false, "POST", "/connections", connection(object{"metadata": []any{1}}), nil, 400, "invalid_body"},
		{"too many tags", false, "POST", "/connections", connection(object{"tags": tags}), nil, 400, "invalid_body"},
		{"bad tag name", false, "POST", "/connections", connection(object{"tags": object{"1a": "x"}}), nil, 400, "invalid_body"},
		{"bad end user", false, "POST", "/connections", connection(object{"end_user": object{"email": "x"}}), nil, 400, "invalid_body"},
		{"key the provider refuses", false, "POST", "/connections", connection(object{"provider_config_key": "verified"}), nil, 400, "connection_test_failed"},
		{"limit too high", false, "GET", "/connections?limit=2001", nil, nil, 400, "invalid_query_params"},
		{"limit that is no number", false, "GET", "/connections?limit=many", nil, nil, 400, "invalid_query_params"},
		{"unknown query", false, "GET", "/connections?surprise=1", nil, nil, 400, "invalid_query_params"},
		{"no integration named", false, "GET", "/connections/c", nil, nil, 400, "invalid_query_params"},
		{"neither true nor false", false, "GET", "/connections/c?provider_config_key=keyed&force_refresh=perhaps", nil, nil, 400, "invalid_query_params"},
		{"unknown integration", false, "GET", "/connections/c?provider_config_key=nope", nil, nil, 400, "unknown_provider_config"},
		{"unknown connection", false, "GET", "/connections/nope?provider_config_key=keyed", nil, nil, 404, "not_found"},
		{"unknown field", false, "PATCH", "/connections/c?provider_config_key=keyed", object{"metadata": object{}}, nil, 400, "invalid_body"},
		{"override that is no URL", false, "PATCH", "/connections/c?provider_config_key=keyed", object{"webhook_url_override": "not a url"}, nil, 400, "invalid_body"},
		{"unknown connection", false, "DELETE", "/connections/nope?provider_config_key=keyed", nil, nil, 400, "unknown_connection"},
		{"one of two unknown", false, "POST", "/connections/metadata", object{"connection_id": []string{"c", "nope"}, "provider_config_key": "keyed", "metadata": object{"a": 1}}, nil, 404, "unknown_connection"},
		{"metadata that is text", false, "PATCH", "/connections/metadata", object{"connection_id": "c", "provider_config_key": "keyed", "metadata": "x"}, nil, 400, "invalid_body"},
	}
}

func badEnvironments(dev string) []badCall {
	return []badCall{
		{"bad name", true, "POST", "/environments", object{"name": "Not OK"}, nil, 400, "invalid_body"},
		{"taken name", true, "POST", "/environments", object{"name": "dev"}, nil, 409, "conflict"},
		{"unknown field", true, "POST", "/environments", object{"name": "new", "surprise": 1}, nil, 400, "invalid_body"},
		{"callback that is no URL", true, "POST", "/environments", object{"name": "new", "callback_url": "nowhere"}, nil, 400, "invalid_body"},
		{"no such environment", true, "DELETE", "/environments/0f6a5e0c-3a4b-4c5d-8e6f-0123456789ab", nil, nil, 404, "not_found"},
		{"key without a name", true, "POST", dev + "/api-keys", object{}, nil, 400, "invalid_body"},
		{"key with an unknown scope", true, "POST", dev + "/api-keys", object{"display_name": "x", "scopes": []string{"everything"}}, nil, 400, "invalid_body"},
		{"variable without a name", true, "PUT", dev + "/variables", object{"variables": []any{object{"value": "x"}}}, nil, 400, "invalid_body"},
	}
}

func badProxy() []badCall {
	named := func(more ...string) []string {
		return append([]string{"Provider-Config-Key", "keyed", "Connection-Id", "c"}, more...)
	}
	return []badCall{
		{"no connection named", false, "GET", "/proxy/x", nil, []string{"Provider-Config-Key", "keyed"}, 400, "invalid_headers"},
		{"no integration named", false, "GET", "/proxy/x", nil, []string{"Connection-Id", "c"}, 400, "invalid_headers"},
		{"retries that are no number", false, "GET", "/proxy/x", nil, named("Retries", "some"), 400, "invalid_headers"},
		{"bad retry-on", false, "GET", "/proxy/x", nil, named("Retry-On", "4xx"), 400, "invalid_headers"},
		{"bad base URL", false, "GET", "/proxy/x", nil, named("Base-Url-Override", "nowhere"), 400, "invalid_headers"},
		{"bad switch", false, "GET", "/proxy/x", nil, named("Decompress", "maybe"), 400, "invalid_headers"},
		{"cloud metadata", false, "GET", "/proxy/x", nil, named("Base-Url-Override", "http://169.254.169.254"), 400, "base_url_override_not_allowed"},
		{"credentials in the URL", false, "GET", "/proxy/x", nil, named("Base-Url-Override", "http://u:p@localhost"), 400, "invalid_headers"},
		{"unknown integration", false, "GET", "/proxy/x", nil, []string{"Provider-Config-Key", "nope", "Connection-Id", "c"}, 404, "unknown_provider_config"},
		{"unknown connection", false, "GET", "/proxy/x", nil, []string{"Provider-Config-Key", "keyed", "Connection-Id", "nope"}, 400, "server_error"},
	}
}

// hostilePaths must reach no route, not even by a redirect.
func hostilePaths(t *testing.T, c apptest.Client) {
	t.Helper()
	for _, path := range []string{
		"//integrations", "/integrations//", "/./integrations", "/x/../integrations", "/%2e%2e/integrations", "/integrations/..%2f..",
		"/connections/..", "/connections/../integrations", "/integrations%2Fkeyed", "/..", "/%00", "/integrations/%2e%2e%2fconnections",
		"/proxy", "/PROXY/x", "//proxy/x", "/x/../proxy/x", "/health/../integrations",
	} {
		r := c.Raw(t, http.MethodGet, path)
		if r.Status < 400 || r.Status >= 500 || r.Code() == "" {
			t.Errorf("%s: status %d, and not the contract's error\n%s", r.What, r.Status, r.Body)
		}
		if location := r.Header.Get("Location"); location != "" {
			t.Errorf("%s: redirects to %s", r.What, location)
		}
	}
}

// TestOversize sends more than the limit without holding it in memory.
func TestOversize(t *testing.T) {
	t.Parallel()
	db := apptest.NewSQLite(t)
	i := apptest.Start(t, apptest.Options{Database: db})
	before := db.State(t)
	body := strings.NewReader(`{"provider":"` + strings.Repeat("x", 76<<20) + `"}`)
	r, err := i.Dev(t).Try(t, http.MethodPost, "/integrations", body, "Content-Type", "application/json")
	if err == nil { // the server may close the connection before all is sent
		r.WantError(t, http.StatusRequestEntityTooLarge, "request_too_large")
	}
	if after := db.State(t); after != before {
		t.Error("an oversize body changed the database")
	}
}

// TestHostileProxyPaths sends paths that a router would tidy up; the upstream
// must get them byte for byte, and nobody else at all.
func TestHostileProxyPaths(t *testing.T) {
	t.Parallel()
	world := apptest.NewWorld(t)
	other := apptest.NewSaaS(t)
	i := apptest.Start(t, apptest.Options{Database: apptest.NewSQLite(t), ProvidersDir: world.ProvidersDir})
	dev := i.Dev(t)
	world.Integrate(t, dev, apptest.ProviderNone, "open")
	apptest.Import(t, dev, "open", "c", map[string]any{"type": "NONE"})
	arrives := func(path, as string) {
		t.Helper()
		dev.Raw(t, http.MethodGet, "/proxy"+path, "Provider-Config-Key", "open", "Connection-Id", "c").Want(t, http.StatusOK)
		got := world.SaaS.Requests()
		if last := got[len(got)-1]; last.Target != as {
			t.Errorf("%s arrived as %s, not %s", path, last.Target, as)
		}
	}
	for _, path := range []string{
		"/a//b", "/a/../b", "/a/%2e%2e/b", "/a%2Fb", "/a%20b?x=%20&y=a+b&&z", "/?q", "/a;b=c", "/a/./b/", "/%E2%82%AC", "/a?x[]=1&x[]=2",
		"/$%7BconnectionConfig.x%7D", "/a:b@c", "/@" + strings.TrimPrefix(other.URL, "http://") + "/x", "/a?u=" + other.URL,
	} {
		arrives(path, path)
	}
	// What no URL may hold is encoded, and templates are not expanded.
	arrives("/${connectionConfig.x}", "/$%7BconnectionConfig.x%7D")
	arrives("/a\\b", "/a%5Cb")
	for _, path := range []string{
		"//" + strings.TrimPrefix(other.URL, "http://") + "/x", "/" + other.URL + "/x", "/http:/" + strings.TrimPrefix(other.URL, "http:/") + "/x",
	} {
		dev.Raw(t, http.MethodGet, "/proxy"+path, "Provider-Config-Key", "open", "Connection-Id", "c")
	}
	if got := other.Requests(); len(got) != 0 {
		t.Errorf("a path led to another host: %v", got)
	}
}
