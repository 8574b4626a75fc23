package bundle_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan/internal/function/sourcemap"
	"github.com/linkspan/linkspan/internal/sandbox"
)

// TestStacks throws in TypeScript of several files, and looks for the author's
// lines in the stack.
func TestStacks(t *testing.T) {
	t.Parallel()
	const source = `import { outer } from "../lib/outer";

interface Input {
	kind: string;
}

// Types and comments are gone in the bundle.
export default async function run(nango: { input: Input }): Promise<unknown> {
	return await outer(nango.input.kind as string);
}
`
	files := map[string]string{
		"github/lib/outer.ts":                "import { boom } from \"thrower\";\n\ntype Kind = string;\n\nexport async function outer(kind: Kind): Promise<void> {\n\tconst texts = ['é', '𝒳']; if (kind === 'own') throw new RangeError(texts.join() + \" of my own\");\n\tboom({ kind });\n}\n",
		"node_modules/thrower/package.json":  `{"main":"dist/index.js"}`,
		"node_modules/thrower/dist/index.js": "// line 1\nexports.boom = function thrower(o) {\n  return o.none.at.all;\n};\n",
	}
	f := clean(t, single(t, source, files)).Functions[0]
	m, err := sourcemap.New(f.Code.Bundle)
	if err != nil {
		t.Fatal(err)
	}
	for kind, want := range map[string][]string{
		"own":     {"outer (github/lib/outer.ts:6:", "run (github/actions/test.ts:9:"},
		"package": {"thrower (node_modules/thrower/dist/index.js:3:", "outer (github/lib/outer.ts:7:", "run (github/actions/test.ts:9:"},
	} {
		_, err := run(t, f, map[string]string{"kind": kind})
		failure, ok := errors.AsType[*sandbox.Failure](err)
		if !ok {
			t.Fatalf("%s: error is %v", kind, err)
		}
		var thrown struct{ Stack string }
		if err := json.Unmarshal(failure.JSON, &thrown); err != nil {
			t.Fatal(err)
		}
		stack := m.Stack(thrown.Stack)
		rest := stack
		for _, frame := range want {
			_, after, found := strings.Cut(rest, "at "+frame)
			if !found {
				t.Errorf("%s: no %q, in order, in\n%s\nwhich was\n%s", kind, frame, stack, thrown.Stack)
				break
			}
			rest = after
		}
		if strings.Contains(stack, "prelude") || strings.Contains(stack, "github/actions/test.js") {
			t.Errorf("%s: the stack shows more than the author's files:\n%s", kind, stack)
		}
	}
	for _, file := range []string{"github/actions/test.ts", "github/lib/outer.ts"} {
		want := source
		if file != "github/actions/test.ts" {
			want = files[file]
		}
		if d := cmp.Diff(want, m.Source(file)); d != "" {
			t.Error(file, d)
		}
	}
}
