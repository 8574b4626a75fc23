package protocol

import "net/http"

// Status is the HTTP status with which the public API answers a run that failed with
// a code (wire contract §16).
func Status(code string) int {
	switch code {
	case "unknown_connection", "unknown_provider", "unknown_provider_config", "invalid_action_input", "invalid_action_output", "invalid_sync_record", codeOutput:
		return http.StatusBadRequest
	case "not_found", "disabled_resource":
		return http.StatusNotFound
	case codeAborted:
		return http.StatusGone
	case codeHTTP, "script_api_rate_limit_error", "connection_refresh_exhausted", "connection_refresh_backoff":
		return http.StatusFailedDependency
	}
	return http.StatusInternalServerError
}
