package project_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/function/bundle"
	"github.com/linkspan/linkspan/internal/project"
)

// Schemas come from authors' code: whatever they say, texts come out, or an error.
func FuzzSchemas(f *testing.F) {
	f.Add(richSchema)
	f.Add(`{"definitions":{"M":{"$ref":"#/definitions/M"}}}`)
	f.Add(`{"definitions":{"M":{"anyOf":[null,{"allOf":[null]}],"items":null,"type":[]}}}`)
	f.Add(`{"definitions":{"M":{"type":"object","properties":{"":{"type":"array","items":[null]}},"propertyNames":{"enum":[{}]}}}}`)
	f.Add(`{"definitions":{"M":{"const":null,"enum":[]}}}`)
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, schema string) {
		if !json.Valid([]byte(schema)) {
			t.Skip()
		}
		functions := []bundle.Function{
			{Integration: "a", Kind: linkspan.FunctionAction, Name: "b", File: "a/actions/b.ts", Definition: linkspan.FunctionDefinition{Input: "M", Models: []string{"M"}, Schema: json.RawMessage(schema)}},
			{Integration: "a", Kind: linkspan.FunctionSync, Name: "b", File: "a/syncs/b.ts", Definition: linkspan.FunctionDefinition{Metadata: "Record", Models: []string{"M"}, Schema: json.RawMessage(schema)}},
		}
		text, err := project.AppTypes(functions)
		if err == nil && strings.Count(text, "{") != strings.Count(text, "}") && balanced(schema) {
			t.Errorf("brackets are not closed:\n%s", text)
		}
		_, _ = project.Docs(dir, functions)
	})
}

// balanced reports whether a schema has no brackets in its texts.
func balanced(schema string) bool {
	inside := false
	for i := range len(schema) {
		switch schema[i] {
		case '"':
			inside = !inside
		case '\\':
			return false
		case '{', '}':
			if inside {
				return false
			}
		}
	}
	return true
}

// Indexes are written by people.
func FuzzAddImport(f *testing.F) {
	f.Add("import './a/syncs/b.js';\n")
	f.Add("/* import './x' */ import \"./y\"\r\n")
	f.Add("\uFEFF/*")
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, index string) {
		if err := writeFile(dir, "index.ts", index); err != nil {
			t.Fatal(err)
		}
		if _, err := project.AddImport(dir, "a/syncs/new.ts"); err != nil {
			t.Fatal(err)
		}
		got := read(t, dir, "index.ts")
		if len(got) < len(index) {
			t.Errorf("%q became %q", index, got)
		}
	})
}
