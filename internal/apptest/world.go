package apptest

import (
	"net/http"
	"testing"
	"time"
)

// World is what an instance talks to: a SaaS, and the authorization server
// that issues the tokens the SaaS admits.
type World struct {
	SaaS      *SaaS
	Authority *Authority
	// ProvidersDir holds the provider files that point at the two.
	ProvidersDir string
}

// NewWorld starts a world that stops with the test.
func NewWorld(t testing.TB) *World {
	t.Helper()
	w := &World{SaaS: NewSaaS(t), Authority: NewAuthority(t)}
	w.SaaS.Allow = w.Authority.Admits
	w.ProvidersDir = WriteProviders(t, w.SaaS, w.Authority)
	return w
}

// Integrate creates an integration of a provider of this world, with the
// client of the authority where the provider needs one.
func (w *World) Integrate(t testing.TB, c Client, provider, key string) {
	t.Helper()
	body := map[string]any{"provider": provider, "unique_key": key}
	if provider == ProviderOAuth {
		body["credentials"] = map[string]any{
			"type": "OAUTH2", "client_id": w.Authority.ClientID, "client_secret": w.Authority.ClientSecret,
		}
	}
	c.Do(t, http.MethodPost, "/integrations", body).Want(t, http.StatusOK)
}

// ImportOAuth imports a connection of ProviderOAuth whose access token expires
// after the given time, which may be negative, and returns its tokens.
func (w *World) ImportOAuth(t testing.TB, c Client, integration, name string, expiresIn time.Duration) Tokens {
	t.Helper()
	tokens := w.Authority.Issue()
	if expiresIn <= 0 {
		w.Authority.Expire(tokens.Access)
	}
	Import(t, c, integration, name, map[string]any{
		"type": "OAUTH2", "access_token": tokens.Access, "refresh_token": tokens.Refresh,
		"expires_at": time.Now().Add(expiresIn).UTC().Format(time.RFC3339),
	})
	return tokens
}

// Import imports a connection with any credentials.
func Import(t testing.TB, c Client, integration, name string, credentials map[string]any) {
	t.Helper()
	c.Do(t, http.MethodPost, "/connections", map[string]any{
		"provider_config_key": integration, "connection_id": name, "credentials": credentials,
	}).Want(t, http.StatusCreated)
}

// Proxy makes a proxied call through a connection.
func Proxy(t testing.TB, c Client, method, integration, name, path string, body any, headers ...string) Reply {
	t.Helper()
	headers = append([]string{"Provider-Config-Key", integration, "Connection-Id", name}, headers...)
	return c.Do(t, method, "/proxy"+path, body, headers...)
}
