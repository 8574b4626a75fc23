package e2e

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/internal/apptest"
)

// TestWhatReachesTheUpstream sends everything that must stay behind, on every
// method and through a redirect, and looks at what the upstream got.
func TestWhatReachesTheUpstream(t *testing.T) {
	t.Parallel()
	world := apptest.NewWorld(t)
	elsewhere := apptest.NewSaaS(t)
	i := apptest.Start(t, apptest.Options{Database: apptest.NewSQLite(t), ProvidersDir: world.ProvidersDir})
	dev := i.Dev(t)
	world.Integrate(t, dev, apptest.ProviderKey, "keyed")
	apptest.Import(t, dev, "keyed", "c", map[string]any{"type": "API_KEY", "apiKey": "upstream-key"})
	headers := []string{
		"Cookie", "session=cookie-of-the-caller", "X-Caller", "unmarked-header", "User-Agent", "the-callers-agent",
		"Nango-Activity-Log-Id", "", "Nango-Is-Sync", "true", "Nango-Is-Dry-Run", "false", "Retries", "0",
		"Base-Url-Override", "", "Decompress", "false", "X-Forwarded-For", "203.0.113.9", "Via", "1.1 front",
		"Nango-Proxy-X-Wanted", "wanted-header", "Nango-Proxy-Cookie", "wanted=1",
	}
	for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "PROPFIND", "REPORT"} {
		apptest.Proxy(t, dev, method, "keyed", "c", "/echo", nil, headers...).Want(t, http.StatusOK)
	}
	to := elsewhere.URL + "/landing"
	apptest.Proxy(t, dev, http.MethodGet, "keyed", "c", "/redirect?to="+to, nil, headers...).Want(t, http.StatusOK)

	got := world.SaaS.Requests()
	if len(got) != 9 {
		t.Fatalf("the upstream got %d requests, not 9", len(got))
	}
	for _, r := range got {
		wantClean(t, r, i.Keys)
		if r.Header.Get("X-Api-Key") != "upstream-key" || r.Header.Get("X-Wanted") != "wanted-header" {
			t.Errorf("%s %s lacks what it was meant to carry: %v", r.Method, r.Target, r.Header)
		}
	}
	landed := elsewhere.Requests()
	if len(landed) != 1 {
		t.Fatalf("the redirect's target got %d requests, not one", len(landed))
	}
	wantClean(t, landed[0], i.Keys)
	if strings.Contains(render(landed[0]), "upstream-key") {
		t.Errorf("the upstream's key went to another host: %v", landed[0].Header)
	}
}

// wantClean fails the test when a request carries what is ours or the caller's.
func wantClean(t *testing.T, r apptest.Request, keys apptest.Keys) {
	t.Helper()
	text := strings.ToLower(render(r))
	for _, leak := range []string{
		"cookie-of-the-caller", "unmarked-header", "the-callers-agent", "203.0.113.9", "1.1 front",
		keys.Dev, keys.Account, "connection-id", "provider-config-key", "nango-", "base-url-override", "retries",
	} {
		if strings.Contains(text, leak) {
			t.Errorf("%s %s carries %q:\n%s", r.Method, r.Target, leak, text)
		}
	}
}

func render(r apptest.Request) string {
	lines := []string{r.Method + " " + r.Target, "host: " + r.Host, r.Body}
	for name, values := range r.Header {
		for _, v := range values {
			lines = append(lines, name+": "+v)
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// TestPrivateNetworksAreRefusedByDefault starts an instance as it comes.
func TestPrivateNetworksAreRefusedByDefault(t *testing.T) {
	t.Parallel()
	world := apptest.NewWorld(t)
	i := apptest.Start(t, apptest.Options{
		Database: apptest.NewSQLite(t), ProvidersDir: world.ProvidersDir,
		Flags: map[string]string{"allow-private-network": "false"},
	})
	dev := i.Dev(t)
	world.Integrate(t, dev, apptest.ProviderNone, "open")
	apptest.Import(t, dev, "open", "c", map[string]any{"type": "NONE"})
	r := apptest.Proxy(t, dev, http.MethodGet, "open", "c", "/x", nil)
	if r.Status < 400 || r.Code() == "" {
		t.Errorf("a call to the loopback network got %d\n%s", r.Status, r.Body)
	}
	for _, override := range []string{
		world.SaaS.URL, "http://localhost:1", "http://[::1]/", "http://0x7f.1/", "http://169.254.169.254/latest", "http://u:p@example.com/",
		"http://2130706433/", "file:///etc/passwd",
	} {
		r := apptest.Proxy(t, dev, http.MethodGet, "open", "c", "/x", nil, "Base-Url-Override", override)
		if r.Status < 400 || r.Code() == "" {
			t.Errorf("Base-Url-Override %s got %d\n%s", override, r.Status, r.Body)
		}
	}
	if got := world.SaaS.Requests(); len(got) != 0 {
		t.Errorf("%d calls reached the upstream", len(got))
	}
}
