package client

import (
	"context"
	"net/http"

	"github.com/linkspan/linkspan/api"
)

// CreateConnectSession makes a connect session: with its token, the browser of
// one end user can connect accounts for 30 minutes. It needs the scope
// environment:connect_sessions:write. Code: invalid_body.
func (c *Client) CreateConnectSession(ctx context.Context, in api.CreateConnectSession) (api.CreatedConnectSession, error) {
	return data[api.CreatedConnectSession](ctx, c, call{method: http.MethodPost, path: "/connect/sessions", body: in})
}

// CreateReconnectSession makes a connect session in which an end user gives an
// existing connection new credentials. Code: invalid_body, also when there is no
// such connection.
func (c *Client) CreateReconnectSession(ctx context.Context, in api.CreateReconnectSession) (api.CreatedConnectSession, error) {
	return data[api.CreatedConnectSession](ctx, c, call{method: http.MethodPost, path: "/connect/sessions/reconnect", body: in})
}

// ConnectSession returns the connect session of a client whose key is its token.
// Code: unknown_connect_session_token.
func (c *Client) ConnectSession(ctx context.Context) (api.ConnectSession, error) {
	return data[api.ConnectSession](ctx, c, call{method: http.MethodGet, path: "/connect/session"})
}

// EndConnectSession ends the connect session of a client whose key is its token.
// Code: unknown_connect_session_token.
func (c *Client) EndConnectSession(ctx context.Context) error {
	return c.do(ctx, call{method: http.MethodDelete, path: "/connect/session"}, nil)
}
