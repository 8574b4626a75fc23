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
	// PreviousSigningKey is the one before the last rotation. It signs beside
	// the present one until PreviousSigningKeyUntil, so that receivers can
	// change over in peace. Zero: none.
	PreviousSigningKey      Secret
	PreviousSigningKeyUntil time.Time
	Settings                EnvironmentSettings
	CreatedAt               time.Time
	UpdatedAt               time.Time
}

// EnvironmentSettings are what an operator may set on an environment.
type EnvironmentSettings struct {
	// CallbackURL replaces the OAuth callback URL. Empty means our own.
	CallbackURL string
	// PublicKeyEnabled lets browsers connect accounts with the public key alone,
	// without a connect session.
	PublicKeyEnabled bool
	// HMACEnabled asks browsers that use the public key for a signature of what
	// they connect, made with HMACKey.
	HMACEnabled bool
	HMACKey     Secret
	// SlackNotifications asks for notices in Slack.
	SlackNotifications bool
	OTLPEndpoint       string
	OTLPHeaders        []SecretPair
	Webhooks           WebhookSettings
	ConnectUI          ConnectUISettings
}

// WebhookSettings say where an environment's webhooks go and which are sent.
// Without a URL none is. The names in JSON are stored.
type WebhookSettings struct {
	PrimaryURL   string `json:"primary_url"`
	SecondaryURL string `json:"secondary_url"`
	// The switches name the events they are for. Webhooks about new credentials
	// of an existing connection have none.
	OnAuthCreation          bool `json:"on_auth_creation"`
	OnAuthDeletion          bool `json:"on_auth_deletion"`
	OnAuthRefreshError      bool `json:"on_auth_refresh_error"`
	OnSyncError             bool `json:"on_sync_error"`
	OnSyncCompletionAlways  bool `json:"on_sync_completion_always"`
	OnAsyncActionCompletion bool `json:"on_async_action_completion"`
}

// DefaultWebhookSettings are those of a new environment (features HOOK-11 and
// §33 row 27).
func DefaultWebhookSettings() WebhookSettings {
	return WebhookSettings{OnAuthCreation: true, OnAuthDeletion: true, OnAuthRefreshError: true, OnSyncError: true}
}

// ConnectUISettings say how Connect UI looks in an environment. The names in
// JSON are stored.
type ConnectUISettings struct {
	// LightPrimary and DarkPrimary are the colours of the main button, as #rrggbb.
	// Empty: our own.
	LightPrimary string `json:"light_primary"`
	DarkPrimary  string `json:"dark_primary"`
	// DefaultTheme is "light", "dark" or "system"; empty means "system".
	DefaultTheme string `json:"default_theme"`
	// HideWatermark takes our name off the foot of the page.
	HideWatermark bool `json:"hide_watermark"`
	// AppName and AppLogoURL present the customer's own product beside the
	// provider's. Optional.
	AppName    string `json:"app_name"`
	AppLogoURL string `json:"app_logo_url"`
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
	// Shared says that the app is the operator's, who lends it to customers: they are
	// shown nothing of it.
	Shared bool
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
	// Reconnect is the connection whose credentials the session renews. Zero:
	// the session makes new connections.
	Reconnect ConnectionID
	// Defaults and Overrides are kept by integration key.
	Defaults  map[string]IntegrationDefaults
	Overrides map[string]IntegrationOverrides
	// WebhookURLOverride is for the connections that the session makes.
	WebhookURLOverride string
	// Operation is the log operation that shows what became of the session.
	Operation OperationID
	ExpiresAt time.Time
	CreatedAt time.Time
}

// IntegrationDefaults are what the customer's backend has decided for the
// connections of an integration that a session makes. They may hold secrets and
// are stored encrypted; the names in JSON are stored.
type IntegrationDefaults struct {
	// UserScopes are Slack's user scopes, separated by commas.
	UserScopes          string            `json:"user_scopes,omitempty"`
	AuthorizationParams map[string]string `json:"authorization_params,omitempty"`
	ConnectionConfig    map[string]any    `json:"connection_config,omitempty"`
}

// IntegrationOverrides change what Connect UI shows of an integration. The names
// in JSON are stored.
type IntegrationOverrides struct {
	// DocsConnect replaces the link to the guide for end users.
	DocsConnect string `json:"docs_connect,omitempty"`
}

// OAuthSession is an authorization in progress: the user is at the provider.
// Neither its state nor the browser's cookie is kept, only their SHA-256.
type OAuthSession struct {
	ID            OAuthSessionID
	UUID          string
	EnvironmentID EnvironmentID
	StateHash     [32]byte
	BrowserHash   [32]byte
	// ConnectSessionID is zero when the public key was used.
	ConnectSessionID ConnectSessionID
	IntegrationKey   string
	ConnectionName   string
	// PopupID names the page that waits for the result. Empty: none does.
	PopupID string
	// Operation is the log operation of the flow.
	Operation OperationID
	// Payload is what the callback needs, as JSON of package authorize. It holds
	// secrets and is stored encrypted.
	Payload   Secret
	ExpiresAt time.Time
	// UsedAt is when the callback came. Zero: not yet.
	UsedAt    time.Time
	CreatedAt time.Time
}

// Authorization is a grant that a provider has given and that is stored, but is
// not yet a connection: its credentials are still being tried out.
type Authorization struct {
	ID             AuthorizationID
	UUID           string
	EnvironmentID  EnvironmentID
	IntegrationKey string
	ConnectionName string
	// Payload is the rest, as JSON of package connect. It holds credentials and
	// is stored encrypted.
	Payload   Secret
	CreatedAt time.Time
}

// PopupResult is what a page that waits for an authorization in another window
// is told.
type PopupResult struct {
	// PopupID is the ws_client_id that the page was given.
	PopupID string
	// Message is the JSON text to send. It holds no secrets.
	Message   string
	CreatedAt time.Time
}
