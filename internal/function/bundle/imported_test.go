package bundle_test

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/function/bundle"
)

// mapped is a bundle with a source map of the given sources.
func mapped(t *testing.T, files map[string]string) string {
	t.Helper()
	var names, texts []string
	for name, text := range files {
		names, texts = append(names, name), append(texts, text)
	}
	text, err := json.Marshal(map[string]any{"version": 3, "sources": names, "sourcesContent": texts, "mappings": ""})
	if err != nil {
		t.Fatal(err)
	}
	return "code\n//# sourceMappingURL=data:application/json;base64," + base64.StdEncoding.EncodeToString(text) + "\n"
}

func TestImported(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ files, want map[string]string }{
		"of another integration": {
			map[string]string{"github/syncs/issues.ts": "own", "github/api.ts": "api", "models.ts": "models", "slack/api.ts": "slack"},
			map[string]string{"code/api.ts": "api", "models.ts": "models", "slack/api.ts": "slack"},
		},
		"made elsewhere": {
			map[string]string{"/home/ada/app/github/syncs/issues.ts": "own", "/home/ada/app/github/api.ts": "api", "/home/ada/other.ts": "x", "/home/ada/app/lib/a.ts": "a"},
			map[string]string{"code/api.ts": "api", "lib/a.ts": "a"},
		},
		"what nobody pulls": {
			map[string]string{
				"github/syncs/issues.ts": "own", "node_modules/x/index.js": "1", "github/node_modules/x/index.js": "1", ".git/hooks/a.js": "1",
				"a/.env.ts": "1", "zod.exe": "1", "c:/x.ts": "1", "a.md": "text",
			},
			map[string]string{"a.md": "text"},
		},
		"alone":                {map[string]string{"github/syncs/issues.ts": "own"}, nil},
		"a text":               {map[string]string{"function.ts": "own", "x.ts": "1"}, nil},
		"another file's text":  {map[string]string{"github/syncs/issues.ts": "other", "x.ts": "1"}, nil},
		"a file like it first": {map[string]string{"github/syncs/issues.ts": "own", "github/syncs/copy.ts": "own", "x.ts": "1"}, map[string]string{"code/syncs/copy.ts": "own", "x.ts": "1"}},
	} {
		got := bundle.Imported(linkspan.FunctionCode{Bundle: mapped(t, c.files), Source: "own"}, "code", "issues")
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	for _, code := range []string{"", "no map", "x\n//# sourceMappingURL=data:application/json;base64,!!\n"} {
		if got := bundle.Imported(linkspan.FunctionCode{Bundle: code}, "code", "issues"); got != nil {
			t.Errorf("%q: %v", code, got)
		}
	}
}

// What a folder's bundle was made of comes back as it was.
func TestImportedOfAFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files := map[string]string{
		"index.ts":                 "import './github/actions/greet';\n",
		"github/actions/greet.ts":  "import { hello } from '../words';\nexport default async (nango: any) => hello(nango.input);\n",
		"github/words.ts":          "import { mark } from '../lib/marks';\nexport const hello = (name: string) => 'hello ' + name + mark;\n",
		"lib/marks.ts":             "export const mark: string = '!';\n",
		"github/actions/unused.ts": "export default async () => 1;\n",
	}
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p, err := bundle.Build(t.Context(), bundle.Options{Dir: dir, SourceMap: true, Describer: engine(t)})
	if err != nil || len(p.Problems) > 0 {
		t.Fatal(err, p.Problems)
	}
	got := bundle.Imported(p.Functions[0].Code, "github", "greet")
	if diff := cmp.Diff(map[string]string{"github/words.ts": files["github/words.ts"], "lib/marks.ts": files["lib/marks.ts"]}, got); diff != "" {
		t.Error(diff)
	}
}
