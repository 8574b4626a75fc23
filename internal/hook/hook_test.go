package hook_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/catalog"
	"github.com/linkspan/linkspan/internal/credential"
	"github.com/linkspan/linkspan/internal/hook"
	"github.com/linkspan/linkspan/internal/upstream"
)

func basicCredentials(user, pass string) credential.Credentials {
	return credential.NewBasic(user, pass)
}

// hooksOf are the names that a provider's entry has, by kind.
func hooksOf(p *catalog.Provider) map[string]string {
	return map[string]string{
		"post_connection": p.Hooks.PostConnection, "pre_deletion": p.Hooks.PreDeletion, "verify_credentials": p.Hooks.VerifyCredentials,
	}
}

// TestCatalogue holds the tables against the catalogue: each hook of a provider
// that can be connected exists, and each that exists has such a provider.
func TestCatalogue(t *testing.T) {
	t.Parallel()
	used := make(map[string]bool)
	for p, err := range openCatalog(t).All() {
		if err != nil {
			t.Fatal(err)
		}
		if _, unsupported := p.Unsupported(); unsupported {
			continue
		}
		for kind, name := range hooksOf(p) {
			if name != "" && !slices.Contains(hook.Names(kind), name) {
				t.Errorf("%s: the hook %s does not exist", p.Name, name)
			}
			used[kind+name] = true
		}
	}
	for _, kind := range []string{"post_connection", "pre_deletion", "verify_credentials"} {
		for _, name := range hook.Names(kind) {
			if !used[kind+name] {
				t.Errorf("the hook %s is of no provider that can be connected", name)
			}
		}
	}
}

// runAll runs every hook of a provider and returns the errors by code.
func runAll(ctx context.Context, h *hook.Hooks, tg *upstream.Target, note func(linkspan.Message)) map[string]error {
	_, post := h.PostConnection(ctx, tg, note)
	out := map[string]error{"hook_failed": post, "connection_test_failed": h.Verify(ctx, tg, note)}
	if err := h.PreDeletion(ctx, tg, note); err != nil && post == nil {
		out["hook_failed"] = err
	}
	return out
}

// TestWhateverProvidersAnswer runs all hooks against providers that answer
// nonsense, also such that repeats secrets.
func TestWhateverProvidersAnswer(t *testing.T) {
	t.Parallel()
	cat := openCatalog(t)
	for p, err := range cat.All() {
		if err != nil {
			t.Fatal(err)
		}
		if _, unsupported := p.Unsupported(); unsupported || p.Hooks.PostConnection == "" && p.Hooks.PreDeletion == "" && p.Hooks.VerifyCredentials == "" {
			continue
		}
		for name, answer := range nonsense(target(t, cat, p.Name, nil)) {
			s := &saas{answer: always(answer)}
			for code, err := range runAll(t.Context(), s.hooks(), target(t, cat, p.Name, nil), s.note) {
				if e, ok := errors.AsType[*linkspan.Error](err); err != nil && (!ok || e.Code != code || e.Msg == "") {
					t.Errorf("%s, %s: error %v, want the code %s", p.Name, name, err, code)
				}
				s.wantNoSecret(t, err)
			}
		}
	}
}

// nonsense are answers that no hook can use. Some repeat what the connection
// proves itself with.
func nonsense(tg *upstream.Target) map[string]reply {
	var echo string
	for _, secret := range tg.Credentials.Secrets() {
		echo += secret.Reveal()
	}
	return map[string]reply{
		"null": {body: `null`}, "list": {body: `[null,{}]`}, "object": {body: `{"data":[],"accounts":{},"resource":[]}`}, "text": {body: `"` + echo + `"`},
		"page": {body: "<html>" + echo}, "nothing": {}, "error": {status: http.StatusInternalServerError, body: echo},
		"refusal":    {status: http.StatusUnauthorized, body: `{"error":"` + echo + `"}`, header: http.Header{"X-Why": {echo}}},
		"too much":   {body: `{"a":"` + strings.Repeat("x", 2<<20) + `"}`},
		"no network": {err: &url.Error{Op: "Get", URL: "https://x.example/" + echo, Err: errors.New("connection refused")}},
		"elsewhere":  {status: http.StatusPermanentRedirect, header: http.Header{"Location": {"http://169.254.169.254/" + echo}}},
	}
}

func TestUnknownHook(t *testing.T) {
	t.Parallel()
	cat := openCatalog(t)
	s := &saas{answer: always(reply{})}
	for _, provider := range []string{"attio", "hubspot", "apollo"} {
		tg := target(t, cat, provider, nil)
		p := *tg.Provider
		p.Hooks = catalog.Hooks{PostConnection: "ownPostConnection", PreDeletion: "ownDeletion", VerifyCredentials: "ownVerification"}
		tg.Provider = &p
		for code, err := range runAll(t.Context(), s.hooks(), tg, s.note) {
			wantError(t, err, code, "does not exist in this version")
		}
	}
	s.wantCalls(t)
}

// TestDeadline: a provider that never answers holds nobody up.
func TestDeadline(t *testing.T) {
	t.Parallel()
	s := &saas{answer: always(reply{})}
	_, err := s.hooksWithin(time.Nanosecond).PostConnection(t.Context(), target(t, openCatalog(t), "attio", nil), s.note)
	wantError(t, err, "hook_failed", "did not answer in time")
	s.wantNoSecret(t, err)
}

// TestBlocked: hooks stay within the limits of all outbound calls.
func TestBlocked(t *testing.T) {
	t.Parallel()
	s := &saas{answer: always(reply{})}
	err := s.hooks().Verify(t.Context(), target(t, openCatalog(t), "snipe-it", map[string]any{"hostname": "169.254.169.254"}), s.note)
	wantError(t, err, "connection_test_failed", "was not called")
	s.wantCalls(t)
	if len(s.trace) != 1 || s.trace[0].Error == nil || s.trace[0].Response != nil {
		t.Errorf("messages %+v", s.trace)
	}
}

// TestMessages looks at what is recorded of an exchange.
func TestMessages(t *testing.T) {
	t.Parallel()
	s := &saas{answer: always(reply{body: `{"workspace_id":"w"}`, header: http.Header{"X-Request-Id": {"r1"}}})}
	if _, err := s.hooks().PostConnection(t.Context(), target(t, openCatalog(t), "attio", nil), s.note); err != nil {
		t.Fatal(err)
	}
	if len(s.trace) != 1 {
		t.Fatalf("messages %+v", s.trace)
	}
	m := s.trace[0]
	if m.Type != "http" || m.Level != "info" || m.Request.Method != "GET" || m.Request.URL != "https://api.attio.com/v2/self" || m.Request.Headers["authorization"] != "[redacted]" ||
		m.Response.Code != 200 || m.Response.Headers["x-request-id"] != "r1" || m.CreatedAt.IsZero() || m.EndedAt.IsZero() {
		t.Errorf("message %+v", m)
	}
	if _, err := s.hooks().PostConnection(t.Context(), target(t, openCatalog(t), "attio", nil), nil); err != nil {
		t.Errorf("without a trace: %v", err)
	}
}

func FuzzClaims(f *testing.F) {
	for _, seed := range []string{accessToken(), "", "..", "a.b.c", "a.bnVsbA.c", "a.e30=.c", "a.W10.c"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		v, err := hook.Claims(token)
		if err != nil && v != nil {
			t.Errorf("both %v and %v", v, err)
		}
		if err != nil && len(token) > 40 && strings.Contains(err.Error(), token) {
			t.Error("the error shows the token")
		}
		_ = hook.At(v, "a.0.b")
	})
}

func FuzzPushpayError(f *testing.F) {
	for _, seed := range []string{"", "<", "</a>", "<ccb_api><response><error/></response></ccb_api>", "<ccb_api><response/></ccb_api>", "<a><error/></a>", `<?xml version="1.0" encoding="x"?><ccb_api>`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		found, err := hook.PushpayError(text)
		if found && (err != nil || !strings.Contains(string(text), "error")) {
			t.Errorf("found an error in %q (%v)", text, err)
		}
	})
}
