package catalog

// Provider is everything known about one third-party API. Providers are shared:
// treat one as immutable.
type Provider struct {
	// Name identifies the provider; it is also the name of its file.
	Name string `yaml:"name"`
	// DisplayName is what people call it.
	DisplayName string `yaml:"display_name"`
	// Logo names an embedded logo; empty means the one called like the provider.
	Logo string `yaml:"logo"`
	// Categories are the catalogue's tags.
	Categories []string `yaml:"categories"`
	// DerivedFrom names the provider whose facts these were copied from, for
	// people who edit both. Nothing is inherited.
	DerivedFrom string `yaml:"derived_from"`
	// Auth says how connections get and keep their credentials.
	Auth Auth `yaml:"auth"`
	// API says how the API is called; nil when callers must say it themselves.
	API *API `yaml:"api"`
	// Inputs is what people are asked for.
	Inputs Inputs `yaml:"inputs"`
	// Hooks names behaviour that data cannot express.
	Hooks Hooks `yaml:"hooks"`
	// Webhooks describes the webhooks the provider sends.
	Webhooks Webhooks `yaml:"webhooks"`
	// CodeFacts says where the provider needs code of its own.
	CodeFacts CodeFacts `yaml:"code_facts"`
}

// AuthMode is how a provider authenticates. The values are those of the public
// API.
type AuthMode string

// The authentication modes.
const (
	ModeNone             AuthMode = "NONE"
	ModeAPIKey           AuthMode = "API_KEY"
	ModeBasic            AuthMode = "BASIC"
	ModeOAuth1           AuthMode = "OAUTH1"
	ModeOAuth2           AuthMode = "OAUTH2"
	ModeOAuth2CC         AuthMode = "OAUTH2_CC"
	ModeTwoStep          AuthMode = "TWO_STEP"
	ModeJWT              AuthMode = "JWT"
	ModeTBA              AuthMode = "TBA"
	ModeBill             AuthMode = "BILL"
	ModeSignature        AuthMode = "SIGNATURE"
	ModeAWSSigV4         AuthMode = "AWS_SIGV4"
	ModeApp              AuthMode = "APP"
	ModeCustom           AuthMode = "CUSTOM"
	ModeInstallPlugin    AuthMode = "INSTALL_PLUGIN"
	ModeMCPOAuth2        AuthMode = "MCP_OAUTH2"
	ModeMCPOAuth2Generic AuthMode = "MCP_OAUTH2_GENERIC"
)

// AuthModes returns all authentication modes.
func AuthModes() []AuthMode {
	return []AuthMode{
		ModeNone, ModeAPIKey, ModeBasic, ModeOAuth1, ModeOAuth2, ModeOAuth2CC, ModeTwoStep, ModeJWT, ModeTBA,
		ModeBill, ModeSignature, ModeAWSSigV4, ModeApp, ModeCustom, ModeInstallPlugin, ModeMCPOAuth2, ModeMCPOAuth2Generic,
	}
}

// Auth says how connections get and keep their credentials.
type Auth struct {
	Mode AuthMode `yaml:"mode"`
	// StoredAs is the type of the stored credentials when it is not Mode.
	StoredAs AuthMode `yaml:"stored_as"`
	// InstallFlow is "outbound" when the user starts at the provider and the
	// code comes in a webhook; empty otherwise.
	InstallFlow        string              `yaml:"install_flow"`
	Scopes             Scopes              `yaml:"scopes"`
	OAuth1             *OAuth1             `yaml:"oauth1"`
	Authorize          Authorize           `yaml:"authorize"`
	Token              Token               `yaml:"token"`
	Refresh            Refresh             `yaml:"refresh"`
	Signing            *Signing            `yaml:"signing"`
	Assertion          *Assertion          `yaml:"assertion"`
	ClientRegistration *ClientRegistration `yaml:"client_registration"`
	Capture            Capture             `yaml:"capture"`
}

// Scopes says which OAuth scopes are asked for and how they are written.
type Scopes struct {
	// Default is pre-filled on a new integration.
	Default []string `yaml:"default"`
	// Separator joins scopes; empty means one space. See [Scopes.Join].
	Separator string `yaml:"separator"`
}

// OAuth1 holds what only OAuth 1.0a needs.
type OAuth1 struct {
	RequestURL    string `yaml:"request_url"`
	RequestParams Params `yaml:"request_params"`
	// SignatureMethod is "HMAC-SHA1", "RSA-SHA1" or "PLAINTEXT".
	SignatureMethod string `yaml:"signature_method"`
}

// Authorize describes the consent page.
type Authorize struct {
	URL    URLs   `yaml:"url"`
	Params Params `yaml:"params"`
	// PKCE is on unless this is false. See [Authorize.UsesPKCE].
	PKCE *bool `yaml:"pkce"`
	// CodeParam is the query parameter of the callback that holds the code;
	// empty means "code".
	CodeParam string `yaml:"code_param"`
	// CodePathInWebhook is the path of the code in the installation webhook.
	CodePathInWebhook string  `yaml:"code_path_in_webhook"`
	Rewrite           Rewrite `yaml:"rewrite"`
	// Issuer is the issuer that the redirect must name in iss (RFC 9207); nil
	// leaves that to what the authorization server announces.
	Issuer *Template `yaml:"issuer"`
	// ResponseType is informational.
	ResponseType string `yaml:"response_type"`
}

// Rewrite changes a finished authorization URL for providers that want another
// form. The steps apply in the order of the fields.
type Rewrite struct {
	// LeaveUnescaped lists "scopes" or "base_url": parts written as they are.
	LeaveUnescaped []string `yaml:"leave_unescaped"`
	// Fragment moves the query behind "#" and this text.
	Fragment string `yaml:"fragment"`
	// Replace replaces the first occurrence of each text in turn.
	Replace []Replacement `yaml:"replace"`
	// DropEmpty removes query parameters without a value.
	DropEmpty bool `yaml:"drop_empty"`
}

// Replacement is one textual replacement.
type Replacement struct {
	Find string `yaml:"find"`
	With string `yaml:"with"`
}

// Token describes the token endpoint.
type Token struct {
	URL URLs `yaml:"url"`
	// InstallationURL is where apps get tokens of an installation.
	InstallationURL *Template `yaml:"installation_url"`
	// Method is the HTTP method; empty means POST.
	Method  string `yaml:"method"`
	Params  Params `yaml:"params"`
	Headers Params `yaml:"headers"`
	// BodyFormat is "form", "json", "query" or "xml"; empty means form, or json
	// for TWO_STEP.
	BodyFormat string `yaml:"body_format"`
	// ClientAuth says how the client proves itself; empty means ClientAuthBody.
	ClientAuth ClientAuth `yaml:"client_auth"`
	// ClientAuthAlso is a second declaration that ClientAuth overrides.
	ClientAuthAlso ClientAuth `yaml:"client_auth_also"`
	// MutualTLS means that a client certificate is needed.
	MutualTLS bool `yaml:"mutual_tls"`
	// DecodeURL is informational.
	DecodeURL bool          `yaml:"decode_url"`
	Response  TokenResponse `yaml:"response"`
	// LifetimeMS is the lifetime in milliseconds of tokens whose response tells
	// none; 0 means that they do not expire, nil that nothing is known.
	LifetimeMS *int `yaml:"lifetime_ms"`
	// RefreshMarginS is how many seconds before its end a token is refreshed;
	// nil means 900.
	RefreshMarginS *int `yaml:"refresh_margin_s"`
	// IntrospectionURL is where the end of a token is asked for (RFC 7662), at
	// providers whose token responses do not tell it. Nil elsewhere.
	IntrospectionURL *Template `yaml:"introspection_url"`
	// NextSteps are the calls that follow the first one in TWO_STEP.
	NextSteps []TokenStep `yaml:"next_steps"`
}

// ClientAuth is a way of client authentication at the token endpoint.
type ClientAuth string

// The ways of client authentication.
const (
	// ClientAuthBody sends id and secret in the body.
	ClientAuthBody ClientAuth = "body"
	// ClientAuthBasic sends them as HTTP Basic, not encoded further; in the
	// authorization code flow in the body, too.
	ClientAuthBasic ClientAuth = "basic"
	// ClientAuthBasicURLEncoded sends them as HTTP Basic, each form-encoded
	// first, and not in the body.
	ClientAuthBasicURLEncoded ClientAuth = "basic_urlencoded"
	// ClientAuthUsernamePassword sends them in the body as username and password.
	ClientAuthUsernamePassword ClientAuth = "username_password"
	// ClientAuthPrivateKeyJWT sends a signed client assertion (RFC 7523).
	ClientAuthPrivateKeyJWT ClientAuth = "private_key_jwt"
)

// TokenStep is one further call to obtain a token.
type TokenStep struct {
	URL        *Template `yaml:"url"`
	Method     string    `yaml:"method"`
	Params     Params    `yaml:"params"`
	Headers    Params    `yaml:"headers"`
	BodyFormat string    `yaml:"body_format"`
}

// TokenResponse says where things are in a token response. Paths are dotted.
type TokenResponse struct {
	// TokenPath leads to the token; present but empty means the whole body.
	TokenPath        *string `yaml:"token_path"`
	RefreshTokenPath string  `yaml:"refresh_token_path"`
	ExpiryPath       string  `yaml:"expiry_path"`
	// ExpiryKind is "duration" or "instant"; empty means instant.
	ExpiryKind string `yaml:"expiry_kind"`
	// AlternateTokenPath is tried when there is no access_token.
	AlternateTokenPath string `yaml:"alternate_token_path"`
	// ExpiresInUnit is "milliseconds"; empty means seconds.
	ExpiresInUnit string `yaml:"expires_in_unit"`
	// KeepHeaders lists response headers that become part of the credentials.
	KeepHeaders []string `yaml:"keep_headers"`
}

// Refresh describes how tokens are renewed.
type Refresh struct {
	// URL is where; nil means the token URL.
	URL     *Template `yaml:"url"`
	Params  Params    `yaml:"params"`
	Headers Params    `yaml:"headers"`
	// UnusedParams is informational.
	UnusedParams Params `yaml:"unused_params"`
}

// Signing describes tokens that are signed locally.
type Signing struct {
	// Protocol is "RSA", "EC", "HMAC" or "WSSE".
	Protocol string `yaml:"protocol"`
	// HMACKeyEncoding is "hex" or "utf8"; empty means hex.
	HMACKeyEncoding string    `yaml:"hmac_key_encoding"`
	Key             *Template `yaml:"key"`
	LifetimeMS      int       `yaml:"lifetime_ms"`
	Header          Params    `yaml:"header"`
	Payload         Params    `yaml:"payload"`
}

// Assertion describes an assertion that is exchanged for a token.
type Assertion struct {
	// Kind is "jwt" or "saml".
	Kind string    `yaml:"kind"`
	Key  *Template `yaml:"key"`
	// LifetimeS is in seconds.
	LifetimeS int    `yaml:"lifetime_s"`
	Header    Params `yaml:"header"`
	Payload   Params `yaml:"payload"`
	SAML      *SAML  `yaml:"saml"`
}

// SAML holds the parts of a SAML assertion.
type SAML struct {
	Issuer *Template `yaml:"issuer"`
	// Audience may list several, divided by commas.
	Audience     *Template `yaml:"audience"`
	Recipient    *Template `yaml:"recipient"`
	SessionIndex *Template `yaml:"session_index"`
	NameID       *Template `yaml:"name_id"`
	Attributes   Params    `yaml:"attributes"`
}

// ClientRegistration says where the client id of MCP servers comes from.
type ClientRegistration struct {
	// Kind is "dynamic" (RFC 7591), "static" or "cimd" (client id metadata
	// document).
	Kind   string `yaml:"kind"`
	URL    string `yaml:"url"`
	Params Params `yaml:"params"`
}

// Capture lists values that are copied into the connection's configuration.
type Capture struct {
	CallbackQuery  []string `yaml:"callback_query"`
	TokenResponse  []string `yaml:"token_response"`
	InstallWebhook []string `yaml:"install_webhook"`
	// RefreshResponse and PostConnection are informational.
	RefreshResponse []string `yaml:"refresh_response"`
	PostConnection  []string `yaml:"post_connection"`
}

// API says how the provider's API is called.
type API struct {
	BaseURL URLs   `yaml:"base_url"`
	Headers Params `yaml:"headers"`
	Query   Params `yaml:"query"`
	// Body is an object that is merged into bodies; nil means nothing.
	Body *Value `yaml:"body"`
	// DeclaresConfig lists settings that calls need without a template saying so.
	DeclaresConfig []string `yaml:"declares_config"`
	// Decompress asks for decompressed answers.
	Decompress bool `yaml:"decompress"`
	// KeepHeadersOnRedirect sends all headers again after a redirect.
	KeepHeadersOnRedirect bool      `yaml:"keep_headers_on_redirect"`
	Retry                 Retry     `yaml:"retry"`
	Paginate              *Paginate `yaml:"paginate"`
	Verify                *Verify   `yaml:"verify"`
}

// Retry holds the hints a provider gives about when to call again.
type Retry struct {
	// At lists headers that hold a moment: epoch seconds, epoch milliseconds or
	// a date. When it is set, After is not used.
	At []string `yaml:"at"`
	// After lists headers that hold a number of seconds.
	After []string `yaml:"after"`
	// Remaining is a header that is "0" when the rate limit is used up.
	Remaining string `yaml:"remaining"`
	// Status lists what is retried, instead of 401, 429 and 5xx. See
	// [Retry.Retryable].
	Status []string `yaml:"status"`
	// Body finds the wait in the body of an error.
	Body *RetryBody `yaml:"body"`
}

// RetryBody finds a wait in the body of an error.
type RetryBody struct {
	// Path leads to a text in the JSON body.
	Path string `yaml:"path"`
	// Pattern finds the value in that text: its first group.
	Pattern *Pattern `yaml:"pattern"`
	// Kind is "at" or "after".
	Kind string `yaml:"kind"`
}

// Paginate holds the hints for reading lists page by page.
type Paginate struct {
	// Kind is "cursor", "link" or "offset".
	Kind string `yaml:"kind"`
	// ItemsPath leads to the list; empty means that the body is the list.
	ItemsPath   string `yaml:"items_path"`
	LimitParam  string `yaml:"limit_param"`
	CursorParam string `yaml:"cursor_param"`
	CursorPath  string `yaml:"cursor_path"`
	// LinkRel is the relation in the Link header; LinkPath leads to a link in
	// the body.
	LinkRel     string `yaml:"link_rel"`
	LinkPath    string `yaml:"link_path"`
	OffsetParam string `yaml:"offset_param"`
	// OffsetStart is the first offset; nil means 0.
	OffsetStart *int `yaml:"offset_start"`
	// OffsetStep is "page" when the offset counts pages; empty means items.
	OffsetStep string `yaml:"offset_step"`
}

// Verify is the call that tests new credentials.
type Verify struct {
	// Method is GET or POST; empty means GET.
	Method string `yaml:"method"`
	// Paths are tried in order until one succeeds.
	Paths []Template `yaml:"paths"`
	// BaseURL replaces the API's.
	BaseURL *Template `yaml:"base_url"`
	// Headers override the API's.
	Headers Params `yaml:"headers"`
	// Body is sent as JSON; nil means no body. It is sent as written.
	Body *Value `yaml:"body"`
}

// Inputs lists what people are asked for.
type Inputs struct {
	// Credentials are secret and stored encrypted with the connection.
	Credentials Fields `yaml:"credentials"`
	// ConnectionConfig are the settings of a connection.
	ConnectionConfig Fields `yaml:"connection_config"`
	// IntegrationConfig are the settings of an integration.
	IntegrationConfig Fields `yaml:"integration_config"`
	// Assertion is used once for signing and never stored.
	Assertion Fields `yaml:"assertion"`
}

// Hooks names behaviour that data cannot express.
type Hooks struct {
	PostConnection    string `yaml:"post_connection"`
	PreDeletion       string `yaml:"pre_deletion"`
	VerifyCredentials string `yaml:"verify_credentials"`
	// WebhookRouting names the handler of incoming webhooks; present but null
	// means that a handler is deliberately absent.
	WebhookRouting OptionalName `yaml:"webhook_routing"`
}

// Webhooks describes the webhooks a provider sends.
type Webhooks struct {
	// CustomerSecret means that the integration asks for a signing secret.
	CustomerSecret bool `yaml:"customer_secret"`
	// QueryParams lists the query parameters that handlers may see.
	QueryParams []string `yaml:"query_params"`
}

// CodeFacts says where a provider needs code of its own.
type CodeFacts struct {
	// TokenClient names the provider's own token client.
	TokenClient string `yaml:"token_client"`
	// ExpiryByIntrospection means that only asking tells whether a token lives.
	ExpiryByIntrospection bool `yaml:"expiry_by_introspection"`
	// RefreshOnlyWhenForced means that tokens are not refreshed by their age.
	RefreshOnlyWhenForced bool `yaml:"refresh_only_when_forced"`
	// RefreshWithoutRefreshToken means that a refresh needs no refresh token.
	RefreshWithoutRefreshToken bool `yaml:"refresh_without_refresh_token"`
}
