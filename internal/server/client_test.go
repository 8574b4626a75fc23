package server_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/api/client"
	"github.com/linkspan/linkspan/internal/httpx"
)

// patterns notes which routes were called and succeeded.
type patterns struct {
	mu   sync.Mutex
	seen map[string]bool
}

// ObserveRequest implements httpx.Metrics.
func (p *patterns) ObserveRequest(method, pattern string, status int, _ time.Duration, _ int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if pattern == "/proxy/" {
		method = ""
	}
	p.seen[method+" "+pattern] = p.seen[method+" "+pattern] || status < 300
}

// The Go client has a method for every route that is not deprecated, and both
// agree on what is sent.
func TestClientKnowsEveryRoute(t *testing.T) {
	t.Parallel()
	seen := &patterns{seen: map[string]bool{}}
	r := newRig(t, rigOptions{metrics: seen})
	web := httptest.NewServer(r.server)
	t.Cleanup(web.Close)
	connect := func(key string) *client.Client {
		c, err := client.New(web.URL, api.Secret(key), client.WithHTTPClient(web.Client()))
		check(t, err)
		return c
	}
	useCatalogue(t, connect(devKey))
	useFunctions(t, connect(devKey))
	useConnections(t, connect(devKey))
	useEnvironments(t, connect(accountKey), connect(devKey), r.dev.UUID)
	op := string(r.operation(r.dev, time.Now(), nil))
	useLogs(t, connect(devKey), op)
	useProxy(t, connect(devKey))
	useSessions(t, connect)
	useDeliveries(t, connect(devKey), r.deliver(r.dev, nil), r.deliver(r.dev, nil))

	useActions(t, r, connect(devKey))
	useAuthor(t, r, connect(devKey))
	useSyncs(t, r, connect(devKey))
	useRecords(t, r, connect(devKey))
	web.Close() // waits until all of them are noted

	for _, route := range r.server.Routes() {
		name := route.Method + " " + route.Pattern
		forBrowsers := route.Auth == httpx.AuthBrowser || route.Pattern == "/connect/telemetry"
		if unlisted(route) || forBrowsers || route.Deprecated || route.Pattern == "/openapi.json" {
			continue
		}
		ok, called := seen.seen[name]
		if quickstart := route.Pattern == "/integrations/quickstart"; !called || ok == quickstart {
			t.Errorf("%s: called %t, succeeded %t", name, called, ok)
		}
	}
}

func useCatalogue(t *testing.T, c *client.Client) {
	t.Helper()
	ctx := t.Context()
	check(t, c.Health(ctx))
	check(t, c.Ready(ctx))
	if p, err := c.Provider(ctx, "test-key"); err != nil || p.DisplayName != "Test Key" || p.Proxy == nil || !p.Credentials["apiKey"].Secret {
		t.Errorf("provider: %+v, %v", p, err)
	}
	if all, err := c.Providers(ctx, ""); err != nil || len(all) < 980 {
		t.Errorf("%d providers, %v", len(all), err)
	}
	if found, err := c.Providers(ctx, "test oauth"); err != nil || len(found) != 1 {
		t.Errorf("found %d, %v", len(found), err)
	}
	if all, err := c.Catalogue(ctx); err != nil || all["test-key"].DisplayName != "Test Key" {
		t.Errorf("catalogue: %v", err)
	}
	if list, err := c.ProviderTemplates(ctx, "test-key"); err != nil || list == nil {
		t.Errorf("templates: %v, %v", list, err)
	}
	made, err := c.CreateIntegration(ctx, api.CreateIntegration{
		Provider: "test-oauth", UniqueKey: "oauth", Credentials: api.NewIntegrationCredentials(api.OAuthApp{
			Type: "OAUTH2", ClientID: "id", ClientSecret: "hush", WebhookSecret: api.Some(api.Secret("wh")),
		}),
	})
	if err != nil || made.UniqueKey != "oauth" || made.CreatedAt.IsZero() {
		t.Errorf("created %+v, %v", made, err)
	}
	_, err = c.CreateIntegration(ctx, api.CreateIntegration{Provider: "test-key", UniqueKey: "key", IntegrationConfig: map[string]string{"region": "us"}})
	check(t, err)
	if _, err := c.QuickstartIntegration(ctx, api.QuickstartIntegration{Provider: "test-oauth", UniqueKey: "q"}); !client.HasCode(err, "invalid_body") {
		t.Errorf("quickstart: %v", err)
	}
	got, err := c.Integration(ctx, "oauth", "webhook", "credentials")
	check(t, err)
	if !got.WebhookURL.Set || got.WebhookURL.Value != nil || got.Credentials.Value == nil || got.Credentials.Value.ClientSecret.Reveal() != "hush" {
		t.Errorf("integration: %+v", got)
	}
	updated, err := c.UpdateIntegration(ctx, "oauth", api.UpdateIntegration{DisplayName: new("Mine")})
	if err != nil || updated.DisplayName != "Mine" {
		t.Errorf("updated %+v, %v", updated, err)
	}
	if list, err := c.Integrations(ctx); err != nil || len(list) != 2 {
		t.Errorf("%d integrations, %v", len(list), err)
	}
	if page, err := c.Functions(ctx, "key", api.FunctionsQuery{Type: new("sync"), Limit: new(7)}); err != nil || page.Pagination.Limit != 7 {
		t.Errorf("functions: %+v, %v", page, err)
	}
	if list, err := c.ScriptsConfig(ctx); err != nil || len(list) != 0 {
		t.Errorf("scripts: %v, %v", list, err)
	}
	check(t, c.DeleteIntegration(ctx, "oauth"))
	if _, err := c.Integration(ctx, "oauth"); !client.HasCode(err, "not_found") {
		t.Errorf("after the deletion: %v", err)
	}
}

func useConnections(t *testing.T, c *client.Client) {
	t.Helper()
	ctx := t.Context()
	id := `a/b.?{c}` // what needs escaping in paths
	made, err := c.ImportConnection(ctx, api.ImportConnection{
		ProviderConfigKey: "key", ConnectionID: new("c0"), Credentials: api.Import(api.APIKeyCredentials{APIKey: "k"}),
		Tags: map[string]string{"plan": "pro"}, WebhookURLOverride: api.Some("https://hooks.example"), Metadata: map[string]any{"a": 1},
	})
	check(t, err)
	if made.Credentials.Text("apiKey") != "k" || made.Credentials.Type() != "API_KEY" || *made.WebhookURLOverride != "https://hooks.example" {
		t.Errorf("imported %+v", made)
	}
	_, err = c.ImportConnection(ctx, api.ImportConnection{ProviderConfigKey: "key", ConnectionID: new(".."), Credentials: api.Import(api.APIKeyCredentials{APIKey: "k"})})
	check(t, err)
	if _, err := c.ImportConnection(ctx, api.ImportConnection{ProviderConfigKey: "key", ConnectionID: &id, Credentials: api.Import(api.NoCredentials{})}); err == nil {
		t.Error("an import with a bad id and bad credentials succeeded")
	} else if e, ok := client.AsError(err); !ok || e.Status != 400 || len(e.Issues) == 0 {
		t.Errorf("error %+v", e)
	}
	got, err := c.Connection(ctx, "c0", api.ConnectionQuery{ProviderConfigKey: "key", RefreshToken: new(true)})
	if err != nil || got.Tags["plan"] != "pro" || got.CreatedAt.IsZero() {
		t.Errorf("connection: %+v, %v", got, err)
	}
	check(t, c.PatchConnection(ctx, "key", "c0", api.PatchConnection{Tags: &map[string]string{}, WebhookURLOverride: api.Null[string]()}))
	check(t, c.SetMetadata(ctx, api.ConnectionMetadata{ConnectionID: api.One("c0"), ProviderConfigKey: "key", Metadata: map[string]any{"x": 1}}))
	check(t, c.MergeMetadata(ctx, api.ConnectionMetadata{ConnectionID: api.Many("c0", ".."), ProviderConfigKey: "key", Metadata: map[string]any{"y": 2}}))
	got, err = c.Connection(ctx, "..", api.ConnectionQuery{ProviderConfigKey: "key"})
	if err != nil || len(got.Metadata) != 1 || got.WebhookURLOverride != nil {
		t.Errorf("connection: %+v, %v", got, err)
	}
	var walked []string
	for conn, err := range c.AllConnections(ctx, api.ConnectionsQuery{Limit: new(1), IntegrationID: []string{"key", "other"}}) {
		check(t, err)
		walked = append(walked, conn.ConnectionID)
	}
	if strings.Join(walked, " ") != ".. c0" {
		t.Errorf("walked %q", walked)
	}
	if list, err := c.Connections(ctx, api.ConnectionsQuery{Tags: map[string]string{"plan": "pro"}}); err != nil || len(list) != 0 {
		t.Errorf("by tag: %v, %v", list, err)
	}
	check(t, c.DeleteConnection(ctx, "key", ".."))
	if err := c.DeleteConnection(ctx, "key", ".."); !client.HasCode(err, "unknown_connection") {
		t.Errorf("deleted twice: %v", err)
	}
}

func useEnvironments(t *testing.T, account, dev *client.Client, devUUID string) {
	t.Helper()
	ctx := t.Context()
	if envs, err := account.Environments(ctx, "dev"); err != nil || len(envs) != 1 || envs[0].UUID != devUUID {
		t.Errorf("environments: %v, %v", envs, err)
	}
	made, err := account.CreateEnvironment(ctx, api.CreateEnvironment{Name: "qa", EnvironmentOptions: api.EnvironmentOptions{HMACKey: new(api.Secret("hk"))}})
	check(t, err)
	set, err := account.UpdateEnvironmentSettings(ctx, made.UUID, api.UpdateEnvironmentSettings{EnvironmentOptions: api.EnvironmentOptions{
		OTLPHeaders: &[]api.Header{{Name: "a", Value: "b"}}, CallbackURL: new("https://cb.example"),
	}})
	if err != nil || *set.HMACKey != "***" || set.OTLPHeaders[0].Value.Reveal() != "***" {
		t.Errorf("settings: %+v, %v", set, err)
	}
	if again, err := account.EnvironmentSettings(ctx, made.UUID); err != nil || *again.CallbackURL != "https://cb.example" {
		t.Errorf("settings: %+v, %v", again, err)
	}
	key, err := account.CreateAPIKey(ctx, made.UUID, api.CreateAPIKey{DisplayName: "k", Scopes: []string{"environment:proxy"}})
	check(t, err)
	if one, err := account.APIKey(ctx, made.UUID, key.UUID); err != nil || one.DisplayName != "k" || one.LastUsedAt != nil {
		t.Errorf("key: %+v, %v", one, err)
	}
	if list, err := account.APIKeys(ctx, made.UUID, "k"); err != nil || len(list) != 1 {
		t.Errorf("keys: %v, %v", list, err)
	}
	check(t, account.DeleteAPIKey(ctx, made.UUID, key.UUID))
	check(t, account.DeleteEnvironment(ctx, made.UUID))

	check(t, account.ReplaceVariables(ctx, devUUID, []api.Variable{{Name: "A", Value: "1"}}))
	if vars, err := dev.Variables(ctx); err != nil || len(vars) != 1 || vars[0].Value.Reveal() != "1" {
		t.Errorf("variables: %v, %v", vars, err)
	}
	check(t, account.ReplaceVariables(ctx, devUUID, nil))
	if key, err := dev.RotateSigningKey(ctx); err != nil || key == "" {
		t.Errorf("signing key: %v", err)
	}
}

func useLogs(t *testing.T, c *client.Client, op string) {
	t.Helper()
	ctx := t.Context()
	n := 0
	for o, err := range c.AllOperations(ctx, api.OperationsQuery{Limit: new(1), From: new(time.Now().Add(-time.Hour)), Type: []string{"proxy", "auth"}}) {
		check(t, err)
		if o.ID == op {
			n++
		}
	}
	if n != 1 {
		t.Errorf("the operation was seen %d times", n)
	}
	if o, err := c.Operation(ctx, op, api.OperationQuery{}); err != nil || len(o.Data.Messages) != 1 {
		t.Errorf("operation: %+v, %v", o, err)
	}
}

func useSessions(t *testing.T, connect func(key string) *client.Client) {
	t.Helper()
	ctx := t.Context()
	made, err := connect(devKey).CreateConnectSession(ctx, api.CreateConnectSession{
		AllowedIntegrations: []string{"key"}, ConnectSessionOptions: api.ConnectSessionOptions{
			EndUser: &api.EndUserInput{ID: "u1"}, Organization: &api.OrganizationInput{ID: "o1"}, WebhookURLOverride: api.Some("https://hooks.example"),
			IntegrationsConfigDefaults: map[string]api.IntegrationDefaults{"key": {ConnectionConfig: map[string]any{"region": "eu"}}},
			Overrides:                  map[string]api.IntegrationOverrides{"key": {DocsConnect: new("https://docs.example")}},
		},
	})
	if err != nil || !strings.Contains(made.ConnectLink.Reveal(), made.Token.Reveal()) || time.Until(made.ExpiresAt.Time) <= 0 {
		t.Errorf("created %+v, %v", made, err)
	}
	browser := connect(made.Token.Reveal())
	if got, err := browser.ConnectSession(ctx); err != nil || got.EndUser.Organization.ID != "o1" || *got.Overrides["key"].DocsConnect != "https://docs.example" {
		t.Errorf("session: %+v, %v", got, err)
	}
	check(t, browser.EndConnectSession(ctx))
	if err := browser.EndConnectSession(ctx); !client.HasCode(err, "unknown_connect_session_token") {
		t.Errorf("ended twice: %v", err)
	}
	if _, err := connect(devKey).CreateReconnectSession(ctx, api.CreateReconnectSession{ConnectionID: "c0", IntegrationID: "key"}); err != nil {
		t.Errorf("reconnect: %v", err)
	}
}

func useDeliveries(t *testing.T, c *client.Client, older, newer string) {
	t.Helper()
	ctx := t.Context()
	var walked []string
	for d, err := range c.AllWebhookDeliveries(ctx, api.WebhookDeliveriesQuery{Limit: new(1), State: []string{"pending", "failed"}, Type: new("auth")}) {
		check(t, err)
		walked = append(walked, d.ID)
	}
	if strings.Join(walked, " ") != newer+" "+older {
		t.Errorf("walked %q", walked)
	}
	if again, err := c.ReplayWebhookDelivery(ctx, newer); err != nil || again.State != "pending" {
		t.Errorf("replayed %+v, %v", again, err)
	}
}

func useProxy(t *testing.T, c *client.Client) {
	t.Helper()
	resp, err := c.Proxy(context.WithoutCancel(t.Context()), client.ProxyRequest{
		Method: http.MethodPatch, Endpoint: "/a//b?x=1", ProviderConfigKey: "key", ConnectionID: "c0", Body: strings.NewReader("{}"),
	})
	check(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	check(t, err)
	if string(body) != "PATCH /proxy/a//b dev" {
		t.Errorf("the proxy got %q", body)
	}
}
