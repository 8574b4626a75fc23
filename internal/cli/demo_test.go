package cli

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/api"
)

// What the demo may do follows from where it is started: nothing waits for a
// person where there is none, and nothing opens where nothing can.
func TestDemoFlags(t *testing.T) {
	t.Parallel()
	type environ = map[string]string
	for name, tt := range map[string]struct {
		args                                  []string
		terminal                              bool
		environ                               environ
		once, alone, open, live, colour, wide bool
	}{
		"in a pipe":             {environ: environ{"DISPLAY": ":0"}, once: true},
		"on a desktop":          {terminal: true, environ: environ{"DISPLAY": ":0", "SSH_CONNECTION": ""}, open: true, live: true, colour: true, wide: true},
		"without a browser":     {terminal: true, environ: environ{"SSH_CONNECTION": "1"}, alone: true, live: true, colour: true, wide: true},
		"for a link":            {args: []string{"--no-open"}, terminal: true, environ: environ{"DISPLAY": ":0"}, live: true, colour: true, wide: true},
		"once":                  {args: []string{"--once"}, terminal: true, environ: environ{"DISPLAY": ":0"}, once: true, live: true, colour: true, wide: true},
		"without colours":       {args: []string{"--once"}, terminal: true, environ: environ{"NO_COLOR": "1"}, once: true, live: true, wide: true},
		"on a very old machine": {args: []string{"--once"}, terminal: true, environ: environ{"TERM": "dumb"}, once: true, wide: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got *Demo
			code := Run(t.Context(), System{
				Args:       append([]string{"demo", "--data", "here"}, tt.args...),
				Environ:    func(name string) string { return tt.environ[name] },
				Stdout:     new(bytes.Buffer),
				Stderr:     new(bytes.Buffer),
				IsTerminal: func(any) bool { return tt.terminal },
			}, Server{Demo: func(_ context.Context, d Demo) error {
				got = &d
				return nil
			}})
			if code != 0 || got == nil {
				t.Fatalf("code %d", code)
			}
			if got.Once != tt.once || got.Alone != tt.alone || (got.Open != nil) != tt.open || got.Live != tt.live || got.Colour != tt.colour ||
				(got.Width != nil) != tt.wide || got.DataDir != "here" || got.Deploy == nil || got.Program == "" {
				t.Errorf("%+v", got)
			}
		})
	}
}

// What people are told to type is this program, also when there is another one of
// that name, or none.
func TestProgramName(t *testing.T) { //nolint:paralleltest // sets the environment
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	name := filepath.Join(dir, "linkspan")
	t.Setenv("PATH", dir)
	if got := programName(); got != own {
		t.Errorf("where there is none: %s", got)
	}
	if err := os.WriteFile(name, nil, 0o700); err != nil {
		t.Fatal(err)
	}
	if got := programName(); got != own {
		t.Errorf("where there is another one: %s", got)
	}
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(own, name); err != nil {
		t.Skipf("no links here: %v", err)
	}
	if got := programName(); got != "linkspan" {
		t.Errorf("where it is this one: %s", got)
	}
}

func TestDemoFails(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"demo", "--log-level", "loud"}, exitUsage, "--log-level"},
		{[]string{"demo", "twice"}, exitUsage, "demo --help"},
		{[]string{"demo"}, exitFailure, "it broke"},
	} {
		var logs bytes.Buffer
		code := Run(t.Context(), System{Args: tt.args, Environ: func(string) string { return "" }, Stdout: new(bytes.Buffer), Stderr: &logs},
			Server{Demo: func(context.Context, Demo) error { return errors.New("it broke") }})
		if code != tt.code || !strings.Contains(logs.String(), tt.want) {
			t.Errorf("%v: code %d, %s", tt.args, code, &logs)
		}
	}
}

func TestColumns(t *testing.T) {
	t.Parallel()
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for text, want := range map[string]int{"": 80, "120": 120, "many": 80, "-1": 80} {
		sys := System{Stdout: file, Environ: func(string) string { return text }}
		if got := columns(sys); got != want {
			t.Errorf("COLUMNS=%s: %d", text, got)
		}
	}
}

// What keeps a folder from being deployed is told with its place.
func TestDeployFolderFails(t *testing.T) {
	t.Parallel()
	sys := System{Environ: func(string) string { return "" }}
	none := Server{Trials: func(context.Context, TrialOptions) (Trials, error) { return nil, errors.New("no sandbox") }}
	if _, err := deployFolder(t.Context(), sys, none, t.TempDir(), "not a host", "key"); err == nil {
		t.Error("it deploys to nowhere")
	}
	if _, err := deployFolder(t.Context(), sys, none, t.TempDir(), "http://localhost:1", api.Secret("key")); err == nil || err.Error() != "starting the sandboxes: no sandbox" {
		t.Errorf("without a sandbox: %v", err)
	}
}
