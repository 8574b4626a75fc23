package apptest

import (
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// Authority is an OAuth 2 authorization server. Each refresh token works once:
// using it yields a new pair and ends the old one. Its access tokens are valid
// until a refresh replaces them.
type Authority struct {
	// URL is the base URL, without a slash at its end; tokens are at /token.
	URL string
	// ClientID and ClientSecret are the only client it knows.
	ClientID, ClientSecret string
	// Lifetime is the expires_in of new tokens; an hour when zero.
	Lifetime time.Duration
	// Tolerant makes it answer a refresh token that was just used with the pair
	// it was already exchanged for, as servers with a grace period do.
	Tolerant bool
	// Delay is how long it takes over an exchange.
	Delay time.Duration
	// BeforeAnswer is called after the tokens have changed and before a byte of
	// the answer is sent. It may hold the answer. Set it before the first call.
	BeforeAnswer func(r *http.Request)
	// AfterAnswer is called when the whole answer is on the wire.
	AfterAnswer func(r *http.Request)

	mu       sync.Mutex
	live     map[string]bool   // access tokens
	refresh  map[string]string // refresh token → the access token it came with
	spent    map[string]Tokens // used refresh token → what it was exchanged for
	calls    int
	failures []fault
}

// Tokens is one pair.
type Tokens struct{ Access, Refresh string }

type fault struct {
	status int
	body   string
}

// NewAuthority starts an Authority that stops with the test.
func NewAuthority(t testing.TB) *Authority {
	t.Helper()
	a := &Authority{
		ClientID:     "client-" + strings.ToLower(rand.Text()),
		ClientSecret: "client-secret-" + rand.Text(),
		live:         make(map[string]bool),
		refresh:      make(map[string]string),
		spent:        make(map[string]Tokens),
	}
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	a.URL = server.URL
	return a
}

// Issue makes a pair as a finished authorization would.
func (a *Authority) Issue() Tokens {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.issue()
}

// issue makes a pair; a.mu is held.
func (a *Authority) issue() Tokens {
	t := Tokens{Access: "access-" + rand.Text(), Refresh: "refresh-" + rand.Text()}
	a.live[t.Access] = true
	a.refresh[t.Refresh] = t.Access
	return t
}

// Expire ends an access token; its refresh token stays good.
func (a *Authority) Expire(access string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.live, access)
}

// Admits reports whether an Authorization header carries a live access token.
func (a *Authority) Admits(authorization string) bool {
	token, ok := strings.CutPrefix(authorization, "Bearer ")
	a.mu.Lock()
	defer a.mu.Unlock()
	return ok && a.live[token]
}

// Calls counts the requests to the token endpoint.
func (a *Authority) Calls() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.calls
}

// Issued returns every token the authority knows of, spent ones included.
func (a *Authority) Issued() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var all []string
	for token := range a.live {
		all = append(all, token)
	}
	for token, access := range a.refresh {
		all = append(all, token, access)
	}
	for token := range a.spent {
		all = append(all, token)
	}
	return all
}

// FailNext makes one later call answer with a status and body, in order, and
// change nothing.
func (a *Authority) FailNext(status int, body string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.failures = append(a.failures, fault{status, body})
}

// ServeHTTP implements http.Handler.
func (a *Authority) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status, body := a.exchange(r)
	if a.Delay > 0 {
		select {
		case <-time.After(a.Delay):
		case <-r.Context().Done():
		}
	}
	if a.BeforeAnswer != nil && status == http.StatusOK {
		a.BeforeAnswer(r)
	}
	if text, ok := body.(string); ok {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(text))
		return
	}
	reply(w, status, body)
	_ = http.NewResponseController(w).Flush()
	if a.AfterAnswer != nil && status == http.StatusOK {
		a.AfterAnswer(r)
	}
}

// exchange handles one token request and says what to answer.
func (a *Authority) exchange(r *http.Request) (status int, body any) {
	if err := r.ParseForm(); err != nil || r.URL.Path != "/token" || r.Method != http.MethodPost {
		return http.StatusNotFound, "not here"
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls++
	if len(a.failures) > 0 {
		f := a.failures[0]
		a.failures = a.failures[1:]
		return f.status, f.body
	}
	if !a.knows(r) {
		return http.StatusUnauthorized, map[string]string{"error": "invalid_client"}
	}
	if r.PostForm.Get("grant_type") != "refresh_token" {
		return http.StatusBadRequest, map[string]string{"error": "unsupported_grant_type"}
	}
	next, ok := a.rotate(r.PostForm.Get("refresh_token"))
	if !ok {
		return http.StatusBadRequest, map[string]string{"error": "invalid_grant"}
	}
	lifetime := a.Lifetime
	if lifetime == 0 {
		lifetime = time.Hour
	}
	return http.StatusOK, map[string]any{
		"access_token": next.Access, "refresh_token": next.Refresh,
		"token_type": "bearer", "expires_in": int(lifetime.Seconds()),
	}
}

// knows checks the client's own credentials; a.mu is held.
func (a *Authority) knows(r *http.Request) bool {
	id, secret, ok := r.BasicAuth()
	if !ok {
		id, secret = r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	}
	return id == a.ClientID && secret == a.ClientSecret
}

// rotate exchanges a refresh token; a.mu is held.
func (a *Authority) rotate(token string) (Tokens, bool) {
	access, ok := a.refresh[token]
	if !ok {
		if again, was := a.spent[token]; was && a.Tolerant {
			return again, true
		}
		return Tokens{}, false
	}
	delete(a.refresh, token)
	delete(a.live, access)
	next := a.issue()
	a.spent[token] = next
	return next, true
}
