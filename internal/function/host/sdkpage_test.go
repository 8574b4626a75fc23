package host_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/evanw/esbuild/pkg/api"
	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/function/host"
	functions "github.com/linkspan/linkspan/sdk/functions"
)

const sdkPage = "../../../docs/sdk.md"

// snippet is code of the page: a whole file, or the body of an action or a sync.
type snippet struct {
	line int
	kind string
	text string
}

// around makes a whole file of what stands in a function.
var around = map[string]string{
	"": `import { createAction } from "linkspan";
import * as all from "zod";
%s
export default createAction({ description: "x", input: all.any(), output: all.any(), exec: async (nango) => {
%s
} });
`,
	"sync": `import { createSync } from "linkspan";
import * as all from "zod";
%s
const Ticket = all.object({ id: all.string(), subject: all.string(), status: all.string() });
export default createSync({ description: "x", frequency: "every hour", models: { Ticket }, checkpoint: all.object({ since: all.string() }), exec: async (nango) => {
%s
} });
`,
}

// file returns a snippet as a module.
func (s snippet) file() string {
	if s.kind == "file" {
		return s.text
	}
	var imports, body []string
	for line := range strings.Lines(s.text) {
		if strings.HasPrefix(line, "import ") {
			imports = append(imports, line)
		} else {
			body = append(body, line)
		}
	}
	return fmt.Sprintf(around[s.kind], strings.Join(imports, ""), strings.Join(body, ""))
}

func (s snippet) name() string { return fmt.Sprintf("line%d.ts", s.line) }

// readPage returns the snippets of the page and the members that it has headings
// of.
func readPage(t *testing.T) (snippets []snippet, members []string) {
	t.Helper()
	text, err := os.ReadFile(sdkPage)
	must(t, err)
	var open *snippet
	line := 0
	for one := range strings.Lines(string(text)) {
		line++
		switch info, fence := strings.CutPrefix(strings.TrimSpace(one), "```"); {
		case open == nil && fence && strings.HasPrefix(info, "ts"):
			open = &snippet{line: line, kind: strings.TrimSpace(strings.TrimPrefix(info, "ts"))}
		case open != nil && fence:
			snippets, open = append(snippets, *open), nil
		case open != nil:
			open.text += one
		case strings.HasPrefix(one, "### "):
			for _, m := range regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(one, -1) {
				members = append(members, m[1])
			}
		}
	}
	return snippets, members
}

// TestSDKPage holds the page, the types for authors and the sandbox to each other.
func TestSDKPage(t *testing.T) {
	t.Parallel()
	snippets, members := readPage(t)
	if len(snippets) < 25 {
		t.Fatalf("the page has %d snippets", len(snippets))
	}
	t.Run("members", func(t *testing.T) {
		t.Parallel()
		slices.Sort(members)
		if diff := cmp.Diff(typedMembers(), members); diff != "" {
			t.Errorf("members (-types +page):\n%s", diff)
		}
		w := newWorld(t, tickets)
		var there []string
		must(t, json.Unmarshal([]byte(w.result(t, w.sync(t, say+`say(Object.keys(nango).concat("invoke").sort())`))), &there))
		if diff := cmp.Diff(there, members); diff != "" {
			t.Errorf("members (-sandbox +page):\n%s", diff)
		}
	})
	t.Run("types", func(t *testing.T) {
		t.Parallel()
		checkTypes(t, snippets)
	})
	w := newWorld(t, tickets)
	for _, s := range snippets {
		t.Run(s.name(), func(t *testing.T) {
			t.Parallel()
			runSnippet(t, w, s)
		})
	}
}

// typedMembers are the members that the types for authors have.
func typedMembers() []string {
	members := []string{"invoke"}
	declared := regexp.MustCompile(`(?m)^\t(?:readonly )?(\w+)(?:<[^(\n]*>)?(?:\(|: )`)
	files := functions.Typings()
	for file, from := range map[string]string{"linkspan/nango.d.ts": "export interface NangoAction", "linkspan/sync.d.ts": "export interface NangoSync"} {
		_, body, _ := strings.Cut(string(files[file]), from)
		for _, m := range declared.FindAllStringSubmatch(body, -1) {
			members = append(members, m[1])
		}
	}
	slices.Sort(members)
	return slices.Compact(members)
}

// tickets is the API that the page speaks of.
func tickets(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	switch path := strings.TrimPrefix(r.URL.Path, "/api"); {
	case path == "/missing":
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte(`{"error":"There is no such thing"}`))
	case path == "/graphql", path == "/tickets" && r.Method == http.MethodGet:
		_, _ = w.Write([]byte(`{"tickets":[{"id":7,"subject":"It broke","status":"open","updated_at":"2026-01-02T03:04:05Z"}],"next":null}`))
	default:
		_, _ = w.Write([]byte(`{"id":7,"subject":"It broke","status":"open"}`))
	}
}

func runSnippet(t *testing.T, w *world, s snippet) {
	t.Helper()
	code := strings.ReplaceAll(s.file(), "https://other.example", w.saas.URL)
	if !strings.Contains(code, "export default") {
		return
	}
	out := api.Transform(code, api.TransformOptions{Loader: api.LoaderTS, Format: api.FormatCommonJS, Target: api.ES2023, Sourcefile: s.name()})
	if len(out.Errors) > 0 {
		t.Fatalf("%+v", out.Errors)
	}
	given := func(r *trial) {
		r.bundle, r.info.Variant, r.info.Function = string(out.Code), s.name(), s.name()
		r.info.Input = json.RawMessage(`{"name":"Ada"}`)
		r.info.Syncs = &recordedSyncs{}
		r.info.Trigger = func(_ context.Context, _, _, name string, _ json.RawMessage) (json.RawMessage, error) {
			if name != "create-user" {
				return nil, linkspan.E("test", linkspan.KindNotFound, "not_found", nil, "There is no action %q", name)
			}
			return json.RawMessage(`{"ok":true,"id":"u7"}`), nil
		}
	}
	run := w.run
	if strings.Contains(code, "createSync(") || strings.Contains(code, `kind: "schedule"`) {
		run = w.sync
	}
	r := run(t, "", given, func(r *trial) {
		if r.info.Sync != nil {
			r.info.Sync = &host.Sync{UUID: "sync-uuid", Run: r.info.Sync.Run, Models: []string{"Ticket"}}
		}
	})
	r.value(t)
}

// checkTypes has the compiler check the snippets as a folder that "linkspan init"
// made.
func checkTypes(t *testing.T, snippets []snippet) {
	t.Helper()
	compiler, err := filepath.Abs("../../../sdk/functions/node_modules/typescript/bin/tsc")
	must(t, err)
	if _, err := os.Stat(compiler); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("TypeScript is missing: run npm ci in sdk/functions")
		}
		t.Skip("TypeScript is missing: run npm ci in sdk/functions")
	}
	dir := t.TempDir()
	config, err := os.ReadFile("../../project/scaffold/tsconfig.json")
	must(t, err)
	files := map[string][]byte{"tsconfig.json": config}
	for name, text := range functions.Typings() {
		files[filepath.Join(".linkspan", "types", filepath.FromSlash(name))] = text
	}
	for _, s := range snippets {
		files[s.name()] = []byte(s.file())
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, text, 0o644))
	}
	cmd := exec.CommandContext(t.Context(), "node", compiler, "-p", dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
