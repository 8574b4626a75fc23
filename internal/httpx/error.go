package httpx

import (
	"context"
	"errors"
	"net/http"

	"github.com/linkspan/linkspan"
)

// statusClientGone is what the log shows for a request whose client went away
// (the number is nginx's).
const statusClientGone = 499

// Status maps kinds to HTTP statuses. Errors carry their own status where the
// public contract gives a code another one.
func Status(kind linkspan.Kind) int {
	switch kind {
	case linkspan.KindInvalid:
		return http.StatusBadRequest
	case linkspan.KindUnauthenticated:
		return http.StatusUnauthorized
	case linkspan.KindForbidden:
		return http.StatusForbidden
	case linkspan.KindNotFound:
		return http.StatusNotFound
	case linkspan.KindConflict:
		return http.StatusConflict
	case linkspan.KindTooLarge:
		return http.StatusRequestEntityTooLarge
	case linkspan.KindUnsupportedMedia:
		return http.StatusUnsupportedMediaType
	case linkspan.KindRateLimited:
		return http.StatusTooManyRequests
	case linkspan.KindUpstream:
		return http.StatusFailedDependency
	case linkspan.KindTimeout:
		return http.StatusGatewayTimeout
	case linkspan.KindUnavailable:
		return http.StatusServiceUnavailable
	case linkspan.KindInternal:
		return http.StatusInternalServerError
	default:
		return http.StatusInternalServerError
	}
}

// defaultCode is the public code of an error that names none.
func defaultCode(kind linkspan.Kind) string {
	switch kind {
	case linkspan.KindInvalid:
		return "invalid_body"
	case linkspan.KindTooLarge:
		return "request_too_large"
	case linkspan.KindUnsupportedMedia:
		return "invalid_content_type"
	case linkspan.KindRateLimited:
		return codeRateLimited
	case linkspan.KindUpstream:
		return "upstream_error"
	case linkspan.KindInternal:
		return codeUnexpected
	case linkspan.KindUnauthenticated, linkspan.KindForbidden, linkspan.KindNotFound,
		linkspan.KindConflict, linkspan.KindTimeout, linkspan.KindUnavailable:
		return string(kind)
	default:
		return codeUnexpected
	}
}

const (
	codeUnexpected  = "generic_error_support"
	codeRateLimited = "too_many_request"
)

// envelope is the public form of errors (wire contract §1.4).
type envelope struct {
	Error errorBody `json:"error"`
}

type errorBody struct {
	Code    string           `json:"code"`
	Message string           `json:"message,omitempty"`
	Errors  []linkspan.Issue `json:"errors,omitempty"`
	Payload any              `json:"payload,omitempty"`
	// AdditionalProperties are of failed functions (wire contract §11.3).
	AdditionalProperties any `json:"additional_properties,omitempty"`
	// Method and Path are part of too_many_request only (wire contract §1.5).
	Method string `json:"method,omitempty"`
	Path   string `json:"path,omitempty"`
}

// WriteError answers with the public form of err and notes err in the request's
// Event, whose line is the one place where it is logged. Nothing but what a
// linkspan.Error says for callers leaves the process: any other error becomes
// generic_error_support with an id that the log line repeats.
func WriteError(w http.ResponseWriter, r *http.Request, err error) {
	status, body := noted(r, err)
	h := w.Header()
	// What a handler had prepared for success does not describe the error.
	for _, name := range []string{"Content-Encoding", "Etag", "Last-Modified", "Cache-Control", "Content-Disposition"} {
		h.Del(name)
	}
	if status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", "Bearer")
	}
	if WriteJSON(w, status, envelope{Error: body}) != nil {
		// Only these can fail to encode.
		body.Payload, body.AdditionalProperties = nil, nil
		_ = WriteJSON(w, status, envelope{Error: body})
	}
}

// noted renders an error and writes it to the request's event.
func noted(r *http.Request, err error) (int, errorBody) {
	event := EventFrom(r.Context())
	event.err = err
	status, body := render(r, err, event)
	event.errCode = body.Code
	return status, body
}

func render(r *http.Request, err error, event *Event) (int, errorBody) {
	e, ok := errors.AsType[*linkspan.Error](err)
	if !ok {
		switch {
		case errors.Is(err, context.Canceled) && r.Context().Err() != nil:
			return statusClientGone, errorBody{Code: "client_closed_request"}
		case errors.Is(err, context.DeadlineExceeded):
			e = linkspan.E("", linkspan.KindTimeout, "", nil, "The request took too long and was given up. Try again later.")
		default:
			return unexpected(event)
		}
	}
	if e.Code == "" && e.Kind == linkspan.KindInternal {
		return unexpected(event)
	}
	status := e.Status
	if status == 0 {
		status = Status(e.Kind)
	}
	body := errorBody{Code: e.Code, Message: e.Msg, Errors: e.Issues, Payload: e.Payload, AdditionalProperties: e.Additional}
	if body.Code == "" {
		body.Code = defaultCode(e.Kind)
	}
	if e.Hint != "" {
		body.Message += " " + e.Hint
	}
	if body.Code == codeRateLimited {
		body.Message, body.Method, body.Path = "", r.Method, r.URL.Path
	}
	if status >= http.StatusInternalServerError {
		event.errID = event.RequestID
	}
	return status, body
}

// unexpected is the answer to an error that nobody foresaw.
func unexpected(event *Event) (int, errorBody) {
	event.errID = linkspan.NewUUID()
	return http.StatusInternalServerError, errorBody{
		Code:    codeUnexpected,
		Message: "Something went wrong on the server. The log names the cause under the id " + event.errID + ".",
		Payload: event.errID,
	}
}
