package e2e

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/internal/apptest"
	"github.com/linkspan/linkspan/internal/cli"
)

// publishedCLI is the CLI of the published npm package nango, at home in a folder
// of its own.
type publishedCLI struct {
	node, script, modules, home string
}

// newPublishedCLI finds the CLI. Without it the test is skipped; on CI it fails.
func newPublishedCLI(t *testing.T) publishedCLI {
	t.Helper()
	modules, err := filepath.Abs(filepath.Join("published", "node_modules"))
	if err != nil {
		t.Fatal(err)
	}
	node := needNode(t, filepath.Join(modules, "nango"))
	return publishedCLI{node: node, script: filepath.Join(modules, "nango", "dist", "index.js"), modules: modules, home: t.TempDir()}
}

// run runs a command in a folder, against the environment dev of an instance,
// and returns what it printed and the exit code. It asks nobody, and installs
// nothing.
func (p publishedCLI) run(t *testing.T, dir string, i *apptest.Instance, args ...string) (out string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), p.node, append([]string{p.script}, append(args, "--no-interactive", "--no-dependency-update")...)...)
	cmd.Dir = dir
	cmd.Env = []string{
		"HOME=" + p.home, "PATH=" + os.Getenv("PATH"), "CI=true", "NO_COLOR=1", "NANGO_CLI_UPGRADE_MODE=ignore",
		"NANGO_HOSTPORT=" + i.URL, "NANGO_SECRET_KEY_DEV=" + i.Keys.Dev, "NANGO_SECRET_KEY_PROD=" + i.Keys.Prod,
	}
	text, err := cmd.CombinedOutput()
	if err == nil {
		return string(text), 0
	}
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		t.Fatalf("starting the published CLI: %v", err)
	}
	return string(text), exit.ExitCode()
}

// must is run that fails the test unless the command succeeds.
func (p publishedCLI) must(t *testing.T, dir string, i *apptest.Instance, args ...string) string {
	t.Helper()
	out, code := p.run(t, dir, i, args...)
	if code != 0 {
		t.Fatalf("nango %s ended with %d:\n%s", strings.Join(args, " "), code, out)
	}
	return out
}

// project lays out a folder the way the published CLI does, with its sample
// functions.
func (p publishedCLI) project(t *testing.T, i *apptest.Instance) string {
	t.Helper()
	parent := t.TempDir()
	p.must(t, parent, i, "init", "project", "--copy")
	dir := filepath.Join(parent, "project")
	if err := os.Symlink(p.modules, filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	// Its empty keys would be found before ours.
	if err := os.Remove(filepath.Join(dir, ".env")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// tryLinkspan runs our own command line against an instance, without a terminal.
func tryLinkspan(t *testing.T, i *apptest.Instance, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	env := map[string]string{
		"LINKSPAN_HOST": i.URL, "LINKSPAN_SECRET_KEY_DEV": i.Keys.Dev, "LINKSPAN_SECRET_KEY_PROD": i.Keys.Prod,
		"LINKSPAN_CACHE": apptest.CacheDir(),
	}
	var out, messages bytes.Buffer
	code = cli.Run(t.Context(), cli.System{
		Args: args, Environ: func(name string) string { return env[name] }, Stdout: &out, Stderr: &messages,
	}, apptest.Server())
	return out.String(), messages.String(), code
}

// mustLinkspan is tryLinkspan that fails the test unless the command succeeds.
func mustLinkspan(t *testing.T, i *apptest.Instance, args ...string) string {
	t.Helper()
	stdout, stderr, code := tryLinkspan(t, i, args...)
	if code != 0 {
		t.Fatalf("linkspan %s ended with %d:\n%s%s", strings.Join(args, " "), code, stdout, stderr)
	}
	return stdout
}

// writeFiles writes files below a folder.
func writeFiles(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// readFile returns a file below a folder.
func readFile(t *testing.T, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
