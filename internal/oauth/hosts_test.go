package oauth_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan/catalog"
	"github.com/linkspan/linkspan/internal/oauth"
)

// Client secrets and codes go to the company that asked the user, and to nobody
// else: consent page and token endpoint are under one domain, or under two of
// which it is known that one company has both.
func TestTokenEndpointsAreOfTheSameCompany(t *testing.T) {
	t.Parallel()
	same := map[string]string{
		"checkrhq-staging.net": "checkr-staging.com", "dropbox.com": "dropboxapi.com", "epicgames.com": "epicgames.dev",
		"gohighlevel.com": "leadconnectorhq.com", "google.com": "googleapis.com", "hubspot.com": "hubapi.com",
		"intercom.com": "intercom.io", "sageone.com": "sage.com", "x.com": "twitter.com",
	}
	for _, p := range genericProviders(t) {
		for _, page := range domains(p.Auth.Authorize.URL) {
			for _, token := range domains(p.Auth.Token.URL) {
				if page != token && same[page] != token {
					t.Errorf("%s: the consent page is at %s, the token endpoint at %s", p.Name, page, token)
				}
			}
		}
	}
}

// At these providers, and no others, whoever fills in the form chooses the host
// that client secret and code are sent to: the software runs anywhere. SECURITY.md
// says what that means; where the provider has domains of its own its file must
// hold the setting to them.
func TestHostsThatUsersChoose(t *testing.T) {
	t.Parallel()
	const anywhere = "evil.example"
	var got []string
	for _, p := range genericProviders(t) {
		config := map[string]any{}
		for i := range p.Inputs.ConnectionConfig {
			if f := &p.Inputs.ConnectionConfig[i]; f.Validate(anywhere) == nil {
				config[f.Name] = anywhere
			} else if f.Validate("https://"+anywhere) == nil {
				config[f.Name] = "https://" + anywhere
			}
		}
		vars := catalog.NewScope(map[string]any{"connectionConfig": config})
		if u, err := p.Auth.Token.URL.Expand(vars); err == nil && strings.HasSuffix(u.Hostname(), anywhere) {
			got = append(got, p.Name)
		}
	}
	want := []string{
		"canvas-lms", "confluence-data-center", "glean-oauth", "jira-data-center", "looker-oauth", "maximizer-on-premise", "odoo", "servicenow",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("providers (-want +got):\n%s", diff)
	}
}

// domains are the last two labels of the hosts of URLs, of those where they are
// written in the file.
func domains(urls catalog.URLs) (out []string) {
	for i := range urls {
		_, rest, _ := strings.Cut(urls[i].String(), "://")
		host := rest[:strings.IndexAny(rest+"/", "/?")]
		labels := strings.Split(host, ".")
		if domain := strings.Join(labels[max(0, len(labels)-2):], "."); !strings.ContainsAny(domain, "${}") {
			out = append(out, domain)
		}
	}
	return out
}

// The redirects of well-known servers are taken as they come, whatever the server
// announces.
func TestIssuersOfKnownServers(t *testing.T) {
	t.Parallel()
	cat, err := catalog.Open(catalog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		provider string
		config   map[string]any
		// document is what the server says about itself, by URL.
		document, says string
		iss            string
		refused        bool
	}{
		{
			provider: "google", document: "https://accounts.google.com/.well-known/openid-configuration",
			says: `{"issuer":"https://accounts.google.com","authorization_endpoint":"https://accounts.google.com/o/oauth2/v2/auth","authorization_response_iss_parameter_supported":true}`,
			iss:  "https://accounts.google.com",
		},
		{
			provider: "google", document: "https://accounts.google.com/.well-known/openid-configuration",
			says:    `{"issuer":"https://accounts.google.com","authorization_endpoint":"https://accounts.google.com/o/oauth2/v2/auth","authorization_response_iss_parameter_supported":true}`,
			refused: true,
		},
		{provider: "google", iss: "https://accounts.google.com"},
		{provider: "google", iss: "https://accounts.google.com.evil.example", refused: true},
		{provider: "microsoft"},
		{provider: "microsoft", iss: "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0"},
		{
			// An organization's own server; its page is not the one of a custom server.
			provider: "okta", config: map[string]any{"subdomain": "acme"}, document: "https://acme.okta.com/.well-known/oauth-authorization-server",
			says: `{"issuer":"https://acme.okta.com","authorization_endpoint":"https://acme.okta.com/oauth2/v1/authorize","authorization_response_iss_parameter_supported":true}`,
			iss:  "https://acme.okta.com",
		},
		{provider: "okta", config: map[string]any{"subdomain": "acme"}, iss: "https://evil.okta.com", refused: true},
		{provider: "xero", iss: "https://identity.xero.com"}, // the issuer is where the token endpoint is
		{provider: "xero"},
		{provider: "zoho", config: map[string]any{"extension": "eu"}},
		{provider: "zoho", config: map[string]any{"extension": "eu"}, iss: "https://accounts.zoho.eu"},
		{provider: "quickbooks", iss: "https://oauth.platform.intuit.com/op/v1"},
		{provider: "salesforce", iss: "https://login.salesforce.com"},
		{provider: "salesforce", config: map[string]any{"hostname": "acme.my.salesforce.com"}, iss: "https://acme.my.salesforce.com"},
	}
	for _, tt := range tests {
		t.Run(tt.provider+" "+tt.iss, func(t *testing.T) {
			t.Parallel()
			p, err := cat.Provider(tt.provider)
			if err != nil {
				t.Fatal(err)
			}
			text, err := oauth.AuthorizeURL(oauth.AuthorizeRequest{
				Provider: p, ClientID: flowID, RedirectURI: flowRedirect, State: flowState, CodeVerifier: flowVerifier, ConnectionConfig: tt.config,
			})
			if err != nil {
				t.Fatal(err)
			}
			page, err := url.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			c := oauth.New(oauth.Config{HTTP: &http.Client{Transport: &documents{bodies: map[string]string{tt.document: tt.says}}}})
			t.Cleanup(c.Close)
			callback := url.Values{"code": {flowCode}}
			if tt.iss != "" {
				callback.Set("iss", tt.iss)
			}
			err = c.CheckIssuer(t.Context(), oauth.IssuerCheck{Provider: p, ConnectionConfig: tt.config, AuthorizeURL: page, Callback: callback})
			if (err != nil) != tt.refused {
				t.Errorf("error %v; want a refusal: %t", err, tt.refused)
			}
		})
	}
}
