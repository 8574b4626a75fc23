package apptest

import (
	"crypto/rand"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/demo"
)

// Desk is a running Ticketry: the third party that the demo and the tests of
// authorizations connect to.
type Desk struct {
	*demo.Server

	URL string
	// ClientID and ClientSecret are those of its registered client. APIKey,
	// Username and Password open its other doors.
	ClientID, ClientSecret, APIKey, Username, Password string
	// ProvidersDir holds its catalogue entries, for Options.ProvidersDir.
	ProvidersDir string
	// Before is called with each request, and may hold it. Set it before the
	// first one.
	Before func(r *http.Request)

	site *httptest.Server
}

// NewDesk takes an address for a Ticketry that stops with the test. Open opens
// it, once it is known who its client is.
func NewDesk(t testing.TB) *Desk {
	t.Helper()
	d := &Desk{
		ClientID: "client-" + strings.ToLower(rand.Text()), ClientSecret: "client-secret-" + rand.Text(),
		APIKey: "tk_" + strings.ReplaceAll(linkspan.NewUUID(), "-", ""), Username: "ada", Password: "password-" + rand.Text(),
	}
	d.site = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if d.Before != nil {
			d.Before(r)
		}
		d.ServeHTTP(w, r)
	}))
	t.Cleanup(d.site.Close)
	d.URL = d.site.URL
	d.ProvidersDir = t.TempDir()
	for name, text := range demo.ProviderFiles(d.URL) {
		if err := os.WriteFile(filepath.Join(d.ProvidersDir, name), text, 0o600); err != nil {
			t.Fatalf("writing the provider of the demo: %v", err)
		}
	}
	return d
}

// Open makes the instance its client and integrates the three providers, called
// "desk", "desk-key" and "desk-basic", and one without credentials, "none".
func (d *Desk) Open(t testing.TB, i *Instance) {
	t.Helper()
	d.Server = demo.New(demo.Config{
		BaseURL: d.URL,
		Client: demo.Client{
			ID: d.ClientID, Secret: d.ClientSecret, Name: "Acme", RedirectURIs: []string{i.PublicURL() + "/oauth/callback"},
		},
		APIKey: d.APIKey, Username: d.Username, Password: d.Password, RequestsPerMinute: -1, HTTP: d.site.Client(),
	})
	dev := i.Dev(t)
	for key, provider := range map[string]string{
		"desk": demo.ProviderOAuth, "desk-key": demo.ProviderKey, "desk-basic": demo.ProviderBasic, "none": "unauthenticated",
	} {
		body := map[string]any{"provider": provider, "unique_key": key}
		if key == "desk" {
			body["credentials"] = map[string]any{"type": "OAUTH2", "client_id": d.ClientID, "client_secret": d.ClientSecret}
		}
		r := dev.Do(t, http.MethodPost, "/integrations", body)
		if r.Status != http.StatusOK && r.Code() != "invalid_body" { // it is there already after a restart
			t.Fatalf("integrating %s: %d %s", key, r.Status, r.Body)
		}
	}
}

// Person is somebody with a browser that keeps cookies and follows redirects.
type Person struct{ http *http.Client }

// NewPerson returns a person with an empty cookie jar.
func NewPerson(t testing.TB) *Person {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatalf("making a cookie jar: %v", err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &Person{http: &http.Client{Jar: jar, Timeout: callTimeout, Transport: transport}}
}

// StepByStep returns the same person with a browser that follows no redirect, so
// that a test can step in between.
func (p *Person) StepByStep() *Person {
	by := *p.http
	by.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Person{http: &by}
}

// Get opens an address. An error means that the server is gone.
func (p *Person) Get(t testing.TB, address string) (*http.Response, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatalf("GET %s: %v", address, err)
	}
	return p.http.Do(r)
}

// Consent answers Ticketry's consent page, which is in page, and follows the
// redirects back. An error means that the server is gone.
func (p *Person) Consent(t testing.TB, page *http.Response, approve bool) (*http.Response, error) {
	t.Helper()
	defer func() { _ = page.Body.Close() }()
	html, err := io.ReadAll(page.Body)
	if err != nil {
		t.Fatalf("reading the consent page: %v", err)
	}
	find := func(pattern string) string {
		found := regexp.MustCompile(pattern).FindSubmatch(html)
		if found == nil {
			t.Fatalf("%s: %d: this is not a consent page\n%s", page.Request.URL, page.StatusCode, html)
		}
		return string(found[1])
	}
	form := url.Values{
		"request": {find(`name="request" value="([^"]+)"`)}, "account": {find(`<option value="([^"]+)"`)}, "decision": {"deny"},
	}
	if approve {
		form.Set("decision", "approve")
	}
	target := page.Request.URL.Scheme + "://" + page.Request.URL.Host + "/oauth/authorize"
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, target, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatalf("answering the consent page: %v", err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return p.http.Do(r)
}

// ConnectURL is where a browser begins an authorization with a connect session.
func (i *Instance) ConnectURL(integration, token string, more ...string) string {
	q := url.Values{"connect_session_token": {token}}
	for n := 0; n+1 < len(more); n += 2 {
		q.Set(more[n], more[n+1])
	}
	return i.PublicURL() + "/oauth/connect/" + url.PathEscape(integration) + "?" + q.Encode()
}

// PublicURL is where browsers reach the instance.
func (i *Instance) PublicURL() string { return strings.Replace(i.URL, "127.0.0.1", "localhost", 1) }

// Session makes a connect session of the environment dev and returns its token.
// A nil body asks for one of an end user that may connect anything.
func (i *Instance) Session(t testing.TB, body map[string]any) string {
	t.Helper()
	if body == nil {
		body = map[string]any{"end_user": map[string]any{"id": "user-1", "email": "ada@example.com"}}
	}
	var reply struct {
		Data struct{ Token string }
	}
	i.Dev(t).Do(t, http.MethodPost, "/connect/sessions", body).Want(t, http.StatusCreated).Into(t, &reply)
	return reply.Data.Token
}
