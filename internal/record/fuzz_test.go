package record

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/jsontext"
)

func seeds() []string {
	return []string{
		`null`, `[]`, `{}`, `{"a":1}`, `{"b":1,"a":[{"d":2,"c":3}],"a":2}`, `"\u00e9\u0041\/\b\f\n\r\t\"\\"`, `"\ud83d\ude00\ud800x\udc00"`,
		`[0,-0,0.0,1.50,1e2,1E+2,1e-7,1e21,1e400,-1e400,123456789012345,1234567890123456,12345678901234567890]`,
		` { "x" : [ true , false , null ] , "" : "" } `, `{"\u0061":1,"a":2,"a\u0000":3}`, `{"é":1,"z":2,"😀":3,"\ufffd":4}`, `"\\ud800"`, `"\u001f\u0008"`,
	}
}

func canonical(value []byte) string {
	var c canonicalizer
	return string(c.canonical(nil, value))
}

// FuzzCanonical holds the canonical form to what encoding/json makes of values:
// equal values have the same form, and the form means the same.
func FuzzCanonical(f *testing.F) {
	for _, s := range seeds() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !json.Valid([]byte(text)) || !utf8.ValidString(text) || tooDeep([]byte(text)) {
			t.Skip()
		}
		form := canonical([]byte(text))
		if !json.Valid([]byte(form)) {
			t.Fatalf("%s: the form %s is not JSON", text, form)
		}
		if again := canonical([]byte(form)); again != form {
			t.Fatalf("%s: the form %s has the form %s", text, form, again)
		}
		var v, w any
		if json.Unmarshal([]byte(text), &v) != nil {
			t.Skip() // a number beyond a double
		}
		if err := json.Unmarshal([]byte(form), &w); err != nil || !reflect.DeepEqual(v, w) {
			t.Fatalf("%s: the form %s is another value: %v", text, form, err)
		}
		var b bytes.Buffer
		if err := json.NewEncoder(&b).Encode(v); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(form, `\ud`) {
			return // half of a surrogate pair, which encoding/json does not keep
		}
		if other := canonical(bytes.TrimSpace(b.Bytes())); other != form {
			t.Fatalf("%s: the form %s, and %s of the same value", text, form, other)
		}
	})
}

// FuzzParse gives parse anything: what it accepts must be sound JSON with the id in
// it, and mean what was given.
func FuzzParse(f *testing.F) {
	for _, s := range seeds() {
		f.Add(`[{"id":"a","x":` + s + `},{"id":1},{"_nango_metadata":` + s + `,"id":"b"}]`)
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		items, err := parse([]byte(text), newHasher([]byte("key")), forSave)
		if err != nil {
			if linkspan.KindOf(err) != linkspan.KindInvalid {
				t.Fatal(err)
			}
			return
		}
		var all []map[string]json.RawMessage
		if err := json.Unmarshal([]byte(text), &all); err != nil {
			t.Fatalf("parse accepts what is not a list of objects: %v", err)
		}
		if len(items) > len(all) {
			t.Fatalf("%d records of %d", len(items), len(all))
		}
		for _, it := range items {
			var got map[string]json.RawMessage
			if err := json.Unmarshal([]byte(it.payload.Reveal()), &got); err != nil {
				t.Fatalf("the payload %s: %v", it.payload.Reveal(), err)
			}
			var id string
			if err := json.Unmarshal(got["id"], &id); err != nil || id != it.id || !storableID(id) {
				t.Fatalf("the payload %s has another id than %q: %v", it.payload.Reveal(), it.id, err)
			}
			if got[metadataKey] != nil {
				t.Fatalf("metadata in %s", it.payload.Reveal())
			}
			shown := AppendJSON(nil, &linkspan.Record{ID: it.id, Payload: it.payload, Action: linkspan.RecordAdded, Position: 1})
			if !json.Valid(shown) {
				t.Fatalf("%s is shown as %s", it.payload.Reveal(), shown)
			}
		}
	})
}

// FuzzMerge holds merge to the obvious way.
func FuzzMerge(f *testing.F) {
	for _, s := range seeds() {
		f.Add(`{"a":`+s+`,"o":{"p":1,"q":[1]}}`, `{"o":{"q":`+s+`,"r":2},"a":1}`)
	}
	f.Fuzz(func(t *testing.T, old, patch string) {
		var a, b, got map[string]any
		if !utf8.ValidString(old+patch) || json.Unmarshal([]byte(old), &a) != nil || json.Unmarshal([]byte(patch), &b) != nil || a == nil || b == nil {
			t.Skip()
		}
		if tooDeep([]byte(old)) || tooDeep([]byte(patch)) {
			t.Skip()
		}
		if loneSurrogate(old + patch) {
			t.Skip() // different keys for us, the same for encoding/json
		}
		if repeats(old) || repeats(patch) {
			t.Skip() // encoding/json merges members of the same name into each other
		}
		first, second := strings.TrimSpace(old), strings.TrimSpace(patch)
		merged := mergeAll(first, second, first)
		if err := json.Unmarshal([]byte(merged), &got); err != nil {
			t.Fatal(err)
		}
		var again map[string]any
		if err := json.Unmarshal([]byte(old), &again); err != nil {
			t.Fatal(err)
		}
		if want := plainMerge(plainMerge(a, b), again); !reflect.DeepEqual(got, want) {
			t.Fatalf("%s + %s + the first = %s, want %v", first, second, merged, want)
		}
	})
}

func loneSurrogate(text string) bool { return strings.Contains(strings.ToLower(text), `\ud`) }

// repeats reports whether an object anywhere has two members of one name.
func repeats(text string) bool {
	var found bool
	var walk func(v []byte)
	walk = func(v []byte) {
		v = v[jsontext.SkipSpace(v, 0):]
		switch v[0] {
		case '{':
			seen := map[string]bool{}
			for key, value := range jsontext.Members(v) {
				found = found || seen[string(appendText(nil, key))]
				seen[string(appendText(nil, key))] = true
				walk(value)
			}
		case '[':
			for e := range jsontext.Elements(v) {
				walk(e)
			}
		}
	}
	walk([]byte(text))
	return found
}

func plainMerge(old, patch map[string]any) map[string]any {
	for k, v := range patch {
		a, both := old[k].(map[string]any)
		if b, ok := v.(map[string]any); ok && both {
			v = plainMerge(a, b)
		}
		old[k] = v
	}
	return old
}

// FuzzCursor gives ParseCursor anything: what it accepts is what Cursor makes.
func FuzzCursor(f *testing.F) {
	f.Add(Cursor(1))
	f.Add(Cursor(1_795_330_627_605_842))
	f.Add("AQAGYMlLiv2T")
	f.Add("")
	f.Add("\n\n\n\n\n\n\n\n\n\n\n\n")
	f.Add("MjAyNi0wMS0wMlQwMzowNDowNS4wMDAwMDBafHx4")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParseCursor(text)
		if err != nil {
			if linkspan.KindOf(err) != linkspan.KindInvalid {
				t.Fatal(err)
			}
			return
		}
		if p <= 0 || Cursor(p) != text {
			t.Fatalf("%q is read as %d, which is %q", text, p, Cursor(p))
		}
	})
}
