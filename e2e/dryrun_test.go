package e2e

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan/internal/apptest"
	"github.com/linkspan/linkspan/internal/cli"
	"github.com/linkspan/linkspan/internal/testfile"
)

// update writes what is printed into the golden files.
var update = flag.Bool("update", false, "write what is printed into the golden files")

// plainFunction is one without a definition.
func plainFunction(body string) string {
	return "export default async function run(nango: any) {\n" + body + "\n}\n"
}

// dryrunFunctions is a folder of functions for Ticketry that are tried.
func dryrunFunctions() map[string]string {
	files := map[string]string{
		"desk-key/actions/open.ts": `import { createAction } from "linkspan";
import * as z from "zod";

export default createAction({
	description: "Opens a ticket",
	input: z.object({ title: z.string().min(1) }),
	output: z.object({ title: z.string(), user: z.string() }),
	exec: async (nango, input) => {
		await nango.log("opening", { title: input.title });
		const me = await nango.get({ endpoint: "/me", params: { fields: ["id", "name"] } });
		const { data } = await nango.post({ endpoint: "/tickets", data: { subject: input.title, priority: "low" }, headers: { "x-reason": "test" } });
		return { title: data.subject, user: typeof me.data.user.id };
	},
});
`,
		"desk-key/actions/bad-output.ts": `import { createAction } from "linkspan";
import * as z from "zod";
export default createAction({ description: "Returns something else", input: z.void(), output: z.object({ id: z.string() }), exec: async () => ({ id: 5 }) as any });
`,
		"desk-key/actions/secrets.ts": plainFunction(`	const connection = await nango.getConnection();
	const key = connection.credentials.apiKey;
	await nango.log("the key is " + key, { key, encoded: Buffer.from(key).toString("base64") });
	const { data } = await nango.get({ endpoint: "/me", params: { copy: key }, headers: { "x-copy": "k:" + key } });
	const stolen = nango.input;
	await nango.uncontrolledFetch({ url: ECHO, method: "POST", body: JSON.stringify(stolen) });
	return { key, user: typeof data.user.id, metadata: await nango.getMetadata(), stolen };`),
		"desk-key/actions/metadata.ts": plainFunction(`	const before = await nango.getMetadata();
	await nango.updateMetadata({ touched: true });
	return before;`),
		"desk-key/actions/missing.ts": plainFunction(`	await nango.log("looking", { level: "warn" });
	return (await nango.get({ endpoint: "/tickets/999999" })).data;`),
		"desk-key/actions/throws.ts": plainFunction(`	throw new nango.ActionError({ message: "No such folder", folder: nango.input?.folder });`),
		"desk-key/actions/bug.ts": plainFunction(`	const list: any = undefined;
	return list.length;`),
		"desk-key/actions/spins.ts": plainFunction(`	for (;;) {}`),
		"desk-key/actions/grows.ts": plainFunction(`	const all: string[] = [];
	for (;;) all.push("x".repeat(1 << 20) + all.length);`),
		"desk-key/actions/unreachable.ts": plainFunction(`	try {
		return (await nango.get({ endpoint: "/x", baseUrlOverride: CLOSED })).status;
	} catch (e: any) {
		return { code: e.code, answered: e.response !== undefined };
	}`),
		"desk-key/actions/others.ts": plainFunction(`	await nango.triggerSync(nango.providerConfigKey, nango.connectionId, "tickets", {});
	await nango.startSync(nango.providerConfigKey, ["tickets::eu"], nango.connectionId);
	const integration = await nango.getIntegration();
	return { provider: integration.provider, webhook: await nango.getWebhookURL(), variables: (await nango.getEnvironmentVariables()).length, name: nango.environmentName };`),
		"desk-key/actions/twice.ts":    plainFunction(`	return "the action";`),
		"desk-key/actions/broken.ts":   "export default async function run(nango: any) {\n\tconst title = 'x\n}\n",
		"desk-basic/actions/whoami.ts": plainFunction(`	return typeof (await nango.get({ endpoint: "/me" })).data.user.id;`),
		"desk-key/actions/whoami.ts":   plainFunction(`	return typeof (await nango.get({ endpoint: "/me" })).data.user.id;`),
		"desk-key/actions/nested.ts": plainFunction(`	const one = await nango.triggerAction("open", { title: "nested" });
	try {
		await nango.triggerAction(nango.providerConfigKey, nango.connectionId, "missing", {});
	} catch (e: any) {
		return { title: one.title, code: e.code, upstream: e.upstream?.status };
	}`),
		"desk-key/syncs/twice.ts": `import { createSync } from "linkspan";
export default createSync({ description: "Has the name of an action", frequency: "every hour", models: {}, exec: async () => {} });
`,
		"desk-key/syncs/reads.ts": `import { createSync } from "linkspan";
import * as z from "zod";
export default createSync({ description: "Reads what is there", frequency: "every hour", models: { Ticket: z.object({ id: z.string() }) },
	exec: async (nango) => {
		const found = await nango.getRecordsByIds(["1", "2"], "Ticket");
		let listed = 0;
		for await (const _ of nango.listRecords("Ticket")) listed++;
		await nango.log("found " + found.size + ", listed " + listed);
	} });
`,
		"desk-key/on-events/welcome.ts": `import { createOnEvent } from "linkspan";
export default createOnEvent({ description: "Says hello", event: "post-connection-creation", exec: async (nango) => { await nango.log("hello " + nango.connectionId); } });
`,
		"desk-key/syncs/tickets.ts": `import { createSync } from "linkspan";
import * as z from "zod";

export default createSync({
	description: "Tickets",
	frequency: "every hour",
	models: { Ticket: z.object({ id: z.string(), subject: z.string() }) },
	checkpoint: z.object({ pages: z.number() }),
	exec: async (nango) => {
		let pages = (await nango.getCheckpoint())?.pages ?? 0;
		const settings = { type: "cursor", response_path: "data", cursor_name_in_request: "cursor", cursor_path_in_response: "next_cursor", limit_name_in_request: "limit", limit: 20 } as const;
		for await (const page of nango.paginate<any>({ endpoint: "/tickets", paginate: settings })) {
			await nango.batchSave(page.map((t) => ({ id: String(t.id), subject: t.subject })), "Ticket");
			await nango.saveCheckpoint({ pages: ++pages });
			if (pages % 3 === 0) break;
		}
		await nango.batchDelete([{ id: "gone", subject: "" }], "Ticket");
		console.log(nango.variant, nango.lastSyncDate instanceof Date ? nango.lastSyncDate.toISOString() : "never");
	},
	onWebhook: async (nango, payload: any) => {
		await nango.batchSave([{ id: payload.id, subject: "from a webhook" }], "Ticket");
	},
});
`,
		"desk-key/syncs/invalid.ts": `import { createSync } from "linkspan";
import * as z from "zod";
export default createSync({ description: "Saves what is no ticket", frequency: "every hour", models: { Ticket: z.object({ id: z.string(), subject: z.string() }) },
	exec: async (nango) => { await nango.batchSave([{ id: "1", subject: 5 as any }], "Ticket"); } });
`,
	}
	return files
}

// dryrunWorld is an instance with Ticketry behind it, and a folder of functions.
type dryrunWorld struct {
	instance *apptest.Instance
	desk     *apptest.Desk
	saas     *apptest.SaaS
	// closed is a URL where nobody listens, silent one that is not answered.
	closed, silent string
	dir, cache     string
}

func newDryrunWorld(t *testing.T, more ...map[string]string) *dryrunWorld {
	t.Helper()
	w := &dryrunWorld{desk: apptest.NewDesk(t), saas: apptest.NewSaaS(t), dir: t.TempDir(), cache: t.TempDir()}
	w.instance = apptest.Start(t, apptest.Options{Database: apptest.NewSQLite(t), ProvidersDir: w.desk.ProvidersDir})
	w.desk.Open(t, w.instance)
	dev := w.instance.Dev(t)
	key := map[string]any{"type": "API_KEY", "apiKey": w.desk.APIKey}
	apptest.Import(t, dev, "desk-key", "c1", key)
	apptest.Import(t, dev, "desk-key", "both", key)
	apptest.Import(t, dev, "desk-basic", "both", map[string]any{"type": "BASIC", "username": w.desk.Username, "password": w.desk.Password})
	apptest.Import(t, dev, "desk-basic", "b1", map[string]any{"type": "BASIC", "username": w.desk.Username, "password": w.desk.Password})
	dev.Do(t, http.MethodPost, "/connections/metadata", map[string]any{
		"provider_config_key": "desk-key", "connection_id": "c1", "metadata": map[string]any{"folder": "inbox", "apiToken": "metadata-token-1"},
	}).Want(t, http.StatusCreated)
	w.closed, w.silent = closedURL(), silentURL(t)
	var index strings.Builder
	files := dryrunFunctions()
	for _, m := range more {
		maps.Copy(files, m)
	}
	for name, text := range files {
		text = strings.NewReplacer("ECHO", fmt.Sprintf("%q", w.saas.URL+"/echo"), "CLOSED", fmt.Sprintf("%q", w.closed), "SILENT", fmt.Sprintf("%q", w.silent)).Replace(text)
		file := filepath.Join(w.dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&index, "import \"./%s\";\n", strings.TrimSuffix(name, ".ts"))
	}
	if err := os.WriteFile(filepath.Join(w.dir, "index.ts"), []byte(index.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return w
}

// closedURL is one where nobody listens any more.
func closedURL() string {
	s := httptest.NewServer(nil)
	defer s.Close()
	return s.URL
}

// silentURL is one that is not answered until the test ends.
func silentURL(t *testing.T) string {
	t.Helper()
	ended := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-ended }))
	t.Cleanup(func() {
		close(ended)
		s.Close()
	})
	return s.URL
}

// ran is a command that has ended.
type ran struct {
	code           int
	stdout, stderr string
}

// run runs a command of the folder.
func (w *dryrunWorld) run(t *testing.T, terminal bool, stdin string, args ...string) ran {
	t.Helper()
	return w.runWith(t, w.instance.Keys.Dev, terminal, stdin, args...)
}

// runWith is run with another key of the environment dev.
func (w *dryrunWorld) runWith(t *testing.T, key string, terminal bool, stdin string, args ...string) ran {
	t.Helper()
	return w.runPlainly(t, key, terminal, stdin, append([]string{args[0], "--dir", w.dir}, args[1:]...)...)
}

// runPlainly runs a command line as it is.
func (w *dryrunWorld) runPlainly(t *testing.T, key string, terminal bool, stdin string, args ...string) ran {
	t.Helper()
	var stdout, stderr bytes.Buffer
	env := map[string]string{
		"LINKSPAN_HOST": w.instance.URL, "LINKSPAN_SECRET_KEY_DEV": key, "LINKSPAN_SECRET_KEY_STAGING": key, "LINKSPAN_CACHE": w.cache,
	}
	code := cli.Run(t.Context(), cli.System{
		Args: args, Environ: func(name string) string { return env[name] },
		Stdin: strings.NewReader(stdin), Stdout: &stdout, Stderr: &stderr, IsTerminal: func(any) bool { return terminal },
	}, apptest.Server())
	return ran{code, w.stable(stdout.String()), w.stable(stderr.String())}
}

// stable replaces what is other in each run.
func (w *dryrunWorld) stable(text string) string {
	text = strings.NewReplacer(w.instance.URL, "http://localhost:3003", w.desk.URL, "http://desk", w.saas.URL, "http://saas", w.closed, "http://closed", strings.TrimPrefix(w.saas.URL, "http://"), "saas", w.dir, "DIR", "\x1b", "␛", "\r", "␍").Replace(text)
	text = strings.ReplaceAll(text, strings.TrimPrefix(w.dir, "/"), "DIR")
	text = regexp.MustCompile(`/webhook/[0-9a-f-]{36}`).ReplaceAllString(text, "/webhook/UUID")
	text = regexp.MustCompile(`http://localhost:\d+/webhook`).ReplaceAllString(text, "http://localhost:3003/webhook")
	text = regexp.MustCompile(`\b\d+(\.\d+)? (B|kB|MB)\b`).ReplaceAllString(text, "SIZE")
	text = regexp.MustCompile(`\b[0-9.]+(ms|µs|s)\b`).ReplaceAllString(text, "TIME")
	text = regexp.MustCompile(`"20[0-9-]{8}T[0-9:.]+(Z|\+00:00)"`).ReplaceAllString(text, `"MOMENT"`)
	text = regexp.MustCompile(`cursor=[A-Za-z0-9_%-]+`).ReplaceAllString(text, "cursor=CURSOR")
	return regexp.MustCompile(`"(wall_ms|cpu_ms|memory_bytes|sent_bytes|received_bytes)": [0-9.]*[1-9][0-9.]*`).ReplaceAllString(text, `"$1": SOME`)
}

func TestDryRun(t *testing.T) { //nolint:tparallel // what earlier cases open is there in later ones
	t.Parallel()
	w := newDryrunWorld(t)
	for i, tt := range []struct {
		name     string
		args     []string
		terminal bool
		stdin    string
	}{
		{name: "sync", args: []string{"tickets", "c1", "--type", "sync"}},
		{name: "sync from a checkpoint", args: []string{"tickets", "c1", "--type", "sync", "-c", `{"pages":2}`, "-l", "2026-01-31", "--variant", "eu"}},
		{name: "action", args: []string{"open", "c1", "-i", `{"title":"It broke"}`}},
		{name: "action as json", args: []string{"open", "c1", "-i", `{"title":"It broke"}`, "--json", "--diagnostics"}},
		{name: "action on a terminal", terminal: true, args: []string{"desk-key/open", "c1", "-i", `{"title":"It broke"}`, "--diagnostics"}},
		{name: "input from stdin", stdin: `{"title":"From stdin"}`, args: []string{"open", "c1", "--input", "-"}},
		{name: "input that is no json", args: []string{"open", "c1", "-i", `{"title":`}},
		{name: "input from no file", args: []string{"open", "c1", "-i", "@nowhere.json"}},
		{name: "invalid input", args: []string{"open", "c1", "-i", `{"title":""}`, "--validate"}},
		{name: "invalid output", args: []string{"bad-output", "c1", "--validate"}},
		{name: "invalid record", args: []string{"invalid", "c1", "--validate"}},
		{name: "input for a sync", args: []string{"invalid", "c1", "-i", "{}"}},
		{name: "sync as json", args: []string{"invalid", "c1", "--json"}},
		{name: "sync that reads", args: []string{"reads", "c1"}},
		{name: "webhook", args: []string{"tickets", "c1", "--type", "sync", "--webhook", `{"id":"w1"}`}},
		{name: "no onWebhook", args: []string{"invalid", "c1", "--webhook", "{}"}},
		{name: "on-event", args: []string{"welcome", "c1"}},
		{name: "secrets", args: []string{"secrets", "c1", "--json", "-i", `{"access_token":"at-0123456789"}`}},
		{name: "metadata", args: []string{"metadata", "both", "--integration-id", "desk-key", "-m", `{"stubbed":1}`}},
		{name: "others", args: []string{"others", "c1"}},
		{name: "answered 404", args: []string{"missing", "c1"}},
		{name: "answered 404 as json", args: []string{"missing", "c1", "--json"}},
		{name: "ActionError", args: []string{"throws", "c1", "-i", `{"folder":"x"}`}},
		{name: "bug", args: []string{"bug", "c1"}},
		{name: "hangs", args: []string{"spins", "c1", "--timeout", "300ms"}},
		{name: "eats memory", args: []string{"grows", "c1"}},
		{name: "no answer", args: []string{"unreachable", "c1"}},
		{name: "does not compile", args: []string{"broken", "c1"}},
		{name: "does not compile as json", args: []string{"broken", "c1", "--json"}},
		{name: "unknown function", args: []string{"opne", "c1"}},
		{name: "unknown function of an integration", args: []string{"desk-keys/open", "c1"}},
		{name: "nothing like it", args: []string{"completely-different", "c1"}},
		{name: "missing connection", args: []string{"open", "nobody"}},
		{name: "missing connection as json", args: []string{"open", "nobody", "--json"}},
		{name: "missing integration", args: []string{"desk-key/open", "c1", "--integration-id", "desk-keys"}},
		{name: "connection of another integration", args: []string{"open", "b1"}},
		{name: "run for another integration", args: []string{"desk-key/whoami", "b1", "--integration-id", "desk-basic"}},
		{name: "inferred", args: []string{"whoami", "b1"}},
		{name: "ambiguous", args: []string{"whoami", "both"}},
		{name: "ambiguous on a terminal", terminal: true, stdin: "2\n", args: []string{"whoami", "both"}},
		{name: "two types", args: []string{"twice", "c1"}},
		{name: "one of two types", args: []string{"twice", "c1", "--type", "action"}},
		{name: "nothing given", args: nil},
		{name: "nothing given on a terminal", terminal: true, stdin: "desk-key/whoami\nnonsense\nc1\n"},
		{name: "no connection given", args: []string{"open"}},
		{name: "key of another environment", args: []string{"open", "c1", "-e", "staging"}},
		{name: "no key", args: []string{"open", "c1", "-e", "prod"}},
		{name: "wrong type", args: []string{"open", "c1", "--type", "job"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if apptest.UnderRace && i%5 != 0 {
				t.Skip("each starts a sandbox of its own, which takes long here")
			}
			got := w.run(t, tt.terminal, tt.stdin, append([]string{"dryrun"}, tt.args...)...)
			text := fmt.Sprintf("$ linkspan dryrun %s\n[%d]\n-- stdout --\n%s-- stderr --\n%s", strings.Join(tt.args, " "), got.code, got.stdout, got.stderr)
			for _, secret := range []string{w.desk.APIKey, w.desk.Password, "metadata-token-1"} {
				if strings.Contains(text, secret) && tt.name != "secrets" {
					t.Errorf("a secret was shown")
				}
			}
			dryrunGolden(t, tt.name, strings.ReplaceAll(text, w.desk.APIKey, "APIKEY"))
		})
	}
	if apptest.UnderRace {
		return
	}
	var connection struct{ Metadata map[string]any }
	w.instance.Dev(t).Do(t, http.MethodGet, "/connections/both?provider_config_key=desk-key", nil).Want(t, http.StatusOK).Into(t, &connection)
	if diff := cmp.Diff(map[string]any{"touched": true}, connection.Metadata); diff != "" {
		t.Errorf("metadata written in a dry run (-want +got):\n%s", diff)
	}
}

func dryrunGolden(t *testing.T, name, got string) {
	t.Helper()
	testfile.Golden(t, *update, filepath.Join("testdata", "dryrun", strings.ReplaceAll(name, " ", "-")+".golden"), got)
}

// What was recorded replays, and holds no secrets.
func TestDryRunSave(t *testing.T) {
	t.Parallel()
	w := newDryrunWorld(t)
	for _, args := range [][]string{
		{"open", "c1", "-i", `{"title":"It broke"}`},
		{"tickets", "c1", "--type", "sync"},
		{"secrets", "c1", "-i", `{"access_token":"at-0123456789","inner":[{"clientSecret":"cs-0123456789"}]}`},
	} {
		got := w.run(t, false, "", append([]string{"dryrun", "--save"}, args...)...)
		if got.code != 0 {
			t.Errorf("%v ended with %d:\n%s", args, got.code, got.stderr)
		}
		if strings.Contains(got.stderr, "comes out differently") {
			t.Errorf("%v does not replay:\n%s", args, got.stderr)
		}
		file := filepath.Join(w.dir, "desk-key", "tests", args[0]+".test.json")
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{w.desk.APIKey, w.desk.Password, w.instance.Keys.Dev, "metadata-token-1", "at-0123456789", "cs-0123456789", "uthorization", "et-cookie"} {
			if strings.Contains(string(text), secret) {
				t.Errorf("%v recorded the secret %q", args, secret)
			}
		}
		if !json.Valid(text) {
			t.Errorf("%v recorded no JSON", args)
		}
		if args[0] != "tickets" {
			dryrunGolden(t, "saved "+args[0], w.stable(string(text))+"-- stderr --\n"+got.stderr)
			continue
		}
		var saved struct {
			Nango struct{ BatchSave, BatchDelete map[string][]any }
			API   struct {
				Get map[string][]struct {
					Request struct{ Params map[string]string }
				}
			}
		}
		if err := json.Unmarshal(text, &saved); err != nil {
			t.Fatal(err)
		}
		pages := saved.API.Get["tickets"]
		if len(saved.Nango.BatchSave["Ticket"]) != 43 || len(saved.Nango.BatchDelete["Ticket"]) != 1 || len(pages) != 3 || len(pages[2].Request.Params) != 2 {
			t.Errorf("recorded %s", text)
		}
		again := w.run(t, false, "", append([]string{"dryrun", "--save", "-c", `{"pages":2}`, "-l", "2026-01-31"}, args...)...)
		if again.code != 0 || !strings.Contains(again.stderr, "✓ Updated DIR") || !strings.Contains(readFile(t, filepath.Dir(file), filepath.Base(file)), `"lastSyncDate": "2026-01-31T00:00:00Z"`) || strings.Contains(again.stderr, "differently") {
			t.Errorf("recording again ended with %d:\n%s", again.code, again.stderr)
		}
	}
	tested := w.run(t, false, "", "test", "desk-key/open", "desk-key/secrets", "desk-key/tickets", "--json")
	var report struct{ Summary struct{ Passed, Failed int } }
	if err := json.Unmarshal([]byte(tested.stdout), &report); err != nil || tested.code != 0 || report.Summary.Passed != 3 || report.Summary.Failed != 0 {
		t.Errorf("linkspan test ended with %d, %v:\n%s%s", tested.code, err, tested.stdout, tested.stderr)
	}
}

// Other actions run on the server, and what they fail with comes back.
func TestDryRunTriggersActions(t *testing.T) {
	t.Parallel()
	w := newDryrunWorld(t)
	deployed := w.run(t, false, "", "deploy", "dev", "--function", "desk-key/open", "--function", "desk-key/missing", "--auto-confirm")
	if deployed.code != 0 {
		t.Fatalf("deploying ended with %d:\n%s", deployed.code, deployed.stderr)
	}
	got := w.run(t, false, "", "dryrun", "nested", "c1")
	want := "{\n  \"title\": \"nested\",\n  \"code\": \"script_http_error\",\n  \"upstream\": 404\n}\n"
	if got.code != 0 || got.stdout != want {
		t.Errorf("ended with %d:\n%s%s", got.code, got.stdout, got.stderr)
	}
}

// A key needs no more rights than the help says. Without the right to see
// credentials a function sees none, and its calls have them all the same.
func TestDryRunWithFewRights(t *testing.T) {
	t.Parallel()
	w := newDryrunWorld(t)
	var made struct{ Data struct{ Secret string } }
	w.instance.Account(t).Do(t, http.MethodPost, "/environments/"+w.instance.DevUUID(t)+"/api-keys", map[string]any{
		"display_name": "developer", "scopes": []string{"environment:connections:read", "environment:integrations:read", "environment:proxy"},
	}).Want(t, http.StatusOK).Into(t, &made)
	got := w.runWith(t, made.Data.Secret, false, "", "dryrun", "open", "c1", "-i", `{"title":"few rights"}`)
	if got.code != 0 || !strings.Contains(got.stdout, `"title": "few rights"`) {
		t.Errorf("ended with %d:\n%s%s", got.code, got.stdout, got.stderr)
	}
	got = w.runWith(t, made.Data.Secret, false, "", "dryrun", "secrets", "c1")
	if got.code != 12 || strings.Contains(got.stdout+got.stderr, w.desk.APIKey) {
		t.Errorf("a key that may not see credentials: ended with %d:\n%s%s", got.code, got.stdout, got.stderr)
	}
}

// The shell completes functions of the folder and the connections that they can run
// for.
func TestDryRunCompletion(t *testing.T) {
	t.Parallel()
	w := newDryrunWorld(t)
	for _, tt := range []struct {
		args  []string
		want  []string // with what is told of them
		wrong string
	}{
		{args: []string{""}, want: []string{"desk-key/open\taction", "desk-key/tickets\tsync", "desk-basic/whoami\taction", "desk-key/welcome\ton-event"}, wrong: "c1"},
		{args: []string{"desk-key/ope"}, want: []string{"desk-key/open\taction"}, wrong: "c1"},
		{args: []string{"desk-key/open", ""}, want: []string{"c1\tdesk-key", "both\tdesk-key"}, wrong: "b1"},
		{args: []string{"open", ""}, want: []string{"c1\tdesk-key", "b1\tdesk-basic"}, wrong: "open"},
		{args: []string{"--integration-id", "desk-basic", "desk-key/whoami", ""}, want: []string{"b1\tdesk-basic", "both\tdesk-basic"}, wrong: "c1"},
		{args: []string{"--integration-id", ""}, want: []string{"desk-key", "desk-basic"}, wrong: "open"},
		{args: []string{"--type", ""}, want: []string{"action", "sync", "on-event"}, wrong: "c1"},
		{args: []string{"--env", ""}, want: []string{"dev", "prod"}, wrong: "c1"},
		{args: []string{"desk-key/open", "c1", ""}, wrong: "desk-key"},
		{args: []string{"--env", "prod", "desk-key/open", ""}, wrong: "c1"}, // there is no key
	} {
		got := w.runPlainly(t, w.instance.Keys.Dev, false, "", append([]string{"__complete", "dryrun", "--dir", w.dir}, tt.args...)...)
		for _, want := range tt.want {
			if !strings.Contains("\n"+got.stdout, "\n"+want) {
				t.Errorf("%q: does not offer %q:\n%s%s", tt.args, want, got.stdout, got.stderr)
			}
		}
		if strings.Contains(got.stdout, tt.wrong) || got.code != 0 || !strings.Contains(got.stdout, ":4\n") {
			t.Errorf("%q: ended with %d and offers\n%s", tt.args, got.code, got.stdout)
		}
	}
}
