package sourcemap_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/evanw/esbuild/pkg/api"
	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan/internal/function/sourcemap"
)

// comment is the last line of a bundle with a map.
func comment(text string) string {
	return "//# sourceMappingURL=data:application/json;base64," + base64.StdEncoding.EncodeToString([]byte(text)) + "\n"
}

func mustNew(t *testing.T, bundle string) *sourcemap.Map {
	t.Helper()
	m, err := sourcemap.New(bundle)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// position is an answer of Position.
type position struct {
	File         string
	Line, Column int
	OK           bool
}

func at(m *sourcemap.Map, line, column int) position {
	file, l, c, ok := m.Position(line, column)
	return position{file, l, c, ok}
}

func TestPosition(t *testing.T) {
	t.Parallel()
	// Two lines made of two sources: line 1 has a mapped, an unmapped and a mapped
	// part; line 2 none; line 3 one that begins at column 3.
	m := mustNew(t, "x\n"+comment(`{"version":3,"sources":["../github/actions/a.ts","../../shared/b.ts"],"mappings":"AAAA,E,ECEE;;EACF"}`))
	for _, tc := range []struct {
		name         string
		line, column int
		want         position
	}{
		{"start of a segment", 1, 1, position{"github/actions/a.ts", 1, 1, true}},
		{"inside of a segment", 1, 2, position{"github/actions/a.ts", 1, 1, true}},
		{"made by the bundler", 1, 3, position{}},
		{"second source", 1, 5, position{"shared/b.ts", 3, 3, true}},
		{"behind the last segment", 1, 500, position{"shared/b.ts", 3, 3, true}},
		{"line without segments", 2, 1, position{}},
		{"before the first segment", 3, 1, position{}},
		{"numbers count across lines", 3, 4, position{"shared/b.ts", 4, 1, true}},
		{"behind the last line", 4, 1, position{}},
		{"line 0", 0, 1, position{}},
		{"column 0", 1, 0, position{}},
		{"absurd column", 1, 1 << 40, position{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if d := cmp.Diff(tc.want, at(m, tc.line, tc.column)); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestSource returns the texts that a map carries.
func TestSource(t *testing.T) {
	t.Parallel()
	m := mustNew(t, comment(`{"version":3,"sourceRoot":"../","sources":["a.ts",null,"b.ts"],"sourcesContent":["A","B"],"mappings":""}`))
	var none *sourcemap.Map
	got := []string{m.Source("a.ts"), m.Source("b.ts"), m.Source("c.ts"), none.Source("a.ts")}
	if d := cmp.Diff([]string{"A", "", "", ""}, got); d != "" {
		t.Error(d)
	}
}

func TestPositionOfEmptyMaps(t *testing.T) {
	t.Parallel()
	var none *sourcemap.Map
	if got := at(none, 1, 1); got.OK {
		t.Errorf("nil map: %+v", got)
	}
	for _, bundle := range []string{
		"", "module.exports = 1;\n", "//# sourceMappingURL=a.js.map",
		`const s = "//# sourceMappingURL=data:application/json;base64,AAAA";`,
	} {
		if got := at(mustNew(t, bundle), 1, 1); got.OK {
			t.Errorf("%q: %+v", bundle, got)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, text, want string }{
		{"not JSON", `{`, "unexpected end"},
		{"other version", `{"version":2,"mappings":""}`, "version 2"},
		{"sections", `{"version":3,"sections":[]}`, "sections"},
		{"no digit", `{"version":3,"sources":["a"],"mappings":"A!AA"}`, "no base64 digit"},
		{"cut short", `{"version":3,"sources":["a"],"mappings":"AAAg"}`, "cut short"},
		{"too large", `{"version":3,"sources":["a"],"mappings":"gggggggggB"}`, "too large"},
		{"two numbers", `{"version":3,"sources":["a"],"mappings":"AA"}`, "neither one, four nor five"},
		{"six numbers", `{"version":3,"sources":["a"],"mappings":"AAAAAA"}`, "neither one, four nor five"},
		{"no such source", `{"version":3,"sources":["a"],"mappings":"ACAA"}`, "source that is not there"},
		{"negative column", `{"version":3,"sources":["a"],"mappings":"D"}`, "too large"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := sourcemap.New(comment(tc.text))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error is %v, want one with %q", err, tc.want)
			}
		})
	}
	many := `{"version":3,"sources":[],"mappings":"` + strings.Repeat("A,", 2<<20+1) + `"}`
	if _, err := sourcemap.New(comment(many)); err == nil || !strings.Contains(err.Error(), "too many") {
		t.Errorf("a map without end: %v", err)
	}
	large := comment(`{"version":3,"sources":["a"],"sourcesContent":["` + strings.Repeat("x", 20<<20) + `"],"mappings":""}`)
	if _, err := sourcemap.New(large); err == nil || !strings.Contains(err.Error(), "are the most") {
		t.Errorf("a large map: %v", err)
	}
	if _, err := sourcemap.New("//# sourceMappingURL=data:application/json;base64,!!"); err == nil {
		t.Error("bad base64 was accepted")
	}
}

func TestInlineWithoutBase64(t *testing.T) {
	t.Parallel()
	m := mustNew(t, "//# sourceMappingURL=data:application/json,%7B%22version%22:3,%22sources%22:[%22a.ts%22],%22mappings%22:%22AAAA%22%7D")
	if d := cmp.Diff(position{"a.ts", 1, 1, true}, at(m, 1, 1)); d != "" {
		t.Error(d)
	}
}

// TestPositionAgainstEsbuild looks up what esbuild moved.
func TestPositionAgainstEsbuild(t *testing.T) {
	t.Parallel()
	source := "type A = { n: number };\n\nexport const f = (a: A): number => {\n\tif (a.n > 1) throw new Error('big');\n\treturn a.n;\n};\n"
	r := api.Transform(source, api.TransformOptions{Loader: api.LoaderTS, Format: api.FormatCommonJS, Sourcemap: api.SourceMapInline, Sourcefile: "a.ts"})
	bundle := string(r.Code)
	line, column := find(bundle, "new Error(")
	got := at(mustNew(t, bundle), line, column)
	if d := cmp.Diff(position{"a.ts", 4, 21, true}, got); d != "" {
		t.Error(d)
	}
}

// find returns the line and column of a text, counted from 1.
func find(text, part string) (line, column int) {
	before, _, _ := strings.Cut(text, part)
	return strings.Count(before, "\n") + 1, len(before) - strings.LastIndexByte(before, '\n')
}

func TestStack(t *testing.T) {
	t.Parallel()
	m := mustNew(t, "x\n"+comment(`{"version":3,"sources":["github/actions/a.ts"],"mappings":"AAAA,IAEE"}`))
	const bundle = "github/actions/a.js"
	for _, tc := range []struct{ name, stack, want string }{
		{"empty", "", ""},
		{"no frame", "TypeError: at the end\nmore", "TypeError: at the end\nmore"},
		{"named", "    at exec (" + bundle + ":1:6)\n", "    at exec (github/actions/a.ts:3:3)"},
		{"anonymous", "    at <anonymous> (" + bundle + ":1:1)", "    at <anonymous> (github/actions/a.ts:1:1)"},
		{"without parentheses", "    at " + bundle + ":1:6", "    at github/actions/a.ts:3:3"},
		{"not mapped", "    at f (" + bundle + ":9:1)", "    at f (" + bundle + ":9:1)"},
		{"native", "    at map (native)\n    at f (" + bundle + ":1:1)", "    at map (native)\n    at f (github/actions/a.ts:1:1)"},
		{"evaluated", "    at f (<input>:1:1)", "    at f (<input>:1:1)"},
		{"prelude", "Error: x\n    at f (" + bundle + ":1:1)\n    at start (prelude.js:10:3)\n", "Error: x\n    at f (github/actions/a.ts:1:1)"},
		{"only prelude", "    at start (prelude.js:10:3)\n", ""},
		{"brackets in the name", "    at get [as x] (" + bundle + ":1:1)", "    at get [as x] (github/actions/a.ts:1:1)"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if d := cmp.Diff(tc.want, m.Stack(tc.stack)); d != "" {
				t.Error(d)
			}
		})
	}
	var none *sourcemap.Map
	if got := none.Stack("    at f (a.js:1:1)\n    at g (prelude.js:1:1)"); got != "    at f (a.js:1:1)" {
		t.Errorf("nil map: %q", got)
	}
}

func FuzzNew(f *testing.F) {
	for _, s := range []string{
		"", comment(`{"version":3,"sources":["a.ts"],"mappings":"AAAA,E,EACA;;EAAC"}`),
		comment(`{"version":3,"sources":[null],"sourceRoot":"/x","mappings":"AAAA"}`),
		comment(`{"version":3,"sources":[],"mappings":"D"}`),
		"//# sourceMappingURL=data:application/json,%7B%7D", "//# sourceMappingURL=data:,",
	} {
		f.Add(s, "    at f (a.js:1:1)\n")
	}
	f.Fuzz(func(t *testing.T, bundle, stack string) {
		m, err := sourcemap.New(bundle)
		if err != nil {
			return
		}
		for line := range 4 {
			for column := range 8 {
				file, l, c, ok := m.Position(line, column)
				if ok && (file == "" || l < 1 || c < 1) {
					t.Errorf("%d:%d is %q:%d:%d", line, column, file, l, c)
				}
			}
		}
		m.Stack(stack)
	})
}

func FuzzParse(f *testing.F) {
	f.Add("AAAA,E,EACA;;EAAC", 2)
	f.Add("D;gggggggB", 1)
	f.Fuzz(func(t *testing.T, mappings string, line int) {
		m, err := sourcemap.Parse(fmt.Appendf(nil, `{"version":3,"sources":["a","b"],"mappings":%q}`, mappings))
		if err != nil {
			return
		}
		if _, l, c, ok := m.Position(line, 1); ok && (l < 1 || c < 1) {
			t.Errorf("line %d is %d:%d", line, l, c)
		}
	})
}
