package upstream_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/catalog"
	"github.com/linkspan/linkspan/internal/credential"
	"github.com/linkspan/linkspan/internal/upstream"
)

// TestEveryProviderCanBeCalled builds a call to each provider that this version
// supports, with made-up settings, and looks for placeholders that were left.
func TestEveryProviderCanBeCalled(t *testing.T) {
	t.Parallel()
	cat, err := catalog.Open(catalog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	built := 0
	for p, err := range cat.All() {
		if err != nil {
			t.Fatal(err)
		}
		if _, unsupported := p.Unsupported(); unsupported || p.API == nil {
			continue
		}
		req, err := tryBuild(t, p)
		if err != nil {
			if p.Name != "private-api-generic" {
				t.Errorf("%s: %v", p.Name, err)
			}
			continue
		}
		built++
		if strings.Contains(req.URL.String(), "${") || strings.Contains(req.URL.String(), "$%7B") {
			t.Errorf("%s: %s", p.Name, req.URL)
		}
		for name, values := range req.Header {
			if strings.Contains(strings.Join(values, ""), "${") {
				t.Errorf("%s: %s: %v", p.Name, name, values)
			}
		}
	}
	if built < 500 {
		t.Errorf("only %d providers were called", built)
	}
}

// tryBuild tries settings that are whole URLs and settings that are names.
func tryBuild(t *testing.T, p *catalog.Provider) (*http.Request, error) {
	t.Helper()
	c := map[catalog.AuthMode]credential.Credentials{
		catalog.ModeAPIKey: credential.NewAPIKey("key"),
		catalog.ModeBasic:  credential.NewBasic("user", "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g"),
		catalog.ModeOAuth2: {Type: credential.OAuth2, AccessToken: linkspan.NewSecret("token")},
		catalog.ModeNone:   credential.NewNone(),
	}[p.Auth.Mode]
	var last error
	for _, sample := range []string{"name.example", "https://name.example"} {
		config := map[string]any{}
		for _, ref := range p.API.BaseURL.Refs() {
			if name, ok := strings.CutPrefix(ref, "connectionConfig."); ok {
				config[name] = sample
				if name == "port" {
					config[name] = "8443"
				}
			}
		}
		p.API.Headers.Templates(func(h *catalog.Template) {
			for _, ref := range h.Refs() {
				if name, ok := strings.CutPrefix(ref, "connectionConfig."); ok && config[name] == nil {
					config[name] = "value"
				}
			}
		})
		tg := target(p, c, config)
		tg.Integration.Secrets = linkspan.IntegrationSecrets{ClientID: "id", ClientSecret: linkspan.NewSecret("secret")}
		req, err := upstream.Build(t.Context(), tg, upstream.Request{Method: http.MethodPost, Endpoint: "/x?y=z", Content: []byte("{}"), ContentType: "application/json"})
		if err == nil {
			return req, nil
		}
		last = err
	}
	return nil, last
}
