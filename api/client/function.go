package client

import (
	"context"
	"net/http"

	"github.com/linkspan/linkspan/api"
)

// ConfirmDeploy tells what a deploy would change. It needs the scope
// environment:deploy. Codes: invalid_body, unknown_provider_config.
func (c *Client) ConfirmDeploy(ctx context.Context, in api.Deploy) (api.DeployConfirmation, error) {
	return bare[api.DeployConfirmation](ctx, c, call{method: http.MethodPost, path: "/sync/deploy/confirmation", body: in})
}

// Deploy deploys functions, all or none, and returns them, changed or not. It
// needs the scope environment:deploy. Codes: those of ConfirmDeploy, and
// concurrent_deployment while somebody else deploys.
func (c *Client) Deploy(ctx context.Context, in api.Deploy) ([]api.DeployedFunction, error) {
	return bare[[]api.DeployedFunction](ctx, c, call{method: http.MethodPost, path: "/sync/deploy", body: in})
}

// PreviewBundle tells what a bundle would change. It needs the scope
// environment:deploy. Codes: invalid_body, integration_not_found.
func (c *Client) PreviewBundle(ctx context.Context, in api.DeployBundle) (api.DeployBundleReply, error) {
	return bare[api.DeployBundleReply](ctx, c, call{method: http.MethodPost, path: "/functions/deployments/bundle/preview", body: in})
}

// DeployBundle deploys a bundle and removes what is in its scope and not in it.
// It needs the scope environment:deploy. Codes: those of PreviewBundle, and
// concurrent_deployment while somebody else deploys.
func (c *Client) DeployBundle(ctx context.Context, in api.DeployBundle) (api.DeployBundleReply, error) {
	return bare[api.DeployBundleReply](ctx, c, call{method: http.MethodPost, path: "/functions/deployments/bundle", body: in})
}

// Function returns a function. It needs the scope environment:functions:read.
// Codes: not_found, and ambiguous_function when the query has to say the type.
func (c *Client) Function(ctx context.Context, integration, name string, q api.FunctionQuery) (api.Function, error) {
	return data[api.Function](ctx, c, call{method: http.MethodGet, path: functionPath(integration, name), query: encodeQuery(q)})
}

// FunctionCode returns the TypeScript of a function. It needs the scope
// environment:functions:read. Codes: those of Function.
func (c *Client) FunctionCode(ctx context.Context, integration, name string, q api.FunctionQuery) (api.FunctionCode, error) {
	return bare[api.FunctionCode](ctx, c, call{method: http.MethodGet, path: functionPath(integration, name) + "/code", query: encodeQuery(q)})
}

// UpdateFunction switches a function on or off. It needs the scope
// environment:functions:update. Codes: those of Function.
func (c *Client) UpdateFunction(ctx context.Context, integration, name string, q api.FunctionQuery, in api.UpdateFunction) (api.Function, error) {
	return data[api.Function](ctx, c, call{method: http.MethodPatch, path: functionPath(integration, name), query: encodeQuery(q), body: in})
}

// DeleteFunction deletes a function that no folder keeps. It needs the scope
// environment:functions:delete. Codes: not_found, function_managed_by_deploy.
func (c *Client) DeleteFunction(ctx context.Context, integration, name string, q api.DeleteFunctionQuery) error {
	return c.do(ctx, call{method: http.MethodDelete, path: functionPath(integration, name), query: encodeQuery(q)}, nil)
}

// FunctionVersions returns a page of a function's versions, newest first. It
// needs the scope environment:functions:read. Codes: those of Function.
func (c *Client) FunctionVersions(ctx context.Context, integration, name string, q api.FunctionVersionsQuery) (api.FunctionVersions, error) {
	return bare[api.FunctionVersions](ctx, c, call{method: http.MethodGet, path: functionPath(integration, name) + "/versions", query: encodeQuery(q)})
}

// RollbackFunction makes an earlier version of a function the one that runs. It
// needs the scope environment:deploy. Codes: those of Function.
func (c *Client) RollbackFunction(ctx context.Context, integration, name string, q api.FunctionQuery, in api.RollbackFunction) (api.Function, error) {
	return data[api.Function](ctx, c, call{method: http.MethodPost, path: functionPath(integration, name) + "/rollback", query: encodeQuery(q), body: in})
}

func functionPath(integration, name string) string {
	return join("integrations", integration, "functions", name)
}

// Tools returns the syncs and actions of all integrations that are switched on,
// as language models are told of them. It needs the scope
// environment:integrations:list_functions.
func (c *Client) Tools(ctx context.Context) ([]api.Tool, error) {
	return data[[]api.Tool](ctx, c, call{method: http.MethodGet, path: "/scripts/config", query: encodeQuery(api.ScriptsConfigQuery{Format: new("openai")})})
}
