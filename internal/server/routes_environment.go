package server

import (
	"net/http"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/internal/httpx"
)

// environmentRoutes are for account keys, and where they are about one
// environment, for its own keys too.
func (s *Server) environmentRoutes() []httpx.Route {
	return []httpx.Route{
		{
			Method: http.MethodGet, Pattern: "/environments", Auth: httpx.AuthAccount, Tag: tagEnvironments,
			Scopes: []string{linkspan.ScopeAccountEnvironmentsList}, Summary: "List environments",
			Query: api.EnvironmentsQuery{}, Reply: api.List[api.Environment]{}, Handler: s.listEnvironments,
		},
		{
			Method: http.MethodPost, Pattern: "/environments", Auth: httpx.AuthAccount, Tag: tagEnvironments,
			Scopes: []string{linkspan.ScopeAccountEnvironmentsCreate}, Summary: "Create an environment",
			Description: "It gets a default key that nobody learns; create another for your programs. A production environment needs the scope " +
				linkspan.ScopeAccountEnvironmentsSetProd + " as well.",
			Body: api.CreateEnvironment{}, Reply: api.Data[api.CreatedEnvironment]{}, Handler: s.createEnvironment,
		},
		{
			Method: http.MethodDelete, Pattern: "/environments/{environment}", Auth: httpx.AuthAccount, Tag: tagEnvironments,
			Scopes: []string{linkspan.ScopeAccountEnvironmentsDelete}, Summary: "Delete an environment", Status: http.StatusNoContent,
			Description: "Everything in it stops working at once. The environment is named by its UUID or, in the older form, by its number.",
			Path:        api.AnyEnvironmentPath{}, Handler: s.deleteEnvironment,
		},
		{
			Method: http.MethodGet, Pattern: "/environments/{environment_uuid}/settings", Auth: httpx.AuthEnvironmentOrAccount, Tag: tagEnvironments,
			Scopes: []string{linkspan.ScopeSettingsRead, linkspan.ScopeAccountEnvironmentsList}, Summary: "Get an environment's settings",
			Description: "An environment's own keys may write \"current\" for the UUID. Secrets are masked; webhook_signing_key is shown to keys of the environment with the scope " +
				linkspan.ScopeSigningKeyRotate + " and to account keys with " + linkspan.ScopeAccountKeysCreate + ".",
			Path: api.SettingsPath{}, Reply: api.Data[api.EnvironmentSettings]{}, Handler: s.getSettings,
		},
		{
			Method: http.MethodPatch, Pattern: "/environments/{environment_uuid}/settings", Auth: httpx.AuthEnvironmentOrAccount, Tag: tagEnvironments,
			Scopes: []string{linkspan.ScopeSettingsUpdate, linkspan.ScopeAccountEnvironmentsUpdate}, Summary: "Change an environment's settings",
			Description: "Changes the fields that are given, in webhooks and connect_ui too; empty text clears one. A masked secret that is written back stays as it is. What is production is decided with the scope " +
				linkspan.ScopeAccountEnvironmentsSetProd + ".",
			Path: api.SettingsPath{}, Body: api.UpdateEnvironmentSettings{}, Reply: api.Data[api.EnvironmentSettings]{}, Handler: s.updateSettings,
		},
		{
			Method: http.MethodPut, Pattern: "/environments/{environment_uuid}/variables", Auth: httpx.AuthEnvironmentOrAccount, Tag: tagEnvironments,
			Scopes: []string{linkspan.ScopeVariablesWrite, linkspan.ScopeAccountEnvironmentsUpdate}, Summary: "Replace an environment's variables",
			Path: api.EnvironmentPath{}, Body: api.ReplaceVariables{}, Reply: api.Success{}, Handler: s.replaceVariables,
		},
		{
			Method: http.MethodGet, Pattern: "/environment-variables", Auth: httpx.AuthEnvironment, Tag: tagEnvironments,
			Scopes: []string{linkspan.ScopeVariablesRead}, Summary: "List the environment's variables",
			Reply: []api.Variable{}, Handler: s.listVariables,
		},
		{
			Method: http.MethodPost, Pattern: "/environment/webhook-signing-key/rotate", Auth: httpx.AuthEnvironment, Tag: tagEnvironments,
			Scopes: []string{linkspan.ScopeSigningKeyRotate}, Summary: "Replace the key that signs webhooks",
			Description: "For 24 hours the old key signs beside the new one, in webhook-signature; the other signature headers are made with the new key only. " +
				"Rotating again within that time stops the older of the two.",
			Reply: api.Data[api.SigningKey]{}, Handler: s.rotateSigningKey,
		},
	}
}

func (s *Server) keyRoutes() []httpx.Route {
	return []httpx.Route{
		{
			Method: http.MethodGet, Pattern: "/environments/{environment_uuid}/api-keys", Auth: httpx.AuthAccount, Tag: tagEnvironments,
			Scopes: []string{linkspan.ScopeAccountKeysList}, Summary: "List an environment's API keys", Description: "The keys themselves are not shown.",
			Path: api.EnvironmentPath{}, Query: api.APIKeysQuery{}, Reply: api.List[api.APIKey]{}, Handler: s.listKeys,
		},
		{
			Method: http.MethodPost, Pattern: "/environments/{environment_uuid}/api-keys", Auth: httpx.AuthAccount, Tag: tagEnvironments,
			Scopes: []string{linkspan.ScopeAccountKeysCreate}, Summary: "Create an API key",
			Description: "The reply is the only one that shows the key. Without scopes it may do everything in its environment.",
			Path:        api.EnvironmentPath{}, Body: api.CreateAPIKey{}, Reply: api.Data[api.CreatedAPIKey]{}, Handler: s.createKey,
		},
		{
			Method: http.MethodGet, Pattern: "/environments/{environment_uuid}/api-keys/{key_uuid}", Auth: httpx.AuthAccount, Tag: tagEnvironments,
			Scopes: []string{linkspan.ScopeAccountKeysRead}, Summary: "Get an API key", Description: "The key itself is not shown.",
			Path: api.APIKeyPath{}, Reply: api.Data[api.APIKey]{}, Handler: s.getKey,
		},
		{
			Method: http.MethodDelete, Pattern: "/environments/{environment_uuid}/api-keys/{key_uuid}", Auth: httpx.AuthAccount, Tag: tagEnvironments,
			Scopes: []string{linkspan.ScopeAccountKeysDelete}, Summary: "Revoke an API key",
			Description: "It stops working at once, on other replicas within a second.",
			Path:        api.APIKeyPath{}, Reply: api.Success{}, Handler: s.deleteKey,
		},
		{
			Method: http.MethodPost, Pattern: "/environment/api-keys", Auth: httpx.AuthAccount, Tag: tagEnvironments,
			Scopes: []string{linkspan.ScopeAccountKeysCreate}, Summary: "Create an API key (older form)", Deprecated: true,
			Body: api.CreateAPIKeyByID{}, Reply: api.Data[api.CreatedAPIKey]{}, Handler: s.createKeyByID,
		},
		{
			Method: http.MethodDelete, Pattern: "/environment/api-keys", Auth: httpx.AuthAccount, Tag: tagEnvironments,
			Scopes: []string{linkspan.ScopeAccountKeysDelete}, Summary: "Revoke an API key (older form)", Deprecated: true,
			Body: api.DeleteAPIKeyByID{}, Reply: api.Success{}, Handler: s.deleteKeyByID,
		},
	}
}
