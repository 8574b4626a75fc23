package host

import "encoding/json"

// Redact takes the secrets that the function knows by now out of a text.
func (x *Session) Redact(text string) string { return x.redact(text) }

// RedactJSON takes the secrets that the function knows by now out of the texts in a
// JSON value.
func (x *Session) RedactJSON(text json.RawMessage) json.RawMessage {
	if len(text) == 0 {
		return text
	}
	return x.redactJSON(text)
}
