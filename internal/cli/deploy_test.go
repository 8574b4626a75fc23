package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/internal/app"
	"github.com/linkspan/linkspan/internal/cli"
	"github.com/linkspan/linkspan/internal/testfile"
)

var update = flag.Bool("update", false, "write what is printed into the golden files")

// deployServer answers the routes that the commands about functions call, for the
// environment prod.
type deployServer struct {
	// integrations are those of the environment; nil: the key may not list them.
	integrations []string
	confirmation api.DeployConfirmation
	// refuse answers the routes of deploys with this.
	refuse     string
	refuseWith int

	mu   sync.Mutex
	sent []api.Deploy // to be deployed
}

// ServeHTTP implements http.Handler.
func (s *deployServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.Method + " " + r.URL.Path {
	case "GET /environments/current/settings":
		answerJSON(w, map[string]any{"data": api.EnvironmentSettings{Name: "prod"}})
	case "GET /integrations":
		if s.integrations == nil {
			answer(w, http.StatusForbidden, `{"error":{"code":"forbidden","message":"Insufficient scope"}}`)
			return
		}
		list := make([]map[string]string, len(s.integrations))
		for i, key := range s.integrations {
			list[i] = map[string]string{"unique_key": key}
		}
		answerJSON(w, map[string]any{"data": list})
	case "GET /providers/github":
		answerJSON(w, map[string]any{"data": map[string]string{"name": "github"}})
	case "POST /sync/deploy/confirmation":
		if s.refuse != "" {
			answer(w, s.refuseWith, s.refuse)
			return
		}
		answerJSON(w, s.confirmation)
	case "POST /sync/deploy":
		s.deploy(w, r)
	default:
		answer(w, http.StatusNotFound, `{"error":{"code":"not_found","message":"Not found"}}`)
	}
}

func (s *deployServer) deploy(w http.ResponseWriter, r *http.Request) {
	var body api.Deploy
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		answer(w, http.StatusBadRequest, `{"error":{"code":"invalid_json"}}`)
		return
	}
	s.mu.Lock()
	s.sent = append(s.sent, body)
	s.mu.Unlock()
	deployed := []api.DeployedFunction{}
	for _, f := range body.FlowConfigs {
		version := f.Version
		if version == "" {
			version = "7"
		}
		deployed = append(deployed, api.DeployedFunction{Name: f.SyncName, ProviderConfigKey: f.ProviderConfigKey, Type: f.Type, Version: version, Models: f.Models})
	}
	for _, o := range body.OnEventScriptsByProvider {
		for _, f := range o.Scripts {
			deployed = append(deployed, api.DeployedFunction{Name: f.Name, ProviderConfigKey: o.ProviderConfigKey, Type: "on-event", Version: "7"})
		}
	}
	answerJSON(w, deployed)
}

func answerJSON(w http.ResponseWriter, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		answer(w, http.StatusInternalServerError, `{}`)
		return
	}
	answer(w, http.StatusOK, string(body))
}

// deployFolder is the folder that most cases deploy.
const deployFolder = `
-- index.ts --
import './github/actions/create-issue';
import './github/actions/close-issue';
import './github/syncs/issues';
import './slack/on-events/welcome';
-- github/actions/create-issue.ts --
export default async function run(nango) {
  const { data } = await nango.post({ endpoint: '/issues', data: nango.input });
  return data;
}
-- github/actions/close-issue.ts --
import { createAction } from 'linkspan';
import * as z from 'zod';
export default createAction({
  description: 'Closes an issue', version: '1.2.0', scopes: ['repo'], endpoint: { method: 'DELETE', path: '/issues' },
  input: z.object({ id: z.string() }), output: z.void(), exec: async () => {},
});
-- github/syncs/issues.ts --
import { createSync } from 'linkspan';
import * as z from 'zod';
export default createSync({
  description: 'Issues', frequency: 'every hour', models: { Issue: z.object({ id: z.string(), title: z.string() }) },
  metadata: z.object({ owner: z.string() }), autoStart: false, exec: async () => {},
});
-- slack/on-events/welcome.ts --
import { createOnEvent } from 'linkspan';
export default createOnEvent({ description: 'Says hello', event: 'post-connection-creation', exec: async () => {} });
`

// brokenFolder has one function that compiles and two that do not.
const brokenFolder = `
-- index.ts --
import './github/actions/fine';
import './github/actions/broken';
import './github/actions/lost';
-- github/actions/fine.ts --
export default async function run(nango) { return 1; }
-- github/actions/broken.ts --
export default async function run(nango) {
  const title = 'x
  return title;
}
-- github/actions/lost.ts --
import { title } from './text';
export default async function run(nango) { return title(nango.input); }
`

// someChanges is a plan with one of everything.
func someChanges() api.DeployConfirmation {
	return api.DeployConfirmation{
		NewActions:            []api.DeployAction{{Name: "create-issue", ProviderConfigKey: "github"}},
		UpdatedSyncs:          []api.DeploySync{{Name: "issues", ProviderConfigKey: "github", Connections: 12}},
		DeletedSyncs:          []api.DeploySync{{Name: "pull-requests", ProviderConfigKey: "github", Connections: 1}},
		DeletedOnEventScripts: []api.DeployEventName{{Name: "goodbye", ProviderConfigKey: "slack", Event: "pre-connection-deletion"}},
		DeletedModels:         []string{"Review", "PullRequest"},
	}
}

// manyChanges is a plan that nobody wants to read in full.
func manyChanges() api.DeployConfirmation {
	var c api.DeployConfirmation
	for i := range 60 {
		c.NewActions = append(c.NewActions, api.DeployAction{Name: fmt.Sprintf("new-%02d", i), ProviderConfigKey: "github"})
		c.UpdatedActions = append(c.UpdatedActions, api.DeployAction{Name: fmt.Sprintf("old-%02d", i), ProviderConfigKey: "github"})
		c.DeletedActions = append(c.DeletedActions, api.DeployAction{Name: fmt.Sprintf("out-%02d", i), ProviderConfigKey: "github"})
	}
	c.UpdatedActions = append(c.UpdatedActions, api.DeployAction{Name: "one", ProviderConfigKey: "slack"})
	return c
}

// oneAddition is a plan that loses nothing.
func oneAddition() api.DeployConfirmation {
	return api.DeployConfirmation{NewActions: []api.DeployAction{{Name: "create-issue", ProviderConfigKey: "github"}}}
}

func TestDeploy(t *testing.T) {
	t.Parallel()
	both := []string{"github", "slack"}
	cache := t.TempDir()
	warm, err := app.Sandbox(t.Context(), cache) // the cases find it compiled
	if err != nil {
		t.Fatal(err)
	}
	if err := warm.Close(); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name     string
		args     []string
		folder   string // deployFolder unless told
		server   *deployServer
		terminal bool
		answer   string
		code     int
	}{
		{name: "asked on a terminal", terminal: true, answer: "y\n", server: &deployServer{integrations: both, confirmation: someChanges()}},
		{name: "declined on a terminal", terminal: true, answer: "n\n", code: 11, server: &deployServer{integrations: both, confirmation: oneAddition()}},
		{name: "end of input on a terminal", terminal: true, code: 11, server: &deployServer{integrations: both, confirmation: oneAddition()}},
		{name: "asked although confirmed", terminal: true, answer: "yes\n", args: []string{"--auto-confirm"}, server: &deployServer{integrations: both, confirmation: someChanges()}},
		{name: "confirmed on a terminal", terminal: true, args: []string{"--auto-confirm"}, server: &deployServer{integrations: both, confirmation: oneAddition()}},
		{name: "nobody to ask", server: &deployServer{integrations: both, confirmation: oneAddition()}},
		{name: "nobody to ask about losses", code: 11, server: &deployServer{integrations: both, confirmation: someChanges()}},
		{name: "losses half confirmed", args: []string{"--auto-confirm"}, code: 11, server: &deployServer{integrations: both, confirmation: someChanges()}},
		{name: "losses confirmed", args: []string{"--auto-confirm", "--allow-destructive"}, server: &deployServer{integrations: both, confirmation: someChanges()}},
		{name: "many changes", args: []string{"--auto-confirm", "--allow-destructive"}, server: &deployServer{integrations: both, confirmation: manyChanges()}},
		{name: "nothing to do", terminal: true, server: &deployServer{integrations: both}},
		{name: "dry run", args: []string{"--dry-run"}, server: &deployServer{integrations: both, confirmation: someChanges()}},
		{name: "json", args: []string{"--json"}, server: &deployServer{integrations: both, confirmation: oneAddition()}},
		{name: "json of a dry run on a terminal", args: []string{"--json", "--dry-run"}, terminal: true, server: &deployServer{integrations: both, confirmation: someChanges()}},
		{name: "a label for all", args: []string{"--version", "2.0.0"}, server: &deployServer{integrations: both, confirmation: oneAddition()}},
		{name: "one function", args: []string{"--function", "github/create-issue"}, server: &deployServer{integrations: both, confirmation: oneAddition()}},
		{name: "one integration", args: []string{"--integration", "github"}, server: &deployServer{integrations: both, confirmation: oneAddition()}},
		{name: "no such function", args: []string{"--function", "create-isue"}, code: 2, server: &deployServer{integrations: both}},
		{name: "no such integration in the folder", args: []string{"--integration", "gitlab"}, code: 2, server: &deployServer{integrations: both}},
		{name: "an integration that the folder has nothing of", args: []string{"--integration", "gitlab", "--integration", "slack", "--auto-confirm", "--allow-destructive"}, server: &deployServer{integrations: append([]string{"gitlab"}, both...), confirmation: api.DeployConfirmation{
			DeletedActions: []api.DeployAction{{Name: "old", ProviderConfigKey: "gitlab"}},
		}}},
		{name: "an integration with nothing in it", args: []string{"--integration", "gitlab"}, server: &deployServer{integrations: append([]string{"gitlab"}, both...)}},
		{name: "integrations missing", code: 11, server: &deployServer{integrations: []string{}}},
		{name: "one integration missing", code: 11, server: &deployServer{integrations: []string{"github"}}},
		{name: "a key that may not look", server: &deployServer{confirmation: oneAddition()}},
		{name: "refused", code: 11, server: &deployServer{integrations: both, refuseWith: 400, refuse: `{"error":{"code":"invalid_body","errors":[{"code":"custom","message":"Too long","path":["flowConfigs",0,"runs"]}]}}`}},
		{name: "refused as json", args: []string{"--json"}, code: 11, server: &deployServer{integrations: both, refuseWith: 400, refuse: `{"error":{"code":"unknown_provider_config","message":"No \u001b[2J such"}}`}},
		{name: "another deploy goes on", code: 11, server: &deployServer{integrations: both, refuseWith: 409, refuse: `{"error":{"code":"concurrent_deployment","message":"Somebody else deploys."}}`}},
		{name: "does not compile", folder: brokenFolder, code: 10, server: &deployServer{integrations: both}},
		{name: "does not compile on a terminal", folder: brokenFolder, terminal: true, code: 10, server: &deployServer{integrations: both}},
		{name: "does not compile as json", folder: brokenFolder, args: []string{"--json"}, code: 10, server: &deployServer{integrations: both}},
		{name: "no index", folder: "-- x.ts --\n", code: 10, server: &deployServer{integrations: both}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			folder := tt.folder
			if folder == "" {
				folder = deployFolder
			}
			dir := testfile.Unpack(t, folder)
			server := httptest.NewServer(tt.server)
			defer server.Close()
			var stdout, stderr bytes.Buffer
			env := map[string]string{"LINKSPAN_HOST": server.URL, "LINKSPAN_SECRET_KEY_PROD": "key", "LINKSPAN_CACHE": cache}
			code := cli.Run(t.Context(), cli.System{
				Args:    append([]string{"deploy", "prod", "--dir", dir}, tt.args...),
				Environ: func(name string) string { return env[name] },
				Stdin:   strings.NewReader(tt.answer), Stdout: &stdout, Stderr: &stderr,
				IsTerminal: func(any) bool { return tt.terminal },
			}, authorServer())
			if code != tt.code {
				t.Errorf("exit code %d, not %d", code, tt.code)
			}
			tell := func(b *bytes.Buffer) string {
				text := strings.NewReplacer(server.URL, "http://localhost:3003", dir, "DIR").Replace(b.String())
				return strings.ReplaceAll(strings.ReplaceAll(text, "\x1b", "␛"), "\r", "␍")
			}
			got := fmt.Sprintf("$ linkspan deploy prod %s\n[%d]\n-- stdout --\n%s-- stderr --\n%s-- sent --\n%s",
				strings.Join(tt.args, " "), code, tell(&stdout), tell(&stderr), sent(tt.server.sent))
			golden(t, filepath.Join("testdata", "deploy", strings.ReplaceAll(tt.name, " ", "-")+".golden"), got)
		})
	}
}

// questionReader is the input of a person who is asked and presses Ctrl-C.
type questionReader struct {
	interrupt context.CancelFunc
	forever   chan struct{}
}

func (q questionReader) Read([]byte) (int, error) {
	q.interrupt()
	<-q.forever
	return 0, io.EOF
}

// A person who is asked may end the command instead of answering.
func TestDeployInterrupted(t *testing.T) {
	t.Parallel()
	api := &deployServer{integrations: []string{"github", "slack"}, confirmation: oneAddition()}
	server := httptest.NewServer(api)
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	in := questionReader{cancel, make(chan struct{})}
	defer close(in.forever)
	var stderr bytes.Buffer
	env := map[string]string{"LINKSPAN_HOST": server.URL, "LINKSPAN_SECRET_KEY_PROD": "key", "LINKSPAN_CACHE": t.TempDir()}
	code := cli.Run(ctx, cli.System{
		Args: []string{"deploy", "prod", "--dir", testfile.Unpack(t, deployFolder)}, Environ: func(name string) string { return env[name] },
		Stdin: in, Stdout: io.Discard, Stderr: &stderr, IsTerminal: func(any) bool { return true },
	}, authorServer())
	if code != 1 || !strings.HasSuffix(stderr.String(), "linkspan: interrupted: nothing was deployed\n") || len(api.sent) != 0 {
		t.Errorf("ended with %d, %d deploys, and said\n%s", code, len(api.sent), &stderr)
	}
}

// sent tells what was sent to be deployed, without the code.
func sent(all []api.Deploy) string {
	var b strings.Builder
	for _, d := range all {
		fmt.Fprintf(&b, "mode %s, reconcile %t, source %s\n", d.DeployMode, d.Reconcile, d.Source)
		if len(d.Integrations) > 0 {
			fmt.Fprintf(&b, "integrations %v\n", d.Integrations)
		}
		for _, f := range d.FlowConfigs {
			runs := "-"
			if f.Runs != nil {
				runs = *f.Runs
			}
			var schema []string
			if f.ModelsJSONSchema != nil {
				schema = slices.Sorted(maps.Keys(f.ModelsJSONSchema.Definitions))
			}
			fmt.Fprintf(&b, "%s %s/%s version=%q runs=%s auto=%t models=%v input=%v endpoints=%v schema=%v code=%t\n", f.Type, f.ProviderConfigKey, f.SyncName,
				f.Version, runs, f.AutoStart, f.Models, f.Input, f.Endpoints, schema, f.FileBody.JS != "" && f.FileBody.TS != "")
		}
		for _, o := range d.OnEventScriptsByProvider {
			for _, f := range o.Scripts {
				fmt.Fprintf(&b, "on-event %s/%s event=%s code=%t\n", o.ProviderConfigKey, f.Name, f.Event, f.FileBody.JS != "")
			}
		}
	}
	return b.String()
}

// golden compares a text with a file, or writes it with -update.
func golden(t *testing.T, file, got string) {
	t.Helper()
	testfile.Golden(t, *update, file, got)
}
