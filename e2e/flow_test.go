package e2e

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/linkspan/linkspan/internal/apptest"
)

// connecting is an instance whose end users connect Ticketry, by steps that a
// test can change. It keeps what must not be seen anywhere.
type connecting struct {
	*apptest.Instance
	desk *apptest.Desk
	sink *apptest.Sink
	// shown is everything that browsers and callers were answered with.
	shown bytes.Buffer

	mu      sync.Mutex
	secrets map[string]string // value → what it is
}

// newConnecting starts an instance on a database, and its third party.
func newConnecting(t *testing.T, db apptest.Database) *connecting {
	t.Helper()
	desk := apptest.NewDesk(t)
	w := watch(desk, apptest.NewSink(t))
	w.Instance = apptest.Start(t, apptest.Options{Database: db, ProvidersDir: desk.ProvidersDir})
	desk.Open(t, w.Instance)
	w.SendTo(t, w.sink.URL)
	return w
}

// watch notes the secrets of each token request that reaches the desk.
func watch(desk *apptest.Desk, sink *apptest.Sink) *connecting {
	w := &connecting{desk: desk, sink: sink, secrets: make(map[string]string)}
	w.keep("client secret", desk.ClientSecret)
	desk.Before = func(r *http.Request) {
		if r.URL.Path != "/oauth/token" {
			return
		}
		body, err := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		form, bad := url.ParseQuery(string(body))
		if err != nil || bad != nil {
			return // the desk will say so
		}
		for _, name := range []string{"code", "code_verifier", "refresh_token", "client_secret"} {
			w.keep(name, form.Get(name))
		}
	}
	return w
}

// keep remembers a secret, under the first name that it is given.
func (w *connecting) keep(what, secret string) {
	if secret == "" {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.secrets[secret] == "" {
		w.secrets[secret] = what
	}
}

// session makes a connect session of dev and returns its token.
func (w *connecting) session(t *testing.T, body object) string {
	t.Helper()
	token := w.Session(t, body)
	w.keep("session token", token)
	return token
}

// show keeps an answer to be looked through later.
func (w *connecting) show(r apptest.Reply) apptest.Reply {
	w.shown.Write(r.Body)
	for name, values := range r.Header {
		if name != "Set-Cookie" && name != "Location" {
			w.shown.WriteString(name + ": " + strings.Join(values, ", ") + "\n")
		}
	}
	return r
}

// flow is an authorization that a browser is in the middle of.
type flow struct {
	// page is the consent page that the browser was sent to.
	page *url.URL
	// cookie is what binds the authorization to the browser.
	cookie string
	// back is where the provider sent the browser, once it has.
	back *url.URL
}

// browser returns a client that calls the instance by the name that browsers know
// it by.
func (w *connecting) browser(t *testing.T) apptest.Client {
	t.Helper()
	return apptest.NewClient(t, w.PublicURL(), "")
}

// open asks to begin an authorization, in query or path as the caller writes it.
func (w *connecting) open(t *testing.T, target string) apptest.Reply {
	t.Helper()
	return w.show(w.browser(t).Do(t, http.MethodGet, target, nil))
}

// begin begins an authorization of the integration "desk".
func (w *connecting) begin(t *testing.T, query url.Values) flow {
	t.Helper()
	r := w.open(t, "/oauth/connect/desk?"+query.Encode()).Want(t, http.StatusFound)
	page, err := url.Parse(r.Header.Get("Location"))
	if err != nil {
		t.Fatalf("reading the address of the consent page: %v", err)
	}
	cookie, _, _ := strings.Cut(r.Header.Get("Set-Cookie"), ";")
	_, value, _ := strings.Cut(cookie, "=")
	w.keep("cookie", value)
	w.keep("state", page.Query().Get("state"))
	return flow{page: page, cookie: cookie}
}

// consent has the user agree at the provider, which sends the browser back.
func (w *connecting) consent(t *testing.T, f flow) flow {
	t.Helper()
	person := apptest.NewPerson(t).StepByStep()
	page, err := person.Get(t, f.page.String())
	if err != nil {
		t.Fatalf("opening the consent page: %v", err)
	}
	defer page.Body.Close()
	answer, err := person.Consent(t, page, true)
	if err != nil {
		t.Fatalf("agreeing: %v", err)
	}
	defer answer.Body.Close()
	if f.back, err = answer.Location(); err != nil {
		t.Fatalf("the provider answers %d and sends the browser nowhere: %v", answer.StatusCode, err)
	}
	w.keep("code", f.back.Query().Get("code"))
	return f
}

// started is begin and consent with a new session.
func (w *connecting) started(t *testing.T) flow {
	t.Helper()
	return w.consent(t, w.begin(t, url.Values{"connect_session_token": {w.session(t, nil)}}))
}

// arrive opens the callback as a browser with the cookies. Changes are made to
// the query: "" takes a parameter away.
func (w *connecting) arrive(t *testing.T, f flow, cookies string, changes ...string) apptest.Reply {
	t.Helper()
	query := url.Values{}
	if f.back != nil {
		query = f.back.Query()
	}
	for i := 0; i+1 < len(changes); i += 2 {
		query.Set(changes[i], changes[i+1])
		if changes[i+1] == "" {
			query.Del(changes[i])
		}
	}
	var headers []string
	if cookies != "" {
		headers = []string{"Cookie", cookies}
	}
	return w.show(w.browser(t).Do(t, http.MethodGet, "/oauth/callback?"+query.Encode(), nil, headers...))
}

// keepTokens remembers the tokens of every connection of "desk".
func (w *connecting) keepTokens(t *testing.T) {
	t.Helper()
	for _, name := range names(t, w.Dev(t)) {
		var c struct {
			Credentials struct {
				Access  string `json:"access_token"`
				Refresh string `json:"refresh_token"`
			}
		}
		r := w.Dev(t).Do(t, http.MethodGet, "/connections/"+name+"?provider_config_key=desk&refresh_token=true", nil)
		if r.Status != http.StatusOK {
			continue // of another integration
		}
		r.Into(t, &c)
		w.keep("access token", c.Credentials.Access)
		w.keep("refresh token", c.Credentials.Refresh)
	}
}

// operations returns every operation of an environment with its messages, as the
// API shows them.
func operations(t *testing.T, c apptest.Client) string {
	t.Helper()
	var all strings.Builder
	before := ""
	for {
		var page struct {
			Data       []struct{ ID string }
			NextCursor *string `json:"next_cursor"`
		}
		r := c.Do(t, http.MethodGet, "/logs/operations?limit=100"+before, nil).Want(t, http.StatusOK)
		all.Write(r.Body)
		r.Into(t, &page)
		for _, op := range page.Data {
			all.Write(c.Do(t, http.MethodGet, "/logs/operations/"+op.ID, nil).Want(t, http.StatusOK).Body)
		}
		if page.NextCursor == nil {
			return all.String()
		}
		before = "&before=" + *page.NextCursor
	}
}

// wantInOperations waits until the log of operations tells of something: it is
// written behind.
func wantInOperations(t *testing.T, c apptest.Client, what string) {
	t.Helper()
	apptest.Poll(t, "the operations tell of "+what, func() bool { return strings.Contains(operations(t, c), what) })
}

// wantNoSecret looks for every secret, in every encoding, in the places.
func (w *connecting) wantNoSecret(t *testing.T, places map[string][]byte) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for place, text := range places {
		if len(text) == 0 {
			t.Errorf("%s is empty: nothing was looked at", place)
		}
		for secret, what := range w.secrets {
			for form, needle := range forms(secret) {
				if at := bytes.Index(text, []byte(needle)); at >= 0 {
					t.Errorf("%s holds a %s (%s): …%s…", place, what, form, excerpt(text, at, len(needle)))
				}
			}
		}
	}
}

// places are where secrets of authorizations could be seen.
func (w *connecting) places(t *testing.T) map[string][]byte {
	t.Helper()
	return map[string][]byte{
		"the log": []byte(w.Logs()), "what browsers saw": w.shown.Bytes(), "the operations": []byte(operations(t, w.Dev(t))),
		"the deliveries": w.Dev(t).Do(t, http.MethodGet, "/webhooks/deliveries?limit=100", nil).Want(t, http.StatusOK).Body,
		"the metrics":    apptest.NewClient(t, w.AdminURL, "").Do(t, http.MethodGet, "/metrics", nil).Want(t, http.StatusOK).Body,
	}
}

// settled waits until every webhook is delivered and returns those that told of
// success.
func (w *connecting) settled(t *testing.T) (successes []apptest.AuthHook) {
	t.Helper()
	apptest.Poll(t, "all webhooks are delivered", func() bool {
		var open struct{ Data []any }
		w.Dev(t).Do(t, http.MethodGet, "/webhooks/deliveries?state=pending", nil).Want(t, http.StatusOK).Into(t, &open)
		return len(open.Data) == 0
	})
	for _, h := range w.sink.Hooks() {
		if event := h.Auth(t); event.Success {
			successes = append(successes, event)
		}
	}
	return successes
}
