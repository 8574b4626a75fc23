package demo_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/linkspan/linkspan/internal/demo"
)

const (
	redirect = "http://client.example/callback"
	verifier = "a-verifier-of-at-least-forty-three-characters"
	apiKey   = "tk_0123456789abcdef0123456789abcdef"
)

// clock is a clock that a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// fixture is a running service and a client of it.
type fixture struct {
	*demo.Server
	url   string
	clock *clock
	http  *http.Client
}

func start(t *testing.T, change func(*demo.Config)) *fixture {
	t.Helper()
	f := &fixture{
		clock: &clock{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)},
		http:  &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}
	server := httptest.NewUnstartedServer(nil)
	f.url = "http://" + server.Listener.Addr().String()
	cfg := demo.Config{
		BaseURL: f.url, Client: demo.Client{ID: "id", Secret: "s&cret", Name: "Test <app>", RedirectURIs: []string{redirect}},
		APIKey: apiKey, Username: "mira", Password: "pass", ControlKey: "control", RequestsPerMinute: -1,
		HTTP: f.http, Now: f.clock.Now,
	}
	if change != nil {
		change(&cfg)
	}
	f.Server = demo.New(cfg)
	server.Config.Handler = f.Server
	server.Start()
	t.Cleanup(server.Close)
	return f
}

// reply is an answer.
type reply struct {
	status int
	header http.Header
	body   string
	err    error // of reading the body
}

// do sends a request; headers come in pairs.
func (f *fixture) do(t *testing.T, method, path, body string, headers ...string) reply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, f.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := f.http.Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return reply{res.StatusCode, res.Header, string(text), err}
}

// api calls the API with a key.
func (f *fixture) api(t *testing.T, method, path, body string, headers ...string) reply {
	t.Helper()
	return f.do(t, method, "/api/keyed"+path, body, append([]string{"X-Api-Key", apiKey}, headers...)...)
}

func (r reply) want(t *testing.T, status int, parts ...string) reply {
	t.Helper()
	if r.status != status {
		t.Fatalf("status %d, not %d: %s", r.status, status, r.body)
	}
	for _, part := range parts {
		if !strings.Contains(r.body, part) {
			t.Errorf("%q is not in %s", part, r.body)
		}
	}
	return r
}

func decode[T any](t *testing.T, r reply) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(r.body), &v); err != nil {
		t.Fatalf("decoding %s: %v", r.body, err)
	}
	return v
}

// request is a good authorization request with changes; an empty value removes
// a parameter.
func request(changes ...string) string {
	sum := sha256.Sum256([]byte(verifier))
	q := url.Values{
		"response_type": {"code"}, "client_id": {"id"}, "redirect_uri": {redirect}, "state": {"a state & more"},
		"scope": {"tickets:read users:read"}, "code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}
	for i := 0; i < len(changes); i += 2 {
		if q.Set(changes[i], changes[i+1]); changes[i+1] == "" {
			q.Del(changes[i])
		}
	}
	return "/oauth/authorize?" + q.Encode()
}

// form posts a form.
func (f *fixture) form(t *testing.T, path string, fields ...string) reply {
	t.Helper()
	q := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		q.Add(fields[i], fields[i+1])
	}
	return f.do(t, http.MethodPost, path, q.Encode(), "Content-Type", "application/x-www-form-urlencoded")
}

// consent opens the consent page and returns the name of its request.
func (f *fixture) consent(t *testing.T, path string) string {
	t.Helper()
	page := f.do(t, http.MethodGet, path, "").want(t, http.StatusOK)
	_, after, _ := strings.Cut(page.body, `name="request" value="`)
	name, _, ok := strings.Cut(after, `"`)
	if !ok {
		t.Fatalf("no request in %s", page.body)
	}
	return name
}

// answer reads where a redirect leads and what it says.
func answer(t *testing.T, r reply) url.Values {
	t.Helper()
	u, err := url.Parse(r.want(t, http.StatusSeeOther).header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	if at := u.Scheme + "://" + u.Host + u.Path; at != redirect {
		t.Fatalf("redirected to %s", at)
	}
	return u.Query()
}

// code goes through the consent page.
func (f *fixture) code(t *testing.T) string {
	t.Helper()
	q := answer(t, f.form(t, "/oauth/authorize", "request", f.consent(t, request()), "decision", "approve", "account", "2"))
	if q.Get("code") == "" || q.Get("state") != "a state & more" || q.Get("iss") != f.url {
		t.Fatalf("the client is told %v", q)
	}
	return q.Get("code")
}

// exchange asks for tokens as the client.
func (f *fixture) exchange(t *testing.T, fields ...string) reply {
	t.Helper()
	return f.form(t, "/oauth/token", append([]string{"client_id", "id", "client_secret", "s&cret"}, fields...)...)
}

type tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	Expires int    `json:"expires_in"`
	Scope   string `json:"scope"`
}

func (f *fixture) redeem(t *testing.T, code string) reply {
	t.Helper()
	return f.exchange(t, "grant_type", "authorization_code", "code", code, "redirect_uri", redirect, "code_verifier", verifier)
}

func (f *fixture) renew(t *testing.T, token string) reply {
	t.Helper()
	return f.exchange(t, "grant_type", "refresh_token", "refresh_token", token)
}

// me asks the API whose token it is.
func (f *fixture) me(t *testing.T, access string) reply {
	t.Helper()
	return f.do(t, http.MethodGet, "/api/me", "", "Authorization", "Bearer "+access)
}
