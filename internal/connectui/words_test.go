package connectui

import (
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// texts returns all texts of a language by their names.
func texts(w *words) map[string]string {
	all := map[string]string{}
	v := reflect.ValueOf(*w)
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		if about, ok := reflect.TypeAssert[problemWords](v.Field(i)); ok {
			all[name+".Title"], all[name+".Text"] = about.Title, about.Text
			continue
		}
		all[name] = v.Field(i).String()
	}
	return all
}

// TestLanguages checks that every language says everything, about the same
// things.
func TestLanguages(t *testing.T) {
	t.Parallel()
	placeholder := regexp.MustCompile(`\{\w+\}`)
	// kinds of placeholders; a language may name a thing twice.
	kinds := func(text string) []string {
		return slices.Compact(slices.Sorted(slices.Values(placeholder.FindAllString(text, -1))))
	}
	english := texts(english())
	for _, w := range languages() {
		got := texts(w)
		for _, name := range slices.Sorted(maps.Keys(english)) {
			if got[name] == "" {
				t.Errorf("%s: %s is missing", w.Lang, name)
			}
			want, have := kinds(english[name]), kinds(got[name])
			if diff := cmp.Diff(want, have); diff != "" {
				t.Errorf("%s: %s speaks of other things (-want +got):\n%s", w.Lang, name, diff)
			}
		}
	}
}

func TestPickWords(t *testing.T) {
	t.Parallel()
	tests := []struct{ asked, accept, want string }{
		{"", "", "en"},
		{"fr", "de", "fr"},
		{"pt-BR", "", "pt"},
		{"JA_jp", "", "ja"},
		{"xx", "de-AT,en;q=0.5", "de"},
		{"", "nl, es;q=0.4, fr;q=0.8", "fr"},
		{"", "de;q=0, es;q=0.1", "es"},
		{"", "de;q=x", "en"},
		{"<script>", ",,;;q=", "en"},
	}
	for _, test := range tests {
		if got := pickWords(languages(), test.asked, test.accept); got.Lang != test.want {
			t.Errorf("pickWords(%q, %q) = %s, want %s", test.asked, test.accept, got.Lang, test.want)
		}
	}
}

func TestSay(t *testing.T) {
	t.Parallel()
	if got := say("{app} can't reach {provider}.", "app", "this app", "provider", "{app}"); got != "This app can't reach {app}." {
		t.Errorf("got %q", got)
	}
}

// TestAppInHeadings holds all headings to one measure of a long name: characters,
// which are bytes only in some scripts.
func TestAppInHeadings(t *testing.T) {
	t.Parallel()
	for app, shown := range map[string]bool{
		"":                      false,
		"Acme":                  true,
		strings.Repeat("あ", 30): true,
		strings.Repeat("あ", 31): false,
		strings.Repeat("a", 31): false,
	} {
		f := frame{W: english(), App: app}
		for _, title := range []string{f.documentTitle(), cardView{frame: f, Name: "GitHub"}.title()} {
			if got := app != "" && strings.Contains(title, app); got != shown {
				t.Errorf("the heading for %q is %q", app, title)
			}
		}
	}
}
