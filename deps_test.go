package linkspan_test

import (
	"bytes"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/linkspan/linkspan"

// modules lists every module that is linked into the program, with why. A new
// one needs a line here, after a look at its health, licence and size.
func modules() map[string]string {
	return map[string]string{
		"github.com/jackc/pgx/v5":                             "PostgreSQL, natively: LISTEN, batches, binary protocol",
		"github.com/jackc/pgpassfile":                         "of pgx: ~/.pgpass",
		"github.com/jackc/pgservicefile":                      "of pgx: pg_service.conf",
		"github.com/jackc/puddle/v2":                          "of pgx: the pool",
		"modernc.org/sqlite":                                  "SQLite without cgo",
		"modernc.org/libc":                                    "of modernc.org/sqlite",
		"modernc.org/mathutil":                                "of modernc.org/sqlite",
		"modernc.org/memory":                                  "of modernc.org/sqlite",
		"github.com/dustin/go-humanize":                       "of modernc.org/sqlite",
		"github.com/google/uuid":                              "of modernc.org/sqlite",
		"github.com/mattn/go-isatty":                          "of modernc.org/sqlite",
		"github.com/ncruces/go-strftime":                      "of modernc.org/sqlite",
		"github.com/remyoudompheng/bigfft":                    "of modernc.org/sqlite",
		"github.com/riverqueue/river":                         "background jobs on the same database, enqueued in the caller's transaction",
		"github.com/riverqueue/river/riverdriver":             "of River",
		"github.com/riverqueue/river/riverdriver/riverpgxv5":  "of River: on pgx",
		"github.com/riverqueue/river/riverdriver/riversqlite": "of River: on SQLite",
		"github.com/riverqueue/river/rivershared":             "of River",
		"github.com/riverqueue/river/rivertype":               "of River",
		"github.com/tidwall/gjson":                            "of River",
		"github.com/tidwall/match":                            "of River",
		"github.com/tidwall/pretty":                           "of River",
		"github.com/tidwall/sjson":                            "of River",
		"github.com/a-h/templ":                                "typed HTML templates, compiled to Go: MIT, no dependencies at run time",
		"github.com/coder/websocket":                          "the popup protocol's WebSocket: ISC, no dependencies",
		"github.com/spf13/cobra":                              "the command line",
		"github.com/spf13/pflag":                              "of cobra",
		"github.com/prometheus/client_golang":                 "metrics",
		"github.com/prometheus/client_model":                  "of client_golang",
		"github.com/prometheus/common":                        "of client_golang",
		"github.com/prometheus/procfs":                        "of client_golang",
		"github.com/beorn7/perks":                             "of client_golang",
		"github.com/cespare/xxhash/v2":                        "of client_golang",
		"github.com/munnerz/goautoneg":                        "of client_golang",
		"google.golang.org/protobuf":                          "of client_golang",
		"github.com/dlclark/regexp2/v2":                       "JavaScript's regular expressions, which the catalogue's patterns are",
		"go.yaml.in/yaml/v4":                                  "provider files and the configuration file",
		"github.com/tetratelabs/wazero":                       "WebAssembly without cgo, which the sandbox of functions runs in: Apache-2.0, no dependencies",
		"github.com/evanw/esbuild":                            "bundles functions of TypeScript: MIT, needs only x/sys",
		"github.com/santhosh-tekuri/jsonschema/v6":            "JSON Schema of functions' input and output, all drafts, with a regular expression engine of one's choice: Apache-2.0",
		"github.com/fsnotify/fsnotify":                        "tells linkspan dev and linkspan test --watch what was saved: BSD-3, needs only x/sys",
		"golang.org/x/net":                                    "international host names of the sandbox's URL (idna), what headers may hold (httpguts)",
		"golang.org/x/sync":                                   "errgroup, semaphore",
		"golang.org/x/sys":                                    "memory mappings and process limits of runners; of several",
		"golang.org/x/text":                                   "the sandbox's Intl: collation, numbers; of pgx: SASLprep",
	}
}

// arrows lists, for each package, which packages of the module it may import.
// "." is the vocabulary. Arrows point down only; ARCHITECTURE.md draws them.
func arrows() map[string]string {
	return map[string]string{
		// public
		".":                   "",
		"catalog":             "",
		"api":                 ".",
		"api/client":          "api",
		"sdk/functions":       "",  // embeds the prelude
		"sdk/functions/build": "",  // makes it
		"integrations":        ".", // embeds the library

		// ground
		"internal/vault":            ".",
		"internal/change":           ".",
		"internal/credential":       ".",
		"internal/egress":           "",
		"internal/httpx":            ".",
		"internal/jsontext":         "",
		"internal/lease":            ".",
		"internal/job":              ".",
		"internal/obs":              "",
		"internal/oplog":            ". internal/secretname",
		"internal/config":           ". internal/vault",
		"internal/secretname":       "",
		"internal/store":            ". internal/change internal/vault", // change: to prove that it is a change.Store
		"internal/sandbox":          "",
		"internal/sandbox/platform": "internal/sandbox",
		"internal/runner":           "internal/sandbox internal/sandbox/platform sdk/functions",

		// features, lower ones first
		"internal/access":             ". internal/change",
		"internal/ratelimit":          ".",
		"internal/environment":        ". internal/access internal/oplog",
		"internal/integration":        ". catalog internal/oplog",
		"internal/upstream":           ". catalog internal/credential internal/egress internal/oplog",
		"internal/oauth":              ". catalog internal/credential internal/egress internal/oplog",
		"internal/hook":               ". catalog internal/credential internal/egress internal/upstream",
		"internal/webhook":            ". internal/change internal/egress internal/oplog",
		"internal/record":             ". internal/jsontext",
		"internal/schedule":           ". internal/function internal/oplog internal/record internal/webhook",
		"internal/connect":            ". catalog internal/change internal/credential internal/job internal/lease internal/oauth internal/oplog internal/upstream internal/webhook",
		"internal/authorize":          ". catalog internal/access internal/change internal/connect internal/credential internal/oauth internal/oplog",
		"internal/demo":               "",
		"internal/proxy":              ". catalog internal/connect internal/egress internal/oplog internal/upstream",
		"internal/providerdocs":       ". catalog",
		"internal/function":           ". internal/change internal/lease internal/oplog",
		"internal/function/sourcemap": "",
		"internal/function/bundle":    ". internal/function internal/function/sourcemap internal/sandbox",
		"internal/function/call":      ". catalog internal/egress internal/httpx internal/proxy internal/sandbox internal/secretname internal/upstream",
		"internal/function/protocol":  ". internal/function/call internal/function/sourcemap internal/sandbox",
		"internal/function/host":      ". catalog internal/connect internal/egress internal/function/call internal/function/protocol internal/integration internal/jsontext internal/oplog internal/proxy internal/record internal/sandbox internal/schedule internal/upstream",
		"internal/function/trial":     ". internal/function internal/function/bundle internal/function/call internal/function/protocol internal/record internal/sandbox",
		"internal/function/fixture":   ". catalog internal/function/call internal/function/trial internal/jsontext internal/sandbox internal/secretname",
		"internal/function/remote":    ". api api/client internal/egress internal/function/call internal/oplog internal/proxy internal/sandbox",
		"internal/project":            ". internal/function/bundle sdk/functions",
		"internal/author":             ". internal/connect internal/function internal/function/bundle internal/function/call internal/function/host internal/function/trial internal/oplog internal/runner internal/sandbox internal/upstream",
		"internal/run":                ". internal/change internal/connect internal/function internal/function/host internal/oplog internal/runner internal/sandbox internal/schedule internal/upstream internal/webhook",

		// delivery
		"internal/server":    ". api catalog internal/access internal/author internal/authorize internal/connect internal/credential internal/environment internal/function internal/function/protocol internal/httpx internal/integration internal/ratelimit internal/record internal/run internal/schedule internal/upstream",
		"internal/connectui": ". catalog internal/access internal/authorize internal/connect internal/credential internal/httpx",
		"internal/cli":       ". api api/client catalog integrations internal/config internal/egress internal/function/bundle internal/function/fixture internal/function/remote internal/function/trial internal/obs internal/project internal/sandbox internal/vault",
		"internal/app":       "*",
		"cmd/linkspan":       "internal/app internal/cli",

		// for tests only
		"examples":                 "",
		"integrations/generate":    ". integrations internal/function/bundle internal/sandbox internal/sandbox/platform sdk/functions", // makes its templates
		"internal/browsertest":     "",
		"internal/testfile":        "",
		"internal/apptest":         ". internal/app internal/cli internal/demo internal/store/storetest",
		"internal/store/storetest": ". internal/store internal/vault",
		"e2e":                      "",
		"e2e/bench":                "",
		"e2e/browser":              "",
	}
}

func goList(t *testing.T, args ...string) []string {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list"}, args...)...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

func TestModules(t *testing.T) {
	t.Parallel()
	allowed := modules()
	for _, m := range slices.Compact(slices.Sorted(slices.Values(
		goList(t, "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", "./cmd/linkspan")))) {
		if m == "" || m == module {
			continue
		}
		if allowed[m] == "" {
			t.Errorf("the program links %s: give the reason in modules, or do without", m)
		}
	}
}

func TestArrowsPointDown(t *testing.T) {
	t.Parallel()
	allowed := arrows()
	for _, line := range goList(t, "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...") {
		fields := strings.Fields(line)
		pkg := local(fields[0])
		may, known := allowed[pkg]
		if !known {
			t.Errorf("package %s is new: say in arrows what it may import, and draw it in ARCHITECTURE.md", pkg)
			continue
		}
		if may == "*" {
			continue
		}
		unused := strings.Fields(may)
		for _, path := range fields[1:] {
			if !strings.HasPrefix(path, module) {
				continue
			}
			imported := local(path)
			if !slices.Contains(strings.Fields(may), imported) {
				t.Errorf("package %s must not import %s", pkg, imported)
			}
			unused = slices.DeleteFunc(unused, func(p string) bool { return p == imported })
		}
		if len(unused) > 0 {
			t.Errorf("package %s does not import %s: take it out of arrows and of ARCHITECTURE.md", pkg, strings.Join(unused, ", "))
		}
	}
}

// local turns an import path into the name that arrows uses.
func local(path string) string {
	if path == module {
		return "."
	}
	return strings.TrimPrefix(path, module+"/")
}

// SQLite is C translated to Go against one version of its C library; another
// one corrupts memory.
func TestSQLiteHasItsLibrary(t *testing.T) {
	t.Parallel()
	mod, err := os.ReadFile(goList(t, "-m", "-f", "{{.GoMod}}", "modernc.org/sqlite")[0])
	if err != nil {
		t.Fatal(err)
	}
	want := regexp.MustCompile(`modernc\.org/libc (v\S+)`).FindSubmatch(mod)
	if want == nil {
		t.Fatal("modernc.org/sqlite requires no modernc.org/libc")
	}
	if got := goList(t, "-m", "-f", "{{.Version}}", "modernc.org/libc")[0]; got != string(want[1]) {
		t.Errorf("modernc.org/libc is %s, modernc.org/sqlite was made for %s", got, want[1])
	}
}
