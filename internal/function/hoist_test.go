package function

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What the published tool writes of recursive and named schemas becomes what the
// sandbox writes.
func TestHoistDefinitions(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, in, want string }{
		{"nothing to do", `{"definitions":{"A":{"$ref":"#/definitions/B"},"B":{"type":"null"}}}`, `{"definitions":{"A":{"$ref":"#/definitions/B"},"B":{"type":"null"}}}`},
		{"no definitions", `{"type":"object"}`, `{"type":"object"}`},
		{
			"a schema that contains itself",
			`{"definitions":{"Tree":{"type":"object","properties":{"children":{"items":{"$ref":"#"}}}}}}`,
			`{"definitions":{"Tree":{"type":"object","properties":{"children":{"items":{"$ref":"#/definitions/Tree"}}}}}}`,
		},
		{
			"names that count anew in every schema",
			`{"definitions":{
				"A":{"$ref":"#/definitions/__schema0","definitions":{"__schema0":{"anyOf":[{"type":"null"},{"$ref":"#/definitions/__schema0"}]}}},
				"B":{"$ref":"#/definitions/__schema0","definitions":{"__schema0":{"type":"string"}}}}}`,
			`{"definitions":{
				"A":{"$ref":"#/definitions/A_schema0"},"A_schema0":{"anyOf":[{"type":"null"},{"$ref":"#/definitions/A_schema0"}]},
				"B":{"$ref":"#/definitions/B_schema0"},"B_schema0":{"type":"string"}}}`,
		},
		{
			"one name for the same and for another schema",
			`{"definitions":{
				"A":{"items":{"$ref":"#/definitions/User"},"definitions":{"User":{"type":"string"}}},
				"B":{"items":{"$ref":"#/definitions/User"},"definitions":{"User":{"type":"string"}}},
				"C":{"items":{"$ref":"#/definitions/User"},"definitions":{"User":{"type":"number"}}}}}`,
			`{"definitions":{
				"A":{"items":{"$ref":"#/definitions/User"}},"B":{"items":{"$ref":"#/definitions/User"}},"C":{"items":{"$ref":"#/definitions/C_User"}},
				"User":{"type":"string"},"C_User":{"type":"number"}}}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := canonicalSchema(json.RawMessage(tt.in))
			if err != nil {
				t.Fatal(err)
			}
			var have, want any
			if err := json.Unmarshal(got, &have); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal([]byte(tt.want), &want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, have); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}
