package demo

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// consentLifetime is how long a consent page may stay open, codeLifetime how
	// long a code is good.
	consentLifetime = 10 * time.Minute
	codeLifetime    = time.Minute
	// maxWaiting bounds the consent pages and codes that are open at a time,
	// maxGrants the grants. The oldest makes room.
	maxWaiting = 1000
	maxGrants  = 10_000
)

// The scopes.
const (
	scopeRead  = "tickets:read"
	scopeWrite = "tickets:write"
	scopeUsers = "users:read"
)

func allScopes() []string { return []string{scopeRead, scopeWrite, scopeUsers} }

// authority keeps what the authorization server has promised to whom.
type authority struct {
	lifetime time.Duration
	now      func() time.Time

	mu       sync.Mutex
	consents map[string]consent
	codes    map[string]*code
	grants   map[string]*grant // by id
	access   map[string]*grant // by access token
}

// consent is an authorization request that a person is looking at.
type consent struct {
	redirectURI string
	// givenURI tells that the request named the redirect URI; the token request
	// must repeat it then (RFC 6749 §4.1.3).
	givenURI  bool
	state     string
	scopes    []string
	challenge string
	until     time.Time
}

// code is an authorization code. It is kept after its use, so that a second use
// is noticed.
type code struct {
	consent
	user  int
	until time.Time
	grant *grant // nil: not used yet
}

// grant is what a person has allowed. Refresh tokens carry its id, so one that
// was used before is known for what it is.
type grant struct {
	id      string
	user    int
	scopes  []string
	since   time.Time
	refresh string
	access  string
	// granted are the scopes of the access token, which a refresh may narrow.
	granted []string
	until   time.Time
}

func newAuthority(cfg Config) *authority {
	return &authority{
		lifetime: cfg.AccessLifetime, now: cfg.Now,
		consents: make(map[string]consent), codes: make(map[string]*code),
		grants: make(map[string]*grant), access: make(map[string]*grant),
	}
}

// ask keeps a request until the person has decided and returns its name.
func (a *authority) ask(c consent) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	c.until = a.now().Add(consentLifetime)
	makeRoom(a.consents, maxWaiting, func(c consent) time.Time { return c.until })
	id := rand.Text()
	a.consents[id] = c
	return id
}

// decided ends a request. It reports false when there is none, or not any more.
func (a *authority) decided(id string) (consent, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c, ok := a.consents[id]
	delete(a.consents, id)
	return c, ok && a.now().Before(c.until)
}

// allow makes the code that says yes to a request.
func (a *authority) allow(c consent, user int) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	makeRoom(a.codes, maxWaiting, func(c *code) time.Time { return c.until })
	text := "tkc_" + rand.Text()
	a.codes[text] = &code{consent: c, user: user, until: a.now().Add(codeLifetime)}
	return text
}

// redeem exchanges a code. A code that comes twice was seen by somebody it was
// not meant for: what came of it ends (RFC 6749 §4.1.2).
func (a *authority) redeem(text, redirectURI, verifier string) (issued, *oauthError) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c, ok := a.codes[text]
	switch {
	case !ok || !a.now().Before(c.until):
		return issued{}, grantError("the code is unknown or older than a minute")
	case c.grant != nil:
		a.end(c.grant)
		return issued{}, grantError("the code was used before; what it was exchanged for is revoked")
	case redirectURI != c.redirectURI && (c.givenURI || redirectURI != ""):
		return issued{}, grantError("redirect_uri is not the one of the authorization request")
	case !proves(verifier, c.challenge):
		return issued{}, grantError("code_verifier does not fit code_challenge")
	}
	c.grant = a.open(c.user, c.scopes)
	return a.tokens(c.grant, c.scopes), nil
}

// proves checks a code verifier by the method S256 (RFC 7636 §4.6).
func proves(verifier, challenge string) bool {
	if len(verifier) < 43 || len(verifier) > 128 {
		return false
	}
	sum := sha256.Sum256([]byte(verifier))
	return same(base64.RawURLEncoding.EncodeToString(sum[:]), challenge)
}

// same compares secrets in constant time.
func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// rotate exchanges a refresh token for a new pair. One that was exchanged before
// ends the grant: two parties hold it (RFC 9700 §4.14.2). No scopes means those
// of the grant.
func (a *authority) rotate(token string, scopes []string) (issued, *oauthError) {
	a.mu.Lock()
	defer a.mu.Unlock()
	g := a.grants[grantID(token)]
	switch {
	case g == nil:
		return issued{}, grantError("the refresh token is unknown or revoked")
	case !same(g.refresh, token):
		a.end(g)
		return issued{}, grantError("the refresh token was used before; the grant is revoked")
	}
	if len(scopes) == 0 {
		scopes = g.scopes
	}
	for _, s := range scopes {
		if !slices.Contains(g.scopes, s) {
			return issued{}, &oauthError{Code: "invalid_scope", Description: "the grant does not include " + s}
		}
	}
	return a.tokens(g, scopes), nil
}

// issue makes a grant and its first pair without a person.
func (a *authority) issue(user int, scopes []string) Tokens {
	a.mu.Lock()
	defer a.mu.Unlock()
	pair := a.tokens(a.open(user, scopes), scopes)
	return Tokens{Access: pair.AccessToken, Refresh: pair.RefreshToken}
}

// open makes a grant; a.mu is held.
func (a *authority) open(user int, scopes []string) *grant {
	if len(a.grants) >= maxGrants {
		a.end(a.grants[earliest(a.grants, func(g *grant) time.Time { return g.since })])
	}
	g := &grant{id: rand.Text(), user: user, scopes: scopes, since: a.now()}
	a.grants[g.id] = g
	return g
}

// tokens makes the next pair of a grant and ends the last one; a.mu is held.
func (a *authority) tokens(g *grant, scopes []string) issued {
	delete(a.access, g.access)
	g.access = "tka_" + rand.Text()
	g.refresh = "tkr_" + g.id + "_" + rand.Text()
	g.granted = scopes
	g.until = a.now().Add(a.lifetime)
	a.access[g.access] = g
	return issued{
		AccessToken: g.access, RefreshToken: g.refresh, TokenType: "Bearer",
		ExpiresIn: int(a.lifetime.Seconds()), Scope: strings.Join(scopes, " "), Workspace: workspace,
	}
}

// grantID returns the grant that a refresh token names.
func grantID(token string) string {
	id, _, _ := strings.Cut(strings.TrimPrefix(token, "tkr_"), "_")
	return id
}

// end revokes a grant with its tokens; a.mu is held.
func (a *authority) end(g *grant) {
	delete(a.access, g.access)
	delete(a.grants, g.id)
}

// revoke ends the grant of a token of either kind. An unknown token is no error
// (RFC 7009 §2.2).
func (a *authority) revoke(token string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if g := a.access[token]; g != nil {
		a.end(g)
		return
	}
	if g := a.grants[grantID(token)]; g != nil && same(g.refresh, token) {
		a.end(g)
	}
}

// expire ends an access token before its time.
func (a *authority) expire(access string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.access, access)
}

// holder returns who a live access token speaks for.
func (a *authority) holder(access string) (caller, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	g := a.access[access]
	if g == nil || !a.now().Before(g.until) {
		return caller{}, false
	}
	return caller{id: "grant " + g.id, user: g.user, scopes: g.granted}, true
}

// makeRoom removes the entry that ends first when a map is full.
func makeRoom[V any](m map[string]V, most int, until func(V) time.Time) {
	if len(m) >= most {
		delete(m, earliest(m, until))
	}
}

// earliest returns the key of the value with the smallest time.
func earliest[V any](m map[string]V, at func(V) time.Time) string {
	var first string
	for key, v := range m {
		if first == "" || at(v).Before(at(m[first])) {
			first = key
		}
	}
	return first
}
