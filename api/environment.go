package api

import "github.com/linkspan/linkspan"

// Environment is one isolated world of an account.
type Environment struct {
	ID           int64  `json:"id"`
	UUID         string `json:"uuid"`
	Name         string `json:"name"`
	IsProduction bool   `json:"is_production"`
}

// CreatedEnvironment names an environment that was just made.
type CreatedEnvironment struct {
	ID   int64  `json:"id"`
	UUID string `json:"uuid"`
	Name string `json:"name"`
}

// EnvironmentsQuery selects environments.
type EnvironmentsQuery struct {
	Name *string `query:"name" check:"max=255" doc:"Keeps only the environment of exactly this name."`
}

// CreateEnvironment is the body that makes an environment.
type CreateEnvironment struct {
	Name         string `json:"name" check:"required,min=1,max=255,pattern=env"`
	IsProduction *bool  `json:"is_production,omitempty"`
	EnvironmentOptions
}

// EnvironmentOptions are the settings that creation and change of an
// environment share. A nil field is left as it is; empty text clears a setting.
type EnvironmentOptions struct {
	// CallbackURL replaces our own OAuth callback URL.
	CallbackURL *string `json:"callback_url,omitempty" check:"blank,max=2048,format=url" doc:"Replaces our own OAuth callback URL. https, or http on localhost."`
	// PublicKeyEnabled lets browsers connect accounts with the public key alone.
	PublicKeyEnabled   *bool     `json:"public_key_enabled,omitempty" doc:"Lets browsers connect accounts with the public key alone, without a connect session."`
	HMACKey            *Secret   `json:"hmac_key,omitempty" check:"max=1000"`
	HMACEnabled        *bool     `json:"hmac_enabled,omitempty" doc:"Asks browsers that use the public key for a signature made with hmac_key."`
	SlackNotifications *bool     `json:"slack_notifications,omitempty"`
	OTLPEndpoint       *string   `json:"otlp_endpoint,omitempty" check:"blank,max=2048,format=url"`
	OTLPHeaders        *[]Header `json:"otlp_headers,omitempty" check:"max=100"`
	// Webhooks and ConnectUI change the fields that are given.
	Webhooks  *WebhookOptions   `json:"webhooks,omitempty"`
	ConnectUI *ConnectUIOptions `json:"connect_ui,omitempty"`
}

// WebhookOptions change where an environment's webhooks go and which are sent.
type WebhookOptions struct {
	PrimaryURL   *string `json:"primary_url,omitempty" check:"blank,max=2048,format=url"`
	SecondaryURL *string `json:"secondary_url,omitempty" check:"blank,max=2048,format=url"`

	OnAuthCreation          *bool `json:"on_auth_creation,omitempty" doc:"Tells of new connections, and of those that failed."`
	OnAuthDeletion          *bool `json:"on_auth_deletion,omitempty" doc:"Tells of deleted connections."`
	OnAuthRefreshError      *bool `json:"on_auth_refresh_error,omitempty" doc:"Tells when credentials can't be refreshed."`
	OnSyncError             *bool `json:"on_sync_error,omitempty" doc:"Tells of syncs that failed."`
	OnSyncCompletionAlways  *bool `json:"on_sync_completion_always,omitempty" doc:"Tells of syncs that changed nothing, too."`
	OnAsyncActionCompletion *bool `json:"on_async_action_completion,omitempty" doc:"Tells of asynchronous actions that ended."`
}

// ConnectUIOptions change how Connect UI looks.
type ConnectUIOptions struct {
	Theme         *ConnectUIThemeOptions `json:"theme,omitempty"`
	DefaultTheme  *string                `json:"default_theme,omitempty" check:"blank,enum=light|dark|system"`
	ShowWatermark *bool                  `json:"show_watermark,omitempty" doc:"Shows the server's name at the foot of the page."`
	AppName       *string                `json:"app_name,omitempty" check:"max=60" doc:"What the customer's own product is called."`
	AppLogoURL    *string                `json:"app_logo_url,omitempty" check:"blank,max=2048,format=url" doc:"https URL of the customer's own logo."`
}

// ConnectUIThemeOptions change the colours of Connect UI.
type ConnectUIThemeOptions struct {
	Light *ConnectUIColorOptions `json:"light,omitempty"`
	Dark  *ConnectUIColorOptions `json:"dark,omitempty"`
}

// ConnectUIColorOptions change the colours of one theme.
type ConnectUIColorOptions struct {
	Primary *string `json:"primary,omitempty" check:"max=7" doc:"Colour of the main button, as #rrggbb. Empty: our own."`
}

// Header is a header sent along with exported telemetry. Reads show its value
// masked.
type Header struct {
	Name  string `json:"name" check:"required,min=1,max=256"`
	Value Secret `json:"value" check:"required,min=1,max=4000"`
}

// EnvironmentSettings are what can be set on an environment. Secrets are
// masked: hmac_key and header values read "***" when they are set, and so does
// webhook_signing_key for keys that may not rotate it.
type EnvironmentSettings struct {
	UUID               string   `json:"uuid"`
	Name               string   `json:"name"`
	IsProduction       bool     `json:"is_production"`
	CallbackURL        *string  `json:"callback_url"`
	PublicKeyEnabled   bool     `json:"public_key_enabled"`
	HMACEnabled        bool     `json:"hmac_enabled"`
	HMACKey            *string  `json:"hmac_key"`
	SlackNotifications bool     `json:"slack_notifications"`
	OTLPEndpoint       *string  `json:"otlp_endpoint"`
	OTLPHeaders        []Header `json:"otlp_headers"`
	// PublicKey is what browsers of the older flow send. It is not secret.
	PublicKey string `json:"public_key"`
	// WebhookSigningKey signs webhooks.
	WebhookSigningKey Secret `json:"webhook_signing_key"`
	// PreviousSigningKeyExpiresAt is until when the key before the last rotation
	// signs webhooks as well. Null: there is none.
	PreviousSigningKeyExpiresAt *Time             `json:"previous_signing_key_expires_at"`
	Webhooks                    WebhookSettings   `json:"webhooks"`
	ConnectUI                   ConnectUISettings `json:"connect_ui"`
}

// WebhookSettings say where an environment's webhooks go and which are sent.
type WebhookSettings struct {
	PrimaryURL              *string `json:"primary_url"`
	SecondaryURL            *string `json:"secondary_url"`
	OnAuthCreation          bool    `json:"on_auth_creation"`
	OnAuthDeletion          bool    `json:"on_auth_deletion"`
	OnAuthRefreshError      bool    `json:"on_auth_refresh_error"`
	OnSyncError             bool    `json:"on_sync_error"`
	OnSyncCompletionAlways  bool    `json:"on_sync_completion_always"`
	OnAsyncActionCompletion bool    `json:"on_async_action_completion"`
}

// ConnectUISettings say how Connect UI looks. Null stands for our own.
type ConnectUISettings struct {
	Theme         ConnectUIThemeSettings `json:"theme"`
	DefaultTheme  string                 `json:"default_theme" check:"enum=light|dark|system"`
	ShowWatermark bool                   `json:"show_watermark"`
	AppName       *string                `json:"app_name"`
	AppLogoURL    *string                `json:"app_logo_url"`
}

// ConnectUIThemeSettings holds the colours of Connect UI.
type ConnectUIThemeSettings struct {
	Light ConnectUIColorSettings `json:"light"`
	Dark  ConnectUIColorSettings `json:"dark"`
}

// ConnectUIColorSettings are the colours of one theme, as #rrggbb.
type ConnectUIColorSettings struct {
	Primary *string `json:"primary"`
}

// UpdateEnvironmentSettings changes the settings that are given.
type UpdateEnvironmentSettings struct {
	IsProduction *bool `json:"is_production,omitempty"`
	// RevokePreviousSigningKey stops the signing key before the last rotation at
	// once.
	RevokePreviousSigningKey *bool `json:"revoke_previous_signing_key,omitempty" doc:"true stops the signing key before the last rotation at once."`
	EnvironmentOptions
}

// Variable is an environment variable that functions can read.
type Variable struct {
	Name  string `json:"name" check:"required,min=1,max=256"`
	Value Secret `json:"value" check:"required,max=16384"`
}

// ReplaceVariables is the whole new set of an environment's variables.
type ReplaceVariables struct {
	Variables []Variable `json:"variables" check:"required,max=1000"`
}

// SigningKey is a freshly made webhook signing key.
type SigningKey struct {
	WebhookSigningKey Secret `json:"webhook_signing_key"`
}

// APIKey describes an API key without the key itself.
type APIKey struct {
	ID          int64    `json:"id"`
	UUID        string   `json:"uuid"`
	DisplayName string   `json:"display_name"`
	Scopes      []string `json:"scopes"`
	LastUsedAt  *Time    `json:"last_used_at"`
	CreatedAt   Time     `json:"created_at"`
}

// CreatedAPIKey is the only reply that shows a key.
type CreatedAPIKey struct {
	ID          int64    `json:"id"`
	UUID        string   `json:"uuid"`
	DisplayName string   `json:"display_name"`
	Scopes      []string `json:"scopes"`
	Secret      Secret   `json:"secret"`
	CreatedAt   Time     `json:"created_at"`
}

// APIKeysQuery selects API keys.
type APIKeysQuery struct {
	DisplayName *string `query:"display_name" check:"max=255" doc:"Keeps only the key of exactly this name."`
}

// CreateAPIKey is the body that makes a key.
type CreateAPIKey struct {
	DisplayName string `json:"display_name" check:"required,min=1,max=255"`
	// Scopes are what the key may do; without them it may do everything in
	// its environment.
	Scopes []string `json:"scopes,omitempty" check:"min=1,max=100"`
}

// CreateAPIKeyByID is CreateAPIKey in the older form, which names the
// environment by number in the body.
type CreateAPIKeyByID struct {
	EnvironmentID int64 `json:"environment_id" check:"required,min=1"`
	CreateAPIKey
}

// DeleteAPIKeyByID is the older form of deleting a key.
type DeleteAPIKeyByID struct {
	EnvironmentID int64 `json:"environment_id" check:"required,min=1"`
	KeyID         int64 `json:"key_id" check:"required,min=1"`
}

// EnvironmentPath names an environment.
type EnvironmentPath struct {
	EnvironmentUUID string `path:"environment_uuid" check:"required,format=uuid"`
}

// CurrentEnvironment stands, in the routes of settings, for the UUID of the
// environment that the API key belongs to.
const CurrentEnvironment = "current"

// SettingsPath names an environment by its UUID or as CurrentEnvironment.
type SettingsPath struct {
	EnvironmentUUID string `path:"environment_uuid" check:"required,min=1,max=36" doc:"The environment's UUID, or \"current\" for the one that the API key belongs to."`
}

// Check implements the check of input types.
func (p SettingsPath) Check() []ErrorIssue {
	if p.EnvironmentUUID == CurrentEnvironment || linkspan.IsUUID(p.EnvironmentUUID) {
		return nil
	}
	return []ErrorIssue{{Code: "invalid_format", Message: "Invalid UUID", Path: []any{"environment_uuid"}}}
}

// AnyEnvironmentPath names an environment by its UUID or, in the older form, by
// its number.
type AnyEnvironmentPath struct {
	Environment string `path:"environment" check:"required,min=1,max=36"`
}

// APIKeyPath names a key of an environment.
type APIKeyPath struct {
	EnvironmentUUID string `path:"environment_uuid" check:"required,format=uuid"`
	KeyUUID         string `path:"key_uuid" check:"required,format=uuid"`
}
