package client

import (
	"context"
	"net/http"

	"github.com/linkspan/linkspan/api"
)

// Variables returns the environment's variables. It needs an environment key.
func (c *Client) Variables(ctx context.Context) ([]api.Variable, error) {
	return bare[[]api.Variable](ctx, c, call{method: http.MethodGet, path: "/environment-variables"})
}

// ReplaceVariables makes vars the whole set of an environment's variables.
func (c *Client) ReplaceVariables(ctx context.Context, environmentUUID string, vars []api.Variable) error {
	if vars == nil {
		vars = []api.Variable{}
	}
	return c.do(ctx, call{
		method: http.MethodPut, path: join("environments", environmentUUID, "variables"), body: api.ReplaceVariables{Variables: vars},
	}, nil)
}

// RotateSigningKey replaces the key that signs the environment's webhooks and
// returns the new one. The old one stops at once. It needs an environment key.
func (c *Client) RotateSigningKey(ctx context.Context) (api.Secret, error) {
	key, err := data[api.SigningKey](ctx, c, call{method: http.MethodPost, path: "/environment/webhook-signing-key/rotate"})
	return key.WebhookSigningKey, err
}

// Environments returns the account's environments; a name keeps only that one.
// It needs an account key, as the methods below do.
func (c *Client) Environments(ctx context.Context, name string) ([]api.Environment, error) {
	k := call{method: http.MethodGet, path: "/environments"}
	if name != "" {
		k.query = encodeQuery(api.EnvironmentsQuery{Name: &name})
	}
	return data[[]api.Environment](ctx, c, k)
}

// CreateEnvironment makes an environment. Make a key for it with CreateAPIKey.
// Code: conflict when the name is taken.
func (c *Client) CreateEnvironment(ctx context.Context, in api.CreateEnvironment) (api.CreatedEnvironment, error) {
	return data[api.CreatedEnvironment](ctx, c, call{method: http.MethodPost, path: "/environments", body: in})
}

// DeleteEnvironment removes an environment with everything in it. Codes:
// not_found, cannot_delete_prod_environment.
func (c *Client) DeleteEnvironment(ctx context.Context, uuid string) error {
	return c.do(ctx, call{method: http.MethodDelete, path: join("environments", uuid)}, nil)
}

// EnvironmentSettings returns an environment's settings, secrets masked. With
// api.CurrentEnvironment as the uuid an environment key gets those of its own.
func (c *Client) EnvironmentSettings(ctx context.Context, uuid string) (api.EnvironmentSettings, error) {
	return data[api.EnvironmentSettings](ctx, c, call{method: http.MethodGet, path: join("environments", uuid, "settings")})
}

// UpdateEnvironmentSettings changes the settings of in that are set; an
// environment key may name its own environment api.CurrentEnvironment. Codes:
// not_found, invalid_is_prod_flag, invalid_body.
func (c *Client) UpdateEnvironmentSettings(ctx context.Context, uuid string, in api.UpdateEnvironmentSettings) (api.EnvironmentSettings, error) {
	return data[api.EnvironmentSettings](ctx, c, call{method: http.MethodPatch, path: join("environments", uuid, "settings"), body: in})
}

// APIKeys returns an environment's keys without their text; a display name
// keeps only that one.
func (c *Client) APIKeys(ctx context.Context, environmentUUID, displayName string) ([]api.APIKey, error) {
	k := call{method: http.MethodGet, path: join("environments", environmentUUID, "api-keys")}
	if displayName != "" {
		k.query = encodeQuery(api.APIKeysQuery{DisplayName: &displayName})
	}
	return data[[]api.APIKey](ctx, c, k)
}

// APIKey returns one key without its text. Code: not_found.
func (c *Client) APIKey(ctx context.Context, environmentUUID, keyUUID string) (api.APIKey, error) {
	return data[api.APIKey](ctx, c, call{method: http.MethodGet, path: join("environments", environmentUUID, "api-keys", keyUUID)})
}

// CreateAPIKey makes a key. The reply is the only one that shows it. Code:
// conflict when the name is taken.
func (c *Client) CreateAPIKey(ctx context.Context, environmentUUID string, in api.CreateAPIKey) (api.CreatedAPIKey, error) {
	return data[api.CreatedAPIKey](ctx, c, call{method: http.MethodPost, path: join("environments", environmentUUID, "api-keys"), body: in})
}

// DeleteAPIKey revokes a key. Code: not_found.
func (c *Client) DeleteAPIKey(ctx context.Context, environmentUUID, keyUUID string) error {
	return c.do(ctx, call{method: http.MethodDelete, path: join("environments", environmentUUID, "api-keys", keyUUID)}, nil)
}
