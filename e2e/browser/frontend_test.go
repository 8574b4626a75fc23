package browser

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/internal/apptest"
	"github.com/linkspan/linkspan/internal/browsertest"
)

// screenshots is a folder for pictures of what the tests see, to be looked at.
var screenshots = flag.String("screenshots", "", "write pictures of the pages into this folder")

// world is a server, a third party and a customer's site in one browser.
type world struct {
	desk     *apptest.Desk
	instance *apptest.Instance
	customer *customer
	browser  *browsertest.Browser
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{browser: browsertest.Start(t), customer: newCustomer(t), desk: apptest.NewDesk(t)}
	w.instance = apptest.Start(t, apptest.Options{Database: apptest.NewSQLite(t), ProvidersDir: w.desk.ProvidersDir})
	w.desk.Open(t, w.instance)
	return w
}

// open opens the customer's page.
func (w *world) open(t *testing.T, v browsertest.View) *browsertest.Page {
	t.Helper()
	p := w.browser.Open(t, w.customer.URL, v)
	p.Until(t, "window.Nango")
	return p
}

// client is the client with a session, as JavaScript; options are more options
// of auth.
func (w *world) withSession(t *testing.T, body map[string]any) string {
	t.Helper()
	return fmt.Sprintf(`new Nango({host: %s, connectSessionToken: %s})`,
		literal(t, w.instance.PublicURL()), literal(t, w.instance.Session(t, body)))
}

// withPublicKey is the client with the public key of the environment dev.
func (w *world) withPublicKey(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf(`new Nango({host: %s, publicKey: %s})`, literal(t, w.instance.PublicURL()), literal(t, w.settings(t)["public_key"]))
}

func (w *world) settings(t *testing.T) map[string]any {
	t.Helper()
	return w.instance.Dev(t).Do(t, http.MethodGet, "/environments/current/settings", nil).Want(t, http.StatusOK).Map(t)["data"].(map[string]any)
}

// works checks that a connection can be used.
func (w *world) works(t *testing.T, integration, name string) {
	t.Helper()
	path := map[string]string{"desk": "/me", "desk-key": "/me", "desk-basic": "/me"}[integration]
	if path == "" {
		return
	}
	apptest.Proxy(t, w.instance.Dev(t), http.MethodGet, integration, name, path, nil).Want(t, http.StatusOK)
}

// consent clicks a button of the consent page.
func consent(t *testing.T, popup *browsertest.Page, decision string) {
	t.Helper()
	popup.See(t, `button[value="`+decision+`"]`)
	popup.Click(t, `button[value="`+decision+`"]`)
}

// TestAuth runs the published client's auth with every kind of credentials, with
// a session and with the public key.
func TestAuth(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, by := range []string{"session", "public key"} {
		client, name := w.withSession, ""
		if by == "public key" {
			client = func(t *testing.T, _ map[string]any) string { t.Helper(); return w.withPublicKey(t) }
			name = `"my-own-id",`
		}
		t.Run("OAuth 2 with "+by, func(t *testing.T) {
			t.Parallel()
			p := w.open(t, browsertest.View{})
			act(t, p, client(t, nil)+`.auth("desk", `+name+`{detectClosedAuthWindow: true})`)
			popup := p.Popup(t, func() { p.Click(t, "#go") })
			consent(t, popup, "approve")
			id := settled(t, p).wantConnection(t, "desk")
			if name != "" && id != "my-own-id" {
				t.Errorf("the connection is called %q, not as asked", id)
			}
			w.works(t, "desk", id)
		})
		for integration, call := range map[string]string{
			"desk-key":   fmt.Sprintf(`.auth("desk-key", %s{credentials: {apiKey: %s}})`, name, literal(t, w.desk.APIKey)),
			"desk-basic": fmt.Sprintf(`.auth("desk-basic", %s{credentials: {username: %s, password: %s}})`, name, literal(t, w.desk.Username), literal(t, w.desk.Password)),
			"none":       `.create("none"` + strings.TrimSuffix(", "+name, ",") + `)`,
		} {
			if name == "" && integration == "none" {
				call = `.create("none")`
			}
			t.Run(integration+" with "+by, func(t *testing.T) {
				t.Parallel()
				p := w.open(t, browsertest.View{})
				act(t, p, client(t, nil)+call)
				p.Click(t, "#go")
				w.works(t, integration, settled(t, p).wantConnection(t, integration))
			})
		}
	}
}

// TestAuthFails checks that each failure reaches the customer's page as the type
// of error that the client documents.
func TestAuthFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	auth := func(t *testing.T) string {
		t.Helper()
		return w.withSession(t, nil) + `.auth("desk", {detectClosedAuthWindow: true})`
	}
	t.Run("the user denies", func(t *testing.T) {
		t.Parallel()
		p := w.open(t, browsertest.View{})
		act(t, p, auth(t))
		popup := p.Popup(t, func() { p.Click(t, "#go") })
		consent(t, popup, "deny")
		settled(t, p).wantError(t, "callback_err")
	})
	t.Run("the user closes the window", func(t *testing.T) {
		t.Parallel()
		p := w.open(t, browsertest.View{})
		act(t, p, auth(t))
		popup := p.Popup(t, func() { p.Click(t, "#go") })
		popup.See(t, `button[value="approve"]`)
		popup.Close(t)
		settled(t, p).wantError(t, "window_closed")
	})
	t.Run("the browser blocks the window", func(t *testing.T) {
		t.Parallel()
		p := w.open(t, browsertest.View{})
		act(t, p, auth(t))
		p.Do(t, "setTimeout(() => window.act(), 1)") // nobody clicked
		settled(t, p).wantError(t, "blocked_by_browser")
	})
	for what, c := range map[string]struct{ call, kind string }{
		"a wrong key":            {`.auth("desk-key", {credentials: {apiKey: "tk_00000000000000000000000000000000"}})`, "connection_test_failed"},
		"a wrong password":       {`.auth("desk-basic", {credentials: {username: "ada", password: "guess"}})`, "connection_test_failed"},
		"an unknown integration": {`.auth("nope", {credentials: {apiKey: "x"}})`, "unknown_provider_config"},
		"another mode":           {`.auth("desk", {credentials: {apiKey: "x"}})`, "invalid_auth_mode"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			p := w.open(t, browsertest.View{})
			act(t, p, w.withSession(t, nil)+c.call)
			p.Click(t, "#go")
			settled(t, p).wantError(t, c.kind)
		})
	}
	t.Run("an integration the session does not allow", func(t *testing.T) {
		t.Parallel()
		p := w.open(t, browsertest.View{})
		act(t, p, w.withSession(t, map[string]any{
			"tags": map[string]any{"team": "a"}, "allowed_integrations": []string{"desk-key"},
		})+`.auth("desk-basic", {credentials: {username: "ada", password: "x"}})`)
		p.Click(t, "#go")
		settled(t, p).wantError(t, "integration_not_allowed")
	})
	t.Run("no session to reconnect with", func(t *testing.T) {
		t.Parallel()
		p := w.open(t, browsertest.View{})
		act(t, p, w.withPublicKey(t)+`.reconnect("desk")`)
		p.Click(t, "#go")
		settled(t, p).wantError(t, "missing_connect_session_token")
	})
}

// TestReconnect renews the credentials of a connection, which keeps its name.
func TestReconnect(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	sink := apptest.NewSink(t)
	w.instance.SendTo(t, sink.URL)
	p := w.open(t, browsertest.View{})
	connect := func(expression string) string {
		act(t, p, expression)
		popup := p.Popup(t, func() { p.Click(t, "#go") })
		consent(t, popup, "approve")
		return settled(t, p).wantConnection(t, "desk")
	}
	name := connect(w.withSession(t, nil) + `.auth("desk")`)

	var reply struct {
		Data struct{ Token string }
	}
	w.instance.Dev(t).Do(t, http.MethodPost, "/connect/sessions/reconnect", map[string]any{
		"connection_id": name, "integration_id": "desk",
	}).Want(t, http.StatusCreated).Into(t, &reply)
	again := connect(fmt.Sprintf(`new Nango({host: %s, connectSessionToken: %s}).reconnect("desk")`,
		literal(t, w.instance.PublicURL()), literal(t, reply.Data.Token)))
	if again != name {
		t.Errorf("the connection is called %q after it was called %q", again, name)
	}
	w.works(t, "desk", name)
	hooks := sink.Want(t, 2)
	if a, b := hooks[0].Auth(t), hooks[1].Auth(t); a.Operation != "creation" || b.Operation != "override" || b.ConnectionID != name || !b.Success {
		t.Errorf("the webhooks tell of %+v and %+v", a, b)
	}
}

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(m.Run())
}
