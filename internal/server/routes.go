package server

import (
	"net/http"
	"slices"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/internal/httpx"
)

// proxyBodyIdle is how long a proxied body may pause: callers stream, and the
// proxy waits as long for pieces of the answer.
const proxyBodyIdle = 10 * time.Minute

// The sections of the OpenAPI document.
const (
	tagProviders    = "Providers"
	tagIntegrations = "Integrations"
	tagFunctions    = "Functions"
	tagSyncs        = "Syncs"
	tagConnections  = "Connections"
	tagProxy        = "Proxy"
	tagEnvironments = "Environments"
	tagLogs         = "Logs"
	tagConnect      = "Connect"
	tagWebhooks     = "Webhooks"
	tagServer       = "Server"
)

// routes is the route table: everything the public port answers.
func (s *Server) routes() []httpx.Route {
	return slices.Concat(
		s.serverRoutes(),
		s.providerRoutes(),
		s.integrationRoutes(),
		s.functionRoutes(),
		s.deployRoutes(),
		s.authorRoutes(),
		s.actionRoutes(),
		s.invocationRoutes(),
		s.syncRoutes(),
		s.recordRoutes(),
		s.connectionRoutes(),
		s.legacyConnectionRoutes(),
		s.proxyRoutes(),
		s.environmentRoutes(),
		s.keyRoutes(),
		s.logRoutes(),
		s.connectSessionRoutes(),
		s.authorizeRoutes(),
		s.socketRoutes(),
		s.webhookRoutes(),
	)
}

// serverRoutes need no key. The pages and pictures are not for programs and stay
// out of the OpenAPI document.
func (s *Server) serverRoutes() []httpx.Route {
	routes := []httpx.Route{
		{
			Method: http.MethodGet, Pattern: "/health", Tag: tagServer, Quiet: true, AnyContentType: true,
			Summary: "Tell whether the server runs", Reply: api.Health{}, Handler: s.health,
		},
		{
			Method: http.MethodGet, Pattern: "/ready", Tag: tagServer, Quiet: true, AnyContentType: true,
			Summary:     "Tell whether the server is ready for requests",
			Description: "Answers 503 while the server starts, shuts down or has no database.",
			Reply:       api.Health{}, Also: map[int]any{http.StatusServiceUnavailable: api.Health{}}, Handler: s.ready,
		},
		{
			Method: http.MethodGet, Pattern: "/openapi.json", Tag: tagServer, AnyContentType: true,
			Summary: "Describe this API as an OpenAPI document", Reply: map[string]any{}, Handler: s.openAPIDocument,
		},
		{
			Method: http.MethodPost, Pattern: "/cli/telemetry", Quiet: true, AnyContentType: true,
			Status: http.StatusNoContent, BodyLimit: browserBody, Handler: s.cliTelemetry,
		},
	}
	if s.cfg.Docs == nil {
		return routes
	}
	page := func(pattern string, h httpx.Handler) httpx.Route {
		return httpx.Route{Method: http.MethodGet, Pattern: pattern, AnyContentType: true, Quiet: true, Handler: h}
	}
	return append(routes,
		page("/docs/providers", s.cfg.Docs.Index),
		page("/docs/providers/{name}", s.cfg.Docs.Provider),
		page("/images/template-logos/{file}", s.cfg.Docs.Logo),
	)
}

func (s *Server) providerRoutes() []httpx.Route {
	return []httpx.Route{
		{
			Method: http.MethodGet, Pattern: "/providers.json", Tag: tagProviders, AnyContentType: true,
			Summary:     "Get the whole catalogue by provider name",
			Description: "Needs no key. The entries are those of GET /providers without name and logo_url.",
			Reply:       map[string]api.Provider{}, Handler: s.catalogue,
		},
		{
			Method: http.MethodGet, Pattern: "/providers", Auth: httpx.AuthEnvironmentOrSession, Tag: tagProviders,
			Summary: "List providers", Description: "All of them, or those whose name or display name contains the search text.",
			Query: api.ProvidersQuery{}, Reply: api.List[api.Provider]{}, Handler: s.listProviders,
		},
		{
			Method: http.MethodGet, Pattern: "/providers/{provider}", Auth: httpx.AuthEnvironmentOrSession, Tag: tagProviders,
			Summary: "Get a provider", Path: api.ProviderPath{}, Query: api.ProviderQuery{}, Reply: api.Data[api.Provider]{}, Handler: s.getProvider,
		},
		{
			Method: http.MethodGet, Pattern: "/providers/{provider}/templates", Auth: httpx.AuthEnvironment, Tag: tagProviders,
			Summary: "List a provider's function templates", Path: api.ProviderPath{}, Reply: api.List[api.Template]{}, Handler: s.providerTemplates,
		},
	}
}

func (s *Server) integrationRoutes() []httpx.Route {
	return []httpx.Route{
		{
			Method: http.MethodGet, Pattern: "/integrations", Auth: httpx.AuthEnvironmentOrSession, Tag: tagIntegrations,
			Scopes:  []string{linkspan.ScopeIntegrationsList, linkspan.ScopeIntegrationsListCreds},
			Summary: "List integrations", Description: "Credentials are included for keys that may list them. A connect session sees the integrations it allows.",
			Query: api.IntegrationsQuery{}, Reply: api.List[api.Integration]{}, Handler: s.listIntegrations,
		},
		{
			Method: http.MethodPost, Pattern: "/integrations", Auth: httpx.AuthEnvironment, Tag: tagIntegrations,
			Scopes:  []string{linkspan.ScopeIntegrationsCreate},
			Summary: "Create an integration", Description: "Sets a provider up with the credentials of a developer app, where its authentication mode has one.",
			Body: api.CreateIntegration{}, Reply: api.Data[api.Integration]{}, Handler: s.createIntegration,
		},
		{
			Method: http.MethodPost, Pattern: "/integrations/quickstart", Auth: httpx.AuthEnvironment, Tag: tagIntegrations,
			Scopes:  []string{linkspan.ScopeIntegrationsCreate},
			Summary: "Create an integration on a shared developer app", Description: "Refused: this server has no shared developer apps.",
			Body: api.QuickstartIntegration{}, Reply: api.Data[api.Integration]{}, Handler: s.quickstartIntegration,
		},
		{
			Method: http.MethodGet, Pattern: "/integrations/{unique_key}", Auth: httpx.AuthEnvironment, Tag: tagIntegrations,
			Scopes:  []string{linkspan.ScopeIntegrationsRead, linkspan.ScopeIntegrationsReadCreds},
			Summary: "Get an integration", Description: "Credentials are left out for keys that may not read them.",
			Path: api.IntegrationPath{}, Query: api.IntegrationQuery{}, Reply: api.Data[api.Integration]{}, Handler: s.getIntegration,
		},
		{
			Method: http.MethodPatch, Pattern: "/integrations/{unique_key}", Auth: httpx.AuthEnvironment, Tag: tagIntegrations,
			Scopes:  []string{linkspan.ScopeIntegrationsUpdate},
			Summary: "Change an integration", Description: "Changes the fields that are given. An integration with connections can't be renamed.",
			Path: api.IntegrationPath{}, Body: api.UpdateIntegration{}, Reply: api.Data[api.Integration]{}, Handler: s.updateIntegration,
		},
		{
			Method: http.MethodDelete, Pattern: "/integrations/{unique_key}", Auth: httpx.AuthEnvironment, Tag: tagIntegrations,
			Scopes:  []string{linkspan.ScopeIntegrationsDelete},
			Summary: "Delete an integration", Description: "Its connections are deleted with it.",
			Path: api.IntegrationPath{}, Reply: api.Success{}, Handler: s.deleteIntegration,
		},
		{
			Method: http.MethodGet, Pattern: "/config/{unique_key}", Auth: httpx.AuthEnvironment, Tag: tagIntegrations, AnyContentType: true,
			Scopes:  []string{linkspan.ScopeIntegrationsRead, linkspan.ScopeIntegrationsReadCreds},
			Summary: "Get an integration (older form)", Deprecated: true,
			Path: api.IntegrationPath{}, Query: api.LegacyIntegrationQuery{}, Reply: api.LegacyIntegrationReply{}, Handler: s.legacyIntegration,
		},
	}
}

func (s *Server) proxyRoutes() []httpx.Route {
	return []httpx.Route{{
		Pattern: "/proxy/", Raw: true, Auth: httpx.AuthEnvironment, Scopes: []string{linkspan.ScopeProxy}, Tag: tagProxy,
		Summary: "Call a provider's API with a connection's credentials",
		Description: "The rest of the path and the query go to the provider as they are, with any method. Headers named Nango-Proxy-* go along " +
			"under the rest of their name; no other header does. Status, headers and body of the provider's answer come back. " +
			"A failure of the server itself carries the header X-Linkspan-Error.",
		Header: api.ProxyHeaders{}, BodyLimit: s.cfg.ProxyBodyLimit, BodyIdle: proxyBodyIdle, Handler: s.proxy,
	}}
}

func (s *Server) logRoutes() []httpx.Route {
	return []httpx.Route{
		{
			Method: http.MethodGet, Pattern: "/logs/operations", Auth: httpx.AuthEnvironment, Scopes: []string{linkspan.ScopeLogsRead}, Tag: tagLogs,
			Summary: "List operations", Description: "Newest first. The next page begins before next_cursor. Operations are kept for 15 days.",
			Query: api.OperationsQuery{}, Reply: api.Operations{}, Handler: s.listOperations,
		},
		{
			Method: http.MethodGet, Pattern: "/logs/operations/{operation_id}", Auth: httpx.AuthEnvironment, Scopes: []string{linkspan.ScopeLogsRead}, Tag: tagLogs,
			Summary: "Get an operation with its messages", Description: "Messages come oldest first. The next page begins after next_cursor.",
			Path: api.OperationPath{}, Query: api.OperationQuery{}, Reply: api.OperationReply{}, Handler: s.getOperation,
		},
	}
}
