package project_test

import (
	"errors"
	"flag"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/project"
	"github.com/linkspan/linkspan/internal/testfile"
)

var update = flag.Bool("update", false, "write golden files instead of comparing")

// tree lists the files below a folder, without the typings.
func tree(t *testing.T, dir string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		if d.IsDir() && filepath.ToSlash(rel) == ".linkspan" {
			return fs.SkipDir
		}
		if !d.IsDir() {
			files = append(files, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(files)
	return files
}

// read returns a file below a folder.
func read(t *testing.T, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// golden compares a text with a file of testdata, or writes it with -update.
func golden(t *testing.T, name, got string) {
	t.Helper()
	testfile.Golden(t, *update, filepath.Join("testdata", name), got)
}

// compiler returns the TypeScript compiler of the checkout. Without it the test is
// skipped; on CI it fails.
func compiler(t *testing.T) string {
	t.Helper()
	found := project.FindCompiler(filepath.Join("..", "..", "sdk", "functions"), exec.LookPath)
	if found == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("there is no tsc: run npm ci in sdk/functions")
		}
		t.Skip("there is no tsc")
	}
	return found
}

func TestInit(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "My Integrations")
	made, err := project.Init(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(tree(t, dir), made.Files); diff != "" || len(made.Kept) > 0 {
		t.Errorf("there is (-) and was reported (+)\n%s%v", diff, made.Kept)
	}
	golden(t, "init.golden", strings.Join(made.Files, "\n")+"\n")
	if info, err := os.Stat(filepath.Join(dir, ".env")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others can read .env: %v %v", info.Mode(), err)
	}
	if text := read(t, dir, "package.json"); !strings.Contains(text, `"name": "my-integrations"`) {
		t.Errorf("package.json is\n%s", text)
	}
	if state, err := project.Typings(dir); err != nil || state != project.TypingsCurrent {
		t.Errorf("typings are in state %d, %v", state, err)
	}
	found, err := project.CheckTypes(t.Context(), dir, compiler(t))
	if err != nil || len(found.Problems) > 0 {
		t.Errorf("types are wrong: %v %v", found.Problems, err)
	}
}

// A folder that has something in it keeps that.
func TestInitKeeps(t *testing.T) {
	t.Parallel()
	dir := testfile.Unpack(t, "-- README.md --\nhello\n-- .gitignore --\nnode_modules/\n*.log\n-- package.json --\n{}\n")
	if err := os.WriteFile(filepath.Join(dir, ".gitignore"), []byte("node_modules/\n*.log"), 0o600); err != nil {
		t.Fatal(err)
	}
	made, err := project.Init(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{".gitignore", "package.json"}, made.Kept); diff != "" {
		t.Errorf("kept (-want +got)\n%s", diff)
	}
	want := "node_modules/\n*.log\n\n# Added by linkspan init\n.env\n.env.*\n!.env.example\n.linkspan/\nbuild/\n"
	if diff := cmp.Diff(want, read(t, dir, ".gitignore")); diff != "" || read(t, dir, "package.json") != "{}\n" {
		t.Errorf(".gitignore (-want +got)\n%s", diff)
	}
}

// Lines end in a file as they did, and a link stays one.
func TestInitKeepsTheWayOfFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := writeFile(dir, "ignored", "build/\r\n"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("ignored", filepath.Join(dir, ".gitignore")); err != nil {
		t.Skip("there are no links here")
	}
	if _, err := project.Init(dir); err != nil {
		t.Fatal(err)
	}
	if text := read(t, dir, "ignored"); strings.Count(text, "\n") != strings.Count(text, "\r\n") || !strings.Contains(text, ".env\r\n") {
		t.Errorf("it is %q", text)
	}
	if to, err := os.Readlink(filepath.Join(dir, ".gitignore")); err != nil || to != "ignored" {
		t.Errorf("the link leads to %q: %v", to, err)
	}
}

// What was interrupted can be done again, whatever it had come to.
func TestInitAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	made, err := project.Init(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, gone := range []string{"index.ts", "tsconfig.json", "demo-tickets/syncs/tickets.ts"} {
		if err := os.Remove(filepath.Join(dir, filepath.FromSlash(gone))); err != nil {
			t.Fatal(err)
		}
	}
	again, err := project.Init(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"demo-tickets/syncs/tickets.ts", "index.ts", "tsconfig.json"}, again.Files); diff != "" {
		t.Errorf("wrote (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(made.Files, tree(t, dir)); diff != "" {
		t.Errorf("there is (-want +got)\n%s", diff)
	}
}

func TestInitRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, folder, code string }{
		{"functions", "-- index.ts --\n", "folder_exists"},
		{"the published CLI's", "-- .nango/.gitkeep --\n", "folder_exists"},
		{"another TypeScript project", "-- tsconfig.json --\n{}\n", "files_exist"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := testfile.Unpack(t, tt.folder)
			before := tree(t, dir)
			_, err := project.Init(dir)
			if e, ok := errors.AsType[*linkspan.Error](err); !ok || e.Code != tt.code || e.Hint == "" {
				t.Errorf("error %v, not %s with a hint", err, tt.code)
			}
			if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
				t.Errorf("something was written\n%s", diff)
			}
		})
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := project.Init(""); linkspan.KindOf(err) != linkspan.KindInvalid {
		t.Errorf("no name was taken for one: %v", err)
	}
	if _, err := project.Init(file); linkspan.KindOf(err) != linkspan.KindInvalid {
		t.Errorf("a file was taken for a folder: %v", err)
	}
}

func TestRefreshTypings(t *testing.T) {
	t.Parallel()
	dir := testfile.Unpack(t, `-- tsconfig.json --
{"compilerOptions":{"paths":{"*":["./.linkspan/types/*"]}}}
-- .linkspan/types/old.d.ts --
`)
	for _, want := range []bool{true, false} {
		if wrote, err := project.RefreshTypings(dir); wrote != want || err != nil {
			t.Fatalf("wrote %t, %v", wrote, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, ".linkspan", "types", "old.d.ts")); err == nil {
		t.Error("what other typings left is still there")
	}
	if err := os.RemoveAll(filepath.Join(dir, ".linkspan")); err != nil {
		t.Fatal(err)
	}
	if state, err := project.Typings(dir); state != project.TypingsMissing || err != nil {
		t.Errorf("state %d, %v", state, err)
	}
	var several sync.WaitGroup
	for range 4 { // commands that begin at the same time
		several.Go(func() {
			if _, err := project.RefreshTypings(dir); err != nil {
				t.Errorf("beside others: %v", err)
			}
		})
	}
	several.Wait()
	entries, err := os.ReadDir(filepath.Join(dir, ".linkspan"))
	if state, _ := project.Typings(dir); err != nil || state != project.TypingsCurrent || len(entries) != 1 {
		t.Errorf("state %d with %v, %v", state, entries, err)
	}
	foreign := testfile.Unpack(t, "-- tsconfig.json --\n{}\n")
	if wrote, err := project.RefreshTypings(foreign); wrote || err != nil {
		t.Errorf("wrote typings where nobody looks for them: %v", err)
	}
}

// writeFile writes a file below a folder.
func writeFile(dir, name, text string) error {
	return os.WriteFile(filepath.Join(dir, filepath.FromSlash(name)), []byte(text), 0o600)
}
