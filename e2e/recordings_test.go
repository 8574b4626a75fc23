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
	var out, said bytes.Buffer
	cache := t.TempDir()
	code := cli.Run(t.Context(), cli.System{
		Args:    []string{"test", dir, "--json", "--timeout", "4s", "--parallel", "4"},
		Environ: func(name string) string { return map[string]string{"LINKSPAN_CACHE": cache}[name] },
		Stdout:  &out, Stderr: &said, IsTerminal: func(any) bool { return false },
	}, apptest.Server())
	var report struct {
		Summary struct{ Total, Passed, Failed, Skipped int }
		Results []struct{ Integration, Function, Kind, Status, Message string }
	}
	if err := json.Unmarshal(out.Bytes(), &report); err != nil || code != 13 {
		t.Fatalf("[%d] %v\n%s", code, err, &said)
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
