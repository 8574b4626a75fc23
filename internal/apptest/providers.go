package apptest

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// The providers that WriteProviders makes. All call the fake SaaS.
const (
	// ProviderOAuth is OAUTH2 with the fake authority as its token server.
	ProviderOAuth = "fake-oauth"
	// ProviderKey is API_KEY; the key travels in the header X-Api-Key.
	ProviderKey = "fake-key"
	// ProviderBasic is BASIC.
	ProviderBasic = "fake-basic"
	// ProviderNone needs no credentials.
	ProviderNone = "fake-none"
	// ProviderVerified is API_KEY and checks new keys with GET /private/verify.
	ProviderVerified = "fake-verified"
)

// WriteProviders writes provider files that point at the fakes into a new
// directory and returns it, for Options.ProvidersDir.
func WriteProviders(t testing.TB, saas *SaaS, authority *Authority) string {
	t.Helper()
	dir := t.TempDir()
	write := func(name, auth, rest string) {
		WriteProvider(t, dir, name, fmt.Sprintf(`name: %s
display_name: %s
categories: [other]
auth:
%s
api:
  base_url:
    - %s
%s`, name, "Fake "+name, auth, saas.URL, rest))
	}
	apiKeyInput := `inputs:
  credentials:
    - name: apiKey
      title: API key
      help: The key of the fake SaaS.
      required: true
      secret: true
`
	keyHeader := `  headers:
    - name: x-api-key
      value: ${apiKey}
`
	write(ProviderOAuth, fmt.Sprintf(`  mode: OAUTH2
  authorize:
    url:
      - %[1]s/authorize
  token:
    url:
      - %[1]s/token`, authority.URL), "")
	write(ProviderKey, "  mode: API_KEY", keyHeader+apiKeyInput)
	write(ProviderBasic, "  mode: BASIC", "")
	write(ProviderNone, "  mode: NONE", "")
	write(ProviderVerified, "  mode: API_KEY", `  headers:
    - name: authorization
      value: Bearer ${apiKey}
  verify:
    method: GET
    paths:
      - /private/verify
`+apiKeyInput)
	return dir
}

// WriteProvider writes one provider file, replacing it as an editor does: the
// new text appears at once.
func WriteProvider(t testing.TB, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name+".yaml")
	next := path + ".next"
	if err := os.WriteFile(next, []byte(text), 0o600); err != nil {
		t.Fatalf("writing provider %s: %v", name, err)
	}
	if err := os.Rename(next, path); err != nil {
		t.Fatalf("replacing provider %s: %v", name, err)
	}
}
