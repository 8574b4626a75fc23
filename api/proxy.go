package api

// ProxyHeaders are the headers that say what a proxied call is made with.
type ProxyHeaders struct {
	ConnectionID             string  `header:"Connection-Id" check:"required,min=1,max=255,pattern=cid"`
	ProviderConfigKey        string  `header:"Provider-Config-Key" check:"required,min=1,max=255,pattern=pck"`
	Retries                  *int    `header:"Retries" check:"min=0" doc:"How often a failed call is repeated."`
	RetryOn                  *string `header:"Retry-On" check:"pattern=status_list" doc:"Lists further statuses that count as failures."`
	BaseURLOverride          *string `header:"Base-Url-Override" check:"blank,format=url" doc:"Replaces the provider's base URL."`
	Decompress               *string `header:"Decompress" check:"enum=true|false"`
	ForwardHeadersOnRedirect *string `header:"Forward-Headers-On-Redirect" check:"enum=true|false" doc:"Sends all headers to where a redirect leads too."`
	ActivityLogID            *string `header:"Nango-Activity-Log-Id" check:"max=255" doc:"An operation that the call is noted under."`
}
