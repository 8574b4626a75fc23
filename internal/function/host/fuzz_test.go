package host

import (
	"encoding/json"
	"testing"

	"github.com/linkspan/linkspan/internal/egress"
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
	s := New(Config{Guard: egress.New(egress.Policy{}, nil)})
	f.Fuzz(func(t *testing.T, text []byte) {
		e := s.RunError("", &sandbox.Failure{JSON: text})
		if !isCode(e.Code) {
			t.Errorf("code %q", e.Code)
		}
		if len(e.Payload) > 0 && !json.Valid(e.Payload) || e.Upstream != nil && !json.Valid(e.Upstream.Body) {
			t.Errorf("no JSON: %s %+v", e.Payload, e.Upstream)
		}
	})
}

// FuzzCheckpoint reads checkpoints.
func FuzzCheckpoint(f *testing.F) {
	for _, seed := range []string{`{}`, `{"a": 1, "b":"x","c":true}`, `{"a":null}`, `[]`, `{"a":{}}`, `{"a":1}x`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		out, err := flat(in)
		if err != nil {
			return
		}
		var fields map[string]any
		if json.Unmarshal(out, &fields) != nil || len(fields) > maxFields {
			t.Errorf("%q became %q", in, out)
		}
	})
}
