package api

import "encoding/json"

// Provider is a third-party API of the catalogue. The reply holds every key of
// the catalogue's entry; the fields here are those programs ask for most.
type Provider struct {
	Name             string   `json:"name"`
	DisplayName      string   `json:"display_name"`
	AuthMode         string   `json:"auth_mode"`
	LogoURL          string   `json:"logo_url"`
	Categories       []string `json:"categories,omitempty"`
	Docs             string   `json:"docs"`
	DocsConnect      string   `json:"docs_connect,omitempty"`
	Installation     string   `json:"installation,omitempty"`
	AuthorizationURL string   `json:"authorization_url,omitempty"`
	// TokenURL is text, or an object with one URL per kind of credentials.
	TokenURL         json.RawMessage          `json:"token_url,omitempty"`
	DefaultScopes    []string                 `json:"default_scopes,omitempty"`
	ScopeSeparator   string                   `json:"scope_separator,omitempty"`
	Proxy            *ProviderProxy           `json:"proxy,omitempty"`
	ConnectionConfig map[string]ProviderField `json:"connection_config,omitempty"`
	Credentials      map[string]ProviderField `json:"credentials,omitempty"`
	// IntegrationConfig is the form of values that belong to the integration.
	IntegrationConfig map[string]ProviderField `json:"integration_config,omitempty"`
	AssertionOption   map[string]ProviderField `json:"assertion_option,omitempty"`
}

// ProviderProxy says how the proxy calls a provider.
type ProviderProxy struct {
	BaseURL string            `json:"base_url"`
	Headers map[string]string `json:"headers,omitempty"`
	Query   map[string]string `json:"query,omitempty"`
	// Retry, Paginate and Verification are as the catalogue has them.
	Retry        json.RawMessage `json:"retry,omitempty"`
	Paginate     json.RawMessage `json:"paginate,omitempty"`
	Verification json.RawMessage `json:"verification,omitempty"`
}

// ProviderField is one input of a provider's form.
type ProviderField struct {
	Type         string          `json:"type"`
	Title        string          `json:"title,omitempty"`
	Description  string          `json:"description,omitempty"`
	Example      string          `json:"example,omitempty"`
	Pattern      string          `json:"pattern,omitempty"`
	Format       string          `json:"format,omitempty"`
	Order        int             `json:"order,omitempty"`
	DefaultValue *string         `json:"default_value,omitempty"`
	Prefix       string          `json:"prefix,omitempty"`
	Suffix       string          `json:"suffix,omitempty"`
	Optional     bool            `json:"optional,omitempty"`
	Automated    bool            `json:"automated,omitempty"`
	Hidden       bool            `json:"hidden,omitempty"`
	Secret       bool            `json:"secret,omitempty"`
	Enum         []string        `json:"enum,omitempty"`
	Warnings     json.RawMessage `json:"warnings,omitempty"`
	VisibleWhen  json.RawMessage `json:"visible_when,omitempty"`
}

// ProvidersQuery selects providers.
type ProvidersQuery struct {
	Search              *string `query:"search" check:"max=255" doc:"Matches a part of the name or display name, ignoring case."`
	ConnectSessionToken *string `query:"connect_session_token" doc:"May be sent in the query as well."`
}

// IntegrationsQuery has no filters.
type IntegrationsQuery struct {
	ConnectSessionToken *string `query:"connect_session_token" doc:"May be sent in the query as well."`
}

// ProviderPath names a provider.
type ProviderPath struct {
	Provider string `path:"provider" check:"required,min=1,max=255,pattern=name"`
}

// ProviderQuery has no filters.
type ProviderQuery struct {
	ConnectSessionToken *string `query:"connect_session_token" doc:"May be sent in the query as well."`
}
