package host

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

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

// FuzzText makes strings of bodies.
func FuzzText(f *testing.F) {
	for _, seed := range []string{"a", "\xEF\xBB\xBFa", "\xff\xfe", "é\xe2\x82", "\xf0\x9f\x98\x80\xf0\x9f", "\xed\xa0\x80"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got := text(body)
		if !utf8.Valid(got) {
			t.Errorf("%q became %q", body, got)
		}
		if utf8.Valid(body) && string(got) != strings.TrimPrefix(string(body), "\xEF\xBB\xBF") {
			t.Errorf("%q was changed to %q", body, got)
		}
	})
}

// The Encoding Standard says how many replacement characters stand for what.
func TestText(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"\xe2\x82": "�", "\xe2\x82a": "�a", "\xff\xff": "��", "\xf0\x9f\x98": "�", "\xed\xa0\x80": "���", "\xc0\xaf": "��", "\xf0\x9f\x98\x80": "😀",
	} {
		if got := string(text([]byte(in))); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
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
