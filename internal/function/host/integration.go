package host

import (
	"context"
	"net/url"
	"slices"

	"github.com/linkspan/linkspan/catalog"
	"github.com/linkspan/linkspan/internal/connect"
	"github.com/linkspan/linkspan/internal/function/call"
	"github.com/linkspan/linkspan/internal/integration"
	"github.com/linkspan/linkspan/internal/upstream"
)

// shownIntegration is an integration as GET /integrations/{key} answers it (wire
// contract §4.2).
type shownIntegration struct {
	UniqueKey        string            `json:"unique_key"`
	Provider         string            `json:"provider"`
	DisplayName      string            `json:"display_name"`
	Logo             string            `json:"logo"`
	ForwardWebhooks  bool              `json:"forward_webhooks"`
	CreatedAt        string            `json:"created_at"`
	UpdatedAt        string            `json:"updated_at"`
	CredentialsLabel map[string]string `json:"credentials_label,omitempty"`
	// WebhookURL and Credentials hold a pointer, to null or a value, when they
	// were asked for.
	WebhookURL  any `json:"webhook_url,omitempty"`
	Credentials any `json:"credentials,omitempty"`
}

// shownCredentials are a developer app's.
type shownCredentials struct {
	Type          string  `json:"type"`
	ClientID      *string `json:"client_id,omitempty"`
	ClientSecret  *string `json:"client_secret,omitempty"`
	Scopes        any     `json:"scopes,omitempty"`
	WebhookSecret any     `json:"webhook_secret,omitempty"`
	AppID         *string `json:"app_id,omitempty"`
	AppLink       *string `json:"app_link,omitempty"`
	PrivateKey    *string `json:"private_key,omitempty"`
}

// integration returns the integration of the run's connection.
func (x *Session) integration(ctx context.Context, p call.Integration) (any, error) {
	t, err := x.target(ctx, which{}, connect.FreshOptions{})
	if err != nil {
		return nil, err
	}
	i := &t.Integration
	shown := shownIntegration{
		UniqueKey: i.Key, Provider: i.Provider, DisplayName: i.DisplayName, Logo: x.s.urls.Logo(i.Provider), ForwardWebhooks: i.ForwardWebhooks,
		CreatedAt: writtenAt(i.CreatedAt), UpdatedAt: writtenAt(i.UpdatedAt), CredentialsLabel: integration.CredentialsLabel(i, t.Provider),
	}
	if shown.DisplayName == "" {
		shown.DisplayName = t.Provider.DisplayName
	}
	if slices.Contains(p.Include, "webhook") {
		shown.WebhookURL = x.webhookURL(t)
	}
	if slices.Contains(p.Include, "credentials") {
		shown.Credentials = integrationCredentials(t)
		x.know(i.Secrets.WebhookSecret)
	}
	return shown, nil
}

// webhookURL is where the provider sends its webhooks, null when they are not
// understood.
func (x *Session) webhookURL(t *upstream.Target) *string {
	if t.Provider.Hooks.WebhookRouting.Name == "" {
		return nil
	}
	return new(x.s.c.PublicURL + "/webhook/" + x.info.Environment.UUID + "/" + url.PathEscape(t.Integration.Key))
}

func integrationCredentials(t *upstream.Target) *shownCredentials {
	c, ok := integration.CredentialsOf(&t.Integration, t.Provider.Auth.Mode)
	if !ok {
		return nil
	}
	shown := shownCredentials{Type: string(c.Type)}
	if c.Type != catalog.ModeApp {
		shown.ClientID, shown.ClientSecret = &c.ClientID, new(c.ClientSecret.Reveal())
	}
	if c.Type == catalog.ModeApp || c.Type == catalog.ModeCustom {
		shown.AppID, shown.AppLink, shown.PrivateKey = &c.AppID, &c.AppLink, new(c.PrivateKey.Reveal())
		return &shown
	}
	shown.Scopes = *c.Scopes
	shown.WebhookSecret = orNull(c.WebhookSecret.Reveal())
	return &shown
}

// pagination returns the provider's defaults for reading lists page by page, by
// the names of the public contract; null when it has none.
func (x *Session) pagination(ctx context.Context, w which) (any, error) {
	t, err := x.target(ctx, w, connect.FreshOptions{})
	if err != nil {
		return nil, err
	}
	return call.Pagination(t.Provider), nil
}
