package project

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/linkspan/linkspan"
)

// What somebody else wrote does not land outside of the folder.
func TestPutStaysInside(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, file, link, target string
		replace, written         bool
	}{
		{name: "no link", file: "lib/a.ts", written: true},
		{name: "up", file: "../a.ts"},
		{name: "absolute", file: "/tmp/a.ts"},
		{name: "a folder within", file: "lib/a.ts", link: "lib", target: "src", written: true},
		{name: "a folder outside", file: "lib/sub/a.ts", link: "lib", target: "../outside"},
		{name: "a file outside", file: "a.ts", link: "a.ts", target: "../outside/there.ts", replace: true},
		{name: "nothing", file: "a.ts", link: "a.ts", target: "../outside/new.ts", replace: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			top := t.TempDir()
			dir, outside := filepath.Join(top, "folder"), filepath.Join(top, "outside")
			for _, d := range []string{filepath.Join(dir, "src"), outside} {
				if err := os.MkdirAll(d, 0o700); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.WriteFile(filepath.Join(outside, "there.ts"), []byte("mine\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			if tt.link != "" {
				if err := os.Symlink(filepath.FromSlash(tt.target), filepath.Join(dir, tt.link)); err != nil {
					t.Skip("there are no links here:", err)
				}
			}
			_, err := Put(dir, Pulled{Files: map[string]string{tt.file: "theirs\n"}, Replace: tt.replace})
			if written := err == nil; written != tt.written {
				t.Errorf("written: %v, error %v", written, err)
			}
			if err != nil && linkspan.CodeOf(err) != "invalid_name" {
				t.Errorf("the error is %v", err)
			}
			var found []string
			_ = filepath.WalkDir(outside, func(name string, _ os.DirEntry, _ error) error {
				found = append(found, filepath.Base(name))
				return nil
			})
			text, _ := os.ReadFile(filepath.Join(outside, "there.ts"))
			if got := strings.Join(found, " "); got != "outside there.ts" || string(text) != "mine\n" {
				t.Errorf("outside there are %s, with the text %q", got, text)
			}
		})
	}
}

// A folder that is not there yet is made, also one behind a relative name.
func TestPutMakesTheFolder(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, dir := range []string{"new", "new/", "./new/below", "."} {
		if _, err := Put(dir, Pulled{Files: map[string]string{"a/" + strings.Trim(dir, "./") + "/b.ts": "x\n"}}); err != nil {
			t.Errorf("%s: %v", dir, err)
		}
	}
}

// Names that Windows takes for others are no names there.
func TestIsLocal(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][2]bool{
		"a/b.ts": {true, true}, "../b.ts": {false, false}, ".. /b.ts": {true, false}, "node_modules./b.ts": {true, false}, "a/b.ts ": {true, false}, ".git/x": {true, true},
	} {
		if got := [2]bool{isLocal("linux", name), isLocal("windows", name)}; got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}
