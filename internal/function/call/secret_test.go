package call_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan/internal/function/call"
)

func TestHideSecrets(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		connection, want string
		found            []string
	}{
		"oauth": {
			`{"connection_id":"token","credentials":{"type":"OAUTH2","access_token":"a1","refresh_token":"r1","expires_at":"2030","raw":{"access_token":"a1","expires_in":5,"team":{"id":"T1"},"token_type":"bearer"},"config_override":{"client_id":"i","client_secret":"s1"}}}`,
			`{"connection_id":"token","credentials":{"type":"OAUTH2","access_token":"[redacted]","refresh_token":"[redacted]","expires_at":"2030","raw":{"access_token":"[redacted]","expires_in":5,"team":{"id":"T1"},"token_type":"bearer"},"config_override":{"client_id":"i","client_secret":"[redacted]"}}}`,
			[]string{"a1", "s1", "a1", "r1"},
		},
		"basic":           {`{"credentials":{"type":"BASIC","username":"ada","password":"p"}}`, `{"credentials":{"type":"BASIC","username":"ada","password":"[redacted]"}}`, []string{"p"}},
		"a key as a name": {`{"credentials":{"username":"0123456789abcdef","password":""}}`, `{"credentials":{"username":"[redacted]","password":""}}`, []string{"0123456789abcdef"}},
		"any field":       {`{"credentials":{"anything":"x1"}}`, `{"credentials":{"anything":"[redacted]"}}`, []string{"x1"}},
		"settings": {
			`{"metadata":{"a":[{"apiToken":"t1","folder":"f"}]},"connection_config":{"subdomain":"acme","appSecret":"s2"}}`,
			`{"metadata":{"a":[{"apiToken":"[redacted]","folder":"f"}]},"connection_config":{"subdomain":"acme","appSecret":"[redacted]"}}`,
			[]string{"s2", "t1"},
		},
		"hidden already": {`{"credentials":{"apiKey":"[redacted]"}}`, `{"credentials":{"apiKey":"[redacted]"}}`, nil},
		"lists":          {`{"metadata":{"tokens":["a"],"apiKeys":["b"],"secret":["s3"]}}`, `{"metadata":{"tokens":["a"],"apiKeys":["b"],"secret":["[redacted]"]}}`, []string{"s3"}},
		"looks random":   {`{"credentials":{"raw":{"session":"q7Xm2pLk9sVw4nZb8cRt","team":"acme","scope":"q7Xm2pLk9sVw4nZb8cRt"}}}`, `{"credentials":{"raw":{"session":"[redacted]","team":"acme","scope":"q7Xm2pLk9sVw4nZb8cRt"}}}`, []string{"q7Xm2pLk9sVw4nZb8cRt"}},
		"none":           {`{"credentials":{},"metadata":null}`, `{"credentials":{},"metadata":null}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var in, want map[string]any
			if err := json.Unmarshal([]byte(tt.connection), &in); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal([]byte(tt.want), &want); err != nil {
				t.Fatal(err)
			}
			var found []string
			got := call.HideSecrets(in, func(text string) { found = append(found, text) })
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("hidden (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.found, found); diff != "" {
				t.Errorf("found (-want +got):\n%s", diff)
			}
			if got := len(call.ConnectionSecrets(in)); got != len(tt.found) {
				t.Errorf("%d secrets", got)
			}
		})
	}
}

func TestIsSecretVariable(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, value string
		want        bool
	}{
		{"API_TOKEN", "x1", true},
		{"OPENAI_KEY", "sk-12345", true},
		{"KEY", "short", false},
		{"SERVICE", "q7Xm2pLk9sVw4nZb8cRt", true},
		{"DATABASE", "postgres://ada:pw@db.example/x", true},
		{"BASE", "https://api.example.com/v1/people", false},
		{"BASE_KEYS", "https://api.example.com", true},
		{"REGION", "eu-west-1", false},
		{"MODE", "production", false},
		{"SINCE", "2030-01-31T00:00:00.000Z", false},
		{"HOST", "acme-production1.example.com", false},
		{"WORDS", "a text of several words 1", false},
		{"ID", "00000000000000000000", false},
		{"SECRET", "", false},
	} {
		if got := call.IsSecretVariable(tt.name, tt.value); got != tt.want {
			t.Errorf("%s=%s: %t", tt.name, tt.value, got)
		}
	}
}
