package browser

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/linkspan/linkspan/internal/apptest"
	"github.com/linkspan/linkspan/internal/browsertest"
)

// event is one that the published client hands to the customer's page.
type event struct {
	Type    string `json:"type"`
	Payload struct {
		ProviderConfigKey string `json:"providerConfigKey"`
		ConnectionID      string `json:"connectionId"`
		ErrorType         string `json:"errorType"`
		ErrorMessage      string `json:"errorMessage"`
	} `json:"payload"`
}

// openUI opens Connect UI with the published client and returns the page inside
// its frame.
func (w *world) openUI(t *testing.T, p *browsertest.Page, session, options string) *browsertest.Page {
	t.Helper()
	url := literal(t, w.instance.PublicURL())
	p.Do(t, fmt.Sprintf(`window.ui = new Nango().openConnectUI({
		baseURL: %[1]s + "/connect-ui", apiURL: %[1]s, sessionToken: %[2]s, detectClosedAuthWindow: true,
		onEvent: e => window.events.push(e), %[3]s
	})`, url, literal(t, session), options))
	return p.Frame(t, "/connect-ui/")
}

// events returns what the customer's page was told so far.
func events(t *testing.T, p *browsertest.Page) []event {
	t.Helper()
	var all []event
	p.Eval(t, "window.events", &all)
	return all
}

// told waits until the customer's page is told of a kind of event, and returns
// it.
func told(t *testing.T, p *browsertest.Page, kind string) event {
	t.Helper()
	p.Until(t, fmt.Sprintf("window.events.some(e => e.type === %q)", kind))
	all := events(t, p)
	return all[slices.IndexFunc(all, func(e event) bool { return e.Type == kind })]
}

// only is a session for one integration, whose card Connect UI shows at once.
func only(key string) map[string]any {
	return map[string]any{"tags": map[string]any{"team": "a"}, "allowed_integrations": []string{key}}
}

// TestConnectUI walks through Connect UI in the frame that the published client
// makes.
func TestConnectUI(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	t.Run("OAuth 2 from the list", func(t *testing.T) {
		t.Parallel()
		p := w.open(t, browsertest.View{})
		frame := w.openUI(t, p, w.instance.Session(t, nil), "")
		frame.See(t, `[data-integration="desk"]`)
		frame.Click(t, `[data-item][data-integration="desk"]`)
		frame.See(t, `#connect button[type=submit]`)
		popup := frame.Popup(t, func() { frame.Click(t, `#connect button[type=submit]`) })
		frame.See(t, `[data-step=wait]`)
		consent(t, popup, "approve")
		frame.See(t, `[data-view=done]`)
		e := told(t, p, "connect")
		if e.Payload.ProviderConfigKey != "desk" {
			t.Errorf("the page was told of %+v", e.Payload)
		}
		w.works(t, "desk", e.Payload.ConnectionID)
		told(t, p, "close") // by itself, some seconds later
		p.Until(t, `!document.querySelector("#connect-ui")`)
	})
	t.Run("a wrong key, then the right one", func(t *testing.T) {
		t.Parallel()
		p := w.open(t, browsertest.View{Width: 390})
		frame := w.openUI(t, p, w.instance.Session(t, only("desk-key")), "")
		frame.See(t, `#connect input`)
		frame.Type(t, `#connect input`, "tk_00000000000000000000000000000000")
		frame.Click(t, `#connect button[type=submit]`)
		frame.See(t, `#alert:not([hidden])`)
		if e := told(t, p, "error"); e.Payload.ErrorType != "connection_test_failed" || e.Payload.ErrorMessage == "" {
			t.Errorf("the page was told of %+v", e.Payload)
		}
		frame.Until(t, `document.querySelector("#connect input").value === "tk_00000000000000000000000000000000"`)
		frame.Do(t, `document.querySelector("#connect input").select()`)
		frame.Type(t, `#connect input`, w.desk.APIKey)
		frame.Click(t, `#connect button[type=submit]`)
		w.works(t, "desk-key", told(t, p, "connect").Payload.ConnectionID)
	})
	t.Run("a password", func(t *testing.T) {
		t.Parallel()
		p := w.open(t, browsertest.View{})
		frame := w.openUI(t, p, w.instance.Session(t, only("desk-basic")), "")
		frame.See(t, `#connect input[type=text]`)
		frame.Type(t, `#connect input[type=text]`, w.desk.Username)
		frame.Type(t, `#connect input[type=password]`, w.desk.Password+"\r")
		w.works(t, "desk-basic", told(t, p, "connect").Payload.ConnectionID)
	})
	t.Run("nothing to ask", func(t *testing.T) {
		t.Parallel()
		p := w.open(t, browsertest.View{})
		frame := w.openUI(t, p, w.instance.Session(t, only("none")), "")
		frame.See(t, `#connect button[type=submit], [data-view=done]`)
		frame.Do(t, `document.querySelector("#connect button[type=submit]")?.click()`)
		told(t, p, "connect")
	})
	t.Run("the user denies", func(t *testing.T) {
		t.Parallel()
		p := w.open(t, browsertest.View{})
		frame := w.openUI(t, p, w.instance.Session(t, only("desk")), "")
		popup := frame.Popup(t, func() { frame.Click(t, `#connect button[type=submit]`) })
		consent(t, popup, "deny")
		if e := told(t, p, "error"); e.Payload.ErrorType != "callback_err" {
			t.Errorf("the page was told of %+v", e.Payload)
		}
		frame.See(t, `[data-view=problem] h1`)
	})
	t.Run("the user closes the window", func(t *testing.T) {
		t.Parallel()
		p := w.open(t, browsertest.View{})
		frame := w.openUI(t, p, w.instance.Session(t, only("desk")), "")
		popup := frame.Popup(t, func() { frame.Click(t, `#connect button[type=submit]`) })
		popup.See(t, `button[value="approve"]`)
		popup.Close(t)
		if e := told(t, p, "error"); e.Payload.ErrorType != "window_closed" {
			t.Errorf("the page was told of %+v", e.Payload)
		}
	})
	t.Run("the browser blocks the window", func(t *testing.T) {
		t.Parallel()
		p := w.open(t, browsertest.View{})
		frame := w.openUI(t, p, w.instance.Session(t, only("desk")), "")
		frame.See(t, `#connect button[type=submit]`)
		frame.Do(t, `window.open = () => null`)
		frame.Click(t, `#connect button[type=submit]`)
		frame.See(t, `[data-step=blocked]`)
		if e := told(t, p, "error"); e.Payload.ErrorType != "blocked_by_browser" {
			t.Errorf("the page was told of %+v", e.Payload)
		}
		// The button opens a tab, as a link does, which no browser blocks.
		tab := frame.Popup(t, func() { frame.Click(t, `[data-direct]`) })
		consent(t, tab, "approve")
		told(t, p, "connect")
	})
	t.Run("the user leaves", func(t *testing.T) {
		t.Parallel()
		p := w.open(t, browsertest.View{})
		frame := w.openUI(t, p, w.instance.Session(t, nil), "")
		frame.See(t, `[data-view=list]`)
		frame.Keys(t, "\x1b")
		told(t, p, "close")
		p.Until(t, `!document.querySelector("#connect-ui")`)
	})
	t.Run("the session has ended", func(t *testing.T) {
		t.Parallel()
		token := w.instance.Session(t, nil)
		apptest.NewClient(t, w.instance.URL, token).Do(t, http.MethodDelete, "/connect/session", nil).Want(t, http.StatusNoContent)
		p := w.open(t, browsertest.View{})
		frame := w.openUI(t, p, token, "")
		frame.See(t, `[data-view=problem] h1`)
	})
	t.Run("in German and dark, as a link of its own", func(t *testing.T) {
		t.Parallel()
		p := w.browser.Open(t, w.instance.PublicURL()+"/connect-ui/?lang=de&theme=dark&session_token="+w.instance.Session(t, only("desk-key")), browsertest.View{})
		p.See(t, `#connect input`)
		var lang, address string
		p.Eval(t, "document.documentElement.lang", &lang)
		if p.Eval(t, "location.href", &address); lang != "de" || address != w.instance.PublicURL()+"/connect-ui/?lang=de&theme=dark" {
			t.Errorf("the page is in %q at %s; the token must not stay in the address", lang, address)
		}
		p.Type(t, `#connect input`, w.desk.APIKey+"\r")
		p.See(t, `[data-view=done]`)
	})
}

// TestConnectUIReconnects renews a connection in Connect UI.
func TestConnectUIReconnects(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.open(t, browsertest.View{})
	frame := w.openUI(t, p, w.instance.Session(t, only("desk-key")), "")
	frame.See(t, `#connect input`)
	frame.Type(t, `#connect input`, w.desk.APIKey+"\r")
	name := told(t, p, "connect").Payload.ConnectionID
	var reply struct {
		Data struct{ Token string }
	}
	w.instance.Dev(t).Do(t, http.MethodPost, "/connect/sessions/reconnect", map[string]any{
		"connection_id": name, "integration_id": "desk-key",
	}).Want(t, http.StatusCreated).Into(t, &reply)
	second := w.open(t, browsertest.View{})
	frame = w.openUI(t, second, reply.Data.Token, "")
	frame.See(t, `#connect input`)
	frame.Type(t, `#connect input`, w.desk.APIKey+"\r")
	if again := told(t, second, "connect").Payload.ConnectionID; again != name {
		t.Errorf("the connection is called %q after it was called %q", again, name)
	}
}
