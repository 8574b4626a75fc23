package catalog

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// defaultRefreshMargin is how long before its end a token counts as due.
const defaultRefreshMargin = 15 * time.Minute

// OptionalName is a name that may be absent, or present without a value.
type OptionalName struct {
	// Name is empty when there is none.
	Name string
	// Declared reports whether the key is present.
	Declared bool
}

// UnmarshalYAML implements yaml.Unmarshaler.
func (o *OptionalName) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.ScalarNode {
		return &FileError{Line: n.Line, Message: "a name must be a text or null"}
	}
	o.Declared = true
	if n.ShortTag() != "!!null" {
		o.Name = n.Value
	}
	return nil
}

// UsesPKCE reports whether authorization uses PKCE (RFC 7636).
func (a *Authorize) UsesPKCE() bool { return a.PKCE == nil || *a.PKCE }

// Join writes scopes the way the provider wants them.
func (s *Scopes) Join(scopes []string) string {
	return strings.Join(scopes, cmp.Or(s.Separator, " "))
}

// RefreshMargin is how long before its end a token is refreshed.
func (t *Token) RefreshMargin() time.Duration {
	if t.RefreshMarginS == nil {
		return defaultRefreshMargin
	}
	return time.Duration(*t.RefreshMarginS) * time.Second
}

// Retryable reports whether an answer with this status is worth another try.
func (r *Retry) Retryable(status int) bool {
	if len(r.Status) == 0 {
		return status >= 500 || status == 429 || status == 401
	}
	for _, s := range r.Status {
		if low, high, err := parseStatus(s); err == nil && status >= low && status <= high {
			return true
		}
	}
	return false
}

// parseStatus reads "429", "5xx" or "500-502" as a closed range.
func parseStatus(text string) (low, high int, err error) {
	first, last, isRange := strings.Cut(text, "-")
	if !isRange {
		last = text
		if class, ok := strings.CutSuffix(text, "xx"); ok {
			first, last = class+"00", class+"99"
		}
	}
	low, errLow := strconv.Atoi(first)
	high, errHigh := strconv.Atoi(last)
	if errLow != nil || errHigh != nil || low < 100 || high > 599 || low > high {
		return 0, 0, fmt.Errorf("%q is not a status: write 429, 5xx or 500-502", text)
	}
	return low, high, nil
}

// Verifiable reports whether new credentials can be tried out.
func (p *Provider) Verifiable() bool {
	return p.Hooks.VerifyCredentials != "" || p.API != nil && p.API.Verify != nil && len(p.API.Verify.Paths) > 0
}

// Unsupported reports whether this version cannot connect the provider, and why
// in a sentence that is safe to show.
func (p *Provider) Unsupported() (reason string, unsupported bool) {
	switch p.Auth.Mode {
	case ModeNone, ModeAPIKey, ModeBasic, ModeOAuth2:
	default:
		return fmt.Sprintf("The authentication mode %s is not available in this version.", p.Auth.Mode), true
	}
	switch {
	case p.Auth.InstallFlow != "":
		return "Installation that starts at the provider is not available in this version.", true
	case p.CodeFacts.TokenClient != "":
		return "The provider needs a token client of its own, which is not available in this version.", true
	}
	return "", false
}
