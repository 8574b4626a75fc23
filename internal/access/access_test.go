package access_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/access"
	"github.com/linkspan/linkspan/internal/change"
)

// pass lets the bubble's clock run; no real time passes.
func pass(d time.Duration) { <-time.After(d) }

// start returns a service whose feed and writer run until the test ends.
func start(tb testing.TB, store *fakeStore) *access.Service {
	tb.Helper()
	log := slog.New(slog.DiscardHandler)
	feed := change.NewFeed(store, log)
	s := access.New(access.Config{Store: store, Feed: feed, Log: log})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = feed.Run(ctx) })
	running.Go(func() { _ = s.Run(ctx) })
	tb.Cleanup(func() { cancel(); running.Wait() })
	for !feed.Fresh() {
		if ctx.Err() != nil {
			tb.Fatal("the feed did not start")
		}
		synctestWait(tb)
	}
	return s
}

func request(authorization string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	return r
}

var anyEnvironmentKey = access.Want{Environment: true}

func newKey(tb testing.TB, s *access.Service, in access.NewKey) (linkspan.APIKey, string) {
	tb.Helper()
	if in.AccountID == 0 {
		in.AccountID = 1
	}
	key, secret, err := s.CreateKey(context.Background(), nil, in)
	if err != nil {
		tb.Fatal(err)
	}
	return key, secret.Reveal()
}

func newSession(tb testing.TB, store *fakeStore, expires time.Time) string {
	tb.Helper()
	token, hash := access.NewSessionToken()
	store.set(func() {
		store.sessions[hash] = linkspan.ConnectSession{ID: 1, EnvironmentID: 7, Hash: hash, ExpiresAt: expires, AllowedIntegrations: []string{"gh"}}
	})
	return token.Reveal()
}

func TestAuthenticateRefuses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newStore()
		s := start(t, store)
		_, envKey := newKey(t, s, access.NewKey{EnvironmentID: 7, DisplayName: "e", Scopes: []string{"environment:proxy"}})
		_, accountKey := newKey(t, s, access.NewKey{DisplayName: "a"})
		session := newSession(t, store, time.Now().Add(time.Minute))
		expired := newSession(t, store, time.Now())
		envOrSession := access.Want{Environment: true, Session: true}
		tests := []struct {
			name, header string
			want         access.Want
			kind         linkspan.Kind
			code         string
			message      string // exact, when the contract fixes it
		}{
			{"no header", "", anyEnvironmentKey, linkspan.KindUnauthenticated, "missing_auth_header", ""},
			{"no token", "Bearer ", anyEnvironmentKey, linkspan.KindUnauthenticated, "malformed_auth_header", ""},
			{"only scheme", "Bearer", anyEnvironmentKey, linkspan.KindUnauthenticated, "malformed_auth_header", ""},
			{"other scheme", "Basic abc", anyEnvironmentKey, linkspan.KindUnauthenticated, "malformed_auth_header", ""},
			{"not a uuid", "Bearer abc", anyEnvironmentKey, linkspan.KindUnauthenticated, "invalid_secret_key_format", ""},
			{"uuid v1", "Bearer 00000000-0000-1000-8000-000000000000", anyEnvironmentKey, linkspan.KindUnauthenticated, "invalid_secret_key_format", ""},
			{"unknown", "Bearer " + linkspan.NewUUID(), anyEnvironmentKey, linkspan.KindUnauthenticated, "unknown_account", ""},
			{"session where none is accepted", "Bearer " + session, anyEnvironmentKey, linkspan.KindUnauthenticated, "invalid_secret_key_format", ""},
			{"key where only sessions are", "Bearer " + envKey, access.Want{Session: true}, linkspan.KindUnauthenticated, "invalid_connect_session_token_format", ""},
			{"session too short", "Bearer nango_connect_session_abc", envOrSession, linkspan.KindUnauthenticated, "invalid_connect_session_token_format", ""},
			{"session not hex", "Bearer nango_connect_session_" + strings.Repeat("G", 64), envOrSession, linkspan.KindUnauthenticated, "invalid_connect_session_token_format", ""},
			{"session unknown", "Bearer nango_connect_session_" + strings.Repeat("0", 64), envOrSession, linkspan.KindUnauthenticated, "unknown_connect_session_token", ""},
			{"session expired", "Bearer " + expired, envOrSession, linkspan.KindUnauthenticated, "unknown_connect_session_token", ""},
			{"account key for an environment", "Bearer " + accountKey, anyEnvironmentKey, linkspan.KindForbidden, "forbidden", "API key is not authorized for an environment"},
			{"environment key for the account", "Bearer " + envKey, access.Want{Account: true}, linkspan.KindForbidden, "forbidden", ""},
			{"scope", "Bearer " + envKey, access.Want{Environment: true, Scopes: []string{"environment:x"}}, linkspan.KindForbidden, "forbidden", "Insufficient scope. Required: environment:x"},
			{"scopes", "Bearer " + envKey, access.Want{Environment: true, Scopes: []string{"x", "y"}}, linkspan.KindForbidden, "forbidden", "Insufficient scope. Required one of: x or y"},
			{"session without scope", "Bearer " + session, access.Want{Session: true, Scopes: []string{linkspan.ScopeIntegrationsCreate}}, linkspan.KindForbidden, "forbidden", ""},
		}
		for _, tt := range tests {
			p, err := authenticate(t.Context(), s, request(tt.header), tt.want)
			e, ok := errors.AsType[*linkspan.Error](err)
			if !ok || p != nil {
				t.Errorf("%s: got %v, %v", tt.name, p, err)
				continue
			}
			if e.Kind != tt.kind || e.Code != tt.code || tt.message != "" && e.Msg != tt.message || e.Msg == "" {
				t.Errorf("%s: got %s %s %q, want %s %s %q", tt.name, e.Kind, e.Code, e.Msg, tt.kind, tt.code, tt.message)
			}
			for _, secret := range []string{envKey, accountKey, session, expired} {
				if strings.Contains(e.Error(), secret) {
					t.Errorf("%s: the error holds the secret", tt.name)
				}
			}
		}
	})
}

func TestAuthenticateAdmits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newStore()
		s := start(t, store)
		key, envKey := newKey(t, s, access.NewKey{EnvironmentID: 7, DisplayName: "e", Scopes: []string{"environment:connections:*"}})
		account, accountKey := newKey(t, s, access.NewKey{DisplayName: "a"})
		session := newSession(t, store, time.Now().Add(time.Minute))
		read := []string{linkspan.ScopeConnectionsRead, linkspan.ScopeConnectionsReadCreds}
		tests := []struct {
			name, header string
			want         access.Want
			kind         access.PrincipalKind
			key          linkspan.APIKeyID
			env          linkspan.EnvironmentID
		}{
			{"key", "Bearer " + envKey, access.Want{Environment: true, Scopes: read}, access.EnvironmentKey, key.ID, 7},
			{"upper case", "bearer  " + strings.ToUpper(envKey), anyEnvironmentKey, access.EnvironmentKey, key.ID, 7},
			{"key or session", "Bearer " + envKey, access.Want{Environment: true, Session: true}, access.EnvironmentKey, key.ID, 7},
			{"account", "Bearer " + accountKey, access.Want{Account: true, Scopes: []string{linkspan.ScopeAccountKeysList}}, access.AccountKey, account.ID, 0},
			{"either", "Bearer " + accountKey, access.Want{Account: true, Environment: true}, access.AccountKey, account.ID, 0},
			{"session", "Bearer " + session, access.Want{Environment: true, Session: true, Scopes: []string{linkspan.ScopeIntegrationsListCreds, linkspan.ScopeIntegrationsList}}, access.Session, 0, 7},
		}
		for _, tt := range tests {
			p, err := authenticate(t.Context(), s, request(tt.header), tt.want)
			if err != nil {
				t.Errorf("%s: %v", tt.name, err)
				continue
			}
			if p.Kind != tt.kind || p.AccountID != 1 || p.KeyID != tt.key || p.Environment.ID != tt.env || (p.Session != nil) != (tt.kind == access.Session) {
				t.Errorf("%s: got %s account %d key %d environment %d session %v", tt.name, p.Kind, p.AccountID, p.KeyID, p.Environment.ID, p.Session)
			}
			if got := access.PrincipalFrom(access.WithPrincipal(t.Context(), p)); got != p {
				t.Errorf("%s: the context does not return the principal", tt.name)
			}
		}
		if access.PrincipalFrom(t.Context()) != nil {
			t.Error("a principal out of nothing")
		}
	})
}

func TestHitsNeedNoLookup(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newStore()
		s := start(t, store)
		_, key := newKey(t, s, access.NewKey{EnvironmentID: 7})
		pass(time.Second) // the feed reads the creation
		for _, header := range []string{"Bearer " + key, "Bearer " + linkspan.NewUUID()} {
			store.set(func() { store.lookups = 0 })
			for range 10 {
				_, _ = authenticate(t.Context(), s, request(header), anyEnvironmentKey)
			}
			if store.lookups != 1 {
				t.Errorf("%d lookups for ten calls, want 1", store.lookups)
			}
		}
	})
}

func TestRevocationElsewhere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newStore()
		here, there := start(t, store), start(t, store)
		key, text := newKey(t, there, access.NewKey{EnvironmentID: 7, DisplayName: "k"})
		admitted := func() bool {
			_, err := authenticate(t.Context(), here, request("Bearer "+text), anyEnvironmentKey)
			return err == nil
		}
		if !admitted() {
			t.Fatal("a new key does not work")
		}
		if err := there.DeleteKey(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		if !admitted() {
			t.Error("the principal was not cached, so this test shows nothing")
		}
		pass(time.Second)
		if admitted() {
			t.Error("a deleted key works after a second")
		}
		// The environment goes: its keys go with it.
		_, text = newKey(t, there, access.NewKey{EnvironmentID: 7, DisplayName: "k2"})
		if !admitted() {
			t.Fatal("a new key does not work")
		}
		store.set(func() {
			delete(store.envs, 7)
			store.record(linkspan.ChangeEnvironment, "env-7")
		})
		pass(time.Second)
		if admitted() {
			t.Error("a key of a deleted environment works after a second")
		}
	})
}

func TestKeyCreatedDuringItsLookupIsNotRememberedAsAbsent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newStore()
		s := start(t, store)
		secret := linkspan.NewSecret(linkspan.NewUUID())
		store.duringGet = func() {
			store.set(func() { store.duringGet = nil })
			newKey(t, s, access.NewKey{EnvironmentID: 7, Secret: secret})
			pass(time.Second) // the feed reads the creation
		}
		for range 2 { // the first call was overtaken, the second must see the key
			_, _ = authenticate(t.Context(), s, request("Bearer "+secret.Reveal()), anyEnvironmentKey)
		}
		if _, err := authenticate(t.Context(), s, request("Bearer "+secret.Reveal()), anyEnvironmentKey); err != nil {
			t.Errorf("the key is still unknown: %v", err)
		}
	})
}

func TestAbsenceIsForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newStore()
		s := start(t, store)
		secret := linkspan.NewUUID()
		authenticate := func() error {
			_, err := authenticate(t.Context(), s, request("Bearer "+secret), anyEnvironmentKey)
			return err
		}
		if linkspan.CodeOf(authenticate()) != "unknown_account" {
			t.Fatal("a key out of nothing")
		}
		hash, _ := access.HashKey(secret)
		store.set(func() { store.keys[hash] = linkspan.APIKey{ID: 1, AccountID: 1, EnvironmentID: 7} }) // with no change row
		if linkspan.CodeOf(authenticate()) != "unknown_account" {
			t.Error("the absence was not remembered, so this test shows nothing")
		}
		pass(31 * time.Second)
		if err := authenticate(); err != nil {
			t.Errorf("after half a minute: %v", err)
		}
	})
}

func TestFailsClosed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newStore()
		s := start(t, store)
		_, key := newKey(t, s, access.NewKey{EnvironmentID: 7})
		authenticate := func(token string) error {
			_, err := authenticate(t.Context(), s, request("Bearer "+token), anyEnvironmentKey)
			return err
		}
		pass(time.Second)
		if err := authenticate(key); err != nil {
			t.Fatal(err)
		}
		store.set(func() { store.fail = errors.New("connection refused") })
		if err := authenticate(key); err != nil {
			t.Errorf("a cached key right after the database went away: %v", err)
		}
		if err := authenticate(linkspan.NewUUID()); linkspan.KindOf(err) != linkspan.KindUnavailable {
			t.Errorf("an unknown key without a database: %v", err)
		}
		pass(6 * time.Second)
		if err := authenticate(key); linkspan.KindOf(err) != linkspan.KindUnavailable {
			t.Errorf("a cached key six seconds later: %v", err)
		}
		store.set(func() { store.fail = nil })
		pass(time.Second)
		if err := authenticate(key); err != nil {
			t.Errorf("after recovery: %v", err)
		}
	})
}

func TestLastUsedIsWrittenBehind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newStore()
		s := start(t, store)
		key, text := newKey(t, s, access.NewKey{EnvironmentID: 7})
		use := func() {
			if _, err := authenticate(t.Context(), s, request("Bearer "+text), anyEnvironmentKey); err != nil {
				t.Fatal(err)
			}
		}
		pass(time.Second)
		first := time.Now()
		for range 30 {
			use()
			pass(time.Second)
		}
		if got, writes := store.seen(key.ID); !got.Equal(first) || writes != 1 {
			t.Errorf("used at %v, %d writes; want %v and one write", got, writes, first)
		}
		pass(time.Minute)
		second := time.Now()
		use()
		pass(15 * time.Second)
		if got, writes := store.seen(key.ID); !got.Equal(second) || writes != 2 {
			t.Errorf("used at %v, %d writes; want %v and two writes", got, writes, second)
		}
	})
}

func TestLastUsedSurvivesFailureAndEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newStore()
		log := slog.New(slog.DiscardHandler)
		feed := change.NewFeed(store, log)
		s := access.New(access.Config{Store: failingTouch{store}, Feed: feed, Log: log})
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = feed.Run(ctx) })
		running.Go(func() { _ = s.Run(ctx) })
		synctest.Wait()
		key, text := newKey(t, s, access.NewKey{EnvironmentID: 7})
		if _, err := authenticate(ctx, s, request("Bearer "+text), anyEnvironmentKey); err != nil {
			t.Fatal(err)
		}
		used := time.Now()
		pass(11 * time.Second) // the first write fails
		if got, writes := store.seen(key.ID); writes != 1 || !got.IsZero() {
			t.Fatalf("%d writes, used at %v", writes, got)
		}
		cancel()
		running.Wait()
		if got, _ := store.seen(key.ID); !got.Equal(used) {
			t.Errorf("used at %v, want %v", got, used)
		}
	})
}

// failingTouch fails the first write.
type failingTouch struct{ *fakeStore }

func (f failingTouch) TouchAPIKeys(ctx context.Context, tx linkspan.Tx, used map[linkspan.APIKeyID]time.Time) error {
	first := false
	f.set(func() {
		if first = f.touches == 0; first {
			f.touches++
		}
	})
	if first {
		return errors.New("down")
	}
	return f.fakeStore.TouchAPIKeys(ctx, tx, used)
}

func TestKeys(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newStore()
		s := start(t, store)
		key, text := newKey(t, s, access.NewKey{EnvironmentID: 7, DisplayName: "k"})
		if diff := cmp.Diff([]string{linkspan.ScopeEnvironmentAll}, key.Scopes); diff != "" || !linkspan.IsUUIDv4(text) || !linkspan.IsUUIDv4(key.UUID) {
			t.Errorf("key %+v", key)
		}
		_, _, err := s.CreateKey(t.Context(), nil, access.NewKey{AccountID: 1, EnvironmentID: 7, DisplayName: "k"})
		if linkspan.KindOf(err) != linkspan.KindConflict || linkspan.CodeOf(err) != "conflict" {
			t.Errorf("a taken name: %v", err)
		}
		_, _, err = s.CreateKey(t.Context(), nil, access.NewKey{AccountID: 1, EnvironmentID: 7, Secret: linkspan.NewSecret("short")})
		if linkspan.KindOf(err) != linkspan.KindInvalid || strings.Contains(err.Error(), "short") {
			t.Errorf("a malformed key: %v", err)
		}
		if got, err := s.Key(t.Context(), 1, 7, key.UUID); err != nil || got.ID != key.ID {
			t.Errorf("Key = %v, %v", got, err)
		}
		if got, err := s.KeyByID(t.Context(), 1, 7, key.ID); err != nil || got.UUID != key.UUID {
			t.Errorf("KeyByID = %v, %v", got, err)
		}
		if keys, err := s.Keys(t.Context(), 1, 7, "k"); err != nil || len(keys) != 1 {
			t.Errorf("Keys = %v, %v", keys, err)
		}
		for name, err := range map[string]error{
			"other environment": func() error { _, err := s.Key(t.Context(), 1, 8, key.UUID); return err }(),
			"other account":     func() error { _, err := s.KeyByID(t.Context(), 2, 7, key.ID); return err }(),
		} {
			if linkspan.CodeOf(err) != "not_found" {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestPurgeSessions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newStore()
		s := start(t, store)
		newSession(t, store, time.Now().Add(-2*time.Hour))
		newSession(t, store, time.Now().Add(-time.Minute))
		if n, err := s.PurgeSessions(t.Context(), 10); n != 1 || err != nil || len(store.sessions) != 1 {
			t.Errorf("purged %d, %v; %d left", n, err, len(store.sessions))
		}
	})
}

func TestValidateScopes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		scope   string
		account bool
		ok      bool
	}{
		{"environment:*", false, true},
		{"environment:connections:*", false, true},
		{"environment:syncs:variant:*", false, true},
		{"environment:proxy", false, true},
		{"environment:records:read", false, true},
		{"account:*", true, true},
		{"account:environments:api_keys:*", true, true},
		{"account:*", false, false},
		{"environment:*", true, false},
		{"environment:", false, false},
		{"environment:connection:*", false, false},
		{"environment:connections:rea*", false, false},
		{"environment:proxy:*", false, false},
		{"*", false, false},
		{"", false, false},
	}
	for _, tt := range tests {
		err := access.ValidateScopes([]string{tt.scope}, tt.account)
		if (err == nil) != tt.ok {
			t.Errorf("ValidateScopes(%q, %t) = %v, want ok %t", tt.scope, tt.account, err, tt.ok)
		}
		if e, is := errors.AsType[*linkspan.Error](err); err != nil && (!is || e.Code != "invalid_body" || len(e.Issues) != 1) {
			t.Errorf("%q: error %v", tt.scope, err)
		}
	}
}

func TestHashes(t *testing.T) {
	t.Parallel()
	const key = "AAAAAAAA-bbbb-4CCC-8ddd-EEEEEEEEEEEE"
	upper, ok1 := access.HashKey(key)
	lower, ok2 := access.HashKey(strings.ToLower(key))
	if !ok1 || !ok2 || upper != lower {
		t.Error("the case of a key matters")
	}
	token, hash := access.NewSessionToken()
	if got, ok := access.HashSessionToken(token.Reveal()); !ok || got != hash {
		t.Error("a new session token does not hash to its hash")
	}
}

func BenchmarkAuthenticate(b *testing.B) {
	store := newStore()
	s := start(b, store)
	_, key := newKey(b, s, access.NewKey{EnvironmentID: 7, Scopes: []string{linkspan.ScopeProxy}})
	r := request("Bearer " + key)
	want := access.Want{Environment: true, Scopes: []string{linkspan.ScopeProxy}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := authenticate(b.Context(), s, r, want); err != nil {
			b.Fatal(err)
		}
	}
}
