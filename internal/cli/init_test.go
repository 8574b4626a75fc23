package cli_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/internal/app"
	"github.com/linkspan/linkspan/internal/cli"
	"github.com/linkspan/linkspan/internal/project"
	"github.com/linkspan/linkspan/internal/sandbox"
	"github.com/linkspan/linkspan/internal/testfile"
)

// inProcess executes trials in the process of the test.
type inProcess struct{ *sandbox.Engine }

// Close implements cli.Trials.
func (p inProcess) Close(context.Context) error { return p.Engine.Close() }

// authorServer is what commands for authors need.
func authorServer() cli.Server {
	return cli.Server{Sandbox: app.Sandbox, Trials: func(ctx context.Context, o cli.TrialOptions) (cli.Trials, error) {
		engine, err := app.Sandbox(ctx, o.CacheDir)
		return inProcess{engine}, err
	}}
}

// authoring runs commands in one folder, as one author does.
type authoring struct {
	t        *testing.T
	dir      string
	env      map[string]string
	terminal bool
	answer   string
	told     strings.Builder // all that was printed
}

func newAuthoring(t *testing.T, folder string) *authoring {
	t.Helper()
	dir := t.TempDir()
	if folder != "" {
		dir = testfile.Unpack(t, folder)
	}
	return &authoring{t: t, dir: dir, env: map[string]string{"LINKSPAN_CACHE": cacheDir()}}
}

// typed lets the commands find the TypeScript compiler of the checkout. Without it
// the test is skipped; on CI it fails.
func (a *authoring) typed() *authoring {
	a.t.Helper()
	bin, err := filepath.Abs(filepath.Join("..", "..", "sdk", "functions", "node_modules", ".bin"))
	if err != nil {
		a.t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(bin, "tsc")); err != nil || runtime.GOOS == "windows" {
		if os.Getenv("CI") != "" {
			a.t.Fatal("there is no tsc: run npm ci in sdk/functions")
		}
		a.t.Skip("there is no tsc")
	}
	a.env["PATH"] = bin
	return a
}

// run runs a command. DIR in its arguments is the folder.
func (a *authoring) run(args ...string) (stdout string, code int) {
	a.t.Helper()
	shown := strings.Join(args, " ")
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "DIR", a.dir)
	}
	var out, messages bytes.Buffer
	code = cli.Run(a.t.Context(), cli.System{
		Args: args, Environ: func(name string) string { return a.env[name] },
		Stdin: strings.NewReader(a.answer), Stdout: &out, Stderr: &messages, IsTerminal: func(any) bool { return a.terminal },
	}, authorServer())
	fmt.Fprintf(&a.told, "$ linkspan %s\n[%d]\n-- stdout --\n%s-- stderr --\n%s\n", shown, code, a.plain(out.String()), a.plain(messages.String()))
	return out.String(), code
}

// plain takes out of a text what differs between runs.
func (a *authoring) plain(text string) string {
	if host := a.env["LINKSPAN_HOST"]; host != "" {
		text = strings.ReplaceAll(text, host, "HOST")
	}
	text = strings.NewReplacer(a.dir, "DIR", a.env["LINKSPAN_CACHE"], "CACHE", "\x1b", "␛", "\r", "␍").Replace(text)
	text = regexp.MustCompile(`\d+(\.\d+)? m?s\b`).ReplaceAllString(text, "TIME")
	return regexp.MustCompile(`\(devel\) \(go[^)]*\)|v0\.[^ ]* \(go[^)]*\)`).ReplaceAllString(text, "VERSION")
}

// golden compares all that was printed with a file.
func (a *authoring) golden(name string) {
	a.t.Helper()
	golden(a.t, filepath.Join("testdata", "project", name+".golden"), a.told.String())
}

func TestInit(t *testing.T) {
	t.Parallel()
	a := newAuthoring(t, "")
	a.run("init", "DIR/new")
	a.run("init", "DIR/new")
	a.run("init", "DIR/other", "--json")
	a.run("init", "a", "b")
	a.run("init", "")
	a.run("init", "DIR/my folder")
	a.terminal = true
	a.run("init", "DIR/third")
	a.golden("init")
}

func TestCreate(t *testing.T) {
	t.Parallel()
	a := newAuthoring(t, "-- index.ts --\nimport './github/syncs/issues.js'\n-- github/syncs/issues.ts --\n")
	a.run("create", "github", "create-issue", "--action", "--dir", "DIR")
	a.run("create", "github", "create-issue", "--action", "--dir", "DIR")
	a.run("create", "--integration", "github", "--name", "pre-connection-deletion", "--on-event", "--dir", "DIR", "--json")
	a.run("create", "github", "--dir", "DIR")
	a.run("create", "github", "x", "--name", "y", "--dir", "DIR")
	a.run("create", "github", "x", "--sync", "--action", "--dir", "DIR")
	a.run("create", "github", "x/y", "--sync", "--dir", "DIR")
	a.run("create", "github", "x", "--event", "never", "--dir", "DIR")
	a.run("create", "github", "x", "--sync", "--dir", "DIR/github")
	a.run("create", "github", "x", "--sync", "--dir", "DIR/none")
	a.run("create", "--template", "nowhere/tickets", "--dir", "DIR")
	a.run("create", "linear", "--template", "nothing", "--sync", "--dir", "DIR")
	a.run("__complete", "create", "--dir", "DIR", "g")
	a.run("__complete", "create", "--event", "")
	a.run("__complete", "create", "linear", "--sync", "--template", "")
	a.run("__complete", "dev", "--dir", "DIR", "--run", "")
	a.terminal, a.answer = true, "on-event\nslack\nwelcome\n3\n"
	a.run("create", "--dir", "DIR")
	a.answer = "nothing\n"
	a.run("create", "--dir", "DIR")
	text, err := os.ReadFile(filepath.Join(a.dir, "index.ts"))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&a.told, "-- index.ts --\n%s", text)
	a.golden("create")
}

// Functions of the library are functions of any folder.
func TestCreateFromTemplate(t *testing.T) {
	t.Parallel()
	a := newAuthoring(t, "").typed()
	if _, err := project.Init(a.dir); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"create", "--template", "github/tickets", "--dir", "DIR"},
		{"create", "helpdesk", "all-tickets", "--template", "zendesk/tickets", "--dir", "DIR"},
		{"compile", "--dir", "DIR"},
		{"test", "github/tickets", "--dir", "DIR"},
	} {
		if _, code := a.run(args...); code != 0 {
			t.Fatalf("linkspan %v ended with %d\n%s", args, code, &a.told)
		}
	}
}

// What is created compiles, types included, and its test passes.
func TestCreatedWorks(t *testing.T) {
	t.Parallel()
	a := newAuthoring(t, "").typed()
	if _, err := project.Init(a.dir); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"create", "github", "open-issues", "--sync"},
		{"create", "github", "create-issue", "--action"},
		{"create", "github", "status", "--function"},
		{"create", "github", "post-connection-creation", "--on-event"},
		{"create", "github", "pre-connection-deletion", "--on-event"},
		{"create", "github", "check", "--event", "validate-connection"},
	} {
		if _, code := a.run(append(args, "--dir", "DIR")...); code != 0 {
			t.Fatalf("linkspan %v ended with %d\n%s", args, code, &a.told)
		}
	}
	if out, code := a.run("compile", "--dir", "DIR"); code != 0 || !strings.Contains(out, "Compiled 10 functions") {
		t.Errorf("compile ended with %d\n%s", code, &a.told)
	}
	if out, code := a.run("test", "--dir", "DIR"); code != 0 || !strings.Contains(out, "10 passed") {
		t.Errorf("test ended with %d\n%s", code, &a.told)
	}
	if out, code := a.run("dev", "--once", "--dir", "DIR"); code != 0 || !strings.Contains(out, "10 functions compile") {
		t.Errorf("dev ended with %d\n%s", code, &a.told)
	}
}

const wrongTypes = `-- index.ts --
import "./github/actions/fine";
-- tsconfig.json --
{"compilerOptions":{"strict":true,"noEmit":true,"target":"ES2023","lib":["ES2023"],"module":"ESNext","moduleResolution":"Bundler","types":["./.linkspan/types/platform"],"paths":{"*":["./.linkspan/types/*"]}}}
-- github/actions/fine.ts --
import { createAction } from "linkspan";
import * as z from "zod";

export default createAction({
	description: "Counts",
	version: "1.0.0",
	input: z.void(),
	output: z.object({ count: z.number() }),
	exec: async () => ({ count: "7" }),
});
`

func TestCompile(t *testing.T) {
	t.Parallel()
	a := newAuthoring(t, deployFolder)
	a.run("compile", "--dir", "DIR")
	a.run("compile", "--dir", "DIR", "--out", "DIR/build", "--json")
	a.run("compile", "--dir", "DIR/nowhere")
	a.run("compile", "--dir", "DIR/github")
	a.golden("compile")
	if names, err := filepath.Glob(filepath.Join(a.dir, "build", "*.cjs")); err != nil || len(names) == 0 {
		t.Errorf("no bundles were written: %v", err)
	}

	b := newAuthoring(t, brokenFolder)
	b.run("compile", "--dir", "DIR")
	b.run("compile", "--dir", "DIR", "--json")
	b.golden("compile-broken")

	c := newAuthoring(t, wrongTypes)
	c.run("compile", "--dir", "DIR") // without a compiler
	c.typed()
	c.run("compile", "--dir", "DIR")
	c.run("compile", "--dir", "DIR", "--json")
	c.run("compile", "--dir", "DIR", "--no-types")
	c.run("dev", "--once", "--dir", "DIR")
	c.env["LINKSPAN_SECRET_KEY_PROD"] = "key"
	server := httptest.NewServer(&deployServer{integrations: []string{"github"}, confirmation: api.DeployConfirmation{}})
	defer server.Close()
	c.env["LINKSPAN_HOST"] = server.URL
	c.run("deploy", "prod", "--dir", "DIR")
	c.run("deploy", "prod", "--dir", "DIR", "--no-types")
	c.golden("compile-types")
}

// Errors of types in what index.ts does not import stop nothing, and a fresh clone,
// which has no typings, gets them before its types are checked.
func TestTypesOfWhatIsDeployed(t *testing.T) {
	t.Parallel()
	a := newAuthoring(t, "").typed()
	if _, err := project.Init(a.dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(a.dir, "scratch.ts"), []byte("export const x: string = 1;\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(&deployServer{integrations: []string{"demo-tickets"}, confirmation: api.DeployConfirmation{}})
	defer server.Close()
	a.env["LINKSPAN_HOST"], a.env["LINKSPAN_SECRET_KEY_PROD"] = server.URL, "key"
	for _, args := range [][]string{{"deploy", "prod", "--dry-run"}, {"compile"}, {"doctor"}} {
		if err := os.RemoveAll(filepath.Join(a.dir, project.OwnFolder)); err != nil {
			t.Fatal(err)
		}
		a.told.Reset()
		_, code := a.run(append(args, "--dir", "DIR")...)
		said := a.told.String()
		if args[0] == "doctor" {
			if !strings.Contains(said, "not checked without the right typings") {
				t.Errorf("doctor judges types without typings\n%s", said)
			}
			continue
		}
		if code != 0 || !strings.Contains(said, "scratch.ts:1:14") || !strings.Contains(said, "does not import this file") {
			t.Errorf("%s ended with %d\n%s", args[0], code, said)
		}
	}
	if _, code := a.run("dev", "--once", "--dir", "DIR"); code != 0 {
		t.Errorf("dev ended with %d\n%s", code, &a.told)
	}
}

// The skill's functions are functions.
func TestSkillCompiles(t *testing.T) {
	t.Parallel()
	a := newAuthoring(t, "").typed()
	if _, err := project.Init(a.dir); err != nil {
		t.Fatal(err)
	}
	skill, err := os.ReadFile(filepath.Join(a.dir, ".claude", "skills", "linkspan-functions", "SKILL.md"))
	if err != nil {
		t.Fatal(err)
	}
	snippets := regexp.MustCompile("(?s)```ts\n(.*?)```").FindAllStringSubmatch(string(skill), -1)
	if len(snippets) != 2 {
		t.Fatalf("it has %d functions", len(snippets))
	}
	for i, file := range []string{"github/syncs/issues.ts", "github/actions/create-issue.ts"} {
		text := snippets[i][1]
		if !strings.Contains(text, "import ") {
			text = "import { createAction } from \"linkspan\";\nimport * as z from \"zod\";\n" + text
		}
		name := filepath.Join(a.dir, filepath.FromSlash(file))
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := project.AddImport(a.dir, file); err != nil {
			t.Fatal(err)
		}
	}
	if out, code := a.run("compile", "--dir", "DIR"); code != 0 || !strings.Contains(out, "Compiled 6 functions") {
		t.Errorf("ended with %d\n%s", code, &a.told)
	}
}

// A folder that the published CLI laid out gets its files where that looks for
// them, and nothing of ours.
func TestCompilePublished(t *testing.T) {
	t.Parallel()
	a := newAuthoring(t, "-- .nango/.gitkeep --\n"+deployFolder)
	if _, code := a.run("compile", "--dir", "DIR"); code != 0 {
		t.Fatalf("ended with %d\n%s", code, &a.told)
	}
	for _, name := range []string{".nango/nango.json", "build/github_actions_create-issue.cjs"} {
		if _, err := os.Stat(filepath.Join(a.dir, filepath.FromSlash(name))); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(filepath.Join(a.dir, project.OwnFolder)); err == nil {
		t.Error("a folder of ours was made")
	}
}

func TestGenerate(t *testing.T) {
	t.Parallel()
	a := newAuthoring(t, "")
	if _, err := project.Init(a.dir); err != nil {
		t.Fatal(err)
	}
	a.run("generate", "docs", "--dir", "DIR")
	a.run("generate", "docs", "--dir", "DIR", "--json")
	a.run("generate", "types", "--dir", "DIR", "--out", "DIR/linkspan.d.ts")
	a.run("generate", "types", "--dir", "DIR", "--out", "DIR/linkspan.d.ts", "--json")
	a.run("generate", "types", "--dir", "DIR", "--out", "-")
	a.run("generate", "types", "--dir", "DIR", "--out", "-", "--json")
	a.run("generate", "types", "--dir", "DIR", "--out", "DIR/index.ts")
	for _, page := range []string{"README.md", "demo-tickets/syncs/tickets.md", "demo-tickets/actions/close-ticket.md"} {
		text, err := os.ReadFile(filepath.Join(a.dir, "docs", filepath.FromSlash(page)))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&a.told, "-- docs/%s --\n%s", page, text)
	}
	a.golden("generate")
	b := newAuthoring(t, brokenFolder)
	if _, code := b.run("generate", "docs", "--dir", "DIR"); code != 10 {
		t.Errorf("ended with %d for a folder that does not compile", code)
	}
}

// The types of applications compile for everything that there is to write them
// for.
func TestGenerateTypesOfExamples(t *testing.T) {
	t.Parallel()
	for _, folder := range []string{"examples", "integrations", "internal/app/demofunctions"} {
		a := newAuthoring(t, "-- tsconfig.json --\n{\"compilerOptions\":{\"strict\":true,\"noEmit\":true,\"types\":[],\"target\":\"ES2023\"}}\n").typed()
		source := filepath.Join("..", "..", filepath.FromSlash(folder))
		if _, code := a.run("generate", "types", "--dir", source, "--out", "DIR/linkspan.d.ts"); code != 0 {
			t.Fatalf("%s: ended with %d\n%s", folder, code, &a.told)
		}
		tsc, err := exec.LookPath(filepath.Join(a.env["PATH"], "tsc"))
		if err != nil {
			t.Fatal(err)
		}
		found, err := project.CheckTypes(t.Context(), a.dir, tsc)
		if err != nil || len(found.Problems) > 0 {
			t.Errorf("%s: %v %v", folder, found.Problems, err)
		}
	}
}

// doctorHandler is a server whose clock is an hour slow.
func doctorHandler(of http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat))
		switch r.URL.Path {
		case "/health":
			_, _ = w.Write([]byte(`{"result":"ok"}`)) // the client notices
		case "/openapi.json":
			_, _ = w.Write([]byte(`{"info":{"version":"1.2.3"}}`)) // the client notices
		default:
			of.ServeHTTP(w, r)
		}
	})
}

func TestDoctor(t *testing.T) {
	t.Parallel()
	a := newAuthoring(t, deployFolder)
	a.env["LINKSPAN_HOST"] = "http://127.0.0.1:1"
	a.run("doctor", "--dir", "DIR")
	server := httptest.NewServer(doctorHandler(&deployServer{integrations: []string{"github", "slack"}, confirmation: someChanges()}))
	defer server.Close()
	a.env["LINKSPAN_HOST"] = server.URL
	if err := os.WriteFile(filepath.Join(a.dir, ".env"), []byte("LINKSPAN_SECRET_KEY_PROD=secret-value\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a.run("doctor", "--dir", "DIR")
	a.run("doctor", "--dir", "DIR", "--env", "prod")
	a.run("doctor", "--dir", "DIR", "--env", "prod", "--json")
	a.run("doctor", "--dir", "DIR", "--env", "a b")
	b := newAuthoring(t, brokenFolder)
	b.env["LINKSPAN_HOST"] = server.URL
	b.env["LINKSPAN_SECRET_KEY_DEV"] = "key"
	b.run("doctor", "--dir", "DIR")
	b.run("doctor", "--dir", "DIR/nowhere")
	a.told.WriteString(b.told.String())
	if strings.Contains(a.told.String(), "secret-value") {
		t.Error("a key was printed")
	}
	a.golden("doctor")
}
