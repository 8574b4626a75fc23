package bundle_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/function/bundle"
)

// TestImportedFunctions has a function import another one to invoke it: it finds out
// which one that is, and what else its file exports is as it was.
func TestImportedFunctions(t *testing.T) {
	t.Parallel()
	other := "import { createFunction } from 'linkspan';\nexport const limit = 5;\nexport default createFunction({ description: 'x', exec: async () => 1 });\n"
	f := clean(t, build(t, folder(t, map[string]string{
		"index.ts":                "import './a-b/functions/calls'",
		"a-b/functions/called.ts": other, "other/functions/far.ts": other, "a-b/functions.ts": "export default { type: 'function' };\n",
		"a-b/functions/calls.ts": "import { createFunction } from 'linkspan';\nimport called, { limit } from './called.js';\nimport far from '../../other/functions/far';\nimport plain from '../functions';\n" +
			"const is = Symbol.for('linkspan.function');\nexport default createFunction({ description: 'x', exec: async () => [called[is], far[is], limit, called.type, plain[is] ?? null, Object.keys(called)] });\n",
	}))).Functions[0]
	got, err := run(t, f, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"integrationId":"a-b","name":"called"},{"integrationId":"other","name":"far"},5,"function",null,["type","description","exec"]]`
	if d := cmp.Diff(want, string(got)); d != "" {
		t.Error(d)
	}
	if f.Program().Name != "a-b/functions/calls.js" || f.Kind != linkspan.FunctionAction {
		t.Errorf("it is %s, a %s", f.Program().Name, f.Kind)
	}
	missing := build(t, folder(t, map[string]string{
		"index.ts": "import './a/functions/x'", "a/functions/x.ts": "import y from './y';\nexport default { y };\n",
	}))
	if len(missing.Problems) != 1 || !strings.Contains(missing.Problems[0].Message, "There is no file ./y") {
		t.Errorf("problems %v", missing.Problems)
	}
}

// TestOnlyUnified asks for functions made by createFunction before their kind is
// known.
func TestOnlyUnified(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{
		"index.ts": "import './a/functions/x';\nimport './a/actions/y';\n", "a/functions/x.ts": unifiedFile("trigger: { kind: 'schedule', frequency: '1h' }"), "a/actions/y.ts": plain,
	})
	p, err := bundle.Build(t.Context(), bundle.Options{Dir: dir, Describer: engine(t), Only: func(_ string, kind linkspan.FunctionKind, name string) bool {
		return kind == bundle.KindUnified && name == "x"
	}})
	if err != nil {
		t.Fatal(err)
	}
	if fs := clean(t, p).Functions; len(fs) != 1 || fs[0].Kind != linkspan.FunctionSync {
		t.Errorf("built %+v", fs)
	}
	// A folder without index.ts has them as well.
	p, err = bundle.Build(t.Context(), bundle.Options{Dir: folder(t, map[string]string{"a/functions/x.ts": unifiedFile("")}), AllFiles: true, Describer: engine(t)})
	if err != nil {
		t.Fatal(err)
	}
	if fs := clean(t, p).Functions; len(fs) != 1 || fs[0].Name != "x" {
		t.Errorf("built %+v", fs)
	}
}
