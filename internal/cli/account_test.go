package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/internal/cli"
	"github.com/linkspan/linkspan/internal/testfile"
)

// remoteServer answers the routes that commands ask about a running server, for the
// environment dev. Of the connections octo and both the second is one of two
// integrations.
type remoteServer struct {
	mu   sync.Mutex
	sent []string
	// asked counts the questions about syncs.
	asked int
	// failing has the run of a sync fail.
	failing bool
	// waited is the tag of the connection that somebody waits for; renewed counts
	// the looks at the one that is about to get new credentials.
	waited  string
	renewed int
}

// received closes the server, which ends what the command did not wait for, and
// returns what was sent to it.
func (s *remoteServer) received(server *httptest.Server) []string {
	server.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent
}

func remoteTime() api.Time { return api.Time{Time: time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)} }

// ServeHTTP implements http.Handler.
func (s *remoteServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // what is not read is missed below
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Method != http.MethodGet {
		s.sent = append(s.sent, strings.TrimSpace(r.Method+" "+r.URL.RequestURI()+" "+string(body)))
	}
	if r.Header.Get("Authorization") != "Bearer key" {
		answer(w, http.StatusUnauthorized, `{"error":{"code":"unknown_account","message":"The key is unknown."}}`)
		return
	}
	for _, route := range []func(http.ResponseWriter, *http.Request, []byte) bool{s.functions, s.connections, s.syncs, s.logs, s.account} {
		if route(w, r, body) {
			return
		}
	}
	answer(w, http.StatusNotFound, `{"error":{"code":"not_found","message":"There is no such thing."}}`)
}

// functions answers what is about functions and integrations.
func (s *remoteServer) functions(w http.ResponseWriter, r *http.Request, body []byte) bool {
	at := remoteTime()
	switch route := r.Method + " " + r.URL.Path; route {
	case "GET /scripts/config":
		answerJSON(w, []api.ScriptsConfig{
			{ProviderConfigKey: "github", Provider: "github", Syncs: []api.Script{
				{Name: "issues", Type: "sync", Version: "2", Runs: api.Some("every hour"), Enabled: true, LastDeployed: at, Returns: []string{"Issue"}},
				{Name: "old", Type: "sync", Version: "1", Runs: api.Some("every day"), LastDeployed: at, Returns: []string{"Old"}},
			}, Actions: []api.Script{
				{Name: "create-issue", Type: "action", Version: "1", Enabled: true, LastDeployed: at},
				{Name: "issues", Type: "action", Version: "1", Enabled: true, LastDeployed: at},
				{Name: "both-ways", Type: "action", Version: "1", Enabled: true, LastDeployed: at, Trigger: "http"},
			}},
			{ProviderConfigKey: "slack", Provider: "slack", OnEvents: []api.Script{
				{Name: "welcome", Type: "on-event", Version: "1", Event: "post-connection-creation", Enabled: true, LastDeployed: at},
				{Name: "zoo", Type: "on-event", Version: "1", Event: "post-connection-creation", Enabled: true, LastDeployed: api.Time{Time: at.Add(-time.Hour)}},
			}},
		})
	case "POST /sync/deploy/confirmation":
		answerJSON(w, api.DeployConfirmation{
			NewActions:            []api.DeployAction{{Name: "close-issue", ProviderConfigKey: "github"}},
			UpdatedSyncs:          []api.DeploySync{{Name: "issues", ProviderConfigKey: "github", Connections: 3}},
			DeletedSyncs:          []api.DeploySync{{Name: "old", ProviderConfigKey: "github"}},
			DeletedActions:        []api.DeployAction{{Name: "issues", ProviderConfigKey: "github"}, {Name: "both-ways", ProviderConfigKey: "github"}},
			DeletedOnEventScripts: []api.DeployEventName{{Name: "welcome", ProviderConfigKey: "slack"}},
		})
	case "GET /integrations":
		answerJSON(w, map[string]any{"data": []api.Integration{
			{UniqueKey: "github", Provider: "github", DisplayName: "GitHub", CreatedAt: at, UpdatedAt: at},
			{UniqueKey: "slack", Provider: "slack", DisplayName: "Slack \x1b[2J", CreatedAt: at, UpdatedAt: at},
		}})
	case "GET /integrations/github", "POST /integrations", "POST /integrations/quickstart":
		i := api.Integration{UniqueKey: "github", Provider: "github", DisplayName: "GitHub", CreatedAt: at, UpdatedAt: at, ForwardWebhooks: true, WebhookURL: api.Some("https://hooks.example/github")}
		if len(body) > 0 {
			_ = json.Unmarshal(body, &i) // nonsense stays GitHub
		}
		answerJSON(w, map[string]any{"data": i})
	case "DELETE /integrations/github":
		answer(w, http.StatusOK, `{"success":true}`)
	default:
		name, isCode := strings.CutSuffix(strings.TrimPrefix(route, "GET /integrations/"), "/code")
		if !isCode {
			return false
		}
		integration, function, _ := strings.Cut(name, "/functions/")
		kind := r.URL.Query().Get("type")
		code := api.FunctionCode{Type: kind, Code: "import { text } from \"../../lib/text.js\";\n// the " + kind + " " + function + " of " + integration + "\n"}
		if integration == "slack" { // deployed with a source map, which somebody may have written
			code.Files = map[string]string{
				"lib/text.ts": "// text\n", "../outside.ts": "bad\n", ".git/hooks/update.js": "bad\n", "Node_Modules/zod/index.js": "bad\n", "node_modules./zod/index.js": "bad\n",
				"package.json": "bad\n", "tsconfig.json": "bad\n", "index.ts": "bad\n", "vitest.config.ts": "bad\n",
			}
		}
		if function == "zoo" {
			code.Files["lib/text.ts"] = "// the text of before\n"
		}
		answerJSON(w, code)
	}
	return true
}

// connections answers what is about connections and records.
func (s *remoteServer) connections(w http.ResponseWriter, r *http.Request, body []byte) bool {
	at := remoteTime()
	all := []api.Connection{
		{ID: 4, ConnectionID: "broken", ProviderConfigKey: "slack", Provider: "slack", Created: at, Errors: []api.ConnectionError{{Type: "sync", LogID: "op9"}, {Type: "auth", LogID: "op8"}}},
		{ID: 3, ConnectionID: "both", ProviderConfigKey: "slack", Provider: "slack", Created: at, Tags: map[string]string{"end_user_email": "jo@example.com"}},
		{ID: 2, ConnectionID: "both", ProviderConfigKey: "github", Provider: "github", Created: at},
		{ID: 1, ConnectionID: "octo", ProviderConfigKey: "github", Provider: "github", Created: at, EndUser: &api.EndUser{ID: "u1", Email: new("jane@example.com")}, Metadata: map[string]any{"repos": []string{"a/b"}}},
	}
	switch r.Method + " " + r.URL.Path {
	case "GET /connections":
		q := r.URL.Query()
		if s.waited != "" { // somebody else has connected another account at the same time
			all = append([]api.Connection{{ID: 7, ConnectionID: "others", ProviderConfigKey: "slack"}, {ID: 6, ConnectionID: "others", ProviderConfigKey: "github"}, {ID: 5, ConnectionID: "mine", ProviderConfigKey: "github"}}, all...)
		}
		found := slices.DeleteFunc(all, func(c api.Connection) bool {
			of := q["integrationId"]
			if tag := q.Get("tags[linkspan-connect]"); tag != "" {
				return tag != s.waited || c.ConnectionID != "mine" || !slices.Contains(of, c.ProviderConfigKey)
			}
			return q.Get("connectionId") != "" && c.ConnectionID != q.Get("connectionId") || len(of) > 0 && !slices.Contains(of, c.ProviderConfigKey)
		})
		answerJSON(w, api.Connections{Connections: found})
	case "GET /connections/octo":
		answerJSON(w, api.FullConnection{
			ID: 1, ConnectionID: "octo", ProviderConfigKey: "github", Provider: "github", CreatedAt: at, UpdatedAt: at, LastFetchedAt: &at,
			Errors: all[0].Errors, EndUser: all[3].EndUser, Metadata: all[3].Metadata, ConnectionConfig: map[string]any{"host": "h"},
			Credentials: api.Credentials{"type": "OAUTH2", "access_token": "hunter2", "expires_at": "2026-01-02T04:00:00.000Z"},
		})
	case "GET /connections/broken":
		if s.renewed++; s.renewed < 3 {
			answer(w, http.StatusFailedDependency, `{"error":{"code":"invalid_credentials","message":"The refresh token was revoked."}}`)
			return true
		}
		answerJSON(w, api.FullConnection{ConnectionID: "broken", ProviderConfigKey: "slack", UpdatedAt: at})
	case "PATCH /connections/metadata", "POST /connections/metadata":
		_, _ = w.Write(body)
	case "DELETE /connections/octo":
		answer(w, http.StatusOK, `{"success":true}`)
	case "POST /connect/sessions", "POST /connect/sessions/reconnect":
		var session api.CreateConnectSession
		_ = json.Unmarshal(body, &session) // nonsense has no tags
		s.waited = session.Tags["linkspan-connect"]
		if i := slices.Index(session.AllowedIntegrations, "githb"); i >= 0 {
			answer(w, http.StatusBadRequest, fmt.Sprintf(`{"error":{"code":"invalid_body","message":"Invalid body","errors":[{"code":"custom","message":"Integration does not exist","path":["allowed_integrations",%d]}]}}`, i))
			return true
		}
		answerJSON(w, map[string]any{"data": map[string]any{"token": "t", "connect_link": "https://connect.example/?session=t", "expires_at": at}})
	case "GET /records":
		cursor, next := r.URL.Query().Get("cursor"), any("c2")
		if cursor != "" {
			next = nil
		}
		record := func(id string, action string) map[string]any {
			return map[string]any{"id": id, "title": "<" + id + " \x1b[2J\u009b2J>", "_nango_metadata": map[string]any{"last_action": action, "last_modified_at": at, "cursor": "c" + id}}
		}
		if r.URL.Query().Get("model") == "None" {
			answerJSON(w, map[string]any{"records": []any{}, "next_cursor": nil})
			return true
		}
		if r.URL.Query().Get("model") == "Rare" && cursor != "c3" { // nothing is near
			answerJSON(w, map[string]any{"records": []any{}, "next_cursor": map[string]any{"": "c2", "c2": "c3"}[cursor]})
			return true
		}
		answerJSON(w, map[string]any{"records": []any{record("1"+cursor, "ADDED"), record("2"+cursor, "DELETED")}, "next_cursor": next})
	default:
		return false
	}
	return true
}

// syncs answers what runs functions. A run has begun at the second look, and ended at
// the third.
func (s *remoteServer) syncs(w http.ResponseWriter, r *http.Request, body []byte) bool {
	at := remoteTime()
	switch r.Method + " " + r.URL.Path {
	case "POST /sync/trigger":
		answer(w, http.StatusOK, `{"success":true}`)
	case "GET /sync/status":
		status := api.SyncStatus{Name: "issues", ConnectionID: "octo", Status: "SUCCESS", FinishedAt: &at, LatestExecutionStatus: "SUCCESS"}
		if s.asked++; s.asked == 2 { // another run was under way, and has ended by now
			status.Status, status.FinishedAt = "RUNNING", &api.Time{Time: at.Add(time.Second)}
		}
		if s.asked > 2 {
			status.FinishedAt = &api.Time{Time: at.Add(time.Minute)}
			status.LatestResult = map[string]api.SyncResult{"Issue": {Added: 1, Updated: 2, Deleted: 3}}
			status.RecordCount = map[string]int64{"Issue": 42}
			if s.failing {
				status.Status, status.LatestExecutionStatus = "ERROR", "ERROR"
			}
		}
		if q := r.URL.Query(); q.Get("connection_id") == "nobody" {
			answer(w, http.StatusBadRequest, `{"error":{"code":"unknown_connection","message":"There is no connection nobody."}}`)
			return true
		} else if q.Get("syncs") == "issues::gone" {
			answerJSON(w, api.SyncStatuses{Syncs: []api.SyncStatus{}})
			return true
		}
		answerJSON(w, api.SyncStatuses{Syncs: []api.SyncStatus{status}})
	case "POST /action/trigger":
		switch {
		case r.Header.Get("X-Async") != "":
			answer(w, http.StatusOK, `{"id":"op5","statusUrl":"/action/op5"}`)
		case strings.Contains(string(body), "wait"):
			s.mu.Unlock()
			<-r.Context().Done()
			s.mu.Lock()
		case strings.Contains(string(body), "forbidden"):
			answer(w, http.StatusForbidden, `{"error":{"code":"forbidden","message":"Insufficient scope."}}`)
		case strings.Contains(string(body), "fail"):
			answer(w, http.StatusFailedDependency, `{"error":{"code":"action_script_failure","message":"The action failed: told to"}}`)
		default:
			answer(w, http.StatusOK, `{"number":7}`)
		}
	default:
		return false
	}
	return true
}

// logs answers what is about operations. op2 goes on.
func (s *remoteServer) logs(w http.ResponseWriter, r *http.Request, _ []byte) bool {
	all := remoteOperations()
	switch name, detail := strings.CutPrefix(r.URL.Path, "/logs/operations/"); {
	case r.URL.Path == "/logs/operations":
		q := r.URL.Query()
		found := slices.DeleteFunc(all, func(op api.Operation) bool {
			return q.Get("status") != "" && op.Status != q.Get("status") || q.Get("type") != "" && !slices.Contains(q["type"], op.Type)
		})
		answerJSON(w, api.Operations{Data: found})
	case detail:
		at := slices.IndexFunc(all, func(op api.Operation) bool { return op.ID == name })
		if at < 0 {
			return false
		}
		messages := []api.OperationMessage{}
		if name == "op2" {
			messages = remoteMessages()
		}
		answerJSON(w, api.OperationReply{Data: api.OperationDetail{Operation: all[at], Messages: messages}})
	default:
		return false
	}
	return true
}

// remoteOperations are those of the server, newest first.
func remoteOperations() []api.Operation {
	at := remoteTime()
	return []api.Operation{
		{ID: "op2", Type: "sync", Action: "run", Status: "running", Message: "Running the sync issues.", Integration: new("github"), Connection: new("octo"), CreatedAt: at, Meta: json.RawMessage(`{"function":"issues"}`)},
		{
			ID: "op1", Type: "action", Action: "run", Status: "failed", Message: "The action create-issue failed.", Integration: new("github"), Connection: new("octo"), CreatedAt: at, EndedAt: &at,
			DurationMS: new(int64(1234)), Error: &api.OperationError{Code: "action_script_failure", Message: "told to \x1b[2J fail"}, Meta: json.RawMessage(`{"function":"create-issue"}`),
		},
		{ID: "op0", Type: "proxy", Action: "call", Status: "success", Message: "GET /user", Integration: new("github"), CreatedAt: at, EndedAt: &at, DurationMS: new(int64(12_345))},
	}
}

func remoteMessages() []api.OperationMessage {
	at, end := remoteTime(), api.Time{Time: remoteTime().Add(150 * time.Millisecond)}
	return []api.OperationMessage{
		{ID: 1, Type: "log", Level: "info", Message: "two\nlines", CreatedAt: at, Meta: json.RawMessage(`{"page":1}`)},
		{ID: 2, Type: "http", Level: "warn", Message: "The call failed.", CreatedAt: at, EndedAt: &end, Request: &api.OperationRequest{Method: "GET", URL: "https://api.example/issues"}, Response: &api.OperationResponse{Code: 503}, Retry: &api.OperationRetry{Attempt: 1, Max: 3}},
		{ID: 3, Type: "log", Level: "error", Message: "It broke.", CreatedAt: at, Error: &api.OperationError{Code: "x", Message: "because"}},
		{ID: 4, Type: "log", Level: "debug", Message: "quiet", CreatedAt: at},
	}
}

// account answers what is about environments.
func (s *remoteServer) account(w http.ResponseWriter, r *http.Request, _ []byte) bool {
	switch r.Method + " " + r.URL.Path {
	case "GET /environments/current/settings":
		answerJSON(w, map[string]any{"data": api.EnvironmentSettings{Name: "dev"}})
	case "GET /environments":
		all := []api.Environment{{ID: 1, UUID: "uuid-dev", Name: "dev"}, {ID: 2, UUID: "uuid-prod", Name: "prod", IsProduction: true}}
		if name := r.URL.Query().Get("name"); name != "" {
			all = slices.DeleteFunc(all, func(e api.Environment) bool { return e.Name != name })
		}
		answerJSON(w, map[string]any{"data": all})
	case "POST /environments":
		answerJSON(w, map[string]any{"data": api.CreatedEnvironment{ID: 3, UUID: "uuid-new", Name: "my-env"}})
	case "POST /environments/uuid-new/api-keys":
		answerJSON(w, map[string]any{"data": map[string]any{"id": 1, "uuid": "k", "display_name": "linkspan-cli", "secret": "new-key", "created_at": remoteTime()}})
	case "DELETE /environments/uuid-prod":
		w.WriteHeader(http.StatusNoContent)
	default:
		return false
	}
	return true
}

// remoteCase is a command line against the server.
type remoteCase struct {
	name     string
	args     []string
	stdin    string
	terminal bool
	failing  bool
	folder   string
}

// in returns the arguments with a folder. What is completed stays the last of them.
func (c *remoteCase) in(dir string) []string {
	at := len(c.args)
	if c.args[0] == "__complete" {
		at--
	}
	if at > 0 && c.args[at-1] == "--env" {
		at--
	}
	return slices.Insert(slices.Clone(c.args), at, "--dir", dir)
}

func TestRemote(t *testing.T) {
	t.Parallel()
	cache := t.TempDir()
	for _, tt := range slices.Concat(accountCases(), lookCases(), setUpCases(), pullCases()) {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := testfile.Unpack(t, tt.folder)
			handler := &remoteServer{failing: tt.failing}
			server := httptest.NewServer(handler)
			defer server.Close()
			env := map[string]string{
				"LINKSPAN_HOST": server.URL, "LINKSPAN_SECRET_KEY_DEV": "key", "LINKSPAN_ACCOUNT_KEY": "key", "LINKSPAN_CACHE": cache, "SECRET": "s3cret",
				"LINKSPAN_SECRET_KEY_OTHER": "wrong",
			}
			var stdout, stderr bytes.Buffer
			code := cli.Run(t.Context(), cli.System{
				Args: tt.in(dir), Environ: func(name string) string { return env[name] },
				Stdin: strings.NewReader(tt.stdin), Stdout: &stdout, Stderr: &stderr, IsTerminal: func(any) bool { return tt.terminal },
			}, authorServer())
			tell := func(text string) string {
				text = regexp.MustCompile(`"linkspan-connect":"[0-9a-f-]{36}"`).ReplaceAllString(text, `"linkspan-connect":"UUID"`)
				return strings.NewReplacer(server.URL, "http://localhost:3003", dir, "DIR", "\x1b", "␛", "\r", "␍").Replace(text)
			}
			got := fmt.Sprintf("$ linkspan %s\n[%d]\n-- stdout --\n%s-- stderr --\n%s", strings.Join(tt.args, " "), code, tell(stdout.String()), tell(stderr.String()))
			if sent := handler.received(server); len(sent) > 0 && tt.folder == "" {
				got += "-- sent --\n" + tell(strings.Join(sent, "\n")) + "\n"
			}
			if strings.HasPrefix(tt.name, "pull") {
				got += filesOf(t, dir)
			}
			golden(t, filepath.Join("testdata", "remote", strings.ReplaceAll(tt.name, " ", "-")+".golden"), got)
		})
	}
}

// Who interrupts a command is not told to start the server, which runs.
func TestRemoteInterrupted(t *testing.T) {
	t.Parallel()
	for want, within := range map[string]time.Duration{"linkspan: interrupted\n": 0, "has not answered in time\n": 200 * time.Millisecond} {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if within == 0 {
				cancel()
			}
			<-r.Context().Done()
		}))
		defer server.Close()
		if within > 0 {
			ctx, cancel = context.WithTimeout(ctx, within)
			defer cancel()
		}
		env := map[string]string{"LINKSPAN_HOST": server.URL, "LINKSPAN_SECRET_KEY_DEV": "key"}
		var stdout, stderr bytes.Buffer
		code := cli.Run(ctx, cli.System{
			Args: []string{"connections", "--dir", t.TempDir()}, Environ: func(name string) string { return env[name] }, Stdout: &stdout, Stderr: &stderr,
		}, cli.Server{})
		if code != 1 || !strings.HasSuffix(stderr.String(), want) {
			t.Errorf("it ended with %d: %q, not %q", code, stderr.String(), want)
		}
	}
}

// filesOf lists the files below a folder, the short ones with their texts.
func filesOf(t *testing.T, dir string) string {
	t.Helper()
	var out strings.Builder
	err := filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(name)
		rel, _ := filepath.Rel(dir, name)
		if len(text) > 400 {
			text = []byte("…\n") // of the library, which changes
		}
		fmt.Fprintf(&out, "-- %s --\n%s", filepath.ToSlash(rel), text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func accountCases() []remoteCase {
	return []remoteCase{
		{name: "trigger an action", args: []string{"trigger", "create-issue", "octo", "--input", `{"title":"x"}`}},
		{name: "trigger an action by its whole name", args: []string{"trigger", "github/create-issue", "octo"}},
		{name: "trigger an action that fails", args: []string{"trigger", "create-issue", "octo", "--input", "fail"}},
		{name: "trigger an action in the background", args: []string{"trigger", "create-issue", "octo", "--async"}},
		{name: "trigger a name of two", args: []string{"trigger", "issues", "octo"}},
		{name: "trigger a sync", args: []string{"trigger", "issues", "octo", "--type", "sync"}},
		{name: "trigger a sync and wait", args: []string{"trigger", "issues", "octo", "--type", "sync", "--wait", "--reset", "--empty-cache", "--variant", "v"}},
		{name: "trigger a sync that fails", failing: true, args: []string{"trigger", "issues", "octo", "--type", "sync", "--wait"}},
		{name: "trigger a sync and wait as json", args: []string{"trigger", "issues", "octo", "--type", "sync", "--wait", "--json"}},
		{name: "trigger a sync that goes away", args: []string{"trigger", "issues", "octo", "--type", "sync", "--wait", "--variant", "gone"}},
		{name: "trigger a sync for nobody", args: []string{"trigger", "issues", "nobody", "--integration", "github", "--type", "sync"}},
		{name: "trigger an action without the right to", args: []string{"trigger", "create-issue", "octo", "--input", "forbidden"}},
		{name: "trigger an action for too long", args: []string{"trigger", "create-issue", "octo", "--input", "wait", "--timeout", "300ms"}},
		{name: "trigger a sync with input", args: []string{"trigger", "issues", "octo", "--type", "sync", "--input", "{}"}},
		{name: "trigger without a connection", args: []string{"trigger", "create-issue", "nobody"}},
		{name: "trigger for one of two connections", args: []string{"trigger", "create-issue", "both"}},
		{name: "trigger for one of two connections that is named", args: []string{"trigger", "create-issue", "both", "--integration", "github"}},
		{name: "trigger no such function", args: []string{"trigger", "create-isue", "octo"}},
		{name: "trigger empty cache alone", args: []string{"trigger", "issues", "octo", "--empty-cache"}},
		{name: "records", args: []string{"records", "octo", "Issue"}},
		{name: "records of a page", args: []string{"records", "octo", "Issue", "--cursor", "c", "--filter", "added,DELETED", "--since", "2026-01-31", "--limit", "2", "--variant", "v"}},
		{name: "records all", args: []string{"records", "octo", "Issue", "--all"}},
		{name: "records all as json", args: []string{"records", "octo", "Issue", "--all", "--json"}},
		{name: "records as json", args: []string{"records", "octo", "Issue", "--json"}},
		{name: "records none", args: []string{"records", "octo", "None"}},
		{name: "records none as json", args: []string{"records", "octo", "None", "--json"}},
		{name: "records of no model of an integration", args: []string{"records", "octo", "None", "--integration", "slack"}},
		{name: "records far away", args: []string{"records", "octo", "Rare", "--filter", "deleted"}},
		{name: "records far away as json", args: []string{"records", "octo", "Rare", "--filter", "deleted", "--json"}},
		{name: "records with a wrong filter", args: []string{"records", "octo", "Issue", "--filter", "gone"}},
		{name: "a key of nobody", args: []string{"records", "octo", "Issue", "--env", "other"}},
	}
}

func lookCases() []remoteCase {
	const folder = `
-- index.ts --
import './github/syncs/issues';
import './github/actions/create-issue';
import './github/actions/close-issue';
import './hubspot/actions/create-contact';
-- github/syncs/issues.ts --
import { createSync } from 'linkspan';
import * as z from 'zod';
export default createSync({ description: 'Issues', version: '3', frequency: 'every hour', models: { Issue: z.object({ id: z.string() }) }, exec: async () => {} });
-- github/actions/create-issue.ts --
import { createAction } from 'linkspan';
import * as z from 'zod';
export default createAction({ description: 'Creates an issue', input: z.object({}), output: z.object({}), exec: async () => ({}) });
-- github/actions/close-issue.ts --
import { createAction } from 'linkspan';
import * as z from 'zod';
export default createAction({ description: 'Closes an issue', input: z.object({}), output: z.object({}), exec: async () => ({}) });
-- hubspot/actions/create-contact.ts --
import { createAction } from 'linkspan';
import * as z from 'zod';
export default createAction({ description: 'Creates a contact', input: z.object({}), output: z.object({}), exec: async () => ({}) });
`
	return []remoteCase{
		{name: "list", folder: folder, args: []string{"list"}},
		{name: "list as json", folder: folder, args: []string{"list", "--json", "--integration", "github", "--type", "sync"}},
		{name: "list local", folder: folder, args: []string{"list", "--local"}},
		{name: "list without a folder", args: []string{"list"}},
		{name: "list local without a folder", args: []string{"list", "--local"}},
		{name: "list what does not compile", folder: "-- index.ts --\nimport './github/actions/x';\n", args: []string{"list"}},
		{name: "logs", args: []string{"logs"}},
		{name: "logs on a terminal", terminal: true, args: []string{"logs"}},
		{name: "logs as json", args: []string{"logs", "--json"}},
		{name: "logs in brief", args: []string{"logs", "--brief", "--limit", "2"}},
		{name: "logs of a function", args: []string{"logs", "--function", "github/issues"}},
		{name: "logs of no function", args: []string{"logs", "--function", "nothing"}},
		{name: "logs that failed", args: []string{"logs", "--status", "failed"}},
		{name: "logs of a wrong state", args: []string{"logs", "--status", "error"}},
		{name: "logs since nonsense", args: []string{"logs", "--since", "yesterday"}},
		{name: "logs of an operation", args: []string{"logs", "--operation", "op2"}},
		{name: "logs of no operation", args: []string{"logs", "--operation", "op7"}},
		{name: "connections", args: []string{"connections"}},
		{name: "connections list", args: []string{"connections", "list", "--errors"}},
		{name: "connections list as json", args: []string{"connections", "list", "--json", "--limit", "1"}},
		{name: "connections list of none", args: []string{"connections", "list", "--integration", "jira"}},
		{name: "connections get", args: []string{"connections", "get", "octo"}},
		{name: "connections get with credentials", args: []string{"connections", "get", "octo", "--credentials"}},
		{name: "connections get as json", args: []string{"connections", "get", "octo", "--json"}},
		{name: "connections metadata", args: []string{"connections", "metadata", "octo"}},
		{name: "connections metadata merged", args: []string{"connections", "metadata", "octo", `{"a":1}`}},
		{name: "connections get one that is broken", args: []string{"connections", "get", "broken"}},
		{name: "connections get nobody of an integration", args: []string{"connections", "get", "nobody", "--integration", "github"}},
		{name: "connections metadata with a long number", args: []string{"connections", "metadata", "octo", `{"id":12345678901234567890}`}},
		{name: "connections metadata replaced", stdin: `{"a":1}`, args: []string{"connections", "metadata", "octo", "-", "--replace"}},
		{name: "connections metadata that is none", args: []string{"connections", "metadata", "octo", `[1]`}},
		{name: "connections delete", args: []string{"connections", "delete", "octo", "--yes"}},
		{name: "connections delete asked", terminal: true, stdin: "n\n", args: []string{"connections", "delete", "octo"}},
		{name: "connections delete with nobody to ask", args: []string{"connections", "delete", "octo"}},
		{name: "complete a connection", args: []string{"__complete", "connections", "get", ""}},
		{name: "complete a function", args: []string{"__complete", "trigger", ""}},
		{name: "complete a connection of a function", args: []string{"__complete", "trigger", "github/issues", ""}},
		{name: "complete a model", args: []string{"__complete", "records", "octo", ""}},
		{name: "complete an integration", args: []string{"__complete", "connect", ""}},
		{name: "complete an environment", folder: "-- .env --\nLINKSPAN_SECRET_KEY_STAGING=x\n", args: []string{"__complete", "logs", "--env", ""}},
	}
}

func setUpCases() []remoteCase {
	return []remoteCase{
		{name: "integrations", args: []string{"integrations"}},
		{name: "integrations list as json", args: []string{"integrations", "list", "--json"}},
		{name: "integrations get", args: []string{"integrations", "get", "github"}},
		{name: "integrations get none", args: []string{"integrations", "get", "nothing"}},
		{name: "integrations create", stdin: "hunter2\n", args: []string{"integrations", "create", "github", "--key", "gh", "--client-id", "id", "--client-secret", "-", "--scopes", "repo, user", "--no-webhooks"}},
		{name: "integrations create asked", terminal: true, stdin: "id\nenv:SECRET\n", args: []string{"integrations", "create", "github"}},
		{name: "integrations create with nobody to ask", args: []string{"integrations", "create", "github", "--client-id", "id"}},
		{name: "integrations create with a secret in sight", args: []string{"integrations", "create", "github", "--client-id", "id", "--client-secret", "hunter2"}},
		{name: "integrations create without an app", args: []string{"integrations", "create", "stripe-api-key", "--json"}},
		{name: "integrations create with an app that is not needed", args: []string{"integrations", "create", "stripe-api-key", "--client-id", "x"}},
		{name: "integrations create for no provider", args: []string{"integrations", "create", "githbu"}},
		{name: "integrations create on a shared app", args: []string{"integrations", "create", "github", "--quickstart", "--json"}},
		{name: "integrations delete", args: []string{"integrations", "delete", "github", "-y", "--json"}},
		{name: "connect", args: []string{"connect", "zendesk", "--config", "subdomain=acme", "--tag", "a=b", "--end-user", "u1"}},
		{name: "connect as json", args: []string{"connect", "--json"}},
		{name: "connect to nothing", args: []string{"connect", "slack", "githb"}},
		{name: "connect again", args: []string{"connect", "--connection", "octo"}},
		{name: "connect and wait in vain", args: []string{"connect", "slack", "--wait", "--timeout", "300ms"}},
		{name: "connect and wait", args: []string{"connect", "github", "--wait", "--end-user", "u1"}},
		{name: "connect again and wait", args: []string{"connect", "--connection", "broken", "--wait", "--json"}},
		{name: "connect config for nothing", args: []string{"connect", "--config", "subdomain=acme"}},
		{name: "env list", args: []string{"env", "list"}},
		{name: "env create", args: []string{"env", "create", "my-env"}},
		{name: "env create as json", args: []string{"env", "create", "my-env", "--production", "--json"}},
		{name: "env delete", args: []string{"env", "delete", "prod", "--yes"}},
		{name: "env delete none", args: []string{"env", "delete", "staging", "--yes"}},
	}
}

func pullCases() []remoteCase {
	const folder = "-- index.ts --\nimport './github/actions/other';\n"
	return []remoteCase{
		{name: "pull", folder: folder, args: []string{"pull", "github", "create-issue"}},
		{name: "pull by its whole name", folder: folder + "-- lib/text.ts --\n", args: []string{"pull", "github/create-issue", "--json"}},
		{name: "pull one of two", folder: folder, args: []string{"pull", "github", "issues"}},
		{name: "pull one of two by type", folder: folder, args: []string{"pull", "github", "issues", "--type", "sync"}},
		{name: "pull what is not there", folder: folder, args: []string{"pull", "github", "create-isue"}},
		{name: "pull of nothing", folder: folder, args: []string{"pull", "jira"}},
		{name: "pull everything", folder: "-- x --\n", args: []string{"pull"}},
		{name: "pull over a file", folder: folder + "-- github/actions/create-issue.ts --\nmine\n", args: []string{"pull", "github"}},
		{name: "pull over what the folder is made of with force", folder: "-- index.ts --\nimport './slack/on-events/welcome';\n-- package.json --\nmine\n", args: []string{"pull", "slack", "--force"}},
		{name: "pull over a file with force", folder: folder + "-- github/actions/create-issue.ts --\nmine\n", args: []string{"pull", "github", "create-issue", "--force"}},
		{name: "pull from the library", folder: folder + "-- models.ts --\nmine\n", args: []string{"pull", "hubspot", "contacts", "--catalog"}},
		{name: "pull what the library has not", folder: folder, args: []string{"pull", "github", "nothing", "--catalog"}},
		{name: "pull from the library of no provider", folder: folder, args: []string{"pull", "nothing", "--catalog"}},
	}
}
