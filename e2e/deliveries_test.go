package e2e

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/linkspan/linkspan/internal/apptest"
)

// delivery is a delivery as the API shows it.
type delivery struct {
	ID, State, Operation, URL string
	EventID                   string `json:"event_id"`
	Attempts                  int
	LastStatus                *int    `json:"last_status"`
	NextAttemptAt             *string `json:"next_attempt_at"`
	Connection                string  `json:"connection_id"`
}

// deliveries returns all deliveries of an environment, newest first.
func deliveries(t *testing.T, c apptest.Client, query string) []delivery {
	t.Helper()
	var all []delivery
	cursor := ""
	for {
		var page struct {
			Data       []delivery
			NextCursor *string `json:"next_cursor"`
		}
		c.Do(t, http.MethodGet, "/webhooks/deliveries?limit=100"+query+cursor, nil).Want(t, http.StatusOK).Into(t, &page)
		all = append(all, page.Data...)
		if page.NextCursor == nil {
			return all
		}
		cursor = "&cursor=" + url.QueryEscape(*page.NextCursor)
	}
}

// settings changes settings of dev and returns them.
func settings(t *testing.T, i *apptest.Instance, body object) map[string]any {
	t.Helper()
	data, _ := i.Dev(t).Do(t, http.MethodPatch, "/environments/current/settings", body).Want(t, http.StatusOK).Map(t)["data"].(map[string]any)
	return data
}

// connect connects an account of "desk" with a session and returns the id of the
// connection.
func (w *connecting) connect(t *testing.T, session object) string {
	t.Helper()
	before := names(t, w.Dev(t))
	f := w.consent(t, w.begin(t, url.Values{"connect_session_token": {w.session(t, session)}}))
	w.arrive(t, f, f.cookie).Want(t, http.StatusOK)
	for _, name := range names(t, w.Dev(t)) {
		if !slices.Contains(before, name) {
			return name
		}
	}
	t.Fatal("the authorization made no connection")
	return ""
}

// reconnect gives a connection of "desk" new credentials.
func (w *connecting) reconnect(t *testing.T, name string) {
	t.Helper()
	var reply struct{ Data struct{ Token string } }
	w.Dev(t).Do(t, http.MethodPost, "/connect/sessions/reconnect", object{"connection_id": name, "integration_id": "desk"}).
		Want(t, http.StatusCreated).Into(t, &reply)
	w.keep("session token", reply.Data.Token)
	f := w.consent(t, w.begin(t, url.Values{"connect_session_token": {reply.Data.Token}}))
	w.arrive(t, f, f.cookie).Want(t, http.StatusOK)
}

// breakRefresh revokes a connection's grant at the desk and has it refreshed.
func (w *connecting) breakRefresh(t *testing.T, name string) {
	t.Helper()
	var c struct {
		Credentials struct {
			Refresh string `json:"refresh_token"`
		}
	}
	path := "/connections/" + name + "?provider_config_key=desk&refresh_token=true"
	w.Dev(t).Do(t, http.MethodGet, path, nil).Want(t, http.StatusOK).Into(t, &c)
	apptest.NewClient(t, w.desk.URL, "").Do(t, http.MethodPost, "/oauth/revoke", url.Values{
		"token": {c.Credentials.Refresh}, "client_id": {w.desk.ClientID}, "client_secret": {w.desk.ClientSecret},
	}.Encode(), "Content-Type", "application/x-www-form-urlencoded").Want(t, http.StatusOK)
	if r := w.show(w.Dev(t).Do(t, http.MethodGet, path+"&force_refresh=true", nil)); r.Status < 400 {
		t.Errorf("refreshing a revoked grant: %d %s", r.Status, r.Body)
	}
}

func (w *connecting) remove(t *testing.T, name string) {
	t.Helper()
	w.Dev(t).Do(t, http.MethodDelete, "/connections/"+name+"?provider_config_key=desk", nil).Want(t, http.StatusOK)
}

// TestWhereWebhooksGo sends each event where the environment and the connection
// say, and only the events that are wanted.
func TestWhereWebhooksGo(t *testing.T) {
	t.Parallel()
	for name, open := range apptest.Databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newConnecting(t, open(t))
			second, own := apptest.NewSink(t), apptest.NewSink(t)
			w.SendTo(t, w.sink.URL+"/first", second.URL+"/second")
			said := func(s *apptest.Sink) string {
				w.settled(t)
				var all []string
				for _, h := range s.Hooks() {
					event := h.Auth(t)
					what := fmt.Sprintf("%s %v", event.Operation, event.Success)
					if event.Error != nil {
						what += " " + event.Error.Type
					}
					all = append(all, what)
				}
				slices.Sort(all) // messages may overtake each other
				return strings.Join(all, ", ")
			}
			want := func(what string, s *apptest.Sink, events string) {
				t.Helper()
				if got := said(s); got != events {
					t.Errorf("%s: the receiver heard %q, not %q", what, got, events)
				}
			}

			a := w.connect(t, nil)
			want("a connection", w.sink, "creation true")
			want("a connection, the secondary URL", second, "creation true")
			if x, y := w.sink.Hooks()[0], second.Hooks()[0]; x.ID() != y.ID() || !bytes.Equal(x.Body, y.Body) {
				t.Errorf("the two URLs got different messages: %s %s and %s %s", x.ID(), x.Body, y.ID(), y.Body)
			}

			b := w.connect(t, object{"tags": object{"team": "a"}, "webhook_url_override": own.URL})
			w.breakRefresh(t, b)
			w.remove(t, b)
			want("a connection's own URL", own, "creation true, deletion true, refresh false token_refresh_error")
			want("a connection's own URL, the primary one", w.sink, "creation true")

			settings(t, w.Instance, object{"webhooks": object{"secondary_url": "", "on_auth_creation": false, "on_auth_deletion": false, "on_auth_refresh_error": false}})
			c := w.connect(t, nil)
			w.reconnect(t, a)
			w.breakRefresh(t, c)
			w.remove(t, c)
			want("switched off", w.sink, "creation true, override true")
			want("switched off, the secondary URL", second, "creation true")

			settings(t, w.Instance, object{"webhooks": object{"on_auth_creation": true, "on_auth_deletion": true, "on_auth_refresh_error": true}})
			f := w.started(t)
			wantRefusal(t, w.arrive(t, f, f.cookie, "code", "", "error", "access_denied"), 400, "callback_err")
			w.breakRefresh(t, a)
			w.remove(t, a)
			want("switched on", w.sink, "creation false callback_err, creation true, deletion true, override true, refresh false token_refresh_error")

			settings(t, w.Instance, object{"webhooks": object{"primary_url": ""}})
			count := len(deliveries(t, w.Dev(t), ""))
			w.remove(t, w.connect(t, nil))
			if n := len(deliveries(t, w.Dev(t), "")); n != count {
				t.Errorf("%d deliveries without a URL", n-count)
			}
			w.keepTokens(t)
			w.wantNoSecret(t, w.places(t))
		})
	}
}

// TestReplay sends a delivered webhook again, as the same message, for keys that
// may ask for it.
func TestReplay(t *testing.T) {
	t.Parallel()
	w := newConnecting(t, apptest.NewSQLite(t))
	w.connect(t, nil)
	w.settled(t)
	first := deliveries(t, w.Dev(t), "")[0]
	replay := "/webhooks/deliveries/" + first.ID + "/replay"

	with := func(scope string) apptest.Client {
		return w.Anonymous(t).WithKey(makeKey(t, w.Instance, w.DevUUID(t), scope, scope).Secret)
	}
	reader, replayer, neither := with("environment:webhooks:read"), with("environment:webhooks:replay"), with("environment:logs:read")
	reader.Do(t, http.MethodPost, replay, nil).WantError(t, http.StatusForbidden, "forbidden")
	neither.Do(t, http.MethodPost, replay, nil).WantError(t, http.StatusForbidden, "forbidden")
	neither.Do(t, http.MethodGet, "/webhooks/deliveries", nil).WantError(t, http.StatusForbidden, "forbidden")
	replayer.Do(t, http.MethodGet, "/webhooks/deliveries", nil).WantError(t, http.StatusForbidden, "forbidden")
	w.Prod(t).Do(t, http.MethodPost, replay, nil).WantError(t, http.StatusNotFound, "not_found")
	w.Prod(t).Do(t, http.MethodGet, "/webhooks/deliveries", nil).Want(t, http.StatusOK)

	var reply struct{ Data delivery }
	replayer.Do(t, http.MethodPost, replay, nil).Want(t, http.StatusAccepted).Into(t, &reply)
	hooks := w.sink.Want(t, 2)
	w.settled(t)
	if reply.Data.ID == first.ID || reply.Data.EventID != first.EventID {
		t.Errorf("the replay %+v of %+v", reply.Data, first)
	}
	if hooks[0].ID() != first.EventID || hooks[1].ID() != first.EventID || !bytes.Equal(hooks[0].Body, hooks[1].Body) {
		t.Errorf("the replay is another message: %s %s", hooks[0].ID(), hooks[1].ID())
	}
	for _, d := range deliveries(t, reader, "&state=delivered&connection_id="+first.Connection) {
		if d.Attempts != 1 || d.LastStatus == nil || *d.LastStatus != http.StatusOK || d.NextAttemptAt != nil || strings.Contains(d.URL, "?") {
			t.Errorf("a delivery reads %+v", d)
		}
	}
}

// standardSignature is a signature of Standard Webhooks.
func standardSignature(key string, h apptest.Hook) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(h.ID() + "." + h.Header.Get("webhook-timestamp") + "." + string(h.Body)))
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// TestSigningKeyRotates replaces the signing key while webhooks are sent: whoever
// still checks with the old one accepts them until it is revoked.
func TestSigningKeyRotates(t *testing.T) {
	t.Parallel()
	w := newConnecting(t, apptest.NewSQLite(t))
	next := func() apptest.Hook {
		t.Helper()
		n := len(w.sink.Hooks())
		w.connect(t, nil)
		return w.sink.Want(t, n+1)[n]
	}
	check := func(what string, h apptest.Hook, key string, others ...string) {
		t.Helper()
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write(h.Body)
		plain := sha256.Sum256(append([]byte(key), h.Body...))
		if h.Header.Get("X-Nango-Hmac-Sha256") != hex.EncodeToString(mac.Sum(nil)) || h.Header.Get("X-Nango-Signature") != hex.EncodeToString(plain[:]) {
			t.Errorf("%s: the older signatures are not made with the present key", what)
		}
		want := []string{standardSignature(key, h)}
		for _, k := range others {
			want = append(want, standardSignature(k, h))
		}
		if got := strings.Fields(h.Header.Get("webhook-signature")); !slices.Equal(got, want) {
			t.Errorf("%s: webhook-signature holds %q, not %q", what, got, want)
		}
	}
	old := w.Keys.SigningDev
	check("before", next(), old)

	var reply struct {
		Data struct {
			Key string `json:"webhook_signing_key"`
		}
	}
	w.Dev(t).Do(t, http.MethodPost, "/environment/webhook-signing-key/rotate", nil).Want(t, http.StatusOK).Into(t, &reply)
	w.keep("signing key", old)
	w.keep("signing key", reply.Data.Key)
	check("during the overlap", next(), reply.Data.Key, old)
	if until := settings(t, w.Instance, object{})["previous_signing_key_expires_at"]; until == nil {
		t.Error("the settings do not say until when the old key signs")
	}

	settings(t, w.Instance, object{"revoke_previous_signing_key": true})
	check("after the old key is revoked", next(), reply.Data.Key)
	w.wantNoSecret(t, w.places(t))
}

// receiver answers webhooks in its own way and counts them.
type receiver struct {
	*httptest.Server
	mu            sync.Mutex
	open, most, n int
}

func newReceiver(t *testing.T, answer http.HandlerFunc) *receiver {
	t.Helper()
	r := new(receiver)
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		r.count(1)
		defer r.count(-1)
		answer(w, q)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) count(change int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open += change
	r.most = max(r.most, r.open)
	if change > 0 {
		r.n++
	}
}

// seen returns how many webhooks came, and how many of them at most at a time.
func (r *receiver) seen() (n, most int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.n, r.most
}

// TestBadReceiversHoldUpNobody has receivers that never end their answers, that
// keep silent and that fail, each with more webhooks than may be under way: the
// good one gets all of its own meanwhile.
func TestBadReceiversHoldUpNobody(t *testing.T) {
	t.Parallel()
	const each = 30
	release := make(chan struct{})
	endless := func(w http.ResponseWriter, text string) {
		for {
			if _, err := w.Write([]byte(text)); err != nil {
				return
			}
		}
	}
	bad := map[string]*receiver{
		"endless body": newReceiver(t, func(w http.ResponseWriter, _ *http.Request) { endless(w, strings.Repeat("x", 1024)) }),
		"endless head": newReceiver(t, endlessHead),
		"silent":       newReceiver(t, func(http.ResponseWriter, *http.Request) { <-release }),
		"failing":      newReceiver(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }),
		"redirecting": newReceiver(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/")
			w.WriteHeader(http.StatusFound)
		}),
		"gone": newReceiver(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) }),
	}
	var once sync.Once
	free := func() { once.Do(func() { close(release) }) }
	t.Cleanup(free) // before the receivers close
	good := apptest.NewSink(t)

	world := apptest.NewWorld(t)
	i := apptest.Start(t, apptest.Options{Database: apptest.NewSQLite(t), ProvidersDir: world.ProvidersDir})
	world.Integrate(t, i.Dev(t), apptest.ProviderNone, "open")
	announce(t, i, bad["silent"].URL, 1)
	apptest.Poll(t, "the silent receiver holds its first webhook", func() bool { n, _ := bad["silent"].seen(); return n > 0 })
	for name, r := range bad {
		if name != "silent" {
			announce(t, i, r.URL, each)
		}
	}
	announce(t, i, bad["silent"].URL, each-1)
	announce(t, i, good.URL, each)
	good.Want(t, each)

	for _, d := range deliveries(t, i.Dev(t), "") {
		if strings.HasPrefix(d.URL, bad["silent"].URL) && d.State != "pending" {
			t.Errorf("a delivery to the silent receiver is %s while it keeps silent", d.State)
		}
	}
	for name, r := range bad {
		if n, most := r.seen(); most > 4 {
			t.Errorf("the %s receiver got %d webhooks at a time, of %d", name, most, n)
		}
	}
	free()
	want := map[string]string{"endless body": "delivered", "silent": "delivered", "gone": "gone", "endless head": "pending", "failing": "pending", "redirecting": "pending"}
	// On a busy machine the silence may outlast an attempt, which is then made again.
	apptest.Poll(t, "every webhook was tried, and those to the receiver that was silent arrived", func() bool {
		for _, d := range deliveries(t, i.Dev(t), "") {
			if d.Attempts == 0 || strings.HasPrefix(d.URL, bad["silent"].URL) && d.State != "delivered" {
				return false
			}
		}
		return true
	})
	all := deliveries(t, i.Dev(t), "")
	if len(all) != each*(len(bad)+1) {
		t.Errorf("there are %d deliveries", len(all))
	}
	for _, d := range all {
		for name, r := range bad {
			if strings.HasPrefix(d.URL, r.URL) && d.State != want[name] {
				t.Errorf("a delivery to the %s receiver is %s after %d attempts, not %s", name, d.State, d.Attempts, want[name])
			}
		}
	}
}

// endlessHead answers with headers that do not end.
func endlessHead(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	_, err = conn.Write([]byte("HTTP/1.1 200 OK\r\n"))
	for err == nil {
		_, err = conn.Write([]byte("X-More: " + strings.Repeat("x", 1000) + "\r\n"))
	}
}

// announce makes n webhooks to a URL by deleting connections.
func announce(t *testing.T, i *apptest.Instance, to string, n int) {
	t.Helper()
	c := i.Dev(t)
	for k := range n {
		name := fmt.Sprint("c", k)
		c.Do(t, http.MethodPost, "/connections", object{
			"provider_config_key": "open", "connection_id": name, "credentials": object{"type": "NONE"}, "webhook_url_override": to,
		}).Want(t, http.StatusCreated)
		c.Do(t, http.MethodDelete, "/connections/"+name+"?provider_config_key=open", nil).Want(t, http.StatusOK)
	}
}

// TestReplicasDeliverOnce has two replicas send at the same time. As long as
// nobody dies, each webhook arrives once.
func TestReplicasDeliverOnce(t *testing.T) {
	t.Parallel()
	const each = 60
	world, sink := apptest.NewWorld(t), apptest.NewSink(t)
	o := apptest.Options{Database: apptest.NewPostgres(t), ProvidersDir: world.ProvidersDir}
	replicas := []*apptest.Instance{apptest.Start(t, o), apptest.Start(t, o)}
	world.Integrate(t, replicas[0].Dev(t), apptest.ProviderNone, "open")
	for n := range each {
		for _, i := range replicas {
			announce(t, i, fmt.Sprintf("%s/%d", sink.URL, n), 1)
		}
	}
	apptest.Poll(t, "all webhooks are delivered", func() bool {
		return len(deliveries(t, replicas[0].Dev(t), "&state=delivered")) == each*len(replicas)
	})
	seen := make(map[string]int)
	for _, h := range sink.Hooks() {
		seen[h.ID()]++
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("the message %s arrived %d times", id, n)
		}
	}
	if len(seen) != each*len(replicas) {
		t.Errorf("%d messages arrived, not %d", len(seen), each*len(replicas))
	}
}
