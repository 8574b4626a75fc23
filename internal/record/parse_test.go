package record

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
)

type parsed struct{ ID, Payload string }

func TestParse(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		in   string
		want []parsed
	}{
		"nothing":            {` [ ] `, nil},
		"text":               {`[{"id":"a","n":1}]`, []parsed{{"a", `{"id":"a","n":1}`}}},
		"white space":        {" [ {\n\"id\" : \"a\" ,\t\"o\" : { \"x\": 1 } } , {\"id\":\"b\"} ] ", []parsed{{"a", `{"id":"a","o":{ "x": 1 }}`}, {"b", `{"id":"b"}`}}},
		"a number":           {`[{"n":1,"id":42}]`, []parsed{{"42", `{"n":1,"id":"42"}`}}},
		"numbers as written": {`[{"id":-0},{"id":1.50},{"id":1e21},{"id":12345678901234567890}]`, []parsed{{"0", `{"id":"0"}`}, {"1.5", `{"id":"1.5"}`}, {"1e+21", `{"id":"1e+21"}`}, {"12345678901234567000", `{"id":"12345678901234567000"}`}}},
		"metadata":           {`[{"_nango_metadata":{"cursor":"x"},"id":"a","o":{"_nango_metadata":1}}]`, []parsed{{"a", `{"id":"a","o":{"_nango_metadata":1}}`}}},
		"escaped metadata":   {`[{"id":"a","_nango\u005fmetadata":{}}]`, []parsed{{"a", `{"id":"a"}`}}},
		"the last one":       {`[{"id":"a","n":1},{"id":"b"},{"id":"a","n":2}]`, []parsed{{"a", `{"id":"a","n":2}`}, {"b", `{"id":"b"}`}}},
		"number and text":    {`[{"id":1,"n":1},{"id":"1","n":2}]`, []parsed{{"1", `{"id":"1","n":2}`}}},
		"two ids":            {`[{"id":1,"id":"2"}]`, []parsed{{"2", `{"id":"2","id":"2"}`}}},
		"two odd ids":        {`[{"id":1,"id":"\",\\\"x\":\""}]`, []parsed{{`",\"x":"`, `{"id":"\",\\\"x\":\"","id":"\",\\\"x\":\""}`}}},
		"escapes":            {`[{"id":"a\/\"\u00e9\ud83d\ude00"}]`, []parsed{{`a/"é😀`, `{"id":"a\/\"\u00e9\ud83d\ude00"}`}}},
		"replacement":        {`[{"id":"\ufffd"}]`, []parsed{{"\uFFFD", `{"id":"\ufffd"}`}}},
		"brackets in texts":  {`[{"id":"a","t":"[{\"` + strings.Repeat("[", 200) + `"}]`, []parsed{{"a", `{"id":"a","t":"[{\"` + strings.Repeat("[", 200) + `"}`}}},
		"255 characters":     {`[{"id":"` + strings.Repeat("é", 255) + `"}]`, []parsed{{strings.Repeat("é", 255), `{"id":"` + strings.Repeat("é", 255) + `"}`}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			items, err := parse([]byte(test.in), newHasher([]byte("k")), forSave)
			if err != nil {
				t.Fatal(err)
			}
			var got []parsed
			for i := range items {
				got = append(got, parsed{items[i].id, items[i].payload.Reveal()})
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		``:                    "The records are not valid JSON.",
		`[{"id":"a"}`:         "The records are not valid JSON.",
		`{"id":"a"}`:          "The records are not an array.",
		`null`:                "The records are not an array.",
		"[{\"id\":\"\xff\"}]": "The records are not valid UTF-8.",
		`[{"id":"a"},{"id":"b","x":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}]`: "Record 1 is nested more than 100 levels deep.",
		`[{"id":"a"},5]`:               "Record 1 is not an object.",
		`[{"id":"a"},null]`:            "Record 1 is not an object.",
		`[{"id":"a"},[]]`:              "Record 1 is not an object.",
		`[{"id":"a"},{"ID":"b"}]`:      "Record 1 has no id.",
		`[{"id":"a"},{"id":""}]`:       "Record 1 has an empty id.",
		`[{"id":true}]`:                "Record 0 has an id that is neither a text nor a number.",
		`[{"id":null}]`:                "Record 0 has an id that is neither a text nor a number.",
		`[{"id":{}}]`:                  "Record 0 has an id that is neither a text nor a number.",
		`[{"id":1e999}]`:               "Record 0 has an id that is too large a number.",
		`[{"id":"a\u0000b"}]`:          `Record 0 has an id with a NUL character: "a\x00b"`,
		`[{"id":"x\ud800\ufffd"}]`:     "Record 0 has an id that is not valid Unicode: \"x\uFFFD\uFFFD\"",
		`[{"id":"\\\ud800"}]`:          `Record 0 has an id that is not valid Unicode: "\\` + "\uFFFD\"",
		`[{"id":"` + long(256) + `"}]`: `Record 0 has an id of 256 characters, more than 255: "` + long(40) + `"…`,
	} {
		for _, why := range []purpose{forSave, forUpdate, forDelete} {
			_, err := parse([]byte(in), newHasher([]byte("k")), why)
			if linkspan.KindOf(err) != linkspan.KindInvalid || linkspan.CodeOf(err) != "invalid_records" || !strings.HasSuffix(err.Error(), ": "+want) {
				t.Errorf("%.60s: %v, want %s", in, err, want)
			}
		}
	}
}

func long(n int) string { return strings.Repeat("é", n) }

func TestMerge(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ old, patch, want string }{
		{`{"id":"1","a":1}`, `{"id":"1","b":2}`, `{"id":"1","a":1,"b":2}`},
		{`{"id":"1","a":1}`, `{"a":null,"id":"1"}`, `{"id":"1","a":null}`},
		{`{"o":{"x":1,"y":{"z":1}},"k":0}`, `{"o":{"y":{"w":2},"x":[1]}}`, `{"o":{"x":[1],"y":{"z":1,"w":2}},"k":0}`},
		{`{"o":{"x":1}}`, `{"o":5}`, `{"o":5}`},
		{`{"o":5}`, `{"o":{"x":1}}`, `{"o":{"x":1}}`},
		{`{"l":[1,2,{"a":1}]}`, `{"l":[{"b":2}]}`, `{"l":[{"b":2}]}`},
		{`{"a":1}`, `{}`, `{"a":1}`},
		{`{}`, `{"a":1,"a":2}`, `{"a":2}`},
		{`{}`, `{"a":{"x":1},"a":{"y":2}}`, `{"a":{"y":2}}`},
		{`{"a":{"x":1},"a":{"y":2}}`, `{"a":{"z":3}}`, `{"a":{"y":2,"z":3}}`},
		{`{"\u0061":1}`, `{"a":2}`, `{"\u0061":2}`},
	} {
		if got := mergeAll(test.old, test.patch); got != test.want {
			t.Errorf("%s + %s = %s, want %s", test.old, test.patch, got, test.want)
		}
	}
}

// TestMergeMany merges several patches in turn: what one replaces is not merged with
// what was there before it.
func TestMergeMany(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		texts []string
		want  string
	}{
		{[]string{`{"a":{"x":1}}`}, `{"a":{"x":1}}`},
		{[]string{`{"a":{"x":1}}`, `{"a":5}`, `{"a":{"y":2}}`}, `{"a":{"y":2}}`},
		{[]string{`{"a":{"x":1}}`, `{"a":{"y":2}}`, `{"b":{"c":{}}}`, `{"b":{"c":{"d":1}},"a":{"x":{"z":3}}}`}, `{"a":{"x":{"z":3},"y":2},"b":{"c":{"d":1}}}`},
	} {
		if got := mergeAll(test.texts...); got != test.want {
			t.Errorf("%s = %s, want %s", test.texts, got, test.want)
		}
	}
}

// BenchmarkMergeMany updates a record of 1 MB a thousand times at once.
func BenchmarkMergeMany(b *testing.B) {
	old := linkspan.NewSecret(`{"id":"1","list":[` + strings.Repeat("1,", 1<<19) + `1],"o":{"n":0}}`)
	it := item{payload: linkspan.NewSecret(`{"id":"1","o":{"n":1}}`)}
	for range 999 {
		it.later = append(it.later, it.payload)
	}
	for b.Loop() {
		it.merged(old)
	}
}

func mergeAll(texts ...string) string {
	objects := make([][]byte, len(texts))
	for i, text := range texts {
		objects[i] = []byte(text)
	}
	return string(merge(slices.Values(objects)))
}

// TestPortion bounds what an update reads at a time.
func TestPortion(t *testing.T) {
	t.Parallel()
	c := change{service: &Service{updateBytes: 10}}
	found := map[string]*linkspan.RecordRow{"a": {Size: 20}, "b": {Size: 6}, "c": {Size: 4}, "d": {Size: 1}}
	var got []int
	for items := []item{{id: "a"}, {id: "new"}, {id: "b"}, {id: "c"}, {id: "d"}}; len(items) > 0; {
		n := c.portion(items, found)
		got, items = append(got, n), items[n:]
	}
	if diff := cmp.Diff([]int{1, 3, 1}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
