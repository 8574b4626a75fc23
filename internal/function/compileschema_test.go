package function

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/linkspan/linkspan"
)

// compiled compiles the definition "in" of definitions that may refer to each
// other.
func compiled(t *testing.T, definitions string) *Schema {
	t.Helper()
	s, err := CompileSchema([]byte(`{"definitions":{`+definitions+`}}`), "in")
	must(t, err)
	return s
}

func validate(t *testing.T, s *Schema, value string) error {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(value))
	must(t, err)
	return s.Validate(v)
}

func invalid(err error) bool {
	_, ok := errors.AsType[*jsonschema.ValidationError](err)
	return ok
}

// Checks that would take years are broken off; the schema goes on working.
func TestChecksThatNeverEnd(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat(`{"x":`, 60) + `7` + strings.Repeat(`}`, 60)
	many := `[` + strings.Repeat(`"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!",`, 1000) + `"b"]`
	keys := strings.Builder{}
	keys.WriteString(`{"x":1`)
	for i := range 1000 {
		keys.WriteString(`,"` + strings.Repeat("a", 40+i) + `!":1`)
	}
	keys.WriteString(`}`)
	for name, tt := range map[string]struct{ definitions, value, fine string }{
		"doubling":   {`"in":{"type":["object","string"],"allOf":[{"properties":{"x":{"$ref":"#/definitions/in"}}},{"properties":{"x":{"$ref":"#/definitions/in"}}}]}`, deep, `{"x":{"x":"a"}}`},
		"choices":    {`"in":{"anyOf":[{"type":"object","properties":{"x":{"$ref":"#/definitions/in"}}},{"type":"object","additionalProperties":{"$ref":"#/definitions/in"}},{"type":"string"}]}`, deep, `{"x":{"x":"a"}}`},
		"patterns":   {`"in":{"type":"array","items":{"type":"string","pattern":"^(a+)+$"}}`, many, `["aaa"]`},
		"properties": {`"in":{"type":"object","patternProperties":{"^(a+)+$":{"type":"number"}}}`, keys.String(), `{"aaa":1}`},
		"names":      {`"in":{"type":"object","propertyNames":{"not":{"pattern":"^(a+)+$"}}}`, keys.String(), `{"x":1}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := compiled(t, tt.definitions)
			s.limit = 300 * time.Millisecond
			for range 2 {
				if err := validate(t, s, tt.value); !errors.Is(err, ErrTooLong) {
					t.Errorf("the check ended with %v", err)
				}
				s.limit = time.Minute // what is shared must not be spoiled
				if err := validate(t, s, tt.fine); err != nil {
					t.Errorf("a value that is fine: %v", err)
				}
				s.limit = 300 * time.Millisecond
			}
		})
	}
}

// Numbers that take long to calculate with, or that the engine can't read at all.
func TestExcessiveNumbers(t *testing.T) {
	t.Parallel()
	s := compiled(t, `"in":{"type":"array","items":{"type":"integer","minimum":-10,"maximum":10}}`)
	for value, fine := range map[string]bool{
		`[1e99999999]`: false, `[-1e99999999]`: false, `[1e999999]`: false, `[1e-99999999]`: true, `[1e-999999]`: true,
		`[1e1]`: true, `[1.5e0]`: false, `[1.0000000000000000000000]`: true, `[11]`: false, `[-10]`: true,
		`[` + strings.Repeat("9", 100_000) + `]`: false,
	} {
		if err := validate(t, s, value); (err == nil) != fine || err != nil && !invalid(err) {
			t.Errorf("%.40s: %v", value, err)
		}
	}
	if err := validate(t, s, `[`+strings.Repeat("1e-999999,", 20_000)+`1]`); err != nil {
		t.Error(err)
	}
	for number, refused := range map[string]bool{
		"1e999999": true, "1e-999999": true, strings.Repeat("9", 500): true, "1e300": false, "0e-999": false, "0.000001": false, "5e-324": false,
	} {
		_, err := canonicalSchema([]byte(`{"definitions":{"a":{"anyOf":[{"minimum":` + number + `}]}}}`))
		if (err != nil) != refused {
			t.Errorf("%.40s in a schema: %v", number, err)
		}
	}
}

// Many check values with one schema at once, each with a watch of its own.
func TestChecksAtOnce(t *testing.T) {
	t.Parallel()
	s := compiled(t, `"in":{"type":"object","properties":{"a":{"type":"string","pattern":"^x+$","format":"email"}},"required":["a"]}`)
	var wait sync.WaitGroup
	for range 4 * maxFree {
		wait.Go(func() {
			for range 50 {
				if err := s.Validate(map[string]any{"a": "xx"}); err != nil {
					t.Error(err)
				}
				if err := s.Validate(map[string]any{"a": "y"}); !invalid(err) {
					t.Error("a value that does not match passed:", err)
				}
			}
		})
	}
	wait.Wait()
	if n := len(s.free); n < 1 || n > maxFree {
		t.Errorf("%d copies are kept", n)
	}
}

func TestSchemasWithExcessiveNumbersAreRefused(t *testing.T) {
	t.Parallel()
	w := newSQLite(t)
	d := all(action("github", "a", "1"))
	schemaOf(`{"definitions":{"x":{"type":"number","maximum":1e99999999}}}`)(d)
	_, err := w.service.Deploy(t.Context(), w.env, d)
	if e := wantCode(t, err, linkspan.KindInvalid, "invalid_body"); len(e.Issues) != 1 || !strings.Contains(e.Issues[0].Message, "1e99999999") {
		t.Errorf("the deploy is refused for %v", e.Issues)
	}
}

// Schemas read no files and ask nobody.
func TestSchemasThatReachOutside(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "secret.json")
	must(t, os.WriteFile(file, []byte(`{"type":"string","const":"secret"}`), 0o600))
	w := newSQLite(t)
	for _, ref := range []string{"file://" + file, "http://127.0.0.1:1/x.json"} {
		text := `{"definitions":{"in":{"$ref":"` + ref + `"}}}`
		if _, err := CompileSchema([]byte(text), "in"); err == nil || !strings.Contains(err.Error(), "whole in themselves") {
			t.Errorf("a schema that refers to %s: %v", ref, err)
		}
		d := all(action("github", "a", "1"))
		schemaOf(text)(d)
		_, err := w.service.Deploy(t.Context(), w.env, d)
		wantCode(t, err, linkspan.KindInvalid, "invalid_body")
	}
}
