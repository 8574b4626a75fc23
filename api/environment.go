package api

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
// environment share. A nil field is left as it is.
type EnvironmentOptions struct {
	// CallbackURL replaces our own OAuth callback URL.
	CallbackURL        *string   `json:"callback_url,omitempty" check:"blank,max=2048,format=url"`
	HMACKey            *Secret   `json:"hmac_key,omitempty" check:"max=1000"`
	HMACEnabled        *bool     `json:"hmac_enabled,omitempty"`
	SlackNotifications *bool     `json:"slack_notifications,omitempty"`
	OTLPEndpoint       *string   `json:"otlp_endpoint,omitempty" check:"blank,max=2048,format=url"`
	OTLPHeaders        *[]Header `json:"otlp_headers,omitempty" check:"max=100"`
}

// Header is a header sent along with exported telemetry. Reads show its value
// masked.
type Header struct {
	Name  string `json:"name" check:"required,min=1,max=256"`
	Value Secret `json:"value" check:"required,min=1,max=4000"`
}

// EnvironmentSettings are what can be set on an environment. Secrets are
// masked: hmac_key and header values read "***" when they are set.
type EnvironmentSettings struct {
	UUID               string   `json:"uuid"`
	Name               string   `json:"name"`
	IsProduction       bool     `json:"is_production"`
	CallbackURL        *string  `json:"callback_url"`
	HMACEnabled        bool     `json:"hmac_enabled"`
	HMACKey            *string  `json:"hmac_key"`
	SlackNotifications bool     `json:"slack_notifications"`
	OTLPEndpoint       *string  `json:"otlp_endpoint"`
	OTLPHeaders        []Header `json:"otlp_headers"`
	// PublicKey is what browsers of the older flow send. It is not secret.
	PublicKey string `json:"public_key"`
}

// UpdateEnvironmentSettings changes the settings that are given.
type UpdateEnvironmentSettings struct {
	IsProduction *bool `json:"is_production,omitempty"`
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
