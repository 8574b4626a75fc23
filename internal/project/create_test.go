package project_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/project"
	"github.com/linkspan/linkspan/internal/testfile"
)

func TestAddImport(t *testing.T) {
	t.Parallel()
	const file = "github/actions/create-issue.ts"
	for _, tt := range []struct {
		name, index, want string
		same              bool
	}{
		{name: "nothing there", index: "", want: "import \"./github/actions/create-issue\";\n"},
		{name: "only a comment", index: "// Functions\n", want: "// Functions\nimport \"./github/actions/create-issue\";\n"},
		{
			name:  "as the published CLI writes it",
			index: "import './github/syncs/fetchIssues.js';\nimport './github/actions/createIssue.js';",
			want:  "import './github/syncs/fetchIssues.js';\nimport './github/actions/createIssue.js';\nimport './github/actions/create-issue.js';\n",
		},
		{name: "without semicolons", index: "import './a/syncs/b'\n", want: "import './a/syncs/b'\nimport './github/actions/create-issue'\n"},
		{name: "before what follows", index: "import \"./a/syncs/b.ts\";\n\nexport {};\n", want: "import \"./a/syncs/b.ts\";\nimport \"./github/actions/create-issue.ts\";\n\nexport {};\n"},
		{name: "line ends of Windows", index: "import './a/syncs/b';\r\n", want: "import './a/syncs/b';\r\nimport './github/actions/create-issue';\r\n"},
		{name: "byte order mark", index: "\uFEFFimport './a/syncs/b';\n", want: "\uFEFFimport './a/syncs/b';\nimport './github/actions/create-issue';\n"},
		{name: "commented out", index: "/*\nimport './github/actions/create-issue.js';\n*/\n// import './github/actions/create-issue';\n", want: "/*\nimport './github/actions/create-issue.js';\n*/\n// import './github/actions/create-issue';\nimport \"./github/actions/create-issue\";\n"},
		{name: "there", index: "import './github/actions/create-issue';\n", same: true},
		{name: "there with an extension", index: "import './github/actions/create-issue.js'", same: true},
		{name: "exported", index: "export { default as x } from './github/actions/create-issue.ts'\n", same: true},
		{name: "packages are of another style", index: "import 'x';\nimport \"./a/syncs/b\"\nimport y from 'y';\n", want: "import 'x';\nimport \"./a/syncs/b\"\nimport \"./github/actions/create-issue\"\nimport y from 'y';\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := testfile.Unpack(t, "-- index.ts --\n")
			if err := writeFile(dir, "index.ts", tt.index); err != nil {
				t.Fatal(err)
			}
			added, err := project.AddImport(dir, file)
			if err != nil || added == tt.same {
				t.Fatalf("added %t, %v", added, err)
			}
			want := tt.want
			if tt.same {
				want = tt.index
			}
			if diff := cmp.Diff(want, read(t, dir, "index.ts")); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if again, err := project.AddImport(dir, file); again || err != nil {
				t.Errorf("added again: %v", err)
			}
		})
	}
	empty := t.TempDir()
	if added, err := project.AddImport(empty, file); !added || err != nil || !strings.Contains(read(t, empty, "index.ts"), "create-issue") {
		t.Errorf("no index.ts was made: %t, %v", added, err)
	}
}

// creations are functions of every kind, with names that are no easy ones.
func creations() []struct {
	f     project.Function
	event linkspan.FunctionEvent
} {
	type c = struct {
		f     project.Function
		event linkspan.FunctionEvent
	}
	return []c{
		{f: project.Function{Integration: "github", Folder: project.FolderSyncs, Name: "fetch-open-companies"}},
		{f: project.Function{Integration: "github", Folder: project.FolderSyncs, Name: "fetchBoxes"}},
		{f: project.Function{Integration: "github", Folder: project.FolderSyncs, Name: "7"}},
		{f: project.Function{Integration: "github", Folder: project.FolderActions, Name: "create-issue"}},
		{f: project.Function{Integration: "github", Folder: project.FolderFunctions, Name: "get_status"}},
		{f: project.Function{Integration: "my: tool", Folder: project.FolderOnEvents, Name: "hello"}, event: linkspan.EventPostConnectionCreation},
		{f: project.Function{Integration: "my: tool", Folder: project.FolderOnEvents, Name: "bye"}, event: linkspan.EventPreConnectionDeletion},
		{f: project.Function{Integration: "my: tool", Folder: project.FolderOnEvents, Name: "check"}, event: linkspan.EventValidateConnection},
	}
}

func TestCreate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := project.Init(dir); err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, c := range creations() {
		made, err := project.Create(dir, c.f, c.event)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{c.f.File(), c.f.Fixture(), "index.ts"}, made.Files); diff != "" {
			t.Errorf("%s (-want +got)\n%s", c.f.Name, diff)
		}
		text.WriteString("-- " + c.f.File() + " --\n" + read(t, dir, c.f.File()) + "-- " + c.f.Fixture() + " --\n" + read(t, dir, c.f.Fixture()))
	}
	golden(t, "create.golden", text.String()+"-- index.ts --\n"+read(t, dir, "index.ts"))
	found, err := project.CheckTypes(t.Context(), dir, compiler(t))
	if err != nil || len(found.Problems) > 0 {
		t.Errorf("types are wrong: %v %v", found.Problems, err)
	}
}

func TestCreateRefuses(t *testing.T) {
	t.Parallel()
	dir := testfile.Unpack(t, "-- index.ts --\n-- github/actions/there.js --\n-- package.json --\n{\"devDependencies\":{\"nango\":\"1\"}}\n")
	for _, tt := range []struct {
		f    project.Function
		code string
	}{
		{project.Function{Integration: "github", Folder: project.FolderActions, Name: "there"}, "function_exists"},
		{project.Function{Integration: "..", Folder: project.FolderActions, Name: "x"}, "invalid_name"},
		{project.Function{Integration: ".git", Folder: project.FolderActions, Name: "x"}, "invalid_name"},
		{project.Function{Integration: "Node_Modules", Folder: project.FolderActions, Name: "x"}, "invalid_name"},
		{project.Function{Integration: "a/b", Folder: project.FolderActions, Name: "x"}, "invalid_name"},
		{project.Function{Integration: "github", Folder: project.FolderActions, Name: "../x"}, "invalid_name"},
	} {
		_, err := project.Create(dir, tt.f, "")
		if e, ok := errors.AsType[*linkspan.Error](err); !ok || e.Code != tt.code {
			t.Errorf("%v: error %v, not %s", tt.f, err, tt.code)
		}
	}
	f := project.Function{Integration: "github", Folder: project.FolderActions, Name: "new"}
	if _, err := project.CreateFrom(dir, f, "", map[string]string{"../out.ts": ""}); err == nil {
		t.Error("a file outside of the folder was written")
	}
	made, err := project.Create(dir, project.Function{Integration: "github", Folder: project.FolderActions, Name: "fine"}, "")
	if err != nil || !strings.Contains(read(t, dir, made.Files[0]), `from "nango"`) {
		t.Errorf("folders that have the package nango import it: %v", err)
	}
}

func TestCreateFrom(t *testing.T) {
	t.Parallel()
	dir := testfile.Unpack(t, "-- index.ts --\n-- models.ts --\nmine\n")
	f := project.Function{Integration: "github", Folder: project.FolderSyncs, Name: "issues"}
	made, err := project.CreateFrom(dir, f, "source\n", map[string]string{"models.ts": "theirs\n", "github/api.ts": "api\n", f.Fixture(): "{}\n"})
	if err != nil {
		t.Fatal(err)
	}
	want := &project.Made{
		Dir: dir, Files: []string{"github/syncs/issues.ts", "github/api.ts", "github/tests/issues.test.json", "index.ts"}, Kept: []string{"models.ts"},
	}
	if diff := cmp.Diff(want, made); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if read(t, dir, "models.ts") != "mine\n" || read(t, dir, filepath.ToSlash(f.File())) != "source\n" {
		t.Error("the wrong texts are there")
	}
}

// An index that is a link stays one, and where it can't be changed nothing is left.
func TestCreateBesideOddIndexes(t *testing.T) {
	t.Parallel()
	dir := testfile.Unpack(t, "-- shared.ts --\nimport './a/syncs/b'\n")
	if err := os.Symlink("shared.ts", filepath.Join(dir, "index.ts")); err != nil {
		t.Skip("there are no links here")
	}
	f := project.Function{Integration: "github", Folder: project.FolderActions, Name: "say"}
	if _, err := project.Create(dir, f, ""); err != nil {
		t.Fatal(err)
	}
	if to, err := os.Readlink(filepath.Join(dir, "index.ts")); err != nil || to != "shared.ts" {
		t.Errorf("the link leads to %q: %v", to, err)
	}
	if got, want := read(t, dir, "shared.ts"), "import './a/syncs/b'\nimport './github/actions/say'\n"; got != want {
		t.Errorf("it holds %q", got)
	}
	odd := testfile.Unpack(t, "-- index.ts/x --\n")
	if _, err := project.Create(odd, f, ""); err == nil {
		t.Fatal("a folder was taken for index.ts")
	}
	if diff := cmp.Diff([]string{"index.ts/x"}, tree(t, odd)); diff != "" {
		t.Errorf("there is (-want +got)\n%s", diff)
	}
}
