package oauth_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/catalog"
	"github.com/linkspan/linkspan/internal/oauth"
)

// teller is an authorization server whose token responses do not say when tokens
// end: only its introspection endpoint does.
type teller struct {
	mu sync.Mutex
	// says is the answer of the introspection endpoint.
	says string
	// calls are the paths and bodies of the requests.
	calls []string
}

func (s *teller) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, r.URL.Path+" "+r.PostForm.Encode())
	w.Header().Set("Content-Type", "application/json")
	if r.URL.Path == "/introspect" {
		_, _ = w.Write([]byte(s.says))
		return
	}
	_, _ = fmt.Fprintf(w, `{"access_token":"new-access-token","instance":"http://%s","refresh_token":"new-refresh-token"}`, r.Host)
}

func (s *teller) paths() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for _, c := range s.calls {
		path, _, _ := strings.Cut(c, " ")
		all = append(all, path)
	}
	return strings.Join(all, " ")
}

// tellingProvider is one whose introspection endpoint is at a host that the token
// response names, which must be a loopback address.
func tellingProvider(t *testing.T, endpoint string) *catalog.Provider {
	t.Helper()
	p, err := catalog.ParseProvider("acme.yaml", "acme", []byte(`name: acme
display_name: Acme
categories: [crm]
auth:
  mode: OAUTH2
  authorize: {url: [https://acme.example/authorize]}
  token:
    url: [`+endpoint+`/token]
    introspection_url: ${connectionConfig.instance}/introspect
  capture: {token_response: [instance]}
api: {base_url: [https://api.acme.example]}
inputs:
  connection_config:
    - {name: instance, pattern: '^http://127\.0\.0\.1:\d+$', system: true}
code_facts: {expiry_by_introspection: true}
`))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestIntrospection(t *testing.T) {
	t.Parallel()
	ends := now().Add(2 * time.Hour)
	alive := fmt.Sprintf(`{"active":true,"exp":%d}`, ends.Unix())
	for name, c := range map[string]struct {
		says    string
		expires time.Time
	}{
		"alive":         {alive, ends},
		"not alive":     {`{"active":false}`, now().Add(30 * time.Minute)},
		"without end":   {`{"active":true}`, now().Add(30 * time.Minute)},
		"nonsense":      {`<html>`, now().Add(30 * time.Minute)},
		"end in a text": {`{"active":true,"exp":"soon"}`, now().Add(30 * time.Minute)},
		"end of time":   {`{"active":true,"exp":9223372036854775807}`, now().Add(30 * time.Minute)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := &teller{says: c.says}
			site := httptest.NewServer(server)
			defer site.Close()
			p := tellingProvider(t, site.URL)
			var said []string
			in := exchangeRequest(p)
			in.Trace = func(m linkspan.Message) { said = append(said, m.Text) }
			grant, err := newClient(t).Exchange(t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			if !grant.Credentials.ExpiresAt.Equal(c.expires) || grant.Credentials.AccessToken.Reveal() != "new-access-token" {
				t.Errorf("the token ends at %v, want %v", grant.Credentials.ExpiresAt, c.expires)
			}
			asked, err := url.ParseQuery(strings.TrimPrefix(server.calls[1], "/introspect "))
			if err != nil || asked.Get("token") != "new-access-token" || asked.Get("token_type_hint") != "access_token" || asked.Get("client_id") != "the id" || asked.Get("client_secret") != "the secret+/" {
				t.Errorf("the server was asked %v", asked)
			}
			if len(said) != 2 || strings.Contains(strings.Join(said, " "), "secret") {
				t.Errorf("the log says %q", said)
			}
		})
	}
}

func TestTokenThatLivesOnIsNotRefreshed(t *testing.T) {
	t.Parallel()
	ends := now().Add(2 * time.Hour)
	for name, c := range map[string]struct {
		says      string
		mayExtend bool
		instance  string
		paths     string
		token     string
	}{
		"it lives on":             {fmt.Sprintf(`{"active":true,"exp":%d}`, ends.Unix()), true, "", "/introspect", "old-access-token"},
		"it ends soon":            {fmt.Sprintf(`{"active":true,"exp":%d}`, now().Add(time.Minute).Unix()), true, "", "/introspect /token /introspect", "new-access-token"},
		"it has ended":            {`{"active":false}`, true, "", "/introspect /token /introspect", "new-access-token"},
		"another one is wanted":   {fmt.Sprintf(`{"active":true,"exp":%d}`, ends.Unix()), false, "", "/token /introspect", "new-access-token"},
		"a setting points astray": {fmt.Sprintf(`{"active":true,"exp":%d}`, ends.Unix()), true, "http://127.0.0.1.evil.example:80", "/token", "new-access-token"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := &teller{says: c.says}
			site := httptest.NewServer(server)
			defer site.Close()
			in := refreshRequest(tellingProvider(t, site.URL))
			in.ConnectionConfig = map[string]any{"instance": site.URL}
			if c.instance != "" {
				in.ConnectionConfig["instance"] = c.instance
			}
			in.MayExtend = c.mayExtend
			in.Credentials.IssuedAt = now().Add(-2 * time.Hour)
			fresh, err := newClient(t).Refresh(t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			if server.paths() != c.paths || fresh.AccessToken.Reveal() != c.token || !fresh.ExpiresAt.After(now()) || fresh.RefreshToken.IsZero() {
				t.Errorf("%s was called, the token is %s until %v", server.paths(), fresh.AccessToken.Reveal(), fresh.ExpiresAt)
			}
			if old := fresh.IssuedAt.Equal(in.Credentials.IssuedAt); old != (c.token == "old-access-token") {
				t.Errorf("the token %s was issued at %v", c.token, fresh.IssuedAt)
			}
		})
	}
}

// reticent answers at the token endpoint, and keeps whoever introspects waiting.
type reticent struct{}

func (reticent) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Path == "/introspect" {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	rec := httptest.NewRecorder()
	new(teller).ServeHTTP(rec, r)
	return rec.Result(), nil
}

// TestNewTokensDoNotWaitLongForTheirEnd has the introspection endpoint hang while
// the only copy of new tokens is in memory.
func TestNewTokensDoNotWaitLongForTheirEnd(t *testing.T) {
	t.Parallel()
	p := tellingProvider(t, "https://acme.example")
	synctest.Test(t, func(t *testing.T) {
		client := oauth.New(oauth.Config{HTTP: &http.Client{Transport: reticent{}}})
		defer client.Close()
		in := refreshRequest(p)
		in.ConnectionConfig = map[string]any{"instance": "http://127.0.0.1:80"}
		began := time.Now()
		fresh, err := client.Refresh(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 10*time.Second || !fresh.ExpiresAt.Equal(time.Now().Add(30*time.Minute)) {
			t.Errorf("after %v the token ends at %v", took, fresh.ExpiresAt)
		}
	})
}

// TestIntrospectionStaysAtTheProvider checks that no setting leads the client's
// secret away from the providers that introspect.
func TestIntrospectionStaysAtTheProvider(t *testing.T) {
	t.Parallel()
	cat, err := catalog.Open(catalog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"salesforce", "salesforce-sandbox", "salesforce-experience-cloud"} {
		p, err := cat.Provider(name)
		if err != nil {
			t.Fatal(err)
		}
		field := p.Inputs.ConnectionConfig.Lookup("instance_url")
		for value, good := range map[string]bool{
			"https://acme.my.salesforce.com": true, "https://acme--dev.sandbox.my.salesforce.com": true, "https://na139.salesforce.com": true,
			"https://acme.my.site.com": true, "https://evil.example": false, "https://salesforce.com.evil.example": false,
			"http://acme.my.salesforce.com": false, "https://evil.example/?x=.salesforce.com": false, "https://evil.example#.salesforce.com": false,
			"https://user@acme.my.salesforce.com": false, "https://evilsalesforce.com": false,
		} {
			if err := field.Validate(value); (err == nil) != good {
				t.Errorf("%s: %s: %v", name, value, err)
			}
		}
		if got := p.Auth.Token.IntrospectionURL.Refs(); len(got) != 1 || got[0] != "connectionConfig.instance_url" {
			t.Errorf("%s asks at %v", name, got)
		}
	}
}
