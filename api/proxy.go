package api

// ProxyHeaders are the headers that say what a proxied call is made with.
type ProxyHeaders struct {
	ConnectionID      string `header:"Connection-Id" check:"required,min=1,max=255,pattern=cid"`
	ProviderConfigKey string `header:"Provider-Config-Key" check:"required,min=1,max=255,pattern=pck"`
	// Retries is how often a failed call is repeated.
	Retries *int `header:"Retries" check:"min=0"`
	// RetryOn lists further statuses that count as failures.
	RetryOn *string `header:"Retry-On" check:"pattern=status_list"`
	// BaseURLOverride replaces the provider's base URL.
	BaseURLOverride *string `header:"Base-Url-Override" check:"blank,format=url"`
	Decompress      *string `header:"Decompress" check:"enum=true|false"`
	// ForwardHeadersOnRedirect sends all headers to where a redirect leads too.
	ForwardHeadersOnRedirect *string `header:"Forward-Headers-On-Redirect" check:"enum=true|false"`
	// ActivityLogID is an operation that the call is noted under.
	ActivityLogID *string `header:"Nango-Activity-Log-Id" check:"max=255"`
}
