package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/internal/apptest"
	"github.com/linkspan/linkspan/internal/cli"
)

// TestManyRecordings tests a folder of which a few functions are broken in every way
// that there is: they fail, in good time, and hold up none of the others.
func TestManyRecordings(t *testing.T) {
	t.Parallel()
	many := sized(2000, 300, 100)
	dir := t.TempDir()
	write := func(integration, name, do, recording string) {
		source := `export default { type: "action", exec: async (nango, input) => { ` + do + ` } };`
		for file, text := range map[string]string{
			filepath.Join(integration, "actions", name+".js"):      source,
			filepath.Join(integration, "tests", name+".test.json"): recording,
		} {
			file = filepath.Join(dir, file)
			if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	for n := range many {
		write(fmt.Sprintf("acme-%d", n%10), fmt.Sprintf("good-%d", n), `return (await nango.get({ endpoint: "/n" })).data + input;`,
			fmt.Sprintf(`{"input":%d,"output":%d,"api":{"get":{"n":{"response":1}}}}`, n, n+1))
	}
	broken := map[string][2]string{
		"never-ends":     {`for (;;) {}`, "did not come to its end"},
		"in-a-pattern":   {`return /^(a+)+$/.test("a".repeat(60) + "b");`, "did not come to its end"},
		"eats-memory":    {`for (const all = []; ; ) all.push(new Array(1e5).fill(all.length));`, "256 MiB of memory"},
		"waits":          {`await new Promise(() => {});`, "nothing will ever settle"},
		"throws":         {`throw new Error("no");`, "It failed: no"},
		"does-not-parse": {`return (;`, "It does not compile"},
	}
	for name, test := range broken {
		write("broken", name, test[0], `{}`)
	}
	code, report := testedFolder(t, dir, "--timeout", "4s", "--parallel", "4")
	if code != 13 {
		t.Errorf("exit code %d", code)
	}
	if s := report.Summary; s.Total != many+len(broken) || s.Passed != many || s.Failed != len(broken) {
		t.Errorf("%+v", s)
	}
	for _, r := range report.Results {
		want, isBroken := broken[r.Function]
		if isBroken && !strings.Contains(r.Message, want[1]) || !isBroken && r.Status != "passed" {
			t.Errorf("%s/%s %s: %s", r.Integration, r.Function, r.Status, r.Message)
		}
	}
}

// testReport is what linkspan test --json prints.
type testReport struct {
	Summary struct{ Total, Passed, Failed, Skipped int }
	Results []struct{ Integration, Function, Kind, Status, Message string }
}

// testedFolder runs linkspan test over a folder.
func testedFolder(t *testing.T, dir string, args ...string) (code int, report testReport) {
	t.Helper()
	var out, said bytes.Buffer
	cache := t.TempDir()
	code = cli.Run(t.Context(), cli.System{
		Args:    append([]string{"test", dir, "--json"}, args...),
		Environ: func(name string) string { return map[string]string{"LINKSPAN_CACHE": cache}[name] },
		Stdout:  &out, Stderr: &said, IsTerminal: func(any) bool { return false },
	}, apptest.Server())
	if err := json.Unmarshal(out.Bytes(), &report); err != nil {
		t.Fatalf("[%d] %v\n%s", code, err, &said)
	}
	return code, report
}

// TestOwnRecordings replays what the project has for people to begin with: all of it
// passes, and nothing lacks a recording.
func TestOwnRecordings(t *testing.T) {
	t.Parallel()
	for dir, least := range map[string]int{"../examples": 80, "../integrations": 60} {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			code, report := testedFolder(t, dir)
			if s := report.Summary; code != 0 || s.Passed != s.Total || s.Total < least {
				t.Errorf("exit code %d, %+v of at least %d", code, s, least)
			}
			for _, r := range report.Results {
				if r.Status != "passed" {
					t.Errorf("%s/%s %s: %s", r.Integration, r.Function, r.Status, r.Message)
				}
			}
		})
	}
}
