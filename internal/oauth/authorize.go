package oauth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/catalog"
)

const (
	// maxAuthorizeURL bounds the address of a consent page, in bytes. Servers
	// in use refuse longer ones.
	maxAuthorizeURL = 16 << 10
	// verifierBytes is what RFC 7636 §4.1 recommends.
	verifierBytes = 32
	// removed is the value with which a caller takes off a parameter of the
	// provider's.
	removed = "undefined"
)

// AuthorizeRequest says which consent page a user is sent to.
type AuthorizeRequest struct {
	Provider *catalog.Provider
	// ClientID is the OAuth client's, after overrides: see [ClientOf].
	ClientID    string
	RedirectURI string
	// State comes back with the user.
	State string
	// CodeVerifier is the secret of PKCE, from [NewCodeVerifier]. Providers
	// without PKCE get nothing of it.
	CodeVerifier string
	// Scopes are asked for; the provider's separator joins them.
	Scopes []string
	// UserScope replaces the parameter user_scope where the provider's file
	// declares one. Other providers get nothing of it.
	UserScope string
	// ConnectionConfig fills the templates.
	ConnectionConfig map[string]any
	// Params are the caller's: they replace the provider's and are added to
	// them, and the value "undefined" takes a parameter off. Those that the
	// protocol depends on are left out.
	Params map[string]string
}

// NewCodeVerifier returns a new secret for PKCE (RFC 7636 §4.1): 43 characters.
func NewCodeVerifier() string {
	var b [verifierBytes]byte
	_, _ = rand.Read(b[:]) // never fails; see crypto/rand
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// codeChallenge is the S256 transformation of RFC 7636 §4.2.
func codeChallenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// AuthorizeURL returns the address of the provider's consent page (RFC 6749
// §4.1.1) in the form that the provider wants. It calls nobody. The errors have
// the codes of the contract: url_param_err when a setting of the connection is
// missing or can't be used, provider_config_err without a client,
// grant_type_err and auth_mode_err for a provider of another kind.
func AuthorizeURL(in AuthorizeRequest) (string, error) {
	if err := checkFlow(in); err != nil {
		return "", err
	}
	s := newSettings(in.Provider, in.ConnectionConfig)
	if err := s.check(); err != nil {
		return "", err
	}
	page, err := s.consentPage()
	if err != nil {
		return "", err
	}
	if err := s.tokenRequestFillable(); err != nil {
		return "", err
	}
	query, err := authorizeQuery(in, s)
	if err != nil {
		return "", err
	}
	text := rewrite(&in.Provider.Auth.Authorize.Rewrite, page, query)
	if len(text) > maxAuthorizeURL {
		return "", urlParamError("The address of the provider's consent page would be longer than %d bytes: shorten what is passed on to it.", maxAuthorizeURL)
	}
	if u, err := url.Parse(text); err != nil || u.Scheme != page.Scheme || u.Host != page.Host {
		return "", linkspan.E("oauth.AuthorizeURL", linkspan.KindInvalid, "url_param_err", nil,
			"The address of the provider's consent page can't be formed from what was given.")
	}
	return text, nil
}

// checkFlow refuses what is no authorization code flow of the generic kind.
func checkFlow(in AuthorizeRequest) error {
	const op = "oauth.AuthorizeURL"
	a := &in.Provider.Auth
	if a.Mode != catalog.ModeOAuth2 || len(a.Authorize.URL) == 0 {
		return linkspan.E(op, linkspan.KindInvalid, "auth_mode_err", nil, "The provider %s has no consent page of OAuth 2.", in.Provider.Name)
	}
	if grant := a.Token.Params.Lookup("grant_type"); grant != nil {
		if text, ok := grant.ExpandText(nil); !ok || text != grantAuthorizationCode {
			return linkspan.E(op, linkspan.KindInvalid, "grant_type_err", nil, "The provider %s wants another grant than an authorization code.", in.Provider.Name)
		}
	}
	if in.ClientID == "" {
		return linkspan.E(op, linkspan.KindInvalid, "provider_config_err", nil, "The integration has no OAuth client ID.").
			WithHint("Set the client ID and secret of the app that is registered at the provider.")
	}
	if in.State == "" || in.RedirectURI == "" || a.Authorize.UsesPKCE() && in.CodeVerifier == "" {
		return linkspan.E(op, linkspan.KindInternal, "", nil, "The authorization lacks its state, redirect URI or code verifier.")
	}
	return nil
}

// query is an ordered list of parameters with unique names.
type query []queryParam

type queryParam struct{ name, value string }

// set replaces a parameter where it stands, or appends it.
func (q *query) set(name, value string) {
	for i := range *q {
		if (*q)[i].name == name {
			(*q)[i].value = value
			return
		}
	}
	*q = append(*q, queryParam{name, value})
}

func (q *query) drop(name string) {
	*q = slices.DeleteFunc(*q, func(p queryParam) bool { return p.name == name })
}

// encode writes the query; raw names a parameter whose value is escaped only as
// far as keeps it one value. For some servers ";" ends one, too.
func (q query) encode(raw string) string {
	var b strings.Builder
	for i, p := range q {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(escape(p.name, unreserved))
		b.WriteByte('=')
		if p.name == raw {
			b.WriteString(escape(p.value, unreserved+"!$'()*+,/:=?@"))
		} else {
			b.WriteString(escape(p.value, unreserved))
		}
	}
	return b.String()
}

// authorizeQuery puts the parameters together: those of the protocol, then the
// provider's, which may replace them, then the caller's, then PKCE.
func authorizeQuery(in AuthorizeRequest, s *settings) (string, error) {
	a := &in.Provider.Auth
	q := query{
		{"response_type", "code"},
		{"client_id", in.ClientID},
		{"redirect_uri", in.RedirectURI},
		{"scope", a.Scopes.Join(in.Scopes)},
		{"state", in.State},
	}
	for i := range a.Authorize.Params {
		p := &a.Authorize.Params[i]
		value, ok, err := s.param(p)
		if err != nil {
			return "", err
		}
		if p.Name == "user_scope" && in.UserScope != "" {
			value, ok = in.UserScope, true
		}
		if ok {
			q.set(p.Name, value)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(in.Params)) {
		switch value := in.Params[name]; {
		case name == "" || ours(name, &a.Authorize.Rewrite):
		case value == removed:
			q.drop(name)
		default:
			q.set(name, value)
		}
	}
	if a.Authorize.UsesPKCE() {
		q.set("code_challenge", codeChallenge(in.CodeVerifier))
		q.set("code_challenge_method", "S256")
	}
	raw := ""
	if slices.Contains(a.Authorize.Rewrite.LeaveUnescaped, "scopes") {
		raw = "scope"
	}
	return q.encode(raw), nil
}

// ours reports whether a parameter belongs to the protocol, so that no caller may
// touch it: with one of these, whoever made up a link could choose where the code
// goes. It includes what a provider calls them, and the containers of RFC 9101,
// which outrank all others. Case does not count, as it does not for some servers,
// and neither do spellings: some drop spaces, read "[" as the beginning of an
// index, and put "_" for characters that their variables can't have.
func ours(name string, r *catalog.Rewrite) bool {
	protocol := []string{
		"response_type", "response_mode", "client_id", "client_secret", "redirect_uri", "state",
		"code_challenge", "code_challenge_method", "request", "request_uri",
	}
	name = strings.TrimSpace(name)
	base, _, _ := strings.Cut(name, "[")
	readAs := []string{name, mangled(base), mangled(name)}
	is := func(s string) bool {
		return slices.ContainsFunc(readAs, func(read string) bool { return strings.EqualFold(s, read) })
	}
	return slices.ContainsFunc(protocol, is) ||
		slices.ContainsFunc(r.Replace, func(c catalog.Replacement) bool { return is(c.Find) || is(c.With) })
}

// mangled is a name as PHP writes it for the variable that it makes of a parameter.
func mangled(name string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(". [", r) {
			return '_'
		}
		return r
	}, name)
}

// rewrite joins page and query in the form that the provider wants: the steps
// come in the order of [catalog.Rewrite].
func rewrite(r *catalog.Rewrite, page *url.URL, query string) string {
	base := *page
	if base.RawQuery != "" {
		query = base.RawQuery + "&" + query
	}
	base.RawQuery, base.ForceQuery, base.Fragment, base.RawFragment = "", false, "", ""
	if base.Path == "" {
		base.Path = "/"
	}
	text := base.String()
	if r.Fragment != "" {
		text += "#" + r.Fragment
	}
	text += "?" + query
	for _, c := range r.Replace {
		text = strings.Replace(text, c.Find, c.With, 1)
	}
	if r.DropEmpty {
		text = dropEmpty(text)
	}
	return text
}

// dropEmpty removes the parameters without a value from an address.
func dropEmpty(text string) string {
	head, query, ok := strings.Cut(text, "?")
	if !ok {
		return text
	}
	parts := slices.DeleteFunc(strings.Split(query, "&"), func(part string) bool {
		_, value, _ := strings.Cut(part, "=")
		return value == ""
	})
	if len(parts) == 0 {
		return head
	}
	return head + "?" + strings.Join(parts, "&")
}

const unreserved = "-._~"

// escape percent-encodes what is neither a letter nor a digit nor among keep.
// Unlike url.QueryEscape it writes a space as %20, which every server reads.
func escape(text, keep string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(text) {
		c := text[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte(keep, c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.Write([]byte{'%', digits[c>>4], digits[c&15]})
	}
	return b.String()
}

// errHalfClient reports one half of a client without the other.
var errHalfClient = errors.New("an OAuth client of its own needs both parts")

// ClientOf returns the OAuth client of a flow: the caller's own when both of its
// parts are given, the integration's when neither is. One part alone is an error:
// mixing would send one party's secret under the other's name.
func ClientOf(i linkspan.IntegrationSecrets, id string, secret linkspan.Secret) (string, linkspan.Secret, error) {
	switch {
	case id != "" && !secret.IsZero():
		return id, secret, nil
	case id != "" || !secret.IsZero():
		return "", linkspan.Secret{}, linkspan.E("oauth.ClientOf", linkspan.KindInvalid, "provider_config_err", errHalfClient,
			"An OAuth client of the connection's own needs both oauth_client_id_override and oauth_client_secret_override.")
	default:
		return i.ClientID, i.ClientSecret, nil
	}
}

func urlParamError(format string, args ...any) *linkspan.Error {
	return linkspan.E("oauth.AuthorizeURL", linkspan.KindInvalid, "url_param_err", nil, "%s", fmt.Sprintf(format, args...))
}
