package hook_test

import (
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/catalog"
	"github.com/linkspan/linkspan/internal/credential"
	"github.com/linkspan/linkspan/internal/egress"
	"github.com/linkspan/linkspan/internal/hook"
	"github.com/linkspan/linkspan/internal/upstream"
)

// Secrets of all connections here.
const (
	refreshToken = "refresh-token-of-nobody-else"
	clientSecret = "client-secret-of-nobody-else"
	password     = "password-of-nobody-else"
	apiKey       = "api-key-of-nobody-else"
	username     = "user-name-of-nobody-else"
)

// accessToken is a token whose claims some hooks read.
func accessToken() string {
	part := base64.RawURLEncoding.EncodeToString
	return part([]byte(`{"alg":"none"}`)) + "." + part([]byte(`{"tid":"tenant-1","corpId":1234567890123,"authentication_event_id":"event-2"}`)) + ".signature-of-nobody-else"
}

func secrets() []string {
	return []string{refreshToken, clientSecret, password, apiKey, username, accessToken(), accessToken()[20:60]}
}

// reply is what a provider answers. Status 0 means 200; an error means that there
// is no answer.
type reply struct {
	status int
	body   string
	header http.Header
	err    error
}

// saas stands in for every third party: an http.RoundTripper behind the egress
// guard's rules, which notes what it is asked.
type saas struct {
	// answer is called for each request, whose line is its method and URL.
	answer func(line string) reply

	mu    sync.Mutex
	seen  []string // lines
	last  *http.Request
	body  string
	trace []linkspan.Message
}

func (s *saas) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
		_ = r.Body.Close()
	}
	s.mu.Lock()
	line := r.Method + " " + r.URL.String()
	s.seen, s.last, s.body = append(s.seen, line), r, string(body)
	s.mu.Unlock()
	a := s.answer(line)
	if a.err != nil {
		return nil, a.err
	}
	if a.status == 0 {
		a.status = http.StatusOK
	}
	if a.header == nil {
		a.header = http.Header{}
	}
	return &http.Response{StatusCode: a.status, Header: a.header, Body: io.NopCloser(strings.NewReader(a.body)), Request: r}, nil
}

// hooks returns hooks whose calls go to s.
func (s *saas) hooks() *hook.Hooks { return s.hooksWithin(0) }

func (s *saas) hooksWithin(d time.Duration) *hook.Hooks {
	guard := egress.New(egress.Policy{}, nil)
	transport := guard.Transport(egress.TransportOptions{})
	transport.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	transport.RegisterProtocol("https", s)
	return hook.New(hook.Config{
		Caller: upstream.New(upstream.Config{Guard: guard, Transport: transport}), Timeout: d,
		Now: func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) },
	})
}

func (s *saas) note(m linkspan.Message) { s.trace = append(s.trace, m) }

// wantNoSecret fails the test if an error or a message shows a secret.
func (s *saas) wantNoSecret(t *testing.T, err error) {
	t.Helper()
	shown, _ := json.Marshal(s.trace)
	text := string(shown)
	if err != nil {
		text += err.Error()
		if e, ok := errors.AsType[*linkspan.Error](err); ok {
			payload, _ := json.Marshal(e.Payload)
			text += e.Msg + e.Hint + string(payload)
		}
	}
	for _, secret := range secrets() {
		if strings.Contains(text, secret) {
			t.Errorf("%q is shown in %s", secret, text)
		}
	}
}

// answers are replies by line. Anything else is a 404.
func answers(byLine map[string]reply) func(string) reply {
	return func(line string) reply {
		if a, ok := byLine[line]; ok {
			return a
		}
		return reply{status: http.StatusNotFound}
	}
}

// always answers everything alike.
func always(a reply) func(string) reply { return func(string) reply { return a } }

func openCatalog(t testing.TB) *catalog.Catalog {
	t.Helper()
	cat, err := catalog.Open(catalog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return cat
}

// target is a connection of the provider with such settings.
func target(t testing.TB, cat *catalog.Catalog, provider string, config map[string]any) *upstream.Target {
	t.Helper()
	p, err := cat.Provider(provider)
	if err != nil {
		t.Fatal(err)
	}
	c := map[catalog.AuthMode]credential.Credentials{
		catalog.ModeAPIKey: credential.NewAPIKey(apiKey),
		catalog.ModeBasic:  credential.NewBasic(username, password),
		catalog.ModeOAuth2: credential.NewOAuth2(accessToken(), refreshToken, time.Time{}),
	}[p.Auth.Mode]
	c.Raw = map[string]any{"access_token": accessToken(), "locationId": "location-1", "companyId": "", "api_domain": "https://www.zohoapis.eu"}
	return &upstream.Target{
		Provider: p, Credentials: c,
		Integration: linkspan.Integration{Key: "key", Provider: provider, Secrets: linkspan.IntegrationSecrets{ClientID: "client", ClientSecret: linkspan.NewSecret(clientSecret)}},
		Connection:  linkspan.Connection{Name: "c", Provider: provider, Config: maps.Clone(config), Metadata: map[string]any{}},
	}
}

func (s *saas) wantCalls(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(s.seen, want) {
		t.Errorf("called %q, want %q", s.seen, want)
	}
}

func basic(pair string) string { return base64.StdEncoding.EncodeToString([]byte(pair)) }
