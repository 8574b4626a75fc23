package host

import (
	"encoding/json"
	"strings"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/function/call"
	"github.com/linkspan/linkspan/internal/sandbox"
)

const (
	// maxLine bounds a message's text and maxMeta what goes with it, in bytes.
	maxLine = 10_000
	maxMeta = 32 << 10
)

// logParams is what the prelude says in a note "log" or "console".
type logParams struct {
	Level string `json:"level"`
	Text  string `json:"text"`
	// Payload is any JSON; absent for none.
	Payload json.RawMessage `json:"payload"`
}

// Note implements sandbox.Host: it keeps what the function says, without the
// secrets in it.
func (x *Session) Note(c sandbox.Call) {
	if x.info.Op == nil {
		return
	}
	switch c.Name {
	case sandbox.NotesDropped:
		x.info.Op.Message(linkspan.Message{Level: "warn", Text: "The function said more than is kept; the rest is missing here."})
		return
	case "log", "console":
	default:
		return
	}
	var p logParams
	if decode(c.JSON, &p) != nil {
		return // nobody to tell: only a sandbox gone wrong says what is no message
	}
	level := levelOf(p.Level)
	if level == "" || level == "off" {
		level = "info"
	}
	x.info.Op.Message(linkspan.Message{Source: "user", Level: level, Text: call.Clip(x.redact(p.Text), maxLine), Meta: x.meta(p.Payload)})
}

// meta is the payload of a message without secrets; what is too long to keep
// becomes the beginning of its text.
func (x *Session) meta(payload json.RawMessage) json.RawMessage {
	if len(payload) == 0 || string(payload) == "null" {
		return nil
	}
	text := x.redactJSON(payload)
	if len(text) <= maxMeta {
		return text
	}
	short, err := encode(map[string]any{"truncated": true, "text": call.Clip(string(text), maxLine)})
	if err != nil {
		return nil
	}
	return short
}

// redactJSON takes secrets out of the texts in a JSON value.
func (x *Session) redactJSON(text json.RawMessage) json.RawMessage {
	if x.redact(string(text)) == string(text) && !strings.Contains(string(text), `\`) {
		return text
	}
	var value any
	if decode(text, &value) != nil {
		return json.RawMessage(`"[unreadable]"`)
	}
	out, err := encode(x.redactValue(value))
	if err != nil {
		return json.RawMessage(`"[unreadable]"`)
	}
	return out
}

func (x *Session) redactValue(value any) any {
	switch v := value.(type) {
	case string:
		return x.redact(v)
	case []any:
		for i := range v {
			v[i] = x.redactValue(v[i])
		}
	case map[string]any:
		clean := make(map[string]any, len(v))
		for name, inner := range v {
			clean[x.redact(name)] = x.redactValue(inner)
		}
		return clean
	}
	return value
}
