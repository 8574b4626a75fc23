package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/linkspan/linkspan/api"
)

// maxErrorReply bounds an error reply, in bytes. That of an action repeats an
// API's answer of up to 1 MiB, twice.
const maxErrorReply = 4 << 20

// Error is what the server answered instead of a result.
type Error struct {
	// Status is the HTTP status.
	Status int
	// Code is stable; programs branch on it. It is empty when something between
	// client and server answered.
	Code string
	// Message is for people.
	Message string
	// Issues lists the problems of an invalid request.
	Issues []api.ErrorIssue
	// Payload is extra data that some codes carry, as JSON.
	Payload json.RawMessage
	// Upstream is an API's answer that an action did not handle. Nil: it is not
	// about that.
	Upstream *api.UpstreamAnswer
	// RetryAfter is how long the server asks to wait. Zero: it did not say.
	RetryAfter time.Duration
}

// Error implements error.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "the server answered %d", e.Status)
	if e.Code != "" {
		b.WriteString(" " + e.Code)
	}
	if e.Message != "" {
		b.WriteString(": " + e.Message)
	}
	for _, i := range e.Issues {
		fmt.Fprintf(&b, "; %s", i.Message)
		if len(i.Path) > 0 {
			fmt.Fprintf(&b, " at %v", i.Path)
		}
	}
	return b.String()
}

// AsError finds the server's answer in an error.
func AsError(err error) (*Error, bool) { return errors.AsType[*Error](err) }

// HasCode reports whether the server refused with the code.
func HasCode(err error, code string) bool {
	e, ok := AsError(err)
	return ok && e.Code == code
}

func newError(resp *http.Response) error {
	e := &Error{Status: resp.StatusCode, RetryAfter: retryAfter(resp.Header)}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxErrorReply))
	if err != nil {
		e.Message = "and its explanation could not be read"
		return e
	}
	var reply struct {
		Error struct {
			Code    string           `json:"code"`
			Message string           `json:"message"`
			Errors  []api.ErrorIssue `json:"errors"`
			Payload json.RawMessage  `json:"payload"`

			Upstream *api.UpstreamAnswer `json:"upstream"`
			Details  *api.RunDetails     `json:"additional_properties"`
		} `json:"error"`
	}
	if json.Unmarshal(body, &reply) != nil {
		e.Message = http.StatusText(resp.StatusCode)
		return e
	}
	e.Code, e.Message, e.Issues, e.Payload = reply.Error.Code, reply.Error.Message, reply.Error.Errors, reply.Error.Payload
	e.Upstream = reply.Error.Upstream
	if d := reply.Error.Details; e.Upstream == nil && d != nil {
		e.Upstream = d.UpstreamResponse
	}
	return e
}
