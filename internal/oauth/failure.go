package oauth

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/linkspan/linkspan/internal/oplog"
)

// Class says what a failure of the token endpoint means for the connection.
type Class int

// The classes of failures.
const (
	// Permanent means that the provider refused: asking again with the same
	// grant and client is useless.
	Permanent Class = iota + 1
	// Transient means that the provider could not answer now; the grant is
	// most likely as good as before.
	Transient
	// Malformed means that the answer makes no sense: not JSON, no token, a
	// redirect. Nothing is known about the grant.
	Malformed
)

// String names the class.
func (c Class) String() string {
	switch c {
	case Permanent:
		return "permanent"
	case Transient:
		return "transient"
	case Malformed:
		return "malformed"
	default:
		return "unknown"
	}
}

// Failure is why there is no new token. Its texts are safe for the owner of the
// connection: they hold no secret that took part in the exchange.
type Failure struct {
	Class Class
	// Code is the provider's OAuth error code (RFC 6749 §5.2), or one of ours:
	// "network_error", "timeout", "blocked", "http_<status>",
	// "malformed_response", "misconfigured", "invalid_callback".
	Code string
	// Status is the HTTP status. Zero: there was no answer.
	Status int
	// Message says what happened.
	Message string
	// Description is the provider's own explanation, redacted and shortened.
	Description string
	// Err is the cause, for the log. Optional.
	Err error
}

// Error implements error.
func (f *Failure) Error() string {
	if f.Err != nil {
		return f.Message + ": " + f.Err.Error()
	}
	return f.Message
}

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Err }

// Answered reports whether the provider answered at all.
func (f *Failure) Answered() bool { return f.Status != 0 }

// maxCode and maxDescription bound what is taken over of a provider's error.
const (
	maxCode        = 64
	maxDescription = 300
)

// oauthError is the error in a token endpoint's answer, in the shapes that are
// in use: the one of RFC 6749 §5.2, an object or a list under "error" or
// "errors", and {"ok":false,"error":"..."}.
type oauthError struct {
	code, description string
}

// errorIn looks for an OAuth error in a parsed answer.
func errorIn(raw map[string]any, redact *oplog.Redactor) (oauthError, bool) {
	var e oauthError
	switch v := raw["error"].(type) {
	case string:
		e.code = v
	case map[string]any:
		e.code = firstText(v, "code", "type", "error", "status")
		e.description = firstText(v, "message", "description", "error_description")
	}
	if e.code == "" {
		e.code = firstText(raw, "errorCode", "error_code", "code")
	}
	if e.description == "" {
		e.description = firstText(raw, "error_description", "error_message", "errorSummary", "message", "detail")
	}
	if _, declared := raw["error"]; !declared && e.code == "" {
		return oauthError{}, false
	}
	e.code = cleanCode(redact.Text(e.code))
	e.description = clean(redact.Text(e.description), maxDescription)
	return e, e.code != "" || e.description != ""
}

// transientCode reports whether an OAuth error says "later" rather than "no".
func transientCode(code string) bool {
	switch strings.ToLower(code) {
	case "temporarily_unavailable", "server_error", "slow_down", "internal_error", "internal_server_error",
		"service_unavailable", "rate_limited", "ratelimited", "rate_limit", "rate_limit_exceeded",
		"too_many_requests", "timeout", "request_timeout":
		return true
	default:
		return false
	}
}

// transientStatus reports whether an HTTP status says "later".
func transientStatus(status int) bool {
	return status >= 500 || status == http.StatusTooManyRequests ||
		status == http.StatusRequestTimeout || status == http.StatusTooEarly
}

func firstText(m map[string]any, keys ...string) string {
	for _, k := range keys {
		switch v := m[k].(type) {
		case string:
			if v != "" {
				return v
			}
		case json.Number:
			return v.String()
		}
	}
	return ""
}

// cleanCode keeps a code that is one and drops prose.
func cleanCode(s string) string {
	s = clean(s, maxCode)
	if strings.ContainsAny(s, " <>\"") {
		return ""
	}
	return s
}

// clean removes control characters and shortens to at most limit bytes.
func clean(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	if len(s) > limit {
		s = strings.ToValidUTF8(s[:limit], "") + "…"
	}
	return strings.TrimSpace(s)
}
