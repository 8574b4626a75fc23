package oauth_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/oauth"
)

// documents answers with the bodies by URL, and counts. A body that starts with a
// digit is a status.
type documents struct {
	bodies map[string]string
	mu     sync.Mutex
	asked  []string
}

func (d *documents) RoundTrip(r *http.Request) (*http.Response, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = append(d.asked, r.URL.String())
	body, ok := d.bodies[r.URL.String()]
	status := http.StatusOK
	switch {
	case !ok:
		status = http.StatusNotFound
	case body == "moved":
		status = http.StatusMovedPermanently
	}
	return &http.Response{
		StatusCode: status, Header: http.Header{"Location": {"https://elsewhere.example/"}},
		Body: io.NopCloser(strings.NewReader(body)), Request: r,
	}, nil
}

func (d *documents) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.asked)
}

const (
	oauthDocument  = "https://acme.example/.well-known/oauth-authorization-server"
	openIDDocument = "https://acme.example/.well-known/openid-configuration"
	announces      = `{"issuer":"https://acme.example","authorization_response_iss_parameter_supported":true}`
)

func issuerCheck(t *testing.T, authorize string, callback url.Values) oauth.IssuerCheck {
	t.Helper()
	p := consentProvider(t, authorize, "  token: {url: ['https://tokens.example/token']}\n")
	return oauth.IssuerCheck{
		Provider: p, ConnectionConfig: map[string]any{"tenant": "t1"}, Callback: callback,
		AuthorizeURL: &url.URL{Scheme: "https", Host: "acme.example", Path: "/authorize", RawQuery: "state=s"},
	}
}

func TestCheckIssuer(t *testing.T) {
	t.Parallel()
	const fixed = "    issuer: https://acme.example/${connectionConfig.tenant}\n"
	iss := func(values ...string) url.Values { return url.Values{"iss": values} }
	long := `{"issuer":"https://acme.example","authorization_response_iss_parameter_supported":true,"x":"` + strings.Repeat("x", 256<<10) + `"}`
	tests := []struct {
		name, authorize string
		documents       map[string]string
		callback        url.Values
		refused         bool
	}{
		{name: "nothing known, none given"},
		{name: "nothing known, of the consent page", callback: iss("https://acme.example/tenant")},
		{name: "nothing known, of the token endpoint", callback: iss("https://tokens.example")},
		{name: "nothing known, of another server", callback: iss("https://evil.example"), refused: true},
		{name: "nothing known, of a look-alike", callback: iss("https://acme.example.evil.example"), refused: true},
		{name: "nothing known, with a user", callback: iss("https://acme.example@evil.example"), refused: true},
		{name: "nothing known, of another scheme", callback: iss("http://acme.example"), refused: true},
		{name: "nothing known, no URL", callback: iss("acme.example"), refused: true},
		{name: "nothing known, empty", callback: iss(""), refused: true},
		{name: "twice", callback: iss("https://acme.example", "https://acme.example"), refused: true},

		{name: "of the file", authorize: fixed, callback: iss("https://acme.example/t1")},
		{name: "of the file, missing", authorize: fixed, refused: true},
		{name: "of the file, other tenant", authorize: fixed, callback: iss("https://acme.example/t2"), refused: true},
		{name: "of the file, which outranks metadata", authorize: fixed, documents: map[string]string{oauthDocument: announces}, callback: iss("https://acme.example"), refused: true},
		{name: "of the file, unfilled", authorize: "    issuer: https://acme.example/${connectionConfig.absent}\n", callback: iss("https://acme.example"), refused: true},

		{name: "announced", documents: map[string]string{oauthDocument: announces}, callback: iss("https://acme.example")},
		{name: "announced, missing", documents: map[string]string{oauthDocument: announces}, refused: true},
		{name: "announced, other", documents: map[string]string{oauthDocument: announces}, callback: iss("https://acme.example/"), refused: true},
		{name: "announced by OpenID", documents: map[string]string{openIDDocument: announces}, refused: true},
		{name: "announced by OpenID after a redirect", documents: map[string]string{oauthDocument: "moved", openIDDocument: announces}, refused: true},
		{name: "not announced", documents: map[string]string{oauthDocument: `{"issuer":"https://acme.example"}`}},
		{name: "announced for another consent page", documents: map[string]string{oauthDocument: strings.Replace(announces, "{", `{"authorization_endpoint":"https://acme.example/other",`, 1)}},
		{name: "announced for this consent page", documents: map[string]string{oauthDocument: strings.Replace(announces, "{", `{"authorization_endpoint":"https://acme.example/authorize/",`, 1)}, refused: true},
		{name: "metadata of another issuer", documents: map[string]string{oauthDocument: strings.Replace(announces, "acme.example", "evil.example", 1)}, callback: iss("https://evil.example"), refused: true},
		{name: "metadata of another issuer, none given", documents: map[string]string{oauthDocument: strings.Replace(announces, "acme.example", "evil.example", 1)}},
		{name: "page", documents: map[string]string{oauthDocument: "<html>", openIDDocument: "[]"}},
		{name: "endless", documents: map[string]string{oauthDocument: long}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := oauth.New(oauth.Config{HTTP: &http.Client{Transport: &documents{bodies: tt.documents}}})
			t.Cleanup(c.Close)
			err := c.CheckIssuer(t.Context(), issuerCheck(t, tt.authorize, tt.callback))
			if (err != nil) != tt.refused {
				t.Fatalf("error = %v; want a refusal: %t", err, tt.refused)
			}
			if code := linkspan.CodeOf(err); err != nil && code != "callback_err" && code != "url_param_err" {
				t.Errorf("the refusal has the code %q", code)
			}
		})
	}
}

func TestMetadataAreRemembered(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		documents map[string]string
		calls     int // of one lookup
		until     time.Duration
	}{
		{"some", map[string]string{oauthDocument: announces}, 1, time.Hour},
		{"none", nil, 2, 5 * time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := &documents{bodies: tt.documents}
				c := oauth.New(oauth.Config{HTTP: &http.Client{Transport: d}})
				defer c.Close()
				in := issuerCheck(t, "", url.Values{"iss": {"https://acme.example"}})
				look := func(want int) {
					t.Helper()
					if err := c.CheckIssuer(t.Context(), in); err != nil {
						t.Fatal(err)
					}
					if got := d.count(); got != want {
						t.Errorf("%d calls, want %d", got, want)
					}
				}
				c.PrepareIssuer(in)
				synctest.Wait()
				look(tt.calls)
				<-time.After(tt.until - time.Second)
				look(tt.calls)
				<-time.After(2 * time.Second)
				look(2 * tt.calls)
			})
		})
	}
}

// silent never answers.
type silent struct{ calls, running atomic.Int64 }

func (s *silent) RoundTrip(r *http.Request) (*http.Response, error) {
	s.calls.Add(1)
	s.running.Add(1)
	defer s.running.Add(-1)
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func TestSilentMetadata(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &silent{}
		c := oauth.New(oauth.Config{HTTP: &http.Client{Transport: s}})
		in := issuerCheck(t, "", nil)
		started := time.Now()
		if err := c.CheckIssuer(t.Context(), in); err != nil {
			t.Errorf("a server that does not answer announces something: %v", err)
		}
		if waited := time.Since(started); waited != 4*time.Second {
			t.Errorf("the user waited for %v", waited)
		}

		// A user who goes away does not wait, and the lookup goes on for others.
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		in.AuthorizeURL = &url.URL{Scheme: "https", Host: "other.example"}
		if err := c.CheckIssuer(ctx, in); err == nil {
			t.Error("a cancelled check found something")
		}
		synctest.Wait()
		if got := s.running.Load(); got != 1 {
			t.Errorf("%d lookups are running, want 1", got)
		}

		// What is prepared is bounded, and ends with the client.
		for i := range 100 {
			in.AuthorizeURL = &url.URL{Scheme: "https", Host: fmt.Sprintf("h%d.example", i)}
			c.PrepareIssuer(in)
		}
		synctest.Wait()
		if got := s.running.Load(); got != 32 {
			t.Errorf("%d lookups are running, want 32", got)
		}
		c.Close()
		if got := s.running.Load(); got != 0 {
			t.Errorf("%d lookups are running after Close", got)
		}
		calls := s.calls.Load()
		c.PrepareIssuer(issuerCheck(t, "", nil))
		c.Close()
		if err := c.CheckIssuer(t.Context(), issuerCheck(t, "", nil)); err != nil || s.calls.Load() != calls {
			t.Errorf("a closed client looks things up: %v", err)
		}
	})
}

func TestManyOrigins(t *testing.T) {
	t.Parallel()
	d := &documents{}
	c := oauth.New(oauth.Config{HTTP: &http.Client{Transport: d}, Now: now})
	t.Cleanup(c.Close)
	in := issuerCheck(t, "", nil)
	check := func(i int) {
		in.AuthorizeURL = &url.URL{Scheme: "https", Host: fmt.Sprintf("h%d.example", i)}
		if err := c.CheckIssuer(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 3000 {
		check(i)
	}
	if got := oauth.KnownOrigins(c); got != 1024 {
		t.Errorf("%d origins are remembered, want 1024", got)
	}
}
