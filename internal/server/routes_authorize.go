package server

import (
	"net/http"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/catalog"
	"github.com/linkspan/linkspan/internal/httpx"
)

// Bodies that browsers send are small; what is larger is no mistake of theirs.
const (
	browserBody  = 64 << 10
	callbackBody = maxCallback
)

func (s *Server) connectSessionRoutes() []httpx.Route {
	return []httpx.Route{
		{
			Method: http.MethodPost, Pattern: "/connect/sessions", Auth: httpx.AuthEnvironment, Tag: tagConnect,
			Scopes:  []string{linkspan.ScopeConnectSessionsWrite},
			Summary: "Create a connect session", Status: http.StatusCreated,
			Description: "With its token the browser of one end user can connect accounts for 30 minutes. Without end_user it needs tags.",
			Body:        api.CreateConnectSession{}, Reply: api.Data[api.CreatedConnectSession]{}, Handler: s.createConnectSession,
		},
		{
			Method: http.MethodPost, Pattern: "/connect/sessions/reconnect", Auth: httpx.AuthEnvironment, Tag: tagConnect,
			Scopes:  []string{linkspan.ScopeConnectSessionsWrite},
			Summary: "Create a connect session for an existing connection", Status: http.StatusCreated,
			Description: "The end user gives the connection new credentials. Its id stays.",
			Body:        api.CreateReconnectSession{}, Reply: api.Data[api.CreatedConnectSession]{}, Handler: s.createReconnectSession,
		},
		{
			Method: http.MethodGet, Pattern: "/connect/session", Auth: httpx.AuthSession, Tag: tagConnect,
			Summary: "Get the connect session of the token", Description: "For Connect UI. Client secrets are masked.",
			Reply: api.Data[api.ConnectSession]{}, Handler: s.getConnectSession,
		},
		{
			Method: http.MethodDelete, Pattern: "/connect/session", Auth: httpx.AuthSession, Tag: tagConnect,
			Summary: "End the connect session of the token", Status: http.StatusNoContent,
			Handler: s.endConnectSession,
		},
		{
			Method: http.MethodPost, Pattern: "/connect/telemetry", Tag: tagConnect,
			Summary: "Tell what happened in Connect UI", Status: http.StatusNoContent,
			Description: "The token of the connect session is in the body. Events appear in the log, under the operation of the session.",
			CORS:        s.telemetryCORS(), BodyLimit: browserBody, Body: api.ConnectEvent{}, Handler: s.connectTelemetry,
		},
	}
}

// telemetryCORS lets Connect UI send beacons, which browsers send with cookies
// (wire contract §1.2).
func (s *Server) telemetryCORS() *httpx.CORS {
	return &httpx.CORS{
		Origin: originOf(s.cfg.ConnectURL), Methods: http.MethodPost,
		Headers: "Authorization, Content-type", Exposed: "content-type", MaxAge: 36000,
	}
}

// authorizeRoutes are for the browsers of end users.
func (s *Server) authorizeRoutes() []httpx.Route {
	routes := []httpx.Route{
		{
			Method: http.MethodGet, Pattern: "/oauth/connect/{provider_config_key}", Auth: httpx.AuthBrowser, Tag: tagConnect, AnyContentType: true,
			Summary: "Begin to connect an account with OAuth", Status: http.StatusFound,
			Description: "For a window of the end user's browser, which is sent on to the provider. The page that opened it learns the result from the WebSocket at /.",
			Path:        api.ConnectPath{}, Query: api.ConnectParams{}, Fail: s.failedPage, Handler: s.beginOAuth,
		},
		{
			Method: http.MethodGet, Pattern: "/oauth/callback", AnyContentType: true, Fail: s.failedPage, Handler: s.oauthCallback,
		},
		{
			Method: http.MethodPost, Pattern: "/oauth/callback", AnyContentType: true, BodyLimit: callbackBody, Fail: s.failedPage, Handler: s.oauthCallback,
		},
		{
			Method: http.MethodGet, Pattern: "/app-auth/connect", AnyContentType: true, Fail: s.failedPage, Handler: s.appInstalled,
		},
		{
			Method: http.MethodGet, Pattern: "/oauth/client-metadata/{environment_uuid}/{provider_config_key}", AnyContentType: true, Handler: s.clientMetadata,
		},
		{
			Pattern: "/api-auth/api-key/{provider_config_key}", Summary: "Connect an account by its API key",
			Description: "The key is tried out first where the provider has a way to.",
			Body:        api.ConnectWithAPIKey{}, Handler: s.connectAPIKey,
		},
		{
			Pattern: "/api-auth/basic/{provider_config_key}", Summary: "Connect an account by user name and password",
			Description: "They are tried out first where the provider has a way to.",
			Body:        api.ConnectWithBasic{}, Handler: s.connectBasic,
		},
		{
			Pattern: "/auth/unauthenticated/{provider_config_key}", Summary: "Connect to a provider that asks for no credentials",
			Handler: s.connectNone,
		},
		refused("/auth/jwt/", s.refuseMode(catalog.ModeJWT)),
		refused("/auth/two-step/", s.refuseMode(catalog.ModeTwoStep)),
		refused("/auth/tba/", s.refuseMode(catalog.ModeTBA)),
		refused("/auth/bill/", s.refuseMode(catalog.ModeBill)),
		refused("/auth/signature/", s.refuseMode(catalog.ModeSignature)),
		refused("/auth/aws-sigv4/", s.refuseMode(catalog.ModeAWSSigV4)),
		refused("/auth/oauth-outbound/", s.refuseOutbound),
		refused("/oauth2/auth/", s.refuseClientCredentials),
	}
	for i := range routes {
		if r := &routes[i]; r.Method == "" {
			r.Method, r.Auth, r.Tag, r.BodyLimit = http.MethodPost, httpx.AuthBrowser, tagConnect, browserBody
			r.Path, r.Query, r.Reply = api.ConnectPath{}, api.ConnectParams{}, api.ConnectedAccount{}
		}
	}
	return routes
}

// refused is a route of the contract for a way to authenticate that this
// version does not have. It stays out of the OpenAPI document.
func refused(prefix string, h httpx.Handler) httpx.Route {
	return httpx.Route{Pattern: prefix + "{provider_config_key}", AnyContentType: true, Handler: h}
}

// socketRoutes is where frontends wait for the result of a popup, at the path
// that the published client has built in.
func (s *Server) socketRoutes() []httpx.Route {
	return []httpx.Route{{Method: http.MethodGet, Pattern: "/", AnyContentType: true, Quiet: true, Handler: s.root}}
}

func (s *Server) webhookRoutes() []httpx.Route {
	return []httpx.Route{
		{
			Method: http.MethodGet, Pattern: "/webhooks/deliveries", Auth: httpx.AuthEnvironment, Tag: tagWebhooks,
			Scopes:  []string{linkspan.ScopeWebhooksRead},
			Summary: "List deliveries of webhooks", Description: "Newest first. Ask for the next page with next_cursor.",
			Query: api.WebhookDeliveriesQuery{}, Reply: api.WebhookDeliveries{}, Handler: s.listDeliveries,
		},
		{
			Method: http.MethodPost, Pattern: "/webhooks/deliveries/{delivery_id}/replay", Auth: httpx.AuthEnvironment, Tag: tagWebhooks,
			Scopes:  []string{linkspan.ScopeWebhooksReplay},
			Summary: "Send a webhook again", Status: http.StatusAccepted,
			Description: "To the same URL, with the same message id. The reply shows the delivery that will do it.",
			Path:        api.WebhookDeliveryPath{}, Reply: api.Data[api.WebhookDelivery]{}, Handler: s.replayDelivery,
		},
	}
}
