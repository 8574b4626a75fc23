package catalog

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// maxNameBytes bounds the name of a provider.
const maxNameBytes = 100

// Categories returns the tags a provider can have.
func Categories() []string {
	return []string{
		"accounting", "analytics", "ats", "banking", "cms", "communication", "crm", "design", "dev-tools", "e-commerce", "erp",
		"gaming", "hr", "iam", "invoicing", "knowledge-base", "legal", "marketing", "mcp", "other", "payment", "popular",
		"productivity", "search", "social", "sports", "storage", "support", "surveys", "ticketing", "video",
	}
}

// IsValidName reports whether name can be the name of a provider: lower-case
// letters, digits and hyphens.
func IsValidName(name string) bool {
	return name != "" && len(name) <= maxNameBytes && !strings.ContainsFunc(name, func(r rune) bool {
		return r != '-' && (r < 'a' || r > 'z') && (r < '0' || r > '9')
	})
}

// problem is something wrong at a dotted path of a provider file. Elements of
// lists are numbered from 0 in the path.
type problem struct{ path, text string }

// check returns what is wrong with a decoded provider, beyond its types.
func check(p *Provider) []problem {
	c := checker{provider: p}
	c.identity()
	c.auth()
	c.token()
	c.api()
	c.fields("inputs.credentials", p.Inputs.Credentials)
	c.fields("inputs.connection_config", p.Inputs.ConnectionConfig)
	c.fields("inputs.integration_config", p.Inputs.IntegrationConfig)
	c.fields("inputs.assertion", p.Inputs.Assertion)
	c.placeholders()
	return c.problems
}

type checker struct {
	provider *Provider
	problems []problem
}

func (c *checker) add(path, format string, args ...any) {
	c.problems = append(c.problems, problem{path, fmt.Sprintf(format, args...)})
}

// oneOf adds a problem when value is set and not among allowed.
func (c *checker) oneOf(path, value string, allowed ...string) {
	if value != "" && !slices.Contains(allowed, value) {
		c.add(path, "is %q; it must be one of %s", value, strings.Join(allowed, ", "))
	}
}

func (c *checker) identity() {
	p := c.provider
	if !IsValidName(p.Name) {
		c.add("name", "is %q; it must consist of lower-case letters, digits and hyphens", p.Name)
	}
	if strings.TrimSpace(p.DisplayName) == "" {
		c.add("display_name", "is missing")
	}
	if p.Logo != "" && !hasLogo(p.Logo) {
		c.add("logo", "is %q, which is no embedded logo; leave it out, or put %s.svg beside the file", p.Logo, p.Name)
	}
	for i, category := range p.Categories {
		c.oneOf("categories."+strconv.Itoa(i), category, Categories()...)
	}
}

func (c *checker) auth() {
	a := &c.provider.Auth
	modes := make([]string, 0, len(AuthModes()))
	for _, mode := range AuthModes() {
		modes = append(modes, string(mode))
	}
	if a.Mode == "" {
		c.add("auth.mode", "is missing; it must be one of %s", strings.Join(modes, ", "))
	}
	c.oneOf("auth.mode", string(a.Mode), modes...)
	c.oneOf("auth.stored_as", string(a.StoredAs), modes...)
	c.oneOf("auth.install_flow", a.InstallFlow, "outbound")
	for i, part := range a.Authorize.Rewrite.LeaveUnescaped {
		c.oneOf("auth.authorize.rewrite.leave_unescaped."+strconv.Itoa(i), part, "scopes", "base_url")
	}
	if s := a.Signing; s != nil {
		c.oneOf("auth.signing.protocol", s.Protocol, "RSA", "EC", "HMAC", "WSSE")
		c.oneOf("auth.signing.hmac_key_encoding", s.HMACKeyEncoding, "hex", "utf8")
	}
	if s := a.Assertion; s != nil {
		c.oneOf("auth.assertion.kind", s.Kind, "jwt", "saml")
	}
	if r := a.ClientRegistration; r != nil {
		c.oneOf("auth.client_registration.kind", r.Kind, "dynamic", "static", "cimd")
	}
	if o := a.OAuth1; o != nil {
		c.oneOf("auth.oauth1.signature_method", o.SignatureMethod, "HMAC-SHA1", "RSA-SHA1", "PLAINTEXT")
	}
	if a.Mode == ModeOAuth2 && a.InstallFlow == "" && len(a.Authorize.URL) == 0 {
		c.add("auth.authorize.url", "is missing; OAUTH2 needs it")
	}
	if a.Mode == ModeOAuth2 && len(a.Token.URL) == 0 {
		c.add("auth.token.url", "is missing; OAUTH2 needs it")
	}
	c.redirectedHost()
}

// redirectedHost asks for a rule where the redirect decides which host the token
// request goes to: it passes through the user's browser, and the request holds
// the client's secret.
func (c *checker) redirectedHost() {
	a := &c.provider.Auth
	for i := range a.Token.URL {
		for _, name := range a.Capture.CallbackQuery {
			field := c.provider.Inputs.ConnectionConfig.Lookup(name)
			if field != nil && (field.Pattern != nil || len(field.Choices) > 0) {
				continue
			}
			if decidesHost(&a.Token.URL[i], "connectionConfig."+name) {
				c.add("auth.token.url."+strconv.Itoa(i), "goes to whatever host the redirect's parameter %q says; give the input of that name a pattern or choices", name)
			}
		}
	}
}

// decidesHost reports whether the end of a URL's host, and so who owns it, is up
// to a variable.
func decidesHost(t *Template, ref string) bool {
	const host = "decided.invalid"
	for _, value := range []string{host, "https://" + host} {
		u, err := t.ExpandURL(VarsFunc(func(name string) (string, bool) {
			if name == ref {
				return value, true
			}
			return "x", true
		}))
		if err == nil && strings.HasSuffix(u.Host, host) {
			return true
		}
	}
	return false
}

func (c *checker) token() {
	t := &c.provider.Auth.Token
	c.oneOf("auth.token.method", t.Method, "GET", "POST")
	c.oneOf("auth.token.body_format", t.BodyFormat, "form", "json", "query", "xml")
	ways := []string{
		string(ClientAuthBody), string(ClientAuthBasic), string(ClientAuthBasicURLEncoded),
		string(ClientAuthUsernamePassword), string(ClientAuthPrivateKeyJWT),
	}
	c.oneOf("auth.token.client_auth", string(t.ClientAuth), ways...)
	c.oneOf("auth.token.client_auth_also", string(t.ClientAuthAlso), ways...)
	c.oneOf("auth.token.response.expiry_kind", t.Response.ExpiryKind, "duration", "instant")
	c.oneOf("auth.token.response.expires_in_unit", t.Response.ExpiresInUnit, "milliseconds")
	for i := range t.NextSteps {
		path := "auth.token.next_steps." + strconv.Itoa(i)
		c.oneOf(path+".method", t.NextSteps[i].Method, "GET", "POST")
		c.oneOf(path+".body_format", t.NextSteps[i].BodyFormat, "form", "json")
		if t.NextSteps[i].URL == nil {
			c.add(path+".url", "is missing")
		}
	}
}

func (c *checker) api() {
	api := c.provider.API
	if api == nil {
		return
	}
	if len(api.BaseURL) == 0 {
		c.add("api.base_url", "is missing")
	}
	for i, status := range api.Retry.Status {
		if _, _, err := parseStatus(status); err != nil {
			c.add("api.retry.status."+strconv.Itoa(i), "is wrong: %v", err)
		}
	}
	if b := api.Retry.Body; b != nil {
		c.oneOf("api.retry.body.kind", b.Kind, "at", "after")
		if b.Path == "" || b.Pattern == nil {
			c.add("api.retry.body", "needs path and pattern")
		} else if err := b.Pattern.Compile(); err != nil {
			c.add("api.retry.body.pattern", "is wrong: %v", err)
		}
	}
	if v := api.Verify; v != nil {
		c.oneOf("api.verify.method", v.Method, "GET", "POST")
		if len(v.Paths) == 0 {
			c.add("api.verify.paths", "is missing")
		}
	}
	c.paginate(api.Paginate)
}

func (c *checker) paginate(p *Paginate) {
	if p == nil {
		return
	}
	c.oneOf("api.paginate.offset_step", p.OffsetStep, "page", "items")
	switch p.Kind {
	case "cursor":
		if p.CursorParam == "" || p.CursorPath == "" {
			c.add("api.paginate", "of kind cursor needs cursor_param and cursor_path")
		}
	case "link":
		if p.LinkRel == "" && p.LinkPath == "" {
			c.add("api.paginate", "of kind link needs link_rel or link_path")
		}
	case "offset":
		if p.OffsetParam == "" {
			c.add("api.paginate", "of kind offset needs offset_param")
		}
	default:
		c.add("api.paginate.kind", "is %q; it must be one of cursor, link, offset", p.Kind)
	}
}

func (c *checker) fields(list string, fields Fields) {
	seen := map[string]bool{}
	for i := range fields {
		f, path := &fields[i], list+"."+strconv.Itoa(i)
		if f.Name == "" {
			c.add(path, "has no name")
			continue
		}
		if seen[f.Name] {
			c.add(path+".name", "%q appears twice", f.Name)
		}
		seen[f.Name] = true
		c.oneOf(path+".format", f.Format, "hostname", "uri", "uuid", "email")
		if f.Pattern != nil {
			if err := f.Pattern.Compile(); err != nil {
				c.add(path+".pattern", "is wrong: %v", err)
			}
		}
		if v := f.VisibleWhen; v != nil && fields.Lookup(v.Field) == nil {
			c.add(path+".visible_when", "names %q, which is not an input of the same list", v.Field)
		}
	}
}
