package server

import (
	"encoding/json"
	"net/http"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/internal/httpx"
)

func (s *Server) authorRoutes() []httpx.Route {
	if s.cfg.Author == nil {
		return nil
	}
	deploy := []string{linkspan.ScopeDeploy}
	return []httpx.Route{
		{
			Method: http.MethodPost, Pattern: "/functions/compile", Auth: httpx.AuthEnvironment, Tag: tagFunctions,
			Scopes:  []string{linkspan.ScopeFunctionsCompile},
			Summary: "Compile the text of a function",
			Description: "Checks its definition, too, and stores nothing. Problems are answered with compilation_error; " +
				"the payload has their places under errors.",
			Body: api.CompileFunction{}, Reply: api.CompiledFunction{}, Handler: s.compileFunction,
		},
		{
			Method: http.MethodPost, Pattern: "/functions/dryruns", Auth: httpx.AuthEnvironment, Tag: tagFunctions,
			Scopes: []string{linkspan.ScopeFunctionsDryRun}, Status: http.StatusAccepted,
			Summary:     "Try the text of a function with a connection",
			Description: "What it asks of the provider is real. Records, checkpoints and metadata that it saves are not stored.",
			Body:        api.StartDryRun{}, Reply: api.AuthorJob{}, Handler: s.startDryRun,
		},
		{
			Method: http.MethodGet, Pattern: "/functions/dryruns/{id}", Auth: httpx.AuthEnvironment, Tag: tagFunctions,
			Scopes:  []string{linkspan.ScopeFunctionsDryRun},
			Summary: "Get a dry run", Description: "They are kept for a day.",
			Path: api.AuthorJobPath{}, Reply: api.DryRun{}, Handler: s.getDryRun,
		},
		{
			Method: http.MethodPost, Pattern: "/functions/deployments", Auth: httpx.AuthEnvironment, Tag: tagFunctions, Scopes: deploy,
			Status:  http.StatusAccepted,
			Summary: "Deploy the text of a function, or a template",
			Description: "Texts are compiled and deployed in the background, templates at once. Functions that are kept in a folder are not replaced, " +
				"others only with allow_destructive.",
			Body: api.StartDeployment{}, Reply: api.AuthorJob{}, Handler: s.startDeployment,
		},
		{
			Method: http.MethodGet, Pattern: "/functions/deployments/{id}", Auth: httpx.AuthEnvironment, Tag: tagFunctions, Scopes: deploy,
			Summary: "Get a deployment", Description: "They are kept for a day.",
			Path: api.AuthorJobPath{}, Reply: api.Deployment{}, Handler: s.getDeployment,
		},
	}
}

func (s *Server) invocationRoutes() []httpx.Route {
	if s.cfg.Actions == nil {
		return nil
	}
	scopes := []string{linkspan.ScopeFunctionsInvoke}
	return []httpx.Route{
		{
			Method: http.MethodPost, Pattern: "/functions/invocations", Auth: httpx.AuthEnvironment, Tag: tagFunctions, Scopes: scopes,
			Summary:     "Run a function",
			Description: "Answers with what the function returns, as it is, or with an id at once. A function that fails is answered with function_failed; the payload says how.",
			Body:        api.InvokeFunction{}, Reply: json.RawMessage{}, Also: map[int]any{http.StatusAccepted: api.AsyncAction{}}, Handler: s.invokeFunction,
		},
		{
			Method: http.MethodGet, Pattern: "/functions/invocations/{id}", Auth: httpx.AuthEnvironment, Tag: tagFunctions, Scopes: scopes,
			Summary:     "Get the result of an invocation that nobody waited for",
			Description: "Answers 404 until the function has ended, and when it returned nothing.",
			Path:        api.ActionPath{}, Reply: json.RawMessage{}, Handler: s.invocationResult,
		},
	}
}
