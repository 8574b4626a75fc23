package linkspan

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Kind classifies an error for machines. Kinds are stable: new ones are
// appended, none is renamed.
type Kind string

// The kinds of errors. httpx owns the one table that maps them to HTTP
// statuses.
const (
	// KindInvalid means that the caller's input is wrong.
	KindInvalid Kind = "invalid"
	// KindUnauthenticated means that the caller did not prove who it is.
	KindUnauthenticated Kind = "unauthenticated"
	// KindForbidden means that the caller is known but may not do this.
	KindForbidden Kind = "forbidden"
	// KindNotFound means that the thing named does not exist for the caller.
	KindNotFound Kind = "not_found"
	// KindConflict means that the request contradicts the present state.
	KindConflict Kind = "conflict"
	// KindTooLarge means that the input exceeds a limit of size.
	KindTooLarge Kind = "too_large"
	// KindUnsupportedMedia means that the body's content type is not accepted.
	KindUnsupportedMedia Kind = "unsupported_media"
	// KindRateLimited means that the caller must slow down.
	KindRateLimited Kind = "rate_limited"
	// KindUpstream means that a third party failed or refused.
	KindUpstream Kind = "upstream"
	// KindTimeout means that a deadline passed.
	KindTimeout Kind = "timeout"
	// KindUnavailable means that the service cannot answer now and a retry may
	// succeed.
	KindUnavailable Kind = "unavailable"
	// KindInternal means that the fault is ours.
	KindInternal Kind = "internal"
)

// Error is the one error type that crosses package borders with meaning.
// Msg and Hint are written by us for the caller of the API and never contain
// secrets or a dependency's text; Err is for the log only.
type Error struct {
	// Kind classifies the error.
	Kind Kind
	// Code is the finer, stable code of the public API, such as
	// "unknown_connection". Empty means the kind's default code.
	Code string
	// Op names what was being done, such as "connect.Refresh". For the log.
	Op string
	// Msg tells the caller what happened and why.
	Msg string
	// Hint tells the caller what to do next. Optional.
	Hint string
	// Status overrides the HTTP status that Kind maps to. Zero means none:
	// the public contract gives some codes a status their kind does not have.
	Status int
	// Issues lists validation problems, if that is what this is.
	Issues []Issue
	// Payload is extra data of the public error envelope. Optional.
	Payload any
	// Additional is more data of the envelope, under additional_properties.
	// Optional.
	Additional any
	// Err is the cause. It goes to the log, never to the caller.
	Err error
}

// Issue is one problem of a validated input, in the shape of the public
// contract (wire contract §1.4).
type Issue struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	// Path leads to the offending value; elements are strings or integers.
	Path []any `json:"path"`
}

// E makes an Error. The message is formatted with args and must be safe for
// the caller of the API.
func E(op string, kind Kind, code string, err error, msg string, args ...any) *Error {
	return &Error{Kind: kind, Code: code, Op: op, Err: err, Msg: fmt.Sprintf(msg, args...)}
}

// WithHint returns the error with a hint about what to do next.
func (e *Error) WithHint(hint string, args ...any) *Error {
	c := *e
	c.Hint = fmt.Sprintf(hint, args...)
	return &c
}

// WithStatus returns the error with an HTTP status other than its kind's.
func (e *Error) WithStatus(status int) *Error {
	c := *e
	c.Status = status
	return &c
}

// WithPayload returns the error with data for the public error envelope.
func (e *Error) WithPayload(payload any) *Error {
	c := *e
	c.Payload = payload
	return &c
}

// Error implements error. The text is for logs; it holds the cause.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Op != "" {
		b.WriteString(e.Op)
		b.WriteString(": ")
	}
	b.WriteString(string(e.Kind))
	if e.Code != "" {
		b.WriteString(" (" + e.Code + ")")
	}
	if e.Msg != "" {
		b.WriteString(": " + e.Msg)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf classifies any error: the kind of the outermost Error in its chain,
// timeout for a passed deadline, and internal for everything else.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return KindTimeout
	}
	return KindInternal
}

// CodeOf returns the public code of the outermost Error in the chain, or "".
func CodeOf(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return ""
}
