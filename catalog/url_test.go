package catalog_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/catalog"
)

func TestExpandURL(t *testing.T) {
	t.Parallel()
	const missing, unsafe = "missing", "unsafe"
	tests := []struct {
		name, template, value string
		want, wantBase        string // a URL, missing or unsafe; wantBase "" means as want
	}{
		{"literal", "https://api.example.com/v1", "", "https://api.example.com/v1", ""},
		{"part of a host", "https://${x}.example.com/v1", "acme-1", "https://acme-1.example.com/v1", ""},
		{"part of a host with dots", "https://${x}.example.com", "a.b", "https://a.b.example.com", ""},
		{"empty", "https://${x}.example.com", "", missing, ""},
		{"host takeover by slash", "https://${x}.example.com", "evil.com/", unsafe, ""},
		{"host takeover by fragment", "https://${x}.example.com", "evil.com#", unsafe, ""},
		{"host takeover by query", "https://${x}.example.com", "evil.com?", unsafe, ""},
		{"host takeover by user", "https://api.${x}", "example.com@evil.com", unsafe, ""},
		{"host takeover by backslash", "https://${x}.example.com", `evil.com\`, unsafe, ""},
		{"host takeover by encoding", "https://${x}.example.com", "evil.com%2F", unsafe, ""},
		{"host takeover by port", "https://${x}.example.com", "evil.com:443", unsafe, ""},
		{"whole host", "https://${x}/api", "Acme.example.com", "https://Acme.example.com/api", ""},
		{"whole host with port", "https://${x}", "acme.example.com:8443", "https://acme.example.com:8443", ""},
		{"whole host with path", "https://${x}/api", "acme.example.com/crm/", "https://acme.example.com/crm/api", ""},
		{"whole host pasted with scheme", "https://${x}/api", "https://acme.example.com", "https://acme.example.com/api", ""},
		{"whole host with user", "https://${x}/api", "me@acme.example.com", unsafe, ""},
		{"whole host with query", "https://${x}/api", "acme.example.com?x", unsafe, ""},
		{"whole host is a path", "https://${x}/api", "/etc", unsafe, ""},
		{"whole host with control", "https://${x}/api", "a\nb", unsafe, ""},
		{"whole URL", "${x}/installations/new", "https://github.com/apps/mine/", "https://github.com/apps/mine/installations/new", ""},
		{"whole URL with query at the end", "${x}", "https://mcp.example.com/sse?tenant=1", "https://mcp.example.com/sse?tenant=1", ""},
		{"whole URL with query in between", "${x}/a", "https://mcp.example.com/?b", unsafe, ""},
		{"whole URL without scheme", "${x}/a", "example.com", unsafe, ""},
		{"whole URL with other scheme", "${x}/a", "javascript:alert(1)", unsafe, ""},
		{"whole URL with user", "${x}/a", "https://u:p@example.com", unsafe, ""},
		{"path", "https://api.example.com/${x}/y", "a b/c?d#e%20", "https://api.example.com/a%20b%2Fc%3Fd%23e%2520/y", "https://api.example.com/a%20b/c%3Fd%23e%20/y"},
		{"telegram style", "https://api.example.com/bot${x}", "123:ABC", "https://api.example.com/bot123%3AABC", "https://api.example.com/bot123:ABC"},
		{"query", "https://api.example.com/t?k=${x}", "a&b=c", "https://api.example.com/t?k=a%26b%3Dc", "https://api.example.com/t?k=a&b=c"},
		{"dot segments", "https://api.example.com/a/${x}/b", "..", unsafe, ""},
		{"encoded dot segments", "https://api.example.com/a/${x}/b", "%2e%2E", unsafe, ""},
		{"dot segments among others", "https://api.example.com/a/${x}/b", `c/..\d`, unsafe, ""},
		{"dot segments after a host", "https://${x}/b", "api.example.com/../c", unsafe, ""},
		{"dots in a name", "https://api.example.com/${x}", "v1..2.", "https://api.example.com/v1..2.", ""},
		{"dots in a query", "https://api.example.com/?p=${x}", "..", "https://api.example.com/?p=..", ""},
		{"scheme", "${x}://example.com", "https", unsafe, ""},
		{"no host", "https:///${x}", "a", unsafe, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			tmpl, err := catalog.ParseTemplate(test.template)
			if err != nil {
				t.Fatal(err)
			}
			scope := catalog.NewScope(map[string]any{"x": test.value})
			check := func(way, want string, got interface{ String() string }, err error) {
				_, isMissing := errors.AsType[*catalog.UnresolvedError](err)
				switch {
				case want == missing && isMissing, want == unsafe && errors.Is(err, catalog.ErrUnsafeURL):
				case err != nil || want == missing || want == unsafe || got.String() != want:
					t.Errorf("%s = %v, %v; want %s", way, got, err, want)
				}
			}
			u, err := tmpl.ExpandURL(scope)
			check("ExpandURL", test.want, u, err)
			u, err = tmpl.ExpandBaseURL(scope)
			if test.wantBase == "" {
				test.wantBase = test.want
			}
			check("ExpandBaseURL", test.wantBase, u, err)
		})
	}
}

func TestURLAlternatives(t *testing.T) {
	t.Parallel()
	cat := open(t)
	zoho, err := cat.Provider("zoho-crm")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		config map[string]string
		want   string
	}{
		{map[string]string{"extension": "eu", "api_domain": "https://www.zohoapis.in"}, "https://www.zohoapis.eu"},
		{map[string]string{"extension": "", "api_domain": "https://www.zohoapis.in"}, "https://www.zohoapis.in"},
		{nil, ""},
	}
	for _, test := range tests {
		u, err := zoho.API.BaseURL.ExpandBase(catalog.NewScope(map[string]any{"connectionConfig": test.config}))
		if test.want == "" {
			if _, ok := errors.AsType[*catalog.UnresolvedError](err); !ok {
				t.Errorf("%v: got %v, %v; want an UnresolvedError", test.config, u, err)
			}
			continue
		}
		if err != nil || u.String() != test.want {
			t.Errorf("%v: got %v, %v; want %s", test.config, u, err, test.want)
		}
	}
}

// FuzzURLHost checks that no value leads a URL to another server.
func FuzzURLHost(f *testing.F) {
	for _, seed := range []string{"acme", "evil.com/", "evil.com#", "@evil.com", "evil.com\\", "evil.com%2F", "a\x00b", "[::1]", "evil.com:80", "é", "..", "https://evil.com"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		tmpl, err := catalog.ParseTemplate("https://${x}.example.com/v1/${x}/end?q=${x}")
		if err != nil {
			t.Fatal(err)
		}
		scope := catalog.NewScope(map[string]any{"x": value})
		for _, fill := range []func(catalog.Vars) (*url.URL, error){tmpl.ExpandURL, tmpl.ExpandBaseURL} {
			u, err := fill(scope)
			if err != nil {
				continue
			}
			if u.Host != value+".example.com" || u.User != nil || u.Scheme != "https" || !strings.HasPrefix(u.Path, "/v1/") || !strings.HasSuffix(u.Path, "/end") || u.Fragment != "" {
				t.Errorf("value %q leads to %s", value, u)
			}
			if again, err := url.Parse(u.String()); err != nil || again.Host != u.Host {
				t.Errorf("%s does not survive parsing: %v, %v", u, again, err)
			}
		}
	})
}
