package catalog_test

import (
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/catalog"
)

// TestProviders checks every built-in provider. That its file decodes without
// unknown keys, that templates parse and use known variables, that patterns
// compile and that its values are allowed is what parsing itself checks.
func TestProviders(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("data/providers/*.yaml")
	if err != nil || len(files) != 981 {
		t.Fatalf("found %d files, %v; want 981", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			p, err := catalog.ParseProvider(file, name, data)
			if err != nil {
				t.Fatal(err)
			}
			if len(p.Categories) == 0 {
				t.Error("has no category")
			}
			checkURLs(t, p)
			checkInputs(t, p)
			checkReferences(t, p)
		})
	}
}

// checkURLs fills every URL of a provider with values of the right kind.
func checkURLs(t *testing.T, p *catalog.Provider) {
	t.Helper()
	consent := []catalog.URLs{p.Auth.Authorize.URL, p.Auth.Token.URL}
	for _, single := range []*catalog.Template{p.Auth.Refresh.URL, p.Auth.Token.InstallationURL} {
		if single != nil {
			consent = append(consent, catalog.URLs{*single})
		}
	}
	for i := range p.Auth.Token.NextSteps {
		consent = append(consent, catalog.URLs{*p.Auth.Token.NextSteps[i].URL})
	}
	for _, urls := range consent {
		for i := range urls {
			if _, err := urls[i].ExpandURL(samples(&urls[i])); err != nil {
				t.Errorf("%s: %v", &urls[i], err)
			}
		}
	}
	if o := p.Auth.OAuth1; o != nil {
		if u, err := url.Parse(o.RequestURL); err != nil || u.Host == "" {
			t.Errorf("auth.oauth1.request_url %q is no URL", o.RequestURL)
		}
	}
	if p.API == nil {
		return
	}
	for i := range p.API.BaseURL {
		base, err := p.API.BaseURL[i].ExpandBaseURL(samples(&p.API.BaseURL[i]))
		if err != nil {
			t.Errorf("api.base_url %s: %v", &p.API.BaseURL[i], err)
			continue
		}
		checkVerification(t, p.API.Verify, base)
	}
}

func checkVerification(t *testing.T, v *catalog.Verify, base *url.URL) {
	t.Helper()
	if v == nil {
		return
	}
	if v.BaseURL != nil {
		other, err := v.BaseURL.ExpandBaseURL(samples(v.BaseURL))
		if err != nil {
			t.Errorf("api.verify.base_url: %v", err)
			return
		}
		base = other
	}
	for i := range v.Paths {
		path, ok := v.Paths[i].Expand(samples(&v.Paths[i]))
		full, err := url.Parse(strings.TrimRight(base.String(), "/") + "/" + strings.TrimLeft(path, "/"))
		if !ok || err != nil || full.Host != base.Host {
			t.Errorf("api.verify.paths %s: %q, %v", &v.Paths[i], path, err)
		}
	}
}

// samples gives a template values that fit: a URL where it starts with a
// variable, a number for a port, a word elsewhere.
func samples(tmpl *catalog.Template) catalog.Vars {
	return catalog.VarsFunc(func(name string) (string, bool) {
		if strings.HasPrefix(tmpl.String(), "${"+name+"}") {
			return "https://sample.example.com", true
		}
		if strings.HasSuffix(name, ".port") {
			return "443", true
		}
		return "sample", true
	})
}

func checkInputs(t *testing.T, p *catalog.Provider) {
	t.Helper()
	for _, fields := range []catalog.Fields{p.Inputs.Credentials, p.Inputs.ConnectionConfig, p.Inputs.IntegrationConfig, p.Inputs.Assertion} {
		for i := range fields {
			f := &fields[i]
			if f.Asked() && f.Title == "" {
				t.Errorf("input %s has no title", f.Name)
			}
			if f.Pattern != nil {
				// Whether it matches does not matter, that it can be matched does.
				if _, err := f.Pattern.Match(strings.Repeat("a", 64) + "!"); err != nil {
					t.Error(err)
				}
			}
			for _, c := range f.Choices {
				if err := f.Validate(c.Value); err != nil {
					t.Errorf("choice %q of %s is refused: %v", c.Value, f.Name, err)
				}
			}
			if f.Default != nil && *f.Default != "" {
				if err := f.Validate(*f.Default); err != nil {
					t.Errorf("the default of %s is refused: %v", f.Name, err)
				}
			}
		}
	}
}

// checkReferences checks that the templates a call cannot do without use only
// settings that something fills: an input, a captured value or a hook.
func checkReferences(t *testing.T, p *catalog.Provider) {
	t.Helper()
	if p.API == nil || p.Hooks.PostConnection != "" || p.CodeFacts.TokenClient != "" {
		return
	}
	known := slices.Concat(p.Auth.Capture.CallbackQuery, p.Auth.Capture.TokenResponse, p.Auth.Capture.InstallWebhook)
	for _, f := range p.Inputs.ConnectionConfig {
		known = append(known, f.Name)
	}
	for _, name := range p.API.BaseURL.Refs() {
		setting, ok := strings.CutPrefix(name, "connectionConfig.")
		if ok && !slices.Contains(known, setting) {
			t.Errorf("api.base_url needs %s, which nothing fills", name)
		}
	}
}

// TestHelpIsForPeople keeps texts away that say nothing, or say it in signs.
func TestHelpIsForPeople(t *testing.T) {
	t.Parallel()
	all, err := catalog.Open(catalog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range all.Names() {
		p, err := all.Provider(name)
		if err != nil {
			t.Fatal(err)
		}
		short, _, _ := strings.Cut(p.DisplayName, " (")
		for _, fields := range []catalog.Fields{p.Inputs.Credentials, p.Inputs.ConnectionConfig} {
			for i := range fields {
				f := &fields[i]
				bare := strings.TrimSpace(short) + ": " + f.Label() + "."
				for _, sign := range []string{": the *", ": what follows", "pick one of the listed"} {
					if f.Asked() && (strings.Contains(f.Help, sign) || f.Help == bare) {
						t.Errorf("%s: the help of %s is %q", name, f.Name, f.Help)
					}
				}
			}
		}
	}
}

// TestReferenceNames checks that the data names no other product, apart from
// wire names that customers have configured at providers.
func TestReferenceNames(t *testing.T) {
	t.Parallel()
	err := filepath.WalkDir("data", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		text := strings.ReplaceAll(strings.ToLower(string(data)), "nangoconnectionid", "")
		if strings.Contains(text, "nango") {
			t.Errorf("%s names another product", path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestRepairedFacts holds values that were once wrong.
func TestRepairedFacts(t *testing.T) {
	t.Parallel()
	cat := open(t)
	provider := func(name string) *catalog.Provider {
		p, err := cat.Provider(name)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	scope := catalog.NewScope(map[string]any{"connectionConfig": map[string]string{"apiSubdomain": "idp.eu-north-1"}})
	if u, err := provider("aws").API.BaseURL.ExpandBase(scope); err != nil || u.Host != "cognito-idp.eu-north-1.amazonaws.com" {
		t.Errorf("aws: %v, %v", u, err)
	}
	if err := provider("freshteam").Inputs.Credentials[0].Validate(`aZ9_!@#$%^&*()-+=`); err != nil {
		t.Errorf("freshteam: %v", err)
	}
	b := provider("google-drive").API.Retry.Body
	if at, ok, err := b.Pattern.Find("User-rate limit exceeded.  Retry after 2024-01-01T00:00:00Z"); at != "2024-01-01T00:00:00Z" || !ok || err != nil {
		t.Errorf("google: %q, %v, %v", at, ok, err)
	}
	for _, name := range []string{"store-leads", "rocketreach"} {
		if r := provider(name).API.Retry; len(r.At) != 0 || !slices.Equal(r.After, []string{"retry-after"}) {
			t.Errorf("%s: %+v", name, r)
		}
	}
	hostname := provider("salesforce").Inputs.ConnectionConfig.Lookup("hostname")
	if hostname.Validate("acme.my.salesforce.com") != nil || hostname.Validate("acme.lightning.force.com") == nil {
		t.Error("salesforce: the look-ahead of hostname does not work")
	}
}
