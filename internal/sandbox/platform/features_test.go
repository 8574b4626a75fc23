package platform_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan/internal/sandbox"
	"github.com/linkspan/linkspan/internal/sandbox/platform"
	"github.com/linkspan/linkspan/sdk/functions"
)

// The table of features: files in testdata/features with a row a line,
//
//	name :: body of an async function
//	name (differs: reason) :: body
//
// and beside each a golden file with what the rows return. Expectations come from
// Node 20, but those of rows that differ, which come from the sandbox. The flag
// needs Node.
var update = flag.Bool("update", false, "record the expectations of the feature table")

type feature struct {
	name, differs, body string
}

var row = regexp.MustCompile(`^(.+?)(?: \(differs: (.+?)\))? :: (.+)$`)

func features(t *testing.T, file string) []feature {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []feature
	seen := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		m := row.FindStringSubmatch(line)
		if m == nil || seen[m[1]] {
			t.Fatalf("%s: not a row, or one of that name was there before: %s", file, line)
		}
		seen[m[1]] = true
		all = append(all, feature{m[1], m[2], m[3]})
	}
	return all
}

// harness makes a program of a row: it prints what the row returns, or the name
// and code of what it throws.
func harness(t *testing.T, f feature) string {
	t.Helper()
	keys, err := os.ReadFile("testdata/features/keys.js")
	if err != nil {
		t.Fatal(err)
	}
	return string(keys) + `
const show = v => typeof v === "string" ? v : v === undefined ? "undefined" : JSON.stringify(v, (k, x) =>
	typeof x === "bigint" ? x + "n" : x === undefined ? "undefined" : Object.is(x, -0) ? "-0" : typeof x === "number" && !Number.isFinite(x) ? String(x) : x);
const row = async () => { try {
	return show(await (async () => {` + f.body + `
})());
} catch (e) { return "throws " + [e?.name ?? typeof e, e?.code].filter(x => x !== undefined).join(" ") } };
`
}

func files(t *testing.T) []string {
	t.Helper()
	all, err := filepath.Glob("testdata/features/*.txt")
	if err != nil || len(all) == 0 {
		t.Fatal("no feature tables: ", err)
	}
	return all
}

func golden(file string) string { return strings.TrimSuffix(file, ".txt") + ".golden" }

func readGolden(t *testing.T, file string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(golden(file))
	if err != nil {
		t.Fatal(err)
	}
	expected := map[string]string{}
	for line := range strings.Lines(string(text)) {
		var pair [2]string
		if err := json.Unmarshal([]byte(line), &pair); err != nil {
			t.Fatal(err)
		}
		expected[pair[0]] = pair[1]
	}
	return expected
}

func writeGolden(t *testing.T, file string, rows []feature, results map[string]string) {
	t.Helper()
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	for _, f := range rows {
		if err := e.Encode([2]string{f.name, results[f.name]}); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(golden(file), out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

type noHost struct{}

func (noHost) Call(context.Context, sandbox.Call) (sandbox.Reply, error) {
	return sandbox.Reply{}, &sandbox.CallError{JSON: []byte(`{"code":"none","message":"There is no host."}`)}
}
func (noHost) Note(sandbox.Call) {}

func newEngine(tb testing.TB) *sandbox.Engine {
	tb.Helper()
	e, err := sandbox.New(tb.Context(), sandbox.Options{Prelude: functions.Prelude(), Sync: platform.Serve, Pure: platform.Pure, Now: time.Now})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := e.Close(); err != nil {
			tb.Error(err)
		}
	})
	return e
}

func inSandbox(t *testing.T, e *sandbox.Engine, f feature) string {
	t.Helper()
	r, err := e.Run(t.Context(), sandbox.Request{
		Program: sandbox.Program{Name: "row.js", Source: harness(t, f) + "exports.default = row;"},
		Start:   []byte(`{"mode":"run","kind":"action","props":{}}`),
		Limits:  sandbox.Limits{Memory: 128 << 20, CPU: 20 * time.Second, Wall: 60 * time.Second},
		Host:    noHost{},
	})
	if failure, ok := err.(*sandbox.Failure); ok { //nolint:errorlint // it is never wrapped
		var thrown struct{ Name string }
		if err := json.Unmarshal(failure.JSON, &thrown); err != nil {
			t.Fatal(err)
		}
		return "fails " + thrown.Name
	}
	if err != nil {
		return "fails " + err.Error()
	}
	var result string
	if err := json.Unmarshal(r.JSON, &result); err != nil {
		t.Fatalf("%s: %v: %s", f.name, err, r.JSON)
	}
	return result
}

// inNode runs all rows in one process.
func inNode(t *testing.T, rows []feature) map[string]string {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed")
	}
	programs := make([][2]string, len(rows))
	for i, f := range rows {
		programs[i] = [2]string{f.name, harness(t, f)}
	}
	in, err := json.Marshal(programs)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), node, "--no-warnings", "testdata/features/node.js")
	cmd.Env = append(os.Environ(), "TZ=UTC", "LANG=en_US.UTF-8")
	cmd.Stdin = bytes.NewReader(in)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("node: %v: %s", err, stderr.Bytes())
	}
	if first, rest, _ := bytes.Cut(out, []byte("\n")); !bytes.HasPrefix(first, []byte("v20.")) {
		t.Skipf("the expectations are of Node 20, this is %s", first)
	} else {
		out = rest
	}
	results := map[string]string{}
	for line := range bytes.Lines(out) {
		var pair [2]string
		if err := json.Unmarshal(line, &pair); err != nil {
			t.Fatal(err)
		}
		results[pair[0]] = pair[1]
	}
	return results
}

func TestFeatures(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	count := 0
	for _, file := range files(t) {
		rows := features(t, file)
		count += len(rows)
		if *update {
			results := inNode(t, rows)
			for _, f := range rows {
				if f.differs != "" {
					results[f.name] = inSandbox(t, e, f)
				}
			}
			writeGolden(t, file, rows, results)
		}
		expected := readGolden(t, file)
		if len(expected) != len(rows) {
			t.Errorf("%s has %d rows, its golden file %d: run with -update", file, len(rows), len(expected))
		}
		for _, f := range rows {
			if diff := cmp.Diff(expected[f.name], inSandbox(t, e, f)); diff != "" {
				t.Errorf("%s: %s (-expected +sandbox):\n%s", file, f.name, diff)
			}
		}
	}
	if count < 300 {
		t.Errorf("the table has %d rows", count)
	}
}

// Node is the judge of the expectations: what differs has to say why, and to differ.
func TestFeaturesInNode(t *testing.T) {
	t.Parallel()
	for _, file := range files(t) {
		rows := features(t, file)
		results := inNode(t, rows)
		expected := readGolden(t, file)
		for _, f := range rows {
			same := results[f.name] == expected[f.name]
			if f.differs == "" && !same {
				t.Errorf("%s: %s (-expected +node):\n%s", file, f.name, cmp.Diff(expected[f.name], results[f.name]))
			}
			if f.differs != "" && same {
				t.Errorf("%s: %s is the same in Node: take out %q", file, f.name, f.differs)
			}
		}
	}
}
