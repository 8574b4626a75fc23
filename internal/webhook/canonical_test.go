package webhook

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestCanonical(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ in, want string }{
		{`{"b":1,"a":[true,false,null]}`, `{"a":[true,false,null],"b":1}`},
		{` { "a" : [ 1 , { } , [ ] ] } `, `{"a":[1,{},[]]}`},
		{
			`{"b":1,"10":1,"9":1,"a":1,"01":1,"-1":1,"4294967294":1,"4294967295":1,"1.5":1,"":1}`,
			`{"9":1,"10":1,"4294967294":1,"":1,"-1":1,"01":1,"1.5":1,"4294967295":1,"a":1,"b":1}`,
		},
		{`{"a":1,"a":2,"\u0061":3}`, `{"a":3}`},
		{`{"10":1,"9":2,"10":3}`, `{"9":2,"10":3}`},
		{`{"__proto__":{"x":1}}`, `{"__proto__":{"x":1}}`},
		// By UTF-16 unit: the surrogates of U+1F600 come before U+FF5E.
		{`{"～":1,"😀":2,"é":3,"z":4}`, `{"z":4,"é":3,"😀":2,"～":1}`},
		{`"<script>&amp;\u2028\u2029\u007f\/"`, "\"<script>&amp;\u2028\u2029\u007f/\""},
		{`"\b\f\n\r\t\"\\\u0000\u001F"`, `"\b\f\n\r\t\"\\\u0000\u001f"`},
		{`"\uD83D\uDE00"`, `"😀"`},
		{`"\uD83D \uDE00\uD83D"`, `"\ud83d \ude00\ud83d"`},
		{`"\uD83D\uD83D\uDE00"`, `"\ud83d😀"`},
		{`[0,-0,-0.0,1.0,10.50,1e2,1E+2,100e-2]`, `[0,0,0,1,10.5,100,100,1]`},
		{`[1e20,1e21,123456789012345678901234,-1e21]`, `[100000000000000000000,1e+21,1.2345678901234569e+23,-1e+21]`},
		{`[0.000001,0.0000001,1.5e-7,1e-10,5e-324,1e-400]`, `[0.000001,1e-7,1.5e-7,1e-10,5e-324,0]`},
		{`[9007199254740993,0.1,1e308,1e309,-1e309]`, `[9007199254740992,0.1,1e+308,null,null]`},
	} {
		got, err := Canonical(json.RawMessage(test.in))
		if err != nil || string(got) != test.want {
			t.Errorf("%s\n got %s, %v\nwant %s", test.in, got, err, test.want)
		}
	}
	if _, err := Canonical(math.NaN()); err == nil {
		t.Error("NaN has a form")
	}
	if _, err := Canonical(json.RawMessage(`{"a":`)); err == nil {
		t.Error("half an object has a form")
	}
	got, err := Canonical(struct {
		B string         `json:"b"`
		A map[string]any `json:"a"`
		N *string        `json:"n"`
	}{"<x>\xff", map[string]any{"2": 1, "1": 1.5}, nil})
	if want := "{\"a\":{\"1\":1.5,\"2\":1},\"b\":\"<x>\uFFFD\",\"n\":null}"; err != nil || string(got) != want {
		t.Errorf("got %s, %v\nwant %s", got, err, want)
	}
}

func FuzzCanonical(f *testing.F) {
	for _, seed := range []string{
		`{"b":1,"a":{"10":"x","9":[1.5e-7]}}`, `"\ud800\udc00\ud800"`, `[1e999,-0,1e21,0.1]`, `{"a":1,"a":2}`, "\"\u2028<\"", `nul`, `{`, `"\u12`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		once, err := Canonical(json.RawMessage(in))
		if err != nil {
			if json.Valid([]byte(in)) && in != "" {
				t.Fatalf("valid JSON is refused: %v", err)
			}
			return
		}
		if !json.Valid(once) || !utf8.Valid(once) {
			t.Fatalf("not JSON: %q", once)
		}
		twice, err := Canonical(json.RawMessage(once))
		if err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("not stable:\n%s\n%s\n%v", once, twice, err)
		}
	})
}

// TestCanonicalAsJavaScript asks JavaScript itself whether what is signed is
// what JSON.parse and JSON.stringify make of it.
func TestCanonicalAsJavaScript(t *testing.T) {
	t.Parallel()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed")
	}
	r := rand.New(rand.NewPCG(1, 2))
	var in, canonical bytes.Buffer
	const values = 800
	for range values {
		text := randomJSON(r, 4)
		c, err := Canonical(json.RawMessage(text))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		fmt.Fprintf(&in, "%s\n%s\n", text, c)
		canonical.Write(append(c, '\n'))
	}
	// Sorting and adding back makes JavaScript's own order of keys of the input.
	const script = `
		const sort = v => Array.isArray(v) ? v.map(sort) : v && typeof v === 'object'
			? Object.keys(v).sort().reduce((o, k) => (Object.defineProperty(o, k, {value: sort(v[k]), enumerable: true, configurable: true, writable: true}), o), {}) : v
		const lines = require('fs').readFileSync(0, 'utf8').split('\n')
		for (let i = 0; i + 1 < lines.length; i += 2) {
			const fresh = JSON.stringify(sort(JSON.parse(lines[i]))), again = JSON.stringify(JSON.parse(lines[i + 1]))
			console.log(fresh === again ? again : 'differ: ' + fresh)
		}`
	cmd := exec.CommandContext(t.Context(), node, "-e", script)
	cmd.Stdin = &in
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	got, want := strings.Split(string(out), "\n"), strings.Split(canonical.String(), "\n")
	if len(got) != len(want) {
		t.Fatalf("%d lines, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("JavaScript: %s\n       ours: %s", got[i], want[i])
		}
	}
}

// randomJSON writes JSON of every kind, in notations that JavaScript would not
// choose.
func randomJSON(r *rand.Rand, depth int) string {
	kinds := 8
	if depth == 0 {
		kinds = 6
	}
	switch r.IntN(kinds) {
	case 0:
		return []string{"true", "false", "null"}[r.IntN(3)]
	case 1:
		return strconv.FormatInt(r.Int64()>>r.IntN(64), 10)
	case 2:
		return strconv.FormatFloat((r.Float64()-0.5)*math.Pow(10, float64(r.IntN(60)-30)), "efg"[r.IntN(3)], r.IntN(20)-1, 64)
	case 3:
		f := math.Float64frombits(r.Uint64())
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return "-0.0"
		}
		return strconv.FormatFloat(f, 'e', -1, 64)
	case 4, 5:
		return randomText(r)
	case 6:
		items := make([]string, r.IntN(5))
		for i := range items {
			items[i] = randomJSON(r, depth-1)
		}
		return "[" + strings.Join(items, " , ") + "]"
	default:
		members := make([]string, r.IntN(8))
		for i := range members {
			key := randomText(r)
			if r.IntN(3) == 0 {
				key = strconv.Quote(strconv.FormatUint(r.Uint64()>>(32+r.IntN(32)), 10))
			}
			members[i] = key + " : " + randomJSON(r, depth-1)
		}
		return "{" + strings.Join(members, ",") + "}"
	}
}

func randomText(r *rand.Rand) string {
	var b strings.Builder
	b.WriteByte('"')
	for range r.IntN(6) {
		switch r.IntN(6) {
		case 0:
			fmt.Fprintf(&b, "\\u%04X", 0xd800+r.IntN(0x800)) // half of a pair, or by chance a whole one
		case 1:
			fmt.Fprintf(&b, "\\u%04x", r.IntN(0x10000))
		case 2:
			b.WriteString([]string{`\"`, `\\`, `\/`, `\b`, `\f`, `\n`, `\r`, `\t`, "\u2028", "\u2029", "<", "&", "\u007f"}[r.IntN(13)])
		case 3:
			b.WriteRune(rune(0x1f600 + r.IntN(50)))
		case 4:
			b.WriteRune(rune(0xe000 + r.IntN(0x1ffe)))
		default:
			b.WriteByte(byte('0' + r.IntN(10)))
		}
	}
	b.WriteByte('"')
	return b.String()
}
