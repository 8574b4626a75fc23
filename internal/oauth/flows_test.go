package oauth_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/catalog"
	"github.com/linkspan/linkspan/internal/credential"
	"github.com/linkspan/linkspan/internal/oauth"
	"github.com/linkspan/linkspan/internal/testfile"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// The values of all flows. The secret holds what encodings change.
const (
	flowID       = "client id/1"
	flowSecret   = "s3cret+/=:% value"
	flowState    = "state-0123456789"
	flowVerifier = "verifier-0123456789-0123456789-0123456789-01"
	flowRedirect = "https://connect.example/oauth/callback"
	flowCode     = "code/+= 1"
)

// genericProviders are those of the authorization code flow that need no code of
// their own.
func genericProviders(t *testing.T) []*catalog.Provider {
	t.Helper()
	cat, err := catalog.Open(catalog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var out []*catalog.Provider
	for p, err := range cat.All() {
		if err != nil {
			t.Fatal(err)
		}
		if p.Auth.Mode == catalog.ModeOAuth2 && p.CodeFacts.TokenClient == "" && p.Auth.InstallFlow == "" {
			out = append(out, p)
		}
	}
	return out
}

// TestFlows runs the flow of every provider on the generic client against an
// authorization server that behaves as the catalogue says, and compares what was
// sent with golden files.
func TestFlows(t *testing.T) {
	t.Parallel()
	providers := genericProviders(t)
	if len(providers) != 310 {
		t.Fatalf("%d providers use the generic client, want 310", len(providers))
	}
	files, err := filepath.Glob("testdata/flows/*.golden")
	if err != nil || len(files) != len(providers) && !*update {
		t.Errorf("%d golden files for %d providers: remove those of providers that are gone", len(files), len(providers))
	}
	for _, p := range providers {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			least, most := sampleSettings(t, p)
			record := runFlow(t, p, least)
			if !maps.Equal(least, most) {
				record += "\n" + runFlow(t, p, most)
			}
			testfile.Golden(t, *update, filepath.Join("testdata", "flows", p.Name+".golden"), record)
		})
	}
}

// sampleSettings makes a connection's settings of the rules of their fields:
// those without which there is no flow, and as many as there may be.
func sampleSettings(t *testing.T, p *catalog.Provider) (least, most map[string]any) {
	t.Helper()
	least, most = map[string]any{}, map[string]any{}
	for i := range p.Inputs.ConnectionConfig {
		f := &p.Inputs.ConnectionConfig[i]
		if f.System && slices.Contains(p.Auth.Capture.CallbackQuery, f.Name) {
			continue // the redirect brings it
		}
		value := sampleValue(t, f)
		most[f.Name] = value
		if f.Required || f.System {
			least[f.Name] = value
		}
	}
	return least, most
}

// sampleValue returns a value that a field's rules accept.
func sampleValue(t *testing.T, f *catalog.Field) string {
	t.Helper()
	if f.Default != nil {
		return *f.Default
	}
	if len(f.Choices) > 0 {
		return f.Choices[0].Value
	}
	candidates := []string{
		f.Example, "acme", "ACME1", "1234567890", "com", "acme.example.com", "https://acme.example.com",
		"0f7b1a52-6a4e-4c3e-9d2e-0123456789ab", "acme.my.workfront.com", "ehr.practicefusion.com/api",
		"https://accounts.zoho.eu", "https://acme.my.salesforce.com", "someone@example.com", strings.Repeat("a1", 16),
	}
	for _, c := range candidates {
		if c != "" && f.Validate(c) == nil {
			return c
		}
	}
	t.Fatalf("no sample fits the field %s (%v)", f.Name, f.Pattern)
	return ""
}

// runFlow runs one flow end to end and returns what was sent, secrets masked.
func runFlow(t *testing.T, p *catalog.Provider, settings map[string]any) string {
	t.Helper()
	a := newAuthority(t, p, settings)
	client := oauth.New(oauth.Config{HTTP: &http.Client{Transport: a}, Now: now})
	t.Cleanup(client.Close)
	text, err := oauth.AuthorizeURL(oauth.AuthorizeRequest{
		Provider: p, ClientID: flowID, RedirectURI: flowRedirect, State: flowState, CodeVerifier: flowVerifier,
		Scopes: []string{"read:all", "write"}, ConnectionConfig: settings,
	})
	if err != nil {
		t.Fatalf("the address of the consent page: %v", err)
	}
	page, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	check := oauth.IssuerCheck{Provider: p, ConnectionConfig: settings, AuthorizeURL: page}
	client.PrepareIssuer(check)
	check.Callback = a.consent(text)
	if err := client.CheckIssuer(t.Context(), check); err != nil {
		t.Fatalf("the issuer: %v", err)
	}

	integration := linkspan.IntegrationSecrets{ClientID: flowID, ClientSecret: linkspan.NewSecret(flowSecret)}
	grant, err := client.Exchange(t.Context(), oauth.ExchangeRequest{
		Provider: p, Integration: integration, Code: check.Callback.Get(oauth.CodeParam(p)), RedirectURI: flowRedirect,
		CodeVerifier: flowVerifier, ConnectionConfig: settings, Callback: check.Callback,
	})
	if err != nil {
		t.Fatalf("the token request: %v", explain(err))
	}
	if diff := cmp.Diff(a.captured, grant.Captured); diff != "" {
		t.Errorf("captured (-want +got):\n%s", diff)
	}
	stored := maps.Clone(grant.Captured)
	maps.Copy(stored, settings)
	expectTokens(t, "after the exchange", grant.Credentials, "access-1", "refresh-1")

	fresh, err := client.Refresh(t.Context(), oauth.RefreshRequest{
		Provider: p, Integration: integration, ConnectionConfig: stored, Credentials: grant.Credentials,
	})
	if err != nil {
		t.Fatalf("the refresh: %v", explain(err))
	}
	expectTokens(t, "after the refresh", fresh, "access-2", "refresh-1")
	return a.record(t, text)
}

func explain(err error) string {
	if f, ok := errors.AsType[*oauth.Failure](err); ok {
		return fmt.Sprintf("%s: %s: %s", f.Code, f.Message, f.Description)
	}
	return err.Error()
}

func expectTokens(t *testing.T, when string, c credential.Credentials, access, refresh string) {
	t.Helper()
	if c.Type != credential.OAuth2 || c.AccessToken.Reveal() != access || c.RefreshToken.Reveal() != refresh {
		t.Errorf("%s: credentials %s, %q, %q; want %q, %q", when, c.Type, c.AccessToken.Reveal(), c.RefreshToken.Reveal(), access, refresh)
	}
	if got := c.ExpiresAt.Sub(now()).Hours(); got != 1 {
		t.Errorf("%s: the token lives for %v hours, want 1", when, got)
	}
}

var uuidInQuery = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// record writes down what was sent.
func (a *authority) record(t *testing.T, consent string) string {
	t.Helper()
	settings, err := json.Marshal(a.settings)
	if err != nil {
		t.Fatal(err)
	}
	if a.mentionsRandom() {
		consent = uuidInQuery.ReplaceAllString(consent, "[uuid]")
	}
	return fmt.Sprintf("settings %s\n\nGET %s\n\n%s\n%s", settings, consent, a.sent[0], a.sent[1])
}

func (a *authority) mentionsRandom() bool {
	return slices.ContainsFunc(a.p.Auth.Authorize.Params, func(p catalog.Param) bool {
		return p.Value.Template() != nil && strings.Contains(p.Value.Template().String(), "${random}")
	})
}
