package api

// ConnectParams are the query of the routes with which a browser connects an
// account. Unknown keys are ignored, as browsers and pages add their own.
type ConnectParams struct {
	_ struct{} `check:"loose"`
	// ConnectionID goes with a public key only.
	ConnectionID        *string           `query:"connection_id" check:"min=1,max=255,pattern=cid" doc:"Names the connection. Only with a public key; a connect session knows it."`
	Params              map[string]string `query:"params" check:"max=100,keys.min=1,keys.max=255" doc:"The connection's configuration, such as a subdomain."`
	AuthorizationParams map[string]string `query:"authorization_params" check:"max=100,keys.min=1,keys.max=255" doc:"Further parameters of the provider's authorization page. The value undefined takes away a default."`
	UserScope           *string           `query:"user_scope" check:"max=8192" doc:"Slack's user scopes, separated by commas. Only with a public key."`
	HMAC                *string           `query:"hmac" check:"max=255" doc:"A signature of integration and connection id, where the environment asks for one. Only with a public key."`
	Credentials         *ConnectOverrides `query:"credentials" doc:"A developer app of the end user's own."`
	WSClientID          *string           `query:"ws_client_id" check:"max=255" doc:"The page that waits for the result, as the WebSocket at / named it."`
	Lang                *string           `query:"lang" check:"max=35" doc:"The language of the page with the result."`
}

// ConnectOverrides are the credentials of an end user's own developer app.
type ConnectOverrides struct {
	_                         struct{} `check:"loose"`
	OAuthClientIDOverride     *string  `query:"oauth_client_id_override" check:"max=1024"`
	OAuthClientSecretOverride *Secret  `query:"oauth_client_secret_override" check:"max=8192"`
	OAuthRefreshTokenOverride *Secret  `query:"oauth_refresh_token_override" check:"max=16384"`
}

// ConnectPath names the integration that an account is connected to.
type ConnectPath struct {
	ProviderConfigKey string `path:"provider_config_key" check:"required,min=1,max=255,pattern=pck"`
}

// ConnectWithAPIKey is the body that connects an account by its key.
type ConnectWithAPIKey struct {
	APIKey Secret `json:"apiKey" check:"required,min=1,max=1024"`
}

// ConnectWithBasic is the body that connects an account by user name and
// password; either may be empty.
type ConnectWithBasic struct {
	Username Secret `json:"username" check:"required,max=1024"`
	Password Secret `json:"password" check:"required,max=1024"`
}

// ConnectedAccount names the connection that was made or renewed.
type ConnectedAccount struct {
	ConnectionID      string `json:"connectionId"`
	ProviderConfigKey string `json:"providerConfigKey"`
}

// ClientMetadataPath names the integration whose client metadata are asked for.
type ClientMetadataPath struct {
	EnvironmentUUID   string `path:"environment_uuid" check:"required,format=uuid"`
	ProviderConfigKey string `path:"provider_config_key" check:"required,min=1,max=255,pattern=pck"`
}
