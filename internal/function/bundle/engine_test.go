package bundle_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/function/bundle"
	"github.com/linkspan/linkspan/internal/sandbox"
	"github.com/linkspan/linkspan/internal/sandbox/platform"
	functions "github.com/linkspan/linkspan/sdk/functions"
)

// openEngine makes the engine that all tests share: it costs about a second.
var openEngine = sync.OnceValues(func() (*sandbox.Engine, error) {
	return sandbox.New(context.Background(), sandbox.Options{Prelude: functions.Prelude(), Sync: platform.Serve})
})

func engine(t testing.TB) *sandbox.Engine {
	t.Helper()
	e, err := openEngine()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestMain(m *testing.M) {
	code := m.Run()
	if e, err := openEngine(); err == nil {
		if err := e.Close(); err != nil {
			code = 1
		}
	}
	os.Exit(code)
}

// folder writes files into a new folder.
func folder(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// build builds a folder with the usual options.
func build(t testing.TB, dir string) *bundle.Project {
	t.Helper()
	p, err := bundle.Build(t.Context(), bundle.Options{Dir: dir, SourceMap: true, Describer: engine(t), Version: "1.2.3"})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// clean fails the test when the project has problems.
func clean(t testing.TB, p *bundle.Project) *bundle.Project {
	t.Helper()
	for _, problem := range p.Problems {
		t.Error(problem.Error())
	}
	if t.Failed() {
		t.FailNow()
	}
	return p
}

// single builds one action in a file of its own, beside other files.
func single(t testing.TB, source string, others map[string]string) *bundle.Project {
	t.Helper()
	files := map[string]string{"index.ts": `import "./github/actions/test";`, "github/actions/test.ts": source}
	maps.Copy(files, others)
	return build(t, folder(t, files))
}

// run runs an action's bundle with its input.
func run(t testing.TB, f bundle.Function, input any) (json.RawMessage, error) {
	t.Helper()
	start, err := json.Marshal(map[string]any{
		"mode": "run", "kind": linkspan.FunctionAction, "input": input, "level": "debug", "variant": "base",
		"props": map[string]any{"connectionId": "c", "providerConfigKey": f.Integration},
	})
	if err != nil {
		t.Fatal(err)
	}
	r, err := engine(t).Run(t.Context(), sandbox.Request{Program: f.Program(), Start: start, Host: echo{}})
	return r.JSON, err
}

// echo is a host whose connections answer what they were asked.
type echo struct{}

func (echo) Call(_ context.Context, c sandbox.Call) (sandbox.Reply, error) {
	if c.Name != "http" {
		return sandbox.Reply{}, &sandbox.CallError{JSON: []byte(`{"code":"nobody","message":"Nobody is there."}`)}
	}
	var asked struct{ Method, Endpoint string }
	if err := json.Unmarshal(c.JSON, &asked); err != nil {
		return sandbox.Reply{}, err
	}
	body, err := json.Marshal(map[string]any{"method": asked.Method, "endpoint": asked.Endpoint, "sent": string(c.Body)})
	return sandbox.Reply{JSON: []byte(`{"status":201,"statusText":"Created","headers":[["content-type","application/json"]]}`), Body: body, Text: true}, err
}

func (echo) Note(sandbox.Call) {}

// output runs an action and returns what it gives, as JSON.
func output(t testing.TB, f bundle.Function, input any) string {
	t.Helper()
	out, err := run(t, f, input)
	if failure, ok := errors.AsType[*sandbox.Failure](err); ok {
		t.Fatalf("%s failed: %s", f.File, failure.JSON)
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
