package app

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/config"
	"github.com/linkspan/linkspan/internal/run"
)

// What can be made again is kept where the operator says, beside the data, or
// with the user's.
func TestCacheDir(t *testing.T) {
	home, here := t.TempDir(), t.TempDir()
	t.Setenv("XDG_CACHE_HOME", home) // on Linux
	t.Setenv("HOME", home)           // elsewhere
	user, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(here)
	if here, err = os.Getwd(); err != nil {
		t.Fatal(err)
	}
	database := linkspan.NewSecret("postgres://localhost/x")
	for name, tt := range map[string]struct {
		config config.Config
		want   string
	}{
		"beside the data": {config.Config{DataDir: "data"}, filepath.Join(here, "data", "cache")},
		"with the user's": {config.Config{DataDir: "data", DatabaseURL: database}, filepath.Join(user, "linkspan")},
		"as it is said":   {config.Config{DataDir: "data", CacheDir: "c"}, filepath.Join(here, "c")},
		"on PostgreSQL":   {config.Config{CacheDir: "/c", DatabaseURL: database}, "/c"},
	} {
		if got, err := cacheDir(tt.config); err != nil || got != tt.want {
			t.Errorf("%s: %q, %v; want %q", name, got, err, tt.want)
		}
	}
}

func TestCacheDirOfAUserWithoutAHome(t *testing.T) {
	for _, name := range []string{"XDG_CACHE_HOME", "HOME", "LocalAppData"} {
		t.Setenv(name, "")
	}
	got, err := cacheDir(config.Config{DatabaseURL: linkspan.NewSecret("postgres://localhost/x")})
	if err != nil || got != "" {
		t.Errorf("%q, %v: there is nowhere to keep anything", got, err)
	}
}

// The metrics that operators read about are those that there are.
func TestMetricsOfThePage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	a := newApp(t, load(t, t.TempDir(), nil, nil), io.Discard)
	runApp(t, a)
	get(t, "http://"+a.Addr()+"/providers", "") // to be counted
	_, metrics := get(t, "http://"+a.AdminAddr()+"/metrics", "")
	named := regexp.MustCompile("`(linkspan_[a-z_]+)`").FindAllStringSubmatch(string(page), -1)
	if len(named) < 15 {
		t.Fatalf("docs/operations.md names only %d metrics", len(named))
	}
	for _, m := range named {
		if !strings.Contains(metrics, "\n"+m[1]+" ") && !strings.Contains(metrics, "\n"+m[1]+"{") {
			t.Errorf("docs/operations.md names %s, which /metrics does not have", m[1])
		}
	}
}

// Each limit is the one that its setting names.
func TestRunLimits(t *testing.T) {
	t.Parallel()
	c := config.Config{
		FunctionMemory: 1, FunctionCPU: 2, ActionTimeout: 3, SyncTimeout: 4, SyncSlice: 5,
		Syncs: 6, SyncsPerEnvironment: 7, SyncsPerProvider: 8, SyncsPerFunction: 9, SyncsPerConnection: 10,
	}
	want := run.Limits{
		Memory: 1, CPU: 2, Action: 3, Sync: 4, SyncSlice: 5,
		Syncs: 6, SyncsPerEnvironment: 7, SyncsPerProvider: 8, SyncsPerFunction: 9, SyncsPerConnection: 10,
	}
	if d := cmp.Diff(want, runLimits(&c)); d != "" {
		t.Error(d)
	}
}
