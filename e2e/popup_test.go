package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/apptest"
)

// socketPatience only turns a hang into a failure.
const socketPatience = time.Minute

// socket is a page of the customer's that waits for the result of a popup, as
// the published client does.
type socket struct {
	conn *websocket.Conn
	// id is what the server calls the page.
	id string
}

// message is what the server says to a page.
type message struct {
	Type        string `json:"message_type"`
	ID          string `json:"ws_client_id"`
	Integration string `json:"provider_config_key"`
	Connection  string `json:"connection_id"`
	Pending     *bool  `json:"is_pending"`
	ErrorType   string `json:"error_type"`
	ErrorDesc   string `json:"error_desc"`
}

// listen opens a socket from a page of another origin.
func listen(t *testing.T, i *apptest.Instance) *socket {
	t.Helper()
	return dial(t, i, "/")
}

// resume comes back to a server, maybe another one, under the name of a socket
// that was lost.
func resume(t *testing.T, i *apptest.Instance, lost *socket) *socket {
	t.Helper()
	s := dial(t, i, "/?ws_client_id="+lost.id)
	if s.id != lost.id {
		t.Errorf("the page comes back as %s and is called %s", lost.id, s.id)
	}
	return s
}

func dial(t *testing.T, i *apptest.Instance, path string) *socket {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), socketPatience)
	defer cancel()
	//nolint:bodyclose // the answer to a WebSocket has none
	conn, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(i.URL, "http")+path, &websocket.DialOptions{
		HTTPHeader: http.Header{"Origin": {"https://customer.example"}},
	})
	if err != nil {
		t.Fatalf("opening a WebSocket: %v", err)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	s := &socket{conn: conn}
	ack := s.read(t)
	if ack.Type != "connection_ack" || !linkspan.IsUUIDv4(ack.ID) {
		t.Fatalf("the first message is %+v", ack)
	}
	s.id = ack.ID
	return s
}

// read waits for the next message.
func (s *socket) read(t *testing.T) message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), socketPatience)
	defer cancel()
	kind, text, err := s.conn.Read(ctx)
	if err != nil || kind != websocket.MessageText {
		t.Fatalf("reading from a WebSocket: %v %v", kind, err)
	}
	var m message
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatalf("decoding %s: %v", text, err)
	}
	return m
}

// ends checks that the server says nothing more and closes with a status.
func (s *socket) ends(t *testing.T, status websocket.StatusCode) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), socketPatience)
	defer cancel()
	_, text, err := s.conn.Read(ctx)
	if got := websocket.CloseStatus(err); got != status {
		t.Errorf("the socket ends with %v (%v), not %v; it said %s", got, err, status, text)
	}
}

// wantSuccess checks that the only message is that of a connection.
func (s *socket) wantSuccess(t *testing.T, integration string) (connection string) {
	t.Helper()
	m := s.read(t)
	if m.Type != "success" || m.Integration != integration || m.Connection == "" || m.Pending == nil || *m.Pending || m.ErrorType != "" {
		t.Errorf("the page is told %+v, not of a connection of %s", m, integration)
	}
	s.ends(t, websocket.StatusNormalClosure)
	return m.Connection
}

// wantError checks that the only message is that of a failure.
func (s *socket) wantError(t *testing.T, integration, errorType string) {
	t.Helper()
	m := s.read(t)
	if m.Type != "error" || m.Integration != integration || m.ErrorType != errorType || m.ErrorDesc == "" {
		t.Errorf("the page is told %+v, not of %s", m, errorType)
	}
	s.ends(t, websocket.StatusNormalClosure)
}

// query is a new session and the page that waits.
func (w *connecting) query(t *testing.T, s *socket) url.Values {
	t.Helper()
	return url.Values{"connect_session_token": {w.session(t, nil)}, "ws_client_id": {s.id}}
}

// TestPopupProtocol tells each page its own result, once, whatever it is.
func TestPopupProtocol(t *testing.T) {
	t.Parallel()
	w := newConnecting(t, apptest.NewSQLite(t))
	pages := make(map[string]*socket)
	for _, name := range []string{"oauth", "key", "wrong key", "denied", "issuer", "not allowed", "bystander"} {
		pages[name] = listen(t, w.Instance)
	}
	// Nobody waits under these names, so nobody is told.
	for _, id := range []string{linkspan.NewUUID(), "x", strings.ToUpper(linkspan.NewUUID()), "'; drop table popup_results --"} {
		f := w.consent(t, w.begin(t, url.Values{"connect_session_token": {w.session(t, nil)}, "ws_client_id": {id}}))
		w.arrive(t, f, f.cookie).Want(t, http.StatusOK)
	}

	for _, name := range []string{"denied", "issuer", "oauth"} {
		f := w.consent(t, w.begin(t, w.query(t, pages[name])))
		switch name {
		case "oauth":
			w.arrive(t, f, "")                                   // another browser must not end the wait
			w.arrive(t, f, f.cookie).Want(t, http.StatusOK)      // nor
			wantRefusal(t, w.arrive(t, f, f.cookie), 400, "err") // a second time make a second message
		case "denied":
			wantRefusal(t, w.arrive(t, f, f.cookie, "code", "", "error", "access_denied"), 400, "callback_err")
		default:
			wantRefusal(t, w.arrive(t, f, f.cookie, "iss", "https://other.example"), 400, "callback_err")
		}
	}
	key := func(page *socket, apiKey string) apptest.Reply {
		return w.show(w.Anonymous(t).Do(t, http.MethodPost, "/api-auth/api-key/desk-key?"+w.query(t, page).Encode(), object{"apiKey": apiKey}))
	}
	key(pages["key"], w.desk.APIKey).Want(t, http.StatusOK)
	key(pages["wrong key"], "wrong").WantError(t, http.StatusBadRequest, "connection_test_failed")
	limited := w.session(t, object{"tags": object{"a": "b"}, "allowed_integrations": []string{"none"}})
	wantRefusal(t, w.open(t, "/oauth/connect/desk?"+url.Values{"connect_session_token": {limited}, "ws_client_id": {pages["not allowed"].id}}.Encode()), 400, "integration_not_allowed")

	made := pages["oauth"].wantSuccess(t, "desk")
	apptest.Proxy(t, w.Dev(t), http.MethodGet, "desk", made, "/me", nil).Want(t, http.StatusOK)
	pages["key"].wantSuccess(t, "desk-key")
	pages["wrong key"].wantError(t, "desk-key", "connection_validation_failed")
	pages["denied"].wantError(t, "desk", "callback_err")
	pages["issuer"].wantError(t, "desk", "callback_err")
	pages["not allowed"].wantError(t, "desk", "integration_not_allowed")
	// The first thing that the last page hears is what is meant for it.
	f := w.consent(t, w.begin(t, w.query(t, pages["bystander"])))
	w.arrive(t, f, f.cookie).Want(t, http.StatusOK)
	if name := pages["bystander"].wantSuccess(t, "desk"); name == made {
		t.Errorf("a page is told of %s, the connection of another page", name)
	}
}

// TestPopupAcrossReplicas brings the user back to another replica than the one
// that the page waits at.
func TestPopupAcrossReplicas(t *testing.T) {
	t.Parallel()
	for name, pollOnly := range map[string]bool{"listen": false, "poll only": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			desk := apptest.NewDesk(t)
			w := watch(desk, apptest.NewSink(t))
			o := apptest.Options{Database: apptest.NewPostgres(t), ProvidersDir: desk.ProvidersDir, PollOnly: pollOnly}
			here, there := apptest.Start(t, o), apptest.Start(t, o)
			w.Instance = here
			desk.Open(t, here)
			w.SendTo(t, w.sink.URL)

			good, bad := listen(t, here), listen(t, here)
			f := w.consent(t, w.begin(t, w.query(t, good)))
			denied := w.consent(t, w.begin(t, w.query(t, bad)))
			w.Instance = there
			w.arrive(t, f, f.cookie).Want(t, http.StatusOK)
			wantRefusal(t, w.arrive(t, denied, denied.cookie, "code", "", "error", "access_denied"), 400, "callback_err")
			made := good.wantSuccess(t, "desk")
			bad.wantError(t, "desk", "callback_err")
			apptest.Proxy(t, here.Dev(t), http.MethodGet, "desk", made, "/me", nil).Want(t, http.StatusOK)

			// A page whose socket is lost comes back, before the result or after.
			for _, before := range []bool{true, false} {
				w.Instance = here
				page := listen(t, here)
				f := w.consent(t, w.begin(t, w.query(t, page)))
				_ = page.conn.CloseNow()
				if before {
					page = resume(t, there, page)
				}
				w.arrive(t, f, f.cookie).Want(t, http.StatusOK)
				if !before {
					page = resume(t, there, page)
				}
				page.wantSuccess(t, "desk")
			}

			// A result that one replica took is not told again by the other.
			late := listen(t, there)
			w.Instance = here
			again := w.consent(t, w.begin(t, w.query(t, late)))
			w.arrive(t, again, again.cookie).Want(t, http.StatusOK)
			if name := late.wantSuccess(t, "desk"); name == made {
				t.Errorf("a page is told of %s, the connection of another page", name)
			}
		})
	}
}

// TestPopupsAtShutdown ends the wait of pages when the server stops.
func TestPopupsAtShutdown(t *testing.T) {
	t.Parallel()
	p := apptest.StartProcess(t, apptest.Options{Database: apptest.NewSQLite(t)})
	pages := []*socket{listen(t, &p.Instance), listen(t, &p.Instance)}
	p.Terminate(t)
	for _, page := range pages {
		page.ends(t, websocket.StatusGoingAway)
	}
	if code := p.Wait(t); code != 0 {
		t.Errorf("the server ended with code %d", code)
	}
}
