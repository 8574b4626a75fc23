package host

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/connect"
	"github.com/linkspan/linkspan/internal/httpx"
	"github.com/linkspan/linkspan/internal/proxy"
	"github.com/linkspan/linkspan/internal/sandbox"
)

// failure is the error of a call as the function sees it.
type failure struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	// Status is the HTTP status that the public API gives it; 0 for none.
	Status  int              `json:"status,omitempty"`
	Payload any              `json:"payload,omitempty"`
	Errors  []linkspan.Issue `json:"errors,omitempty"`
	// Network says that an upstream gave no answer.
	Network bool `json:"network,omitempty"`
	// Upstream is the answer that another function did not handle.
	Upstream *linkspan.UpstreamAnswer `json:"upstream,omitempty"`
}

// failed turns an error into one that the function sees. What has no words for
// it is logged, and the function learns only that it happened.
func (x *Session) failed(ctx context.Context, call string, err error) error {
	if run, ok := errors.AsType[*linkspan.RunError](err); ok {
		return encodeFailure(failure{
			Code: run.Code, Message: cmp.Or(run.Message, "The action failed: "+run.Code+"."), Payload: orNil(run.Payload),
			Status: statusOf(run), Upstream: run.Upstream,
		})
	}
	if refresh, ok := errors.AsType[*connect.RefreshError](err); ok {
		return callError(refresh.Err)
	}
	if e, ok := errors.AsType[*linkspan.Error](err); ok && (e.Kind != linkspan.KindInternal || e.Code != "") {
		return callError(e)
	}
	if network, ok := errors.AsType[*proxy.NetworkError](err); ok {
		return encodeFailure(failure{Code: network.Code, Message: network.Message, Network: true})
	}
	if ctx.Err() != nil {
		return encodeFailure(failure{Code: "script_aborted", Message: "The run has ended."})
	}
	x.s.c.Log.ErrorContext(ctx, "serving a call of a function failed", "call", call, "function", x.info.Function, "error", err)
	return err
}

func orNil(text json.RawMessage) any {
	if len(text) == 0 {
		return nil
	}
	return text
}

// callError shows a linkspan.Error to the function.
func callError(e *linkspan.Error) error {
	message := e.Msg
	if e.Hint != "" {
		message += " " + e.Hint
	}
	if message == "" {
		message = "The call was refused: " + cmp.Or(e.Code, string(e.Kind)) + "."
	}
	return encodeFailure(failure{
		Code: cmp.Or(e.Code, string(e.Kind)), Message: message, Status: cmp.Or(e.Status, httpx.Status(e.Kind)), Payload: e.Payload, Errors: e.Issues,
	})
}

func encodeFailure(f failure) error {
	text, err := encode(f)
	if err != nil {
		f.Payload = nil
		if text, err = encode(f); err != nil {
			return err
		}
	}
	return &sandbox.CallError{JSON: text}
}

// statusOf is the HTTP status with which the public API answers a failed action.
func statusOf(e *linkspan.RunError) int {
	switch e.Code {
	case "script_http_error", "script_api_rate_limit_error":
		return http.StatusFailedDependency
	case "script_aborted":
		return http.StatusGone
	case "invalid_action_input", "invalid_action_output", "script_output_too_large":
		return http.StatusBadRequest
	}
	return http.StatusInternalServerError
}
