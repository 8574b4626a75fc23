package e2e

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/internal/apptest"
)

// attack is one hostile way to come back from a provider. It must end with the
// status and code on a page, be logged, and change nothing.
type attack struct {
	name   string
	run    func(t *testing.T, w *connecting) apptest.Reply
	status int
	code   string
	// logged is a part of the server's log line, operation a part of what the
	// log of operations says; empty where no environment is known.
	logged, operation string
}

func callbackAttacks() []attack {
	evil := "https://evil.example/landing"
	return []attack{
		{
			name: "no state", status: 400, code: "state_err", logged: `"reason":"no state"`,
			run: func(t *testing.T, w *connecting) apptest.Reply {
				f := w.started(t)
				return w.arrive(t, f, f.cookie, "state", "")
			},
		},
		{
			name: "nothing at all", status: 400, code: "state_err", logged: `"reason":"no state"`,
			run: func(t *testing.T, w *connecting) apptest.Reply { return w.arrive(t, flow{}, "") },
		},
		{
			name: "an unknown state", status: 400, code: "state_err", logged: `"reason":"unknown state"`,
			run: func(t *testing.T, w *connecting) apptest.Reply {
				f := w.started(t)
				return w.arrive(t, f, f.cookie, "state", strings.Repeat("5e", 32))
			},
		},
		{
			name: "a state that names another flow's cookie", status: 400, code: "state_cookie_err", logged: `"reason":"another browser"`, operation: "another browser",
			run: func(t *testing.T, w *connecting) apptest.Reply {
				mine, theirs := w.started(t), w.started(t)
				return w.arrive(t, theirs, mine.cookie)
			},
		},
		{
			name: "no cookie", status: 400, code: "state_cookie_err", logged: `"reason":"another browser"`, operation: "another browser",
			run: func(t *testing.T, w *connecting) apptest.Reply { return w.arrive(t, w.started(t), "") },
		},
		{
			name: "a cookie of the right name", status: 400, code: "state_cookie_err", logged: `"reason":"another browser"`, operation: "another browser",
			run: func(t *testing.T, w *connecting) apptest.Reply {
				f := w.started(t)
				name, value, _ := strings.Cut(f.cookie, "=")
				return w.arrive(t, f, name+"="+strings.Repeat("0", len(value)))
			},
		},
		{
			name: "a mixed-up issuer", status: 400, code: "callback_err", logged: `"reason":"another issuer"`, operation: "another authorization server",
			run: func(t *testing.T, w *connecting) apptest.Reply {
				f := w.started(t)
				return w.arrive(t, f, f.cookie, "iss", "https://honest.example")
			},
		},
		{
			name: "no issuer", status: 400, code: "callback_err", logged: `"reason":"another issuer"`, operation: "which authorization server",
			run: func(t *testing.T, w *connecting) apptest.Reply {
				f := w.started(t)
				return w.arrive(t, f, f.cookie, "iss", "")
			},
		},
		{
			name: "an error that another issuer tells", status: 400, code: "callback_err", logged: `"reason":"another issuer"`, operation: "another authorization server",
			run: func(t *testing.T, w *connecting) apptest.Reply {
				f := w.started(t)
				return w.arrive(t, f, f.cookie, "code", "", "iss", "https://honest.example", "error", "access_denied")
			},
		},
		{
			name: "the code of another flow", status: 400, code: "token_err", logged: `"code":"token_err"`, operation: "code_verifier does not fit",
			run: func(t *testing.T, w *connecting) apptest.Reply {
				mine, theirs := w.started(t), w.started(t)
				return w.arrive(t, theirs, theirs.cookie, "code", mine.back.Query().Get("code"))
			},
		},
		{
			name: "no code", status: 400, code: "callback_err", logged: `"code":"callback_err"`, operation: "authorization code",
			run: func(t *testing.T, w *connecting) apptest.Reply {
				f := w.started(t)
				return w.arrive(t, f, f.cookie, "code", "")
			},
		},
		{
			name: "a state of 8 kB", status: 400, code: "state_err", logged: `"reason":"no state"`,
			run: func(t *testing.T, w *connecting) apptest.Reply {
				f := w.started(t)
				return w.arrive(t, f, f.cookie, "state", strings.Repeat("a", 8<<10))
			},
		},
		{
			name: "a code of 8 kB", status: 400, code: "token_err", logged: `"code":"token_err"`, operation: "invalid_grant",
			run: func(t *testing.T, w *connecting) apptest.Reply {
				f := w.started(t)
				return w.arrive(t, f, f.cookie, "code", strings.Repeat("a", 8<<10))
			},
		},
		{
			name: "a page to go to next", status: 400, code: "state_err", logged: `"reason":"no state"`,
			run: func(t *testing.T, w *connecting) apptest.Reply {
				return w.arrive(t, flow{}, "", "next", evil, "return_to", evil, "redirect", evil, "redirect_uri", evil, "RelayState", evil, "url", evil)
			},
		},
		{
			name: "markup in the provider's words", status: 400, code: "callback_err", logged: `"code":"callback_err"`, operation: "evil.example",
			run: func(t *testing.T, w *connecting) apptest.Reply {
				f := w.started(t)
				return w.arrive(t, f, f.cookie, "code", "", "error", "</script><script>hostile()</script>",
					"error_description", `"><img src=//evil.example onerror=hostile()>`, "error_uri", "javascript:hostile()")
			},
		},
	}
}

// TestHostileCallbacks comes back from a provider in every way that an attacker
// would try. Each is refused, logged, and changes nothing; what was there before
// works as before, and so does what the attack was aimed at.
func TestHostileCallbacks(t *testing.T) {
	t.Parallel()
	for name, open := range apptest.Databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newConnecting(t, open(t))
			f := w.started(t)
			w.arrive(t, f, f.cookie).Want(t, http.StatusOK)
			before := names(t, w.Dev(t))
			if len(before) != 1 {
				t.Fatalf("there are connections %v, not one", before)
			}
			for _, a := range callbackAttacks() {
				t.Run(a.name, func(t *testing.T) {
					said, told := len(w.Logs()), strings.Count(operations(t, w.Dev(t)), a.operation)
					r := a.run(t, w)
					wantRefusal(t, r, a.status, a.code)
					if !strings.Contains(w.Logs()[said:], a.logged) {
						t.Errorf("the log does not tell of %s:\n%s", a.logged, w.Logs()[said:])
					}
					if a.operation != "" {
						apptest.Poll(t, "the operations tell of it, too", func() bool {
							return strings.Count(operations(t, w.Dev(t)), a.operation) > told
						})
					}
					if after := names(t, w.Dev(t)); !slices.Equal(after, before) {
						t.Errorf("there are connections %v, and there were %v", after, before)
					}
				})
			}
			t.Run("the state of a finished flow", func(t *testing.T) {
				said := len(w.Logs())
				wantRefusal(t, w.arrive(t, f, f.cookie), 400, "state_err")
				if !strings.Contains(w.Logs()[said:], `"reason":"used before"`) {
					t.Errorf("the log does not tell of a replay:\n%s", w.Logs()[said:])
				}
				wantInOperations(t, w.Dev(t), "used before")
				// Ticketry revokes a grant whose code comes a second time.
				apptest.Proxy(t, w.Dev(t), http.MethodGet, "desk", before[0], "/me", nil).Want(t, http.StatusOK)
			})
			t.Run("the rightful browser after another one", func(t *testing.T) {
				f := w.started(t)
				wantRefusal(t, w.arrive(t, f, ""), 400, "state_cookie_err")
				w.arrive(t, f, f.cookie).Want(t, http.StatusOK)
			})
			connections := names(t, w.Dev(t))
			if successes := w.settled(t); len(successes) != 2 || len(connections) != 2 {
				t.Errorf("%d connections and %d webhooks of success came of two authorizations: %+v", len(connections), len(successes), successes)
			}
			w.keepTokens(t)
			w.wantNoSecret(t, w.places(t))
		})
	}
}

// wantRefusal checks a page that says no: it leads nowhere, and what a stranger
// wrote into the address is text at most.
func wantRefusal(t *testing.T, r apptest.Reply, status int, code string) {
	t.Helper()
	body := string(r.Body)
	if r.Status != status || !strings.Contains(body, code) {
		t.Errorf("%s: status %d without %q, not %d with it\n%s", r.What, r.Status, code, status, words(body))
	}
	if to := r.Header.Get("Location") + r.Header.Get("Refresh"); to != "" {
		t.Errorf("%s: the page leads to %s", r.What, to)
	}
	if kind := r.Header.Get("Content-Type"); !strings.HasPrefix(kind, "text/html") {
		t.Errorf("%s: a page of type %q", r.What, kind)
	}
	if r.Header.Get("Cache-Control") != "no-store" || r.Header.Get("Referrer-Policy") != "no-referrer" || r.Header.Get("Cross-Origin-Opener-Policy") != "" {
		t.Errorf("%s: the headers of the page: %v", r.What, r.Header)
	}
	for _, raw := range []string{"<script>hostile", "<img src=//evil", `href="javascript:`, `href="https://evil`, `content="0;`, `src="https://evil`} {
		if strings.Contains(body, raw) {
			t.Errorf("%s: the page holds %s", r.What, raw)
		}
	}
}

var unseen = regexp.MustCompile(`(?s)<(style|script).*?</(style|script)>|<[^>]*>`)

// words is what people read on a page.
func words(page string) string {
	return strings.Join(strings.Fields(unseen.ReplaceAllString(page, " ")), " ")
}

// TestNoOpenRedirect tries to make the server send browsers, or codes, somewhere
// else.
func TestNoOpenRedirect(t *testing.T) {
	t.Parallel()
	desk := apptest.NewDesk(t)
	apptest.WriteProvider(t, desk.ProvidersDir, "hosted", `name: hosted
display_name: Hosted
categories: [other]
auth:
  mode: OAUTH2
  authorize:
    url:
      - https://${connectionConfig.subdomain}.hosted.example/authorize
  token:
    url:
      - https://${connectionConfig.subdomain}.hosted.example/token
api:
  base_url:
    - https://${connectionConfig.subdomain}.hosted.example
inputs:
  connection_config:
    - name: subdomain
      title: Subdomain
      help: The first part of the address.
      required: true
`)
	w := watch(desk, apptest.NewSink(t))
	w.Instance = apptest.Start(t, apptest.Options{Database: apptest.NewSQLite(t), ProvidersDir: desk.ProvidersDir})
	desk.Open(t, w.Instance)
	w.Dev(t).Do(t, http.MethodPost, "/integrations", object{
		"provider": "hosted", "unique_key": "hosted", "credentials": object{"type": "OAUTH2", "client_id": "a", "client_secret": "b"},
	}).Want(t, http.StatusOK)
	token := w.session(t, nil)

	for _, name := range []string{
		"redirect_uri", "state", "client_id", "response_type", "response_mode", "code_challenge", "code_challenge_method", "scope", "request", "request_uri",
	} {
		for _, spelled := range []string{name, strings.ToUpper(name), name + "\x00", " " + name, strings.ReplaceAll(name, "_", "."), name + "[]"} {
			r := w.open(t, "/oauth/connect/desk?"+url.Values{
				"connect_session_token": {token}, name: {"https://evil.example"}, "authorization_params[" + spelled + "]": {"https://evil.example"},
			}.Encode())
			if r.Status == http.StatusFound {
				wantOwnRedirect(t, w, r)
			} else {
				r.WantStatusIn(t, http.StatusBadRequest)
			}
		}
	}
	for _, subdomain := range []string{
		"evil.example/", "evil.example#", "evil.example?", `evil.example\`, "user@evil.example/", "evil.example:443/", "evil.example%2f", "//evil.example",
		"evil.example/\t", "a b", "evil\nexample", "[::1]", "127.0.0.1:1/", "．evil．example／", "..", "",
	} {
		r := w.open(t, "/oauth/connect/hosted?"+url.Values{"connect_session_token": {token}, "params[subdomain]": {subdomain}}.Encode())
		if r.Status == http.StatusFound {
			to, err := url.Parse(r.Header.Get("Location"))
			if err != nil || to.Scheme != "https" || to.User != nil || !strings.HasSuffix(to.Host, ".hosted.example") || to.Path != "/authorize" {
				t.Errorf("the subdomain %q leads to %s", subdomain, r.Header.Get("Location"))
			}
			continue
		}
		wantRefusal(t, r, http.StatusBadRequest, "url_param_err")
	}
	for _, target := range []string{
		"//evil.example/oauth/connect/desk", "/oauth/connect/desk/..//evil.example", "//evil.example/", "/%2f%2fevil.example", `/\evil.example`,
		"/oauth/connect///evil.example", "/oauth/callback//evil.example", "/oauth/callback/%2e%2e//evil.example/..", "/connect-ui//evil.example/", "/connect-ui/../../evil.example",
	} {
		r := w.browser(t).Raw(t, http.MethodGet, target)
		to := r.Header.Get("Location")
		if u, err := url.Parse(to); err != nil || u.Host != "" || strings.HasPrefix(to, "//") || strings.HasPrefix(to, `/\`) {
			t.Errorf("%s leads to %s", target, to)
		}
	}
	// Browsers that come by another name of this machine are sent to the one that
	// the callback has, and nowhere else.
	target := "/oauth/connect/desk?connect_session_token=" + token + "&next=//evil.example"
	if to := w.Anonymous(t).Do(t, http.MethodGet, target, nil).Want(t, http.StatusFound).Header.Get("Location"); to != w.PublicURL()+target {
		t.Errorf("another name of this machine leads to %s", to)
	}
	if all := names(t, w.Dev(t)); len(all) != 0 {
		t.Errorf("there are connections %v", all)
	}
	w.wantNoSecret(t, map[string][]byte{"the log": []byte(w.Logs()), "what browsers saw": w.shown.Bytes()})
}

// wantOwnRedirect checks that a browser is sent to the desk, which will send it
// back here.
func wantOwnRedirect(t *testing.T, w *connecting, r apptest.Reply) {
	t.Helper()
	to, err := url.Parse(r.Header.Get("Location"))
	if err != nil || !strings.HasPrefix(to.String(), w.desk.URL+"/oauth/authorize?") {
		t.Fatalf("%s leads to %s", r.What, r.Header.Get("Location"))
	}
	query := to.Query()
	want := map[string]string{
		"redirect_uri": w.PublicURL() + "/oauth/callback", "client_id": w.desk.ClientID, "response_type": "code", "code_challenge_method": "S256",
		"scope": "tickets:read tickets:write users:read",
	}
	for name, value := range want {
		if got := query[name]; len(got) != 1 || got[0] != value {
			t.Errorf("%s: %s is %q, not %q", r.What, name, got, value)
		}
	}
	for _, name := range []string{"state", "code_challenge"} {
		if got := query[name]; len(got) != 1 || strings.Contains(got[0], "evil") {
			t.Errorf("%s: %s is %q", r.What, name, got)
		}
	}
	for name, values := range query {
		if strings.HasPrefix(strings.ToLower(strings.NewReplacer(".", "_", " ", "").Replace(name)), "redirect_uri") && slices.ContainsFunc(values, func(v string) bool { return strings.Contains(v, "evil") }) {
			t.Errorf("%s: %q is %q", r.What, name, values)
		}
	}
}
