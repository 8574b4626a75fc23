package jsontext_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan/internal/jsontext"
)

func TestSkipString(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 40)
	for _, text := range []string{
		`""`, `"a"`, `"\""`, `"\\"`, `"a\"b"`, `"fifteen letters"`, `"sixteen  letters"`, `"seventeen letters"`, `"fourteen let.\""`, `"fifteen letter\""`,
		`"` + long + `"`, `"` + long + `\"` + long + `"`, `"` + long + `\\"`, `"\"` + long + `"`,
	} {
		if !json.Valid([]byte(text)) {
			t.Fatalf("%s is no JSON", text)
		}
		if end := jsontext.SkipString([]byte("[1,"+text+`,"b"]`), 3); end != 3+len(text) {
			t.Errorf("%s ends at %d, want %d", text, end-3, len(text))
		}
	}
	for _, text := range []string{`"`, `"a`, `"\`, `"\"`, `"` + long, `"` + long + `\`, `"` + long + `\"`} {
		if end := jsontext.SkipString([]byte(text), 0); end != len(text) {
			t.Errorf("%s, which has no end, ends at %d", text, end)
		}
	}
}

func elements(text string) []string {
	var all []string
	for e := range jsontext.Elements([]byte(text)) {
		all = append(all, string(e))
	}
	return all
}

func members(text string) [][2]string {
	var all [][2]string
	for key, value := range jsontext.Members([]byte(text)) {
		all = append(all, [2]string{string(key), string(value)})
	}
	return all
}

func TestElements(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		`[]`: nil, ` [ ] `: nil, `[1]`: {"1"}, "\n[ 1 ,\t-2.5e3,true , null,\"],\" ]\n": {"1", "-2.5e3", "true", "null", `"],"`},
		`[[1,[2]],{"a":[3,{"]":4}]},[]]`: {`[1,[2]]`, `{"a":[3,{"]":4}]}`, `[]`},
	} {
		if diff := cmp.Diff(want, elements(text)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
	for e := range jsontext.Elements([]byte(`[1,2]`)) {
		if string(e) != "1" {
			t.Errorf("went on to %s", e)
		}
		break
	}
}

func TestMembers(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][][2]string{
		`{}`: nil, ` { } `: nil, `{"a":1}`: {{`"a"`, "1"}}, " {\"a\" : [1, 2] ,\n\"b\\\"\":{\"c\":\"}\"}, \"\":null }": {{`"a"`, "[1, 2]"}, {`"b\""`, `{"c":"}"}`}, {`""`, "null"}},
		`{"a":1,"a":2}`: {{`"a"`, "1"}, {`"a"`, "2"}},
	} {
		if diff := cmp.Diff(want, members(text)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
	for key := range jsontext.Members([]byte(`{"a":1,"b":2}`)) {
		if string(key) != `"a"` {
			t.Errorf("went on to %s", key)
		}
		break
	}
}

// FuzzParts holds the parts of valid JSON to those that encoding/json finds; of
// anything else it wants an end.
func FuzzParts(f *testing.F) {
	for _, text := range []string{
		`[1,"a",{"b":[null]}]`, `{"a":{"b":"\\\""},"c":[]}`, "", "[", "{", "[}", "[,", "[:]", `{"a`, `{"a"`, `{"a":`, `{"a":}`, `{"a" 1}`, `{,}`, `[[`, `["\`, `]`, `" "`, "[1 2]", "{\"\":1]",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		gotElements, gotMembers := elements(text), members(text)
		var array []json.RawMessage
		if json.Unmarshal([]byte(text), &array) == nil && array != nil {
			if len(array) != len(gotElements) {
				t.Fatalf("%s has the elements %q", text, gotElements)
			}
			for i, e := range array {
				if string(e) != gotElements[i] {
					t.Fatalf("element %d of %s is %s, want %s", i, text, gotElements[i], e)
				}
			}
		}
		var object map[string]json.RawMessage
		if json.Unmarshal([]byte(text), &object) != nil || object == nil {
			return
		}
		last := map[string]string{}
		for _, m := range gotMembers {
			var name string
			if err := json.Unmarshal([]byte(m[0]), &name); err != nil {
				t.Fatalf("%s has a member %s", text, m[0])
			}
			last[name] = m[1]
		}
		if len(last) != len(object) {
			t.Fatalf("%s has the members %q", text, gotMembers)
		}
		for name, value := range object {
			if last[name] != string(value) {
				t.Fatalf("%s of %s is %s, want %s", name, text, last[name], value)
			}
		}
	})
}
