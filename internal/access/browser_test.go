package access_test

import (
	"context"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/access"
)

func browserRequest(query string) *http.Request {
	return httptest.NewRequest(http.MethodGet, "/oauth/connect/gh?"+query, nil)
}

func TestBrowserRefuses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newStore()
		open, closed := linkspan.NewUUID(), linkspan.NewUUID()
		store.set(func() {
			store.envs[7] = linkspan.Environment{ID: 7, UUID: "seven", AccountID: 1, PublicKey: open, Settings: linkspan.EnvironmentSettings{PublicKeyEnabled: true}}
			store.envs[8] = linkspan.Environment{ID: 8, UUID: "eight", AccountID: 1, PublicKey: closed}
		})
		s := start(t, store)
		session := newSession(t, store, time.Now().Add(time.Minute))
		expired := newSession(t, store, time.Now())
		for _, tt := range []struct {
			name, query string
			kind        access.PrincipalKind
			code        string
		}{
			{"session", "connect_session_token=" + session, access.Session, ""},
			{"session before public key", "public_key=" + open + "&connect_session_token=" + session, access.Session, ""},
			{"public key", "public_key=" + open, access.PublicKey, ""},
			{"public key in upper case", "public_key=" + strings.ToUpper(open), access.PublicKey, ""},
			{"nothing", "", "", "missing_public_key"},
			{"public key of another shape", "public_key=x", "", "invalid_public_key"},
			{"unknown public key", "public_key=" + linkspan.NewUUID(), "", "unknown_account"},
			{"switched off", "public_key=" + closed, "", "deprecated_authentication"},
			{"token of another shape", "connect_session_token=x", "", "invalid_connect_session_token_format"},
			{"unknown token", "connect_session_token=nango_connect_session_" + strings.Repeat("0", 64), "", "unknown_connect_session_token"},
			{"expired token", "connect_session_token=" + expired, "", "unknown_connect_session_token"},
			{"malformed", "public_key=%zz", "", "missing_public_key"},
			{"other parameters as typed", "params[a]=50%&params[b]=x;y&public_key=" + open, access.PublicKey, ""},
		} {
			p, err := s.Browser(t.Context(), browserRequest(tt.query))
			if linkspan.CodeOf(err) != tt.code || (err != nil) != (tt.code != "") {
				t.Errorf("%s: error %v, want code %q", tt.name, err, tt.code)
				continue
			}
			if err == nil && (p.Kind != tt.kind || p.Environment.ID != 7 || len(p.Scopes) > 0 && tt.kind == access.PublicKey) {
				t.Errorf("%s: principal %+v", tt.name, p)
			}
		}
	})
}

// A public key opens nothing but the routes for browsers.
func TestPublicKeyIsNoKey(t *testing.T) {
	t.Parallel()
	p := &access.Principal{Kind: access.PublicKey}
	for _, want := range []access.Want{{Environment: true}, {Account: true}, {Session: true}, {Environment: true, Session: true}} {
		if err := want.Admits(p); linkspan.KindOf(err) != linkspan.KindForbidden {
			t.Errorf("%+v admits it: %v", want, err)
		}
	}
	if err := (access.Want{Browser: true}).Admits(p); err != nil {
		t.Error(err)
	}
	if err := (access.Want{Browser: true}).Admits(&access.Principal{Kind: access.EnvironmentKey}); err == nil {
		t.Error("an API key is taken for a browser")
	}
}

func TestBrowserFollowsChanges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store, key := newStore(), linkspan.NewUUID()
		env := linkspan.Environment{ID: 7, UUID: "seven", PublicKey: key, Settings: linkspan.EnvironmentSettings{PublicKeyEnabled: true}}
		store.set(func() { store.envs[7] = env })
		s := start(t, store)
		session := newSession(t, store, time.Now().Add(time.Hour))
		query := "public_key=" + key
		for range 3 {
			if _, err := s.Browser(t.Context(), browserRequest(query)); err != nil {
				t.Fatal(err)
			}
			if _, err := s.SessionByToken(t.Context(), session); err != nil {
				t.Fatal(err)
			}
		}
		if store.lookups != 2 {
			t.Errorf("%d lookups, want one for each", store.lookups)
		}

		env.Settings.PublicKeyEnabled = false
		store.set(func() {
			store.envs[7] = env
			store.record(linkspan.ChangeEnvironment, env.UUID)
			for hash := range store.sessions {
				delete(store.sessions, hash)
				store.record(linkspan.ChangeConnectSession, hex.EncodeToString(hash[:]))
			}
		})
		pass(time.Second)
		if _, err := s.Browser(t.Context(), browserRequest(query)); linkspan.CodeOf(err) != "deprecated_authentication" {
			t.Errorf("after it was switched off: %v", err)
		}
		if _, err := s.SessionByToken(t.Context(), session); linkspan.CodeOf(err) != "unknown_connect_session_token" {
			t.Errorf("after the session's end: %v", err)
		}
		store.set(func() { store.fail = context.DeadlineExceeded })
		pass(10 * time.Second)
		if _, err := s.Browser(t.Context(), browserRequest(query)); linkspan.KindOf(err) != linkspan.KindUnavailable {
			t.Errorf("without a database: %v", err)
		}
	})
}
