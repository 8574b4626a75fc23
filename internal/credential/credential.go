// Package credential is what a connection holds to prove itself to a provider:
// the kinds of credentials, how they are kept and shown, when they run out,
// and which names templates may use for their parts. It does no I/O.
package credential

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/linkspan/linkspan"
)

// Type names a kind of credentials, with the constants of the public contract.
type Type string

// The kinds of credentials that this version can use.
const (
	None   Type = "NONE"
	APIKey Type = "API_KEY"
	Basic  Type = "BASIC"
	OAuth2 Type = "OAUTH2"
)

// MaxTokenLength is how long an OAuth 2 token may be, in bytes.
const MaxTokenLength = 16 << 10

// Credentials are one connection's credentials of any kind; the fields of other
// kinds are zero. A value is never changed once it is shared.
type Credentials struct {
	Type Type

	// AccessToken, RefreshToken and ExpiresAt belong to OAuth2. A zero
	// ExpiresAt means that the token does not expire, as far as anybody knows.
	AccessToken  linkspan.Secret
	RefreshToken linkspan.Secret
	ExpiresAt    time.Time
	// IssuedAt is when the token endpoint issued the token. Zero: not known, as
	// with imported tokens. The public API does not show it.
	IssuedAt time.Time
	// Raw is the provider's parsed token response. It holds the tokens in clear;
	// numbers in it are json.Number.
	Raw map[string]any
	// ClientID and ClientSecret, when both are set, replace the integration's
	// OAuth client for this connection.
	ClientID     string
	ClientSecret linkspan.Secret

	// APIKey belongs to APIKey.
	APIKey linkspan.Secret

	// Username and Password belong to Basic. Either may be empty.
	Username linkspan.Secret
	Password linkspan.Secret
}

// stored is the JSON that is kept (encrypted) of credentials. It has the shape
// that the API shows them in, so that there is one format to know.
type stored struct {
	Type           Type            `json:"type"`
	AccessToken    string          `json:"access_token,omitempty"`
	RefreshToken   string          `json:"refresh_token,omitempty"`
	ExpiresAt      string          `json:"expires_at,omitempty"`
	IssuedAt       string          `json:"issued_at,omitempty"`
	Raw            map[string]any  `json:"raw,omitempty"`
	ConfigOverride *clientOverride `json:"config_override,omitempty"`
	APIKey         string          `json:"apiKey,omitempty"`
	Username       *string         `json:"username,omitempty"`
	Password       *string         `json:"password,omitempty"`
}

type clientOverride struct {
	ClientID     string `json:"client_id,omitempty"`
	ClientSecret string `json:"client_secret,omitempty"`
}

// Parse reads what Encode wrote. Empty text and an empty object are None. Text
// that is not JSON, and a type this version does not know, are errors, which
// never quote the text.
func Parse(text linkspan.Secret) (Credentials, error) {
	if strings.TrimSpace(text.Reveal()) == "" {
		return Credentials{Type: None}, nil
	}
	dec := json.NewDecoder(strings.NewReader(text.Reveal()))
	dec.UseNumber()
	var s stored
	if err := dec.Decode(&s); err != nil || dec.More() {
		return Credentials{}, errNotJSON
	}
	switch s.Type {
	case "", None:
		return Credentials{Type: None}, nil
	case APIKey:
		return NewAPIKey(s.APIKey), nil
	case Basic:
		return NewBasic(deref(s.Username), deref(s.Password)), nil
	case OAuth2:
		return parseOAuth2(s)
	default:
		return Credentials{}, fmt.Errorf("credentials of type %q are not known to this version", clip(string(s.Type)))
	}
}

func parseOAuth2(s stored) (Credentials, error) {
	c := Credentials{
		Type:         OAuth2,
		AccessToken:  linkspan.NewSecret(s.AccessToken),
		RefreshToken: linkspan.NewSecret(s.RefreshToken),
		Raw:          s.Raw,
	}
	if o := s.ConfigOverride; o != nil {
		c.ClientID, c.ClientSecret = o.ClientID, linkspan.NewSecret(o.ClientSecret)
	}
	var err error
	if c.ExpiresAt, err = parseTime(s.ExpiresAt); err != nil {
		return Credentials{}, err
	}
	if c.IssuedAt, err = parseTime(s.IssuedAt); err != nil {
		return Credentials{}, err
	}
	return c, nil
}

func parseTime(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}, errBadExpiry // the cause would quote the text
	}
	return at.UTC(), nil
}

func formatTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// NewNone returns the credentials of a connection that needs none.
func NewNone() Credentials { return Credentials{Type: None} }

// NewAPIKey returns credentials that are one key.
func NewAPIKey(key string) Credentials {
	return Credentials{Type: APIKey, APIKey: linkspan.NewSecret(key)}
}

// NewBasic returns a user name and a password; either may be empty.
func NewBasic(username, password string) Credentials {
	return Credentials{Type: Basic, Username: linkspan.NewSecret(username), Password: linkspan.NewSecret(password)}
}

// NewOAuth2 returns tokens. A zero expiry means that the token does not expire.
func NewOAuth2(accessToken, refreshToken string, expiresAt time.Time) Credentials {
	return Credentials{
		Type:         OAuth2,
		AccessToken:  linkspan.NewSecret(accessToken),
		RefreshToken: linkspan.NewSecret(refreshToken),
		ExpiresAt:    expiresAt.UTC(),
	}
}

// Encode returns the JSON to keep, which Parse reads. It holds every secret.
func (c Credentials) Encode() linkspan.Secret {
	s := stored{Type: c.Type}
	switch c.Type {
	case APIKey:
		s.APIKey = c.APIKey.Reveal()
	case Basic:
		s.Username, s.Password = new(c.Username.Reveal()), new(c.Password.Reveal())
	case OAuth2:
		s.AccessToken, s.RefreshToken, s.Raw = c.AccessToken.Reveal(), c.RefreshToken.Reveal(), c.Raw
		s.ExpiresAt, s.IssuedAt = formatTime(c.ExpiresAt), formatTime(c.IssuedAt)
		if c.ClientID != "" || !c.ClientSecret.IsZero() {
			s.ConfigOverride = &clientOverride{ClientID: c.ClientID, ClientSecret: c.ClientSecret.Reveal()}
		}
	case None, "":
		s.Type = None
	}
	text, err := json.Marshal(s)
	if err != nil {
		// Raw comes from a JSON decoder, or is nil; it always encodes. What does
		// not is a caller's mistake, and its content is not worth the tokens.
		s.Raw = nil
		text, _ = json.Marshal(s)
	}
	return linkspan.NewSecret(string(text))
}

// Refreshable reports whether there is something to refresh with.
func (c Credentials) Refreshable() bool {
	return c.Type == OAuth2 && !c.RefreshToken.IsZero()
}

// DueAt returns when the credentials should be refreshed: margin before they
// expire, but not before half of their lifetime is over, or else tokens that
// live shorter than the margin would be refreshed with every call. The zero
// time means never: they do not expire.
func (c Credentials) DueAt(margin time.Duration) time.Time {
	if c.ExpiresAt.IsZero() {
		return time.Time{}
	}
	if !c.IssuedAt.IsZero() {
		margin = min(margin, max(0, c.ExpiresAt.Sub(c.IssuedAt)/2))
	}
	return c.ExpiresAt.Add(-margin)
}

// Due reports whether now is later than DueAt.
func (c Credentials) Due(now time.Time, margin time.Duration) bool {
	at := c.DueAt(margin)
	return !at.IsZero() && now.After(at)
}

// Client returns the OAuth client to use: the connection's own when both its
// parts are given, and otherwise the integration's. Mixing the two would send
// one party's secret under the other's name.
func (c Credentials) Client(i linkspan.IntegrationSecrets) (id string, secret linkspan.Secret) {
	if c.ClientID != "" && !c.ClientSecret.IsZero() {
		return c.ClientID, c.ClientSecret
	}
	return i.ClientID, i.ClientSecret
}

// Secrets returns every secret text in the credentials that is not empty, for
// redaction of what is logged.
func (c Credentials) Secrets() []linkspan.Secret {
	var out []linkspan.Secret
	for _, s := range []linkspan.Secret{c.AccessToken, c.RefreshToken, c.ClientSecret, c.APIKey, c.Username, c.Password} {
		if !s.IsZero() {
			out = append(out, s)
		}
	}
	return out
}

// Equal reports whether both hold the same credentials, ignoring the provider's
// raw answer. It takes the same time whatever the secrets are.
func (c Credentials) Equal(o Credentials) bool {
	same := c.AccessToken.Equal(o.AccessToken)
	same = c.RefreshToken.Equal(o.RefreshToken) && same
	same = c.ClientSecret.Equal(o.ClientSecret) && same
	same = c.APIKey.Equal(o.APIKey) && same
	same = c.Username.Equal(o.Username) && same
	same = c.Password.Equal(o.Password) && same
	return same && c.Type == o.Type && c.ClientID == o.ClientID && c.ExpiresAt.Equal(o.ExpiresAt)
}

// String implements fmt.Stringer. It shows the type only.
func (c Credentials) String() string { return string(c.Type) + " credentials [redacted]" }

// GoString implements fmt.GoStringer. It shows the type only.
func (c Credentials) GoString() string { return c.String() }

// Format implements fmt.Formatter, so that no verb reaches Raw.
func (c Credentials) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(c.String())) }

// LogValue implements slog.LogValuer. It shows the type only.
func (c Credentials) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalJSON refuses: Encode is the way to storage, Wire the way to the owner.
func (c Credentials) MarshalJSON() ([]byte, error) { return nil, errNotEncodable }

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// clip shortens a foreign text that goes into a message.
func clip(s string) string {
	const limit = 40
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "…"
}
