package api

import (
	"encoding/json"
	"time"
)

// ImportConnection is the body that stores credentials obtained elsewhere. A
// connection of the same id at the same integration is replaced.
type ImportConnection struct {
	ProviderConfigKey string `json:"provider_config_key" check:"required,min=1,max=255,pattern=pck"`
	// ConnectionID is generated when absent.
	ConnectionID *string                    `json:"connection_id,omitempty" check:"min=1,max=255,pattern=cid"`
	Credentials  ConnectionCredentialsInput `json:"credentials" check:"required"`
	Metadata     map[string]any             `json:"metadata,omitempty"`
	// ConnectionConfig holds text, numbers and booleans that the provider needs.
	ConnectionConfig map[string]any `json:"connection_config,omitempty"`
	// WebhookURLOverride is cleared by null and by "".
	WebhookURLOverride Optional[string]  `json:"webhook_url_override,omitzero" check:"nullable,blank,max=2048,format=url"`
	EndUser            *EndUserInput     `json:"end_user,omitempty"`
	Tags               map[string]string `json:"tags,omitempty"`
}

// ConnectionCredentialsInput are credentials to import: one of the types in
// this file whose names end in Credentials.
type ConnectionCredentialsInput struct {
	variant any
}

// ImportCredentials is implemented by the kinds of credentials that can be
// imported.
type ImportCredentials interface {
	// Kind returns the type of the credentials, such as "OAUTH2".
	Kind() string
}

// Import wraps credentials for the body of an import.
func Import(c ImportCredentials) ConnectionCredentialsInput {
	return ConnectionCredentialsInput{variant: c}
}

// Variant returns the credentials, by value, or nil.
func (c *ConnectionCredentialsInput) Variant() ImportCredentials {
	v, _ := c.variant.(ImportCredentials)
	return v
}

// MarshalJSON implements json.Marshaler: the credentials with their type.
func (c ConnectionCredentialsInput) MarshalJSON() ([]byte, error) { return marshalTyped(c.variant) }

// Discriminator tells the server's decoder how the kinds are told apart.
func (c *ConnectionCredentialsInput) Discriminator() (key string, variants map[string]any) {
	return "type", map[string]any{
		"OAUTH2":    OAuth2Credentials{},
		"OAUTH2_CC": ClientCredentials{},
		"OAUTH1":    OAuth1Credentials{},
		"BASIC":     BasicCredentials{},
		"API_KEY":   APIKeyCredentials{},
		"TBA":       TBACredentials{},
		"APP":       AppCredentials{},
		"CUSTOM":    CustomCredentials{},
		"NONE":      NoCredentials{},
	}
}

// SetVariant takes the decoded credentials.
func (c *ConnectionCredentialsInput) SetVariant(v any) { c.variant = deref(v) }

// OAuth2Credentials are tokens of an OAuth 2 provider.
type OAuth2Credentials struct {
	Type         string  `json:"type" check:"required,enum=OAUTH2"`
	AccessToken  Secret  `json:"access_token" check:"required,min=1,max=16384"`
	RefreshToken *Secret `json:"refresh_token,omitempty" check:"max=16384"`
	// ExpiresAt is when the access token expires; absent means never.
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
	// ConfigOverride is the customer's own developer app for this connection.
	ConfigOverride *ClientOverride `json:"config_override,omitempty"`
}

// ClientOverride is a developer app that replaces the integration's.
type ClientOverride struct {
	ClientID     *string `json:"client_id,omitempty" check:"max=255"`
	ClientSecret *Secret `json:"client_secret,omitempty" check:"max=2048"`
}

// ClientCredentials are a token obtained with client credentials.
type ClientCredentials struct {
	Type              string     `json:"type" check:"required,enum=OAUTH2_CC"`
	Token             Secret     `json:"token" check:"required,min=1,max=4096"`
	ClientID          string     `json:"client_id" check:"required,min=1,max=255"`
	ClientSecret      Secret     `json:"client_secret" check:"required,min=1,max=2048"`
	ClientCertificate *Secret    `json:"client_certificate,omitempty" check:"max=16384"`
	ClientPrivateKey  *Secret    `json:"client_private_key,omitempty" check:"max=16384"`
	ExpiresAt         *time.Time `json:"expires_at,omitempty"`
}

// OAuth1Credentials are tokens of an OAuth 1 provider.
type OAuth1Credentials struct {
	Type             string `json:"type" check:"required,enum=OAUTH1"`
	OAuthToken       Secret `json:"oauth_token" check:"required,min=1,max=2048"`
	OAuthTokenSecret Secret `json:"oauth_token_secret" check:"required,min=1,max=2048"`
}

// BasicCredentials are a user name and a password; either may be empty.
type BasicCredentials struct {
	Type     string `json:"type" check:"required,enum=BASIC"`
	Username Secret `json:"username" check:"required,max=1024"`
	Password Secret `json:"password" check:"required,max=1024"`
}

// APIKeyCredentials are one key.
type APIKeyCredentials struct {
	Type   string `json:"type" check:"required,enum=API_KEY"`
	APIKey Secret `json:"apiKey" check:"required,min=1,max=1024"`
}

// TBACredentials are a token of token-based authentication.
type TBACredentials struct {
	Type           string          `json:"type" check:"required,enum=TBA"`
	TokenID        Secret          `json:"token_id" check:"required,min=1,max=2048"`
	TokenSecret    Secret          `json:"token_secret" check:"required,min=1,max=2048"`
	ConfigOverride *ClientOverride `json:"config_override,omitempty"`
}

// AppCredentials name an installation of an app.
type AppCredentials struct {
	Type           string `json:"type" check:"required,enum=APP"`
	AppID          string `json:"app_id" check:"required,min=1,max=255"`
	InstallationID string `json:"installation_id" check:"required,min=1,max=255"`
}

// CustomCredentials name an installation of an app that is authorised too.
type CustomCredentials struct {
	Type           string `json:"type" check:"required,enum=CUSTOM"`
	AppID          string `json:"app_id" check:"required,min=1,max=255"`
	InstallationID string `json:"installation_id" check:"required,min=1,max=255"`
}

// NoCredentials is for providers that need none.
type NoCredentials struct {
	Type string `json:"type" check:"required,enum=NONE"`
}

// Kind implements ImportCredentials.
func (OAuth2Credentials) Kind() string { return "OAUTH2" }

// Kind implements ImportCredentials.
func (ClientCredentials) Kind() string { return "OAUTH2_CC" }

// Kind implements ImportCredentials.
func (OAuth1Credentials) Kind() string { return "OAUTH1" }

// Kind implements ImportCredentials.
func (BasicCredentials) Kind() string { return "BASIC" }

// Kind implements ImportCredentials.
func (APIKeyCredentials) Kind() string { return "API_KEY" }

// Kind implements ImportCredentials.
func (TBACredentials) Kind() string { return "TBA" }

// Kind implements ImportCredentials.
func (AppCredentials) Kind() string { return "APP" }

// Kind implements ImportCredentials.
func (CustomCredentials) Kind() string { return "CUSTOM" }

// Kind implements ImportCredentials.
func (NoCredentials) Kind() string { return "NONE" }

// marshalTyped encodes a variant with its type, which the caller need not set.
func marshalTyped(v any) ([]byte, error) {
	if v == nil {
		return []byte("null"), nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	t, ok := v.(ImportCredentials)
	if !ok {
		return b, nil
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(b, &fields); err != nil {
		return nil, err
	}
	if fields["type"], err = json.Marshal(t.Kind()); err != nil {
		return nil, err
	}
	return json.Marshal(fields)
}
