//go:build unix

package bundle_test

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan/internal/function"
)

// TestFilesThatCannotBeRead names what can't be a function by its file, and does
// not wait for it.
func TestFilesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	large := "export const x = '" + strings.Repeat("x", function.MaxCode*2/3) + "';\n"
	dir := folder(t, map[string]string{
		"index.ts": "import './a/actions/fine'; import './a/actions/pipe'; import './a/actions/large'; import './a/actions/imports';\n", "a/actions/fine.ts": plain,
		"a/actions/large.ts": large + large, "lib.ts": large, "a/actions/imports.ts": "import { x } from '../../lib';\nexport default async function run() { return x; }\n",
	})
	if err := syscall.Mkfifo(filepath.Join(dir, "a", "actions", "pipe.ts"), 0o600); err != nil {
		t.Skip(err)
	}
	p := build(t, dir)
	if d := cmp.Diff([]string{"a/actions/fine.js"}, names(p)); d != "" {
		t.Error(d)
	}
	var got []string
	for _, problem := range p.Problems {
		got = append(got, problem.File+": "+problem.Message)
	}
	for i, want := range []string{"a/actions/imports.ts: With all that it imports", "a/actions/large.ts: The file has 27", "a/actions/pipe.ts: This is not a file"} {
		if len(got) <= i || !strings.HasPrefix(got[i], want) {
			t.Errorf("problems are %q, want %q", got, want)
		}
	}
}
