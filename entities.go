package linkspan

import "time"

// Account owns environments. Everything belongs to exactly one account.
type Account struct {
	ID        AccountID
	UUID      string
	Name      string
	CreatedAt time.Time
}

// Environment is one isolated world of an account, such as dev or prod.
// Nothing below it is visible from another environment.
type Environment struct {
	ID           EnvironmentID
	UUID         string
	AccountID    AccountID
	Name         string
	IsProduction bool
	// PublicKey is the UUID that browsers of the older flow send. Not secret.
	PublicKey string
	// WebhookSigningKey signs outgoing webhooks.
	WebhookSigningKey Secret
	Settings          EnvironmentSettings
	CreatedAt         time.Time
	UpdatedAt         time.Time
}

// EnvironmentSettings are what an operator may set on an environment.
type EnvironmentSettings struct {
	// CallbackURL replaces the OAuth callback URL. Empty means our own.
	CallbackURL string
	HMACEnabled bool
	HMACKey     Secret
	// SlackNotifications asks for notices in Slack.
	SlackNotifications bool
	OTLPEndpoint       string
	OTLPHeaders        []SecretPair
}

// SecretPair is a named secret value: an environment variable, a header.
type SecretPair struct {
	Name  string
	Value Secret
}

// APIKey lets a program call the API. The key itself is not kept: Hash is the
// SHA-256 of its lower-case text.
type APIKey struct {
	ID        APIKeyID
	UUID      string
	AccountID AccountID
	// EnvironmentID is zero for an account key.
	EnvironmentID EnvironmentID
	DisplayName   string
	Scopes        []string
	Hash          [32]byte
	LastUsedAt    time.Time // zero: never used
	CreatedAt     time.Time
}

// Integration is a provider set up in an environment.
type Integration struct {
	ID            IntegrationID
	UUID          string
	EnvironmentID EnvironmentID
	// Key is the customer's name of it: unique_key, provider_config_key.
	Key             string
	Provider        string
	DisplayName     string // empty: the provider's own
	ForwardWebhooks bool
	Secrets         IntegrationSecrets
	CreatedAt       time.Time
	UpdatedAt       time.Time
}

// IntegrationSecrets are the parts of an integration that are stored encrypted.
type IntegrationSecrets struct {
	ClientID      string
	ClientSecret  Secret
	Scopes        string // comma separated
	WebhookSecret Secret
	AppID         string
	AppLink       string
	PrivateKey    Secret
	// Custom holds integration_config and custom values by name.
	Custom map[string]Secret
}

// Connection is one end user's authorised account at an integration.
type Connection struct {
	ID            ConnectionID
	UUID          string
	EnvironmentID EnvironmentID
	IntegrationID IntegrationID
	// IntegrationKey and Provider are read with the row for convenience.
	IntegrationKey string
	Provider       string
	// Name is the public connection id (connection_id), chosen by the customer
	// or a random UUID.
	Name string
	// Credentials is the JSON that package credential parses.
	Credentials Secret
	// Config is connection_config: scalar values the provider needs.
	Config map[string]any
	// Metadata is the customer's own JSON object; nil means never set.
	Metadata map[string]any
	Tags     map[string]string
	EndUser  *EndUser
	// WebhookURLOverride replaces the environment's webhook URL. Empty: none.
	WebhookURLOverride string
	// ExpiresAt is when the credentials expire. Zero: never, or unknown.
	ExpiresAt time.Time
	Refresh   RefreshState
	// CredentialsVersion rises with every change of the credentials and fences
	// writers that worked from an older one.
	CredentialsVersion int64
	LastFetchedAt      time.Time // zero: never
	CreatedAt          time.Time
	UpdatedAt          time.Time
}

// RefreshState is what is remembered of failed refreshes (features AUTH-13).
type RefreshState struct {
	// FailedAt is the time of the last failure. Zero: the last one succeeded.
	FailedAt time.Time
	// FailedDays counts the different UTC days on which refreshes failed
	// without a success between.
	FailedDays int
	// Exhausted means that no further refresh is tried until new credentials
	// arrive.
	Exhausted bool
	// Reason is the stable code of the last failure, such as "invalid_grant".
	Reason string
	// Message says in safe words what the last failure was.
	Message string
	// Operation is the log operation of the last failure: errors[].log_id.
	Operation OperationID
}

// EndUser is the legacy description of whose account it is. New customers use
// tags (features TAG-05).
type EndUser struct {
	ID           string            `json:"id"`
	DisplayName  string            `json:"display_name,omitempty"`
	Email        string            `json:"email,omitempty"`
	Tags         map[string]string `json:"tags,omitempty"`
	Organization *Organization     `json:"organization,omitempty"`
}

// Organization is the end user's company.
type Organization struct {
	ID          string `json:"id"`
	DisplayName string `json:"display_name,omitempty"`
}

// ConnectSession lets one end user's browser authorise connections for a short
// while. The token itself is not kept: Hash is its SHA-256.
type ConnectSession struct {
	ID                  ConnectSessionID
	UUID                string
	EnvironmentID       EnvironmentID
	Hash                [32]byte
	AllowedIntegrations []string // empty: all
	EndUser             *EndUser
	Tags                map[string]string
	ExpiresAt           time.Time
	CreatedAt           time.Time
}
