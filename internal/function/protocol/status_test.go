package protocol

import (
	"net/http"
	"testing"
)

// Callers tell by the status whose fault a failed action is (wire contract §4.9 and §16).
func TestStatus(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]int{
		codeHTTP: http.StatusFailedDependency, "script_api_rate_limit_error": http.StatusFailedDependency,
		"connection_refresh_exhausted": http.StatusFailedDependency, "connection_refresh_backoff": http.StatusFailedDependency,
		codeAborted:            http.StatusGone,
		"invalid_action_input": http.StatusBadRequest, "invalid_action_output": http.StatusBadRequest, codeOutput: http.StatusBadRequest,
		"unknown_connection": http.StatusBadRequest, "unknown_provider": http.StatusBadRequest, "unknown_provider_config": http.StatusBadRequest, "invalid_sync_record": http.StatusBadRequest,
		"not_found": http.StatusNotFound, "disabled_resource": http.StatusNotFound,
		codeAction: http.StatusInternalServerError, codeInternal: http.StatusInternalServerError, codeMemory: http.StatusInternalServerError,
	} {
		if got := Status(code); got != want {
			t.Errorf("%s is answered with %d, not %d", code, got, want)
		}
	}
}
