package app

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A file that never ends loading, in a loop of the engine's own that looks at no
// interrupt, ends with the process that loaded it: the command names the file and
// goes on.
func TestFileThatNeverEndsLoading(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"index.ts":               "import './github/actions/fine';\nimport './github/actions/hostile';\n",
		"github/actions/fine.ts": "export default async function run() { return 1; }\n",
		"github/actions/hostile.ts": "export default async function run() { return 1; }\n" +
			"Array.prototype.reverse.call({ length: 2 ** 53 - 1 });\n",
	} {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, command := range [][]string{{"compile"}, {"dev", "--once", "--no-tests"}} {
		t.Run(command[0], func(t *testing.T) {
			t.Parallel()
			var out, logs bytes.Buffer
			args := append(command, "--no-types", "--json", "--dir", dir)
			code := program(t.Context(), &out, &logs, false, map[string]string{"LINKSPAN_CACHE": t.TempDir()}, args...)
			told := logs.String()
			if code != 10 || !strings.Contains(told, "github/actions/hostile.ts\n  Loading the file does not end") || strings.Contains(told, "fine.ts") {
				t.Errorf("ended with %d and said\n%s", code, told)
			}
			if !strings.Contains(out.String(), `"functions":1`) && !strings.Contains(out.String(), `"functions": 1`) {
				t.Errorf("the other function is not there:\n%s", &out)
			}
		})
	}
}
