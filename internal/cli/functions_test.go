package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/internal/cli"
)

// functionServer answers the routes about deployed functions, for the environment
// prod. The action github/create-issue has three versions, of which the second
// runs; issues is a sync and an action.
func functionServer(w http.ResponseWriter, r *http.Request) {
	at := api.Time{Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	const one = "/integrations/github/functions/create-issue"
	switch r.Method + " " + r.URL.Path {
	case "GET /environments/current/settings":
		answerJSON(w, map[string]any{"data": api.EnvironmentSettings{Name: "prod"}})
	case "GET /scripts/config":
		answerJSON(w, []api.ScriptsConfig{
			{
				ProviderConfigKey: "slack", Provider: "slack",
				OnEvents: []api.Script{{Name: "welcome", Type: "on-event", Version: "1", Event: "post-connection-creation", Enabled: true, Source: "repo", LastDeployed: at}},
			},
			{
				ProviderConfigKey: "github", Provider: "github",
				Syncs: []api.Script{{Name: "issues", Type: "sync", Version: "1.2.0", Runs: api.Some("every hour"), Enabled: true, Source: "repo", LastDeployed: at}},
				Actions: []api.Script{
					{Name: "issues", Type: "action", Version: "3", Source: "repo", LastDeployed: at},
					{Name: "create-issue", Type: "action", Version: "2.0.0", Enabled: true, Source: "repo", LastDeployed: at, Description: "Creates an issue"},
				},
			},
		})
	case "GET " + one + "/versions":
		answerJSON(w, api.FunctionVersions{Pagination: api.Pagination{Total: 3, Limit: 100}, Data: []api.FunctionVersion{
			{Version: 3, Label: "2.1.0", CreatedAt: at, SDKVersion: "1.0.0-zero"},
			{Version: 2, Label: "2.0.0", CreatedAt: at, Active: true, SDKVersion: "0.71.10-zero"},
			{Version: 1, Label: "2.0.0", CreatedAt: at},
		}})
	case "GET " + one:
		answerJSON(w, map[string]any{"data": api.Function{Type: "action", Name: "create-issue", Version: "2.0.0", Enabled: true, LastDeployed: at}})
	case "PATCH " + one:
		var body api.UpdateFunction
		_ = json.NewDecoder(r.Body).Decode(&body) // nonsense stays false
		answerJSON(w, map[string]any{"data": api.Function{Type: "action", Name: "create-issue", Enabled: body.Enabled, LastDeployed: at}})
	case "POST " + one + "/rollback":
		var body api.RollbackFunction
		_ = json.NewDecoder(r.Body).Decode(&body) // nonsense stays 0
		answerJSON(w, map[string]any{"data": api.Function{Type: "action", Name: "create-issue", Version: fmt.Sprint(body.Version), LastDeployed: at}})
	case "PATCH /integrations/github/functions/issues":
		if r.URL.Query().Get("type") == "" {
			answer(w, http.StatusConflict, `{"error":{"code":"ambiguous_function","message":"Several functions are called 'issues'"}}`)
			return
		}
		answerJSON(w, map[string]any{"data": api.Function{Type: r.URL.Query().Get("type"), Name: "issues", LastDeployed: at}})
	default:
		answer(w, http.StatusNotFound, `{"error":{"code":"not_found","message":"Function does not exist"}}`)
	}
}

func TestFunctions(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(functionServer))
	t.Cleanup(server.Close)
	for _, tt := range []struct {
		args     string
		terminal bool
	}{
		{args: "functions list prod"},
		{args: "functions list prod", terminal: true},
		{args: "functions list prod --json --type action --integration github"},
		{args: "functions list prod --integration gitlab"},
		{args: "functions list prod --integration gitlab --json"},
		{args: "functions list prod --type actions"},
		{args: "functions list staging"},
		{args: "functions versions prod github/create-issue"},
		{args: "functions versions prod github/create-issue --json"},
		{args: "functions versions prod create-issue"},
		{args: "functions versions prod github/nothing"},
		{args: "functions enable prod github/create-issue"},
		{args: "functions disable prod github/create-issue"},
		{args: "functions disable prod github/create-issue --json"},
		{args: "functions disable prod github/issues"},
		{args: "functions disable prod github/issues --type sync"},
		{args: "rollback prod github/create-issue"},
		{args: "rollback prod github/create-issue --json"},
		{args: "rollback prod github/create-issue --to 2.0.0 --json"},
		{args: "rollback prod github/create-issue --to 2.1.0"},
		{args: "rollback prod github/create-issue --to 2.0.0"},
		{args: "rollback prod github/create-issue --to #3"},
		{args: "rollback prod github/create-issue --to #2"},
		{args: "rollback prod github/create-issue --to 9"},
		{args: "rollback prod"},
		{args: "__complete functions enable prod gi"},
		{args: "__complete deploy "},
		{args: "__complete rollback prod github/create-issue --type "},
	} {
		name := strings.NewReplacer(" ", "-", "/", "-", "#", "n").Replace(tt.args)
		if tt.terminal {
			name += "-on-a-terminal"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := map[string]string{"LINKSPAN_HOST": server.URL, "LINKSPAN_SECRET_KEY_PROD": "key"}
			var stdout, stderr bytes.Buffer
			code := cli.Run(context.Background(), cli.System{
				Args: strings.Split(tt.args, " "), Environ: func(name string) string { return env[name] }, Stdout: &stdout, Stderr: &stderr,
				IsTerminal: func(any) bool { return tt.terminal },
			}, cli.Server{})
			got := fmt.Sprintf("$ linkspan %s\n[%d]\n-- stdout --\n%s-- stderr --\n%s", tt.args, code, &stdout, &stderr)
			got = strings.ReplaceAll(strings.ReplaceAll(got, server.URL, "http://localhost:3003"), "\x1b", "␛")
			golden(t, filepath.Join("testdata", "functions", name+".golden"), got)
		})
	}
}
