package protocol

import (
	"net/http"

	"github.com/linkspan/linkspan"
)

// Status is the HTTP status with which the public API answers a failed action.
func Status(e *linkspan.RunError) int {
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
