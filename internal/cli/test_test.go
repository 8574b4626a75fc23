package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/linkspan/linkspan/internal/cli"
	"github.com/linkspan/linkspan/internal/sandbox"
	"github.com/linkspan/linkspan/internal/testfile"
)

// testedFolder has one function of each kind of outcome.
const testedFolder = `
-- index.ts --
import "./acme/actions/good";
import "./acme/actions/differs";
import "./acme/actions/throws";
import "./acme/actions/fails-as-it-must";
import "./acme/actions/asks-for-more";
import "./acme/actions/bare";
import "./acme/actions/bad-recording";
import "./acme/actions/breaks-at-load";
import "./acme/actions/no-typescript";
import "./acme/actions/waits";
import "./acme/syncs/items";
-- shared.ts --
export const name = (text: string): string => text.toUpperCase();
-- acme/actions/good.ts --
import { createAction } from "linkspan";
import { name } from "../../shared";
export default createAction({ description: "d", exec: async (nango, input: { id: string }) => {
	const { data } = await nango.get({ endpoint: "/items/" + input.id });
	return { id: input.id, name: name(data.name) };
} } as any);
-- acme/tests/good.test.json --
{"input": {"id": "1"}, "output": {"name": "ADA", "id": "1"}, "api": {"get": {"/items/1": {"response": {"name": "Ada"}}, "/items/2": [{"response": {}}]}}}
-- acme/actions/differs.ts --
export default { type: "action", exec: async () => ({ list: [1, 2, 3], text: "x".repeat(500), more: true }) };
-- acme/tests/differs.test.json --
{
  "output": {
    "list": [1, 4],
    "text": "y"
  }
}
-- acme/actions/throws.ts --
function inner(): never {
	throw new TypeError("no \x1b[2J good");
}
export default { type: "action", exec: async () => inner() };
-- acme/tests/throws.test.json --
{"output": 1}
-- acme/actions/fails-as-it-must.ts --
export default { type: "action", exec: async (nango: any) => { throw new nango.ActionError({ message: "not found" }); } };
-- acme/tests/fails-as-it-must.test.json --
{"error": {"code": "action_script_runtime_error", "payload": {"message": "not found"}}}
-- acme/actions/asks-for-more.ts --
export default { type: "action", exec: async (nango: any) => (await nango.get({ endpoint: "/items", params: { page: 2 } })).data };
-- acme/tests/asks-for-more.test.json --
{"api": {"get": {"/items": {"response": []}}}}
-- acme/actions/bare.ts --
export default { type: "action", exec: async () => 1 };
-- acme/actions/bad-recording.ts --
export default { type: "action", exec: async () => 1 };
-- acme/tests/bad-recording.test.json --
{"api": {"get": {"/items": 5}}}
-- acme/actions/breaks-at-load.ts --
throw new Error("at load");
-- acme/tests/breaks-at-load.test.json --
{}
-- acme/actions/no-typescript.ts --
export default { type: "action", exec: async () => 1 + };
-- acme/tests/no-typescript.test.json --
{}
-- acme/actions/waits.ts --
export default { type: "action", exec: () => new Promise(() => {}) };
-- acme/tests/waits.test.json --
{}
-- acme/actions/unlisted.ts --
export default { type: "action", exec: async () => 1 };
-- acme/tests/unlisted.test.json --
{}
-- acme/tests/nobodys.test.json --
{}
-- acme/syncs/items.ts --
export default { type: "sync", models: { Item: {} }, exec: async (nango: any) => {
	for await (const page of nango.paginate({ endpoint: "/items", paginate: { type: "cursor", cursor_name_in_request: "c", cursor_path_in_response: "next", response_path: "items" } })) {
		await nango.batchSave(page, "Item");
	}
} };
-- acme/tests/items.test.json --
{
	"nango": { "batchSave": { "Item": [{ "id": "1" }, { "id": "3" }] } },
	"api": { "get": { "items": [
		{ "request": {}, "response": { "items": [{ "id": "1" }], "next": "b" } },
		{ "request": { "params": { "c": "b" } }, "response": { "items": [{ "id": "2" }] } }
	] } }
}
`

// timed are the times in reports.
var timed = regexp.MustCompile(`\((\d+ ms|[\d.]+ s)\)|"duration_ms": \d+|time="[\d.]+"`)

// tested runs the command in a folder.
func tested(t *testing.T, dir string, terminal bool, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	env := map[string]string{"LINKSPAN_CACHE": cacheDir()}
	code = cli.Run(t.Context(), cli.System{
		Args:    append([]string{"test", "--dir", dir}, args...),
		Environ: func(name string) string { return env[name] },
		Stdout:  &out, Stderr: &err, IsTerminal: func(any) bool { return terminal },
	}, authorServer())
	tell := func(b *bytes.Buffer) string {
		text := timed.ReplaceAllString(strings.ReplaceAll(b.String(), dir, "DIR"), "(TIME)")
		return strings.ReplaceAll(strings.ReplaceAll(text, "\x1b", "␛"), "\r", "␍")
	}
	return code, tell(&out), tell(&err)
}

func TestTest(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		args     []string
		without  string // a file that is removed first
		terminal bool
		code     int
		files    []string // that are shown afterwards
	}{
		{name: "all", code: 13},
		{name: "all as json", args: []string{"--json"}, code: 13},
		{name: "without an index", without: "index.ts", code: 13},
		{name: "one function on a terminal", args: []string{"acme/good", "--parallel", "1"}, terminal: true},
		{name: "several by their files", args: []string{"acme/actions/good.ts", "acme/tests/fails-as-it-must.test.json", "bare"}},
		{name: "coverage", args: []string{"--coverage", "good", "items"}, code: 13},
		{name: "coverage as json", args: []string{"--coverage", "--json", "good"}},
		{name: "update", args: []string{"--update", "differs", "items", "throws"}, code: 13, files: []string{"acme/tests/differs.test.json", "acme/tests/items.test.json", "acme/tests/throws.test.json"}},
		{name: "nothing compiles", args: []string{"no-typescript"}, code: 10},
		{name: "no such function", args: []string{"nothing"}, code: 2},
		{name: "no such integration", args: []string{"--integration", "other"}, code: 2},
		{name: "watch as json", args: []string{"--watch", "--json"}, code: 2},
		{name: "no time", args: []string{"--timeout", "0s"}, code: 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := testfile.Unpack(t, testedFolder)
			if tt.without != "" {
				if err := os.Remove(filepath.Join(dir, tt.without)); err != nil {
					t.Fatal(err)
				}
			}
			code, stdout, stderr := tested(t, dir, tt.terminal, tt.args...)
			if code != tt.code {
				t.Errorf("exit code %d, not %d", code, tt.code)
			}
			if tt.terminal {
				stderr = "" // a bar, as far as it came
			}
			got := fmt.Sprintf("$ linkspan test %s\n[%d]\n-- stdout --\n%s-- stderr --\n%s", strings.Join(tt.args, " "), code, stdout, stderr)
			for _, name := range tt.files {
				text, err := os.ReadFile(filepath.Join(dir, name))
				if err != nil {
					t.Fatal(err)
				}
				got += "-- " + name + " --\n" + string(text)
			}
			golden(t, filepath.Join("testdata", "test", strings.ReplaceAll(tt.name, " ", "-")+".golden"), got)
		})
	}
}

// An empty folder, and one that is none, are mistakes in the command line.
func TestTestOfNothing(t *testing.T) {
	t.Parallel()
	if code, _, stderr := tested(t, t.TempDir(), false); code != 2 || !strings.Contains(stderr, "there is nothing to test in DIR") {
		t.Errorf("[%d] %s", code, stderr)
	}
	if code, _, stderr := tested(t, filepath.Join(t.TempDir(), "none"), false); code != 2 || !strings.Contains(stderr, "is not a folder") {
		t.Errorf("[%d] %s", code, stderr)
	}
}

// together has each function wait until as many others run as there may be.
type together struct {
	cli.Trials

	want int
	all  chan struct{}

	mu                 sync.Mutex
	running, most, ran int
}

// Run implements cli.Trials.
func (e *together) Run(ctx context.Context, r sandbox.Request) (sandbox.Result, error) {
	if !bytes.Contains(r.Start, []byte(`"mode":"run"`)) {
		return e.Trials.Run(ctx, r)
	}
	e.mu.Lock()
	e.running++
	e.ran++
	if e.most = max(e.most, e.running); e.ran == e.want {
		close(e.all)
	}
	e.mu.Unlock()
	defer func() { e.mu.Lock(); e.running--; e.mu.Unlock() }()
	select {
	case <-e.all:
	case <-time.After(20 * time.Second):
		return sandbox.Result{}, errors.New("no others run beside this one")
	}
	<-time.After(50 * time.Millisecond) // for those that must not come
	return e.Trials.Run(ctx, r)
}

// Functions run beside each other, as many as are asked for.
func TestTestInParallel(t *testing.T) {
	t.Parallel()
	files := ""
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		files += "-- acme/actions/" + name + ".ts --\nexport default { type: \"action\", exec: async () => 1 };\n-- acme/tests/" + name + ".test.json --\n{\"output\": 1}\n"
	}
	executor := &together{want: 3, all: make(chan struct{})}
	server, asked := authorServer(), 0
	start := server.Trials
	server.Trials = func(ctx context.Context, o cli.TrialOptions) (cli.Trials, error) {
		inner, err := start(ctx, o)
		executor.Trials, asked = inner, o.Parallel
		return executor, err
	}
	var out bytes.Buffer
	code := cli.Run(t.Context(), cli.System{
		Args: []string{"test", testfile.Unpack(t, files), "--parallel", "3"}, Environ: func(string) string { return "" }, Stdout: &out, Stderr: &out,
		IsTerminal: func(any) bool { return false },
	}, server)
	if code != 0 || asked != 3 || executor.ran != 5 || executor.most != 3 {
		t.Errorf("[%d] room for %d, %d ran, %d at once\n%s", code, asked, executor.ran, executor.most, &out)
	}
}

// The folder may be an argument; an integration's folder is not the folder.
func TestTestOfAFolder(t *testing.T) {
	t.Parallel()
	dir := testfile.Unpack(t, testedFolder)
	var out, err bytes.Buffer
	code := cli.Run(t.Context(), cli.System{
		Args: []string{"test", dir, "good", "--json"}, Environ: func(string) string { return "" }, Stdout: &out, Stderr: &err, IsTerminal: func(any) bool { return false },
	}, authorServer())
	var report struct{ Summary struct{ Total, Passed int } }
	if json.Unmarshal(out.Bytes(), &report) != nil || code != 0 || report.Summary.Total != 1 || report.Summary.Passed != 1 {
		t.Errorf("[%d] %s %s", code, &out, &err)
	}
}

func TestTestJUnit(t *testing.T) {
	t.Parallel()
	dir := testfile.Unpack(t, testedFolder)
	file := filepath.Join(t.TempDir(), "report.xml")
	if code, _, stderr := tested(t, dir, false, "--junit", file); code != 13 {
		t.Fatalf("[%d] %s", code, stderr)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	junitIsValid(t, text)
	golden(t, filepath.Join("testdata", "test", "junit.golden"), timed.ReplaceAllString(string(text), "(TIME)"))
}

// junitIsValid checks a report against the schema that the tools which read it share.
func junitIsValid(t *testing.T, text []byte) {
	t.Helper()
	type element struct{ in, needs, may string }
	schema := map[string]element{
		"testsuites": {in: "", may: "name time tests failures disabled errors"},
		"testsuite":  {in: "testsuites", needs: "name tests", may: "failures errors time disabled skipped timestamp hostname id package"},
		"testcase":   {in: "testsuite", needs: "name", may: "assertions time classname status file"},
		"failure":    {in: "testcase", may: "type message"},
		"skipped":    {in: "testcase", may: "type message"},
	}
	d := xml.NewDecoder(bytes.NewReader(text))
	path := []string{""}
	cases, declared := 0, 0
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch x := token.(type) {
		case xml.StartElement:
			e, ok := schema[x.Name.Local]
			if !ok || e.in != path[len(path)-1] {
				t.Errorf("<%s> in <%s>", x.Name.Local, path[len(path)-1])
			}
			given := make(map[string]string)
			for _, a := range x.Attr {
				given[a.Name.Local] = a.Value
				if !slices.Contains(strings.Fields(e.needs+" "+e.may), a.Name.Local) {
					t.Errorf("<%s %s>", x.Name.Local, a.Name.Local)
				}
			}
			for name := range strings.FieldsSeq(e.needs) {
				if given[name] == "" {
					t.Errorf("<%s> without %s", x.Name.Local, name)
				}
			}
			switch x.Name.Local {
			case "testcase":
				cases++
			case "testsuites":
				declared, _ = strconv.Atoi(given["tests"])
			}
			path = append(path, x.Name.Local)
		case xml.EndElement:
			path = path[:len(path)-1]
		}
	}
	if cases == 0 || cases != declared {
		t.Errorf("%d cases, %d are declared", cases, declared)
	}
}

// expecting is a stream whose reader waits for texts.
type expecting struct {
	mu      sync.Mutex
	text    string
	waiting string
	found   chan struct{}
}

// Write implements io.Writer.
func (e *expecting) Write(p []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.text += string(p)
	e.look()
	return len(p), nil
}

func (e *expecting) look() {
	_, rest, ok := strings.Cut(e.text, e.waiting)
	if e.waiting != "" && ok {
		e.text, e.waiting = rest, ""
		close(e.found)
	}
}

// expect waits until a text was written, and forgets all up to it.
func (e *expecting) expect(t *testing.T, text string) {
	t.Helper()
	found := make(chan struct{})
	e.mu.Lock()
	e.waiting, e.found = text, found
	e.look()
	e.mu.Unlock()
	select {
	case <-found:
	case <-t.Context().Done():
		t.Fatalf("%q never came", text)
	}
}

// What changes is tested again: a function, what it imports, its recording.
func TestTestWatch(t *testing.T) {
	t.Parallel()
	dir := testfile.Unpack(t, testedFolder)
	write := func(name, old, next string) {
		file := filepath.Join(dir, filepath.FromSlash(name))
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(strings.Replace(string(text), old, next, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	out := &expecting{}
	ended := make(chan int, 1)
	go func() {
		ended <- cli.Run(ctx, cli.System{
			Args: []string{"test", "--dir", dir, "--watch", "good", "differs"}, Environ: func(string) string { return "" },
			Stdout: out, Stderr: out, IsTerminal: func(any) bool { return false },
		}, authorServer())
	}()
	out.expect(t, "✗ acme/differs")
	out.expect(t, "✓ acme/good")
	out.expect(t, "Waiting for changes")
	write("shared.ts", "toUpperCase", "toLowerCase")
	out.expect(t, "Changed: shared.ts\n✗ acme/good\n    output.name is different\n      expected \"ADA\"\n      got      \"ada\"\n\nTests: 2 failed")
	out.expect(t, "Waiting for changes")
	write("acme/tests/good.test.json", "ADA", "ada")
	out.expect(t, "Changed: acme/tests/good.test.json\n✓ acme/good\n\nTests: 1 failed, 1 passed")
	out.expect(t, "Waiting for changes")
	write("acme/actions/good.ts", "return {", "return {{")
	out.expect(t, "✗ acme/good\n    It does not compile.")
	out.expect(t, "Waiting for changes")
	good, away := filepath.Join(dir, "acme/actions/good.ts"), filepath.Join(dir, "acme/actions/better.ts")
	if err := os.Rename(good, away); err != nil {
		t.Fatal(err)
	}
	out.expect(t, "index.ts") // imports what is not there
	out.expect(t, "Waiting for changes")
	if err := os.Rename(away, good); err != nil {
		t.Fatal(err)
	}
	out.expect(t, "✗ acme/good\n    It does not compile.")
	out.expect(t, "Waiting for changes")
	write("index.ts", `import "./acme/actions/good";`, "")
	out.expect(t, "Changed: index.ts\n- acme/good  index.ts does not import ./acme/actions/good.")
	out.expect(t, "Waiting for changes")
	if err := os.Remove(filepath.Join(dir, "acme/tests/good.test.json")); err != nil {
		t.Fatal(err)
	}
	out.expect(t, `there is no function "good"`) // and watching goes on
	out.expect(t, "Waiting for changes")
	write("acme/actions/good.ts", "return {{", "return {")
	if err := os.WriteFile(filepath.Join(dir, "acme/tests/good.test.json"), []byte(`{"input":{"id":"1"},"output":{"id":"1","name":"ada"},"api":{"get":{"items/1":{"response":{"name":"Ada"}}}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	write("index.ts", `import`, `import "./acme/actions/good"; import`)
	out.expect(t, "✓ acme/good")
	out.expect(t, "Waiting for changes")
	stop()
	if code := <-ended; code != 0 {
		t.Errorf("exit code %d", code)
	}
}
