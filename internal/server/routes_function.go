package server

import (
	"net/http"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/internal/httpx"
)

func (s *Server) functionRoutes() []httpx.Route {
	const one = "/integrations/{unique_key}/functions/{name}"
	return []httpx.Route{
		{
			Method: http.MethodGet, Pattern: "/integrations/{unique_key}/functions", Auth: httpx.AuthEnvironment, Tag: tagFunctions,
			Scopes:  []string{linkspan.ScopeFunctionsList},
			Summary: "List an integration's functions", Description: "By name.",
			Path: api.IntegrationPath{}, Query: api.FunctionsQuery{}, Reply: api.Functions{}, Handler: s.listFunctions,
		},
		{
			Method: http.MethodGet, Pattern: one, Auth: httpx.AuthEnvironment, Tag: tagFunctions,
			Scopes:  []string{linkspan.ScopeFunctionsRead},
			Summary: "Get a function", Path: api.FunctionPath{}, Query: api.FunctionQuery{}, Reply: api.Data[api.Function]{}, Handler: s.getFunction,
		},
		{
			Method: http.MethodPatch, Pattern: one, Auth: httpx.AuthEnvironment, Tag: tagFunctions,
			Scopes:  []string{linkspan.ScopeFunctionsUpdate},
			Summary: "Switch a function on or off", Description: "It stays so when it is deployed again.",
			Path: api.FunctionPath{}, Query: api.FunctionQuery{}, Body: api.UpdateFunction{}, Reply: api.Data[api.Function]{}, Handler: s.updateFunction,
		},
		{
			Method: http.MethodDelete, Pattern: one, Auth: httpx.AuthEnvironment, Tag: tagFunctions,
			Scopes:  []string{linkspan.ScopeFunctionsDelete},
			Summary: "Delete a function", Description: "Functions that are kept in a folder are removed there and by the next deploy.",
			Path: api.FunctionPath{}, Query: api.DeleteFunctionQuery{}, Reply: api.Data[api.Success]{}, Handler: s.deleteFunction,
		},
		{
			Method: http.MethodGet, Pattern: one + "/code", Auth: httpx.AuthEnvironment, Tag: tagFunctions,
			Scopes:  []string{linkspan.ScopeFunctionsRead},
			Summary: "Get the source of a function", Path: api.FunctionPath{}, Query: api.FunctionQuery{}, Reply: api.FunctionCode{}, Handler: s.functionCode,
		},
		{
			Method: http.MethodGet, Pattern: one + "/versions", Auth: httpx.AuthEnvironment, Tag: tagFunctions,
			Scopes:  []string{linkspan.ScopeFunctionsRead},
			Summary: "List the versions of a function", Description: "Newest first. Each deploy that changes the function makes one.",
			Path: api.FunctionPath{}, Query: api.FunctionVersionsQuery{}, Reply: api.FunctionVersions{}, Handler: s.functionVersions,
		},
		{
			Method: http.MethodPost, Pattern: one + "/rollback", Auth: httpx.AuthEnvironment, Tag: tagFunctions,
			Scopes:  []string{linkspan.ScopeDeploy},
			Summary: "Go back to an earlier version of a function", Description: "It runs at once. The next deploy that changes the function takes its place.",
			Path: api.FunctionPath{}, Query: api.FunctionQuery{}, Body: api.RollbackFunction{}, Reply: api.Data[api.Function]{}, Handler: s.rollbackFunction,
		},
		{
			Method: http.MethodGet, Pattern: "/scripts/config", Auth: httpx.AuthEnvironment, Tag: tagFunctions,
			Scopes:  []string{linkspan.ScopeIntegrationsListFunctions},
			Summary: "List the functions of all integrations", Query: api.ScriptsConfigQuery{}, Reply: []api.ScriptsConfig{}, Handler: s.scriptsConfig,
		},
	}
}

func (s *Server) deployRoutes() []httpx.Route {
	scopes := []string{linkspan.ScopeDeploy}
	return []httpx.Route{
		{
			Method: http.MethodPost, Pattern: "/sync/deploy/confirmation", Auth: httpx.AuthEnvironment, Tag: tagFunctions, Scopes: scopes,
			Summary: "Tell what a deploy would change", Body: api.Deploy{}, Reply: api.DeployConfirmation{}, Handler: s.confirmDeploy,
		},
		{
			Method: http.MethodPost, Pattern: "/sync/deploy", Auth: httpx.AuthEnvironment, Tag: tagFunctions, Scopes: scopes,
			Summary: "Deploy functions", Description: "All of it happens or nothing. The reply lists the functions that were deployed, changed or not.",
			Body: api.Deploy{}, Reply: []api.DeployedFunction{}, Handler: s.deploy,
		},
		{
			Method: http.MethodPost, Pattern: "/functions/deployments/bundle/preview", Auth: httpx.AuthEnvironment, Tag: tagFunctions, Scopes: scopes,
			Summary: "Tell what a deploy of functions made by createFunction would change", Body: api.DeployBundle{}, Reply: api.DeployBundleReply{}, Handler: s.previewBundle,
		},
		{
			Method: http.MethodPost, Pattern: "/functions/deployments/bundle", Auth: httpx.AuthEnvironment, Tag: tagFunctions, Scopes: scopes,
			Summary: "Deploy functions made by createFunction", Description: "Functions made by createFunction. Those in its scope that were deployed this way and that it does not name are removed; a bundle without functions stands for an empty folder, and removes all of the scope.",
			Body: api.DeployBundle{}, Reply: api.DeployBundleReply{}, Handler: s.deployBundle,
		},
	}
}
