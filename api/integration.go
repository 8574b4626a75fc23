package api

import (
	"encoding/json"
	"reflect"
	"strings"
)

// Integration is a provider set up in an environment.
type Integration struct {
	UniqueKey       string `json:"unique_key"`
	Provider        string `json:"provider"`
	DisplayName     string `json:"display_name"`
	Logo            string `json:"logo"`
	ForwardWebhooks bool   `json:"forward_webhooks"`
	CreatedAt       Time   `json:"created_at"`
	UpdatedAt       Time   `json:"updated_at"`
	// CredentialsLabel holds titles that replace those of the provider's form,
	// by field; absent when the integration sets none.
	CredentialsLabel map[string]string `json:"credentials_label,omitempty"`
	// WebhookURL is where the provider sends its webhooks: absent unless asked
	// for, null when the provider's webhooks are not understood.
	WebhookURL Optional[string] `json:"webhook_url,omitzero" check:"nullable"`
	// Credentials are absent unless asked for by a key that may see them, and
	// null when the integration has none.
	Credentials Optional[IntegrationCredentials] `json:"credentials,omitzero" check:"nullable"`
}

// IntegrationCredentials are the developer app's credentials. Which fields are
// set depends on Type: OAUTH1, OAUTH2 and TBA use the client fields, APP the
// app fields, CUSTOM both.
type IntegrationCredentials struct {
	Type          string           `json:"type"`
	ClientID      *string          `json:"client_id,omitempty"`
	ClientSecret  *Secret          `json:"client_secret,omitempty"`
	Scopes        Optional[string] `json:"scopes,omitzero" check:"nullable"`
	WebhookSecret Optional[Secret] `json:"webhook_secret,omitzero" check:"nullable"`
	AppID         *string          `json:"app_id,omitempty"`
	AppLink       *string          `json:"app_link,omitempty"`
	PrivateKey    *Secret          `json:"private_key,omitempty"`
}

// CreateIntegration is the body that makes an integration.
type CreateIntegration struct {
	Provider    string                       `json:"provider" check:"required,min=1,max=255,pattern=name"`
	UniqueKey   string                       `json:"unique_key" check:"required,min=1,max=255,pattern=pck"`
	DisplayName *string                      `json:"display_name,omitempty" check:"min=1,max=255"`
	Credentials *IntegrationCredentialsInput `json:"credentials,omitempty"`
	// ForwardWebhooks defaults to true.
	ForwardWebhooks *bool `json:"forward_webhooks,omitempty"`
	// IntegrationConfig fills the provider's own integration_config form.
	IntegrationConfig map[string]string `json:"integration_config,omitempty" check:"max=100,each.max=8192"`
	// Custom holds free values for providers that have no such form.
	Custom map[string]string `json:"custom,omitempty" check:"max=100,each.max=8192"`
}

// QuickstartIntegration is the body that makes an integration on a shared
// developer app.
type QuickstartIntegration struct {
	Provider        string  `json:"provider" check:"required,min=1,max=255,pattern=name"`
	UniqueKey       string  `json:"unique_key" check:"required,min=1,max=255,pattern=pck"`
	DisplayName     *string `json:"display_name,omitempty" check:"min=1,max=255"`
	ForwardWebhooks *bool   `json:"forward_webhooks,omitempty"`
}

// UpdateIntegration changes the fields that are given.
type UpdateIntegration struct {
	UniqueKey       *string                      `json:"unique_key,omitempty" check:"min=1,max=255,pattern=pck"`
	DisplayName     *string                      `json:"display_name,omitempty" check:"min=1,max=255"`
	Credentials     *IntegrationCredentialsInput `json:"credentials,omitempty"`
	ForwardWebhooks *bool                        `json:"forward_webhooks,omitempty"`
	// IntegrationConfig changes only the keys it names.
	IntegrationConfig map[string]string `json:"integration_config,omitempty" check:"max=100,each.max=8192"`
	// Custom changes only the keys it names; an empty value removes one.
	Custom map[string]string `json:"custom,omitempty" check:"max=100,each.max=8192"`
}

// IntegrationPath names an integration.
type IntegrationPath struct {
	UniqueKey string `path:"unique_key" check:"required,min=1,max=255,pattern=pck"`
}

// IntegrationQuery says what to show of an integration besides the basics.
type IntegrationQuery struct {
	Include []string `query:"include" check:"each.enum=webhook|credentials" doc:"Holds webhook, credentials or both."`
}

// LegacyIntegrationQuery says what the older read shows.
type LegacyIntegrationQuery struct {
	IncludeCreds bool `query:"include_creds"`
}

// LegacyIntegrationReply is the reply of the older read of an integration.
type LegacyIntegrationReply struct {
	Config LegacyIntegration `json:"config"`
}

// LegacyIntegration is an integration as the older read shows it. The fields
// after Actions are there only when credentials were asked for; secret custom
// values are masked.
type LegacyIntegration struct {
	UniqueKey     string                      `json:"unique_key"`
	Provider      string                      `json:"provider"`
	Syncs         []Script                    `json:"syncs"`
	Actions       []Script                    `json:"actions"`
	ClientID      Optional[string]            `json:"client_id,omitzero" check:"nullable"`
	ClientSecret  Optional[Secret]            `json:"client_secret,omitzero" check:"nullable"`
	Scopes        Optional[string]            `json:"scopes,omitzero" check:"nullable"`
	AuthMode      string                      `json:"auth_mode,omitempty"`
	CreatedAt     *Time                       `json:"created_at,omitempty"`
	HasWebhook    *bool                       `json:"has_webhook,omitempty"`
	WebhookSecret Optional[Secret]            `json:"webhook_secret,omitzero" check:"nullable"`
	WebhookURL    Optional[string]            `json:"webhook_url,omitzero" check:"nullable"`
	Custom        Optional[map[string]string] `json:"custom,omitzero" check:"nullable"`
}

// IntegrationCredentialsInput are the developer app's credentials to store: an
// OAuthApp, an App or a CustomApp.
type IntegrationCredentialsInput struct {
	variant any
}

// OAuthApp is a client registered with an OAuth 1, OAuth 2 or token-based
// provider.
type OAuthApp struct {
	// Type is OAUTH1, OAUTH2 or TBA.
	Type         string `json:"type" check:"required,enum=OAUTH1|OAUTH2|TBA"`
	ClientID     string `json:"client_id" check:"required,min=1,max=255"`
	ClientSecret Secret `json:"client_secret" check:"required,min=1"`
	// Scopes are separated by commas, without spaces. Absent, the provider's default scopes apply at first; null removes them.
	Scopes Optional[string] `json:"scopes,omitzero" check:"nullable,pattern=scopes"`
	// WebhookSecret is what the provider signs its webhooks with.
	WebhookSecret Optional[Secret] `json:"webhook_secret,omitzero" check:"nullable,max=255"`
}

// NewIntegrationCredentials wraps an OAuthApp, App or CustomApp for the body that
// stores it.
func NewIntegrationCredentials[T OAuthApp | App | CustomApp](app T) *IntegrationCredentialsInput {
	return &IntegrationCredentialsInput{variant: app}
}

// Variant returns the OAuthApp, App or CustomApp, by value, or nil.
func (c *IntegrationCredentialsInput) Variant() any { return c.variant }

// MarshalJSON implements json.Marshaler.
func (c IntegrationCredentialsInput) MarshalJSON() ([]byte, error) { return json.Marshal(c.variant) }

// Discriminator tells the server's decoder how the kinds are told apart.
func (c *IntegrationCredentialsInput) Discriminator() (key string, variants map[string]any) {
	return "type", map[string]any{
		"OAUTH1": OAuthApp{}, "OAUTH2": OAuthApp{}, "TBA": OAuthApp{}, "APP": App{}, "CUSTOM": CustomApp{},
	}
}

// SetVariant takes the decoded credentials.
func (c *IntegrationCredentialsInput) SetVariant(v any) { c.variant = deref(v) }

// App is an app that is installed, such as a GitHub app.
type App struct {
	// Type is APP.
	Type       string `json:"type" check:"required,enum=APP"`
	AppID      string `json:"app_id" check:"required,min=1,max=255"`
	AppLink    string `json:"app_link" check:"required,min=1"`
	PrivateKey Secret `json:"private_key" check:"required"`
}

// CustomApp is an app that is both installed and authorised.
type CustomApp struct {
	// Type is CUSTOM.
	Type         string `json:"type" check:"required,enum=CUSTOM"`
	ClientID     string `json:"client_id" check:"required,min=1,max=255"`
	ClientSecret Secret `json:"client_secret" check:"required,min=1"`
	AppID        string `json:"app_id" check:"required,min=1,max=255"`
	AppLink      string `json:"app_link" check:"required,min=1"`
	PrivateKey   Secret `json:"private_key" check:"required"`
}

// Check refuses private keys that are not PEM texts of RSA keys.
func (a *App) Check() []ErrorIssue { return checkPrivateKey(a.PrivateKey) }

// Check refuses private keys that are not PEM texts of RSA keys.
func (a *CustomApp) Check() []ErrorIssue { return checkPrivateKey(a.PrivateKey) }

func checkPrivateKey(key Secret) []ErrorIssue {
	const first, last = "-----BEGIN RSA PRIVATE KEY----", "-----END RSA PRIVATE KEY-----"
	if text := key.Reveal(); strings.HasPrefix(text, first) && strings.HasSuffix(text, last) {
		return nil
	}
	return []ErrorIssue{{
		Code:    "invalid_format",
		Message: "Invalid string: must be a PEM text from " + first + "- to " + last + ", without a line break at its end",
		Path:    []any{"private_key"},
	}}
}

// deref returns what a pointer points to.
func deref(v any) any { return reflect.ValueOf(v).Elem().Interface() }
