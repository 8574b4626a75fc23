package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/linkspan/linkspan/api"
)

// CompileFunction compiles the text of a function and checks its definition. It
// needs the scope environment:functions:compile. Codes: compilation_error, whose
// payload is an [api.CompileProblems]; invalid_request, timeout,
// execution_environment_unavailable.
func (c *Client) CompileFunction(ctx context.Context, in api.CompileFunction) (api.CompiledFunction, error) {
	return bare[api.CompiledFunction](ctx, c, call{method: http.MethodPost, path: "/functions/compile", body: in})
}

// StartDryRun has a function tried with a connection. The reply's ID is for
// [Client.DryRun]. It needs the scope environment:functions:dryrun. Codes:
// integration_not_found, connection_not_found, invalid_request,
// execution_environment_unavailable.
func (c *Client) StartDryRun(ctx context.Context, in api.StartDryRun) (api.AuthorJob, error) {
	return bare[api.AuthorJob](ctx, c, call{method: http.MethodPost, path: "/functions/dryruns", body: in, once: true})
}

// DryRun returns a dry run. It needs the scope environment:functions:dryrun. Code:
// dryrun_not_found.
func (c *Client) DryRun(ctx context.Context, id string) (api.DryRun, error) {
	return bare[api.DryRun](ctx, c, call{method: http.MethodGet, path: join("functions", "dryruns", id)})
}

// StartDeployment has a function, or a template, deployed. The reply's ID is for
// [Client.Deployment]. It needs the scope environment:deploy. Codes:
// integration_not_found, invalid_request, template_not_found, ambiguous_function,
// template_already_deployed, execution_environment_unavailable.
func (c *Client) StartDeployment(ctx context.Context, in api.StartDeployment) (api.AuthorJob, error) {
	return bare[api.AuthorJob](ctx, c, call{method: http.MethodPost, path: "/functions/deployments", body: in, once: true})
}

// Deployment returns a deployment. It needs the scope environment:deploy. Code:
// deployment_not_found.
func (c *Client) Deployment(ctx context.Context, id string) (api.Deployment, error) {
	return bare[api.Deployment](ctx, c, call{method: http.MethodGet, path: join("functions", "deployments", id)})
}

// InvokeFunction runs a function, waits for it and decodes what it returns into out;
// nil drops it. It needs the scope environment:functions:invocations. Codes:
// connection_not_found, integration_not_found, function_not_found, function_disabled,
// validation_error, and function_failed, whose payload is an [api.AuthorError].
func (c *Client) InvokeFunction(ctx context.Context, a Action, out any) error {
	k, err := a.invoke("wait")
	if err != nil {
		return err
	}
	return c.do(ctx, k, out)
}

// InvokeFunctionAsync has a function run in the background. The reply's ID is for
// [Client.Invocation]. Codes: those of InvokeFunction that need no result.
func (c *Client) InvokeFunctionAsync(ctx context.Context, a Action) (api.AsyncAction, error) {
	k, err := a.invoke("no_wait")
	if err != nil {
		return api.AsyncAction{}, err
	}
	return bare[api.AsyncAction](ctx, c, k)
}

// Invocation decodes what a function returned that nobody waited for into out. While
// it runs, and when it returned nothing, the error has the code not_found.
func (c *Client) Invocation(ctx context.Context, id string, out any) error {
	return c.do(ctx, call{method: http.MethodGet, path: join("functions", "invocations", id)}, out)
}

// invoke makes the request that runs the function.
func (a *Action) invoke(how string) (call, error) {
	body := api.InvokeFunction{IntegrationID: a.ProviderConfigKey, ConnectionID: a.ConnectionID, Name: a.Name, InvocationType: how}
	if a.Input != nil {
		input, err := json.Marshal(a.Input)
		if err != nil {
			return call{}, fmt.Errorf("encoding the input of function %q: %w", a.Name, err)
		}
		body.Input = input
	}
	return call{method: http.MethodPost, path: "/functions/invocations", body: body, once: true}, nil
}
