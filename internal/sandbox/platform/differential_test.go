package platform_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// How many cases the tests against Node draw per function. They are the same ones
// every time; more of them take longer.
var (
	cases = flag.Int("cases", 40, "how many cases per function are compared with Node")
	shown = flag.Int("shown", 20, "how many of the differences are shown")
)

// Draws are the same in Node and in the sandbox: mulberry32, since Math.random is
// not.
const draws = `
let state = SEED;
const draw = () => { state = (state + 0x6d2b79f5) | 0; let t = Math.imul(state ^ (state >>> 15), 1 | state); t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t; return ((t ^ (t >>> 14)) >>> 0) / 4294967296; };
const int = (low, high) => low + Math.floor(draw() * (high - low + 1));
const pick = list => list[int(0, list.length - 1)];
const some = (low, high, make) => Array.from({ length: int(low, high) }, make);
const bytes = (low, high) => Buffer.from(some(low, high, () => int(0, 255)));
const odd = ["a", "Z", "0", "9", " ", "%", "%2", "%zz", "%41", "ä", "ß", "İ", "\u0301", "😀", "\ud800", "\udc00", "\0", "\t", "\n", "/", "\\", "?", "#", ":", "@", "[", "]", ".", "..", "+", "&", "=", ";", "'", "\"", "<", ">", "|", "^", "{", "}", "\u200d", "１", "。", "\ufffd", "\uffff"];
const text = (low, high) => some(low, high, () => draw() < 0.5 ? String.fromCharCode(int(32, 126)) : pick(odd)).join("");
const crypto = require("crypto");
const tried = f => { try { return f(); } catch (e) { return "throws " + e.name + " " + (e.code ?? ""); } };
`

// Functions with many kinds of arguments behave as they do in Node, whatever they
// are given: testdata/differential holds a file per group, each the body of a
// function that returns a list of [what, result] for a number of cases.
func TestDifferences(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/differential/*.js")
	if err != nil || len(files) == 0 {
		t.Fatal("no programs: ", err)
	}
	e := newEngine(t)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".js"), func(t *testing.T) {
			t.Parallel()
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			count, err := json.Marshal(*cases)
			if err != nil {
				t.Fatal(err)
			}
			program := feature{name: file, body: strings.ReplaceAll(draws, "SEED", "20240229") + "const n = " + string(count) + ";\n" + string(source)}
			want, got := inNode(t, []feature{program})[file], inSandbox(t, e, program)
			compareCases(t, want, got)
		})
	}
}

func compareCases(t *testing.T, want, got string) {
	t.Helper()
	var expected, actual [][2]any
	if err := json.Unmarshal([]byte(want), &expected); err != nil {
		t.Fatalf("node: %v: %.1000s", err, want)
	}
	if err := json.Unmarshal([]byte(got), &actual); err != nil {
		t.Fatalf("sandbox: %v: %.1000s", err, got)
	}
	if len(expected) != len(actual) || len(expected) == 0 {
		t.Fatalf("%d cases in Node, %d in the sandbox", len(expected), len(actual))
	}
	wrong := 0
	for i := range expected {
		if cmp.Equal(expected[i], actual[i]) {
			continue
		}
		if wrong++; wrong > *shown {
			continue
		}
		t.Errorf("%v\n node:    %v\n sandbox: %v", expected[i][0], expected[i][1], actual[i][1])
	}
	if wrong > 0 {
		t.Errorf("%d of %d cases differ", wrong, len(expected))
	}
}
