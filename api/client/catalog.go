package client

import (
	"context"
	"net/http"

	"github.com/linkspan/linkspan/api"
)

// Providers returns the providers whose name or display name contains search,
// ignoring case; "" returns all.
func (c *Client) Providers(ctx context.Context, search string) ([]api.Provider, error) {
	k := call{method: http.MethodGet, path: "/providers"}
	if search != "" {
		k.query = encodeQuery(api.ProvidersQuery{Search: &search})
	}
	return data[[]api.Provider](ctx, c, k)
}

// Provider returns one provider. Code: not_found.
func (c *Client) Provider(ctx context.Context, name string) (api.Provider, error) {
	return data[api.Provider](ctx, c, call{method: http.MethodGet, path: join("providers", name)})
}

// ProviderTemplates returns the function templates of a provider.
func (c *Client) ProviderTemplates(ctx context.Context, name string) ([]api.Template, error) {
	return data[[]api.Template](ctx, c, call{method: http.MethodGet, path: join("providers", name, "templates")})
}

// Catalogue returns all providers by name. It needs no key.
func (c *Client) Catalogue(ctx context.Context) (map[string]api.Provider, error) {
	return bare[map[string]api.Provider](ctx, c, call{method: http.MethodGet, path: "/providers.json"})
}

// Integrations returns the environment's integrations. Their credentials are
// included when the key may list them.
func (c *Client) Integrations(ctx context.Context) ([]api.Integration, error) {
	return data[[]api.Integration](ctx, c, call{method: http.MethodGet, path: "/integrations"})
}

// Integration returns one integration; include may name "webhook" and
// "credentials". Code: not_found.
func (c *Client) Integration(ctx context.Context, key string, include ...string) (api.Integration, error) {
	return data[api.Integration](ctx, c, call{
		method: http.MethodGet, path: join("integrations", key), query: encodeQuery(api.IntegrationQuery{Include: include}),
	})
}

// CreateIntegration sets a provider up. Codes: invalid_body,
// unsupported_provider.
func (c *Client) CreateIntegration(ctx context.Context, in api.CreateIntegration) (api.Integration, error) {
	return data[api.Integration](ctx, c, call{method: http.MethodPost, path: "/integrations", body: in})
}

// QuickstartIntegration sets a provider up on a developer app that the server's
// operator shares. Code: invalid_body when there is none.
func (c *Client) QuickstartIntegration(ctx context.Context, in api.QuickstartIntegration) (api.Integration, error) {
	return data[api.Integration](ctx, c, call{method: http.MethodPost, path: "/integrations/quickstart", body: in})
}

// UpdateIntegration changes the fields of in that are set. Codes: not_found,
// invalid_body.
func (c *Client) UpdateIntegration(ctx context.Context, key string, in api.UpdateIntegration) (api.Integration, error) {
	return data[api.Integration](ctx, c, call{method: http.MethodPatch, path: join("integrations", key), body: in})
}

// DeleteIntegration removes an integration and its connections. Code:
// not_found.
func (c *Client) DeleteIntegration(ctx context.Context, key string) error {
	return c.do(ctx, call{method: http.MethodDelete, path: join("integrations", key)}, nil)
}

// Functions returns a page of the functions deployed to an integration.
func (c *Client) Functions(ctx context.Context, key string, q api.FunctionsQuery) (api.Functions, error) {
	return bare[api.Functions](ctx, c, call{
		method: http.MethodGet, path: join("integrations", key, "functions"), query: encodeQuery(q),
	})
}

// ScriptsConfig returns the functions of all integrations, by integration.
func (c *Client) ScriptsConfig(ctx context.Context) ([]api.ScriptsConfig, error) {
	return bare[[]api.ScriptsConfig](ctx, c, call{method: http.MethodGet, path: "/scripts/config"})
}
