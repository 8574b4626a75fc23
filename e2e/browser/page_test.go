package browser

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/evanw/esbuild/pkg/api"

	"github.com/linkspan/linkspan/internal/browsertest"
)

// bundle is the published frontend client as a script for a page.
func bundle(t testing.TB) []byte {
	t.Helper()
	folder, err := filepath.Abs("..")
	if err != nil {
		t.Fatalf("finding the packages: %v", err)
	}
	if _, err := os.Stat(filepath.Join(folder, "node_modules", "@nangohq", "frontend")); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the frontend client cannot run, and on CI it must: %v", err)
		}
		t.Skipf("the frontend client is not installed (run npm ci in e2e): %v", err)
	}
	result := api.Build(api.BuildOptions{
		Stdin: &api.StdinOptions{
			Contents:   `import Nango from "@nangohq/frontend"; window.Nango = Nango;`,
			ResolveDir: folder,
		},
		Bundle: true, Format: api.FormatIIFE, Target: api.ES2022, LogLevel: api.LogLevelSilent,
	})
	if len(result.Errors) > 0 {
		t.Fatalf("bundling the frontend client: %v", result.Errors[0].Text)
	}
	return result.OutputFiles[0].Contents
}

// hostPage is a customer's own page: it loads the client and waits to be told
// what to do. Buttons are there for clicks, because browsers open windows only
// for people.
const hostPage = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Acme, the customer's app</title>
<style>body { font: 16px system-ui; margin: 2rem; background: #f4f1ea; color: #222 }
@media (prefers-color-scheme: dark) { body { background: #1d1f24; color: #ddd } }</style></head>
<body><main><h1>Acme settings</h1><p>Connect your tools.</p><button id="go">Connect</button></main>
<script src="/client.js"></script>
<script>
window.events = [];
window.outcome = undefined;
// settle keeps what a promise of the client becomes.
window.settle = promise => promise.then(
	value => { window.outcome = { value }; },
	error => { window.outcome = { error: { type: error.type, message: error.message, name: error.name } }; });
document.querySelector("#go").addEventListener("click", () => window.act && window.act());
</script></body></html>`

// customer is a web site that embeds the server.
type customer struct {
	URL    string
	client []byte
}

// newCustomer starts the site, which is another one than the server's: that is
// localhost, this is an address.
func newCustomer(t testing.TB) *customer {
	t.Helper()
	c := &customer{client: bundle(t)}
	s := httptest.NewServer(c)
	t.Cleanup(s.Close)
	c.URL = s.URL
	return c
}

// ServeHTTP implements http.Handler.
func (c *customer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/client.js":
		w.Header().Set("Content-Type", "text/javascript")
		_, _ = w.Write(c.client)
	case "/":
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte(hostPage))
	default:
		http.NotFound(w, r)
	}
}

// outcome is what a promise of the client became.
type outcome struct {
	Value *struct {
		ProviderConfigKey string `json:"providerConfigKey"`
		ConnectionID      string `json:"connectionId"`
		IsPending         bool   `json:"isPending"`
	} `json:"value"`
	Error *struct {
		Name    string `json:"name"`
		Type    string `json:"type"`
		Message string `json:"message"`
	} `json:"error"`
}

// act has the page run an expression that is a promise of the client when its
// button is clicked.
func act(t testing.TB, p *browsertest.Page, expression string) {
	t.Helper()
	p.Do(t, "window.outcome = undefined; window.act = () => settle((async () => "+expression+")())")
}

// settled waits for what became of the last act.
func settled(t testing.TB, p *browsertest.Page) outcome {
	t.Helper()
	p.Until(t, "window.outcome")
	var o outcome
	p.Eval(t, "window.outcome", &o)
	return o
}

// wantConnection fails the test unless the client got a connection.
func (o outcome) wantConnection(t testing.TB, integration string) string {
	t.Helper()
	if o.Error != nil {
		t.Fatalf("the client failed with %s: %s", o.Error.Type, o.Error.Message)
	}
	if o.Value.ProviderConfigKey != integration || o.Value.ConnectionID == "" {
		t.Fatalf("the client got %+v, not a connection of %s", *o.Value, integration)
	}
	return o.Value.ConnectionID
}

// wantError fails the test unless the client failed with an error of its own
// class that has one of the types it documents.
func (o outcome) wantError(t testing.TB, kind string) {
	t.Helper()
	if o.Error == nil {
		t.Fatalf("the client got %+v, not the error %s", *o.Value, kind)
	}
	if o.Error.Type != kind || o.Error.Message == "" {
		t.Errorf("the client failed with type %q and message %q, not with %s", o.Error.Type, o.Error.Message, kind)
	}
}

// literal writes a value as JavaScript.
func literal(t testing.TB, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatalf("encoding: %v", err)
	}
	return string(text)
}
