package store_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
)

// TestPortableSQL looks for SQL that only one of the databases understands, or
// that means something else to each.
func TestPortableSQL(t *testing.T) {
	t.Parallel()
	sql := regexp.MustCompile(`(?is)\b(select|insert into|update|delete from|create table)\b.*\b(from|values|set|where|\()`)
	forbidden := map[string]*regexp.Regexp{
		"now()":                regexp.MustCompile(`(?i)\bnow\(\)|current_timestamp`),
		"ilike":                regexp.MustCompile(`(?i)\bilike\b`),
		"a cast with ::":       regexp.MustCompile(`::`),
		"serial":               regexp.MustCompile(`(?i)\bserial\b`),
		"returning *":          regexp.MustCompile(`(?i)returning\s+\*`),
		"a ? placeholder":      regexp.MustCompile(`\?`),
		"insert or replace":    regexp.MustCompile(`(?i)insert or|replace into`),
		"a JSON operator":      regexp.MustCompile(`->`),
		"a double-quoted text": regexp.MustCompile(`"`),
	}
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, e := range entries {
		name := e.Name()
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || name == "dialect.go" {
			continue
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			lit, ok := n.(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING {
				return true
			}
			text, err := strconv.Unquote(lit.Value)
			if err != nil || !sql.MatchString(text) {
				return true
			}
			seen++
			for what, pattern := range forbidden {
				if pattern.MatchString(text) {
					t.Errorf("%s: SQL with %s:\n%s", set.Position(lit.Pos()), what, text)
				}
			}
			return true
		})
	}
	if seen < 40 {
		t.Fatalf("found %d pieces of SQL: the test looks past most of it", seen)
	}
}

// TestDriverPair holds the SQLite driver to the C library it was generated
// for: another pair builds, and fails at run time.
func TestDriverPair(t *testing.T) {
	t.Parallel()
	info, ok := debug.ReadBuildInfo()
	if !ok {
		t.Fatal("the test binary has no build information")
	}
	want := map[string]string{"modernc.org/sqlite": "v1.60.0", "modernc.org/libc": "v1.77.1"}
	found := 0
	for _, m := range info.Deps {
		if v, ok := want[m.Path]; ok {
			found++
			if m.Version != v {
				t.Errorf("%s is %s; the pair that was tested is %v", m.Path, m.Version, want)
			}
		}
	}
	if found != 0 && found != len(want) {
		t.Errorf("found %d of %v", found, want)
	}
	if found == 0 && len(info.Deps) > 0 {
		t.Errorf("neither of %v is a dependency", want)
	}
}
