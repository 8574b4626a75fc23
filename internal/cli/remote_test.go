package cli

import (
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseDotenv(t *testing.T) {
	t.Parallel()
	got := parseDotenv("\uFEFFA=1\r\n export B = two words # comment\nC=\"x # y\" # z\nD='$x'\nE=\nF=#\nG=a#b\n\n# H=1\nnot an assignment\nI J=1\n=1\nK=\"open\nA=2")
	want := map[string]string{"A": "2", "B": "two words", "C": "x # y", "D": "$x", "E": "", "F": "", "G": "a#b", "K": `"open`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func FuzzParseDotenv(f *testing.F) {
	f.Add("A=1\nexport B='2' # x\n")
	f.Add("A=\"")
	f.Add("=\n#\nexport =\n")
	f.Fuzz(func(t *testing.T, text string) {
		for name, value := range parseDotenv(text) {
			if name == "" || strings.ContainsAny(name+value, "\n") || strings.ContainsAny(name, " =#") {
				t.Errorf("%q gave %q = %q", text, name, value)
			}
		}
	})
}

// Every setting is of a kind that parseSetting knows.
func TestKindsOfSettings(t *testing.T) {
	t.Parallel()
	if len(writable()) < 20 || len(readable()) < 20 {
		t.Errorf("only %v and %v", names(writable()), names(readable()))
	}
	for _, s := range writable() {
		switch s.typ.Kind() {
		case reflect.Bool, reflect.String, reflect.Slice:
		default:
			t.Errorf("%s is of the kind %s", s.name, s.typ.Kind())
		}
	}
}

func TestTextOfSettings(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		value any
		want  string
	}{
		{nil, ""},
		{"it's <é>", "it's <é>"},
		{true, "true"},
		{"two\nlines", `"two\nlines"`},
		{"\x1b[2J \x7f \u009b2J", `"\u001b[2J \u007f \u009b2J"`},
		{[]any{"\u009b"}, `["\u009b"]`},
	} {
		if got := (jsonTree{"a": map[string]any{"b": tt.value}}).text("a.b"); got != tt.want {
			t.Errorf("%q is shown as %q, not %q", tt.value, got, tt.want)
		}
	}
}
