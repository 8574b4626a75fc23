package functions_test

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/sdk/functions"
)

func TestTypings(t *testing.T) {
	t.Parallel()
	files := functions.Typings()
	for _, name := range []string{
		"linkspan/index.d.ts", "linkspan/experimental.d.ts", "nango/index.d.ts", "nango/experimental.d.ts", "platform/index.d.ts",
		"zod/index.d.ts", "zod/README.md", "zod/v4/index.d.ts", "zod/v4/core/index.d.ts",
	} {
		if len(files[name]) == 0 {
			t.Errorf("%s is missing", name)
		}
	}
	if !bytes.Contains(files["zod/LICENSE"], []byte("MIT License")) {
		t.Error("the licence of zod is missing")
	}
	size := 0
	for name, text := range files {
		size += len(text)
		if !fs.ValidPath(name) || strings.HasPrefix(name, "tests/") {
			t.Errorf("a file has the name %q", name)
		}
		if !bytes.HasSuffix(text, []byte("\n")) {
			t.Errorf("%s does not end with a line", name)
		}
	}
	if size > 400_000 {
		t.Errorf("the typings have %d bytes", size)
	}
}

// The declarations and what runs in the sandbox are of the same zod.
func TestOneZod(t *testing.T) {
	t.Parallel()
	lock, err := os.ReadFile("package.json")
	if err != nil {
		t.Fatal(err)
	}
	version := regexp.MustCompile(`"zod": "([^"]+)"`).FindSubmatch(lock)
	if version == nil || !bytes.Contains(functions.Typings()["zod/README.md"], append(append([]byte("zod "), version[1]...), ' ')) {
		t.Errorf("package.json has zod %s, the declarations are those of %s", version[1], functions.Typings()["zod/README.md"])
	}
}

// Each member that is there for older functions says so, and every member what it
// is.
func TestMembersAreDescribed(t *testing.T) {
	t.Parallel()
	files := functions.Typings()
	member := regexp.MustCompile(`(?m)^\t(?:readonly )?(\w+)(?:<.*>)?(?:\??: |\()`)
	for _, name := range []string{"linkspan/nango.d.ts", "linkspan/sync.d.ts", "linkspan/define.d.ts"} {
		lines := strings.Split(string(files[name]), "\n")
		seen := make(map[string]bool)
		for i, line := range lines {
			found := member.FindStringSubmatch(line)
			if found == nil || seen[found[1]] || !strings.Contains(line, ";") || i == 0 {
				continue
			}
			seen[found[1]] = true // overloads are described once
			if before := strings.TrimSpace(lines[i-1]); !strings.HasSuffix(before, "*/") {
				if !strings.HasPrefix(found[1], "Models") && !plainEnough(found[1]) {
					t.Errorf("%s:%d: %s is not described", name, i+1, found[1])
				}
			}
		}
	}
	for _, deprecated := range []string{"setFieldMapping", "getFieldMapping", "getFlowAttributes", "batchSend", "getRecordsById", "lastSyncDate", "track_deletes", "deleteRecordsFromPreviousExecutions", "syncType", "trackDeletes", "endpoints", "endpoint"} {
		pattern := regexp.MustCompile(`@deprecated(?:[^*]|\*[^/])*\*/\n\t(?:readonly )?` + deprecated + `[<(?:]`)
		found := false
		for _, text := range files {
			found = found || pattern.Match(text)
		}
		if !found {
			t.Errorf("%s is not marked as deprecated", deprecated)
		}
	}
}

// plainEnough is for members whose names say it all.
func plainEnough(name string) bool {
	switch name {
	case "last_action", "name", "method", "path", "group", "type":
		return true
	}
	return false
}

// TestFolder lays out a folder as "linkspan init" does, with all functions that
// there are, and has it checked: no package is in it.
func TestFolder(t *testing.T) {
	t.Parallel()
	compiler := typescript(t)
	dir := newFolder(t)
	for name, from := range map[string]string{
		"examples": "../../examples",
		"demo":     "../../internal/app/demofunctions",
		"first":    "../../internal/project/scaffold",
		"library":  "../../integrations",
		"tests":    "types/tests",
		// As they were written before definitions were TypeScript, and since.
		"older": "testdata/older",
		// Made for the published tool: a folder of ours, and the tool's own example.
		"published": "../../internal/function/bundle/testdata/published",
		"its-own":   "../../e2e/published/node_modules/nango/example",
	} {
		if name == "its-own" && !installed(t, from, "e2e/published") {
			continue
		}
		if n := copySources(t, from, filepath.Join(dir, name)); n == 0 {
			t.Errorf("there is nothing in %s", from)
		}
	}
	if out, err := compile(t, compiler, dir); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestMistakes sees that checking a folder finds something.
func TestMistakes(t *testing.T) {
	t.Parallel()
	compiler := typescript(t)
	dir := newFolder(t)
	write(t, filepath.Join(dir, "acme", "syncs", "notes.ts"), []byte(`import { createSync } from "linkspan";
import * as z from "zod";
export default createSync({
	description: "Notes",
	frequency: "every hour",
	models: { Note: z.object({ id: z.string() }) },
	exec: async (nango) => {
		await nango.batchSave([{ id: 1 }], "Note");
		await nango.batchSave([], "Nope");
		fetch("https://example.com");
	},
});
`))
	out, err := compile(t, compiler, dir)
	if err == nil {
		t.Fatal("nothing was found")
	}
	for _, want := range []string{
		`notes.ts(8,28): error TS2322: Type 'number' is not assignable to type 'string'`,
		`notes.ts(9,29): error TS2345: Argument of type '"Nope"' is not assignable to parameter of type '"Note"'`,
		`notes.ts(10,3): error TS2304: Cannot find name 'fetch'`,
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	if n := strings.Count(out, "error TS"); n != 3 {
		t.Errorf("%d mistakes instead of 3:\n%s", n, out)
	}
}

// TestMessages reads what the compiler says of common mistakes: a sentence about
// the mistake rather than the shapes of types.
func TestMessages(t *testing.T) {
	t.Parallel()
	compiler := typescript(t)
	dir := newFolder(t)
	text, err := os.ReadFile("testdata/mistakes.ts")
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "mistakes.ts"), text)
	out, err := compile(t, compiler, dir)
	if err == nil {
		t.Fatal("nothing was found")
	}
	said := make(map[string]string) // by line
	for line := range strings.Lines(out) {
		if at := regexp.MustCompile(`^mistakes\.ts\((\d+),`).FindStringSubmatch(line); at != nil {
			said[at[1]] += line
		} else {
			said["more"] += line
		}
	}
	mistakes := 0
	for i, line := range strings.Split(string(text), "\n") {
		_, want, ok := strings.Cut(line, "// says: ")
		at := strconv.Itoa(i + 1)
		if got := said[at]; ok && !strings.Contains(got, want) || !ok && got != "" {
			t.Errorf("line %s: want %q, got %s", at, want, got)
		}
		if ok {
			mistakes++
		}
		if len(said[at]) > 400 {
			t.Errorf("line %s is a wall of text: %s", at, said[at])
		}
	}
	if mistakes < 15 {
		t.Errorf("found %d mistakes", mistakes)
	}
}

// everyWay are the paths that functions.md names for folders that resolve as Node
// does.
const everyWay = `["./.linkspan/types/*", "./.linkspan/types/*.d.ts", "./.linkspan/types/*/index.d.ts"]`

// TestResolutions checks what "linkspan init" writes with the ways to look for
// modules that folders of their own may have, for both kinds of modules.
func TestResolutions(t *testing.T) {
	t.Parallel()
	compiler := typescript(t)
	for _, way := range [][3]string{
		{"node16", "node16", "commonjs"}, {"nodenext", "nodenext", "module"}, {"commonjs", "node10", "commonjs"},
	} {
		t.Run(strings.Join(way[:], " "), func(t *testing.T) {
			t.Parallel()
			dir := newFolder(t)
			write(t, filepath.Join(dir, "package.json"), []byte(`{ "type": "`+way[2]+`" }`))
			replace(t, filepath.Join(dir, "tsconfig.json"), `["./.linkspan/types/*"]`, everyWay)
			for _, name := range []string{"action.ts", "sync.ts", "function.ts"} {
				text, err := os.ReadFile(filepath.Join("types", "tests", name))
				if err != nil {
					t.Fatal(err)
				}
				write(t, filepath.Join(dir, name), bytes.ReplaceAll(text, []byte(`"./equal"`), []byte(`"./equal.js"`)))
			}
			text, err := os.ReadFile("types/tests/equal.ts")
			if err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, "equal.ts"), text)
			write(t, filepath.Join(dir, "default.ts"), []byte(`import z, { ZodType } from "zod";`+"\n"+`export const s: ZodType<string> = z.string();`+"\n"))
			if out, err := compile(t, compiler, dir, "--module", way[0], "--moduleResolution", way[1], "--esModuleInterop"); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// typescript finds the compiler. Where tests must not be skipped it has to be
// there.
func typescript(t *testing.T) string {
	t.Helper()
	compiler, err := filepath.Abs("node_modules/typescript/bin/tsc")
	if err != nil {
		t.Fatal(err)
	}
	if !installed(t, compiler, "sdk/functions") {
		t.Skip("TypeScript is missing: run npm ci in sdk/functions")
	}
	return compiler
}

// installed reports whether the packages of a folder are there; where tests must
// not be skipped they have to be.
func installed(t *testing.T, path, folder string) bool {
	t.Helper()
	_, err := os.Stat(path)
	if err != nil && os.Getenv("CI") != "" {
		t.Fatalf("%s is missing: run npm install in %s", path, folder)
	}
	return err == nil
}

func compile(t *testing.T, compiler, dir string, options ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "node", append([]string{compiler, "-p", dir, "--pretty", "false"}, options...)...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// copySources copies TypeScript and says how many files there are.
func copySources(t *testing.T, from, to string) int {
	t.Helper()
	n := 0
	err := filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (entry.Name() == "node_modules" || entry.Name() == "testdata") {
			return fs.SkipDir
		}
		if entry.IsDir() || filepath.Ext(path) != ".ts" {
			return nil
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		n++
		write(t, filepath.Join(to, rel), text)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// newFolder makes a folder with typings and the settings of the compiler.
func newFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	config, err := os.ReadFile("../../internal/project/scaffold/tsconfig.json")
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "tsconfig.json"), config)
	for name, text := range functions.Typings() {
		write(t, filepath.Join(dir, ".linkspan", "types", filepath.FromSlash(name)), text)
	}
	return dir
}

func replace(t *testing.T, path, old, by string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(text, []byte(old)) {
		t.Fatalf("%s has no %s", path, old)
	}
	write(t, path, bytes.ReplaceAll(text, []byte(old), []byte(by)))
}

func write(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
}
