package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/linkspan/linkspan/internal/apptest"
	"github.com/linkspan/linkspan/internal/demo"
)

// TestNewcomer walks from a clean folder to records, as the documentation says:
// every command is a process of its own, against a real instance with an account at
// Ticketry.
func TestNewcomer(t *testing.T) {
	t.Parallel()
	desk := apptest.NewDesk(t)
	i := apptest.Start(t, apptest.Options{Database: apptest.NewSQLite(t), ProvidersDir: desk.ProvidersDir})
	desk.Open(t, i)
	dev := i.Dev(t)
	dev.Do(t, http.MethodPost, "/integrations", map[string]any{"provider": demo.ProviderKey, "unique_key": "demo-tickets"}).Want(t, http.StatusOK)
	apptest.Import(t, dev, "demo-tickets", "ada", map[string]any{"type": "API_KEY", "apiKey": desk.APIKey})

	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if err := os.Symlink(self, filepath.Join(bin, "linkspan")); err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/newcomer",
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", bin+string(os.PathListSeparator)+e.Getenv("PATH"))
			e.Setenv(apptest.ProgramVariable, "1")
			e.Setenv("LINKSPAN_CACHE", apptest.CacheDir())
			e.Setenv("HOST", i.URL)
			e.Setenv("KEY", i.Keys.Dev)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"until": until, "replace": replace},
	})
}

// until waits until a file matches a pattern: until FILE PATTERN.
func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: until FILE PATTERN")
	}
	pattern, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var text []byte
	for deadline := time.Now().Add(5 * time.Minute); time.Now().Before(deadline); <-tick.C {
		if text, _ = os.ReadFile(ts.MkAbs(args[0])); pattern.Match(text) {
			return
		}
	}
	ts.Fatalf("%s never matched %s:\n%s", args[0], args[1], text)
}

// replace changes a file: replace FILE PATTERN TEXT.
func replace(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: replace FILE PATTERN TEXT")
	}
	pattern, err := regexp.Compile(args[1])
	ts.Check(err)
	name := ts.MkAbs(args[0])
	before, err := os.ReadFile(name)
	ts.Check(err)
	if !pattern.Match(before) {
		ts.Fatalf("%s does not match %s", args[0], args[1])
	}
	ts.Check(os.WriteFile(name, pattern.ReplaceAll(before, []byte(args[2])), 0o600))
}
