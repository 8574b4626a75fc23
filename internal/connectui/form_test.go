package connectui

import (
	"net/url"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/catalog"
)

func parse(t testing.TB, yaml string) *catalog.Provider {
	t.Helper()
	p, err := catalog.ParseProvider("x.yaml", "x", []byte("name: x\ndisplay_name: Xample\ncategories: [other]\n"+yaml))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestClean(t *testing.T) {
	t.Parallel()
	tests := []struct{ value, prefix, suffix, want string }{
		{"  acme\n", "", "", "acme"},
		{"https://acme.zendesk.com", "https://", ".zendesk.com", "acme"},
		{"HTTPS://acme.Zendesk.com/agent/1?x", "https://", ".zendesk.com", "acme"},
		{"acme.zendesk.com:443", "https://", ".zendesk.com", "acme"},
		{"acme", "https://", ".zendesk.com", "acme"},
		{".zendesk.com", "https://", ".zendesk.com", ".zendesk.com"},
		{"acme.zendesk.community", "https://", ".zendesk.com", "acme.zendesk.community"},
		{"https://example.com/a", "https://", "", "example.com/a"},
		{"", "https://", ".x", ""},
	}
	for _, test := range tests {
		if got := clean(test.value, test.prefix, test.suffix); got != test.want {
			t.Errorf("clean(%q, %q, %q) = %q, want %q", test.value, test.prefix, test.suffix, got, test.want)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add("https://acme.zendesk.com/x", "https://", ".zendesk.com")
	f.Add("İ.x", "", ".x")
	f.Fuzz(func(t *testing.T, value, prefix, suffix string) {
		if got := clean(value, prefix, suffix); len(got) > len(value) {
			t.Errorf("%q grew to %q", value, got)
		}
	})
}

func TestForm(t *testing.T) {
	t.Parallel()
	p := parse(t, `
auth: {mode: BASIC}
inputs:
  credentials:
    - {name: password, title: API token, secret: true, pattern: "^[a-f0-9]{4}$", required: true, help: "Xample: API token."}
    - {name: username, hidden: true, default: api}
  connection_config:
    - {name: late, title: Late}
    - {name: kind, title: Kind, order: 1, required: true, choices: [{value: cloud}, {value: server}], default: cloud}
    - {name: host, title: Host, order: 2, required: true, format: hostname, prefix: "https://", visible_when: {field: kind, equals: server}}
    - {name: decided, title: Decided, required: true}
    - {name: filled, title: Filled, system: true}
`)
	w := english()
	f := newForm(w, p, linkspan.IntegrationDefaults{ConnectionConfig: map[string]any{"decided": "x"}})
	var names, labels []string
	for _, in := range f.fields(w, entered{}) {
		names, labels = append(names, in.Name), append(labels, in.Label)
	}
	if diff := cmp.Diff([]string{"s.kind", "s.host", "s.late", "c.password"}, names); diff != "" {
		t.Errorf("the form asks for other things (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"Kind", "Host", "Late", "API token"}, labels); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
	if last := f.fields(w, entered{})[3]; last.Help != "" || !last.Secret {
		t.Errorf("the token is %+v", last)
	}
	tests := []struct {
		name     string
		post     url.Values
		problems map[string]string
		params   map[string]string
	}{
		{"nothing", url.Values{}, map[string]string{"c.password": "Enter your API token."}, map[string]string{"kind": "cloud"}},
		{"hidden by its condition", url.Values{"s.kind": {"cloud"}, "s.host": {"!"}, "c.password": {" 00ff "}}, map[string]string{}, map[string]string{"kind": "cloud"}},
		{
			"wrong everywhere",
			url.Values{"s.kind": {"server"}, "s.host": {"a b"}, "c.password": {"zz"}},
			map[string]string{"s.host": w.BadHost, "c.password": w.BadPattern},
			map[string]string{"kind": "server", "host": "a b"},
		},
		{
			"no choice", url.Values{"s.kind": {"moon"}, "c.password": {"00ff"}}, map[string]string{"s.kind": w.BadChoice}, map[string]string{"kind": "moon"},
		},
		{
			"pasted",
			url.Values{"s.kind": {"server"}, "s.host": {"https://my.host"}, "c.password": {"00ff"}, "s.decided": {"mine"}, "s.filled": {"mine"}, "c.username": {"mine"}},
			map[string]string{},
			map[string]string{"kind": "server", "host": "my.host"},
		},
	}
	for _, test := range tests {
		in := f.read(test.post)
		if err := f.validate(w, in); err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		if diff := cmp.Diff(test.problems, in.problems); diff != "" {
			t.Errorf("%s: problems (-want +got):\n%s", test.name, diff)
		}
		if diff := cmp.Diff(test.params, f.params(in)); diff != "" {
			t.Errorf("%s: settings (-want +got):\n%s", test.name, diff)
		}
		if c := f.grant(p.Auth.Mode, in); c.Username.Reveal() != "api" {
			t.Errorf("%s: the user name is %q", test.name, c.Username.Reveal())
		}
		for _, shown := range f.fields(w, in) {
			if shown.Secret && shown.Value != "" {
				t.Errorf("%s: a secret is sent back", test.name)
			}
		}
	}
}

func TestOwnClient(t *testing.T) {
	t.Parallel()
	w := english()
	p := parse(t, "auth: {mode: OAUTH2, authorize: {url: [https://x.example/a]}, token: {url: [https://x.example/t]}}\n")
	for _, test := range []struct {
		config map[string]any
		want   bool
	}{
		{map[string]any{configOwnClientID: "", configOwnSecret: ""}, true},
		{map[string]any{configOwnClientID: "set", configOwnSecret: "set"}, false},
		{map[string]any{configOwnClientID: ""}, false},
		{nil, false},
	} {
		f := newForm(w, p, linkspan.IntegrationDefaults{ConnectionConfig: test.config})
		if got := len(f.fields(w, entered{})) == 2; got != test.want {
			t.Errorf("with %v the inputs are shown: %v", test.config, got)
		}
		if !test.want {
			continue
		}
		in := f.read(url.Values{inputOwnClientID: {"id"}})
		if err := f.validate(w, in); err != nil || in.problems[inputOwnSecret] == "" {
			t.Errorf("an id without a secret passes: %v", err)
		}
	}
}

// TestAllForms makes and checks the form of every provider that can be
// connected: no field may lack a label, and no pattern may be broken.
func TestAllForms(t *testing.T) {
	t.Parallel()
	cat, err := catalog.Open(catalog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w := english()
	for p, err := range cat.All() {
		if err != nil {
			t.Fatal(err)
		}
		if _, unsupported := p.Unsupported(); unsupported {
			continue
		}
		f := newForm(w, p, linkspan.IntegrationDefaults{})
		var ids []string
		post := url.Values{}
		for _, in := range f.fields(w, entered{}) {
			ids = append(ids, in.ID)
			post.Set(in.Name, "x")
			if in.Label == "" {
				t.Errorf("%s: %s has no label", p.Name, in.Name)
			}
		}
		slices.Sort(ids)
		if len(slices.Compact(slices.Clone(ids))) != len(ids) {
			t.Errorf("%s: ids repeat: %v", p.Name, ids)
		}
		if err := f.validate(w, f.read(post)); err != nil {
			t.Errorf("%s: %v", p.Name, err)
		}
	}
}
