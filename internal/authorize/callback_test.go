package authorize_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/authorize"
	"github.com/linkspan/linkspan/internal/connect"
	"github.com/linkspan/linkspan/internal/credential"
	"github.com/linkspan/linkspan/internal/oauth"
)

func TestCallbackConnects(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.grant.Captured = map[string]any{"team": "captured", "region": "us"}
	p := w.session(authorize.SessionInput{
		Tags: map[string]string{"Plan": "pro"}, EndUser: &linkspan.EndUser{ID: "u1"}, WebhookURLOverride: "https://hooks.example.com/x",
	})
	in, b := acme(), browser{}
	in.Lang = "pt-BR"
	in.Params["webhook_url"] = "https://evil.example/"
	page := w.begin(p, in, b)
	r := w.Callback(t.Context(), back(page), b.cookie)
	if !r.Success || r.Status != http.StatusOK || r.IntegrationKey != "acme" || r.ProviderName != "Acme" || r.Lang != "pt-BR" {
		t.Fatalf("result %+v", r)
	}
	if _, has := b[r.ClearCookie]; !has {
		t.Error("the cookie is not cleared")
	}
	x := w.exchanges[0]
	if x.Code != code || x.RedirectURI != "https://api.example.com/oauth/callback" || x.RedirectURI != page.Get("redirect_uri") || x.CodeVerifier == "" {
		t.Errorf("exchanged %+v", x)
	}
	a := w.authorized[0]
	if a.Name != r.ConnectionName || !linkspan.IsUUIDv4(a.Name) || a.PopupID != in.PopupID || a.Operation != p.Session.Operation {
		t.Errorf("authorized %+v", a)
	}
	// What the caller gave stands above what was captured, that above nothing.
	want := map[string]any{"subdomain": "shop", "region": "eu", "team": "captured"}
	if diff := cmp.Diff(want, a.ConnectionConfig); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]any{"subdomain": "shop", "region": "eu"}, a.Given); diff != "" {
		t.Errorf("given (-want +got):\n%s", diff)
	}
	if a.Tags["plan"] != "pro" || a.EndUser.ID != "u1" || *a.WebhookURLOverride != "https://hooks.example.com/x" {
		t.Errorf("owner %v %v %v", a.Tags, a.EndUser, a.WebhookURLOverride)
	}
	if got := w.popup(in.PopupID); got != "" {
		t.Errorf("the page was told by somebody else than the connection: %s", got)
	}
}

// Every way in which somebody who is not the user could try to get an account
// connected, or somebody else's: refused and logged, and nothing is exchanged.
func TestCallbackRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		// attack changes what comes back, and the browser that it comes from.
		attack func(w *world, query url.Values, b browser) browser
		code   string
		// told is whether the waiting page hears of it, logged what the log says.
		told   bool
		logged string
	}{
		"callback without state": {
			func(_ *world, q url.Values, b browser) browser { q.Del("state"); return b }, authorize.CodeState, false, "no state",
		},
		"unknown state": {
			func(_ *world, q url.Values, b browser) browser { q.Set("state", strings.Repeat("0", 64)); return b }, authorize.CodeState, false, "unknown state",
		},
		"oversized state": {
			func(_ *world, q url.Values, b browser) browser { q.Set("state", strings.Repeat("x", 1<<20)); return b }, authorize.CodeState, false, "no state",
		},
		"another browser": {
			func(*world, url.Values, browser) browser { return browser{} }, authorize.CodeStateCookie, false, "another browser",
		},
		"code injected into another authorization": {
			// The attacker's own code and state, in the browser of a user who has
			// an authorization under way.
			func(w *world, _ url.Values, _ browser) browser {
				victim := browser{}
				w.begin(w.session(authorize.SessionInput{}), acme(), victim)
				return victim
			}, authorize.CodeStateCookie, false, "another browser",
		},
		"cookie of another authorization": {
			func(w *world, _ url.Values, b browser) browser {
				other := browser{}
				w.begin(w.session(authorize.SessionInput{}), acme(), other)
				for name := range b {
					for _, value := range other {
						b[name] = value
					}
				}
				return b
			}, authorize.CodeStateCookie, false, "another browser",
		},
		"oversized cookie": {
			func(_ *world, _ url.Values, b browser) browser {
				for name := range b {
					b[name] += strings.Repeat("x", 1<<20)
				}
				return b
			}, authorize.CodeStateCookie, false, "another browser",
		},
		"expired": {
			func(w *world, _ url.Values, b browser) browser { w.now = w.now.Add(time.Hour); return b }, authorize.CodeState, true, "expired",
		},
		"state replayed": {
			func(w *world, q url.Values, b browser) browser {
				w.Callback(w.t.Context(), url.Values{"state": q["state"], "error": {"access_denied"}}, b.cookie)
				return b
			}, authorize.CodeState, true, "used before",
		},
		"mixed-up issuer": {
			func(w *world, q url.Values, b browser) browser {
				w.issuerErr = linkspan.E("test", linkspan.KindForbidden, authorize.CodeCallback, nil, "another authorization server")
				q.Set("iss", "https://evil.example")
				return b
			}, authorize.CodeCallback, true, "another issuer",
		},
		"mixed-up issuer of an error": {
			func(w *world, q url.Values, b browser) browser {
				w.issuerErr = linkspan.E("test", linkspan.KindForbidden, authorize.CodeCallback, nil, "another authorization server")
				q.Set("iss", "https://evil.example")
				q.Set("error", "access_denied")
				return b
			}, authorize.CodeCallback, true, "another issuer",
		},
		"no code": {
			func(_ *world, q url.Values, b browser) browser { q.Del("code"); return b }, authorize.CodeCallback, true, "an authorization failed",
		},
		"environment deleted": {
			func(w *world, _ url.Values, b browser) browser {
				must(w.t, w.store.DeleteEnvironment(w.t.Context(), nil, &w.env))
				return b
			}, authorize.CodeState, false, "unknown state",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, in, b := newWorld(t), acme(), browser{}
			query := back(w.begin(w.session(authorize.SessionInput{}), in, b))
			b = tt.attack(w, query, b)
			r := w.Callback(t.Context(), query, b.cookie)
			if r.Success || r.Code != tt.code || r.Status != http.StatusBadRequest || r.Message == "" || r.Hint == "" {
				t.Errorf("result %+v, want code %s", r, tt.code)
			}
			if r.Code == authorize.CodeStateCookie && (r.ConnectionName != "" || r.IntegrationKey != "" || r.ClearCookie != "") {
				t.Errorf("another browser learns %+v", r)
			}
			if x, a := w.calls(); x+a > 0 {
				t.Errorf("%d exchanges and %d connections", x, a)
			}
			if told := w.popup(in.PopupID) != ""; told != tt.told {
				t.Errorf("the waiting page was told: %v", told)
			}
			if !strings.Contains(w.logged.String(), tt.logged) {
				t.Errorf("the log lacks %q:\n%s", tt.logged, w.logged)
			}
		})
	}
}

// A foreign browser must not spoil the authorization of the right one.
func TestForeignBrowserSpoilsNothing(t *testing.T) {
	t.Parallel()
	w, b := newWorld(t), browser{}
	query := back(w.begin(w.session(authorize.SessionInput{}), acme(), b))
	if r := w.Callback(t.Context(), query, browser{}.cookie); r.Code != authorize.CodeStateCookie {
		t.Errorf("result %+v", r)
	}
	if r := w.Callback(t.Context(), query, b.cookie); !r.Success {
		t.Errorf("result %+v", r)
	}
	if _, messages := w.operations(); !strings.Contains(messages, "warn Refused a browser that came back from the provider: another browser.") {
		t.Errorf("the operation does not tell of it:\n%s", messages)
	}
}

// Some providers have names of their own for the state.
func TestStateByOtherNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, name := range []string{"payload", "customField"} {
		b := browser{}
		page := w.begin(w.session(authorize.SessionInput{}), acme(), b)
		if r := w.Callback(t.Context(), url.Values{name: page["state"], "code": {code}}, b.cookie); !r.Success {
			t.Errorf("%s: result %+v", name, r)
		}
	}
}

func TestStateWorksOnce(t *testing.T) {
	t.Parallel()
	w, b := newWorld(t), browser{}
	query := back(w.begin(w.session(authorize.SessionInput{}), acme(), b))
	var won atomic.Int64
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			if w.Callback(t.Context(), query, b.cookie).Success {
				won.Add(1)
			}
		})
	}
	all.Wait()
	if x, a := w.calls(); won.Load() != 1 || x != 1 || a != 1 {
		t.Errorf("%d successes, %d exchanges, %d connections", won.Load(), x, a)
	}
}

// A tab that is closed must not cost the grant.
func TestClosedTab(t *testing.T) {
	t.Parallel()
	w, b := newWorld(t), browser{}
	query := back(w.begin(w.session(authorize.SessionInput{}), acme(), b))
	ctx, cancel := context.WithCancel(t.Context())
	w.during = func(ctx context.Context) {
		cancel()
		if ctx.Err() != nil {
			t.Error("the exchange ends with the browser's patience")
		}
		if _, bounded := ctx.Deadline(); !bounded {
			t.Error("the exchange is not bounded")
		}
	}
	if r := w.Callback(ctx, query, b.cookie); !r.Success {
		t.Errorf("result %+v", r)
	}
}

func TestCallbackFailures(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		query        url.Values
		exchangeErr  error
		authorizeErr error
		code, reason string
		message      string
		detail       string
		told         bool
	}{
		"declined": {
			query: url.Values{"error": {"access_denied"}, "error_description": {"The user said no"}},
			code:  authorize.CodeCallback, reason: "access_denied", message: "declined", detail: "error_description: The user said no", told: true,
		},
		"declined in the provider's words": {
			query: url.Values{"error": {"USER_CANCELLED_LOGIN"}}, code: authorize.CodeCallback, reason: "access_denied", message: "declined", told: true,
		},
		"bad scope":  {query: url.Values{"error": {"invalid_scope"}}, code: authorize.CodeCallback, reason: "invalid_scope", message: "permissions", told: true},
		"busy":       {query: url.Values{"error": {"temporarily_unavailable"}}, code: authorize.CodeCallback, reason: "temporarily_unavailable", message: "right now", told: true},
		"made up":    {query: url.Values{"error": {"<script>"}}, code: authorize.CodeCallback, message: "reported an error", told: true},
		"with code":  {query: url.Values{"error": {"access_denied"}, "code": {code}}, code: authorize.CodeCallback, reason: "access_denied", message: "declined", told: true},
		"no code":    {query: url.Values{"error_message": {"sorry"}}, code: authorize.CodeCallback, message: "without what is needed", detail: "error_message: sorry", told: true},
		"bad answer": {exchangeErr: &oauth.Failure{Class: oauth.Permanent, Code: "invalid_grant", Message: "The provider refused.", Description: "used"}, code: authorize.CodeToken, reason: "invalid_grant", message: "did not complete", detail: "The provider refused. The provider says: used", told: true},
		"away":       {exchangeErr: &oauth.Failure{Class: oauth.Transient, Code: "timeout", Message: "No answer."}, code: authorize.CodeToken, reason: "timeout", message: "can't be reached", told: true},
		"test failed": {
			authorizeErr: linkspan.E("x", linkspan.KindInvalid, "connection_test_failed", nil, "The provider answered 403."),
			code:         "connection_validation_failed", message: "a test of the connection failed", detail: "403",
		},
		"gone":    {authorizeErr: linkspan.E("x", linkspan.KindInvalid, "invalid_connection", nil, "Gone."), code: "connection_not_found", message: "Gone"},
		"pending": {authorizeErr: linkspan.E("x", linkspan.KindUnavailable, connect.CodePending, nil, "Not yet."), code: connect.CodePending, message: "Not yet"},
		"ours":    {authorizeErr: errors.New("secret detail"), code: authorize.CodeUnknown, message: "Something went wrong"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, in, b := newWorld(t), acme(), browser{}
			w.exchangeErr, w.authorizeErr = tt.exchangeErr, tt.authorizeErr
			query := back(w.begin(w.session(authorize.SessionInput{}), in, b))
			if tt.query != nil {
				query = url.Values{"state": query["state"]}
				maps.Copy(query, tt.query)
			}
			r := w.Callback(t.Context(), query, b.cookie)
			if r.Success || r.Code != tt.code || r.Reason != tt.reason || !strings.Contains(r.Message, tt.message) || !strings.Contains(r.Detail, tt.detail) {
				t.Errorf("result %+v", r)
			}
			message := w.popup(in.PopupID)
			if (message != "") != tt.told {
				t.Errorf("the waiting page is told %q", message)
			}
			if tt.told {
				var got struct {
					Type string `json:"error_type"`
					Name string `json:"connection_id"`
				}
				must(t, json.Unmarshal([]byte(message), &got))
				if got.Type != tt.code || got.Name != r.ConnectionName {
					t.Errorf("the waiting page is told %s", message)
				}
			}
			if told := cmp.Equal(w.failed, []string{tt.code}); told != tt.told {
				t.Errorf("the backend is told %v", w.failed)
			}
			ops, messages := w.operations()
			if tt.told && (ops[0].State != linkspan.StateFailed || ops[0].Error.Code != tt.code || !strings.Contains(ops[0].Message, tt.detail)) {
				t.Errorf("operation %+v", ops[0])
			}
			for where, text := range map[string]string{"log": w.logged.String(), "messages": messages, "page": message + r.Message + r.Detail} {
				for _, secret := range []string{code, query.Get("state"), clientSecret, "secret detail"} {
					if strings.Contains(text, secret) && (where != "log" || secret != "secret detail") {
						t.Errorf("%s shows %s:\n%s", where, secret, text)
					}
				}
			}
			for _, q := range r.Query {
				if (q.Name == "code" || q.Name == "state") && q.Value != "[redacted]" {
					t.Errorf("the page shows %v", q)
				}
			}
		})
	}
}

// The page that waits is told although the backend can't be.
func TestBackendOutOfReach(t *testing.T) {
	t.Parallel()
	w, in, b := newWorld(t), acme(), browser{}
	w.failedErr = errors.New("away")
	page := w.begin(w.session(authorize.SessionInput{}), in, b)
	w.Callback(t.Context(), url.Values{"state": page["state"], "error": {"access_denied"}}, b.cookie)
	if w.popup(in.PopupID) == "" || !strings.Contains(w.logged.String(), "telling the backend of a failed authorization failed") {
		t.Errorf("not told, or not logged:\n%s", w.logged)
	}
}

// The first attempt of a session ends the session's operation; one after that
// has failed gets an operation of its own.
func TestOperations(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.session(authorize.SessionInput{})
	fail := func() {
		b := browser{}
		page := w.begin(p, acme(), b)
		w.Callback(t.Context(), url.Values{"state": page["state"], "error": {"access_denied"}}, b.cookie)
	}
	fail()
	// The writer is behind; what it writes is what counts.
	must(t, w.store.SaveOperations(t.Context(), nil, []linkspan.Operation{{
		ID: p.Session.Operation, EnvironmentID: w.env.ID, Type: linkspan.OperationAuth, Action: linkspan.ActionCreateConnection,
		State: linkspan.StateFailed, CreatedAt: w.now, StartedAt: w.now, EndedAt: w.now, ExpiresAt: w.now,
	}}, nil))
	fail()
	ops, _ := w.operations()
	if len(ops) != 2 || ops[0].State != linkspan.StateFailed || ops[1].State != linkspan.StateFailed {
		t.Fatalf("operations %+v", ops)
	}
}

func FuzzCallback(f *testing.F) {
	f.Add("state=x&code=y", "c")
	f.Add("payload=%00&error=%ff&error_description="+strings.Repeat("a", 5000), "")
	f.Add("state="+strings.Repeat("0", 64)+"&iss=https%3A%2F%2Fx&iss=y", strings.Repeat("1", 64))
	w := newWorld(f)
	f.Fuzz(func(t *testing.T, raw, cookie string) {
		query, _ := url.ParseQuery(raw)
		r := w.Callback(t.Context(), query, func(string) string { return cookie })
		if r.Success || r.Status < 400 || r.Code == "" {
			t.Errorf("result %+v", r)
		}
	})
}

// What the redirect brings is newer than what the connection had, but not than
// what was typed: it says where the code is exchanged.
func TestRenewalElsewhere(t *testing.T) {
	t.Parallel()
	for _, typed := range []string{"", "typed"} { // an empty one counts as none
		w, b, in := newWorld(t), browser{}, acme()
		c := w.newConnection("acme", "mine", map[string]any{"subdomain": "shop", "shard": "old", "site": "old"}, credential.NewNone())
		in.Params["site"] = typed
		query := back(w.begin(w.reconnect(c, authorize.SessionInput{}), in, b))
		query.Set("shard", "new")
		query.Set("site", "new")
		if r := w.Callback(t.Context(), query, b.cookie); !r.Success {
			t.Fatalf("result %+v", r)
		}
		got := w.exchanges[0].ConnectionConfig
		if got["shard"] != nil || got["site"] != typed || got["subdomain"] != "shop" {
			t.Errorf("typed %q: exchanged with %v", typed, got)
		}
	}
}
