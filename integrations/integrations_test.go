package integrations_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/catalog"
	"github.com/linkspan/linkspan/integrations"
	"github.com/linkspan/linkspan/internal/function/bundle"
	"github.com/linkspan/linkspan/internal/function/fixture"
	"github.com/linkspan/linkspan/internal/function/trial"
	"github.com/linkspan/linkspan/internal/sandbox"
	"github.com/linkspan/linkspan/internal/sandbox/platform"
	"github.com/linkspan/linkspan/sdk/functions"
)

var update = flag.Bool("update", false, "write what functions do into the recordings")

// openEngine makes the engine that all tests share: it costs about a second.
var openEngine = sync.OnceValues(func() (*sandbox.Engine, error) {
	return sandbox.New(context.Background(), sandbox.Options{
		Prelude: functions.Prelude(), Sync: platform.Serve, Pure: platform.Pure, Now: now, Log: slog.New(slog.DiscardHandler),
	})
})

// now is the time at which all tests take place.
func now() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	if e, err := openEngine(); err == nil {
		if err := e.Close(); err != nil {
			code = 1
		}
	}
	os.Exit(code)
}

func engine(t *testing.T) *sandbox.Engine {
	t.Helper()
	e, err := openEngine()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// The folders that tests build, each once.
var (
	library  = buildOnce(".")
	unifying = buildOnce(unification)
)

// unification is the folder with what the guide to unified APIs shows.
const unification = "testdata/unification"

func buildOnce(dir string) func() (*bundle.Project, error) {
	return sync.OnceValues(func() (*bundle.Project, error) {
		e, err := openEngine()
		if err != nil {
			return nil, err
		}
		return bundle.Build(context.Background(), bundle.Options{Dir: dir, SourceMap: true, Describer: e})
	})
}

func built(t *testing.T, build func() (*bundle.Project, error)) []bundle.Function {
	t.Helper()
	project, err := build()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range project.Problems {
		t.Errorf("%v", p)
	}
	for _, p := range project.Warnings {
		t.Errorf("%v", p)
	}
	return project.Functions
}

func provider(t *testing.T, c *catalog.Catalog, name string) *catalog.Provider {
	t.Helper()
	p, err := c.Provider(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func openCatalog(t *testing.T) *catalog.Catalog {
	t.Helper()
	c, err := catalog.Open(catalog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func readFixture(t *testing.T, name string) *fixture.File {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatalf("every function has a recording: %v", err)
	}
	file, err := fixture.Parse(name, text)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// try replays a recording. Records, inputs and outputs must be what the models say.
func try(t *testing.T, f *bundle.Function, p *catalog.Provider, name string) {
	t.Helper()
	file := readFixture(t, name)
	replay := fixture.NewReplay(file, p)
	o := replay.Options(trial.Of(*f))
	o.Validate = true
	result, err := trial.Run(t.Context(), engine(t), o)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		next, err := file.Update(f.Kind, result)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, next, 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	for name, m := range result.Models {
		if len(m.Saved) > 0 && file.Saved[name] == nil || len(m.Deleted) > 0 && file.Deleted[name] == nil {
			t.Errorf("records of %s are not in the recording: %s %s", name, m.Saved, m.Deleted)
		}
	}
	for _, d := range fixture.Judge(file, f.Kind, result) {
		t.Errorf("%s: %s\nexpected %s\ngot      %s", d.Path, d.Message, d.Expected, d.Got)
	}
	unused, _ := replay.Unused()
	for _, u := range unused {
		t.Errorf("a recorded call was not made: %+v", u)
	}
}

// Every function does with its recording what it is recorded to do.
func TestRecordings(t *testing.T) {
	t.Parallel()
	c := openCatalog(t)
	seen := make(map[string]bool)
	for _, f := range built(t, library) {
		name := filepath.Join(f.Integration, "tests", f.Name+".test.json")
		seen[name] = true
		t.Run(f.Integration+"/"+string(f.Kind)+"/"+f.Name, func(t *testing.T) {
			t.Parallel()
			try(t, &f, provider(t, c, f.Integration), name)
		})
	}
	for _, name := range glob(t, "*/tests/*.test.json") {
		if !seen[name] {
			t.Errorf("%s is of no function", name)
		}
	}
}

// The functions of the guide to unified APIs, word for word, do what it says.
func TestUnificationGuide(t *testing.T) {
	t.Parallel()
	c := openCatalog(t)
	for _, f := range built(t, unifying) {
		if f.Integration == "app" {
			continue // TestSameActionEverywhere
		}
		t.Run(f.Integration+"/"+f.Name, func(t *testing.T) {
			t.Parallel()
			try(t, &f, provider(t, c, f.Integration), filepath.Join(unification, f.Integration, "tests", f.Name+".test.json"))
		})
	}
}

// triggered is a world in which actions are triggered: it answers with what the
// action of the named integration does with its recording.
type triggered struct {
	t     *testing.T
	run   func(integration, action string, input json.RawMessage) (json.RawMessage, error)
	asked []string
}

func (*triggered) Note(sandbox.Call) {}

func (w *triggered) Call(_ context.Context, c sandbox.Call) (sandbox.Reply, error) {
	if c.Name != "action" {
		w.t.Errorf("the function asks for %s", c.Name)
		return sandbox.Reply{}, trial.ErrUnserved
	}
	var p struct {
		Integration string          `json:"integration"`
		Connection  string          `json:"connection"`
		Action      string          `json:"action"`
		Input       json.RawMessage `json:"input"`
	}
	if err := json.Unmarshal(c.JSON, &p); err != nil {
		return sandbox.Reply{}, err
	}
	w.asked = append(w.asked, p.Integration+" "+p.Connection+" "+p.Action)
	output, err := w.run(p.Integration, p.Action, p.Input)
	return sandbox.Reply{JSON: output}, err
}

// An application names the integration, and calls the same action with the same
// input: the shape that comes back is the same.
func TestSameActionEverywhere(t *testing.T) {
	t.Parallel()
	c := openCatalog(t)
	all := built(t, unifying)
	find := func(integration, name string) trial.Function {
		at := slices.IndexFunc(all, func(f bundle.Function) bool { return f.Integration == integration && f.Name == name })
		return trial.Of(all[at])
	}
	// It is called by the sandbox, where a test must not end.
	run := func(integration, action string, input json.RawMessage) (json.RawMessage, error) {
		name := filepath.Join(unification, integration, "tests", action+".test.json")
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		file, err := fixture.Parse(name, text)
		if err != nil {
			return nil, err
		}
		p, err := c.Provider(integration)
		if err != nil {
			return nil, err
		}
		o := fixture.NewReplay(file, p).Options(find(integration, action))
		o.Input, o.Validate = input, true
		result, err := trial.Run(t.Context(), engine(t), o)
		if err == nil && result.Failure != nil {
			err = result.Failure
		}
		if err != nil {
			return nil, err
		}
		return result.Output, nil
	}
	for _, integration := range []string{"jira", "zendesk"} {
		world := &triggered{t: t, run: run}
		result, err := trial.Run(t.Context(), engine(t), trial.Options{
			Function: find("app", "create-user"), World: world,
			Input: json.RawMessage(`{"integrationId":"` + integration + `","connectionId":"customer-1"}`),
		})
		if err != nil || result.Failure != nil {
			t.Fatalf("%v %+v", err, result.Failure)
		}
		if diff := cmp.Diff([]string{integration + " customer-1 create-user"}, world.asked); diff != "" {
			t.Error(diff)
		}
		var user struct{ Name, Email string }
		if err := json.Unmarshal(result.Output, &user); err != nil || user.Name != "Ada Lovelace" || user.Email != "ada@example.com" {
			t.Errorf("%s answers %s (%v)", integration, result.Output, err)
		}
	}
}

// Systems of one kind are interchangeable: the same syncs with the same models, the
// same actions with the same input and output.
func TestUnifiedFamilies(t *testing.T) {
	t.Parallel()
	for _, family := range []struct {
		providers []string
		syncs     map[string]string // function → model
		actions   []string
	}{
		{[]string{"hubspot", "salesforce"}, map[string]string{"contacts": "UnifiedContact", "users": "UnifiedUser"}, []string{"create-contact", "update-contact"}},
		{[]string{"github", "jira", "linear", "zendesk"}, map[string]string{"tickets": "UnifiedTicket", "users": "UnifiedUser"}, []string{"create-ticket", "update-ticket"}},
	} {
		// What the first one declares, the others have as well, and maybe more.
		base := make(map[string]model)
		for _, p := range family.providers {
			for name, of := range family.syncs {
				f, ok := integrations.Find(p, linkspan.FunctionSync, name)
				if !ok || !slices.Contains(f.Definition.Models, of) {
					t.Errorf("%s has no sync %s of %s: %v", p, name, of, f.Definition.Models)
					continue
				}
				includes(t, base, p, name+" "+of, definition(t, &f, of))
			}
			for _, name := range family.actions {
				f, ok := integrations.Find(p, linkspan.FunctionAction, name)
				if !ok || len(f.Definition.Models) != 1 {
					t.Errorf("%s has no action %s", p, name)
					continue
				}
				includes(t, base, p, name+" input", definition(t, &f, f.Definition.Input))
				includes(t, base, p, name+" output", definition(t, &f, f.Definition.Models[0]))
			}
		}
	}
}

// model is a definition of a schema.
type model struct {
	Properties map[string]any `json:"properties"`
	Required   []string       `json:"required"`
}

func includes(t *testing.T, base map[string]model, provider, what string, m model) {
	t.Helper()
	first, ok := base[what]
	if !ok {
		base[what] = m
		return
	}
	if diff := cmp.Diff(first.Required, m.Required); diff != "" {
		t.Errorf("%s of %s requires something else:\n%s", what, provider, diff)
	}
	for name, property := range first.Properties {
		if diff := cmp.Diff(property, m.Properties[name]); diff != "" {
			t.Errorf("%s of %s has another %s:\n%s", what, provider, name, diff)
		}
	}
}

// definition returns a definition of a function's schema.
func definition(t *testing.T, f *integrations.Template, name string) model {
	t.Helper()
	var s struct {
		Definitions map[string]model `json:"definitions"`
	}
	if err := json.Unmarshal(f.Definition.Schema, &s); err != nil {
		t.Fatal(err)
	}
	m, ok := s.Definitions[name]
	if !ok {
		t.Fatalf("%s does not define %q", f.Path(), name)
	}
	return m
}

// The twelve that were promised are there, each with two syncs and two actions, and
// every function says what it is about.
func TestTemplates(t *testing.T) {
	t.Parallel()
	c := openCatalog(t)
	count := make(map[string]map[linkspan.FunctionKind]int)
	for _, f := range integrations.Templates() {
		if count[f.Provider] == nil {
			count[f.Provider] = make(map[linkspan.FunctionKind]int)
			provider(t, c, f.Provider)
		}
		count[f.Provider][f.Kind]++
		if len(f.Definition.Description) < 20 || f.Version == "" {
			t.Errorf("%s has the description %q and the version %q", f.Path(), f.Definition.Description, f.Version)
		}
		if f.Kind == linkspan.FunctionSync && f.Definition.Frequency == "" {
			t.Errorf("%s has no frequency", f.Path())
		}
		if f.Kind == linkspan.FunctionSync && !strings.Contains(f.Source, "autoStart: ") {
			t.Errorf("%s does not say whether it starts by itself", f.Path())
		}
		for _, name := range sourcesOf(t, f.Bundle) {
			if _, ok := f.Files[name]; !ok && name != f.Path() {
				t.Errorf("%s is made of %s, which is not among its files", f.Path(), name)
			}
		}
	}
	for _, p := range []string{
		"github", "google-calendar", "google-drive", "hubspot", "jira", "linear", "notion", "salesforce", "shopify", "slack", "stripe", "zendesk",
	} {
		if count[p][linkspan.FunctionSync] < 2 || count[p][linkspan.FunctionAction] < 2 {
			t.Errorf("%s has %v", p, count[p])
		}
	}
}

// sourcesOf returns the files that a bundle's source map names, all of which must
// come with their text.
func sourcesOf(t *testing.T, text string) []string {
	t.Helper()
	m, err := sourcemap(text)
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range m.Sources {
		want, err := fs.ReadFile(integrations.FS(), name)
		if err != nil || m.Contents[i] != string(want) {
			t.Errorf("the source map has another text of %s (%v)", name, err)
		}
	}
	return m.Sources
}

// What is embedded is what the sources make now: stale templates would deploy old
// code.
func TestTemplatesAreCurrent(t *testing.T) {
	t.Parallel()
	templates := integrations.Templates()
	all := built(t, library)
	if len(all) != len(templates) {
		t.Fatalf("%d functions, %d templates: run go generate ./integrations", len(all), len(templates))
	}
	for i, f := range all {
		got := templates[i]
		if got.Provider != f.Integration || got.Kind != f.Kind || got.Name != f.Name || got.Source != f.Code.Source {
			t.Errorf("template %d is %s, the function is %s", i, got.Path(), f.File)
			continue
		}
		want, _, _ := strings.Cut(f.Code.Bundle, integrations.MapComment)
		have, _, _ := strings.Cut(got.Bundle, integrations.MapComment)
		if want != have {
			t.Errorf("the bundle of %s is not current: run go generate ./integrations", got.Path())
		}
		f.Definition.SDKVersion = "" // that of the server which deploys it
		if diff := cmp.Diff(encode(t, f.Definition), encode(t, got.Definition)); diff != "" {
			t.Errorf("the definition of %s is not current: run go generate ./integrations\n%s", got.Path(), diff)
		}
	}
}

func encode(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A bundle that comes out of the package runs: what is taken apart is put together
// again.
func TestBundlesRun(t *testing.T) {
	t.Parallel()
	f, ok := integrations.Find("github", linkspan.FunctionAction, "update-ticket")
	if !ok {
		t.Fatal("there is no such template")
	}
	result, err := trial.Run(t.Context(), engine(t), trial.Options{
		Function: trial.Function{Integration: f.Provider, Kind: f.Kind, Name: f.Name, Definition: f.Definition, Bundle: f.Bundle},
		Input:    json.RawMessage(`{"id":"nonsense"}`), World: &triggered{t: t},
	})
	if err != nil {
		t.Fatal(err)
	}
	if result.Failure == nil || !strings.Contains(result.Failure.Message, "no ticket of GitHub") {
		t.Fatalf("%+v", result.Failure)
	}
	if stack := strings.Join(result.Failure.Stack, "\n"); !strings.Contains(stack, "github/rest.ts:") {
		t.Errorf("the stack does not name the source:\n%s", stack)
	}
}

// The functions mean what their types say.
func TestTypes(t *testing.T) {
	t.Parallel()
	tsc, err := filepath.Abs("../sdk/functions/node_modules/.bin/tsc")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(tsc); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("the TypeScript compiler is missing: run npm ci in sdk/functions")
		}
		t.Skip("the TypeScript compiler is not there: run npm ci in sdk/functions")
	}
	var out bytes.Buffer
	cmd := exec.CommandContext(t.Context(), tsc, "--project", ".", "--pretty", "false")
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Errorf("%v\n%s", err, &out)
	}
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) == 0 {
		t.Fatalf("nothing is at %s (%v)", pattern, err)
	}
	return names
}

// TestTemplatesBringTheirFiles holds what is deployed of a template to having all that
// the template imports: servers hand it out with the source.
func TestTemplatesBringTheirFiles(t *testing.T) {
	t.Parallel()
	for _, f := range integrations.Templates() {
		got := bundle.Imported(linkspan.FunctionCode{Bundle: f.Bundle, Source: f.Source}, f.Provider, f.Name)
		want := f.Files
		if len(want) == 0 {
			want = nil
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", f.Path(), diff)
		}
	}
}
