package api

import "time"

// CreateConnectSession is the body that makes a connect session: a short-lived
// permission for one end user's browser to connect accounts.
type CreateConnectSession struct {
	// AllowedIntegrations are those that the user may connect; without them all.
	AllowedIntegrations []string `json:"allowed_integrations,omitempty" check:"max=1000,each.min=1,each.max=255,each.pattern=pck"`
	ConnectSessionOptions
}

// CreateReconnectSession is the body that makes a connect session for new
// credentials of a connection that exists.
type CreateReconnectSession struct {
	ConnectionID  string `json:"connection_id" check:"required,min=1,max=255,pattern=cid"`
	IntegrationID string `json:"integration_id" check:"required,min=1,max=255,pattern=pck"`
	ConnectSessionOptions
}

// ConnectSessionOptions are what both kinds of connect sessions have.
type ConnectSessionOptions struct {
	// EndUser and Organization are the older way to say whose connections these
	// will be; tags replace them.
	EndUser      *EndUserInput      `json:"end_user,omitempty"`
	Organization *OrganizationInput `json:"organization,omitempty"`
	// Tags are given to the connections that the session makes.
	Tags map[string]string `json:"tags,omitempty"`
	// IntegrationsConfigDefaults are what is decided already, by integration.
	IntegrationsConfigDefaults map[string]IntegrationDefaults `json:"integrations_config_defaults,omitempty" check:"max=1000"`
	// Overrides change what Connect UI shows, by integration.
	Overrides map[string]IntegrationOverrides `json:"overrides,omitempty" check:"max=1000"`
	// WebhookURLOverride is for the connections that the session makes.
	WebhookURLOverride Optional[string] `json:"webhook_url_override,omitzero" check:"nullable,blank,max=2048,format=url"`
}

// OrganizationInput describes the end user's company.
type OrganizationInput struct {
	ID          string  `json:"id" check:"required,min=1,max=255"`
	DisplayName *string `json:"display_name,omitempty" check:"max=255"`
}

// IntegrationDefaults are what the customer's backend has decided for the
// connections of one integration.
type IntegrationDefaults struct {
	// UserScopes are Slack's user scopes, separated by commas.
	UserScopes          *string           `json:"user_scopes,omitempty" check:"max=8192"`
	AuthorizationParams map[string]string `json:"authorization_params,omitempty" check:"max=100"`
	// ConnectionConfig holds text, numbers and booleans that the provider needs.
	ConnectionConfig map[string]any `json:"connection_config,omitempty" check:"max=100"`
}

// IntegrationOverrides change what Connect UI shows of an integration.
type IntegrationOverrides struct {
	// DocsConnect replaces the link to the guide for end users.
	DocsConnect *string `json:"docs_connect,omitempty" check:"max=2048,format=url"`
}

// CreatedConnectSession is the only reply that shows a session's token.
type CreatedConnectSession struct {
	Token Secret `json:"token"`
	// ConnectLink opens Connect UI with the session. Whoever has it may use it.
	ConnectLink Secret `json:"connect_link"`
	ExpiresAt   Time   `json:"expires_at"`
}

// ConnectSession is what Connect UI asks about its session.
type ConnectSession struct {
	EndUser                    *SessionEndUser                 `json:"endUser"`
	ConnectUISettings          ConnectUILook                   `json:"connectUISettings"`
	AllowedIntegrations        []string                        `json:"allowed_integrations,omitempty"`
	IntegrationsConfigDefaults map[string]SessionDefaults      `json:"integrations_config_defaults,omitempty"`
	IsReconnecting             bool                            `json:"isReconnecting,omitempty"`
	Overrides                  map[string]IntegrationOverrides `json:"overrides,omitempty"`
	Tags                       map[string]string               `json:"tags,omitempty"`
	// WebsocketsPath is where the results of popups are waited for.
	WebsocketsPath string `json:"websocketsPath"`
}

// SessionEndUser is the end user of a connect session.
type SessionEndUser struct {
	ID           string            `json:"id"`
	DisplayName  *string           `json:"display_name"`
	Email        *string           `json:"email"`
	Tags         map[string]string `json:"tags" check:"nullable"`
	Organization *Organization     `json:"organization"`
}

// SessionDefaults are the defaults of an integration as the end user's browser
// may see them: secrets are masked.
type SessionDefaults struct {
	ConnectionConfig    map[string]any    `json:"connection_config"`
	AuthorizationParams map[string]string `json:"authorization_params"`
}

// ConnectUILook says how Connect UI looks.
type ConnectUILook struct {
	Theme ConnectUITheme `json:"theme"`
	// DefaultTheme is system, light or dark.
	DefaultTheme  string `json:"defaultTheme"`
	ShowWatermark bool   `json:"showWatermark"`
}

// ConnectUITheme holds the colours of both themes.
type ConnectUITheme struct {
	Light ConnectUIColors `json:"light"`
	Dark  ConnectUIColors `json:"dark"`
}

// ConnectUIColors are the colours of one theme, as #rrggbb.
type ConnectUIColors struct {
	Primary string `json:"primary"`
}

// ConnectEvent is something that happened in Connect UI, for the log. Browsers
// send it as they leave the page, so the session's token is in the body.
type ConnectEvent struct {
	Token Secret `json:"token" check:"required,min=1,max=255"`
	Event string `json:"event" check:"required,enum=open|view:list|view:integration|view:unknown_error|view:credentials_error|view:success|click:integration|click:doc|click:doc_section|click:connect|click:close|click:finish|click:outside|popup:blocked_by_browser|popup:closed_early"`
	// Timestamp is the browser's clock. It may be two hours off.
	Timestamp  time.Time               `json:"timestamp" check:"required"`
	Dimensions *ConnectEventDimensions `json:"dimensions,omitempty"`
}

// ConnectEventDimensions say what a ConnectEvent is about.
type ConnectEventDimensions struct {
	Integration *string `json:"integration,omitempty" check:"min=1,max=255,pattern=pck"`
}
