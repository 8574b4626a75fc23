package catalog_test

import (
	"strings"
	"testing"

	"github.com/linkspan/linkspan/catalog"
)

// TestRedirectedHost checks that no file lets the user's browser choose freely
// where the token request goes.
func TestRedirectedHost(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, url, field string
		refused          bool
	}{
		{"whole URL", "${connectionConfig.server}/token", "", true},
		{"whole host", "https://${connectionConfig.server}/token", "", true},
		{"end of the host", "https://accounts.${connectionConfig.server}/token", "", true},
		{"end of the host beside another value", "https://${connectionConfig.other}.${connectionConfig.server}/token", "", true},
		{"field without a rule", "https://${connectionConfig.server}/token", "system: true", true},
		{"field with a pattern", "https://${connectionConfig.server}/token", `pattern: ^[a-z]+\.acme\.example$`, false},
		{"field with choices", "https://${connectionConfig.server}/token", "choices: [{value: acme.example}]", false},
		{"start of the host", "https://${connectionConfig.server}.acme.example/token", "", false},
		{"path", "https://acme.example/${connectionConfig.server}/token", "", false},
		{"not from the redirect", "https://${connectionConfig.other}/token", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			text := "name: acme\ndisplay_name: Acme\nauth:\n  mode: OAUTH2\n  authorize:\n    url: [https://acme.example/authorize]\n" +
				"  token:\n    url: ['" + tt.url + "']\n  capture:\n    callback_query: [server]\n"
			if tt.field != "" {
				text += "inputs:\n  connection_config:\n    - name: server\n      " + tt.field + "\n"
			}
			_, err := catalog.ParseProvider("acme.yaml", "acme", []byte(text))
			if refused := err != nil && strings.Contains(err.Error(), `the redirect's parameter "server"`); refused != tt.refused || err != nil && !refused {
				t.Errorf("error = %v, refused = %t; want %t", err, refused, tt.refused)
			}
		})
	}
}
