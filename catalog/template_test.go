package catalog_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan/catalog"
)

// moment is when the templates of these tests are expanded: a Monday, 9 ms past
// the second, in a zone other than UTC.
func moment() time.Time {
	return time.Date(2024, time.January, 1, 7, 4, 5, 9_000_000, time.FixedZone("east", 5*3600))
}

func TestTemplateExpand(t *testing.T) {
	t.Parallel()
	values := map[string]any{
		"apiKey":           "k1",
		"empty":            "",
		"number":           42.0,
		"big":              1e21,
		"yes":              true,
		"hostile":          "${apiKey} || ${base64(x)}",
		"connectionConfig": map[string]any{"domain": "d.example", "team": map[string]any{"id": "nested"}, "team.name": "literal", "a.b": map[string]any{"c": "mixed"}},
		"credentials":      map[string]string{"username": "u", "password": "p,)}"},
		"step1":            map[string]any{"list": []any{map[string]any{"id": 7.0}}},
	}
	tests := []struct {
		name, template, want string
		unresolved           bool
	}{
		{"text", "plain text", "plain text", false},
		{"empty", "", "", false},
		{"variable", "Bearer ${apiKey}!", "Bearer k1!", false},
		{"empty value", "[${empty}]", "[]", false},
		{"number", "${number}", "42", false},
		{"large number", "${big}", "1e+21", false},
		{"boolean has no text", "${yes}", "${yes}", true},
		{"unknown stays", "a ${unknown} b", "a ${unknown} b", true},
		{"path", "${connectionConfig.domain}", "d.example", false},
		{"nested path", "${connectionConfig.team.id}", "nested", false},
		{"literal dotted name first", "${connectionConfig.team.name}", "literal", false},
		{"dotted name then path", "${connectionConfig.a.b.c}", "mixed", false},
		{"list element", "${step1.list.0.id}", "7", false},
		{"object has no text", "${connectionConfig.team}", "${connectionConfig.team}", true},
		{"values are never scanned again", "x${hostile}y", "x${apiKey} || ${base64(x)}y", false},
		{"base64", "Basic ${base64(${credentials.username}:${credentials.password})}", "Basic dTpwLCl9", false},
		{"values in arguments are never scanned again", "${base64(${hostile})}", "JHthcGlLZXl9IHx8ICR7YmFzZTY0KHgpfQ==", false},
		{"nested functions", "${sha256Hex(${base64(a)})}", "ff6c0e5a7b16bb6159c1a6a4e86c55fb088a5b00f8fe9c54defd72e3027786f8", false},
		{"function in function in function", "${base64(${base64(${base64(a)})})}", "V1ZFOVBRPT0=", false},
		{"function of unresolved stays", "${base64(${unknown})}", "${base64(${unknown})}", true},
		{"comma in one-argument function", "${base64(a,b)}", "YSxi", false},
		{"sha256Base64", "${sha256Base64(abc)}", "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=", false},
		{"hmac splits at the last comma", "${hmacSha1Hex(a,b, key)}", "25edc61631bd50071fa6f99a52393555c543caea", false},
		{"hmac key may hold commas as a value", "${hmacSha1Hex(m, ${credentials.password})}", "8689603466a0e70248698d34342fb6d4bae227f6", false},
		{"bracket in argument", "${base64(f(x) )}", "Zih4KSA=", false},
		{"dollar", "$5 and {x} and $", "$5 and {x} and $", false},
		{"now", "${now}", "2024-01-01T02:04:05.009Z", false},
		{"now format", "${now:YYYYMMDDTHHmmss[Z]}", "20240101T020405Z", false},
		{"now RFC 1123", "${now:ddd, DD MMM YYYY HH:mm:ss ZZ}", "Mon, 01 Jan 2024 02:04:05 +0000", false},
		{"now unix", "${now:X} ${now:x}", "1704074645 1704074645009", false},
		{"now other tokens", "${now:YY-M-D dddd dd d H h:m:s A a SSS Z MMMM}", "24-1-1 Monday Mo 1 2 2:4:5 AM am 009 +00:00 January", false},
		{"now plus", "${now+7:days:YYYY-MM-DD}", "2024-01-08", false},
		{"now plus months", "${now+25:months:YYYY-MM-DD}", "2026-02-01", false},
		{"now minus", "${now-1:minutes:X}", "1704074585", false},
		{"now plus without format", "${now+1:h}", "2024-01-01T03:04:05.009Z", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			tmpl, err := catalog.ParseTemplate(test.template)
			if err != nil {
				t.Fatal(err)
			}
			if got := tmpl.String(); got != test.template {
				t.Errorf("String() = %q, want the source %q", got, test.template)
			}
			got, ok := tmpl.Expand(catalog.NewScope(values).WithNow(moment))
			if got != test.want || ok == test.unresolved {
				t.Errorf("Expand = %q, %v; want %q, %v", got, ok, test.want, !test.unresolved)
			}
		})
	}
}

func TestParseTemplateErrors(t *testing.T) {
	t.Parallel()
	for template, want := range map[string]string{
		"${":                      "not closed",
		"a ${x":                   "not closed",
		"${x{y}}":                 "not closed",
		"${}":                     "name is missing",
		"${ x }":                  "not a variable name",
		"${a || b}":               "alternatives",
		"${base64(x}":             "not closed: end it with )}",
		"${frobnicate(x)}":        "unknown function",
		"${hmacSha1Hex(x)}":       "takes 2 arguments",
		"${awsSigV4(a, b, c)}":    "takes 4 to 5 arguments",
		"${now:}":                 "empty format",
		"${now+x:days}":           "not an offset",
		"${now+1:fortnights}":     "not a unit",
		"${now+7}":                "lacks a unit",
		"${now+99999999999:days}": "not an offset",
		strings.Repeat("${base64(", 40) + strings.Repeat(")}", 40): "nested deeper",
		strings.Repeat("x", 65<<10):                                "bytes",
	} {
		_, err := catalog.ParseTemplate(template)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseTemplate(%.40q) = %v, want an error with %q", template, err, want)
		}
	}
}

func TestTemplateDescribesItself(t *testing.T) {
	t.Parallel()
	tmpl, err := catalog.ParseTemplate("${a}${base64(${connectionConfig.b}${a}${now}${random}${sha256Hex(x)})}")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a", "connectionConfig.b"}, tmpl.Refs()); diff != "" {
		t.Error("Refs:", diff)
	}
	if diff := cmp.Diff([]string{"base64", "sha256Hex"}, tmpl.Functions()); diff != "" {
		t.Error("Functions:", diff)
	}
	if !tmpl.Mentions("connectionConfig") || tmpl.Mentions("credentials") || tmpl.IsLiteral() {
		t.Error("Mentions or IsLiteral is wrong")
	}
	if tmpl, err := catalog.ParseTemplate("/a path"); err != nil || !tmpl.IsLiteral() {
		t.Errorf("a template without variables is not literal: %v", err)
	}
}

func TestScopeFreezesNowAndRandom(t *testing.T) {
	t.Parallel()
	calls := 0
	scope := catalog.NewScope(nil).WithNow(func() time.Time { calls++; return moment().Add(time.Duration(calls) * time.Hour) })
	tmpl, err := catalog.ParseTemplate("${random} ${now}")
	if err != nil {
		t.Fatal(err)
	}
	first, _ := tmpl.Expand(scope)
	second, _ := tmpl.Expand(scope)
	if first != second {
		t.Errorf("two expansions in one scope differ: %q, %q", first, second)
	}
	if other, _ := tmpl.Expand(catalog.NewScope(nil)); other == first {
		t.Error("another scope has the same random value")
	}
}

// TestMonthsKeepTheLastDay checks that a month that is too short does not run
// over into the next one.
func TestMonthsKeepTheLastDay(t *testing.T) {
	t.Parallel()
	scope := catalog.NewScope(nil).WithNow(func() time.Time { return time.Date(2024, time.January, 31, 12, 0, 0, 0, time.UTC) })
	for template, want := range map[string]string{
		"${now+1:month:YYYY-MM-DD}":    "2024-02-29",
		"${now+13:months:YYYY-MM-DD}":  "2025-02-28",
		"${now+2:M:YYYY-MM-DD}":        "2024-03-31",
		"${now-2:months:YYYY-MM-DD}":   "2023-11-30",
		"${now+1:years:YYYY-MM-DD}":    "2025-01-31",
		"${now+2:weeks:YYYY-MM-DD}":    "2024-02-14",
		"${now+1000000:hours:YYYY}":    "2138",
		"${now+1500:ms:ss.SSS}":        "01.500",
		"${now+90:s:HH:mm:ss}":         "12:01:30",
		"${now:[It is] H [o'clock] [}": "It is 12 o'clock [",
	} {
		tmpl, err := catalog.ParseTemplate(template)
		if err != nil {
			t.Errorf("%s: %v", template, err)
			continue
		}
		if got, ok := tmpl.Expand(scope); !ok || got != want {
			t.Errorf("%s = %q, want %q", template, got, want)
		}
	}
}

type secret string

func (s secret) Reveal() string { return string(s) }

func TestScopeRevealsSecrets(t *testing.T) {
	t.Parallel()
	tmpl, err := catalog.ParseTemplate("${apiKey}")
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := tmpl.Expand(catalog.NewScope(map[string]any{"apiKey": secret("s")})); got != "s" {
		t.Errorf("got %q", got)
	}
}

func TestExpandOrErrorNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	tmpl, err := catalog.ParseTemplate("${a}${base64(${b})}${a}")
	if err != nil {
		t.Fatal(err)
	}
	_, err = tmpl.ExpandOrError(catalog.NewScope(map[string]any{"c": "secret"}))
	missing, ok := errors.AsType[*catalog.UnresolvedError](err)
	if !ok {
		t.Fatalf("got %v", err)
	}
	if diff := cmp.Diff([]string{"a", "b"}, missing.Names); diff != "" {
		t.Error(diff)
	}
}

func FuzzTemplate(f *testing.F) {
	for _, seed := range []string{
		"", "plain", "${a}", "x${a}y${a}", "${base64(${a}:${b})}", "${hmacSha1Hex(m\n${a}, ${b})}", "${now+7:days:YYYY-MM-DD}",
		"${sha256Hex(${base64(${random}${a})})}", "${awsSigV4(${a}, ${b}, r, s, h)}", "${ed25519Sign(x, ${b})}", "${", "${a", ")}", "${f(", "$${a}}",
	} {
		f.Add(seed, "value ${a} ${base64(x)} || )} ,")
	}
	f.Fuzz(func(t *testing.T, source, value string) {
		tmpl, err := catalog.ParseTemplate(source)
		if err != nil {
			return
		}
		if tmpl.String() != source {
			t.Fatalf("String() = %q, want %q", tmpl.String(), source)
		}
		vars := catalog.VarsFunc(func(string) (string, bool) { return value, true })
		_, _ = tmpl.Expand(vars)
		_, _ = tmpl.ExpandURL(vars)
		_, _ = tmpl.ExpandBaseURL(vars)

		// A value comes out as it went in, whatever is around it.
		around, err := catalog.ParseTemplate("<${a}>" + source)
		if err != nil {
			t.Fatalf("a placeholder in front broke the template: %v", err)
		}
		if got, _ := around.Expand(vars); !strings.HasPrefix(got, "<"+value+">") {
			t.Fatalf("value %q came out as %q", value, got)
		}
	})
}

func BenchmarkTemplateExpand(b *testing.B) {
	tmpl, err := catalog.ParseTemplate("Basic ${base64(${credentials.username}:${credentials.password})}")
	if err != nil {
		b.Fatal(err)
	}
	scope := catalog.NewScope(map[string]any{"credentials": map[string]string{"username": "u", "password": "p"}})
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := tmpl.Expand(scope); !ok {
			b.Fatal("not resolved")
		}
	}
}
