package cli_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan/internal/cli"
	"github.com/linkspan/linkspan/internal/project"
	"github.com/linkspan/linkspan/internal/testfile"
)

// devRound is a line of linkspan dev --json.
type devRound struct {
	Changed, Compiled []string
	Functions         int
	Problems          []struct{ File, Message string }
	Tests             []struct{ Function, Status string }
}

// watching is linkspan dev at work.
type watching struct {
	t      *testing.T
	dir    string
	rounds *bufio.Scanner
	stop   context.CancelFunc
	ended  chan int
}

// watch starts linkspan dev in a folder.
func watch(t *testing.T, a *authoring) *watching {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	r, w := io.Pipe()
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	d := &watching{t: t, dir: a.dir, rounds: lines, stop: stop, ended: make(chan int, 1)}
	go func() {
		d.ended <- cli.Run(ctx, cli.System{
			Args: []string{"dev", "--json", "--no-types", "--dir", a.dir}, Environ: func(name string) string { return a.env[name] },
			Stdout: w, Stderr: io.Discard,
		}, authorServer())
		_ = w.Close() // readers are told the end
	}()
	return d
}

// round waits for the end of a round.
func (d *watching) round() devRound {
	d.t.Helper()
	if !d.rounds.Scan() {
		d.t.Fatalf("it ended: %v", d.rounds.Err())
	}
	var r devRound
	if err := json.Unmarshal(d.rounds.Bytes(), &r); err != nil {
		d.t.Fatalf("%v: %s", err, d.rounds.Bytes())
	}
	return r
}

// until waits for a round that is as it should be: a save may be seen in parts.
func (d *watching) until(what string, ok func(devRound) bool) devRound {
	d.t.Helper()
	for {
		if r := d.round(); ok(r) {
			return r
		} else if len(r.Changed) == 0 {
			d.t.Fatalf("not %s: %+v", what, r)
		}
	}
}

// edit replaces a text in a file, at once.
func (d *watching) edit(name, before, after string) {
	d.t.Helper()
	file := filepath.Join(d.dir, filepath.FromSlash(name))
	text, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(text), before) {
		d.t.Fatalf("%q is not in %s: %v", before, name, err)
	}
	d.write(name, strings.Replace(string(text), before, after, 1))
}

// write puts a file into its place, as editors do.
func (d *watching) write(name, text string) {
	d.t.Helper()
	file := filepath.Join(d.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		d.t.Fatal(err)
	}
	if err := os.WriteFile(file+"~", []byte(text), 0o600); err != nil {
		d.t.Fatal(err)
	}
	if err := os.Rename(file+"~", file); err != nil {
		d.t.Fatal(err)
	}
}

func TestDev(t *testing.T) {
	t.Parallel()
	a := newAuthoring(t, "")
	if _, err := project.Init(a.dir); err != nil {
		t.Fatal(err)
	}
	d := watch(t, a)
	defer d.stop()
	first := d.until("all there", func(r devRound) bool { return r.Functions == 4 && len(r.Tests) == 4 && len(r.Problems) == 0 })
	if len(first.Compiled) != 4 {
		t.Errorf("compiled %v", first.Compiled)
	}

	// Only what changed is compiled and tested.
	d.edit("demo-tickets/actions/close-ticket.ts", `"solved" }`, `"closed" }`)
	r := d.until("a failed test", func(r devRound) bool { return len(r.Tests) == 1 && r.Tests[0].Status == "failed" })
	if len(r.Compiled) != 1 || r.Compiled[0] != "demo-tickets/close-ticket" || r.Tests[0].Function != "close-ticket" {
		t.Errorf("%+v", r)
	}
	// A recording counts as well.
	d.edit("demo-tickets/tests/close-ticket.test.json", `{ "data": { "status": "solved" } }`, `{ "data": { "status": "closed" } }`)
	d.until("a passed test", func(r devRound) bool {
		return len(r.Tests) == 1 && r.Tests[0].Status == "passed" && len(r.Compiled) == 0
	})

	// Problems come and go.
	d.edit("demo-tickets/syncs/tickets.ts", "createSync({", "createSync({{")
	d.until("a problem", func(r devRound) bool { return len(r.Problems) == 1 && r.Functions == 3 })
	d.edit("demo-tickets/syncs/tickets.ts", "createSync({{", "createSync({")
	d.until("no problem", func(r devRound) bool { return len(r.Problems) == 0 && r.Functions == 4 })

	// Functions in new folders, and files that functions share.
	d.write("github/text.ts", "export const text = \"one\";\n")
	d.write("github/actions/say.ts", `import { createAction } from "linkspan";
import * as z from "zod";
import { text } from "../text";
export default createAction({ description: "Says", version: "1.0.0", input: z.void(), output: z.string(), exec: async () => text });
`)
	d.write("github/tests/say.test.json", `{"output":"one"}`)
	d.edit("index.ts", "import \"", "import \"./github/actions/say\";\nimport \"")
	d.until("a function more", func(r devRound) bool { return r.Functions == 5 })
	d.edit("github/text.ts", "one", "two")
	r = d.until("a failed test of it", func(r devRound) bool { return len(r.Tests) == 1 && r.Tests[0].Status == "failed" })
	if len(r.Compiled) != 1 || r.Compiled[0] != "github/say" {
		t.Errorf("%+v", r)
	}

	// What is renamed is watched by its new name, and what is gone is not counted.
	if err := os.Rename(filepath.Join(d.dir, "github"), filepath.Join(d.dir, "gitlab")); err != nil {
		t.Fatal(err)
	}
	d.edit("index.ts", "./github/", "./gitlab/")
	d.until("the function by its new name", func(r devRound) bool { return r.Functions == 5 && len(r.Problems) == 0 })
	d.edit("gitlab/text.ts", "two", "one")
	r = d.until("a passed test of it", func(r devRound) bool { return len(r.Tests) == 1 && r.Tests[0].Status == "passed" })
	if len(r.Compiled) != 1 || r.Compiled[0] != "gitlab/say" {
		t.Errorf("%+v", r)
	}
	if err := os.Remove(filepath.Join(d.dir, "gitlab", "actions", "say.ts")); err != nil {
		t.Fatal(err)
	}
	d.until("a function less", func(r devRound) bool { return len(r.Problems) == 1 && r.Functions == 4 })
	if err := os.Remove(filepath.Join(d.dir, "index.ts")); err != nil {
		t.Fatal(err)
	}
	d.until("no functions", func(r devRound) bool {
		return r.Functions == 0 && len(r.Problems) == 1 && r.Problems[0].File == "index.ts"
	})
	d.write("index.ts", "import \"./demo-tickets/syncs/tickets\";\n")
	d.until("one function", func(r devRound) bool { return r.Functions == 1 && len(r.Problems) == 0 })

	d.stop()
	go func() {
		for d.rounds.Scan() { // what is still written
			continue
		}
	}()
	if code := <-d.ended; code != 0 {
		t.Errorf("Ctrl-C ends it with %d", code)
	}
}

// What is interrupted before its end has not gone well.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	dir := testfile.Unpack(t, deployFolder)
	for _, args := range [][]string{{"dev", "--once"}, {"list", "--local"}, {"generate", "docs"}, {"generate", "types"}} {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		var stdout, stderr bytes.Buffer
		code := cli.Run(ctx, cli.System{
			Args: append(args, "--dir", dir), Environ: func(string) string { return "" }, Stdout: &stdout, Stderr: &stderr,
		}, authorServer())
		if code != 1 || !strings.HasSuffix(stderr.String(), "linkspan: interrupted\n") {
			t.Errorf("%v ended with %d and said %q", args, code, stderr.String())
		}
	}
}

func TestDevRefuses(t *testing.T) {
	t.Parallel()
	a := newAuthoring(t, "-- index.ts --\n")
	for _, args := range [][]string{{"--run", "x"}, {"--run", "x", "--connection", "c", "--input", "-"}, {"--dir", "DIR/none"}} {
		if _, code := a.run(append([]string{"dev", "--once", "--dir", "DIR"}, args...)...); code != 2 {
			t.Errorf("dev %v ended with %d", args, code)
		}
	}
	b := newAuthoring(t, "")
	if _, err := project.Init(b.dir); err != nil {
		t.Fatal(err)
	}
	b.env["LINKSPAN_HOST"], b.env["LINKSPAN_SECRET_KEY_DEV"] = "http://127.0.0.1:1", "key"
	b.run("dev", "--once", "--no-types", "--no-tests", "--dir", "DIR", "--run", "close-ticket", "--connection", "ada")
	a.told.WriteString(b.told.String())
	a.golden("dev-refuses")
}
