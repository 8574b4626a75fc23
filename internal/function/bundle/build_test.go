package bundle_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/function/bundle"
)

// plain is the shortest function.
const plain = "export default async function run(nango) { return 1; }\n"

// names returns what was built.
func names(p *bundle.Project) []string {
	var n []string
	for _, f := range p.Functions {
		n = append(n, f.Program().Name)
	}
	return n
}

func TestEntryPoints(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		files map[string]string
		want  []string
	}{
		{"without extension", map[string]string{"index.ts": `import "./a/actions/x";`, "a/actions/x.ts": plain}, []string{"a/actions/x.js"}},
		{"with .js", map[string]string{"index.ts": `import './a/actions/x.js';`, "a/actions/x.ts": plain}, []string{"a/actions/x.js"}},
		{"with .ts", map[string]string{"index.ts": `import "./a/actions/x.ts"`, "a/actions/x.ts": plain}, []string{"a/actions/x.js"}},
		{"index.js and JavaScript", map[string]string{"index.js": `import "./a/actions/x.js"`, "a/actions/x.js": plain}, []string{"a/actions/x.js"}},
		{"only what is imported", map[string]string{"index.ts": `import "./a/actions/x"; // import "./a/actions/y"` + "\nconst s = 'import \"./a/actions/y\"';", "a/actions/x.ts": plain, "a/actions/y.ts": plain}, []string{"a/actions/x.js"}},
		{"names and repetitions", map[string]string{"index.ts": "import x from './a/actions/x';\nimport './a/actions/x.js';\nexport * as y from './a/actions/y';", "a/actions/x.ts": plain, "a/actions/y.ts": plain}, []string{"a/actions/x.js", "a/actions/y.js"}},
		{"lists of lists", map[string]string{"index.ts": "import './a';\nimport './others.js'; import 'some-package'", "a/index.ts": "import './actions/x'", "others.ts": "import './b/actions/x'", "a/actions/x.ts": plain, "b/actions/x.ts": plain}, []string{"a/actions/x.js", "b/actions/x.js"}},
		{"strange integrations", map[string]string{"index.ts": "import './a.b c~d:e@f_g/actions/x_Y-1.js'", "a.b c~d:e@f_g/actions/x_Y-1.ts": plain}, []string{"a.b c~d:e@f_g/actions/x_Y-1.js"}},
		{"nothing", map[string]string{"index.ts": "export {};"}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if d := cmp.Diff(tc.want, names(clean(t, build(t, folder(t, tc.files))))); d != "" {
				t.Error(d)
			}
		})
	}
}

// A function outside of the folder is none of an integration "..".
func TestFunctionsOutsideOfTheFolder(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{"in/index.ts": "import '../actions/x';\nimport './a/actions/y';\n", "actions/x.ts": plain, "in/a/actions/y.ts": plain})
	p := build(t, filepath.Join(dir, "in"))
	if d := cmp.Diff([]string{"a/actions/y.js"}, names(p)); d != "" {
		t.Error(d)
	}
	if len(p.Problems) != 1 || p.Problems[0].Line != 1 || !strings.Contains(p.Problems[0].Message, "../actions/x.ts is not where functions are") {
		t.Errorf("problems are %+v", p.Problems)
	}
}

func TestAllFilesAndOnly(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{
		"a/actions/x.ts": plain, "a/actions/y.ts": plain, "a/syncs/x.ts": plain, "b/actions/x.ts": plain,
		"a/actions/x.test.ts": "throw 1", "a/actions/notes.md": "", "a/lib/x.ts": "throw 1", "a/actions/x.d.ts": "export {}",
		"node_modules/actions/x.ts": "throw 1", ".hidden/actions/x.ts": "throw 1",
	})
	o := bundle.Options{Dir: dir, AllFiles: true, Describer: engine(t)}
	p, err := bundle.Build(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"a/actions/x.js", "a/actions/y.js", "a/syncs/x.js", "b/actions/x.js"}, names(clean(t, p))); d != "" {
		t.Error(d)
	}
	o.Only = func(integration string, kind linkspan.FunctionKind, name string) bool {
		return integration == "a" && kind == linkspan.FunctionAction && name == "x"
	}
	if p, err = bundle.Build(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"a/actions/x.js"}, names(p)); d != "" {
		t.Error(d)
	}
}

func TestFoldersThatAreNone(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ dir, code, hint string }{
		{filepath.Join(t.TempDir(), "nowhere"), "folder_not_found", ""},
		{t.TempDir(), "missing_index", "import \"./<integration>/actions/<name>\""},
	} {
		_, err := bundle.Build(t.Context(), bundle.Options{Dir: tc.dir, Describer: engine(t)})
		e, ok := errors.AsType[*linkspan.Error](err)
		if !ok || e.Code != tc.code || !strings.Contains(e.Hint, tc.hint) {
			t.Errorf("%s: %v", tc.dir, err)
		}
	}
}

func TestLinkedFolders(t *testing.T) {
	t.Parallel()
	elsewhere := folder(t, map[string]string{"actions/x.ts": "import { one } from '../one'; export default async function run() { return one; }", "one.ts": "export const one = 1;"})
	dir := folder(t, map[string]string{"index.ts": "import './a/actions/x'"})
	if err := os.Symlink(elsewhere, filepath.Join(dir, "a")); err != nil {
		t.Skip("no symbolic links here")
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"a/actions/x.js"}, names(clean(t, build(t, link)))); d != "" {
		t.Error(d)
	}
}

func TestBuildWritesNothing(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{"index.ts": "import './a/actions/x'", "a/actions/x.ts": plain})
	clean(t, build(t, dir))
	var files []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, filepath.Base(path))
		}
		return err
	})
	if d := cmp.Diff([]string{"x.ts", "index.ts"}, files); err != nil || d != "" {
		t.Error(err, d)
	}
}

func TestSourceMapsAndProgress(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{"index.ts": "import './a/actions/x'; import './a/actions/y'", "a/actions/x.ts": plain, "a/actions/y.ts": plain})
	for _, with := range []bool{true, false} {
		var steps []string
		p, err := bundle.Build(t.Context(), bundle.Options{
			Dir: dir, SourceMap: with, Describer: engine(t),
			Progress: func(done, total int) { steps = append(steps, fmt.Sprintf("%d/%d", done, total)) },
		})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff([]string{"1/2", "2/2"}, steps); d != "" {
			t.Error(d)
		}
		for _, f := range p.Functions {
			if got := strings.Contains(f.Code.Bundle, "sourceMappingURL"); got != with {
				t.Errorf("%s has a map: %t, want %t", f.File, got, with)
			}
			if f.Code.Source != plain {
				t.Errorf("the source is %q", f.Code.Source)
			}
		}
	}
}

func TestBuildStopsWithItsContext(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{"index.ts": "import './a/actions/x'", "a/actions/x.ts": plain})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := bundle.Build(ctx, bundle.Options{Dir: dir, Describer: engine(t)}); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
}

// BenchmarkBuild builds many functions that use zod and share a file.
func BenchmarkBuild(b *testing.B) {
	const many = 2000
	files := map[string]string{"shared.ts": "import * as z from 'zod';\nexport const Item = z.object({ id: z.string(), at: z.iso.datetime() });\n"}
	var index strings.Builder
	for i := range many {
		name := fmt.Sprintf("i%d/actions/f%d", i%50, i)
		fmt.Fprintf(&index, "import './%s';\n", name)
		files[name+".ts"] = "import { createAction } from 'linkspan';\nimport * as z from 'zod';\nimport { Item } from '../../shared';\n" +
			"export default createAction({ description: 'x', input: z.object({ item: Item, more: z.array(Item) }), output: z.object({ n: z.number() }), exec: async (nango, input) => ({ n: input.more.length }) });\n"
	}
	files["index.ts"] = index.String()
	dir := folder(b, files)
	engine(b)
	for b.Loop() {
		if got := len(clean(b, build(b, dir)).Functions); got != many {
			b.Fatalf("%d functions", got)
		}
	}
}
