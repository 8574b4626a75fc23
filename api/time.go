package api

import (
	"encoding/json"
	"fmt"
	"time"
)

// Time is a moment, written in UTC with milliseconds. The API spells UTC in two
// ways: most replies say "Z", reads of connections say "+00:00".
type Time struct {
	time.Time
	// Offset chooses the spelling "+00:00".
	Offset bool
}

// The layouts of the two spellings.
const (
	layoutZulu   = "2006-01-02T15:04:05.000Z"
	layoutOffset = "2006-01-02T15:04:05.000+00:00"
)

// At returns t in the spelling with "Z".
func At(t time.Time) Time { return Time{Time: t} }

// AtOffset returns t in the spelling with "+00:00".
func AtOffset(t time.Time) Time { return Time{Time: t, Offset: true} }

// MaybeAt is At for a moment that may be missing: the zero time becomes nil.
func MaybeAt(t time.Time) *Time {
	if t.IsZero() {
		return nil
	}
	return &Time{Time: t}
}

// String returns the moment as the API writes it.
func (t Time) String() string {
	if t.Offset {
		return t.UTC().Format(layoutOffset)
	}
	return t.UTC().Format(layoutZulu)
}

// MarshalJSON implements json.Marshaler.
func (t Time) MarshalJSON() ([]byte, error) { return []byte(`"` + t.String() + `"`), nil }

// UnmarshalJSON implements json.Unmarshaler. It accepts any RFC 3339 moment and
// leaves t alone for null.
func (t *Time) UnmarshalJSON(b []byte) error {
	var text *string
	if err := json.Unmarshal(b, &text); err != nil {
		return fmt.Errorf("decoding a moment: %w", err)
	}
	if text == nil {
		return nil
	}
	parsed, err := time.Parse(time.RFC3339, *text)
	if err != nil {
		return fmt.Errorf("decoding a moment: %w", err)
	}
	*t = Time{Time: parsed.UTC()}
	return nil
}

// OpenAPI describes the type in the OpenAPI document.
func (t Time) OpenAPI() map[string]any {
	return map[string]any{"type": "string", "format": "date-time"}
}
