package protocol

import (
	"encoding/json"
	"testing"

	"github.com/linkspan/linkspan/internal/sandbox"
)

// FuzzFailure reads what a sandbox says of a failure, which may be anything.
func FuzzFailure(f *testing.F) {
	for _, seed := range []string{
		`{"kind":"action","payload":[1]}`, `{"kind":"http","response":{"status":404,"headers":{"x-rate":"1"},"body":{"payload":{}}}}`,
		`{"kind":"sdk","code":"unknown_connection","payload":5}`, `{"kind":"other","name":"E","message":"m","stack":"    at f (a.js:1:2)\n"}`, `null`, `[`,
		`{"kind":"sdk","code":"a","upstream":{}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		e := RunError("", &sandbox.Failure{JSON: text})
		if !isCode(e.Code) {
			t.Errorf("code %q", e.Code)
		}
		if len(e.Payload) > 0 && !json.Valid(e.Payload) || e.Upstream != nil && !json.Valid(e.Upstream.Body) {
			t.Errorf("no JSON: %s %+v", e.Payload, e.Upstream)
		}
	})
}
