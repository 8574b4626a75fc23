package call

import (
	"encoding/json"
	"testing"
)

// FuzzCheckpoint reads checkpoints.
func FuzzCheckpoint(f *testing.F) {
	for _, seed := range []string{`{}`, `{"a": 1, "b":"x","c":true}`, `{"a":null}`, `[]`, `{"a":{}}`, `{"a":1}x`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		out, err := Checkpoint(in)
		if err != nil {
			return
		}
		var fields map[string]any
		if json.Unmarshal(out, &fields) != nil || len(fields) > maxFields {
			t.Errorf("%q became %q", in, out)
		}
	})
}
