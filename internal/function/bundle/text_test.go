package bundle_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/function/bundle"
)

// describeText compiles and describes a text as a function of github.
func describeText(t *testing.T, kind linkspan.FunctionKind, source string) (*bundle.Function, []bundle.Problem) {
	t.Helper()
	text := bundle.CompileText(source)
	if len(text.Problems) > 0 {
		return nil, text.Problems
	}
	f, problems, err := bundle.DescribeText(t.Context(), bundle.TextOptions{
		Integration: "github", Kind: kind, Name: "it", Source: source, Text: text, Version: "1.2.3", Describer: engine(t),
	})
	if err != nil {
		t.Fatal(err)
	}
	return f, problems
}

const textSync = `import { createSync } from "nango";
import * as z from "zod";
interface Unused { a: string }
export default createSync({
	description: "Issues", version: "1.0.0", frequency: "every hour", syncType: "full",
	models: { Issue: z.object({ id: z.string() }) },
	checkpoint: z.object({ page: z.number() }),
	exec: async (nango) => { await nango.saveCheckpoint({ page: 1 }); const { gzipSync } = await import("node:buffer") as any; },
});
`

func TestTextOfAFunction(t *testing.T) {
	t.Parallel()
	for _, kind := range []linkspan.FunctionKind{linkspan.FunctionSync, ""} {
		f, problems := describeText(t, kind, textSync)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		got := []any{f.Kind, f.Version, f.Definition.Models, f.Definition.Frequency, f.Definition.Features, f.Code.Source == textSync}
		want := []any{linkspan.FunctionSync, "1.0.0", []string{"Issue"}, "every hour", []string{"checkpoints"}, true}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("as %q: %s", kind, d)
		}
		if strings.Contains(f.Code.Bundle, "interface") || !strings.Contains(f.Code.Bundle, "//# sourceMappingURL=data:") {
			t.Error("the bundle is no JavaScript with a source map")
		}
	}
	f, problems := describeText(t, linkspan.FunctionAction, "export default async function run(nango: any) { return nango.input; }")
	if len(problems) > 0 || !f.Plain {
		t.Errorf("a plain function: %+v, problems %v", f, problems)
	}
	f, problems = describeText(t, linkspan.FunctionAction, `import { createFunction } from "nango/experimental";
export default createFunction({ description: "x", exec: async () => 1 });`)
	if len(problems) > 0 || f.Kind != linkspan.FunctionAction || f.Definition.Unified == nil {
		t.Errorf("one made by createFunction: %+v, problems %v", f, problems)
	}
}

func TestProblemsOfATextHavePlaces(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, source, place, message string }{
		{"syntax", "export default async function run() {\n\treturn 1 +;\n}", "function.ts:2:12", "Unexpected \";\""},
		{"awaiting outside", "const x = await fetch('a');\nexport default async () => x;", "function.ts:1:11", "Nothing can be awaited outside"},
		{"no default export", "export const a = 1;", "function.ts:0:0", "no default export"},
		{"another kind", textSync, "function.ts:0:0", "createSync"},
		{"throws", "const a: any = undefined;\n\nexport default a.b;", "function.ts:3:16", "TypeError"},
		{"a file", "import { a } from \"./models\";\nexport default async () => a;", "function.ts:1:19", "There is no file ./models"},
		{"a package", "import _ from \"lodash\";\nexport default async () => _;", "function.ts:1:15", "The package lodash is not here"},
		{"a module of Node's", "import * as fs from \"node:fs\";\nexport default async () => fs;", "function.ts:1:21", "Node's module \"fs\""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, problems := describeText(t, linkspan.FunctionAction, c.source)
			if len(problems) != 1 {
				t.Fatalf("problems: %v", problems)
			}
			p := problems[0]
			if place := fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column); place != c.place || !strings.Contains(p.Message, c.message) {
				t.Errorf("%s: %s\n%s", place, p.Message, p.Excerpt)
			}
			if p.Line > 0 && !strings.Contains(p.Excerpt, "^") {
				t.Errorf("no excerpt: %q", p.Excerpt)
			}
		})
	}
}

// A text of a customer's must not get at the server's files, whatever it imports.
func TestTextReachesNoFile(t *testing.T) {
	const canary = "canary-of-the-servers-disk"
	dir := folder(t, map[string]string{
		"secret.ts": "export default '" + canary + "'", "secret.js": "module.exports = '" + canary + "'", "secret.json": `{"a":"` + canary + `"}`, "secret.txt": canary,
		"map.js.map":              `{"version":3,"sources":["a.ts"],"sourcesContent":["` + canary + `"],"mappings":"AAAA"}`,
		"node_modules/p/index.js": "module.exports = '" + canary + "'", "node_modules/p/package.json": `{"name":"p"}`,
		"tsconfig.json": `{"compilerOptions":{"baseUrl":".","paths":{"alias":["./secret.ts"]},"jsxFactory":"` + canary + `"}}`,
		"package.json":  `{"imports":{"#x":"./secret.js"}}`,
	})
	if err := os.Symlink(filepath.Join(dir, "secret.js"), filepath.Join(dir, "link.js")); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir) // the worst place for a server to be started in
	abs := filepath.ToSlash(dir)
	for _, source := range []string{
		`import x from "./secret"; export default x;`,
		`import x from "./secret.js"; export default x;`,
		`import x from "./secret.json"; export default x;`,
		`import x from "./secret.json" with { type: "json" }; export default x;`,
		`import x from "./secret.txt" with { type: "text" }; export default x;`,
		`import x from "./link.js"; export default x;`,
		`import x from "` + abs + `/secret.js"; export default x;`,
		`import x from "file://` + abs + `/secret.js"; export default x;`,
		`import x from "../` + filepath.Base(abs) + `/secret.js"; export default x;`,
		`import x from "p"; export default x;`,
		`import x from "alias"; export default x;`,
		`import x from "#x"; export default x;`,
		`export * from "./secret"; export { default } from "./secret";`,
		`import x = require("./secret.js"); export default x;`,
		`export default require("./secret.js");`,
		`const n = "secret"; export default require("./" + n + ".js");`,
		"const n = 'secret'; export default async () => import(`./${n}.json`);",
		"const n = 'secret'; export default async () => import(`../" + filepath.Base(abs) + "/${n}.json`);",
		`export default async () => import("./secret.js");`,
		`/// <reference path="./secret.ts" />` + "\nexport default async () => 1;",
		"export default async () => 1;\n//# sourceMappingURL=map.js.map",
		"export default async () => 1;\n//# sourceMappingURL=file://" + abs + "/map.js.map",
		"export default new URL('./secret.txt', 'file://" + abs + "/x').href;",
		"/** @jsxImportSource ./secret */ export default async () => 1;",
	} {
		text := bundle.CompileText(source)
		if strings.Contains(text.Bundle, canary) {
			t.Errorf("the bundle has a file of the server's in it: %s", source)
		}
		for _, p := range text.Problems {
			if strings.Contains(p.Error(), canary) {
				t.Errorf("a problem has a file of the server's in it: %s: %v", source, p)
			}
		}
		if len(text.Problems) > 0 {
			continue
		}
		f, problems, err := bundle.DescribeText(t.Context(), bundle.TextOptions{
			Integration: "github", Kind: linkspan.FunctionAction, Name: "it", Source: source, Text: text, Describer: engine(t),
		})
		if err != nil {
			t.Fatal(err)
		}
		if shown := fmt.Sprint(f, problems); strings.Contains(shown, canary) {
			t.Errorf("the definition has a file of the server's in it: %s: %s", source, shown)
		}
	}
}
