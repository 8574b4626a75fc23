package linkspan

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
)

// redacted is what a Secret shows wherever it is printed.
const redacted = "[redacted]"

// Secret is text that must not be printed: tokens, keys, passwords. Every way
// of formatting, logging or encoding it yields "[redacted]"; Reveal is the only
// way to the text, so that each use can be found by searching for it.
type Secret struct{ text string }

// NewSecret wraps text.
func NewSecret(text string) Secret { return Secret{text: text} }

// Reveal returns the text. Call it only where the text is used: on the wire to
// its owner, or on the way to encryption.
func (s Secret) Reveal() string { return s.text }

// IsZero reports whether there is no text.
func (s Secret) IsZero() bool { return s.text == "" }

// Equal compares in constant time.
func (s Secret) Equal(o Secret) bool {
	return subtle.ConstantTimeCompare([]byte(s.text), []byte(o.text)) == 1
}

// String implements fmt.Stringer.
func (s Secret) String() string { return redacted }

// GoString implements fmt.GoStringer.
func (s Secret) GoString() string { return redacted }

// Format implements fmt.Formatter, so that no verb reaches the text.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON implements json.Marshaler.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText implements encoding.TextMarshaler.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalYAML implements yaml.Marshaler.
func (s Secret) MarshalYAML() (any, error) { return redacted, nil }

// UnmarshalJSON refuses: decode into a string and wrap it, so that where
// secrets enter is visible.
func (s *Secret) UnmarshalJSON([]byte) error {
	return errors.New("a secret is never decoded directly: decode a string and wrap it with NewSecret")
}
