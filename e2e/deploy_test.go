package e2e

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan/internal/apptest"
)

// echoAction calls the fake SaaS, which answers with what it got.
const echoAction = `import { createAction } from 'nango';
import * as z from 'zod';
import { title } from '../../shared/text.js';

export default createAction({
    description: 'Says what the API was told',
    version: '1.2.3',
    input: z.object({ title: z.string(), times: z.number().int().min(1).default(1), fail: z.boolean().optional() }),
    output: z.object({ method: z.string(), target: z.string(), sent: z.unknown(), lines: z.array(z.string()) }),
    exec: async (nango, input) => {
        if (input.fail) {
            throw new nango.ActionError({ message: 'told to fail', title: input.title });
        }
        const { data } = await nango.post({ endpoint: '/echo', params: { q: 'a b' }, data: { title: title(input.title) } });
        const lines = Array.from({ length: input.times }, (_, i) => i + ' ' + title(input.title));
        return { method: data.method, target: data.target, sent: JSON.parse(data.body), lines };
    }
});
`

const sharedText = `export function title(text: string): string {
    return text.trim().toUpperCase();
}
`

// richSync says all that a sync can say of itself, and bareSync as little as one
// can.
const (
	richSync = `import { createSync } from 'nango';
import * as z from 'zod';

const Node = z.object({ id: z.string(), when: z.date().optional(), get children() { return z.array(Node); } });

export default createSync({
    description: 'All of it', version: '2.0.0', frequency: 'every 2 days', syncType: 'full', trackDeletes: true, autoStart: true,
    scopes: ['a', 'b'], webhookSubscriptions: ['x.*'], endpoints: [{ method: 'GET', path: '/nodes', group: 'Nodes' }],
    models: { Node }, metadata: z.object({ a: z.string().default('b') }), checkpoint: z.object({ cursor: z.string() }),
    exec: async (nango) => { await nango.saveCheckpoint({ cursor: 'x' }); },
    onWebhook: async () => {}
});
`
	bareSync = `import { createSync } from 'nango';
import * as z from 'zod';

export default createSync({
    description: '', frequency: 'every hour', models: { Bare: z.object({ id: z.string() }) }, exec: async () => {}
});
`
)

// deployWorld is an instance with the integration github and one connection in
// both environments, and a folder that the published CLI laid out.
type deployWorld struct {
	*apptest.Instance
	published publishedCLI
	saas      *apptest.SaaS
	dir       string
}

func newDeployWorld(t *testing.T) deployWorld {
	t.Helper()
	published := newPublishedCLI(t)
	world := apptest.NewWorld(t)
	i := apptest.Start(t, apptest.Options{Database: apptest.NewSQLite(t), ProvidersDir: world.ProvidersDir})
	for _, c := range []apptest.Client{i.Dev(t), i.Prod(t)} {
		world.Integrate(t, c, apptest.ProviderNone, "github")
		apptest.Import(t, c, "github", "octo", map[string]any{"type": "NONE"})
	}
	w := deployWorld{Instance: i, published: published, saas: world.SaaS, dir: published.project(t, i)}
	writeFiles(t, w.dir, map[string]string{
		"github/actions/echo.ts": echoAction, "shared/text.ts": sharedText,
		"github/syncs/rich.ts": richSync, "github/syncs/bare.ts": bareSync,
		"index.ts": readFile(t, w.dir, "index.ts") + "import './github/actions/echo.js';\nimport './github/syncs/rich.js';\nimport './github/syncs/bare.js';\n",
	})
	return w
}

// deployed lists the functions of an environment as "type name@version".
func deployed(t *testing.T, c apptest.Client) []string {
	t.Helper()
	var configs []struct {
		Syncs, Actions []struct{ Type, Name, Version string }
		OnEvents       []struct{ Name, Version string } `json:"on-events"`
	}
	c.Do(t, http.MethodGet, "/scripts/config", nil).Want(t, http.StatusOK).Into(t, &configs)
	names := []string{}
	for _, config := range configs {
		for _, f := range slices.Concat(config.Syncs, config.Actions) {
			names = append(names, f.Type+" "+f.Name+"@"+f.Version)
		}
		for _, f := range config.OnEvents {
			names = append(names, "on-event "+f.Name+"@"+f.Version)
		}
	}
	slices.Sort(names)
	return names
}

func wantDeployed(t *testing.T, c apptest.Client, want ...string) {
	t.Helper()
	if diff := cmp.Diff(append([]string{}, want...), deployed(t, c)); diff != "" {
		t.Errorf("what is deployed (-want +got)\n%s", diff)
	}
}

// The functions of the folder, as deployed lists them.
const (
	echoFunction   = "action echo@1.2.3"
	issueFunction  = "action createIssue@1.0.0"
	issuesFunction = "sync fetchIssues@1.0.0"
)

// The published CLI deploys a folder to one environment, ours the same folder to
// the other. Both environments are then the same.
func TestDeployOfBothCLIs(t *testing.T) {
	t.Parallel()
	w := newDeployWorld(t)
	w.published.must(t, w.dir, w.Instance, "deploy", "dev", "--auto-confirm")
	mustLinkspan(t, w.Instance, "deploy", "prod", "--auto-confirm", "--dir", w.dir)

	theirs, ours := scriptsConfig(t, w.Dev(t)), scriptsConfig(t, w.Prod(t))
	if diff := cmp.Diff(theirs, ours); diff != "" {
		t.Errorf("the definitions differ (-published +linkspan)\n%s", diff)
	}
	text, err := json.Marshal(theirs)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"createIssue"`, `"every hour"`, `"rich"`, `"#/definitions/Node"`, `"checkpoints"`, `"date-time"`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("too little is deployed, there is no %s: %s", want, text)
		}
	}
	sameResults(t, w)
	pulled(t, w)

	// Again, from either tool: nothing changes.
	before := deployed(t, w.Dev(t))
	stdout := mustLinkspan(t, w.Instance, "deploy", "prod", "--dir", w.dir)
	if !strings.Contains(stdout, "prod is up to date") {
		t.Errorf("a second deploy found changes:\n%s", stdout)
	}
	w.published.must(t, w.dir, w.Instance, "deploy", "dev", "--auto-confirm")
	wantDeployed(t, w.Dev(t), before...)
}

// scriptsConfig is GET /scripts/config without what differs between two deploys
// of the same folder.
func scriptsConfig(t *testing.T, c apptest.Client) any {
	t.Helper()
	var configs []map[string]any
	c.Do(t, http.MethodGet, "/scripts/config", nil).Want(t, http.StatusOK).Into(t, &configs)
	for _, config := range configs {
		for _, kind := range []string{"syncs", "actions", "on-events"} {
			list, _ := config[kind].([]any)
			for _, one := range list {
				function, _ := one.(map[string]any)
				delete(function, "id")
				delete(function, "last_deployed")
				delete(function, "sdk_version")
				if kind == "on-events" {
					// The published CLI does not send what these say of themselves.
					for _, field := range []string{"description", "version", "json_schema", "scopes"} {
						delete(function, field)
					}
				}
			}
			slices.SortFunc(list, func(a, b any) int {
				return strings.Compare(nameOf(a), nameOf(b))
			})
		}
	}
	return configs
}

func nameOf(function any) string {
	fields, _ := function.(map[string]any)
	name, _ := fields["name"].(string)
	return name
}

// sameResults triggers actions that both CLIs deployed, and compares.
func sameResults(t *testing.T, w deployWorld) {
	t.Helper()
	trigger := func(c apptest.Client, action, input string) apptest.Reply {
		return c.Do(t, http.MethodPost, "/action/trigger", `{"action_name":"`+action+`","input":`+input+`}`,
			"Provider-Config-Key", "github", "Connection-Id", "octo")
	}
	want := `{"method":"POST","target":"/echo?q=a+b","sent":{"title":"HELLO"},"lines":["0 HELLO","1 HELLO"]}`
	for _, c := range []apptest.Client{w.Dev(t), w.Prod(t)} {
		got := trigger(c, "echo", `{"title":" hello ","times":2}`).Want(t, http.StatusOK)
		if diff := cmp.Diff(decoded(t, []byte(want)), decoded(t, got.Body)); diff != "" {
			t.Errorf("the result of the action (-want +got)\n%s", diff)
		}
	}
	for _, tt := range []struct{ action, input string }{
		{"echo", `{"title":"x","fail":true}`}, // its own error
		{"echo", `{"title":7}`},               // input that the schema refuses
		{"createIssue", `{"title":"x"}`},      // the same
		{"missing", `{}`},
	} {
		theirs, ours := trigger(w.Dev(t), tt.action, tt.input), trigger(w.Prod(t), tt.action, tt.input)
		if theirs.Status < 400 || theirs.Status != ours.Status {
			t.Errorf("%s %s: %d and %d", tt.action, tt.input, theirs.Status, ours.Status)
		}
		if diff := cmp.Diff(decoded(t, theirs.Body), decoded(t, ours.Body)); diff != "" {
			t.Errorf("%s %s differs (-published +linkspan)\n%s", tt.action, tt.input, diff)
		}
	}
}

func decoded(t *testing.T, body []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatalf("decoding %q: %v", body, err)
	}
	return v
}

// pulled gets sources back with the published CLI, of functions that either CLI
// deployed.
func pulled(t *testing.T, w deployWorld) {
	t.Helper()
	dir := w.published.project(t, w.Instance)
	for _, f := range []struct{ name, file, flag, environment string }{
		{"echo", "github/actions/echo.ts", "--action", "dev"},
		{"fetchIssues", "github/syncs/fetchIssues.ts", "--sync", "prod"},
		{"pre-connection-deletion", "github/on-events/pre-connection-deletion.ts", "--on-event", "prod"},
	} {
		writeFiles(t, dir, map[string]string{f.file: "changed"})
		w.published.must(t, dir, w.Instance, "pull", "github", f.name, f.flag, "-e", f.environment, "--force")
		if diff := cmp.Diff(readFile(t, w.dir, f.file), readFile(t, dir, f.file)); diff != "" {
			t.Errorf("%s of %s (-folder +pulled)\n%s", f.name, f.environment, diff)
		}
	}
	out, code := w.published.run(t, dir, w.Instance, "pull", "github", "nothing", "-e", "dev", "--force")
	if code == 0 || !strings.Contains(out, "nothing") {
		t.Errorf("pulling what is not there ended with %d:\n%s", code, out)
	}
}

// The narrower deploys of the published CLI, and what it removes. Each takes it
// seconds, so that one shows several things.
func TestPublishedCLIChanges(t *testing.T) {
	t.Parallel()
	w := newDeployWorld(t)
	dev := w.Dev(t)
	deploy := func(args ...string) {
		t.Helper()
		w.published.must(t, w.dir, w.Instance, append([]string{"deploy", "dev", "--auto-confirm"}, args...)...)
	}
	onEvent, bare, rich := "on-event pre-connection-deletion@1", "sync bare@1", "sync rich@2.0.0"
	mustLinkspan(t, w.Instance, "deploy", "dev", "--dir", w.dir)
	wantDeployed(t, dev, issueFunction, echoFunction, onEvent, bare, issuesFunction, rich)

	// One function, with a label: the others stay as they are, those gone from
	// index.ts too.
	index := readFile(t, w.dir, "index.ts")
	writeFiles(t, w.dir, map[string]string{
		"github/actions/echo.ts": strings.Replace(echoAction, "Says what", "Tells what", 1),
		"index.ts":               strings.Replace(index, "import './github/actions/createIssue.js';\n", "", 1),
	})
	deploy("--action", "echo", "--version", "9.9.9")
	echo := "action echo@9.9.9"
	wantDeployed(t, dev, issueFunction, echo, onEvent, bare, issuesFunction, rich)

	// One integration: what is gone from it goes. Its own label counts again.
	// What two tools make of a function differs, and is a new version.
	deploy("--integration", "github")
	onEvent, bare = "on-event pre-connection-deletion@2", "sync bare@2"
	wantDeployed(t, dev, echoFunction, onEvent, bare, issuesFunction, rich)

	// A sync with connections goes only when that is allowed.
	writeFiles(t, w.dir, map[string]string{"index.ts": "import './github/actions/echo.js';\n"})
	if out, code := w.published.run(t, w.dir, w.Instance, "deploy", "dev", "--auto-confirm"); code == 0 {
		t.Errorf("a destructive deploy went through unconfirmed:\n%s", out)
	}
	wantDeployed(t, dev, echoFunction, onEvent, bare, issuesFunction, rich)

	// An integration that is not there: nothing is deployed, and nothing removed.
	writeFiles(t, w.dir, map[string]string{
		"nowhere/actions/echo.ts": echoAction, "index.ts": "import './nowhere/actions/echo.js';\n",
	})
	out, code := w.published.run(t, w.dir, w.Instance, "deploy", "dev", "--auto-confirm", "--allow-destructive")
	if code != 11 || !strings.Contains(out, "unknown_provider_config") {
		t.Errorf("a deploy to an integration that is not there ended with %d:\n%s", code, out)
	}
	wantDeployed(t, dev, echoFunction, onEvent, bare, issuesFunction, rich)

	// An integration that the folder has nothing of any more is emptied.
	deploy("--integration", "github", "--allow-destructive")
	wantDeployed(t, dev)

	// It told the server of each command, which is all the same to the server.
	if !strings.Contains(w.Logs(), "/cli/telemetry") {
		t.Error("no telemetry reached the server: the test shows less than it should")
	}
	w.Anonymous(t).Do(t, http.MethodPost, "/cli/telemetry",
		`{"deviceId":"0b8aa8a5-5f0e-4f8e-9a37-4c1ddc7e1d3a","event":"cli:deploy","ephemeral":false}`).Want(t, http.StatusNoContent)
}

// seedAction is the smallest function there is: no package.json, no wrapper, no
// schema.
const seedAction = `export default async function run(nango) {
  const { owner, repo, title, body } = nango.input;
  const response = await nango.post({ endpoint: ` + "`/repos/${owner}/${repo}/issues`" + `, data: { title, body } });
  return response.data;
}
`

// The life of a folder that holds nothing but functions, with our own CLI.
func TestLinkspanDeploy(t *testing.T) {
	t.Parallel()
	for name, open := range apptest.Databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			world := apptest.NewWorld(t)
			i := apptest.Start(t, apptest.Options{Database: open(t), ProvidersDir: world.ProvidersDir})
			dev := i.Dev(t)
			dir := t.TempDir()
			writeFiles(t, dir, map[string]string{
				"index.ts": "import './github/actions/create-issue';\n", "github/actions/create-issue.ts": seedAction,
			})

			_, stderr, code := tryLinkspan(t, i, "deploy", "dev", "--dir", dir)
			if code != 11 || !strings.Contains(stderr, `There is no integration "github" in dev`) || !strings.Contains(stderr, "linkspan integrations create github --key github --env dev") {
				t.Errorf("a deploy without the integration ended with %d:\n%s", code, stderr)
			}
			world.Integrate(t, dev, apptest.ProviderNone, "github")
			apptest.Import(t, dev, "github", "octo", map[string]any{"type": "NONE"})
			mustLinkspan(t, i, "deploy", "dev", "--dir", dir)
			wantDeployed(t, dev, "action create-issue@1")
			wantIssue(t, dev, "target", "/repos/acme/shop/issues")

			second := strings.Replace(seedAction, "return response.data;", "return { second: response.data.body };", 1)
			writeFiles(t, dir, map[string]string{"github/actions/create-issue.ts": second})
			mustLinkspan(t, i, "deploy", "dev", "--dir", dir, "--dry-run")
			wantDeployed(t, dev, "action create-issue@1")
			mustLinkspan(t, i, "deploy", "dev", "--dir", dir)
			wantDeployed(t, dev, "action create-issue@2")
			wantIssue(t, dev, "second", `{"title":"It broke","body":"Badly"}`)
			mustLinkspan(t, i, "rollback", "dev", "github/create-issue")
			wantDeployed(t, dev, "action create-issue@1")
			wantIssue(t, dev, "target", "/repos/acme/shop/issues")
			mustLinkspan(t, i, "rollback", "dev", "github/create-issue", "--to", "2")
			wantDeployed(t, dev, "action create-issue@2")
			versions := mustLinkspan(t, i, "functions", "versions", "dev", "github/create-issue")
			if strings.Count(versions, "\n") != 3 || !strings.Contains(versions, "*  2") {
				t.Errorf("two versions are listed as\n%s", versions)
			}
			switched(t, i)

			writeFiles(t, dir, map[string]string{"index.ts": "export {};\n"})
			_, stderr, code = tryLinkspan(t, i, "deploy", "dev", "--dir", dir, "--auto-confirm")
			if code != 11 || !strings.Contains(stderr, "--allow-destructive") {
				t.Errorf("a removal that nobody allowed ended with %d:\n%s", code, stderr)
			}
			wantDeployed(t, dev, "action create-issue@2")
			mustLinkspan(t, i, "deploy", "dev", "--dir", dir, "--integration", "github", "--auto-confirm", "--allow-destructive")
			wantDeployed(t, dev)
		})
	}
}

// wantIssue triggers the action and looks at one field of its result.
func wantIssue(t *testing.T, c apptest.Client, field, want string) {
	t.Helper()
	got := c.Do(t, http.MethodPost, "/action/trigger",
		`{"action_name":"create-issue","input":{"owner":"acme","repo":"shop","title":"It broke","body":"Badly"}}`,
		"Provider-Config-Key", "github", "Connection-Id", "octo").Want(t, http.StatusOK).Map(t)
	if got[field] != want {
		t.Errorf("the action answered %v; %s should be %s", got, field, want)
	}
}

// switched switches the one function off and on, and looks at it.
func switched(t *testing.T, i *apptest.Instance) {
	t.Helper()
	for _, want := range []struct{ command, state string }{{"disable", "off"}, {"enable", "on"}} {
		mustLinkspan(t, i, "functions", want.command, "dev", "github/create-issue")
		list := mustLinkspan(t, i, "functions", "list", "dev")
		if !strings.Contains(list, "github/create-issue  action  2        "+want.state) {
			t.Errorf("after %s the list is\n%s", want.command, list)
		}
	}
}

// A folder that does not compile deploys nothing and says where it is wrong.
func TestLinkspanDeployOfBrokenFolder(t *testing.T) {
	t.Parallel()
	world := apptest.NewWorld(t)
	i := apptest.Start(t, apptest.Options{Database: apptest.NewSQLite(t), ProvidersDir: world.ProvidersDir})
	world.Integrate(t, i.Dev(t), apptest.ProviderNone, "github")
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{
		"index.ts":                       "import './github/actions/create-issue';\nimport './github/actions/broken';\n",
		"github/actions/create-issue.ts": seedAction,
		"github/actions/broken.ts":       "export default async function run(nango) {\n  const = 1;\n}\n",
	})
	stdout, stderr, code := tryLinkspan(t, i, "deploy", "dev", "--dir", dir, "--json")
	if code != 10 || !strings.Contains(stderr, "github/actions/broken.ts:2:") {
		t.Errorf("a broken folder ended with %d:\n%s", code, stderr)
	}
	var report struct {
		Deployed bool
		Problems []struct {
			File string
			Line int
		}
	}
	if err := json.Unmarshal([]byte(stdout), &report); err != nil {
		t.Fatalf("reading %q: %v", stdout, err)
	}
	if report.Deployed || len(report.Problems) != 1 || report.Problems[0].Line != 2 {
		t.Errorf("the report is %+v", report)
	}
	wantDeployed(t, i.Dev(t))
}
