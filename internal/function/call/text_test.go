package call_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/linkspan/linkspan/internal/function/call"
)

// FuzzText makes strings of bodies.
func FuzzText(f *testing.F) {
	for _, seed := range []string{"a", "\xEF\xBB\xBFa", "\xff\xfe", "é\xe2\x82", "\xf0\x9f\x98\x80\xf0\x9f", "\xed\xa0\x80"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got := call.Text(body)
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
		if got := string(call.Text([]byte(in))); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}
