package catalog

import (
	"net/url"
	"strings"
)

// PublicURLs makes the links of public provider entries.
type PublicURLs struct {
	// Base is the public URL of the server, without a trailing slash.
	Base string
}

// Docs returns the address of the page that explains a provider.
func (u PublicURLs) Docs(name string) string {
	return strings.TrimRight(u.Base, "/") + "/docs/providers/" + url.PathEscape(name)
}

// Logo returns the address of a provider's logo.
func (u PublicURLs) Logo(name string) string {
	return strings.TrimRight(u.Base, "/") + "/images/template-logos/" + url.PathEscape(name) + ".svg"
}

// Public returns the provider as the public API shows it: name and logo_url
// first, then the entry of /providers.json.
func (p *Provider) Public(urls PublicURLs) Object {
	return append(Object{{"name", p.Name}, {"logo_url", urls.Logo(p.Name)}}, p.PublicEntry(urls)...)
}

// PublicEntry returns the provider as an entry of /providers.json. The keys are
// those of the public API; what is not set is left out.
func (p *Provider) PublicEntry(urls PublicURLs) Object {
	o := Object{{"display_name", p.DisplayName}, {"auth_mode", p.Auth.Mode}}
	o.set("categories", p.Categories)
	docs := urls.Docs(p.Name)
	o.set("docs", docs)
	o.set("docs_connect", docs)
	o.set("auth_type", string(p.Auth.StoredAs))
	o.set("installation", p.Auth.InstallFlow)
	p.publicAuthorize(&o)
	p.publicToken(&o)
	p.publicRefresh(&o)
	p.publicSigning(&o)
	p.publicCapture(&o)
	o.set("proxy", p.API.public())
	o.set("connection_config", p.Inputs.ConnectionConfig.public())
	o.set("credentials", p.Inputs.Credentials.public())
	o.set("integration_config", p.Inputs.IntegrationConfig.public())
	o.set("assertion_option", p.Inputs.Assertion.public())
	p.publicHooks(&o)
	return o
}

func (p *Provider) publicAuthorize(o *Object) {
	a := &p.Auth.Authorize
	o.set("authorization_url", a.URL)
	o.set("authorization_params", a.Params)
	replacements := make(Object, len(a.Rewrite.Replace))
	for i, r := range a.Rewrite.Replace {
		replacements[i] = Entry{r.Find, r.With}
	}
	o.set("authorization_url_replacements", replacements)
	o.set("authorization_url_fragment", a.Rewrite.Fragment)
	o.set("authorization_url_skip_empty", a.Rewrite.DropEmpty)
	o.set("authorization_url_skip_encode", a.Rewrite.LeaveUnescaped)
	o.set("authorization_code_param_in_callback", a.CodeParam)
	o.set("authorization_code_param_in_webhook", a.CodePathInWebhook)
	o.set("disable_pkce", !a.UsesPKCE())
	o.set("scope_separator", p.Auth.Scopes.Separator)
	o.set("default_scopes", p.Auth.Scopes.Default)
	if a.ResponseType != "" {
		o.set("auth", Object{{"response_type", a.ResponseType}})
	}
	if oauth1 := p.Auth.OAuth1; oauth1 != nil {
		o.set("request_url", oauth1.RequestURL)
		o.set("request_params", oauth1.RequestParams)
		o.set("signature_method", oauth1.SignatureMethod)
	}
	if r := p.Auth.ClientRegistration; r != nil {
		o.set("client_registration", r.Kind)
		o.set("registration_url", r.URL)
		o.set("registration_params", r.Params)
	}
}

func (p *Provider) publicToken(o *Object) {
	t := &p.Auth.Token
	if t.InstallationURL != nil {
		o.set("token_url", Object{{"OAUTH2", t.URL.String()}, {"APP", t.InstallationURL.String()}})
	} else {
		o.set("token_url", t.URL)
	}
	o.set("token_request_method", t.Method)
	o.set("token_params", t.Params)
	o.set("token_headers", t.Headers)
	o.set("body_format", t.BodyFormat)
	publicClientAuth(o, t.ClientAuth)
	publicClientAuth(o, t.ClientAuthAlso)
	o.set("require_client_certificate", t.MutualTLS)
	o.set("decode_url", t.DecodeURL)
	o.set("token_response", t.Response.public())
	o.set("alternate_access_token_response_path", t.Response.AlternateTokenPath)
	o.set("expires_in_unit", t.Response.ExpiresInUnit)
	o.set("token_response_headers", t.Response.KeepHeaders)
	o.set("token_expires_in_ms", t.LifetimeMS)
	o.set("token_expiration_buffer", t.RefreshMarginS)
	if len(t.NextSteps) == 0 {
		return
	}
	steps := make([]Object, len(t.NextSteps))
	for i := range t.NextSteps {
		step := &t.NextSteps[i]
		steps[i].set("token_url", step.URL)
		steps[i].set("token_request_method", step.Method)
		steps[i].set("token_params", step.Params)
		steps[i].set("token_headers", step.Headers)
		steps[i].set("body_format", step.BodyFormat)
	}
	o.set("additional_steps", steps)
}

// publicClientAuth writes one way of client authentication; the public API has
// two keys for it.
func publicClientAuth(o *Object, way ClientAuth) {
	switch way {
	case ClientAuthBasic, ClientAuthPrivateKeyJWT:
		o.set("token_request_auth_method", string(way))
	case ClientAuthUsernamePassword:
		o.set("token_request_auth_method", "custom")
	case ClientAuthBasicURLEncoded:
		o.set("authorization_method", "header")
	case ClientAuthBody:
		o.set("authorization_method", "body")
	}
}

func (r *TokenResponse) public() Object {
	var o Object
	if r.TokenPath != nil {
		o = append(o, Entry{"token", *r.TokenPath})
	}
	o.set("refresh_token", r.RefreshTokenPath)
	o.set("token_expiration", r.ExpiryPath)
	switch r.ExpiryKind {
	case "duration":
		o.set("token_expiration_strategy", "expireIn")
	case "instant":
		o.set("token_expiration_strategy", "expireAt")
	}
	return o
}

func (p *Provider) publicRefresh(o *Object) {
	r := &p.Auth.Refresh
	o.set("refresh_url", r.URL)
	if p.Auth.Mode == ModeTwoStep {
		o.set("refresh_token_params", r.Params)
	} else {
		o.set("refresh_params", r.Params)
	}
	o.set("refresh_token_headers", r.Headers)
	o.set("refresh_token_params", r.UnusedParams)
}

func (p *Provider) publicSigning(o *Object) {
	if s := p.Auth.Signing; s != nil {
		var signature, token Object
		signature.set("protocol", s.Protocol)
		signature.set("hmac_secret_encoding", s.HMACKeyEncoding)
		token.set("signing_key", s.Key)
		token.set("expires_in_ms", s.LifetimeMS)
		token.set("header", s.Header)
		token.set("payload", s.Payload)
		o.set("signature", signature)
		o.set("token", token)
	}
	a := p.Auth.Assertion
	if a == nil {
		return
	}
	var assertion Object
	assertion.set("type", a.Kind)
	assertion.set("key", a.Key)
	assertion.set("lifetimeInSeconds", a.LifetimeS)
	assertion.set("header", a.Header)
	assertion.set("payload", a.Payload)
	if s := a.SAML; s != nil {
		assertion.set("issuer", s.Issuer)
		assertion.set("audiences", s.Audience)
		assertion.set("recipient", s.Recipient)
		assertion.set("sessionIndex", s.SessionIndex)
		assertion.set("nameIdentifier", s.NameID)
		assertion.set("attributes", s.Attributes)
	}
	o.set("assertion", assertion)
}

func (p *Provider) publicCapture(o *Object) {
	c := &p.Auth.Capture
	o.set("redirect_uri_metadata", c.CallbackQuery)
	o.set("token_response_metadata", c.TokenResponse)
	o.set("webhook_response_metadata", c.InstallWebhook)
	o.set("refresh_token_response_metadata", c.RefreshResponse)
	o.set("connection_configuration", c.PostConnection)
}

func (p *Provider) publicHooks(o *Object) {
	o.set("post_connection_script", p.Hooks.PostConnection)
	o.set("pre_connection_deletion_script", p.Hooks.PreDeletion)
	o.set("credentials_verification_script", p.Hooks.VerifyCredentials)
	if p.Hooks.WebhookRouting.Declared {
		*o = append(*o, Entry{"webhook_routing_script", p.Hooks.WebhookRouting.Name})
	}
	o.set("webhook_user_defined_secret", p.Webhooks.CustomerSecret)
	o.set("webhook_allowed_query_params", p.Webhooks.QueryParams)
}

func (a *API) public() Object {
	if a == nil {
		return nil
	}
	var o, config Object
	o.set("base_url", a.BaseURL)
	o.set("headers", a.Headers)
	o.set("query", a.Query)
	if a.Body != nil {
		o.set("body", *a.Body)
	}
	for _, name := range a.DeclaresConfig {
		config.set(name, "${connectionConfig."+name+"}")
	}
	o.set("connection_config", config)
	o.set("retry", a.Retry.public())
	o.set("decompress", a.Decompress)
	o.set("forward_headers_on_redirect", a.KeepHeadersOnRedirect)
	o.set("paginate", a.Paginate.public())
	o.set("verification", a.Verify.public())
	return o
}

func (r *Retry) public() Object {
	var o Object
	o.set("at", r.At)
	o.set("after", r.After)
	o.set("remaining", r.Remaining)
	o.set("error_code", r.Status)
	if b := r.Body; b != nil {
		o.set("in_body", Object{{"path", b.Path}, {"value", b.Pattern.String()}, {"strategy", b.Kind}})
	}
	return o
}

func (p *Paginate) public() Object {
	if p == nil {
		return nil
	}
	var o Object
	o.set("type", p.Kind)
	o.set("response_path", p.ItemsPath)
	o.set("limit_name_in_request", p.LimitParam)
	o.set("cursor_name_in_request", p.CursorParam)
	o.set("cursor_path_in_response", p.CursorPath)
	o.set("link_rel_in_response_header", p.LinkRel)
	o.set("link_path_in_response_body", p.LinkPath)
	o.set("offset_name_in_request", p.OffsetParam)
	o.set("offset_start_value", p.OffsetStart)
	switch p.OffsetStep {
	case "page":
		o.set("offset_calculation_method", "per-page")
	case "items":
		o.set("offset_calculation_method", "by-response-size")
	}
	return o
}

func (v *Verify) public() Object {
	if v == nil {
		return nil
	}
	var o Object
	o.set("method", v.Method)
	paths := make([]string, len(v.Paths))
	for i := range v.Paths {
		paths[i] = v.Paths[i].String()
	}
	o.set("endpoints", paths)
	o.set("base_url_override", v.BaseURL)
	o.set("headers", v.Headers)
	if v.Body != nil {
		o.set("data", *v.Body)
	}
	return o
}

// public returns the fields as a map from name to definition.
func (fs Fields) public() Object {
	o := make(Object, len(fs))
	for i := range fs {
		o[i] = Entry{fs[i].Name, fs[i].public()}
	}
	return o
}

func (f *Field) public() Object {
	o := Object{{"type", "string"}, {"title", f.Title}, {"description", f.Help}}
	o.set("example", f.Example)
	o.set("pattern", f.Pattern)
	o.set("format", f.Format)
	o.set("optional", !f.Required && !f.System)
	o.set("order", f.Order)
	if f.Default != nil {
		o = append(o, Entry{"default_value", *f.Default})
	}
	o.set("hidden", f.Hidden)
	o.set("prefix", f.Prefix)
	o.set("suffix", f.Suffix)
	o.set("secret", f.Secret)
	o.set("automated", f.System)
	if len(f.Choices) > 0 {
		var cautions Object
		for _, choice := range f.Choices {
			cautions.set(choice.Value, choice.Caution)
		}
		o.set("enum", f.choiceValues())
		o.set("warnings", cautions)
	}
	if v := f.VisibleWhen; v != nil {
		o.set("visible_when", Object{{"field", v.Field}, {"equals", v.Equals}})
	}
	return o
}
