//go:build unix

package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/linkspan/linkspan/internal/apptest"
)

// hostileToDryRuns are functions that can't be interrupted, want everything, or wait
// for ever.
func hostileToDryRuns() map[string]string {
	return map[string]string{
		"desk-key/actions/regexp.ts":  plainFunction(`	return /^(a+)+$/.test("a".repeat(40) + "b");`),
		"desk-key/actions/reverse.ts": plainFunction(`	return [].reverse.call({ length: 2 ** 53 - 1 } as any);`),
		"desk-key/actions/sorts.ts":   plainFunction(`	return Array.from({ length: 3_000_000 }, (_, i) => "x" + ((i * 7919) % 3_000_017)).sort().length;`),
		"desk-key/actions/parses.ts":  plainFunction(`	return JSON.parse("[" + "1,".repeat(50_000_000) + "1]").length;`),
		"desk-key/actions/objects.ts": plainFunction(`	const all: object[] = [];
	for (;;) { for (let i = 0; i < 2000; i++) all.push({ text: "x".repeat(1000) + i }); await new Promise((r) => setTimeout(r, 0)); }`),
		// What is read meanwhile makes the collector of garbage wait for the function.
		"desk-key/actions/collects.ts": plainFunction(`	for (let i = 0; i < 20; i++) nango.uncontrolledFetch({ url: ECHO, method: "POST", body: "x".repeat(2_000_000) }).catch(() => {});
	await new Promise((r) => setTimeout(r, 5));
	return [].reverse.call({ length: 2 ** 53 - 1 } as any);`),
		"desk-key/actions/imports.ts": "[].reverse.call({ length: 2 ** 53 - 1 } as any);\n" + plainFunction(`	return 1;`),
		"desk-key/actions/waits.ts": plainFunction(`	await nango.log("going");
	await new Promise((r) => setTimeout(r, 600_000));`),
		"desk-key/actions/announces.ts": plainFunction(`	await nango.log("going");
	return [].reverse.call({ length: 2 ** 53 - 1 } as any);`),
		"desk-key/actions/unanswered.ts": plainFunction(`	await nango.log("going");
	return (await nango.get({ endpoint: "/x", baseUrlOverride: SILENT })).status;`),
	}
}

// dryrunning is a command in a process of its own.
type dryrunning struct {
	cmd    *exec.Cmd
	stdout bytes.Buffer
	stderr said
}

// said is what a process says, and waits for parts of it.
type said struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{}
}

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text.Write(b)
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
	return len(b), nil
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// await waits until the process has said something.
func (s *said) await(t *testing.T, part string) {
	t.Helper()
	for {
		s.mu.Lock()
		if strings.Contains(s.text.String(), part) {
			s.mu.Unlock()
			return
		}
		if s.changed == nil {
			s.changed = make(chan struct{})
		}
		changed := s.changed
		s.mu.Unlock()
		select {
		case <-changed:
		case <-time.After(5 * time.Minute):
			t.Fatalf("it did not say %q but:\n%s", part, s)
		}
	}
}

// process prepares a command of the folder.
func (w *dryrunWorld) process(t *testing.T, args ...string) *dryrunning {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	d := &dryrunning{cmd: exec.CommandContext(t.Context(), self, append([]string{args[0], "--dir", w.dir}, args[1:]...)...)}
	d.cmd.Env = append(d.cmd.Environ(),
		apptest.ProgramVariable+"=1", "LINKSPAN_HOST="+w.instance.URL, "LINKSPAN_SECRET_KEY_DEV="+w.instance.Keys.Dev, "LINKSPAN_CACHE="+w.cache,
	)
	d.cmd.Stdout, d.cmd.Stderr = &d.stdout, &d.stderr
	return d
}

// wait returns the exit code.
func (d *dryrunning) wait(t *testing.T) int {
	t.Helper()
	stopped := time.AfterFunc(5*time.Minute, func() { _ = d.cmd.Process.Kill() })
	defer stopped.Stop()
	err := d.cmd.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode()
	}
	if err != nil {
		t.Fatal(err)
	}
	return 0
}

func (d *dryrunning) run(t *testing.T) int {
	t.Helper()
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return d.wait(t)
}

// fixtureFiles are the names in the folder of recordings.
func (w *dryrunWorld) fixtureFiles(t *testing.T) string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(w.dir, "desk-key", "tests"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

// Functions that can't be interrupted, and those that want everything, end the
// command with what to do about it, and don't hold it up.
func TestDryRunHostile(t *testing.T) { //nolint:tparallel // each takes all that it can get
	t.Parallel()
	w := newDryrunWorld(t, hostileToDryRuns())
	const loops, pages = "Look for a loop that does not end", "Work on smaller pages"
	for name, tt := range map[string]struct{ timeout, says string }{
		"regexp": {"2s", loops}, "reverse": {"2s", loops}, "collects": {"2s", loops}, "sorts": {"2m", pages}, "parses": {"2m", pages}, "objects": {"2m", pages},
	} {
		t.Run(name, func(t *testing.T) {
			d := w.process(t, "dryrun", name, "c1", "--timeout", tt.timeout, "--json")
			var report struct {
				OK    bool
				Error struct{ Code, Message, Limit string }
			}
			if code := d.run(t); code != 12 || !strings.Contains(d.stderr.String(), tt.says) {
				t.Errorf("ended with %d:\n%s", code, &d.stderr)
			}
			if err := json.Unmarshal(d.stdout.Bytes(), &report); err != nil || report.OK || report.Error.Code == "" || report.Error.Limit == "" || !strings.Contains(report.Error.Message, tt.says) {
				t.Errorf("it said %s, %v", &d.stdout, err)
			}
		})
	}
	d := w.process(t, "dryrun", "imports", "c1")
	if code := d.run(t); code != 10 {
		t.Errorf("a function that does not end when it is imported: %d:\n%s", code, &d.stderr)
	}
}

// A dry run that is interrupted ends soon, whatever the function does, and leaves
// nothing behind.
func TestDryRunInterrupted(t *testing.T) { //nolint:tparallel // they share a folder of recordings
	t.Parallel()
	w := newDryrunWorld(t, hostileToDryRuns())
	for _, tt := range []struct {
		name, says string
		args       []string
	}{
		{"a function that waits", "going", []string{"waits", "c1", "--save"}},
		{"a function that can't be interrupted", "going", []string{"announces", "c1", "--save"}},
		{"a call that is not answered", "going", []string{"unanswered", "c1", "--save"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := w.process(t, append([]string{"dryrun"}, tt.args...)...)
			if err := d.cmd.Start(); err != nil {
				t.Fatal(err)
			}
			d.stderr.await(t, tt.says)
			if err := d.cmd.Process.Signal(syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
			if code := d.wait(t); code != 1 || !strings.Contains(d.stderr.String(), "linkspan: interrupted: nothing was stored\n") {
				t.Errorf("ended with %d:\n%s", code, &d.stderr)
			}
			if names := w.fixtureFiles(t); names != "" {
				t.Errorf("left %s", names)
			}
		})
	}
}

// A recording that can't be written leaves the old one as it was.
func TestDryRunSaveFails(t *testing.T) {
	t.Parallel()
	w := newDryrunWorld(t)
	save := func() (int, string) {
		t.Helper()
		d := w.process(t, "dryrun", "twice", "c1", "--type", "action", "--save")
		return d.run(t), d.stderr.String()
	}
	if code, told := save(); code != 0 {
		t.Fatalf("ended with %d:\n%s", code, told)
	}
	file := filepath.Join(w.dir, "desk-key", "tests", "twice.test.json")
	if err := os.WriteFile(file, []byte(`{"output":"mine"}`), 0o400); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, 0o400); err != nil {
		t.Fatal(err)
	}
	if code, told := save(); code != 1 || !strings.Contains(told, "is read-only, so it was left as it is") {
		t.Errorf("read-only: ended with %d:\n%s", code, told)
	}
	text, err := os.ReadFile(file)
	if names := w.fixtureFiles(t); err != nil || string(text) != `{"output":"mine"}` || names != "twice.test.json" {
		t.Errorf("there are %s, with %s, %v", names, text, err)
	}
	if err := os.Chmod(file, 0o600); err != nil {
		t.Fatal(err)
	}
	if code, told := save(); code != 0 {
		t.Errorf("again: ended with %d:\n%s", code, told)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("it has the mode %v, %v", info, err)
	}
}
