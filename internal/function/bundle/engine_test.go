package bundle_test

import (
	"context"
	"encoding/json"
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
	os.Exit(code) //nolint:forbidigo // the exit code of the tests
}

// folder writes files into a new folder. Files that are not given but are usual
// come from base.
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
	start, err := json.Marshal(map[string]any{"mode": "run", "kind": linkspan.FunctionAction, "input": input, "props": map[string]any{}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := engine(t).Run(t.Context(), sandbox.Request{Program: f.Program(), Start: start, Host: deaf{}})
	return r.JSON, err
}

// deaf is the host of programs that ask for nothing.
type deaf struct{}

func (deaf) Call(context.Context, sandbox.Call) (sandbox.Reply, error) {
	return sandbox.Reply{}, &sandbox.CallError{JSON: []byte(`{"code":"nobody","message":"Nobody is there."}`)}
}

func (deaf) Note(sandbox.Call) {}
