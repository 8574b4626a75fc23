package cli_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/internal/cli"
)

// fakeKeys are the keys of the environments of the fake server.
func fakeKeys() map[string]string {
	return map[string]string{"Bearer key-of-dev": "dev", "Bearer key-of-prod": "prod", "Bearer key-of-my-env": "my-env"}
}

// settingsServer answers the routes of settings like the API does, as far as
// the command line can tell.
type settingsServer struct {
	mu       sync.Mutex
	settings map[string]map[string]any // by environment
	// record is the file that gets the body of the last change.
	record string
}

// fakeServer starts one for a script: "fake-server FILE". It sets LINKSPAN_HOST
// and writes the bodies of changes to the file.
func fakeServer(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: fake-server FILE")
	}
	s := &settingsServer{settings: make(map[string]map[string]any), record: ts.MkAbs(args[0])}
	for _, name := range fakeKeys() {
		settings := api.EnvironmentSettings{UUID: "uuid-of-" + name, Name: name, WebhookSigningKey: "***", OTLPHeaders: []api.Header{}}
		settings.ConnectUI.DefaultTheme = "system"
		body, err := json.Marshal(settings)
		ts.Check(err)
		tree := make(map[string]any)
		ts.Check(json.Unmarshal(body, &tree))
		s.settings[name] = tree
	}
	server := httptest.NewServer(s)
	ts.Defer(server.Close)
	ts.Setenv("LINKSPAN_HOST", server.URL)
	ts.Setenv("FAKE_SERVER", server.URL)
}

// ServeHTTP implements http.Handler.
func (s *settingsServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name, known := fakeKeys()[r.Header.Get("Authorization")]
	if !known {
		answer(w, http.StatusUnauthorized, `{"error":{"code":"unknown_account","message":"Authentication failed. The provided secret key is invalid."}}`)
		return
	}
	settings := s.settings[name]
	switch r.Method + " " + r.URL.Path {
	case "GET /environments/current/settings":
	case "PATCH /environments/uuid-of-" + name + "/settings":
		var change map[string]any
		if err := json.NewDecoder(r.Body).Decode(&change); err != nil {
			answer(w, http.StatusBadRequest, `{"error":{"code":"invalid_json"}}`)
			return
		}
		if change["callback_url"] == "nowhere" {
			answer(w, http.StatusBadRequest, `{"error":{"code":"invalid_body","errors":[{"code":"invalid_format","message":"Invalid URL","path":["callback_url"]},
				{"code":"custom","message":"Refused","path":["webhooks","primary_url"]}]}}`)
			return
		}
		if change["is_production"] != nil {
			answer(w, http.StatusForbidden, `{"error":{"code":"forbidden","message":"Insufficient scope. Required: account:environments:set_production"}}`)
			return
		}
		body, _ := json.Marshal(change)                       //nolint:errchkjson // it was JSON
		_ = os.WriteFile(s.record, append(body, '\n'), 0o600) // the script notices when it is not there
		merge(settings, change)
	default:
		answer(w, http.StatusNotFound, `{"error":{"code":"not_found","message":"Not found"}}`)
		return
	}
	body, _ := json.Marshal(map[string]any{"data": settings})
	answer(w, http.StatusOK, string(body))
}

func answer(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body))
}

// merge lays a change over settings. Secrets come out masked.
func merge(settings, change map[string]any) {
	for key := range maps.Keys(change) {
		switch v := change[key].(type) {
		case map[string]any:
			below, _ := settings[key].(map[string]any)
			merge(below, v)
		case string:
			settings[key] = v
			if v == "" {
				settings[key] = nil
			} else if strings.HasSuffix(key, "_key") {
				settings[key] = "***"
			}
		default:
			settings[key] = v
		}
	}
}

func TestEnvMistakes(t *testing.T) {
	t.Parallel()
	environ := map[string]string{"LINKSPAN_SECRET_KEY_DEV": "key-of-dev", "LINKSPAN_HOST": "http://127.0.0.1:1"}
	for _, tt := range []struct {
		args string
		want []string
	}{
		{"set dev webhook.primary_url=x", []string{`there is no setting "webhook.primary_url"; did you mean "webhooks.primary_url"?`, "\n  connect_ui.theme.light.primary\n"}},
		{"set dev primary_url=x", []string{`did you mean "webhooks.primary_url"?`}},
		{"set dev zzzzzzzzzzzzzzzz=x", []string{"there is no setting \"zzzzzzzzzzzzzzzz\"\n"}},
		{"set dev webhooks.on_sync_error=", []string{"webhooks.on_sync_error: the value must be true or false"}},
		{"set dev callback_url", []string{`"callback_url" is not of the form name=value`}},
		{"set dev callback_url= callback_url=", []string{"callback_url is given twice"}},
		{"set dev public_key=x", []string{"public_key can only be read"}},
		{"set dev otlp_headers=x", []string{"otlp_headers: the value must be JSON"}},
		{`set dev otlp_headers={"a":1}`, []string{"has not the shape"}},
		{"set dev", []string{"see linkspan env set --help"}},
		{"get", []string{"see linkspan env get --help"}},
		{"get dev webhooks", []string{`there is no setting "webhooks"`}},
		{"get DEV", []string{`"DEV" is not the name of an environment`}},
		{"get other", []string{`there is no key for the environment "other": set LINKSPAN_SECRET_KEY_OTHER`}},
	} {
		var stdout, stderr strings.Builder
		code := cli.Run(t.Context(), cli.System{
			Args: append([]string{"env"}, strings.Fields(tt.args)...), Stdout: &stdout, Stderr: &stderr,
			Environ: func(name string) string { return environ[name] },
		}, cli.Server{})
		if code != 2 || stdout.Len() > 0 {
			t.Errorf("%s: exit code %d, output %q", tt.args, code, stdout.String())
		}
		for _, want := range tt.want {
			if !strings.Contains(stderr.String(), want) {
				t.Errorf("%s: %q does not say %q", tt.args, stderr.String(), want)
			}
		}
	}
}
