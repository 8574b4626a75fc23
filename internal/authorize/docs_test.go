package authorize_test

import (
	"os"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/internal/authorize"
	"github.com/linkspan/linkspan/internal/connect"
)

// TestTypesAreExplained looks up the types of errors that frontends and backends
// are told where people look them up.
func TestTypesAreExplained(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/connecting.md")
	must(t, err)
	_, table, _ := strings.Cut(string(text), "## When it does not work")
	for _, code := range []string{
		authorize.CodeAuthMode, authorize.CodeCallback, authorize.CodeProviderConfig, authorize.CodeUnknownConfig, authorize.CodeURLParam,
		authorize.CodeState, authorize.CodeStateCookie, authorize.CodeToken, authorize.CodeUnknown,
		connect.CodePending, connect.CodeRefreshExhausted, connect.CodeRefreshInterrupted, "token_refresh_error",
		"connection_test_failed", "connection_validation_failed", "invalid_connection", "connection_not_found", "unknown_provider_config",
		"integration_not_allowed", "unsupported_provider", "invalid_auth_mode", "missing_hmac", "invalid_hmac", "deprecated_authentication",
	} {
		if !strings.Contains(table, "`"+code+"`") {
			t.Errorf("docs/connecting.md does not say what %s means", code)
		}
	}
}
