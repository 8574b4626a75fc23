package connectui

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/catalog"
	"github.com/linkspan/linkspan/internal/access"
	"github.com/linkspan/linkspan/internal/authorize"
	"github.com/linkspan/linkspan/internal/connect"
	"github.com/linkspan/linkspan/internal/credential"
	"github.com/linkspan/linkspan/internal/httpx"
)

// rig is Connect UI with fakes around it: sessions, integrations, a provider and
// the socket that tells results.
type rig struct {
	*httptest.Server
	ui *UI

	mu       sync.Mutex
	sessions map[string]*access.Principal
	lists    map[linkspan.EnvironmentID][]linkspan.Integration
	headless func(in authorize.Request, c credential.Credentials) (connect.Outcome, error)
	begun    []authorize.Request
	granted  []credential.Credentials
	events   []string
	sockets  map[string]chan string
	// noSockets refuses WebSockets as some networks do; cut ends the last one.
	noSockets bool
	cut       func()
	// down makes the program stand still: something in front answers for it.
	down bool
}

func newRig(t testing.TB) *rig {
	t.Helper()
	cat, err := catalog.Open(catalog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{sessions: map[string]*access.Principal{}, lists: map[linkspan.EnvironmentID][]linkspan.Integration{}, sockets: map[string]chan string{}}
	r.headless = func(in authorize.Request, _ credential.Credentials) (connect.Outcome, error) {
		return connect.Outcome{IntegrationKey: in.IntegrationKey, Name: "conn-1", Created: true}, nil
	}
	var handler http.Handler
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		down := r.down
		r.mu.Unlock()
		if down {
			http.Error(w, "502 Bad Gateway", http.StatusBadGateway)
			return
		}
		handler.ServeHTTP(w, req)
	}))
	t.Cleanup(r.Close)
	r.ui = New(Config{Access: r, Authorize: r, Catalog: cat, Integrations: r, PublicURL: r.URL, Log: slog.New(slog.DiscardHandler)})
	router := httpx.New(httpx.Config{Log: slog.New(slog.DiscardHandler)})
	router.Add(r.ui.Routes()...)
	router.Add(
		httpx.Route{Method: http.MethodGet, Pattern: "/images/template-logos/{file}", AnyContentType: true, Handler: func(w http.ResponseWriter, req *http.Request) error {
			logo, err := cat.Logo(strings.TrimSuffix(req.PathValue("file"), ".svg"))
			if err != nil {
				return err
			}
			w.Header().Set("Content-Type", "image/svg+xml")
			_, err = w.Write(logo)
			return err
		}},
		httpx.Route{Method: http.MethodGet, Pattern: "/provider", AnyContentType: true, Handler: provider},
		httpx.Route{Method: http.MethodGet, Pattern: "/host", AnyContentType: true, Handler: host},
		httpx.Route{Method: http.MethodGet, Pattern: "/result/{name}", AnyContentType: true, Handler: r.result},
		httpx.Route{Method: http.MethodGet, Pattern: "/callback", AnyContentType: true, Handler: r.callback},
		httpx.Route{Method: http.MethodPost, Pattern: "/connect/telemetry", AnyContentType: true, Handler: r.telemetry},
		httpx.Route{Method: http.MethodGet, Pattern: "/", AnyContentType: true, Handler: r.socket},
	)
	handler = router
	return r
}

// provider is the consent page of a fake provider.
func provider(w http.ResponseWriter, req *http.Request) error {
	w.Header().Set("Content-Type", "text/html")
	popup := url.QueryEscape(req.URL.Query().Get("popup"))
	_, err := fmt.Fprintf(w, `<!doctype html><html lang="en"><title>Provider</title><main><h1>Allow?</h1><a id="yes" href="/callback?yes=1&amp;popup=%[1]s">Yes</a> <a id="no" href="/callback?popup=%[1]s">No</a></main>`, popup)
	return err
}

// host is a customer's page with Connect UI in an iframe, as the published client
// puts it there.
func host(w http.ResponseWriter, req *http.Request) error {
	w.Header().Set("Content-Type", "text/html")
	q := req.URL.Query()
	_, err := fmt.Fprintf(w, `<!doctype html><html lang="en"><title>Host</title><body style="margin:0;font-family:sans-serif;background:#fff">
<main style="padding:40px"><h1>The customer's product</h1><p>%s</p></main>
<iframe id="connect-ui" title="Connect" style="position:fixed;inset:0;width:100%%;height:100%%;border:0;z-index:10;display:block" src="%s/connect-ui/?%s"></iframe>
<script>window.heard=[];addEventListener("message",e=>{heard.push(e.data);if(e.data.type==="ready"&&%q)
document.getElementById("connect-ui").contentWindow.postMessage({type:"session_token",sessionToken:%q},"*");
if(e.data.type==="close")document.getElementById("connect-ui").remove()});</script>`,
		strings.Repeat("Some text of a page that is in the background while an account is connected. ", 30), "http://"+strings.Replace(req.Host, "localhost", "127.0.0.1", 1), q.Get("query"), q.Get("token"), q.Get("token"))
	return err
}

// callback ends an authorization as the server does: it tells the waiting page,
// and shows the result.
func (r *rig) callback(w http.ResponseWriter, req *http.Request) error {
	q := req.URL.Query()
	r.mu.Lock()
	waiting := r.sockets[q.Get("popup")]
	r.mu.Unlock()
	result := authorize.Result{
		Code: "callback_err", Reason: "access_denied", Message: "The access to GitHub was declined.", Detail: "The provider says: error: access_denied",
		IntegrationKey: "github", Provider: "github", ProviderName: "GitHub", Status: 200,
		Query: []authorize.QueryParam{{Name: "error", Value: "access_denied"}, {Name: "state", Value: "[redacted]"}},
	}
	message := `{"message_type":"error","provider_config_key":"github","connection_id":"c1","error_type":"callback_err","error_desc":"declined (access_denied)"}`
	if q.Get("yes") != "" {
		result = authorize.Result{Success: true, IntegrationKey: "github", ConnectionName: "c1", Provider: "github", ProviderName: "GitHub", Status: 200}
		message = `{"message_type":"success","provider_config_key":"github","connection_id":"c1","is_pending":false}`
	}
	if waiting != nil {
		waiting <- message
	}
	return r.ui.Result(w, req, result)
}

// result shows pages that end a window.
func (r *rig) result(w http.ResponseWriter, req *http.Request) error {
	lang := req.URL.Query().Get("lang")
	known := authorize.Result{Lang: lang, IntegrationKey: "github", Provider: "github", ProviderName: "GitHub", Look: acme(), Status: 400}
	switch req.PathValue("name") {
	case "done":
		known.Success, known.Status = true, 200
	case "denied":
		known.Code, known.Reason, known.Status = authorize.CodeCallback, codeDenied, 200
		known.Message, known.Detail = "The access to GitHub was declined, so nothing was connected.", "The provider says: error: access_denied; error_description: The user has denied your application access."
		known.Query = []authorize.QueryParam{
			{Name: "error", Value: "access_denied"}, {Name: "error_description", Value: "The user has denied your application access."}, {Name: "state", Value: "[redacted]"},
		}
	case "stale":
		known = authorize.Result{Lang: lang, Code: authorize.CodeState, Message: "This authorization is unknown or has expired.", Status: 400}
	case "leaving":
		f := r.ui.newFrame(req, req.URL.Query()).withSettings(acme())
		w.Header().Set("Content-Type", "text/html")
		return leaving(f, "GitHub", "github", r.URL+"/result/done").Render(req.Context(), strip{w})
	}
	return r.ui.Result(w, req, known)
}

// strip takes the redirect out of a page, so that it can be looked at.
type strip struct{ w http.ResponseWriter }

func (s strip) Write(b []byte) (int, error) {
	_, err := s.w.Write([]byte(strings.Replace(string(b), `http-equiv="refresh"`, `name="x"`, 1)))
	return len(b), err
}

func (r *rig) telemetry(w http.ResponseWriter, req *http.Request) error {
	var b strings.Builder
	buffer := make([]byte, 1000)
	n, _ := req.Body.Read(buffer)
	b.Write(buffer[:n])
	_, rest, _ := strings.Cut(b.String(), `"event":"`)
	event, _, _ := strings.Cut(rest, `"`)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, event)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// socket speaks wire contract §6.4.
func (r *rig) socket(w http.ResponseWriter, req *http.Request) error {
	c, err := websocket.Accept(w, req, nil)
	if err != nil {
		return err
	}
	defer func() { _ = c.CloseNow() }()
	r.mu.Lock()
	id := req.URL.Query().Get("ws_client_id")
	if id == "" {
		id = linkspan.NewUUID()
	}
	results := r.sockets[id]
	if results == nil {
		results = make(chan string, 1)
		r.sockets[id] = results
	}
	refused := r.noSockets
	r.mu.Unlock()
	if refused {
		return nil
	}
	ctx, end := context.WithCancel(c.CloseRead(req.Context()))
	defer end()
	r.mu.Lock()
	r.cut = end
	r.mu.Unlock()
	if err := c.Write(ctx, websocket.MessageText, []byte(`{"message_type":"connection_ack","ws_client_id":"`+id+`"}`)); err != nil {
		return nil // the page is gone
	}
	select {
	case message := <-results:
		_ = c.Write(ctx, websocket.MessageText, []byte(message))
		<-ctx.Done()
	case <-ctx.Done():
	}
	return nil
}

// session adds a session and returns its token.
func (r *rig) session(name string, settings linkspan.ConnectUISettings, s linkspan.ConnectSession, list ...linkspan.Integration) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	env := linkspan.EnvironmentID(len(r.sessions) + 1)
	r.sessions[name] = &access.Principal{
		Kind: access.Session, Session: &s,
		Environment: linkspan.Environment{ID: env, Settings: linkspan.EnvironmentSettings{ConnectUI: settings}},
	}
	r.lists[env] = list
	return name
}

// SessionByToken implements Sessions.
func (r *rig) SessionByToken(_ context.Context, token string) (*access.Principal, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p := r.sessions[token]; p != nil {
		return p, nil
	}
	return nil, linkspan.E("rig", linkspan.KindUnauthenticated, "unknown_connect_session_token", nil, "The session is unknown or has expired.")
}

// List implements Integrations.
func (r *rig) List(_ context.Context, env linkspan.EnvironmentID) ([]linkspan.Integration, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lists[env], nil
}

// Get implements Integrations.
func (r *rig) Get(ctx context.Context, env linkspan.EnvironmentID, key string) (linkspan.Integration, error) {
	list, err := r.List(ctx, env)
	for _, i := range list {
		if i.Key == key {
			return i, err
		}
	}
	return linkspan.Integration{}, linkspan.E("rig", linkspan.KindNotFound, "not_found", err, "There is no such integration.")
}

// Headless implements Authorizer.
func (r *rig) Headless(_ context.Context, _ *access.Principal, in authorize.Request, c credential.Credentials) (connect.Outcome, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.begun, r.granted = append(r.begun, in), append(r.granted, c)
	return r.headless(in, c)
}

// Begin implements Authorizer.
func (r *rig) Begin(_ context.Context, _ *access.Principal, in authorize.Request) (authorize.Start, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.begun = append(r.begun, in)
	return authorize.Start{URL: r.URL + "/provider?popup=" + in.PopupID, CookieName: "oauth2-x", CookieValue: "v"}, nil
}

// integrations makes integrations called like their providers.
func integrations(names ...string) []linkspan.Integration {
	list := make([]linkspan.Integration, len(names))
	for i, name := range names {
		list[i] = linkspan.Integration{Key: name, Provider: name}
	}
	return list
}

// acme is the look of a customer.
func acme() linkspan.ConnectUISettings {
	return linkspan.ConnectUISettings{AppName: "Acme", LightPrimary: "#5b3df5", DarkPrimary: "#9b8cff"}
}

// missing returns which of the events are not counted. Pages send them on their own
// time, the last one maybe while they are closed already: it waits for them.
func (r *rig) missing(events ...string) (missing []string) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for until := time.Now().Add(10 * time.Second); ; <-tick.C {
		r.mu.Lock()
		missing = slices.DeleteFunc(slices.Clone(events), func(e string) bool { return slices.Contains(r.events, e) })
		r.mu.Unlock()
		if len(missing) == 0 || time.Now().After(until) {
			return missing
		}
	}
}
