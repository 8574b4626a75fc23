package catalog_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan/catalog"
	"github.com/linkspan/linkspan/internal/testfile"
)

var update = flag.Bool("update", false, "rewrite the golden files and the index")

func open(tb testing.TB) *catalog.Catalog {
	tb.Helper()
	cat, err := catalog.Open(catalog.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	return cat
}

func TestIndex(t *testing.T) {
	t.Parallel()
	var lines []string
	for p, err := range open(t).All() {
		if err != nil {
			t.Fatal(err)
		}
		line, err := json.Marshal(p.Summary())
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, string(line))
	}
	testfile.Golden(t, *update, "data/index.json", "[\n"+strings.Join(lines, ",\n")+"\n]\n")
}

func TestNames(t *testing.T) {
	t.Parallel()
	names := open(t).Names()
	if len(names) != 981 || !slices.IsSorted(names) {
		t.Errorf("got %d names, sorted %v; want 981 sorted names", len(names), slices.IsSorted(names))
	}
}

func TestProvider(t *testing.T) {
	t.Parallel()
	cat := open(t)
	first, err := cat.Provider("github")
	if err != nil {
		t.Fatal(err)
	}
	if second, _ := cat.Provider("github"); first != second {
		t.Error("a provider in use is parsed twice")
	}
	for _, name := range []string{"", "no-such", "../github", "GitHub", "github.yaml"} {
		if _, err := cat.Provider(name); !errors.Is(err, catalog.ErrUnknownProvider) || cat.Has(name) {
			t.Errorf("Provider(%q) = %v, Has = %v; want ErrUnknownProvider", name, err, cat.Has(name))
		}
	}
}

func TestSearch(t *testing.T) {
	t.Parallel()
	cat := open(t)
	tests := []struct {
		query string
		want  []string
	}{
		{"GITHUB-", []string{"github-app", "github-app-oauth", "github-pat"}},
		{" gmail ", []string{"google-mail"}},
		{"no such provider", nil},
	}
	for _, test := range tests {
		found, err := cat.Search(test.query)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, s := range found {
			names = append(names, s.Name)
		}
		if diff := cmp.Diff(test.want, names); diff != "" {
			t.Errorf("Search(%q): %s", test.query, diff)
		}
	}
	if all, err := cat.Search(""); err != nil || len(all) != len(cat.Names()) {
		t.Errorf("Search of nothing found %d, %v; want all", len(all), err)
	}
}

func TestListings(t *testing.T) {
	t.Parallel()
	cat := open(t)
	urls := catalog.PublicURLs{Base: "https://link.example.com/"}
	list, err := cat.List(urls)
	if err != nil {
		t.Fatal(err)
	}
	var array struct {
		Data []struct {
			Name    string `json:"name"`
			LogoURL string `json:"logo_url"`
			Docs    string `json:"docs"`
		} `json:"data"`
	}
	decode(t, list, &array)
	if len(array.Data) != 981 || array.Data[0].LogoURL != "https://link.example.com/images/template-logos/"+array.Data[0].Name+".svg" ||
		array.Data[0].Docs != "https://link.example.com/docs/providers/"+array.Data[0].Name {
		t.Errorf("got %d providers, the first %+v", len(array.Data), array.Data[0])
	}
	byName, err := cat.Map(urls)
	if err != nil {
		t.Fatal(err)
	}
	var entries map[string]map[string]any
	decode(t, byName, &entries)
	if len(entries) != 981 || entries["github"]["auth_mode"] != "OAUTH2" {
		t.Errorf("got %d entries, github %v", len(entries), entries["github"])
	}
	if again, _ := cat.List(urls); again != list {
		t.Error("an unchanged listing is encoded again")
	}
	if other, _ := cat.List(catalog.PublicURLs{Base: "https://other.example.com"}); other.ETag() == list.ETag() {
		t.Error("listings with different links have the same ETag")
	}
}

func decode(t *testing.T, l *catalog.Listing, into any) {
	t.Helper()
	var clear bytes.Buffer
	if _, err := l.WriteTo(&clear); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(clear.Bytes(), into); err != nil {
		t.Fatal(err)
	}
}

// TestPublic holds the public form of providers that together use every part of
// the format.
func TestPublic(t *testing.T) {
	t.Parallel()
	cat := open(t)
	for _, name := range []string{
		"airtable", "apollo-oauth", "apple-app-store", "apple-business-manager", "aws-sigv4", "azure-blob-storage", "bing-webmasters", "bullhorn",
		"confluence", "crisp-plugin-install", "docuware", "fiserv", "github-app-oauth", "google", "linear-mcp", "monday", "netsuite-tba", "read-ai",
		"sage-intacct", "salesforce", "sap-business-one", "sap-success-factors", "sentry-oauth", "slack", "supabase-mcp", "tripletex", "twitter", "unauthenticated",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := cat.Provider(name)
			if err != nil {
				t.Fatal(err)
			}
			var pretty bytes.Buffer
			encoder := json.NewEncoder(&pretty)
			encoder.SetEscapeHTML(false)
			encoder.SetIndent("", "  ")
			if err := encoder.Encode(p.Public(catalog.PublicURLs{Base: "https://link.example.com"})); err != nil {
				t.Fatal(err)
			}
			testfile.Golden(t, *update, filepath.Join("testdata", "public", name+".golden.json"), pretty.String())
		})
	}
}

// TestUnsupported lists what this version cannot connect, and why.
func TestUnsupported(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	supported := 0
	for p, err := range open(t).All() {
		if err != nil {
			t.Fatal(err)
		}
		if reason, unsupported := p.Unsupported(); unsupported {
			b.WriteString(p.Name + ": " + reason + "\n")
		} else {
			supported++
		}
	}
	if supported < 600 {
		t.Errorf("only %d providers are supported", supported)
	}
	testfile.Golden(t, *update, "testdata/unsupported.golden", b.String())
}

// TestRefusedOAuth2 names the providers of the authorization code flow that this
// version refuses: those with a token client of their own or an installation that
// starts at the provider. All others work with the generic client.
func TestRefusedOAuth2(t *testing.T) {
	t.Parallel()
	ownClient := []string{
		"absorb-lms", "agiloft", "braintree", "braintree-sandbox", "bullhorn", "clover", "coros", "coros-sandbox",
		"facebook", "fanvue", "figjam", "figma", "followupboss", "heygen", "instagram", "jobber", "mercury",
		"microsoft-admin", "microsoft-teams-bot", "one-drive", "posthog-oauth", "revolut-business", "sentry-oauth",
		"sharepoint-online", "shopline-oauth", "slack", "stripe-app", "stripe-app-sandbox", "threads",
		"tiktok-accounts", "tiktok-ads", "tiktok-personal", "walmart", "workday-oauth",
	}
	var own []string
	generic := 0
	for p, err := range open(t).All() {
		if err != nil {
			t.Fatal(err)
		}
		if p.Auth.Mode != catalog.ModeOAuth2 {
			continue
		}
		_, refused := p.Unsupported()
		switch {
		case p.CodeFacts.TokenClient != "" || p.Auth.InstallFlow != "":
			own = append(own, p.Name)
		case p.CodeFacts.ExpiryByIntrospection && p.Auth.Token.IntrospectionURL == nil:
			t.Errorf("%s does not say where the end of its tokens is asked for", p.Name)
			continue
		case refused:
			t.Errorf("%s is refused for no reason that is known here", p.Name)
			continue
		default:
			generic++
			continue
		}
		if !refused {
			t.Errorf("%s is not refused", p.Name)
		}
	}
	if diff := cmp.Diff(ownClient, own); diff != "" {
		t.Errorf("providers with code of their own (-want +got):\n%s", diff)
	}
	if generic != 310 {
		t.Errorf("%d providers work with the generic client; want 310", generic)
	}
}

func BenchmarkOpen(b *testing.B) {
	for b.Loop() {
		if _, err := catalog.Open(catalog.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
