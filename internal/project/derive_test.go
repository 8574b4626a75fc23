package project_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/function/bundle"
	"github.com/linkspan/linkspan/internal/project"
	"github.com/linkspan/linkspan/internal/testfile"
)

// richSchema has every construct that models are described with.
const richSchema = `{"definitions":{
	"Record":{"type":"object","description":"A thing */ with a hard name.","required":["id","odd-name","any"],"additionalProperties":false,"properties":{
		"id":{"type":"string","format":"uuid","description":"Who it is."},
		"odd-name":{"anyOf":[{"type":"string"},{"type":"number"},{"type":"null"}]},
		"list":{"type":"array","items":{"anyOf":[{"type":"string"},{"type":"boolean"}]}},
		"pair":{"type":"array","items":[{"type":"string"},{"type":"integer"}],"additionalItems":{"type":"boolean"}},
		"children":{"type":"array","items":{"$ref":"#/definitions/Record"}},
		"either":{"oneOf":[{"type":"object","properties":{"kind":{"type":"string","const":"a"}},"required":["kind"]},{"type":"object","properties":{"kind":{"const":"b"},"n":{"type":"number"}},"required":["kind"]}]},
		"both":{"allOf":[{"$ref":"#/definitions/__schema0"},{"type":"object","properties":{"y":{"type":"number"}}}]},
		"counts":{"type":"object","additionalProperties":{"type":"number"}},
		"few":{"type":"object","propertyNames":{"enum":["x","y"]},"additionalProperties":{"type":"number"}},
		"all":{"type":"object","propertyNames":{"enum":["x","y"]},"additionalProperties":{"type":"number"},"required":["x","y"]},
		"open":{"type":"object","properties":{"z":{"type":"string"}},"additionalProperties":{}},
		"none":{"type":"object","additionalProperties":false},
		"never":{"not":{}},"no":false,"any":{},
		"when":{"type":["string","null"],"format":"date-time"},
		"level":{"enum":["low","it's",3,null]},
		"old":{"type":"string","deprecated":true}
	}},
	"__schema0":{"type":"object","properties":{"x":{"type":"number"}},"required":["x"]},
	"SyncMetadata_a":{"type":"object","properties":{"repos":{"type":"array","items":{"type":"string"}}},"required":["repos"]}
}}`

// rich are functions that make use of it.
func rich() []bundle.Function {
	action := func(name, input, output, schema string) bundle.Function {
		return bundle.Function{
			Integration: "my: tool", Kind: linkspan.FunctionAction, Name: name, File: "my: tool/actions/" + name + ".ts", Version: "1.0.0",
			Definition: linkspan.FunctionDefinition{Description: "Does | " + name + " <b>", Input: input, Models: []string{output}, Schema: json.RawMessage(schema), Scopes: []string{"a", "b"}},
		}
	}
	return []bundle.Function{
		{
			Integration: "7digits", Kind: linkspan.FunctionOnEvent, Name: "hello", File: "7digits/on-events/hello.ts",
			Definition: linkspan.FunctionDefinition{Description: "Says hello", Event: linkspan.EventPostConnectionCreation},
		},
		action("send-all", "ActionInput_x", "ActionOutput_x", `{"definitions":{"ActionInput_x":{"type":"object","properties":{"to":{"type":"array","items":{"type":"object","properties":{"mail":{"type":"string","format":"email"},"name":{"type":"string"}},"required":["mail"]}},"text":{"type":"string","description":"What it says | in short"}},"required":["to","text"]},"ActionOutput_x":{"type":"null"}}}`),
		action("ping", "ActionInput_y", "ActionOutput_y", `{"definitions":{"ActionInput_y":{"type":"null"},"ActionOutput_y":{"type":"array","items":{"$ref":"#/definitions/Record"}},"Record":{"type":"object","properties":{"ok":{"type":"boolean"}},"required":["ok"]}}}`),
		{
			Integration: "my: tool", Kind: linkspan.FunctionSync, Name: "things", File: "my: tool/syncs/things.ts",
			Definition: linkspan.FunctionDefinition{
				Description: "Keeps things", Models: []string{"Record"}, Metadata: "SyncMetadata_a", Schema: json.RawMessage(richSchema),
				Frequency: "every hour", SyncType: "full", Features: []string{"checkpoints"}, WebhookSubscriptions: []string{"*"},
			},
		},
	}
}

func TestAppTypes(t *testing.T) {
	t.Parallel()
	text, err := project.AppTypes(rich())
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "apptypes.golden", text)
	none, err := project.AppTypes(nil)
	if err != nil {
		t.Fatal(err)
	}
	dir := testfile.Unpack(t, `-- tsconfig.json --
{"compilerOptions":{"strict":true,"noEmit":true,"target":"ES2023","module":"ESNext","moduleResolution":"Bundler","types":[]}}
-- use.ts --
import type { ActionInput, ActionName, ActionOutput, Integration, ModelsOf, StoredRecord } from "./linkspan";

const input: ActionInput<"my: tool", "send-all"> = { to: [{ mail: "ada@example.com" }], text: "hello" };
const output: ActionOutput<"my: tool", "ping"> = [{ ok: true }];
const nothing: ActionOutput<"my: tool", "send-all"> = null;
const name: ActionName<"my: tool"> = "ping";
const integration: Integration = "my: tool";
declare const stored: StoredRecord<"my: tool", "things", "Record">;
const id: string = stored.children?.[0]?.id ?? stored._nango_metadata.cursor;
const x: number | undefined = stored.both?.x;
const model: ModelsOf<"my: tool", "things">["Record"]["few"] = { x: 1 };
// @ts-expect-error: there is no such action
const wrong: ActionName<"my: tool"> = "pong";
// @ts-expect-error: text is missing
const incomplete: ActionInput<"my: tool", "send-all"> = { to: [] };
// @ts-expect-error: both are needed
const all: ModelsOf<"my: tool", "things">["Record"]["all"] = { x: 1 };
export { input, output, nothing, name, integration, id, x, model, wrong, incomplete, all };
`)
	for name, text := range map[string]string{"linkspan.d.ts": text, "none.d.ts": none} {
		if err := writeFile(dir, name, text); err != nil {
			t.Fatal(err)
		}
	}
	found, err := project.CheckTypes(t.Context(), dir, compiler(t))
	if err != nil || len(found.Problems) > 0 {
		t.Errorf("%v %v", found.Problems, err)
	}
}

func TestDocs(t *testing.T) {
	t.Parallel()
	dir := testfile.Unpack(t, "-- my: tool/tests/ping.test.json --\nno JSON\n-- my: tool/tests/send-all.test.json --\n"+`{"input":{"to":[{"mail":"ada@example.com"}],"text":"it's a hello to all of you"}}`+"\n")
	for name, where := range map[string]string{"docs.golden": dir, "docs-unrecorded.golden": t.TempDir()} {
		pages, err := project.Docs(where, rich())
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		for _, p := range pages {
			text.WriteString("-- " + p.File + " --\n" + p.Text)
		}
		golden(t, name, text.String())
	}
}

// What was derived is written again, what somebody wrote is not.
func TestWriteDocs(t *testing.T) {
	t.Parallel()
	pages, err := project.Docs(t.TempDir(), rich())
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "docs")
	for _, want := range []int{len(pages), 0} {
		if changed, removed, err := project.WriteDocs(dir, pages); changed != want || removed != 0 || err != nil {
			t.Fatalf("%d changed, not %d, %d removed: %v", changed, want, removed, err)
		}
	}
	own := filepath.Join(dir, filepath.FromSlash(pages[1].File))
	if err := os.WriteFile(own, []byte("# My own\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, err = project.WriteDocs(dir, pages)
	if e, ok := errors.AsType[*linkspan.Error](err); !ok || e.Code != "file_exists" {
		t.Errorf("wrote over a file of somebody else's: %v", err)
	}
}

// Of functions that are gone the pages go, with folders that have nothing else in
// them; what else is below the folder stays, even if it was derived elsewhere.
func TestWriteDocsRemoves(t *testing.T) {
	t.Parallel()
	pages := func(integrations ...string) []project.Page {
		functions := rich()[:1]
		for _, integration := range integrations {
			f := functions[0]
			f.Integration, f.Name, f.File = integration, "it", integration+"/syncs/it.ts"
			functions = append(functions, f)
		}
		pages, err := project.Docs(t.TempDir(), functions)
		if err != nil {
			t.Fatal(err)
		}
		return pages
	}
	dir := t.TempDir()
	all := pages("gone", "mixed", "mine", "absent", "linked", "occupied", "away", "moved")
	if _, _, err := project.WriteDocs(dir, all); err != nil {
		t.Fatal(err)
	}
	files := func() (found []string) {
		err := filepath.WalkDir(dir, func(name string, _ fs.DirEntry, err error) error {
			name, _ = filepath.Rel(dir, name)
			found = append(found, filepath.ToSlash(name))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	outside := filepath.Join(dir, "..", "outside.md")
	for name, text := range map[string]string{
		filepath.Join(dir, "mixed", "notes.md"):      "# Notes\n",
		filepath.Join(dir, "mine", "syncs", "it.md"): "# Mine now\n",
		filepath.Join(dir, "elsewhere", "syncs.md"):  all[1].Text,
		outside:                         all[1].Text,
		filepath.Join(dir, "README.md"): all[0].Text + "[a](<../outside.md>)\n",
	} {
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"absent/syncs/it.md", "occupied", "away"} {
		if err := os.RemoveAll(filepath.Join(dir, filepath.FromSlash(name))); err != nil {
			t.Fatal(err)
		}
	}
	// A file where a folder was, and a folder that is elsewhere now.
	if err := os.WriteFile(filepath.Join(dir, "occupied"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	elsewhere := filepath.Join(t.TempDir(), "syncs")
	if err := os.Mkdir(elsewhere, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(elsewhere, "it.md"), []byte(all[1].Text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Dir(elsewhere), filepath.Join(dir, "away")); err != nil {
		t.Skip(err)
	}
	// A link that somebody made, and a page that a checkout gave other ends of lines.
	linked := filepath.Join(dir, "linked", "syncs", "it.md")
	if err := os.Rename(linked, linked+".txt"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("it.md.txt", linked); err != nil {
		t.Skip(err)
	}
	ended := filepath.Join(dir, "gone", "syncs", "it.md")
	text, err := os.ReadFile(ended)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(ended, []byte(strings.ReplaceAll(string(text), "\n", "\r\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir, "moved"), filepath.Join(dir, "moved-to")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("moved-to", filepath.Join(dir, "moved")); err != nil {
		t.Fatal(err)
	}
	left := pages()
	if _, removed, err := project.WriteDocs(dir, left); removed != 3 || err != nil {
		t.Errorf("%d removed: %v", removed, err)
	}
	got := strings.Join(files(), " ")
	for _, gone := range []string{"gone", "mixed/syncs"} {
		if strings.Contains(got+" ", " "+gone+" ") || strings.Contains(got, " "+gone+"/") {
			t.Errorf("%s is still there: %s", gone, got)
		}
	}
	for _, stays := range []string{"mixed/notes.md", "mine/syncs/it.md", "linked/syncs/it.md", "linked/syncs/it.md.txt", "occupied", "moved", "moved-to", "elsewhere/syncs.md", left[1].File} {
		if !strings.Contains(got+" ", " "+stays+" ") {
			t.Errorf("%s is not there: %s", stays, got)
		}
	}
	for _, name := range []string{outside, filepath.Join(elsewhere, "it.md")} {
		if _, err := os.Stat(name); err != nil {
			t.Error(err)
		}
	}

	// A list that somebody wrote is no list of pages.
	if err := os.WriteFile(filepath.Join(dir, "README.md"), []byte("# Mine\n[a](<elsewhere/syncs.md>)\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, removed, err := project.WriteDocs(dir, left[1:]); removed != 0 || err != nil {
		t.Errorf("%d removed by a list of somebody else's: %v", removed, err)
	}
}

// Where pages can't be written, those of functions that are gone don't stay for good.
func TestWriteDocsAgain(t *testing.T) {
	t.Parallel()
	dir, functions := t.TempDir(), rich()
	write := func() error {
		pages, err := project.Docs(t.TempDir(), functions)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = project.WriteDocs(dir, pages)
		return err
	}
	if err := write(); err != nil {
		t.Fatal(err)
	}
	inTheWay := filepath.Join(dir, "new")
	if err := os.WriteFile(inTheWay, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	functions = functions[:2]
	functions[1].File = "new/actions/send-all.ts"
	if write() == nil {
		t.Error("writes where a file is in the way of a folder")
	}
	if err := os.Remove(inTheWay); err != nil {
		t.Fatal(err)
	}
	if err := write(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"7digits/on-events/hello.md", "README.md", "new/actions/send-all.md"}, tree(t, dir)); diff != "" {
		t.Errorf("what is there (-want +got)\n%s", diff)
	}
}

func TestDefinitions(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, err := project.WriteDefinitions(dir, rich())
	if err != nil || file != ".linkspan/functions.json" {
		t.Fatalf("%q %v", file, err)
	}
	golden(t, "definitions.golden", read(t, dir, file))
	published := testfile.Unpack(t, "-- .nango/.gitkeep --\n")
	if file, err := project.WriteDefinitions(published, nil); err != nil || file != ".nango/nango.json" || read(t, published, file) != "[]\n" {
		t.Errorf("%q %v", file, err)
	}
}

func TestWriteBundles(t *testing.T) {
	t.Parallel()
	dir := testfile.Unpack(t, "-- github_actions_gone.cjs --\n-- mine.cjs --\n-- my_own_tool.cjs --\n-- a_syncs_b.cjs/x --\n")
	for range 2 {
		if n, err := project.WriteBundles(dir, rich()[2:]); n != 2 || err != nil {
			t.Fatalf("%d %v", n, err)
		}
	}
	if diff := cmp.Diff([]string{"a_syncs_b.cjs/x", "mine.cjs", "my: tool_actions_ping.cjs", "my: tool_syncs_things.cjs", "my_own_tool.cjs"}, tree(t, dir)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestCheckTypes(t *testing.T) {
	t.Parallel()
	tsc := compiler(t)
	dir := testfile.Unpack(t, `-- tsconfig.json --
{"compilerOptions":{"strict":true,"noEmit":true,"types":[],"target":"ES2023"},"include":["*.ts"]}
-- a.ts --
export const fine = 1;
	const 名前 = "ä𝕏"; export const wrong: { a: { b: number } } = { a: { b: 名前 } };
-- b.ts --
import { fine } from "./missing";
export { fine };
-- .linkspan/x --
`)
	for range 2 { // the second time with what the first one learned
		found, err := project.CheckTypes(t.Context(), dir, tsc)
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		for _, p := range found.Problems {
			text.WriteString(p.Error() + "\n\n")
		}
		golden(t, "checktypes.golden", text.String())
	}
	// What nobody here can correct is not told.
	foreign := testfile.Unpack(t, `-- tsconfig.json --
{"compilerOptions":{"strict":true,"noEmit":true,"types":[],"module":"ESNext","moduleResolution":"Bundler"},"files":["index.ts"]}
-- index.ts --
import { a } from "a"; export const wrong: string = a;
-- node_modules/a/package.json --
{"name":"a","types":"a.d.ts"}
-- node_modules/a/a.d.ts --
export declare const a: number; export declare const b: Nothing;
`)
	found, err := project.CheckTypes(t.Context(), foreign, tsc)
	if diff := cmp.Diff([]string{"index.ts"}, filesOf(found.Problems)); err != nil || diff != "" {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
	if err := writeFile(dir, "tsconfig.json", "{ nonsense"); err != nil {
		t.Fatal(err)
	}
	if found, err := project.CheckTypes(t.Context(), dir, tsc); err == nil && len(found.Problems) == 0 {
		t.Error("a broken tsconfig.json is fine")
	}
	if found, err := project.CheckTypes(t.Context(), t.TempDir(), tsc); err != nil || len(found.Problems) > 0 {
		t.Errorf("a folder without tsconfig.json: %v %v", found.Problems, err)
	}
	if _, err := project.CheckTypes(t.Context(), dir, filepath.Join(dir, "no-compiler")); err == nil {
		t.Error("there is no compiler, and no error")
	}
}

// What index.ts does not lead to is no part of what is deployed.
func TestCheckTypesAside(t *testing.T) {
	t.Parallel()
	tsc := compiler(t)
	for _, tt := range []struct {
		name, index     string
		problems, aside []string
	}{
		{"imported", `import "./a/actions/x"; import type { T } from "@/types";`, []string{"a/actions/x.ts", "a/lib.ts", "types.ts"}, []string{"scratch.ts"}},
		{"another", `import "./scratch";`, []string{"scratch.ts"}, []string{"a/actions/x.ts", "a/lib.ts", "types.ts"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := testfile.Unpack(t, `-- tsconfig.json --
{"compilerOptions":{"strict":true,"noEmit":true,"types":[],"module":"ESNext","moduleResolution":"Bundler","paths":{"@/*":["./*"]}}}
-- a/actions/x.ts --
import { l } from "../lib"; export const x: string = 1; export { l };
-- a/lib.ts --
export const l: string = 1;
-- types.ts --
export interface T { a: Nothing }
-- scratch.ts --
export const s: string = 1;
-- index.ts --
`+tt.index+"\n")
			found, err := project.CheckTypes(t.Context(), dir, tsc)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([][]string{tt.problems, tt.aside}, [][]string{filesOf(found.Problems), filesOf(found.Aside)}); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func filesOf(problems []bundle.Problem) []string {
	files := make([]string, len(problems))
	for i, p := range problems {
		files[i] = p.File
	}
	return files
}

func TestFindCompiler(t *testing.T) {
	t.Parallel()
	dir := testfile.Unpack(t, "-- node_modules/.bin/tsc --\n-- a/b/index.ts --\n")
	none := func(string) (string, error) { return "", errors.New("none") }
	if got := project.FindCompiler(filepath.Join(dir, "a", "b"), none); got != filepath.Join(dir, "node_modules", ".bin", "tsc") && filepath.Separator == '/' {
		t.Errorf("found %q", got)
	}
	path := func(name string) (string, error) { return "/bin/" + name, nil }
	if got := project.FindCompiler(t.TempDir(), path); got != "/bin/tsc" {
		t.Errorf("found %q", got)
	}
}

// The input of what createSync makes is the metadata of its connections.
func TestMetadataOfSyncs(t *testing.T) {
	t.Parallel()
	f := bundle.Function{Integration: "github", Kind: linkspan.FunctionSync, Name: "issues", File: "github/syncs/issues.ts"}
	f.Definition = linkspan.FunctionDefinition{Input: "SyncMetadata_issues", Schema: json.RawMessage(
		`{"definitions":{"SyncMetadata_issues":{"type":"object","properties":{"repo":{"type":"string"}},"required":["repo"]}}}`)}
	text, err := project.AppTypes([]bundle.Function{f})
	if err != nil || !strings.Contains(text, "metadata: Github.IssuesMetadata;") {
		t.Errorf("types are %v\n%s", err, text)
	}
	pages, err := project.Docs(t.TempDir(), []bundle.Function{f})
	if err != nil || len(pages) != 2 || !strings.Contains(pages[1].Text, "## Metadata") {
		t.Errorf("pages are %v %v", pages, err)
	}
}
